"""An identity provider that signs its users' tokens, and the rows that a fetch of its keys writes."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.issuers import ISSUER, a_login_token, a_token_of_a_new_key, item_of, tables_at, write_issuer


@dataclass(slots=True)
class Provider:
    """An issuer that the service knows, and whose keys it has.

    Attributes:
        tables: of the service.
        desk: remembers its tokens, which should be in nobody's log.
    """

    tables: Any = field(repr=False)
    desk: Desk
    _new_kids: list[str] = field(default_factory=list)

    def user(self) -> User:
        """Create a user."""
        user = self.desk.user("login")
        self.know(user.tag, user.name)
        return user

    def know(self, subject: str, username: str) -> None:
        """Write the row that makes a subject of the provider a SIP user."""
        row = {"tag": f"{ISSUER}#{subject}", "sip_username": username, "sip_domain": DOMAIN}
        self.tables.put_item(TableName="jwt_profiles", Item=item_of(row))

    def token(self, user: User) -> str:
        """Sign a token by the key that was fetched."""
        return self.desk.noted(a_login_token(now=int(time.time()), sub=user.tag))

    def token_of_a_new_key(self, user: User) -> str:
        """Sign a token by a key that the provider has just begun to use."""
        self._new_kids.append(f"{len(self._new_kids)} of tomorrow")
        return self.desk.noted(a_token_of_a_new_key(now=int(time.time()), kid=self._new_kids[-1], sub=user.tag))

    def fetch(self, *, seconds_ago: int = 10) -> None:
        """Write the provider's keys as a fetch did a moment ago, the new ones among them."""
        write_issuer(self.tables, *self._new_kids, now=time.time(), seconds_ago=seconds_ago)


def provider_at(endpoint: str, desk: Desk) -> Provider:
    """Return a provider whose configuration and keys the tables at *endpoint* have."""
    provider = Provider(tables_at(endpoint), desk)
    provider.fetch()
    return provider
