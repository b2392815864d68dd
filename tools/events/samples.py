"""The sample keys, rows and tokens that all events share.

Nothing here imports the service: tokens are signed and decoded tokens rendered by a few lines below, so they are a
second opinion. Keys and secrets are samples, published with the project. Never use them for anything else.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tools.events.stage import SAMPLES

KEYS: Final = SAMPLES / "keys"

START_2024: Final = 1704067200
START_2025: Final = 1735689600
START_2099: Final = 4070908800
END_2100: Final = 4102444800

LOAD_CREDENTIALS: Final = "$avp(caller_name)=display_name;account_id;video_allowed"
CREDENTIAL_COLUMNS: Final = {
    "caller_name": "display_name",
    "account_id": "account_id",
    "video_allowed": "video_allowed",
}

Json = dict[str, Any]


# --- Keys and tokens ----------------------------------------------------------------------------------------


def base64url(data: bytes) -> str:
    """Return *data* in unpadded base64url (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> str:
    """Return *value* as JSON without blanks, members in the order given."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """An algorithm and a key to sign with."""

    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)


def hmac_signer(secret: str, digest: str = "SHA256") -> Signer:
    """Sign by HMAC with the UTF-8 bytes of *secret*."""
    return Signer("HS" + digest[3:], lambda data: hmac.digest(secret.encode(), data, digest))


def _private_key(name: str) -> Any:  # noqa: ANN401 - cryptography's union of key types; each caller checks its own
    return serialization.load_pem_private_key((KEYS / name).read_bytes(), password=None)


def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the RSA sample key of that file."""
    key = _private_key(name)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{name} is no RSA key")
    return key


def rsa_signer(key: rsa.RSAPrivateKey) -> Signer:
    """Sign by RS256: PKCS #1 v1.5 has no random part (PS256 has, so there is no sample of it)."""
    return Signer("RS256", lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()))


def ec_signer(key: ec.EllipticCurvePrivateKey) -> Signer:
    """Sign by ES256 with the nonce of RFC 6979, so that the bytes are the same every time."""
    deterministic = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, deterministic))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return Signer("ES256", sign)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the public half as the ``PUBLIC KEY`` PEM a row holds."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def bare_pem(name: str) -> str:
    """Return a PEM file from its BEGIN line on, without the sample notice above it."""
    text = (KEYS / name).read_text(encoding="utf-8")
    return text[text.index("-----BEGIN") :]


@dataclass(frozen=True)
class Token:
    """A signed token, and what the service shows of it once decoded."""

    payload: Mapping[str, Any]
    signer: Signer
    header: Mapping[str, Any] = field(default_factory=dict)
    shown: str | None = None
    """The decoded token, written by hand where ``json`` renders it differently (real numbers, escapes)."""

    @cached_property
    def full_header(self) -> Json:
        """The header as signed; ``header`` overrides ``alg`` and ``typ``, and None removes a member."""
        merged = {"alg": self.signer.algorithm, "typ": "JWT", **self.header}
        return {name: value for name, value in merged.items() if value is not None}

    @cached_property
    def text(self) -> str:
        """The compact serialisation (RFC 7515, section 7.1)."""
        parts = (compact(self.full_header), compact(self.payload))
        signing_input = ".".join(base64url(part.encode()) for part in parts)
        return f"{signing_input}.{base64url(self.signer.sign(signing_input.encode()))}"

    @property
    def decoded(self) -> str:
        """The decoded token: keys sorted at every level, no blanks, raw UTF-8."""
        if self.shown is not None:
            return self.shown
        header = {**self.full_header, "typ": self.full_header.get("typ", "JWT")}
        return ".".join(
            json.dumps(part, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
            for part in (header, self.payload)
        )

    @property
    def expires_at(self) -> int:
        """The end of the token or of its secret's window (every open sample window ends in 2100)."""
        return min(int(self.payload.get("exp", END_2100)), END_2100)


RSA: Final = rsa_key("sample-rsa.pem")
CERTIFICATE_KEY: Final = rsa_key("sample-certificate-key.pem")
ED25519: Final = _private_key("sample-ed25519.pem")
EC_P256: Final = _private_key("sample-ec-p256.pem")
if not isinstance(ED25519, ed25519.Ed25519PrivateKey) or not isinstance(EC_P256, ec.EllipticCurvePrivateKey):
    raise TypeError("a file in events/keys is not what its name says")


def jwks_of_erin() -> str:
    """Return a key set with an Ed25519 key and a P-256 key (RFC 7517, RFC 8037)."""
    raw = ED25519.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    point = EC_P256.public_key().public_numbers()
    edwards = {"kty": "OKP", "crv": "Ed25519", "kid": "erin-ed25519", "use": "sig", "x": base64url(raw)}
    p256 = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "erin-p256",
        "use": "sig",
        "x": base64url(point.x.to_bytes(32, "big")),
        "y": base64url(point.y.to_bytes(32, "big")),
    }
    return compact({"keys": [edwards, p256]})


# --- Rows ---------------------------------------------------------------------------------------------------


def sample_secret(tag: str, number: int = 1) -> str:
    """Return an HMAC secret that nobody can take for a real one."""
    return f"sample-secret-{number}-of-{tag}-never-use-it"


