"""One factory per noun, all defaulted, so that a test shows only its point: keys, tokens, rows, and the authorizer."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jwt.algorithms
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied, Reason
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Policy
from tests.fakes import Clock, MemoryStore

KEYS = Path(__file__).parent / "keys"

NOW = 1_800_000_000
TAG = "t1"
JTI = "one token of t1"
HMAC_KEY = "an HMAC secret of sixty-four bytes, for these tests and no other"

StoredRow = dict[str, object]

_SIGNERS = jwt.algorithms.get_default_algorithms()


# -- keys -------------------------------------------------------------------------------------------------------------


@cache
def a_private_key(name: str = "rsa_2048") -> Any:
    """The private key of `tests/keys/NAME.pem`."""
    return load_pem_private_key(private_pem(name).encode(), None, unsafe_skip_rsa_key_validation=True)


def private_pem(name: str = "rsa_2048") -> str:
    return (KEYS / f"{name}.pem").read_text("ascii")


def a_public_key(name: str = "rsa_2048") -> Any:
    return a_private_key(name).public_key()


def public_pem(name: str = "rsa_2048") -> str:
    return encoded_key(name, Encoding.PEM).decode()


def public_der(name: str = "rsa_2048") -> bytes:
    return encoded_key(name, Encoding.DER)


def pkcs1_pem(name: str = "rsa_2048") -> str:
    return encoded_key(name, Encoding.PEM, PublicFormat.PKCS1).decode()


def openssh_line(name: str = "rsa_2048") -> str:
    return encoded_key(name, Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def encoded_key(
    name: str, encoding: Encoding, public_format: PublicFormat = PublicFormat.SubjectPublicKeyInfo
) -> bytes:
    octets: bytes = a_public_key(name).public_bytes(encoding, public_format)
    return octets


@cache
def a_certificate(name: str, encoding: Encoding) -> bytes:
    """A certificate of the key, long expired: dates do not count here."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder(subject, subject, a_public_key(name), 4711)
    builder = builder.not_valid_before(datetime(2001, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2002, 1, 1, tzinfo=UTC)
    )
    return builder.sign(a_private_key("rsa_2048"), SHA256()).public_bytes(encoding)


def certificate_der(name: str = "rsa_2048") -> bytes:
    return a_certificate(name, Encoding.DER)


def certificate_pem(name: str = "rsa_2048") -> str:
    return a_certificate(name, Encoding.PEM).decode()


def a_jwk(name: str = "rsa_2048", /, **members: Any) -> dict[str, Any]:
    """The public JWK of a key, with *members* put over it."""
    kinds = {"r": jwt.algorithms.RSAAlgorithm, "p": jwt.algorithms.ECAlgorithm, "s": jwt.algorithms.ECAlgorithm}
    own = kinds.get(name[0], jwt.algorithms.OKPAlgorithm).to_jwk(a_public_key(name), as_dict=True)  # type: ignore[attr-defined]
    return {**{member: value for member, value in own.items() if member != "key_ops"}, **members}


def an_oct_jwk(key: bytes = HMAC_KEY.encode(), /, **members: Any) -> dict[str, Any]:
    return {"kty": "oct", "k": segment(key), **members}


def a_jwks(*keys: object) -> str:
    return json.dumps({"keys": keys})


# -- tokens -----------------------------------------------------------------------------------------------------------


def segment(octets: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def a_signature(signing_input: str, key: Any = HMAC_KEY, alg: str = "HS256") -> bytes:
    """Sign by the standard library (text and bytes are HMAC keys) or by PyJWT, whatever the key's size."""
    if isinstance(key, str | bytes):
        return hmac.digest(key.encode() if isinstance(key, str) else key, signing_input.encode(), f"sha{alg[2:]}")
    signature: bytes = _SIGNERS[alg].sign(signing_input.encode(), key)
    return signature


def signed(header: bytes, payload: bytes, key: Any = HMAC_KEY, alg: str = "HS256") -> str:
    """The token of exactly these octets."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{segment(a_signature(signing_input, key, alg))}"


def a_token(
    *,
    key: Any = HMAC_KEY,
    alg: str = "HS256",
    header: Mapping[str, object] | bytes | None = None,
    payload: object = None,
    **claims: object,
) -> str:
    """A token of TAG, good for ever.

    Args:
        key: what signs it.
        alg: how, and what its header says unless *header* says otherwise.
        header: members put over the usual ones, or the whole text.
        payload: the payload in place of the usual one, any JSON value or the octets themselves.
        claims: put over the usual ones.
    """
    if not isinstance(header, bytes):
        header = json_octets({"alg": alg, "typ": "JWT", **(header or {})})
    if not isinstance(payload, bytes):
        payload = json_octets({"tag": TAG, **claims} if payload is None else payload)
    return signed(header, payload, key, alg)


def json_octets(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# -- rows -------------------------------------------------------------------------------------------------------------


def a_secret(secret: object = HMAC_KEY, **columns: object) -> StoredRow:
    """A row of the secrets table whose window is open at NOW."""
    return {
        "corresponding_tag": TAG,
        "id": "1",
        "secret": secret,
        "start_ts": NOW - 60,
        "end_ts": NOW + 3600,
        **columns,
    }


def a_profile(**columns: object) -> StoredRow:
    return {"tag": TAG, "sip_username": "alice", **columns}


def a_revocation(**columns: object) -> StoredRow:
    """A row of the table of revoked tokens."""
    return {"tag": TAG, "jti": JTI, "expires_at": NOW + 3600, **columns}


def without(row: StoredRow, column: str) -> StoredRow:
    return {name: value for name, value in row.items() if name != column}


# -- the authorizer ---------------------------------------------------------------------------------------------------


def an_authorizer(
    *secrets: StoredRow,
    profiles: Sequence[StoredRow] | None = None,
    now: float = NOW,
    ttl: float = 0,
    store: MemoryStore | None = None,
    revocations: Sequence[StoredRow] | None = None,
    **rules: Any,
) -> Authorizer:
    """An authorizer over rows in memory: one good secret and one profile unless others are given.

    Args:
        secrets: rows of the secrets table.
        profiles: rows of the profiles table.
        now: where its clock stands.
        ttl: seconds that rows are remembered.
        store: the store itself, to change its rows later.
        revocations: rows of the table of revoked tokens, to those of the store; None when there is no such table.
        rules: fields of `Policy`.
    """
    policy = Policy(**rules)
    if store is None:
        store = MemoryStore(
            profiles=[a_profile()] if profiles is None else list(profiles),
            secrets=list(secrets) or [a_secret()],
            credentials=policy.credentials,
        )
    memory = RowMemory(store, ttl=ttl, stale_for=0, timer=Clock())
    revoked = None
    if revocations is not None:
        store.revocations.extend(revocations)
        revoked = RevocationMemory(store, ttl=ttl, stale_for=0, timer=Clock())
    return Authorizer(memory=memory, revocations=revoked, policy=policy, store_seconds=1.5, clock=Clock(now))


def refusal(call: Callable[[], object]) -> Reason:
    """The reason for which *call* is refused; a test that expects a refusal fails when there is none."""
    with pytest.raises(Denied) as caught:
        call()
    return caught.value.reason


def verdict(call: Callable[[], object]) -> Reason | None:
    """The reason for which *call* is refused, or None when it is not."""
    try:
        call()
    except Denied as denied:
        return denied.reason
    return None
