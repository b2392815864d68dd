"""What the HTTP authenticators of jambonz and drachtio post, and what they take for an answer.

All of them post the parts of a SIP request's Digest credentials as JSON, and go by the body of a 200: `status` is `ok`
or it is not (docs.jambonz.org, "Client Authentication"; npm: `@jambonz/digest-utils`, `@jambonz/http-authenticator`,
`drachtio-http-authenticator`). They know no Bearer, so a token has two ways in: as `jwt_token`, a member of our own
that `frontends/jambonz/bearer.js` posts, or in the place of the Digest `username`, which a stock jambonz hands on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any, Final

from auth_jwt.errors import Denied, Reason
from auth_jwt.http.wire import Ambiguous, NotWellFormed, ascii_lower

DENIAL: Final = '{"status":"fail","msg":"not authorized","code":-1}'

_NOBODY: Final = ""  # no profile's username, and no profile's domain
_REGISTER: Final = "REGISTER"

# The value of From or To (RFC 3261, section 20.10), and far less than it may be: whatever two readers could read as two
# users is nobody's. So there are no brackets or `@` but those of the one URI, and no password.
_URI: Final = r"sips?:(?P<user>[^\s:@<>\"\\]+)@(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?"
_BRACKETED: Final = re.compile(rf"[^<>@]*<{_URI}(?:[;?][^\s<>@]*)?>\s*(?:;[^<>@,]*)?", re.ASCII | re.IGNORECASE)
_BARE: Final = re.compile(rf"{_URI}(?:;[^<>@,?]*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hook:
    """What an authenticator asks.

    Attributes:
        token: the token; None when there is none.
        user: the SIP user that the request acts as; empty, so nobody's, when it names several.
        domain: likewise the domain, in small letters; None when it names none.
        call_id: the request's Call-ID, as it was given: for the log.
        registers: whether a registration is asked for, and not its end.
        seconds: how long it is to last; None when the request does not say.
    """

    token: str | None = field(repr=False)
    user: str
    domain: str | None
    call_id: object = None
    registers: bool = False
    seconds: float | None = None

    @classmethod
    def from_members(cls, members: Mapping[str, Any]) -> "Hook":
        """Read the *members* of a body; all that it says of user and domain must be the same user and domain.

        In a REGISTER, To says it as From does, since To is what is registered; otherwise From alone.

        Raises:
            NotWellFormed: a member has the wrong type, or nothing says which SIP user the request acts as.
        """
        method, seconds = _text(members, "method"), _seconds(members)
        if method is None:
            raise NotWellFormed("method is needed")
        token, username = _text(members, "jwt_token"), _text(members, "username")
        headers = _headers(members)
        named = [_party(headers[name]) for name in ("from", "to")[: 2 if method == _REGISTER else 1]] if headers else []
        users = {user for user, _ in named}
        domains = {domain for _, domain in named}
        if token is None:
            token = username
        elif username is not None:
            users.add(username)
        if not users:
            raise NotWellFormed("headers, or username beside jwt_token, are needed: they say who the request acts as")
        if realm := _text(members, "realm"):
            domains.add(ascii_lower(realm))
        return cls(
            token,
            users.pop() if len(users) == 1 else _NOBODY,
            (domains.pop() if len(domains) == 1 else _NOBODY) if domains else None,
            headers.get("call-id"),
            method == _REGISTER and (seconds is None or seconds >= 1),
            seconds,
        )

    def seconds_granted(self, expires_at: int, now: float) -> int | None:
        """Return how long the registration may last, at most as long as was asked; None where none is asked for.

        Raises:
            Denied: `token_expired` when not a second is left. Zero would not do: jambonz grants what was asked instead.
        """
        if not self.registers:
            return None
        left = floor(expires_at - now)
        if left < 1:
            raise Denied(Reason.TOKEN_EXPIRED)
        return left if self.seconds is None else floor(min(self.seconds, left))  # a number may be infinite, as 1e999


def permission(authorized_json: str, seconds: int | None) -> str:
    """Write the answer that admits: the answer of `/authorize`, with what the authenticators look for in front.

    Args:
        authorized_json: that answer, a JSON object.
        seconds: how long a registration may last; None when none is asked for.
    """
    expires = "" if seconds is None else f'"expires":{seconds},'
    return f'{{"status":"ok",{expires}{authorized_json.removeprefix("{")}'


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if name in members and not isinstance(value, str):
        raise NotWellFormed(f"{name} is not a string")
    return value


def _seconds(members: Mapping[str, Any]) -> float | None:
    """Return `expires`, which is null in a request that registers nothing."""
    value = members.get("expires")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise NotWellFormed("expires is neither a number nor null")
    return value


def _headers(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the header fields of the SIP request, names in small letters as drachtio has them; empty without any."""
    if "headers" not in members:
        return {}
    headers = members["headers"]
    if not isinstance(headers, dict) or not all(isinstance(headers.get(name), str) for name in ("from", "to")):
        raise NotWellFormed("headers is not an object with the strings from and to")
    if isinstance(headers, Ambiguous):
        raise NotWellFormed("headers names a member twice")
    return headers


def _party(value: str) -> tuple[str, str]:
    """Return user and domain of a From or To; nobody's when it is not of the plain form that all read alike."""
    found = _BRACKETED.fullmatch(value.strip()) or _BARE.fullmatch(value.strip())
    return (found["user"], ascii_lower(found["host"])) if found else (_NOBODY, _NOBODY)