DOMAIN: Final = "sip.example.com"
PROFILES: Final[Sequence[Json]] = (
    {
        "tag": "alice-web",
        "sip_username": "alice",
        "sip_domain": DOMAIN,
        "display_name": "Alice Adams",
        "account_id": 1001,
        "video_allowed": True,
    },
    {
        "tag": "bob-mobile",
        "sip_username": "bob",
        "account_id": 12345678901234567890123,
        "video_allowed": False,
    },
    {"tag": "carol-desk", "sip_username": "carol", "sip_domain": DOMAIN, "display_name": "Carol Čapek"},
    {"tag": "dave-door", "sip_username": "dave"},
    {"tag": "erin-lab", "sip_username": "erin", "sip_domain": DOMAIN, "display_name": "", "account_id": 1005},
    {"tag": "frank-closed", "sip_username": "frank"},
    {"tag": "grace-future", "sip_username": "grace"},
    {"tag": "heidi-disabled", "sip_username": "heidi", "disabled": True},
    {"tag": "ivan-nameless", "display_name": "Ivan without a SIP username"},
    {"tag": "mallory-revoked", "sip_username": "mallory", "tokens_valid_after": 1748736000},
    {"tag": "niaj-empty", "sip_username": "niaj"},
)


def _secret(tag: str, number: int = 1, *, secret: str | None = None, **more: str | int) -> Json:
    row = {"corresponding_tag": tag, "id": str(number)}
    own = {"secret": sample_secret(tag, number), "alg": "HS256,HS384,HS512"} if secret is None else {"secret": secret}
    return row | {"start_ts": START_2024, "end_ts": END_2100} | own | more


SECRETS: Final[Sequence[Json]] = (
    _secret("alice-web"),
    _secret("bob-mobile", 1, kid="bob-2024"),
    _secret("bob-mobile", 2, kid="bob-2025", start_ts=START_2025),
    _secret("carol-desk", secret=public_pem(RSA), alg="RS256,RS384,RS512,PS256,PS384,PS512"),
    _secret("dave-door", secret=bare_pem("sample-certificate.pem"), alg="RS256"),
    _secret("erin-lab", secret=jwks_of_erin(), alg="ES256,EdDSA"),
    _secret("frank-closed", end_ts=START_2025),
    _secret("grace-future", start_ts=START_2099),
    _secret("heidi-disabled"),
    _secret("ivan-nameless"),
    _secret("judy-without-profile"),
    _secret("mallory-revoked"),
    _secret("niaj-empty", secret=""),
)


def attribute_value(value: object) -> dict[str, str | bool]:
    """Return *value* as DynamoDB's JSON writes it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def rows() -> Json:
    """Return both tables in the form ``aws dynamodb batch-write-item --request-items`` takes."""
    return {
        table: [
            {"PutRequest": {"Item": {name: attribute_value(value) for name, value in row.items()}}} for row in items
        ]
        for table, items in (("jwt_profiles", PROFILES), ("jwt_secrets", SECRETS))
    }


# --- Tokens -------------------------------------------------------------------------------------------------


def token(
    tag: str,
    /,
    *,
    signer: Signer | None = None,
    number: int = 1,
    header: Mapping[str, Any] | None = None,
    shown: str | None = None,
    **claims: object,
) -> Token:
    """Return a token of *tag*, signed with its HMAC secret unless told otherwise; None drops a claim."""
    payload = {"tag": tag, "iat": START_2025, "exp": START_2099, **claims}
    return Token(
        {name: value for name, value in payload.items() if value is not None},
        signer or hmac_signer(sample_secret(tag, number)),
        header or {},
        shown,
    )


ALICE: Final = token("alice-web")
ALICE_WITHOUT_EXP: Final = token("alice-web", exp=None)
ALICE_EXPIRED: Final = token("alice-web", iat=START_2024, exp=START_2025)
ALICE_WRONG_SECRET: Final = token("alice-web", signer=hmac_signer(sample_secret("somebody-else")))
ALICE_UNUSUAL: Final = token(
    "alice-web",
    shown='{"alg":"HS256","typ":"JWT"}.{"exp":4070908800,"iat":1735689600,"name":"Ålice \\"Al\\" Adams",'
    '"rooms":[{"id":7,"rate":0.10000000000000001},{"id":-3,"rate":2.0}],"tag":"alice-web"}',
    header={"typ": None},
    name='Ålice "Al" Adams',
    rooms=[{"rate": 0.1, "id": 7}, {"rate": 2.0, "id": -3}],
)
BOB_OLD: Final = token("bob-mobile", exp=None)
BOB_NEW: Final = token("bob-mobile", number=2, header={"kid": "bob-2025"})
CAROL: Final = token("carol-desk", signer=rsa_signer(RSA))
CAROL_EXPIRED: Final = token("carol-desk", signer=rsa_signer(RSA), iat=START_2024, exp=START_2025)
DAVE: Final = token("dave-door", signer=rsa_signer(CERTIFICATE_KEY))
ERIN_ED25519: Final = token("erin-lab", signer=Signer("EdDSA", ED25519.sign), header={"kid": "erin-ed25519"})
ERIN_P256: Final = token("erin-lab", signer=ec_signer(EC_P256), header={"kid": "erin-p256"}, exp=None)


# --- Outcomes -----------------------------------------------------------------------------------------------


def credentials_of(tag: object) -> Json:
    """Return what ``LOAD_CREDENTIALS`` picks from the profile of *tag*."""
    profile = profile_of(tag)
    found = {name: profile.get(column, "") for name, column in CREDENTIAL_COLUMNS.items()}
    return {name: value for name, value in found.items() if value != ""}


def profile_of(tag: object) -> Json:
    """Return the profile of *tag*."""
    return next(row for row in PROFILES if row["tag"] == tag)


def add_case(expected: Json, name: str, outcome: Json) -> None:
    """Put a case's outcome to the others; two of one name are an error."""
    if name in expected:
        raise ValueError(f"two cases are called {name}")
    expected[name] = outcome


def outcomes_of(expected: Json) -> Json:
    """Return what the file of a function's outcomes holds."""
    about = "What each event is answered, with these settings and rows.json. Written by generate.py."
    return {"about": about, "settings": {"LOAD_CREDENTIALS": LOAD_CREDENTIALS}, "events": expected}
