"""C. `alg: none`, keys that the token brings along, and the rules for headers."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

from auth_jwt.errors import Reason
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_private_key,
    a_token,
    an_oct_jwk,
    certificate_der,
    public_pem,
    segment,
    signed,
)
from tests.security.attacks import Attack, a_row

BAD_SIGNATURE, MALFORMED = Reason.BAD_SIGNATURE, Reason.MALFORMED_TOKEN
UNSUPPORTED, CRITICAL = Reason.UNSUPPORTED_ALGORITHM, Reason.UNSUPPORTED_CRITICAL_HEADER
ATTACKERS_KEY: Final = "the key of somebody else, sixty-four bytes of it, known to them!"
ATTACKERS_RSA: Final = a_private_key("rsa_2048_other")
ATTACKERS_JWK: Final = a_jwk("rsa_2048_other")
ATTACKERS_CERTIFICATE: Final = base64.b64encode(certificate_der("rsa_2048_other")).decode()
UNENCODED: Final = b'{"alg":"HS256","b64":false,"crit":["b64"]}'
RSA_ROW: Final = (a_row(public_pem()),)


def _unsigned() -> Iterator[Attack]:
    for alg in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "none\t",
        "n\u200bone",
        "\uff4eone",
        "",
        "HS256,none",
        "hs256",
        "HS256 ",
    ):
        for name, key in {"an empty key": "", "the key": HMAC_KEY}.items():
            yield Attack(
                "CVE-2021-44878", f"alg {alg!r}, signed by {name}", a_token(key=key, header={"alg": alg}), UNSUPPORTED
            )
    for alg in ("none", "nOnE", "HS256"):
        token = a_token(header={"alg": alg}).rpartition(".")[0]
        for name, unsigned in {
            "an empty signature": f"{token}.",
            "no signature": token,
            "a blank": f"{token}. ",
        }.items():
            yield Attack("CVE-2021-44878", f"alg {alg!r} with {name}", unsigned, MALFORMED)
    jwe = segment(b'{"alg":"RSA-OAEP","enc":"A256GCM"}')
    plain = segment(a_token(header={"alg": "none"}).encode())
    yield Attack("CVE-2026-29000", "a JWE around a plain JWT", f"{jwe}.AA.AA.{plain}.AA", MALFORMED)
    yield Attack("CVE-2026-29000", "a JWE with an empty key", f"{jwe}..AA.{plain}.AA", MALFORMED)
    header = json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT"}).encode()
    yield Attack("CVE-2026-29000", "the header of a JWE in a JWS", signed(header, b'{"tag":"t1"}'), UNSUPPORTED)
    nested = a_token(header={"cty": "JWT"}, payload=a_token().encode())
    yield Attack("CVE-2026-29000", "a JWT in a JWT", nested, MALFORMED)


def _kinds_of_keys() -> Iterator[Attack]:
    cases: tuple[tuple[str, str, str, str], ...] = (
        ("a DSA key", "dsa", "RS256", "rsa_2048"),
        ("an RSA key", "rsa_2048", "ES256", "p256"),
        ("an RSA key", "rsa_2048", "EdDSA", "ed25519"),
        ("an EC key", "p256", "RS256", "rsa_2048"),
        ("an EC key", "p256", "PS256", "rsa_2048"),
        ("a P-384 key", "p384", "ES256", "p256"),
        ("a secp256k1 key", "secp256k1", "ES256", "p256"),
        ("an X25519 key", "x25519", "EdDSA", "ed25519"),
        ("an Ed448 key", "ed448", "EdDSA", "ed25519"),
    )
    for name, stored, alg, kind in cases:
        token = a_token(key=a_private_key(kind), alg=alg)
        yield Attack("CVE-2022-23539", f"{name} for {alg}", token, BAD_SIGNATURE, (a_row(public_pem(stored)),))
    for alg, kind in {"Ed25519": "ed448", "Ed448": "ed25519", "ES384": "p256", "ES256": "p384"}.items():
        token = a_token(key=a_private_key(kind), alg="EdDSA" if "Ed" in alg else alg, header={"alg": alg})
        yield Attack("CVE-2022-23539", f"alg {alg}, signed by {kind}", token, BAD_SIGNATURE, (a_row(public_pem(kind)),))
    for alg in ("RS256", "RS512", "PS256", "PS512"):
        yield Attack("CVE-2022-23539", f"an RSA key for {alg}", a_token(key=a_private_key(), alg=alg), None, RSA_ROW)


def by_attacker(**header: object) -> str:
    """Return a token of the attacker's own key."""
    return a_token(key=ATTACKERS_RSA, alg="RS256", header=header)


