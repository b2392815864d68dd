"""Bearer tokens on the wire: reading `Authorization`, and writing challenges (RFC 6750, RFC 8898, RFC 9110)."""

import re
from collections.abc import Sequence

# RFC 9110, section 11.4: a credential is a scheme, then blanks, then what is its own; a parameter is `name=value`.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]+[^\s=]")


class SeveralTokens(ValueError):
    """More than one `Authorization` value, or values joined by commas."""


def bearer_token(values: Sequence[str]) -> str | None:
    """Return the Bearer token in the `Authorization` *values* of a request.

    Returns:
        None when there is none, or a scheme other than Bearer; empty text when the scheme stands alone.

    Raises:
        SeveralTokens: there is more than one value.
    """
    if len(values) > 1 or any(map(_is_several, values)):
        raise SeveralTokens("more than one Authorization value")
    if not values:
        return None
    scheme, _, token = values[0].strip(" \t").replace("\t", " ").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def challenge(realm: str, *, authz_server: str | None = None, error: str | None = None) -> str:
    """Write the value of a `WWW-Authenticate` header field.

    Args:
        realm: shown to the user; any printable ASCII.
        authz_server: where a token can be had (RFC 8898, section 4).
        error: RFC 6750's error code; None when no token was presented.
    """
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    parts = [f'realm="{quoted}"']
    if authz_server:
        parts.append(f'authz_server="{authz_server}"')
    if error:
        parts.append(f'error="{error}"')
    return f"Bearer {', '.join(parts)}"


def _is_several(value: str) -> bool:
    """Tell whether *value* joins several credentials, and not just the parameters of one (Digest, AWS4)."""
    if re.match(r"\s*bearer(?:[ \t]|$)", value, re.IGNORECASE):
        return "," in value
    parts = _QUOTED.sub('""', value).split(",")
    return any(_SCHEME.match(part) for part in parts[1:])
