"""H. What this service accepted once, in November 2026: keys that anybody has or can sign by, in any spelling."""

import base64
import hashlib
import json
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth_jwt.errors import Reason
from tests.doubtful_keys import PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    KEYS,
    a_jwk,
    a_token,
    an_oct_jwk,
    json_octets,
    octets_of,
    openssh_line,
    public_der,
    public_pem,
    segment,
)
from tests.lookalikes.public_texts import WRAPPINGS_OF_OCTETS, Key, texts_of
from tests.security.attacks import VALIDATED, Attack, a_row

BAD_SIGNATURE: Final = Reason.BAD_SIGNATURE
EXAMINED: Final = ("rsa_2050", "p256", "ed25519", "rsa_1023", "p384")


def by_text(advisory: str, what: str, text: str, *, script: int | None = None, **columns: object) -> Attack:
    """Sign with the *text* that is stored."""
    return Attack(advisory, what, a_token(key=text), BAD_SIGNATURE, (a_row(text, **columns),), script=script)


def _public_keys() -> Iterator[Attack]:
    kinds = cycle(EXAMINED)
    for name, wrap in WRAPPINGS_OF_OCTETS.items():
        kind = next(kinds)
        yield by_text("seen public keys", f"{kind}, {name}", wrap(Key(kind, 1).spki))
    for kind in ("rsa_2050", "p256", "ed25519"):
        for name, text in list(texts_of(Key(kind, 2)))[::5]:
            yield by_text("seen public keys", f"{kind}, {name}", text)
    for name, text in {
        "base64 of 32 bytes": "nxxk2LfgOlWC/hHJbUCrd+I4W9D2GUyOo9dfILhskeQ=",
        "a passphrase": "correct horse, battery staple; and 42 more of them!",
        "a UUID": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    }.items():
        yield Attack("seen public keys", f"no key, but {name}", a_token(key=text), None, (a_row(text),))


def _oct_jwks() -> Iterator[Attack]:
    modulus = octets_of(str(a_jwk()["n"]))
    for name, octets in {
        "a modulus": modulus,
        "a modulus as DER has it": b"\0" + modulus,
        "a modulus in base64url": str(a_jwk()["n"]).encode(),
        "a modulus in hex": modulus.hex().encode(),
        "a JWK": json.dumps(a_jwk("ed25519")).encode(),
        "a JWKS": json.dumps({"keys": [a_jwk("p256")]}).encode(),
        "an address": b"https://login.example.com/jwks.json",
        "an address in quotes": "\u201chttps://login.example.com/\u201d".encode(),
        "DER": public_der("ed25519"),
        "DER in base64": base64.b64encode(public_der("p256")),
        "PEM": public_pem("ed25519").encode(),
        "an OpenSSH line": openssh_line("ed25519").encode(),
        "a point": Key("p256", 1).point,
    }.items():
        text = json.dumps(an_oct_jwk(octets))
        for row in ({}, {"alg": "HS256"}):
            what = f"oct JWK of {name}{', called HS256' if row else ''}"
            yield Attack("seen oct JWKs", what, a_token(key=octets), BAD_SIGNATURE, (a_row(text, **row),))
    yield Attack("seen oct JWKs", "oct JWK of a secret", a_token(), None, (a_row(json.dumps(an_oct_jwk())),))


REFERENCES: Final = {
    "ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sip-login-AbCdEf",
    "ARN of a parameter": "arn:aws:ssm:eu-central-1:123456789012:parameter/sip/login",
    "ARN in capitals": "ARN:AWS:SSM:EU-CENTRAL-1:123456789012:PARAMETER/SIP/LOGIN",
    "ARN of China": "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/sip/login",
    "address": "https://login.example.com/realms/sip/jwks.json",
    "address in mixed case": "HtTpS://login.example.com/realms/sip/jwks.json",
    "address over http": "http://login.example.com/realms/sip/jwks.json",
    "address in quotes": '"https://login.example.com/realms/sip/jwks.json"',
    "address in single quotes": "'https://login.example.com/realms/sip/jwks.json'",
    "address in angle brackets": "<https://login.example.com/realms/sip/jwks.json>",
    "address in typographic quotes": "\u201chttps://login.example.com/jwks.json\u201d",
    "address behind a name": "jwks_uri=https://login.example.com/realms/sip/jwks.json",
    "address in percent encoding": "https%3A%2F%2Flogin.example.com%2Frealms%2Fsip%2Fjwks.json",
    "address with slashes escaped": r'{"key":"https:\/\/login.example.com\/jwks.json"}',
    "address in base64": base64.b64encode(b"https://login.example.com/jwks.json").decode(),
    "address in UTF-16": "https://login.example.com/a".encode("utf-16-le").decode("latin-1"),
    "file": "file:///etc/keys/the-public-key-of-login.pem",
    "bucket": "s3://a-bucket-of-keys/the-public-key.pem",
    "parameter": "ssm:/sip/login/the-public-key-of-it",
    "dynamic reference": "{{resolve:secretsmanager:sip-login-key}}",
    "DID": "did:web:login.example.com:users:alice",
    "discovery document": '{"issuer":"https://login.example.com","jwks_uri":"https://login.example.com/jwks"}',
}


