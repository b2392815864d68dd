"""Worlds made of octets: settings, rows, a token and who asks. For the property tests and for fuzzing alike.

Each octet is one choice, and the first option of each is the plain one. So no octets are a world in which `alice` is
let in, few octets are a world that differs from it in few things, and what hypothesis shrinks or a fuzzer cuts stays a
world.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied as DeniedByUs
from auth_jwt.errors import Fault as FaultOfOurs
from auth_jwt.errors import Unreachable
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Half
from auth_jwt.runtime.settings import Settings
from tests.factories import (
    HMAC_KEY,
    JTI,
    NOW,
    TAG,
    StoredRow,
    a_jwk,
    a_jwks,
    a_private_key,
    a_signature,
    an_oct_jwk,
    certificate_pem,
    json_octets,
    openssh_line,
    pkcs1_pem,
    private_pem,
    public_der,
    public_pem,
    segment,
)
from tests.fakes import Clock, MemoryStore
from tests.model.decision import Allowed, Denied, Fault, Outcome, Tables, decide

T = TypeVar("T")

OTHER_KEY = "another HMAC secret of sixty-four bytes, which signs other tokens"
SIGNERS: Mapping[str, tuple[str, ...]] = {
    "HS256": (HMAC_KEY, OTHER_KEY),
    "HS384": (HMAC_KEY, OTHER_KEY),
    "HS512": (HMAC_KEY, OTHER_KEY),
    "RS256": ("rsa_2048", "rsa_2048_other", "rsa_2047"),
    "PS256": ("rsa_2048", "rsa_2048_other"),
    "RS512": ("rsa_2048",),
    "PS384": ("rsa_2048",),
    "ES256": ("p256",),
    "ES384": ("p384",),
    "ES512": ("p521",),
    "EdDSA": ("ed25519", "ed448"),
    "Ed25519": ("ed25519",),
    "Ed448": ("ed448",),
}
_PUBLIC = ("rsa_2048", "p256", "p384", "p521", "ed25519", "ed448", "rsa_2048_other", "rsa_2047", "secp256k1")
_KIDS = ("k1", "k2", "", "K1")


class Choices:
    """Choices by the octets that were given; when they are used up, the first option always."""

    def __init__(self, octets: bytes) -> None:
        self._octets = iter(octets)

    def number(self) -> int:
        """One octet."""
        return next(self._octets, 0)

    def pick(self, options: Sequence[T]) -> T:
        """One of *options*."""
        return options[self.number() % len(options)]

    def seldom(self, options: Sequence[T], plain: T) -> T:
        """*plain*, and once in eight times one of *options*."""
        return self.pick(options) if self.number() % 8 == 7 else plain

    def rest(self) -> bytes:
        """All octets that are left."""
        return bytes(self._octets)


@dataclass
class World:
    """What a decision is made of."""

    settings: dict[str, str] = field(default_factory=dict)
    profiles: list[StoredRow] = field(default_factory=list)
    secrets: list[StoredRow] = field(default_factory=list)
    revocations: list[tuple[str, str]] = field(default_factory=list)
    token: object = ""
    now: float = NOW
    from_user: str | None = None
    from_domain: str | None = None
    unreadable: str | None = None


# -- what there is to choose ------------------------------------------------------------------------------------------

PLAIN_CLAIMS: Mapping[str, object] = {
    "tag": TAG,
    "iat": NOW - 1,
    "exp": NOW + 60,
    "iss": "us",
    "aud": "sip",
    "jti": JTI,
    "sub": TAG,
}
_PLAIN_SECRET: Mapping[str, object] = {"corresponding_tag": TAG, "start_ts": NOW - 60, "end_ts": NOW + 3600}
INSTANTS: Sequence[object] = (
    *(NOW, NOW + 1, NOW - 1, NOW + 60, NOW - 60, NOW + 0.5, NOW - 0.5, NOW + 59, NOW - 61, NOW + 61, NOW - 59),
    *(0, -1, 2**63 - 1, -(2**63), 1e300, -1e300, 5e-324, -0.0, True, False, None, str(NOW), "", [NOW], {"at": NOW}),
)
BOUNDS: Sequence[object] = (
    *(NOW, NOW + 1, NOW - 1, Decimal(f"{NOW}.5"), Decimal(f"{NOW}.000000001"), Decimal("1E+125"), Decimal("-1E+125")),
    *(0, Decimal("1E-130"), None, str(NOW), True, b"\0", [NOW], NOW + 3600, NOW - 3600),
)
VALUES: Sequence[object] = (
    *("", "x", "alice", TAG, 0, 1, -1, 1.0, 1e17, 1e16, 123456789012345680.0, 0.1, 1e-5, 1e-4, -0.0, 2**63 - 1),
    *(
        -(2**63),
        None,
        True,
        False,
        [],
        {},
        [[]],
        {"": {}},
        "\x7f",
        "\x01",
        "\u2028",
        "😀",
        '"\\/',
        "\b\f\n\r\t",
        "\x1f",
    ),
    *({"b": 1, "a": [1, {"z": None}], "é": 2.5, "😀": 0, "\uffff": 1, "Z": 1e22}, [1, "a", None, 1e100, 5e-324]),
)
MEMBERS: Sequence[tuple[str, Sequence[object]]] = (
    ("typ", ("JWT", "jwt", "jWt", "JOSE", "at+jwt", "", None, 1, "J\u212aT", "\uff2a\uff37\uff34")),
    ("kid", ("k1", "k2", "", None, 1, "K1", ["k1"])),
    ("crit", ([], ["exp"], None, "b64", ["b64"])),
    ("b64", (True, False, None, 1, "true")),
    ("alg", ("none", "None", "HS256", "hs256", "RS256", "ES256", "EdDSA", "Ed25519", "", None, 256, ["HS256"], "HS1")),
    ("jwk", ({"kty": "oct", "k": "AAAA"}, None)),
    ("jku", ("https://attacker.example/keys",)),
    ("x5c", (["MIIB"],)),
    ("zip", ("DEF",)),
    ("cty", ("JWT",)),
    ("ext", VALUES),
)
CLAIMS: Sequence[tuple[str, Sequence[object]]] = (
    ("exp", INSTANTS),
    ("nbf", INSTANTS),
    ("iat", INSTANTS),
    ("jti", (JTI, "", "another", None, 1, "é" * 512, "é" * 513)),
    ("iss", ("us", "them", "", None, 1, ["us"], "US")),
    ("aud", ("sip", "web", ["sip"], ["web", "sip"], [], ["web"], [1], None, 1, {"sip": 1}, "")),
    ("tag", (TAG, "t2", "", "T1", "t1 ", None, 1, [TAG], "t" * 128, "t" * 129, "😀" * 128)),
    ("sub", VALUES),
    ("é", VALUES),
)
SETTINGS: Sequence[tuple[str, Sequence[str]]] = (
    ("ENFORCE_TIME_CLAIMS", ("false", "TRUE")),
    ("LEEWAY_SECONDS", ("1", "60", "3600")),
    ("MAX_TOKEN_AGE_SECONDS", ("0", "1", "60", "3600")),
    ("REQUIRED_CLAIMS", ("exp", "jti,exp", "sub", "iat , nbf")),
    ("ISSUER", ("us", "us,them")),
    ("AUDIENCE", ("sip", "web, sip")),
    ("REVOCATIONS_TABLE", ("jwt_revocations",)),
    ("REQUIRE_ALG_COLUMN", ("true",)),
    ("MIN_HMAC_KEY_BYTES", ("1", "32", "65", "64")),
    ("MAX_SECRETS_PER_TAG", ("1", "2")),
    ("ALLOWED_ALGORITHMS", ("HS256", "RS256,EdDSA", "ES256,PS256", "HS512,EdDSA")),
    ("ACCEPTED_TYPES", ("JWT,at+jwt", "jose", "at+jwt")),
    ("MAX_TOKEN_BYTES", ("200", "120", "65536", "1")),
    ("TAG_CLAIM", ("sub", "é")),
    ("LOAD_CREDENTIALS", ("extra", "$avp(info)=extra; number", "$avp( a )= flag ;$avp(b)=nothing;odd")),
    ("DOMAIN_COLUMN", ("realm",)),
    ("USERNAME_COLUMN", ("name",)),
)
PROFILE_COLUMNS: Sequence[tuple[str, Sequence[object]]] = (
    ("sip_username", ("bob", "", None, 1, "Alice", "älice")),
    ("sip_domain", ("example.com", "EXAMPLE.com", "", None, 1, "exämple.com", "K.example")),
    ("disabled", (False, True, 0, 1, None, "", "false", Decimal("0.0"), [])),
    ("tokens_valid_after", BOUNDS),
    ("extra", ("text", "", None, 1, Decimal("1.50"), True, ["a"], b"a", {"a"}, Decimal("1E+20"))),
    ("number", (42, Decimal("0.1"), -0.5)),
    ("flag", (True, False)),
    ("realm", ("example.com",)),
    ("name", ("carol",)),
)
SECRET_COLUMNS: Sequence[tuple[str, Sequence[object]]] = (
    ("start_ts", BOUNDS),
    ("end_ts", BOUNDS),
    ("kid", ("k1", "k2", "", None, 1)),
    (
        "alg",
        (
            *("HS256", "HS512", "HS256,HS384,HS512", "RS256", "HS256,RS256", " HS256 ,", "", "hs256", None, 1, "EdDSA"),
            *("Ed25519", "Ed448", "ES256", "PS256,RS512", "none", "RS256,XX", "HS256,XX", "EdDSA,ES256"),
        ),
    ),
    ("corresponding_tag", ("t2", "T1")),
)
TEXTS: Sequence[object] = (
    *("", " ", "\0\0", "short", "k" * 31, "k" * 32, "k" * 63, "\u200b" * 40, None, 1, b"octets", ["a"], "x" * 1025),
    *("https://keys.example/a", "ARN:aws:ssm:eu-central-1:1:parameter/a", " arn:aws:secretsmanager:x", "\ud800" * 40),
    *('{"kty":"oct"}', '{"keys":[]}', '{"keys":null}', '{"kty":null,"keys":[]}', '{"keys":[1,{"kty":"RSA"}]}'),
    *("-----BEGIN PUBLIC KEY-----", "-----begin public key-----\nAAAA\n-----end public key-----", '{"a":"kty"}'),
    *("correct horse battery staple correct horse", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6", "é" * 32),
    *('{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}',),
    *("your-256-bit-secret", "your-256-bit-secret-your-256-bit-secret", "00" * 32, "deadbeef" * 8, "A" * 86 + "=="),
)
JWK_MEMBERS: Sequence[tuple[str, Sequence[object]]] = (
    ("use", ("sig", "enc", "SIG", "", None, 1)),
    ("key_ops", (["verify"], ["sign"], [], None, "verify", ["sign", "verify"])),
    ("alg", ("HS256", "RS256", "PS512", "ES256", "EdDSA", "Ed25519", "none", None, 1)),
    ("kid", ("k1", "k2", "", None, 1)),
    ("d", ("AQAB", "", None, [], 0)),
    ("oth", ([], [{}], None)),
    ("kty", ("RSA", "EC", "OKP", "oct", "AKP", None, 1)),
    ("e", ("AQ", "Aw", "AA", "", "AQAB=", None, 3, "AQABA")),
    ("crv", ("P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519", None)),
    ("x", ("AAAA", "", None, "A" * 43, "AQ" + "A" * 41)),
    ("k", ("AAAA", "", None, "A" * 43, "A" * 41, segment(b"short"), segment(HMAC_KEY.encode() * 3))),
)


FOCI: Sequence[frozenset[str]] = (
    *map(frozenset, (["settings", "claims"], ["secrets"], ["header"], ["writing"], ["token"], ["profile", "asker"])),
    *map(frozenset, (["settings", "secrets"], ["settings", "claims", "asker"], ["settings", "profile", "asker"])),
    frozenset({"settings", "profile", "secrets", "header", "claims", "writing", "token", "asker"}),
)
"""Which parts of a world differ from the plain one."""


# -- making them ------------------------------------------------------------------------------------------------------


def a_plain_world(
    *,
    algorithm: str = "HS256",
    signer: str = HMAC_KEY,
    secret: Mapping[str, object] | None = None,
    profile: Mapping[str, object] | None = None,
    header: Mapping[str, object] | bytes | None = None,
    claims: Mapping[str, object] | bytes | None = None,
    **others: Any,
) -> World:
    """The world in which `alice` is let in, with these changes.

    Args:
        algorithm: how the token is signed.
        signer: by which key.
        secret: columns put over those of the one row of secrets.
        profile: columns put over those of the profile.
        header: members put over those of the header, or its text.
        claims: claims put over the usual ones, or the text of the payload.
        others: fields of `World`.
    """
    stored = signer if algorithm.startswith("HS") else public_pem(signer)
    world = World(
        secrets=[{**_PLAIN_SECRET, "id": "1", "secret": stored, **(secret or {})}],
        profiles=[{"tag": TAG, "sip_username": "alice", **(profile or {})}],
    )
    first, second = (
        value if isinstance(value, bytes) else json_octets({**plain, **(value or {})})
        for plain, value in (({"alg": algorithm, "typ": "JWT"}, header), (PLAIN_CLAIMS, claims))
    )
    signed = f"{segment(first)}.{segment(second)}"
    world.token = f"{signed}.{segment(_signature(signed, algorithm, signer))}"
    for name, value in others.items():
        setattr(world, name, value)
    return world


def a_world(octets: bytes) -> World:
    """The world of these choices."""
    choices = Choices(octets)
    varied = choices.pick(FOCI)

    def of(part: str) -> Choices:
        return choices if part in varied else Choices(b"")

    algorithm = choices.pick(tuple(SIGNERS))
    signer = choices.pick(SIGNERS[algorithm])
    world = World(settings=_put_over({}, SETTINGS, of("settings")))
    profile = _put_over({"tag": TAG, "sip_username": "alice"}, PROFILE_COLUMNS, of("profile"))
    world.profiles = of("profile").seldom([[], [{**profile, "tag": "T1"}]], [profile])
    count = of("secrets").pick((1, 2, 3, 1, 0, 1, 2, 1))
    world.secrets = [_a_secret_row(str(number + 1), algorithm, signer, of("secrets")) for number in range(count)]
    header = _put_over({"alg": algorithm, "typ": "JWT"}, MEMBERS, of("header"))
    claims = _put_over(PLAIN_CLAIMS if of("claims").number() % 4 == 0 else {"tag": TAG}, CLAIMS, of("claims"))
    token = _a_token(header, claims, algorithm, signer, of("writing"))
    world.token = _a_damaged_token(token, of("token"))
    asker = of("asker")
    world.now = NOW + asker.seldom([1, -1, 0.5, -0.5, 3600, -3600, -61, 3599.75], 0)
    world.from_user = asker.seldom(["alice", "Alice", "", "bob"], None)
    world.from_domain = asker.seldom(["example.com", "EXAMPLE.COM", "", "exÄmple.com", "k.example"], None)
    world.revocations = asker.seldom([[(TAG, JTI)], [("t2", JTI)], [(TAG, "")]], [])
    world.unreadable = asker.seldom(["profiles", "secrets", "revocations", None], None)
    return world


def _put_over(
    plain: Mapping[str, Any], columns: Sequence[tuple[str, Sequence[Any]]], choices: Choices
) -> dict[str, Any]:
    """Put values over some columns of a row, take some away; mostly neither."""
    row = dict(plain)
    for _ in range(choices.pick((0, 1, 2, 1, 3, 2, 1, 4))):
        name, values = choices.pick(columns)
        row[name] = choices.pick(values)
        if choices.number() % 16 == 15 and name != "corresponding_tag":  # the key of a row is always there
            row.pop(name)
    return row


def _a_secret_row(identifier: str, algorithm: str, signer: str, choices: Choices) -> StoredRow:
    secret = _a_secret(algorithm, signer, choices)
    row = {**_PLAIN_SECRET, "id": identifier, "end_ts": NOW + 3600 + int(identifier), "secret": secret}
    return _put_over(row, SECRET_COLUMNS, choices)


def _a_secret(algorithm: str, signer: str, choices: Choices) -> object:
    """The key that verifies, in one of its forms; sometimes another key, a damaged one, or any text."""
    kind = choices.number() % 16
    if kind == 15:
        return choices.pick(TEXTS)
    if kind == 14:
        algorithm, signer = "none", choices.pick(_PUBLIC)
    if algorithm.startswith("HS"):
        return _an_hmac_secret(HMAC_KEY if kind == 13 else signer, choices)
    text = choices.pick(PUBLIC_FORMS)(signer, choices)
    if kind == 12:
        text = _damaged(text, choices)
    return text


def _an_hmac_secret(key: str, choices: Choices) -> str:
    form = choices.pick((0, 0, 0, 1, 1, 2, 3))
    jwk = _put_over(an_oct_jwk(key.encode()), JWK_MEMBERS, choices) if form else {}
    return (key, json.dumps(jwk), a_jwks(jwk, a_jwk("p256")), a_jwks(an_oct_jwk(OTHER_KEY.encode()), jwk))[form]


def _jwk_text(name: str, choices: Choices) -> str:
    return json.dumps(_put_over(a_jwk(name), JWK_MEMBERS, choices))


def _jwks_text(name: str, choices: Choices) -> str:
    return a_jwks(an_oct_jwk(), _put_over(a_jwk(name), JWK_MEMBERS, choices), a_jwk("rsa_2047"), None)


PUBLIC_FORMS: Sequence[Callable[[str, Choices], str]] = (
    lambda name, _: public_pem(name),
    _jwk_text,
    _jwks_text,
    lambda name, _: certificate_pem(name) if name != "secp256k1" else public_pem(name),
    lambda name, _: pkcs1_pem(name) if name.startswith("rsa") else public_pem(name),
    lambda name, _: private_pem(name) + public_pem(name),
    lambda name, _: private_pem(name),
    lambda name, _: public_pem("p256") + public_pem(name) + public_pem("rsa_2047"),
    lambda name, _: public_pem(name).replace("\n", "\r\n"),
    lambda name, _: segment(public_der(name)),
    lambda name, _: openssh_line(name) if name not in ("ed448", "secp256k1") else public_pem(name),
)


def _damaged(text: str, choices: Choices) -> str:
    at = (choices.number() * 256 + choices.number()) % (len(text) + 1)
    piece = choices.pick(("", "\n", " ", "-", "A", "=", "\0", "é", '"', "{"))
    return text[:at] + piece + text[at + choices.pick((1, 0, 2, 64)) :]


def _a_token(
    header: Mapping[str, object], claims: Mapping[str, object], algorithm: str, signer: str, choices: Choices
) -> str:
    first, second = (_written(value, choices) for value in (header, claims))
    signed = f"{segment(first)}.{segment(second)}"
    signature = _signature(signed, algorithm, signer)
    return f"{signed}.{segment(choices.seldom([b'', bytes(1), bytes(64), signature + bytes(1)], signature))}"


def _signature(signed: str, algorithm: str, signer: str) -> bytes:
    key = signer if algorithm.startswith("HS") else a_private_key(signer)
    return a_signature(signed, key, "EdDSA" if algorithm.startswith("Ed") else algorithm)


def _a_damaged_token(token: str, choices: Choices) -> object:
    changes: Sequence[Callable[[], object]] = (
        lambda: token,
        lambda: _damaged(token, choices),
        lambda: f"{token}.",
        lambda: f".{token}",
        lambda: f"{token}=",
        lambda: token[:-1] + choices.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        token.encode,
        lambda: [token],
        lambda: choices.pick((None, 1, "", ".", "..", "a.b.c", "\ud800", "....")),
    )
    return choices.pick(changes)()


def _written(value: Mapping[str, object], choices: Choices) -> bytes:
    """An object as JSON, in one of the ways to write it; sometimes damaged, or with something strict JSON has not."""
    style = choices.number() % 16
    text = json.dumps(value, ensure_ascii=style % 2 == 0, indent=1 if style == 3 else None)
    if style == 15:
        text = choices.pick(
            [
                *(
                    f"\ufeff{text}",
                    f"{text} x",
                    f"[{text}]",
                    f"{text[:-1]},{text[1:]}",
                    "null",
                    '"a"',
                    "",
                    f" \t\r\n{text} \n",
                ),
                *(_with(text, member) for member in ODD_MEMBERS),
            ]
        )
    octets = text.encode("utf-8", "surrogatepass")
    return octets + choices.pick((b"\xff", b"\0", b"\xed\xa0\x80", b"}")) if style == 14 else octets


def _with(text: str, member: str) -> str:
    return text[:-1] + ("," if len(text) > 2 else "") + member + "}"


ODD_MEMBERS: Sequence[str] = (
    *('"a":NaN', '"a":Infinity', '"a":-Infinity', '"a":1e400', '"a":-1e400', '"a":9223372036854775808', '"a":1e308'),
    *('"a":-9223372036854775809', '"a":-9223372036854775808', '"a":-0', '"a":-0.0', '"a":01', '"a":1.', '"a":.5'),
    *(
        '"a":+1',
        '"a":0x1',
        '"a":1e5',
        '"a":1E+5',
        '"a":1e-400',
        '"a":"\\u0000"',
        '"a":"\\ud800"',
        '"a":"\\udc00\\ud800"',
    ),
    *('"a":"\\ud83d\\ude00"', '"a":"\\/"', '"a":"\\x"', '"a":"\\u00"', '"a":"\t"', '"a":"\x7f"', '"\\u0000":1'),
    *('"a":1,"a":1', '"a":1,"\\u0061":1', '"a":{"b":1,"b":2}', "'a':1", '"a":tru', '"a":[1,]', '"a":1,', "//a"),
    *(f'"a":{"[" * depth}{"]" * depth}' for depth in (62, 63, 64, 65)),
    *(f'"a":{"{" * 1}"b":{"[" * depth}{"]" * depth}{"}" * 1}' for depth in (61, 62, 63)),
    *(
        '"a":"' + "[" * 100 + '"',
        f'"a":{"1" * 25}',
        f'"a":-{"0" * 1}',
        f'"a":0.{"1" * 40}',
        '"a":123456789.123456789e300',
    ),
)


# -- judging them -----------------------------------------------------------------------------------------------------


def an_authorizer_in(world: World) -> Authorizer:
    """The real decision, over the rows of *world* and without memory."""
    settings = Settings.from_env(world.settings)
    store = MemoryStore(world.profiles, world.secrets, settings.columns, settings.policy.credentials)
    store.revocations = [{"tag": tag, "jti": jti} for tag, jti in world.revocations]
    away = Unreachable("the tables cannot be reached")
    store.outage = away if world.unreadable == "revocations" else None
    if world.unreadable in ("profiles", "secrets"):
        store.halves = {Half.PROFILE if world.unreadable == "profiles" else Half.SECRETS: away}
    revocations = None
    if settings.revocations_table is not None:
        revocations = RevocationMemory(store, ttl=0, stale_for=0, timer=Clock())
    return Authorizer(
        memory=RowMemory(store, ttl=0, stale_for=0, timer=Clock()),
        policy=settings.policy,
        store_seconds=settings.store_timeout,
        revocations=revocations,
        clock=Clock(world.now),
    )


def outcome_of(world: World) -> Outcome:
    """What the service makes of *world*, in the model's words. An error that is neither denial nor fault rises."""
    try:
        answer = an_authorizer_in(world).authorize(
            world.token, from_user=world.from_user, from_domain=world.from_domain
        )
    except DeniedByUs as denied:
        return Denied(denied.reason.value)
    except FaultOfOurs:
        return Fault()
    return Allowed(answer.sip_username, answer.decoded_token, answer.credentials, answer.expires_at)


def outcomes_by_model(world: World) -> list[Outcome]:
    """What the model says may come of *world*."""
    tables = Tables.of(world.profiles, world.secrets, world.revocations, world.settings)
    if world.unreadable is not None:
        setattr(tables, world.unreadable, None)
    return decide(
        world.settings, tables, world.token, world.now, from_user=world.from_user, from_domain=world.from_domain
    )


def is_one_of(outcome: Outcome, possible: Sequence[Outcome]) -> bool:
    """Tell whether *outcome* is one of those that are *possible*, with credentials of the same types."""
    return any(outcome == other and _typed(outcome) == _typed(other) for other in possible)


def _typed(outcome: Outcome) -> dict[str, str]:
    credentials = outcome.credentials if isinstance(outcome, Allowed) else {}
    return {
        name: "number"
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        else repr(type(value))
        for name, value in credentials.items()
    }