def _keys_brought_along() -> Iterator[Attack]:
    for name, token in {
        "jwk": by_attacker(jwk=ATTACKERS_JWK),
        "jwk, with its kid": by_attacker(jwk={**ATTACKERS_JWK, "kid": "a"}, kid="a"),
        "jwk as text": by_attacker(jwk=json.dumps(ATTACKERS_JWK)),
        "jwks": by_attacker(jwks={"keys": [ATTACKERS_JWK]}),
        "key": by_attacker(key=ATTACKERS_JWK),
    }.items():
        yield Attack("CVE-2018-0114", f"the attacker's key as {name}", token, BAD_SIGNATURE, RSA_ROW)
    brought = an_oct_jwk(ATTACKERS_KEY.encode())
    yield Attack(
        "CVE-2018-0114", "an oct key as jwk", a_token(key=ATTACKERS_KEY, header={"jwk": brought}), BAD_SIGNATURE
    )
    everything = {
        "jku": "https://attacker.example/jwks.json",
        "x5u": "https://attacker.example/cert.pem",
        "x5c": [ATTACKERS_CERTIFICATE],
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
        "iss": "https://attacker.example",
    }
    for name, value in {**everything, "jku and jwk": None}.items():
        members = {name: value} if value is not None else {"jku": everything["jku"], "jwk": ATTACKERS_JWK}
        yield Attack("CVE-2026-27962", f"the attacker's key by {name}", by_attacker(**members), BAD_SIGNATURE, RSA_ROW)
        yield Attack("CVE-2026-27962", f"{name} has no effect on a good token", a_token(header=members), None)
    odd: dict[str, Any] = {
        "jku": 7,
        "x5u": "file:///etc/passwd",
        "x5c": None,
        "jwk": [],
        "zip": "DEF",
        "kid": "../../../../dev/null",
        "enc": "A256GCM",
        "cty": "JWT",
        "b64": True,
    }
    for name, value in odd.items():
        yield Attack(
            "CVE-2026-27962", f"{name} {value!r} has no effect on a good token", a_token(header={name: value}), None
        )


def _algorithms_of_keys() -> Iterator[Attack]:
    rs256 = a_token(key=a_private_key(), alg="RS256")
    only = {"ALLOWED_ALGORITHMS": "ES256"}
    for alg in ("RS256", "RS512", "none", "HS256"):
        rows = (a_row(json.dumps(a_jwk(alg=alg))),)
        yield Attack(
            "CVE-2026-48523", f"a JWK of {alg} where ES256 is allowed", rs256, UNSUPPORTED, rows, settings=only
        )
        reason = None if alg == "RS256" else BAD_SIGNATURE
        yield Attack("CVE-2026-48523", f"a JWK of {alg}, sent RS256", rs256, reason, rows)
    lying = a_token(key=a_private_key(), alg="RS512", header={"alg": "RS256"})
    yield Attack(
        "CVE-2026-48523", "a header of RS256 over RS512", lying, BAD_SIGNATURE, (a_row(json.dumps(a_jwk(alg="RS512"))),)
    )
    for alg in ("EdDSA", "Ed25519"):
        token = a_token(key=a_private_key("ed25519"), alg="EdDSA", header={"alg": alg})
        rows = (a_row(json.dumps(a_jwk("ed25519"))),)
        yield Attack(
            "CVE-2026-48523",
            f"{alg} where EdDSA is allowed",
            token,
            None,
            rows,
            settings={"ALLOWED_ALGORITHMS": "EdDSA"},
        )
        yield Attack("CVE-2026-48523", f"{alg} where ES256 is allowed", token, UNSUPPORTED, rows, settings=only)


CRITS: Final[tuple[Any, ...]] = (
    ["unknown"],
    ["exp"],
    ["b64"],
    ["alg"],
    ["unknown", "unknown"],
    ["exp", "unknown"],
    [],
    [""],
    [None],
    [1],
    [["exp"]],
    "unknown",
    "",
    {},
    {"exp": True},
    None,
    False,
    1,
)


def _critical() -> Iterator[Attack]:
    for crit in CRITS:
        advisory = "CVE-2026-32597" if isinstance(crit, list) else "CVE-2025-59420"
        yield Attack(advisory, f"crit {crit!r}", a_token(header={"crit": crit}), CRITICAL)
    twice = b'{"alg":"HS256","crit":["a"],"crit":[]}'
    yield Attack("CVE-2025-59420", "crit twice", a_token(header=twice), MALFORMED)
    escaped = twice.replace(b'"crit":[]', b'"cr\\u0069t":[]')
    yield Attack("CVE-2025-59420", "crit twice, once escaped", a_token(header=escaped), MALFORMED)
    present: dict[str, dict[str, object]] = {
        "x": {"crit": ["x"], "x": 1},
        "exp": {"crit": ["exp"], "exp": 1},
        "kid": {"crit": ["kid"], "kid": "a"},
        "b64": {"crit": ["b64"], "b64": True},
    }
    for name, members in present.items():
        yield Attack("CVE-2026-35042", f"crit names {name}, which is there", a_token(header=members), CRITICAL)
    for name in ("Crit", "crit ", "critical"):
        yield Attack("CVE-2026-35042", f"{name!r} is no crit", a_token(header={name: ["x"]}), None)


