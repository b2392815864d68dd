"""Inspection of secrets: tells an operator what the rules of verification make of a row.

It shows everything about a secret except its value. The same judgement admits new secrets, describes existing ones,
and finds flaws in the tables of another system.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from auth_jwt.errors import Flaw
from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.signatures import usable_algorithms
from auth_jwt.models import Policy, Secret, Unusable
from auth_jwt.provisioning.statements import in_order
from auth_jwt.rules import ever_opens, has_ended

_SALT: Final = b"auth_jwt fingerprint"


class SecretState(StrEnum):
    """The state of a secret at one instant."""

    FUTURE = "future"
    OPEN = "open"
    CLOSED = "closed"
    UNUSABLE = "unusable"  # at every instant, whatever the window says


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key of a secret.

    Attributes:
        kind: `HMAC, 64 bytes`, `RSA 2048`, `EC P-256`, `Ed25519`, `Ed448`.
        algorithms: the algorithms it may verify under its size and the settings, in the order of `ALGORITHMS`.
        kid: the `kid` of a JWK; None for other keys.
        key: the key itself.
    """

    kind: str
    algorithms: tuple[str, ...]
    kid: str | None
    key: VerificationKey

    @property
    def fingerprint(self) -> str:
        """A text that tells this key from others: see `fingerprint_of`."""
        return fingerprint_of(self.key)


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """A secret as operators see it: everything except its value.

    Attributes:
        tag: the tag of the secret.
        id: the row's sort key.
        keys: the keys in it; empty when the text is unreadable.
        algorithms: the algorithms it may verify.
        kid: the row's key id.
        start: first second of its window (UNIX seconds); None when the row has no number there.
        end: first second after its window; None when the row has no number there.
        state: its state at the instant of the inspection.
        unusable: why it can never verify a token; None when it can.
    """

    tag: str
    id: str
    keys: tuple[KeyRecord, ...]
    algorithms: tuple[str, ...]
    kid: str | None
    start: int | Decimal | None
    end: int | Decimal | None
    state: SecretState
    unusable: Unusable | None

    @property
    def kind(self) -> str:
        """The kinds of its keys as a readable text, or `unknown`."""
        return ", ".join(dict.fromkeys(key.kind for key in self.keys)) or "unknown"


def inspect_secret(secret: Secret, tag: str, policy: Policy, now: float) -> SecretRecord:
    """Judge *secret* of *tag* at the instant *now* (UNIX seconds), by the rules that verification follows."""
    allowed = policy.header.algorithms
    keys = tuple(
        KeyRecord(kind_of(key), in_order(usable_algorithms(key, policy.min_hmac_key_bytes) & allowed), key.kid, key)
        for key in secret.keys
    )
    algorithms = in_order(frozenset(name for key in keys for name in key.algorithms))
    flaw = _flaw_of(secret, algorithms, policy, now)
    return SecretRecord(
        tag=tag,
        id=secret.id,
        keys=keys,
        algorithms=algorithms,
        kid=secret.kid,
        start=secret.start,
        end=secret.end,
        state=_state_of(secret, flaw, now),
        unusable=flaw,
    )


def fingerprint_of(key: VerificationKey) -> str:
    """Return a text that tells *key* from other keys. An issuer can compute it, too, and compare.

    For a public key it is the thumbprint (RFC 7638). For an HMAC key it is a scrypt digest (RFC 7914): somebody may
    have chosen a word as the key, and scrypt makes guessing slow.
    """
    if not isinstance(key.material, bytes):
        from auth_jwt.jose import asymmetric

        return f"sha256:{asymmetric.thumbprint(key.material)}"
    digest = hashlib.scrypt(key.material, salt=_SALT, n=2**13, r=8, p=1, dklen=12)
    return f"scrypt:{urlsafe_b64encode(digest).decode('ascii')}"


def _flaw_of(secret: Secret, algorithms: tuple[str, ...], policy: Policy, now: float) -> Unusable | None:
    if secret.unusable is not None:
        return secret.unusable
    if not algorithms:
        return _why_no_algorithm(secret, policy)
    if ever_opens(secret):
        return None
    for bound, name in ((secret.start, "start"), (secret.end, "end")):
        if bound is None:
            return Unusable(Flaw.NEVER_OPENS, f"the {name} of its window is not a number, so it never opens")
    if has_ended(secret, now):
        return None
    return Unusable(Flaw.NEVER_OPENS, "its window ends before it starts, so it never opens")


def _why_no_algorithm(secret: Secret, policy: Policy) -> Unusable:
    own = frozenset(name for key in secret.keys for name in key.algorithms)
    allowed = own & policy.header.algorithms
    if not allowed:
        names = ", ".join(in_order(own))
        return Unusable(Flaw.NOT_ALLOWED, f"its key verifies {names}, and ALLOWED_ALGORITHMS allows none of them")
    longest = max(len(key.material) for key in secret.keys if isinstance(key.material, bytes))
    return Unusable(Flaw.TOO_SHORT, f"an HMAC key of {longest} bytes, too short for {', '.join(in_order(allowed))}")


def _state_of(secret: Secret, flaw: Unusable | None, now: float) -> SecretState:
    if flaw is not None:
        return SecretState.UNUSABLE
    if secret.is_open(now):
        return SecretState.OPEN
    return SecretState.CLOSED if has_ended(secret, now) else SecretState.FUTURE


def kind_of(key: VerificationKey) -> str:
    """Return the kind of a *key* in words; see `KeyRecord`."""
    if isinstance(key.material, bytes):
        return f"HMAC, {len(key.material)} bytes"
    from auth_jwt.jose import asymmetric

    return asymmetric.kind_of(key.material)
