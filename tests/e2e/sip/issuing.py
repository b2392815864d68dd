"""Who gives out users and tokens here: real provisioning over the tables of `make serve`, and the forger next door."""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import boto3

from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tools.events import samples
from tools.events.stage import REGION, lambda_environment, template

DOMAIN = samples.DOMAIN
_UNMISTAKABLE = 20
"""Characters of a token that nothing else will hold."""


@dataclass(frozen=True, slots=True)
class User:
    """A SIP user.

    Attributes:
        tag: by which tokens name them.
        name: SIP username.
    """

    tag: str
    name: str

    @property
    def uri(self) -> str:
        """Their address of record."""
        return f"sip:{self.name}@{DOMAIN}"


@dataclass(slots=True)
class Desk:
    """Gives out, and remembers what should be in nobody's log.

    Attributes:
        provisioning: operations of the service.
        issued: every token so far.
    """

    provisioning: Provisioning
    issued: list[str] = field(default_factory=list, repr=False)
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    def user(
        self,
        name: str = "user",
        *,
        exactly: str | None = None,
        domain: str | None = DOMAIN,
        **attributes: str | int | bool,
    ) -> User:
        """Create a user with a secret.

        Args:
            name: what the SIP username begins with; a number makes it one that no other test knows.
            exactly: the whole SIP username instead.
            domain: SIP domain; None leaves it out.
            attributes: other columns of the profile.
        """
        number = next(self._numbers)
        user = User(f"{name}-{number}-tag", exactly or f"{name}-{number}")
        secret = NewSecret(end=samples.END_2100)
        self.provisioning.profiles.create(user.tag, user.name, domain=domain, attributes=attributes, secret=secret)
        return user

    def token(self, user: User, *, seconds: int = 300, claims: Mapping[str, object] | None = None) -> str:
        """Mint a token that the service accepts."""
        return self.noted(self.provisioning.tokens.mint(user.tag, lifetime_seconds=seconds, claims=claims).token)

    def expired(self, tag: str = "alice-web") -> str:
        """Sign a token of a sample user that ended a minute ago."""
        now = int(time.time())
        return self.noted(samples.token(tag, iat=now - 360, exp=now - 60, jti=secrets.token_hex(8)).text)

    def forged(self, tag: str) -> str:
        """Sign a token with a key that nobody was given."""
        now = int(time.time())
        signer = samples.hmac_signer(secrets.token_hex(32))
        return self.noted(samples.token(tag, signer=signer, iat=now, exp=now + 300, jti=secrets.token_hex(8)).text)

    def noted(self, token: str) -> str:
        """Remember a token."""
        self.issued.append(token)
        return token

    def found_in(self, log: Path) -> list[str]:
        """Return the lines of a log that hold a token, or a part of one that tells it."""
        parts = {part for token in self.issued for part in token.split(".")[1:] if len(part) >= _UNMISTAKABLE}
        text = log.read_text("utf-8", "replace")
        there = [part for part in parts if part in text]  # all of it at once: line by line this takes many seconds
        return [line for line in text.splitlines() if any(part in line for part in there)]


def exp_of(token: str) -> int:
    """Return when a token ends."""
    claims: dict[str, int] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims["exp"]


def desk_at(endpoint: str, settings: Mapping[str, str]) -> Desk:
    """Return a desk over the tables at *endpoint*, by the service's *settings*."""
    client = boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    read = Settings.from_env(lambda_environment(template(), settings))
    return Desk(provisioning_of(read, client, actor="a test", audit=lambda _: None))
