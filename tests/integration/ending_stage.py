"""The daily check over DynamoDB in memory, with the variables that the template gives it by default."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.issuers import item_of
from tools.events.stage import Answer, Stage, stage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY = 86400
SCHEDULED: dict[str, Any] = {}
KEYS = {"jwt_profiles": ("tag",), "jwt_secrets": ("corresponding_tag", "id")}
"""The attributes of the key of each table that the check reads."""
SECRET = "sEcReT-0123456789-0123456789-0123456789"


@dataclass
class EndingStage:
    """The function, and tables to fill."""

    stage: Stage
    tables: "DynamoDBClient"
    now: int

    def has(self, tag: str, secret_id: str, end: object, *, start: object = -300, **columns: object) -> None:
        """Write a secret; bounds are in days from now, unless they are texts."""
        bounds = {
            name: self.now + round(bound * DAY) if isinstance(bound, int | float) else bound
            for name, bound in (("start_ts", start), ("end_ts", end))
        }
        row = {"corresponding_tag": tag, "id": secret_id, "secret": SECRET, **bounds, **columns}
        self.tables.put_item(TableName="jwt_secrets", Item=item_of(row))

    def has_user(self, tag: str, **columns: object) -> None:
        """Write a profile."""
        self.tables.put_item(
            TableName="jwt_profiles", Item=item_of({"tag": tag, "sip_username": "zoe-username", **columns})
        )

    def check(self, event: Mapping[str, Any] = SCHEDULED) -> Answer:
        """Let the function check the tables."""
        return self.stage.ask(dict(event))


@contextlib.contextmanager
def an_ending_stage(**settings: str) -> Iterator[EndingStage]:
    """Set up empty tables and the function, and take them down again."""
    with stage(settings, "ending_secrets") as made:
        for table, keys in KEYS.items():
            for item in made.tables.scan(TableName=table)["Items"]:
                made.tables.delete_item(TableName=table, Key={key: item[key] for key in keys})
        yield EndingStage(made, made.tables, int(time.time()))
