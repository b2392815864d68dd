"""The decision about a token of an issuer: section 6 of the contract, over rows as they are at one second."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from tests.model.decision import DEFAULTS, Allowed, Denied, Fault, Outcome, Row, number_of, required, same_domain
from tests.model.decision import load_credentials as credentials_of
from tests.model.keys import Key, Usable, keys_of_text, signed_by
from tests.model.refusals import Refused
from tests.model.rendering import decoded_token
from tests.model.tokens import Token, read_gate, read_json, read_token

TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_CURVES = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48), "secp521r1": ("P-521", 66)}


@dataclass(frozen=True)
class Deferred:
    """The key may not have been fetched yet: the caller may come again after so many seconds."""

    retry_after: int


@dataclass
class IssuerTables:
    """What the tables hold of one issuer and of its users.

    Attributes:
        identifier: the issuer.
        configuration: its members; None where there is no such issuer.
        columns: other columns of its row in the profiles table.
        keys: the JWKs, as they were fetched; None before the first fetch.
        url: the address that they came from.
        fetched_at: when the last successful fetch began.
        next_fetch_at: when the next fetch is due.
        users: the profiles of its users, by their `sub`.
        revoked: the `jti` of its revoked tokens. They count where `REVOCATIONS_TABLE` is set.
    """

    identifier: str
    configuration: Mapping[str, Any] | None
    columns: Row = field(default_factory=dict)
    keys: Sequence[Mapping[str, Any]] | None = None
    url: str = ""
    fetched_at: float | None = None
    next_fetch_at: float | None = None
    users: Mapping[str, Row] = field(default_factory=dict)
    revoked: Collection[str] = ()


def is_of(identifiers: Collection[str], token: object, settings: Mapping[str, str]) -> bool:
    """Tell whether *token* names one of the issuers in `iss`, as far as that can be read. Nothing is verified."""
    try:
        _, _, payload, _ = read_gate(token, int(_setting(settings, "MAX_TOKEN_BYTES")))
        return read_json(payload).get("iss") in identifiers
    except (Refused, TypeError):
        return False


def decide(
    settings: Mapping[str, str],
    tables: IssuerTables,
    token: object,
    now: float,
    *,
    from_user: str | None = None,
    from_domain: str | None = None,
    knows_domain: bool = True,
    keys_lifetime: int = 26 * 3600,
) -> Outcome | Deferred:
    """Return what comes of a *token* that names the issuer, at the UNIX second *now*.

    Args:
        settings: the environment; a variable that is not in it has its default.
        tables: the rows.
        token: what the caller gave.
        now: the clock of the request.
        from_user: the SIP user that the request acts as.
        from_domain: the SIP domain of that user.
        knows_domain: whether the caller could have told one; API Gateway's authorizer cannot.
        keys_lifetime: `KEYS_LIFETIME_SECONDS`.
    """
    decision = _Decision(settings, tables, Fraction(now), keys_lifetime)
    try:
        return decision.outcome(token, from_user, from_domain, knows_domain=knows_domain)
    except Refused as refused:
        return Denied(refused.reason)


class _Decision:
    def __init__(self, settings: Mapping[str, str], tables: IssuerTables, now: Fraction, keys_lifetime: int) -> None:
        self.settings = settings
        self.tables = tables
        self.now = now
        self.keys_lifetime = keys_lifetime
        self.configuration = tables.configuration or {}
        self.leeway = int(_setting(settings, "LEEWAY_SECONDS"))

    def of(self, member: str, default: Any) -> Any:
        return self.configuration.get(member, default)

    def outcome(
        self, text: object, from_user: str | None, from_domain: str | None, *, knows_domain: bool
    ) -> Outcome | Deferred:
        allowed = {name.strip() for name in _setting(self.settings, "ALLOWED_ALGORITHMS").split(",")}
        token = read_token(text, int(_setting(self.settings, "MAX_TOKEN_BYTES")), allowed, TYPES)
        claims = read_json(token.payload)
        self.check_issuer(token)
        verified = self.check_signature(token, claims)
        if verified is not None:
            return verified
        expires = self.check_claims(token, claims)
        user, profile = self.identify(claims)
        for row in (profile, self.tables.columns):
            if "tokens_valid_after" in row:
                after = number_of(row["tokens_valid_after"])
                issued = number_of(claims["iat"])
                if after is None or issued is None or after > issued:
                    raise Refused("revoked_token")
        self.check_revocation(claims)
        self.check_asker(user, profile, from_user, from_domain, knows_domain=knows_domain)
        credentials = credentials_of(_setting(self.settings, "LOAD_CREDENTIALS"), profile)
        return Allowed(user, decoded_token(token.header, claims), credentials, floor(expires))

    def check_issuer(self, token: Token) -> None:
        if self.tables.configuration is None:
            raise Refused("unknown_issuer")
        disabled = self.tables.columns.get("disabled", False)
        if disabled is not False and number_of(disabled) != 0:
            raise Refused("disabled_issuer")
        named = set(self.of("algorithms", ["RS256", "ES256"]))
        if token.algorithm not in named and not (token.algorithm in ("Ed25519", "Ed448") and "EdDSA" in named):
            raise Refused("unsupported_algorithm")

    # -- keys ---------------------------------------------------------------------------------------------------------

    def check_signature(self, token: Token, claims: Mapping[str, Any]) -> Fault | Deferred | None:
        """Refuse, return why there is no decision, or return None for a token that one of the keys signed."""
        fetched_at = self.tables.fetched_at
        if fetched_at is not None and self.now - Fraction(fetched_at) > self.keys_lifetime:
            return Fault()
        if fetched_at is None or self.tables.keys is None or self.tables.url != self.configuration["keys_url"]:
            return self.deferred()
        named = [jwk for jwk in self.tables.keys if token.kid is None or jwk.get("kid") == token.kid]
        if not named:
            issued = number_of(claims.get("iat"))
            if issued is not None and Fraction(fetched_at) - 60 < issued <= self.now + 60:
                return self.deferred()
        keys = [key for jwk in named if (key := _key_of(jwk)) is not None and not self.is_blocked(key)]
        fitting = [key for key in keys if token.algorithm in key.algorithms]
        if not keys or (token.kid is None and len(fitting) != 1):
            raise Refused("unknown_key")
        if not any(signed_by(key, token, None) is Usable.YES for key in fitting[:4]):
            raise Refused("bad_signature")
        return None

    def is_blocked(self, key: Key) -> bool:
        return _thumbprint(key) in self.of("blocked_keys", [])

    def deferred(self) -> Deferred:
        due = self.tables.next_fetch_at
        if due is None or due <= self.now:
            return Deferred(10)
        return Deferred(min(ceil(Fraction(due) - self.now) + 2, 900))

    # -- claims -------------------------------------------------------------------------------------------------------

    def check_claims(self, token: Token, claims: Mapping[str, Any]) -> Fraction:
        for name in ("exp", "iat", "sub"):
            required(claims, name)
        times = {name: number_of(claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
        expires, issued = times["exp"], times["iat"]
        if None in times.values() or expires is None or issued is None:
            raise Refused("malformed_claim")
        if self.now >= expires + self.leeway:
            raise Refused("token_expired")
        for begins in (times.get("nbf"), issued):
            if begins is not None and self.now < begins - self.leeway:
                raise Refused("token_not_yet_valid")
        if expires - issued > self.of("longest_lifetime", 86400):
            raise Refused("token_too_old")
        self.check_recipient(claims)
        self.check_kind(token, claims)
        if self.of("requires_jti", True):
            _check_jti(claims)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject.encode()) <= 255:
            raise Refused("malformed_claim")
        return expires + self.leeway

    def check_recipient(self, claims: Mapping[str, Any]) -> None:
        if (audiences := self.of("audiences", [])) and not set(_audiences(claims)) & set(audiences):
            raise Refused("wrong_audience")
        if "client_claim" in self.configuration:
            client = required(claims, self.configuration["client_claim"])
            if not isinstance(client, str):
                raise Refused("malformed_claim")
            if client not in self.configuration["client_ids"]:
                raise Refused("wrong_audience")

    def check_kind(self, token: Token, claims: Mapping[str, Any]) -> None:
        for name, value in self.of("required_claims", {}).items():
            given = required(claims, name)
            if name in ("scope", "scp") and isinstance(given, str):
                given = given.split(" ")
            values = given if isinstance(given, list) else [given]
            if not any(type(one) is type(value) and one == value for one in values):
                raise Refused("wrong_token_kind")
        kind = claims["typ"].lower() if isinstance(claims.get("typ"), str) else None
        by_header = token.header.get("typ", "").lower() in ("at+jwt", "application/at+jwt")
        if self.of("token_kind", "access") == "id":
            is_right = (
                not by_header
                and kind not in ("bearer", "refresh", "offline", "logout")
                and "events" not in claims
                and claims.get("token_use", "id") == "id"
                and self.is_party(claims)
            )
        elif kind in ("id", "refresh", "offline", "logout") or claims.get("token_use") == "id":
            is_right = False
        elif self.of("access_claims", []):  # required, and so there
            is_right = True
        else:
            is_right = not {"nonce", "at_hash", "c_hash", "events"} & set(claims) and (
                by_header or ("access_audiences" in self.configuration and self.is_for_access(claims))
            )
        if not is_right:
            raise Refused("wrong_token_kind")

    def is_party(self, claims: Mapping[str, Any]) -> bool:
        """An ID token with several audiences names in `azp` for whom it was made."""
        audience = claims.get("aud")
        return not (isinstance(audience, list) and len(audience) > 1) or claims.get("azp") in self.of("audiences", [])

    def is_for_access(self, claims: Mapping[str, Any]) -> bool:
        return bool(set(_audiences(claims)) & set(self.configuration["access_audiences"]))

    # -- who it is ----------------------------------------------------------------------------------------------------

    def identify(self, claims: Mapping[str, Any]) -> tuple[str, Row]:
        row = self.tables.users.get(claims["sub"])
        by_claim = self.of("mapping", "profile") == "claim"
        if row is None and not by_claim:
            raise Refused("unknown_profile")
        username = (row or {}).get("sip_username")
        if not by_claim and (not isinstance(username, str) or not username):
            raise Refused("incomplete_profile")
        disabled = (row or {}).get("disabled", False)
        if disabled is not False and number_of(disabled) != 0:
            raise Refused("disabled_profile")
        if by_claim:
            username = required(claims, self.configuration["username_claim"])
            if not isinstance(username, str) or len(username) > 255 or not username.isprintable():
                raise Refused("username_refused")
            if not re.fullmatch(self.of("username_pattern", "[A-Za-z0-9._+-]{1,64}"), username, re.ASCII):
                raise Refused("username_refused")
        return str(username), row or {}

    def check_revocation(self, claims: Mapping[str, Any]) -> None:
        if _setting(self.settings, "REVOCATIONS_TABLE") and (self.of("requires_jti", True) or "jti" in claims):
            _check_jti(claims)
            if claims["jti"] in self.tables.revoked:
                raise Refused("revoked_token")

    def check_asker(
        self, user: str, profile: Row, from_user: str | None, from_domain: str | None, *, knows_domain: bool
    ) -> None:
        if from_user is not None and from_user != user:
            raise Refused("username_mismatch")
        by_claim = self.of("mapping", "profile") == "claim"
        if from_domain is not None:
            domain = self.configuration["sip_domain"] if by_claim else profile.get("sip_domain")
            if not same_domain(domain, from_domain):
                raise Refused("domain_mismatch")
        elif by_claim and (knows_domain or not self.of("permits_no_domain", False)):
            raise Refused("domain_mismatch")


def _setting(settings: Mapping[str, str], name: str) -> str:
    return settings.get(name, DEFAULTS[name])


def _key_of(jwk: Mapping[str, Any]) -> Key | None:
    """Return the public key of a JWK; None where it verifies nothing, as a key of HMAC."""
    keys = [key for key in keys_of_text(json.dumps(jwk), None) if not isinstance(key.material, bytes)]
    return keys[0] if keys else None


def _thumbprint(key: Key) -> str:
    """RFC 7638, section 3: the members that a key needs, in their order, without blanks, and the SHA-256 of that."""
    material = key.material
    if isinstance(material, rsa.RSAPublicKey):
        numbers = material.public_numbers()
        members = {"e": _base64(_octets(numbers.e)), "kty": "RSA", "n": _base64(_octets(numbers.n))}
    elif isinstance(material, ec.EllipticCurvePublicKey):
        point, (name, size) = material.public_numbers(), _CURVES[material.curve.name]
        members = {
            "crv": name,
            "kty": "EC",
            "x": _base64(point.x.to_bytes(size, "big")),
            "y": _base64(point.y.to_bytes(size, "big")),
        }
    else:
        assert isinstance(material, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
        name = "Ed25519" if isinstance(material, ed25519.Ed25519PublicKey) else "Ed448"
        members = {"crv": name, "kty": "OKP", "x": _base64(material.public_bytes_raw())}
    text = json.dumps(members, separators=(",", ":"))
    return _base64(hashlib.sha256(text.encode()).digest())


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    named = required(claims, "aud")
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Refused("malformed_claim")
    return named


def _check_jti(claims: Mapping[str, Any]) -> None:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Refused("missing_claim")
    if len(jti.encode()) > 1024:
        raise Refused("malformed_claim")
