"""Logs in through the real handler, over tables of any name."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auth_jwt.errors import NotFound, Rejected
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tools.events.stage import Answer, Stage, environment, load_handler

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from auth_jwt.provisioning import Provisioning
    from auth_jwt.provisioning.audit import AuditEntry

ACTOR = "tools.drill"


@dataclass(frozen=True, slots=True)
class Door:
    """The real handler, as it would run with other tables.

    Attributes:
        stage: the handler.
    """

    stage: Stage

    def outcome(self, token: str) -> str:
        """Return how the handler decides: ``authorized``, the reason of a denial, or of a fault."""
        record = self.ask(token).record
        return str(record.get("reason") or record.get("outcome"))

    def ask(self, token: str) -> Answer:
        """Ask it as an SDK would."""
        return self.stage.ask({"jwt_token": token})


@contextmanager
def opened(variables: Mapping[str, str], client: "DynamoDBClient") -> Iterator[Door]:
    """Run the handler with the environment *variables*.

    Args:
        variables: those of the function, with credentials.
        client: for the same tables.
    """
    with environment(variables):
        path = list(sys.path)
        try:
            yield Door(Stage(load_handler(), client))
        finally:
            sys.path[:] = path
            sys.modules.pop("authorize_app", None)


def operator(variables: Mapping[str, str], client: "DynamoDBClient", *, revocations: bool = True) -> "Provisioning":
    """Return what operators do, over the tables that *variables* name; its lines of audit go nowhere.

    Args:
        variables: those of the function.
        client: for the same tables.
        revocations: whether the table of revoked tokens is looked at. Without it, a revoked token can be signed.
    """
    settings = Settings.from_env({**variables, **({} if revocations else {"REVOCATIONS_TABLE": ""})})

    def unwritten(entry: "AuditEntry") -> None:
        """Write nothing: a drill writes into tables of its own."""

    return provisioning_of(settings, client, actor=ACTOR, audit=unwritten)


def minted(
    variables: Mapping[str, str], client: "DynamoDBClient", tag: str, *, jti: str | None = None, seconds: int = 300
) -> str | None:
    """Return a token for *tag*, signed with the secret in the tables; None when the tables cannot sign it."""
    try:
        tokens = operator(variables, client, revocations=False).tokens
        return tokens.mint(tag, jti=jti, lifetime_seconds=seconds).token
    except (NotFound, Rejected):
        return None
