"""Tokens for the users of the demo: their profiles and secrets, and what a web portal signs for who has logged in.

Everything is done by the service's own provisioning. A portal of yours does `token_for` alone, with the secret or the
private key that your provisioning gave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from auth_jwt.provisioning import Provisioning
    from auth_jwt.provisioning.audit import AuditEntry

DOMAIN: Final = "sip.example.com"
USERS: Final = {"alice": "Alice Adams", "bob": "Bob Brown"}
"""The users of the demo, and how they are called."""

ACTOR: Final = "softphone"


class NoToken(Exception):
    """The user gets no token: the account is switched off, or has no key. For operators; it holds no secret."""


class CannotTell(Exception):
    """Whether the user gets a token cannot be told now: the tables do not answer."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What a phone needs to register.

    Attributes:
        token: in compact serialization.
        sip_uri: the address of record that it speaks for.
        seconds: how long it lives from now.
    """

    token: str = field(repr=False)
    sip_uri: str
    seconds: int


def tag_of(user: str) -> str:
    """Return the tag of a user's profile: whom the token's claim `tag` names."""
    return f"{user}-softphone"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens.

    Attributes:
        provisioning: of the service's tables.
        token_seconds: how long a token lives.
    """

    provisioning: "Provisioning"
    token_seconds: int

    def enroll(self) -> None:
        """Give every user of the demo a profile, and a key that is made here and kept in the tables alone."""
        from auth_jwt.provisioning.secrets import NewSecret

        for user, name in USERS.items():
            self.provisioning.profiles.create(
                tag_of(user), user, domain=DOMAIN, attributes={"display_name": name}, secret=NewSecret()
            )

    def token_for(self, user: str) -> IssuedToken:
        """Sign a token for a user who has logged in.

        Raises:
            NoToken: the service would refuse it, or there is nothing to sign it with.
            CannotTell: the tables cannot be asked.
        """
        from auth_jwt.errors import Fault, Rejected

        try:
            minted = self.provisioning.tokens.mint(tag_of(user), lifetime_seconds=self.token_seconds)
        except Rejected as rejected:
            raise NoToken(str(rejected)) from None
        except Fault as fault:
            raise CannotTell(str(fault)) from None
        user_part = quote(minted.answer.sip_username, safe="-_.!~*'()&=+$,;?/")  # RFC 3261, section 25.1
        seconds = max(0, minted.expires_at - self.provisioning.registry.now())
        return IssuedToken(minted.token, f"sip:{user_part}@{DOMAIN}", seconds)


def issuer_over(variables: Mapping[str, str], token_seconds: int) -> Issuer:
    """Wire an issuer over DynamoDB in memory.

    Args:
        variables: those of the service that will judge the tokens; their DB_URL names the endpoint.
        token_seconds: how long a token lives.
    """
    import boto3

    from auth_jwt.provisioning.tables import provisioning_client
    from auth_jwt.provisioning.wiring import provisioning_of
    from auth_jwt.runtime.settings import Settings

    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")  # noqa: S106 - any will do
    settings = Settings.from_env(variables)
    client = provisioning_client(region=variables["AWS_REGION"], endpoint=settings.database.endpoint, session=session)
    return Issuer(provisioning_of(settings, client, actor=ACTOR, audit=_not_kept), token_seconds)


def _not_kept(entry: "AuditEntry") -> None:
    """Forget it: the tables end with the demo. Where they do not, `auth_jwt_cli.audit_log` keeps it."""
