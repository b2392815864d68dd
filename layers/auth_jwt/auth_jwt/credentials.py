"""Reads `LOAD_CREDENTIALS`, and takes the credentials that it names from a profile.

    credentials = credential *( ";" credential )
    credential  = "$avp(" NAME ")" "=" column  /  column        ; the second form: NAME = column

Blanks around any part are ignored, as the OpenSIPS module's `load_credentials` ignores them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

CredentialValue = str | bool | Decimal

RESERVED_NAMES = frozenset(
    {"sip_username", "decoded_token", "expires_at", "claims", "principalId", "integrationLatency"}
)
"""Names with another meaning in an answer, or in the context of API Gateway's authorizers."""

_WORD = r"[^\s;=$()]+"
_CREDENTIAL = re.compile(rf"\s*(?:\$avp\(\s*(?P<name>{_WORD})\s*\)\s*=\s*)?(?P<column>{_WORD})\s*")


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential: the value of the profile's *column*, which the answer gives under *name*."""

    name: str
    column: str


def parse_credentials(text: str) -> tuple[Credential, ...]:
    """Read a value of `LOAD_CREDENTIALS`. Empty or blank text names no credentials.

    Raises:
        ValueError: the text is malformed, or a name is empty, reserved or given twice. The message says which.
    """
    if not text.strip():
        return ()
    asked: dict[str, Credential] = {}
    for part in text.split(";"):
        match = _CREDENTIAL.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} is neither `$avp(NAME)=column` nor `column`")
        credential = Credential(match["name"] or match["column"], match["column"])
        if credential.name in RESERVED_NAMES:
            raise ValueError(f"the name {credential.name!r} is reserved")
        if credential.name in asked:
            raise ValueError(f"the name {credential.name!r} is given twice")
        asked[credential.name] = credential
    return tuple(asked.values())


def load_credentials(
    asked: tuple[Credential, ...], attributes: Mapping[str, object]
) -> tuple[dict[str, CredentialValue], tuple[str, ...]]:
    """Take the credentials *asked* for from a profile's *attributes*.

    Returns:
        The credentials by name, without those whose attribute is missing, NULL or empty text; and the names of those
        left out because their attribute is not text, a number or a boolean.
    """
    loaded: dict[str, CredentialValue] = {}
    unusable: tuple[str, ...] = ()
    for credential in asked:
        value = attributes.get(credential.column)
        if value is None or value == "":
            continue
        if isinstance(value, (str, bool, Decimal)):
            loaded[credential.name] = value
        else:
            unusable = (*unusable, credential.name)
    return loaded, unusable
