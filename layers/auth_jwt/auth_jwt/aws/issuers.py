"""Issuers and their users in DynamoDB: the rows that logins read for an issuer's token."""

from collections.abc import Callable
from typing import Any

from auth_jwt.aws.client import Client
from auth_jwt.aws.reads import Readers, ask_with_retry, placeholder_of, placeholders, row_of
from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Invalid, Unreachable
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
from auth_jwt.models import SECRET_ID, Columns, Half, Profile
from auth_jwt.ports import Deadline, HalfRead


class DynamoDbIssuers:
    """The ports `IssuersStore` and `ProfilesStore` over DynamoDB.

    Args:
        client: returns the client; called for each read.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        columns: the names of the columns.
        credentials: the profile columns to read besides those that the decision needs.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        *,
        profiles_table: str,
        secrets_table: str,
        columns: Columns,
        credentials: tuple[Credential, ...] = (),
    ) -> None:
        self._client = client
        self._profiles_table = profiles_table
        self._secrets_table = secrets_table
        self._columns = columns
        self._credentials = credentials
        self._readers = Readers()
        self._issuer_names = placeholders([columns.tag, columns.disabled, columns.valid_after, CONFIGURATION, VERSION])
        self._keys_names = placeholders([columns.secret_tag, SECRET_ID, KEYS, KEYS_URL, FETCHED_AT, NEXT_FETCH_AT])
        self._profile_names = placeholders(
            [
                *(columns.tag, columns.username, columns.domain, columns.disabled, columns.valid_after),
                *(credential.column for credential in credentials),
            ]
        )

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline) -> IssuerRows:
        """Read the configuration and the keys at the same time; see `auth_jwt.issuers.ports.IssuersStore`."""
        client = self._client()
        deadline.seconds_left()  # starts the deadline, after the client is made
        issuer = self._readers.start(deadline, lambda: self._read_issuer(client, identifier, consistent, deadline))
        keys = self._readers.start(deadline, lambda: self._read_keys(client, identifier, consistent, deadline))
        return _join(issuer.result_or_fault(deadline), keys.result_or_fault(deadline))

    def read_profile(self, tag: str, *, consistent: bool, deadline: Deadline) -> Profile | None:
        """Read the profile of an issuer's user; see `auth_jwt.issuers.ports.ProfilesStore`."""
        client = self._client()
        deadline.seconds_left()
        item = self._readers.start(
            deadline, lambda: self._get_item(client, tag, self._profile_names, consistent, deadline)
        ).result(deadline)
        return None if item is None else Profile.from_row(row_of(item), self._columns, self._credentials)

    def _read_issuer(
        self, client: Client, identifier: str, consistent: bool, deadline: Deadline
    ) -> Issuer | Invalid | None:
        item = self._get_item(client, identifier, self._issuer_names, consistent, deadline)
        try:
            return None if item is None else Issuer.from_row(row_of(item), self._columns)
        except Invalid as problem:
            return problem

    def _get_item(
        self, client: Client, tag: str, names: dict[str, str], consistent: bool, deadline: Deadline
    ) -> dict[str, Any] | None:
        answer = ask_with_retry(
            f"dynamodb:GetItem on table {self._profiles_table!r}",
            deadline,
            lambda: client.get_item(
                TableName=self._profiles_table,
                Key={self._columns.tag: {"S": tag}},
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames=names,
                ConsistentRead=consistent,
            ),
        )
        return answer.get("Item")

    def _read_keys(self, client: Client, identifier: str, consistent: bool, deadline: Deadline) -> FetchedKeys:
        action = f"dynamodb:Query on table {self._secrets_table!r}"
        question: Any = {
            "TableName": self._secrets_table,
            "KeyConditionExpression": f"{placeholder_of(self._columns.secret_tag, self._keys_names)} = :tag",
            "ExpressionAttributeValues": {":tag": {"S": identifier}},
            "ProjectionExpression": ", ".join(self._keys_names),
            "ExpressionAttributeNames": self._keys_names,
            "ConsistentRead": consistent,
        }
        answer = ask_with_retry(action, deadline, lambda: client.query(**question))
        # The two rows take a quarter of a page at most.
        return FetchedKeys.from_rows([row_of(item) for item in answer["Items"]], SECRET_ID)


def _join(issuer: Issuer | Invalid | Fault | None, keys: FetchedKeys | Fault) -> IssuerRows:
    """Return what both tables hold.

    Raises:
        HalfRead: only one table was read.
        Fault: neither table was read.
    """
    if not isinstance(issuer, Fault):
        if not isinstance(keys, Fault):
            return IssuerRows(issuer, keys)
        raise HalfRead(Half.PROFILE, IssuerRows(issuer), keys)
    if not isinstance(keys, Fault):
        raise HalfRead(Half.SECRETS, IssuerRows(fetched=keys), issuer)
    raise keys if isinstance(issuer, Unreachable) and not isinstance(keys, Unreachable) else issuer
