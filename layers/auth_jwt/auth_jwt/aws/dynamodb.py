"""The tables in DynamoDB: their columns and rows. The profile and the secrets of a tag are read at the same time."""

from collections.abc import Callable
from typing import Any

from auth_jwt.aws.client import Client
from auth_jwt.aws.reads import Readers, ask_with_retry, get_row, join_halves, placeholder_of, placeholders, row_of
from auth_jwt.credentials import Credential
from auth_jwt.errors import Unreachable
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Profile, Secret, TagRows
from auth_jwt.ports import Deadline


class DynamoDbStore:
    """The port `RowsStore` over DynamoDB.

    Args:
        get_client: returns the client that asks DynamoDB; called for each read.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        columns: the names of the columns.
        credentials: the profile columns to read besides those that the decision needs.
    """

    def __init__(
        self,
        get_client: Callable[[], Client],
        *,
        profiles_table: str,
        secrets_table: str,
        columns: Columns,
        credentials: tuple[Credential, ...] = (),
    ) -> None:
        self._get_client = get_client
        self._profiles_table = profiles_table
        self._secrets_table = secrets_table
        self._columns = columns
        self._credentials = credentials
        self._readers = Readers()
        self._profile_names = placeholders(
            [
                *(columns.tag, columns.username, columns.domain, columns.disabled, columns.valid_after),
                *(credential.column for credential in credentials),
            ]
        )
        self._secret_names = placeholders(
            [
                *(columns.secret_tag, SECRET_ID, columns.secret),
                *(columns.start, columns.end, columns.alg, columns.kid),
            ]
        )

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """Read the profile and all secrets of *tag*; see `auth_jwt.ports.RowsStore`."""
        client = self._get_client()
        deadline.start()
        profile = self._readers.start(deadline, lambda: self._read_profile(client, tag, consistent, deadline))
        secrets = self._readers.start(deadline, lambda: self._read_secrets(client, tag, consistent, deadline))
        rows: TagRows = join_halves(profile.result_or_fault(deadline), secrets.result_or_fault(deadline), TagRows)
        return rows

    def read_profile(self, tag: str, *, consistent: bool, deadline: Deadline) -> Profile | None:
        """Read the profile of *tag* alone; see `auth_jwt.issuers.ports.ProfilesStore`."""
        client = self._get_client()
        deadline.start()
        read = self._readers.start(deadline, lambda: self._read_profile(client, tag, consistent, deadline))
        return read.result(deadline)

    def _read_profile(self, client: Client, tag: str, consistent: bool, deadline: Deadline) -> Profile | None:
        key = {self._columns.tag: tag}
        row = get_row(client, self._profiles_table, key, self._profile_names, deadline, consistent=consistent)
        return None if row is None else Profile.from_row(row, self._columns, self._credentials)

    def _read_secrets(self, client: Client, tag: str, consistent: bool, deadline: Deadline) -> tuple[Secret, ...]:
        action = f"dynamodb:Query on table {self._secrets_table!r}"
        question: Any = {
            "TableName": self._secrets_table,
            "KeyConditionExpression": f"{placeholder_of(self._columns.secret_tag, self._secret_names)} = :tag",
            "ExpressionAttributeValues": {":tag": {"S": tag}},
            "ProjectionExpression": ", ".join(self._secret_names),
            "ExpressionAttributeNames": self._secret_names,
            "ConsistentRead": consistent,
        }
        secrets: list[Secret] = []
        while True:
            answer = ask_with_retry(action, deadline, lambda: client.query(**question))
            secrets.extend(Secret.from_row(row_of(item), self._columns) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return tuple(secrets)
            if not deadline.seconds_left():
                raise Unreachable(f"{action}: not all pages were read in time (STORE_TIMEOUT_MS)")
            question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


class DynamoDbRevocations:
    """The port `RevocationsStore` over DynamoDB.

    A read is strongly consistent and has the whole key. So a revoked token is denied as soon as the write is
    acknowledged, unless the absence of its row is remembered. Only the key of the row is read.

    Args:
        get_client: returns the client that asks DynamoDB; called for each read.
        table: name of the table.
    """

    def __init__(self, get_client: Callable[[], Client], *, table: str) -> None:
        self._get_client = get_client
        self._table = table
        self._readers = Readers()
        self._names = placeholders([REVOCATION_TAG, REVOCATION_JTI])

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        """Tell whether there is a row for this token; see `auth_jwt.ports.RevocationsStore`."""
        client = self._get_client()
        deadline.start()
        read = self._readers.start(deadline, lambda: self._has_row(client, tag, jti, deadline))
        return read.result(deadline)

    def _has_row(self, client: Client, tag: str, jti: str, deadline: Deadline) -> bool:
        key = {REVOCATION_TAG: tag, REVOCATION_JTI: jti}
        return get_row(client, self._table, key, self._names, deadline, consistent=True) is not None
