"""The canary: a profile of our own, whose token a working service accepts, and whose forged token it denies."""

import base64
from dataclasses import dataclass, field
from typing import Final

from auth_jwt.provisioning.tokens import Tokens

CANARY_SECONDS: Final = 60
"""How long a canary's token is valid: long enough for a check, and of little use to anybody who gets hold of it."""


@dataclass(frozen=True, slots=True)
class Canary:
    """The two tokens of a canary, for one check.

    Attributes:
        tag: the tag of its profile.
        username: the SIP username that the service must name.
        token: a token that the service must accept.
        forged: the same claims under a signature that no key made: the service must deny it.
    """

    tag: str
    username: str
    token: str = field(repr=False)
    forged: str = field(repr=False)


def mint_canary(tokens: Tokens, tag: str) -> Canary:
    """Sign a token for the profile of *tag*, and forge another.

    Args:
        tokens: the operations that sign, by the rules and over the tables of the service that is checked.
        tag: the tag of the canary's profile.

    Raises:
        Rejected: there is no such profile, none of its secrets can sign, or the settings deny such a token.
        Fault: the tables cannot be read.
    """
    minted = tokens.mint(tag, lifetime_seconds=CANARY_SECONDS)
    return Canary(tag, minted.answer.sip_username, minted.token, forge(minted.token))


def forge(token: str) -> str:
    """Return *token* with another signature of the same length: its first octet is inverted."""
    signed, _, signature = token.rpartition(".")
    octets = bytearray(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    octets[0] ^= 0xFF
    return f"{signed}.{base64.urlsafe_b64encode(octets).rstrip(b'=').decode('ascii')}"
