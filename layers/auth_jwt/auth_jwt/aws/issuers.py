"""Issuers in DynamoDB: the rows that logins read for an issuer's token."""

from collections.abc import Callable

from auth_jwt.aws.client import Client
from auth_jwt.aws.reads import Readers, ask_with_retry, get_row, join_halves, placeholder_of, placeholders, row_of
from auth_jwt.errors import Invalid
from auth_jwt.issuers.models import (
    CONFIGURATION,
    FETCHED_AT,
    KEYS,
    KEYS_URL,
    NEXT_FETCH_AT,
    VERSION,
    FetchedKeys,
    Issuer,
    IssuerRows,
)
from auth_jwt.models import SECRET_ID, Columns
from auth_jwt.ports import Deadline


class DynamoDbIssuers:
    """The port `IssuersStore` over DynamoDB.

    Args:
        get_client: returns the client that asks DynamoDB; called for each read.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        columns: the names of the columns.
    """

    def __init__(
        self, get_client: Callable[[], Client], *, profiles_table: str, secrets_table: str, columns: Columns
    ) -> None:
        self._get_client = get_client
        self._profiles_table = profiles_table
        self._secrets_table = secrets_table
        self._columns = columns
        self._readers = Readers()
        self._issuer_names = placeholders([columns.tag, columns.disabled, columns.valid_after, CONFIGURATION, VERSION])
        self._keys_names = placeholders([columns.secret_tag, SECRET_ID, KEYS, KEYS_URL, FETCHED_AT, NEXT_FETCH_AT])

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline) -> IssuerRows:
        """Read the configuration and the keys at the same time; see `auth_jwt.issuers.ports.IssuersStore`."""
        client = self._get_client()
        deadline.start()
        issuer = self._readers.start(deadline, lambda: self._read_issuer(client, identifier, consistent, deadline))
        keys = self._readers.start(deadline, lambda: self._read_keys(client, identifier, consistent, deadline))
        rows: IssuerRows = join_halves(issuer.result_or_fault(deadline), keys.result_or_fault(deadline), IssuerRows)
        return rows

    def _read_issuer(
        self, client: Client, identifier: str, consistent: bool, deadline: Deadline
    ) -> Issuer | Invalid | None:
        key = {self._columns.tag: identifier}
        row = get_row(client, self._profiles_table, key, self._issuer_names, deadline, consistent=consistent)
        try:
            return None if row is None else Issuer.from_row(row, self._columns)
        except Invalid as problem:
            return problem

    def _read_keys(self, client: Client, identifier: str, consistent: bool, deadline: Deadline) -> FetchedKeys:
        answer = ask_with_retry(
            f"dynamodb:Query on table {self._secrets_table!r}",
            deadline,
            lambda: client.query(
                TableName=self._secrets_table,
                KeyConditionExpression=f"{placeholder_of(self._columns.secret_tag, self._keys_names)} = :tag",
                ExpressionAttributeValues={":tag": {"S": identifier}},
                ProjectionExpression=", ".join(self._keys_names),
                ExpressionAttributeNames=self._keys_names,
                ConsistentRead=consistent,
            ),
        )
        # An issuer's tag holds its two rows and nothing else, and both fit into the first page.
        return FetchedKeys.from_rows([row_of(item) for item in answer["Items"]], SECRET_ID)