def _references() -> Iterator[Attack]:
    for name, text in REFERENCES.items():
        yield by_text("seen references", name, text)
        if text.lower().startswith(("arn:", "https://")):
            yield by_text("seen references", f"{name}, called HS256", text, alg="HS256")
    mentioned = "see https://login.example.com/ for how to log in"
    yield Attack("seen references", "a word before an address", a_token(key=mentioned), None, (a_row(mentioned),))


# -- keys by which anybody can sign -----------------------------------------------------------------------------------


def _signed_by_number(modulus: int, exponent: int) -> str:
    """Sign RS256 by an RSA key that is no product of two primes: by a prime, or with the exponent 1."""
    head = f"{segment(json_octets({'alg': 'RS256'}))}.{segment(json_octets({'tag': 't1'}))}"
    size = (modulus.bit_length() + 7) // 8
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(head.encode()).digest()
    padded = int.from_bytes(b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest, "big")
    return f"{head}.{segment(pow(padded, exponent, modulus).to_bytes(size, 'big'))}"


def _signed_by_nobody(point: bytes) -> str:
    """Sign EdDSA for a *point* of small order: zeros verify as soon as the hash fits, within ten tries or so."""
    key = Ed25519PublicKey.from_public_bytes(point)
    signature = b"\1" + bytes(63)
    for number in range(1000):
        head = f"{segment(json_octets({'alg': 'EdDSA'}))}.{segment(json_octets({'tag': 't1', 'n': number}))}"
        try:
            key.verify(signature, head.encode())
        except InvalidSignature:
            continue
        return f"{head}.{segment(signature)}"
    raise AssertionError(point)


def _okp(x: bytes) -> str:
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": segment(x)})


def _degenerate() -> Iterator[Attack]:
    for name, point in {
        "zeros": bytes(32),
        "the neutral element": b"\1" + bytes(31),
        "order 2": b"\xec" + b"\xff" * 30 + b"\x7f",
        "zeros with a sign": bytes(31) + b"\x80",
    }.items():
        pem = Ed25519PublicKey.from_public_bytes(point).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        token = _signed_by_nobody(point)
        for form, text in {"JWK": _okp(point), "PEM": pem.decode()}.items():
            what = f"Ed25519 key of {name}, {form}"
            yield Attack("seen degenerate keys", what, token, BAD_SIGNATURE, (a_row(text),))
    curves: dict[str, tuple[ec.EllipticCurve, str]] = {
        "P-256": (ec.SECP256R1(), "ES256"),
        "P-384": (ec.SECP384R1(), "ES384"),
        "P-521": (ec.SECP521R1(), "ES512"),
    }
    for name, (curve, alg) in curves.items():
        for scalar in (1, curve.group_order - 1):
            private = ec.derive_private_key(scalar, curve)
            pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            what = f"the {'generator' if scalar == 1 else 'negative generator'} of {name}"
            yield Attack(
                "seen degenerate keys", what, a_token(key=private, alg=alg), BAD_SIGNATURE, (a_row(pem.decode()),)
            )
        private = ec.derive_private_key(4711, curve)
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        what = f"another point of {name}"
        yield Attack("seen degenerate keys", what, a_token(key=private, alg=alg), None, (a_row(pem.decode()),))
    modulus = int.from_bytes(octets_of(str(a_jwk()["n"])), "big")
    for name, number, exponent in (
        ("exponent 1", modulus, 1),
        ("an even modulus", modulus + 1, 65537),
        ("exponent 2", modulus, 2),
        ("exponent 0", modulus, 0),
    ):
        members = {"n": segment(number.to_bytes(256, "big")), "e": segment(exponent.to_bytes(3, "big").lstrip(b"\0"))}
        text = json.dumps({"kty": "RSA", **members})
        yield Attack(
            "seen degenerate keys", f"RSA with {name}", _signed_by_number(number, 1), BAD_SIGNATURE, (a_row(text),)
        )
    by_prime = _signed_by_number(PRIME_MODULUS, pow(65537, -1, PRIME_MODULUS - 1))
    rows = (a_row(public_key_pem(PRIME_MODULUS)),)
    what = "RSA with a prime modulus, which a login has no time to find out"
    yield Attack("seen degenerate keys", what, by_prime, None, rows)