def _other_serialisations() -> Iterator[Attack]:
    header, payload, signature = a_token().split(".")
    none = segment(b'{"alg":"none"}')
    flat = {"protected": header, "payload": payload, "signature": signature}
    flattened: dict[str, dict[str, object]] = {
        "flattened, as it should be": {**flat},
        "flattened, alg in the unprotected header": {"payload": payload, "header": {"alg": "none"}, "signature": ""},
        "flattened, two algs": {**flat, "header": {"alg": "none"}},
        "flattened, none protected": {**flat, "protected": none, "signature": ""},
    }
    for name, members in flattened.items():
        yield Attack("GHSA-5739", name, json.dumps(members), MALFORMED)
    yield Attack("GHSA-5739", "an object instead of text", flat, MALFORMED)
    for advisory, signatures in {"CVE-2026-102946": [], "CVE-2026-96760": [dict[str, str]()]}.items():
        value = {"payload": payload, "signatures": signatures}
        yield Attack(advisory, f"JSON serialisation with signatures {signatures}", json.dumps(value), MALFORMED)
        yield Attack(advisory, f"the same as an object, {signatures}", value, MALFORMED)
    for token in ([a_token()], None, 1, True):
        yield Attack("CVE-2026-96760", f"a token of type {type(token).__name__}", token, MALFORMED)
    good = a_token()
    for name, text in {
        "JSON and compact at once": '{"' + good + '":"x","protected":"e30","payload":"e30","signature":"AA"}',
        "compact, with JSON behind": good + '{"payload":"e30"}',
        "compact in JSON": json.dumps({good.rpartition(".")[0]: "." + signature}),
        "compact in quotes": f'"{good}"',
    }.items():
        yield Attack("CVE-2022-39227", name, text, MALFORMED)
    yield Attack("CVE-2022-39227", "compact alone", good, None)


def _detached() -> Iterator[Attack]:
    header, payload, signature = a_token().split(".")
    yield Attack("CVE-2026-102270", "a detached payload", f"{header}..{signature}", MALFORMED)
    yield Attack("CVE-2026-102270", "a detached payload behind", f"{header}..{signature}.{payload}", MALFORMED)
    yield Attack("CVE-2026-102270", "two payloads", f"{header}.{payload}.{payload}.{signature}", MALFORMED)
    yield Attack("CVE-2026-102270", "b64 false, critical", a_token(header={"b64": False, "crit": ["b64"]}), CRITICAL)
    for value in (False, 0, None, "true", dict[str, str]()):
        yield Attack("CVE-2026-102270", f"b64 {value!r}", a_token(header={"b64": value}), CRITICAL)
    raw = f'{segment(UNENCODED)}.{{"tag":"t1"}}.{signature}'
    yield Attack("CVE-2026-102270", "b64 false, a payload that is not encoded", raw, MALFORMED)
    yield Attack("CVE-2026-102270", "b64 true says nothing", a_token(header={"b64": True}), None)


def _members_twice() -> Iterator[Attack]:
    for name, text in {
        "alg twice, none first": b'{"alg":"none","alg":"HS256"}',
        "alg twice, none last": b'{"alg":"HS256","alg":"none"}',
        "alg twice, once escaped": b'{"alg":"none","\\u0061lg":"HS256"}',
        "typ twice": b'{"alg":"HS256","typ":"JWT","typ":"x"}',
        "kid twice": b'{"alg":"HS256","kid":"a","kid":"b"}',
        "a member twice, deep down": b'{"alg":"HS256","jwk":{"a":{"b":1,"b":2}}}',
        "alg of two": b'{"alg":["HS256","none"]}',
        "alg a number": b'{"alg":256}',
        "typ a number": b'{"alg":"HS256","typ":1}',
        "kid a number": b'{"alg":"HS256","kid":1}',
        "kid null": b'{"alg":"HS256","kid":null}',
        "a list": b'["HS256"]',
        "text": b'"HS256"',
        "null": b"null",
        "a BOM": b'\xef\xbb\xbf{"alg":"HS256"}',
        "UTF-16": '{"alg":"HS256"}'.encode("utf-16"),
        "no UTF-8": b'{"alg":"HS256","x":"\xff"}',
        "overlong UTF-8": b'{"alg":"HS256","x":"\xc0\xaf"}',
        "text behind": b'{"alg":"HS256"}{"alg":"none"}',
        "a comma too many": b'{"alg":"HS256",}',
        "a comment": b'{"alg":"HS256"/* none */}',
        "single quotes": b"{'alg':'HS256'}",
    }.items():
        yield Attack("GHSA-5739", f"a header with {name}", a_token(header=text), MALFORMED)
    for typ in ("jwt", "JWT", "at+jwt", "JOSE", "", "JWT ", "application/jwt"):
        reason = None if typ.lower() == "jwt" else Reason.UNSUPPORTED_TYPE
        yield Attack("GHSA-5739", f"typ {typ!r}", a_token(header={"typ": typ}), reason)


ATTACKS: Final = (
    *_unsigned(),
    *_kinds_of_keys(),
    *_keys_brought_along(),
    *_algorithms_of_keys(),
    *_critical(),
    *_other_serialisations(),
    *_detached(),
    *_members_twice(),
)
