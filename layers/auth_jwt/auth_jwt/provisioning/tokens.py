"""Tokens for a profile, signed as an issuer would: for operators without an issuer, and for tests of a setup."""

import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any, Final

from auth_jwt.errors import Conflict, Denied, Invalid, NotFound, Reason
from auth_jwt.models import SECRET_ID, Authorized, Policy, Report, Secret
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.registry import Registry, check_tag
from auth_jwt.provisioning.secrets import NewSecret, prepare_secret

TOKEN_SECONDS: Final = 300
_HMAC: Final = ("HS256", "HS384", "HS512")


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that the service accepts at this moment.

    Attributes:
        token: the token in compact serialization.
        tag: the tag in it.
        secret_id: the id of the secret that signed it.
        jti: the id by which it can be revoked.
        expires_at: when it stops working, in UNIX seconds.
        answer: the service's answer to it.
    """

    token: str = field(repr=False)
    tag: str
    secret_id: str
    jti: str
    expires_at: int
    answer: Authorized


def minting_entry(minted: Minted, *, actor: str, at: int) -> AuditEntry:
    """Return the entry of audit about a *minted* token: whoever has the token can log in as its user.

    Args:
        minted: the token, of which the entry names the `jti`.
        actor: who minted it.
        at: when, in UNIX seconds.
    """
    details = {"secret": minted.secret_id, "expires_at": minted.expires_at}
    return AuditEntry(at, actor, "token.mint", minted.tag, minted.jti, details=details)


@dataclass(frozen=True, slots=True)
class Trial:
    """The service's decision about a token that an issuer's key signed.

    Attributes:
        report: the details of the decision; its `secret_id` is the secret that verified the token, if one did.
        refused_because: why the token is denied: for its signature or by a later rule. None if it is accepted.
    """

    report: Report
    refused_because: Reason | None


class Tokens:
    """The operations that sign tokens."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store

    def mint(
        self,
        tag: str,
        *,
        lifetime_seconds: int = TOKEN_SECONDS,
        claims: Mapping[str, Any] | None = None,
        jti: str | None = None,
        secret_id: str | None = None,
    ) -> Minted:
        """Sign a token for the profile of *tag* with an open secret, and let the service's rules judge it.

        Args:
            tag: the profile's tag.
            lifetime_seconds: how long the token is valid. It expires earlier if its secret ends earlier.
            claims: claims that replace or extend the usual ones: `iat`, `exp`, `jti`, and `iss` and `aud` where
                settings require them.
            jti: the token's id; None generates one.
            secret_id: the secret that signs; None takes the one that stays open longest. Its `kid` goes into the
                header.

        Raises:
            Invalid: a value would not work, or the service would deny the token; the message has the reason.
            NotFound: there is no such profile or secret.
            Conflict: no open secret can sign.
        """
        if lifetime_seconds < 1:
            raise Invalid("a token's lifetime is at least one second")
        if jti is not None and self._registry.policy.tag_claim == "jti":
            raise Invalid("TAG_CLAIM is jti here, so that claim holds the tag: a token has no id of its own")
        secret, record = self._signer(check_tag(tag), secret_id)
        now = self._registry.now()
        ends = min(now + lifetime_seconds, floor(secret.end or 0))  # an open secret has an end
        payload = self._payload(tag, now, ends, jti, claims or {})
        token = _sign(payload, secret, record, self._registry.policy)
        try:
            answer = self._registry.authorizer.authorize(token)
        except Denied as denied:
            raise Invalid(f"the service would deny this token: {denied.reason}") from None
        return Minted(token, tag, secret.id, str(payload["jti"]), answer.expires_at, answer)

    def try_key(self, tag: str, key: NewSecret) -> Trial:
        """Sign a token with a *key* as its issuer would, and let the service's rules judge it.

        Unlike `mint`, it signs with no key from the table: a row with a wrong key does not verify this token.

        Args:
            tag: the profile's tag.
            key: the key's value, and what its issuer knows about it: `algorithms`, `kid`.

        Raises:
            Invalid: the key could never verify a token, or cannot sign one.
        """
        offered = prepare_secret(self._registry, check_tag(tag), key, others=())
        if not _hmac_of(offered.record):
            raise Invalid("a public key cannot sign")
        secret = Secret.from_row({**offered.columns, SECRET_ID: offered.id}, self._registry.columns)
        now = self._registry.now()
        payload = self._payload(tag, now, now + TOKEN_SECONDS, None, {})
        token = _sign(payload, secret, offered.record, self._registry.policy)
        report = Report()
        try:
            self._registry.authorizer.authorize(token, report=report)
        except Denied as denied:
            return Trial(report, denied.reason)
        return Trial(report, None)

    def _payload(self, tag: str, now: int, ends: int, jti: str | None, claims: Mapping[str, Any]) -> dict[str, Any]:
        policy = self._registry.policy
        usual = {"iat": now, "exp": ends, "jti": jti or str(uuid.uuid4()), **_claims_required_by(policy)}
        return {**usual, **claims, policy.tag_claim: tag}

    def _signer(self, tag: str, secret_id: str | None) -> tuple[Secret, SecretRecord]:
        rows = self._registry.secrets(tag)
        if not rows and self._store.profile(tag) is None:
            raise NotFound(f"there is no profile {tag!r}")
        judged = [(Secret.from_row(row, self._registry.columns), self._registry.inspect(row)) for row in rows]
        if secret_id is not None:
            judged = [pair for pair in judged if pair[1].id == secret_id]
            if not judged:
                raise NotFound(f"there is no secret {secret_id!r} of {tag!r}")
        able = [pair for pair in judged if pair[1].state is SecretState.OPEN and _hmac_of(pair[1])]
        if not able:
            raise Conflict(f"no open secret of {tag!r} can sign: {_why_not(record for _, record in judged)}")
        return max(able, key=lambda pair: (pair[1].end or 0, pair[1].start or 0, pair[1].id))


def _hmac_of(record: SecretRecord) -> list[str]:
    return [name for name in record.algorithms if name in _HMAC]


def _why_not(records: Iterable[SecretRecord]) -> str:
    described = [
        f"{record.id!r} is {record.state}"
        if record.state is not SecretState.OPEN
        else f"{record.id!r} is a public key, whose private key the issuer has"
        for record in records
    ]
    return "; ".join(described) or "there is none"


def _claims_required_by(policy: Policy) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if policy.issuers:
        claims["iss"] = policy.issuers[0]
    if policy.audiences:
        claims["aud"] = policy.audiences[0]
    return claims


def _sign(payload: Mapping[str, Any], secret: Secret, record: SecretRecord, policy: Policy) -> str:
    import jwt

    algorithm = _hmac_of(record)[0]
    key = next(own for own in record.keys if algorithm in own.algorithms)
    accepted = policy.header.types
    header: dict[str, Any] = {"typ": "JWT" if accepted is None or "jwt" in accepted else None}  # None leaves it out
    kids = {kid for kid in (secret.kid, key.kid) if kid is not None}
    if len(kids) == 1:  # two ids that differ: whichever the token names, the other one would skip it
        header["kid"] = kids.pop()
    material = key.key.material
    if not isinstance(material, bytes):
        raise TypeError(f"{algorithm} needs an HMAC key")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyJWT warns of keys shorter than RFC 7518 demands: a setting allows them
            return jwt.encode(dict(payload), material, algorithm=algorithm, headers=header)
    except jwt.InvalidKeyError:
        raise Invalid(f"PyJWT cannot sign with the key of the secret {secret.id!r}, though it verifies") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"these claims cannot be written into a token: {type(error).__name__}") from None