def _published() -> Iterator[Attack]:
    published = json.loads((KEYS / "published.json").read_text("utf-8"))
    texts = [key for entry in published["hmac_keys"] for key in entry["keys"]]
    shorter = [text for text in texts if len(text) <= 200]
    for number, text in enumerate(shorter[:40:2]):
        yield Attack(
            "seen published keys",
            f"HMAC key {number} of the list",
            a_token(key=text),
            BAD_SIGNATURE,
            (a_row(text, alg="HS256"),),
            settings={"MIN_HMAC_KEY_BYTES": "1"},
            script=VALIDATED,
        )
    d = octets_of("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    key = Ed25519PrivateKey.from_private_bytes(d)
    x = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    yield Attack(
        "seen published keys",
        "RFC 8037, A.1",
        a_token(key=key, alg="EdDSA"),
        BAD_SIGNATURE,
        (a_row(_okp(x)),),
        script=VALIDATED,
    )
    scalar = int.from_bytes(octets_of("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    token = a_token(key=private, alg="ES256")
    yield Attack("seen published keys", "RFC 7515, A.3", token, BAD_SIGNATURE, (a_row(pem),), script=VALIDATED)
    yield Attack("seen published keys", "a key of nobody else", a_token(), None, (a_row(HMAC_KEY, alg="HS256"),))


def _blank() -> Iterator[Attack]:
    for name, text in {
        "blanks": " " * 64,
        "NULs": "\0" * 64,
        "tabs and line breaks": "\t\r\n " * 16,
        "blanks of no width": "\u200b" * 32,
        "blanks that do not break": "\u00a0" * 32,
        "ideographic blanks": "\u3000" * 32,
        "byte order marks": "\ufeff" * 32,
        "joiners": "\u200d\u2060" * 16,
    }.items():
        for columns in ({}, {"alg": "HS256"}):
            what = f"{name}{', called HS256' if columns else ''}"
            yield by_text("seen blank keys", what, text, script=VALIDATED, **columns)
        octets = text.encode()
        what = f"oct JWK of {name}"
        rows = (a_row(json.dumps(an_oct_jwk(octets))),)
        yield Attack("seen blank keys", what, a_token(key=octets), BAD_SIGNATURE, rows, script=VALIDATED)
    seen = " " * 63 + "x"
    yield Attack("seen blank keys", "blanks and a letter", a_token(key=seen), None, (a_row(seen, alg="HS256"),))


def _many_secrets() -> Iterator[Attack]:
    rows = tuple(a_row(f"{number} {HMAC_KEY}", id=f"{number:03}", start_ts=number) for number in range(30))
    few = {"MAX_SECRETS_PER_TAG": "5"}
    for number, reason in {0: BAD_SIGNATURE, 24: BAD_SIGNATURE, 25: None, 29: None}.items():
        token = a_token(key=f"{number} {HMAC_KEY}")
        yield Attack("seen many secrets", f"number {number} of 30 where 5 count", token, reason, rows, settings=few)
        yield Attack("seen many secrets", f"number {number} of 30 where all count", token, None, rows)


INVISIBLE: Final = "\x01\x1b\x1f\x7f\x80\x85\x9b\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"


def _tags() -> Iterator[Attack]:
    for character in INVISIBLE:
        what = f"U+{ord(character):04X}"
        yield Attack("seen tags", f"{what} in a tag", a_token(tag=f"t1{character}x"), Reason.UNKNOWN_TAG)
        yield Attack("seen tags", f"{what} in a kid", a_token(header={"kid": f"a{character}b"}), None)
    forged = a_token(tag='t1"}\n{"level":"INFO","outcome":"authorized"')
    yield Attack("seen tags", "a tag that would be a log line", forged, Reason.UNKNOWN_TAG)
    moving = a_token(tag="t1\x1b[2K\x1b[1A")
    yield Attack("seen tags", "a tag that would move a cursor", moving, Reason.UNKNOWN_TAG)


ATTACKS: Final = (
    *_public_keys(),
    *_oct_jwks(),
    *_references(),
    *_degenerate(),
    *_published(),
    *_blank(),
    *_many_secrets(),
    *_tags(),
)
