"""Targets: what the text of a secret is taken for, and key sets and documents of issuers."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth_jwt.errors import Invalid
from auth_jwt.fetching.documents import FilteredKeySet, read_discovery, read_key_set
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.lookalikes import is_key_material, what_else, what_octets_are
from auth_jwt.models import Columns, Secret
from auth_jwt.provisioning.pasted import key_pasted_as_token, read_pasted
from tests.factories import (
    HMAC_KEY,
    KEYS,
    a_jwk,
    a_jwks,
    an_oct_jwk,
    certificate_pem,
    openssh_line,
    pkcs1_pem,
    public_der,
    public_pem,
    segment,
)
from tests.fuzz.target import Target, hides, text_of
from tests.model.keys import Key, Usable, keys_of_row

_ALGS: Sequence[str | None] = (
    *(None, "HS256", "HS256, HS384,HS512", "RS256", "EdDSA", "ES256,ES384,ES512", "HS256,RS256", "Ed25519", "", "none"),
)
_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_NAMES = ("rsa_2048", "p256", "p384", "p521", "ed25519", "ed448", "rsa_2047", "secp256k1")
_WORDS = (
    *(
        "kty",
        "keys",
        "oct",
        "RSA",
        "EC",
        "OKP",
        "use",
        "sig",
        "key_ops",
        "verify",
        "alg",
        "kid",
        "crv",
        "P-256",
        "AQAB",
    ),
    *("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "arn:aws:", "https://"),
    *("ssh-rsa AAAA", "MIIB", "0x", "x'", "%2B", "&#43;", "\\u002b", "modulus", "BEGIN", "{{resolve:", "k1.public."),
    *(
        "null",
        '"d":""',
        '"oth":[]',
        "\ufeff",
        "\0",
        "\n",
        "RSAKeyValue",
        "file://",
        "did:key:",
        "v=DKIM1",
        "PUBLIC KEY",
    ),
)


def _texts() -> Iterator[str]:
    yield HMAC_KEY
    yield json.dumps(an_oct_jwk())
    for name in _NAMES:
        yield public_pem(name)
        yield segment(public_der(name))
        yield public_der(name).hex()
        if name != "secp256k1":
            yield json.dumps(a_jwk(name))
    yield a_jwks(*(a_jwk(name, kid=name) for name in _NAMES[:4]))
    yield from (certificate_pem(), pkcs1_pem(), openssh_line(), certificate_pem("p256") + public_pem("ed25519"))
    for row in json.loads((KEYS / "rows.json").read_text("utf-8")):
        if isinstance(row.get("secret"), str) and len(row["secret"]) < 2000:
            yield row["secret"]


# -- keys -------------------------------------------------------------------------------------------------------------


def check_key(octets: bytes) -> None:
    """A secret is the keys that the model finds in it, with what they verify, or a flaw that shows nothing of it."""
    alg = _ALGS[octets[0] % len(_ALGS)] if octets else None
    text = text_of(octets[1:])
    secret = Secret.from_row({"id": "1", "secret": text} | ({} if alg is None else {"alg": alg}), Columns())
    unusable, found = secret.unusable, () if secret.flaw else secret.keys
    assert (unusable is None) is bool(found)
    assert all(key.algorithms for key in found)
    assert hides(text.strip(), unusable, repr(secret), *map(repr, found)), "the secret is shown"
    named = None if alg is None else {name.strip() for name in alg.split(",")}
    theirs = [key for key in keys_of_row(text, named, requires_alg=False) if key.algorithms]
    sure = [key for key in theirs if key.usable is Usable.YES]
    ours = [_shape(key) for key in found]
    assert all(_shape(key) in ours for key in sure), (ours, sure)
    assert all(shape in [_shape(key) for key in theirs] for shape in ours), (ours, theirs)


def _shape(key: VerificationKey | Key) -> tuple[object, ...]:
    material = key.material
    held = material if isinstance(material, bytes) else material.public_bytes(*_SPKI)
    return tuple(sorted(key.algorithms)), key.kid, held


def _key_seeds() -> Iterator[bytes]:
    for number, text in enumerate(_texts()):
        yield bytes([number % len(_ALGS)]) + text.encode("utf-8", "surrogateescape")
        yield b"\0" + text.encode("utf-8", "surrogateescape")


# -- lookalikes -------------------------------------------------------------------------------------------------------


def check_lookalike(octets: bytes) -> None:
    """A public key within any text is seen, as is what is certain of any text; answers show nothing of it."""
    text = text_of(octets[1:])
    answer, certain = what_else(text), is_key_material(text)
    what_octets_are(octets[1:])
    assert answer is not None or not certain, "certain, and not in doubt"
    assert hides(text, answer)
    form = octets[0] % (len(_FORMS) + 1) if octets else 0
    if form and len(text) < 60:
        before, mark, behind = text.partition("|")
        if mark and not _joins(before[-1:]) and not _joins(behind[:1]):
            planted = before + _FORMS[form - 1] + behind
            assert what_else(planted) is not None, planted


def _joins(character: str) -> bool:
    """Tell whether a character may belong to what is encoded beside it: then the run is another one."""
    is_plain = character.isascii() and character.isprintable() and not character.isalnum()
    return bool(character) and (not is_plain or character in "+/=-_.:,;\\%&#'\" ~<>")


_FORMS = [
    form
    for name in ("p256", "ed25519")
    for form in (base64.b64encode(public_der(name)).decode(), public_der(name).hex(), json.dumps(a_jwk(name)))
]


def _lookalike_seeds() -> Iterator[bytes]:
    for number, text in enumerate(_texts()):
        yield bytes([number % 7]) + text.encode("utf-8", "surrogateescape")
    for form in range(7):
        yield bytes([form]) + b"key: (|)"


# -- what issuers publish ---------------------------------------------------------------------------------------------


def check_key_set(octets: bytes) -> None:
    """A key set is read or a failed fetch; what is kept verifies, stays as it is, and has no private member."""
    url = "https://keys.test/keys"
    try:
        kept = read_key_set(octets[1:], url)
    except FetchFailed:
        kept = None
    if kept is not None:
        assert kept.key_set.keys
        assert all(key.key is not None for key in kept.key_set.keys)
        assert read_key_set(kept.key_set.text.encode(), url) == FilteredKeySet(kept.key_set, ())
        entries: list[dict[str, Any]] = json.loads(kept.key_set.text)["keys"]
        assert all(entry.keys() <= {"kty", "kid", "alg", "n", "e", "crv", "x", "y"} for entry in entries)
    try:
        found = read_discovery(octets[1:], "https://login.test/")
    except FetchFailed:
        return
    assert found.keys_url.startswith("https://")


def _key_set_seeds() -> Iterator[bytes]:
    yield b"\0" + a_jwks(*(a_jwk(name, kid=name, use="sig") for name in _NAMES[:6])).encode()
    for name in _NAMES:
        if name != "secp256k1":
            yield b"\0" + a_jwks(a_jwk(name)).encode()
    yield b"\0" + a_jwks(an_oct_jwk(), a_jwk("p256", d="AQAB"), None).encode()
    yield b'\0{"issuer":"https://login.test/","jwks_uri":"https://login.test/keys","id_token_signing_alg_values_supported":["RS256"]}'


# -- pasted tokens ----------------------------------------------------------------------------------------------------


def check_pasted(octets: bytes) -> None:
    """Whatever is pasted is a token or not, or invalid; what is said of it shows nothing of it.

    Twice is as once, where as many layers are taken away as there are.
    """
    text = text_of(octets)
    key_pasted_as_token(text)
    try:
        pasted = read_pasted(text)
    except Invalid as problem:
        assert hides(text, problem)
        return
    assert hides(pasted.token, repr(pasted), *pasted.removed)
    assert set(pasted.spoils) <= set(pasted.removed)
    with patch("auth_jwt.provisioning.pasted._MOST_LAYERS", len(text) + 1):
        bare = read_pasted(text).token
        again = read_pasted(bare).token
    assert again == bare, (bare, again)


def _pasted_seeds() -> Iterator[bytes]:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ0YWciOiJ0MSJ9.c2ln"
    forms = (
        "{}",
        "Authorization: Bearer {}",
        '"{}"',
        "?token={}",
        '{{"jwt_token": "{}"}}',
        "-H 'Authorization: Bearer {}'",
        "{}\n",
        "%22{}%22",
    )
    for form in forms:
        yield form.format(token).encode()


TARGETS = (
    Target("key", check_key, _key_seeds, _WORDS, 3000),
    Target("lookalike", check_lookalike, _lookalike_seeds, _WORDS, 1200),
    Target("key-set", check_key_set, _key_set_seeds, (*_WORDS, "issuer", "jwks_uri")),
    Target("pasted", check_pasted, _pasted_seeds, ("Authorization", "Bearer ", "token=", "%22", "\\n", "jwt_token")),
)
