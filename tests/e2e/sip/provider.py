"""An identity provider that signs its users' tokens, and the rows that a fetch of its keys writes."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import boto3

from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.factories import a_jwk
from tests.issuers import ISSUER, KID, a_login_token, issuer_row, item_of, keys_rows
from tools.events.stage import REGION

FETCHED_SECONDS_AGO: Final = 10
"""Keys are fetched every 60 seconds, and 2 more are given to a fetch."""


@dataclass(slots=True)
class Provider:
    """An issuer that the service knows, and whose keys it has.

    Attributes:
        tables: of the service.
        desk: remembers its tokens, which should be in nobody's log.
    """

    tables: Any = field(repr=False)
    desk: Desk
    _kids: list[str] = field(default_factory=list)

    def user(self, name: str | None = None) -> User:
        """Create a user; a *name* of their own is chosen unless one is given."""
        user = self.desk.user("login", exactly=name)
        row = {"tag": f"{ISSUER}#{user.tag}", "sip_username": user.name, "sip_domain": DOMAIN}
        self.tables.put_item(TableName="jwt_profiles", Item=item_of(row))
        return user

    def token(self, user: User) -> str:
        """Sign a token by the key that was fetched."""
        return self.desk.noted(a_login_token(now=int(time.time()), sub=user.tag))

    def token_of_a_new_key(self, user: User) -> str:
        """Sign a token by a key that the provider has just begun to use."""
        self._kids.append(f"{len(self._kids)} of tomorrow")
        header = {"kid": self._kids[-1]}
        token = a_login_token(now=int(time.time()), sub=user.tag, key="p256", alg="ES256", header=header)
        return self.desk.noted(token)

    def fetch(self) -> None:
        """Write the provider's keys as a fetch does, the new ones among them."""
        keys = [a_jwk(kid=KID), *(a_jwk("p256", kid=kid) for kid in self._kids)]
        for row in keys_rows(*keys, fetched_at=time.time() - FETCHED_SECONDS_AGO):
            self.tables.put_item(TableName="jwt_secrets", Item=item_of(row))


def provider_at(endpoint: str, desk: Desk) -> Provider:
    """Return a provider whose configuration and keys the tables at *endpoint* have."""
    tables = boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    tables.put_item(TableName="jwt_profiles", Item=item_of(issuer_row()))
    provider = Provider(tables, desk)
    provider.fetch()
    return provider
