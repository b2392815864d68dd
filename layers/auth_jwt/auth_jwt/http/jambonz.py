"""What the HTTP authenticators of jambonz and drachtio post, and what answers they accept.

All of them post the parts of a SIP request's Digest credentials as JSON, and read the body of a 200: `status` is `ok`
or something else (docs.jambonz.org, "Client Authentication"; npm: `@jambonz/digest-utils`,
`@jambonz/http-authenticator`, `drachtio-http-authenticator`). They have no Bearer scheme, so a token comes in one of
two members: `jwt_token`, our own, which `frontends/jambonz/bearer.js` posts; or the Digest `username`, which an
unchanged jambonz passes on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any, Final

from auth_jwt.errors import Denied, Reason
from auth_jwt.http.wire import Ambiguous, Malformed
from auth_jwt.models import fold_domain

DENIAL: Final = '{"status":"fail","msg":"not authorized","code":-1}'

_NOBODY: Final = ""  # equals no profile's username and no profile's domain
_REGISTER: Final = "REGISTER"

# The value of From or To (RFC 3261, section 20.10), but only its plain forms: a value that two readers could read as
# two users is nobody's. So brackets and `@` stand only where the one URI has them, and a password is not accepted.
_URI: Final = r"sips?:(?P<user>[^\s:@<>\"\\]+)@(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?"
_BRACKETED: Final = re.compile(rf"[^<>@]*<{_URI}(?:[;?][^\s<>@]*)?>\s*(?:;[^<>@,]*)?", re.ASCII | re.IGNORECASE)
_BARE: Final = re.compile(rf"{_URI}(?:;[^<>@,?]*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hook:
    """The request of an authenticator.

    Attributes:
        token: the token; None when there is none.
        user: the SIP user that the request acts as; empty, which is no user, when the request names several.
        domain: the SIP domain, in lower case; empty when the request names several, None when it names none.
        call_id: the Call-ID of the request, unchanged, for the log.
        registers: whether the request asks for a registration, and not for its end.
        seconds: how long the registration is to last; None when the request does not say.
    """

    token: str | None = field(repr=False)
    user: str
    domain: str | None
    call_id: object
    registers: bool
    seconds: float | None

    @classmethod
    def from_members(cls, members: Mapping[str, Any]) -> "Hook":
        """Read the *members* of a body. All members that name a user or a domain must name the same.

        In a REGISTER, both From and To name the user, since To is what is registered. In other requests From does.

        Raises:
            Malformed: a member has the wrong type, or no member names the SIP user that the request acts as.
        """
        method, seconds = _text(members, "method"), _seconds(members)
        if method is None:
            raise Malformed("method is needed")
        token, username = _text(members, "jwt_token"), _text(members, "username")
        headers = _headers(members)
        naming = ("from", "to") if method == _REGISTER else ("from",)
        named = [_party(headers[name]) for name in naming] if headers else []
        users = {user for user, _ in named}
        domains = {domain for _, domain in named}
        if token is None:
            token = username
        elif username is not None:
            users.add(username)
        if not users:
            raise Malformed("headers, or username beside jwt_token, are needed: they say who the request acts as")
        if realm := _text(members, "realm"):
            domains.add(fold_domain(realm))
        return cls(
            token,
            users.pop() if len(users) == 1 else _NOBODY,
            (domains.pop() if len(domains) == 1 else _NOBODY) if domains else None,
            headers.get("call-id"),
            method == _REGISTER and (seconds is None or seconds >= 1),
            seconds,
        )

    def seconds_granted(self, expires_at: int, now: float) -> int | None:
        """Return for how many seconds the registration is granted, at most as long as requested.

        Return None when no registration is requested.

        Raises:
            Denied: `token_expired` when less than a second is left. Zero cannot be granted: jambonz would then grant
                what was requested.
        """
        if not self.registers:
            return None
        left = floor(expires_at - now)
        if left < 1:
            raise Denied(Reason.TOKEN_EXPIRED)
        return left if self.seconds is None else floor(min(self.seconds, left))  # a number may be infinite, as 1e999


def permission(authorized_json: str, seconds: int | None) -> str:
    """Return the answer that admits: the answer of `/authorize`, preceded by the members that authenticators read.

    Args:
        authorized_json: the answer of `/authorize`, a JSON object.
        seconds: for how many seconds a registration is granted; None when none is requested.
    """
    expires = "" if seconds is None else f'"expires":{seconds},'
    return f'{{"status":"ok",{expires}{authorized_json.removeprefix("{")}'


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if name in members and not isinstance(value, str):
        raise Malformed(f"{name} is not a string")
    return value


def _seconds(members: Mapping[str, Any]) -> float | None:
    """Return the member `expires`. It is null in a request that does not register."""
    value = members.get("expires")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Malformed("expires is neither a number nor null")
    return value


def _headers(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the header fields of the SIP request, with names in lower case as drachtio has them; empty without any."""
    if "headers" not in members:
        return {}
    headers = members["headers"]
    if not isinstance(headers, dict) or not all(isinstance(headers.get(name), str) for name in ("from", "to")):
        raise Malformed("headers is not an object with the strings from and to")
    if isinstance(headers, Ambiguous):
        raise Malformed("headers names a member twice")
    return headers


def _party(value: str) -> tuple[str, str]:
    """Return user and domain of a From or To. Both are empty when it has none of the forms that all read alike."""
    found = _BRACKETED.fullmatch(value.strip()) or _BARE.fullmatch(value.strip())
    return (found["user"], fold_domain(found["host"])) if found else (_NOBODY, _NOBODY)
