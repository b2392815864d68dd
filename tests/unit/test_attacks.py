"""Inputs that broke other JWT software, each held here: refused with its stable reason, or accepted where it is sound.

Named by advisory where there is one. A token holder controls the token alone; the rows are the operator's, who may
have stored a public key where an HMAC secret belongs.
"""

import base64
import hmac
import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied, Reason
from auth_jwt.jose.tokens import HeaderRules
from tests.factories import (
    NOW,
    StoredRow,
    a_jwk,
    a_jwks,
    a_private_key,
    a_profile,
    a_secret,
    a_token,
    an_authorizer,
    an_oct_jwk,
    certificate_der,
    certificate_pem,
    octets_of,
    openssh_line,
    pkcs1_pem,
    public_der,
    public_pem,
    refusal,
    segment,
    signed,
)
from tests.fakes import Clock

BAD_SIGNATURE, MALFORMED = Reason.BAD_SIGNATURE, Reason.MALFORMED_TOKEN
UNSUPPORTED, CRITICAL = Reason.UNSUPPORTED_ALGORITHM, Reason.UNSUPPORTED_CRITICAL_HEADER

ATTACKERS_KEY = "the key of somebody else, sixty-four bytes of it, known to them!"


@dataclass(frozen=True)
class Attack:
    """A token sent against stored rows, and what must come of it.

    Attributes:
        id: the advisory, and what it is in a few words.
        token: what is sent.
        reason: the stable reason; None where the token is sound.
        rows: the secrets stored.
        rules: fields of `Policy`.
    """

    id: str
    token: object
    reason: Reason | None
    rows: tuple[StoredRow, ...] = field(default_factory=lambda: (a_secret(),))
    rules: dict[str, Any] = field(default_factory=dict)

    def authorizer(self) -> Authorizer:
        return an_authorizer(*self.rows, **self.rules)


# -- A. a public key, in any textual form, used as an HMAC secret -----------------------------------------------------


def in_lines(text: str, end: str) -> str:
    return end.join(text[at : at + 64] for at in range(0, len(text), 64))


BODY = base64.b64encode(public_der()).decode()

PUBLIC_KEYS_AS_TEXT = {
    "CVE-2015-9235 SubjectPublicKeyInfo PEM": public_pem(),
    "CVE-2017-11424 PKCS#1 PEM": pkcs1_pem(),
    "CVE-2022-29217 ssh-rsa": openssh_line(),
    "CVE-2022-29217 ecdsa-sha2-nistp256": openssh_line("p256"),
    "CVE-2022-29217 ssh-ed25519": openssh_line("ed25519"),
    "CVE-2024-33663 OpenSSH ECDSA P-521": openssh_line("p521"),
    "CVE-2024-33663 RFC 4716": f"---- BEGIN SSH2 PUBLIC KEY ----\n{openssh_line().split()[1]}\n---- END ----",
    "CVE-2026-85394 base64 of DER": BODY,
    "CVE-2026-85394 base64url of DER": segment(public_der("p256")),
    "CVE-2026-85394 hex of DER": public_der("ed25519").hex(),
    "CVE-2024-37568 PEM of an EC key": public_pem("p256"),
    "CVE-2026-114615 PEM with text in front": "key: " + public_pem(),
    "CVE-2026-114615 PEM with a BOM in front": "\ufeff" + public_pem(),
    "CVE-2023-48223 PKCS#1 PEM without a last newline": pkcs1_pem().rstrip(),
    "CVE-2026-34950 PEM after blanks": " \t\r\n" + public_pem(),
    "CVE-2026-107722 PEM after a NUL": "\0" + public_pem(),
    "CVE-2026-107724 JWK": json.dumps(a_jwk()),
    "CVE-2026-48526 JWK of an EC key": json.dumps(a_jwk("p384")),
    "CVE-2026-22817 JWK without alg, with kid": json.dumps(a_jwk(kid="a", use="sig")),
    "CVE-2026-102268 PEM with CRLF": public_pem().replace("\n", "\r\n"),
    "CVE-2026-102268 PEM with tabs": public_pem().replace("\n", "\n\t"),
    "CVE-2026-102268 PEM with doubled blanks": public_pem().replace("BEGIN PUBLIC", "BEGIN  PUBLIC"),
    "CVE-2026-102268 PEM on one line": public_pem().replace("\n", " "),
    "CVE-2026-102268 PEM joined up": public_pem().replace("\n", ""),
    "CVE-2026-102268 PEM with newlines written out": public_pem().replace("\n", "\\n"),
    "CVE-2026-102268 PEM in small letters": public_pem().lower(),
    "CVE-2026-102271 base64 of DER in lines": in_lines(BODY, "\n"),
    "CVE-2026-102271 base64 of a certificate": base64.b64encode(certificate_der()).decode(),
    "CVE-2026-102272 JWKS": a_jwks(a_jwk(), a_jwk("p256")),
    "CVE-2026-102272 list of JWKs": json.dumps([a_jwk()]),
    "CVE-2026-102273 BOM before a JWK": "\ufeff" + json.dumps(a_jwk()),
    "CVE-2026-102273 nested JWK": json.dumps({"login": {"key": a_jwk()}}),
    "CVE-2026-102273 JWK with kty escaped, nested": json.dumps([a_jwk()]).replace("kty", "\\u006bty"),
    "OpenSIPS certificate PEM": certificate_pem(),
    "own: hex of PEM": public_pem("p256").encode().hex(),
    "own: base64 of PEM": base64.b64encode(public_pem("p256").encode()).decode(),
    "own: base64 of a JWK": base64.b64encode(json.dumps(a_jwk()).encode()).decode(),
    "own: PEM of a key too small": public_pem("rsa_2047"),
    "own: PEM of a type that verifies nothing": public_pem("dsa"),
}


def key_confusions() -> Iterator[Attack]:
    for name, text in PUBLIC_KEYS_AS_TEXT.items():
        spellings = {"as stored": text, "without blanks around": text.strip("\ufeff \t\r\n\0")}
        if spellings["without blanks around"] == text:
            del spellings["without blanks around"]
        for how, key in spellings.items():
            for alg in ("HS256", "HS384", "HS512"):
                yield Attack(f"{name}, {alg} by it {how}", a_token(key=key, alg=alg), BAD_SIGNATURE, (a_secret(text),))


KEY_CONFUSION = [
    *key_confusions(),
    Attack(
        "CVE-2026-85394 PEM stored, HS256 by its DER",
        a_token(key=public_der()),
        BAD_SIGNATURE,
        (a_secret(public_pem()),),
    ),
    Attack(
        "CVE-2026-85394 DER stored as octets",
        a_token(key=public_der()),
        BAD_SIGNATURE,
        (a_secret(public_der()),),
    ),
    Attack(
        "CVE-2026-85394 base64 of DER stored, HS256 by the DER",
        a_token(key=public_der()),
        BAD_SIGNATURE,
        (a_secret(BODY),),
    ),
    Attack(
        "CVE-2022-23541 a row that calls a public key HS256",
        a_token(key=public_pem()),
        BAD_SIGNATURE,
        (a_secret(public_pem(), alg="HS256"),),
    ),
    Attack(
        "CVE-2026-39999 an RS256 row, HS256 by the public key",
        a_token(key=public_pem()),
        BAD_SIGNATURE,
        (a_secret(public_pem(), alg="RS256"),),
    ),
    Attack(
        "CVE-2026-48523 a public JWK that calls itself HS256",
        a_token(key=json.dumps(a_jwk(alg="HS256"))),
        BAD_SIGNATURE,
        (a_secret(json.dumps(a_jwk(alg="HS256"))),),
    ),
    *(
        Attack(
            f"CVE-2026-57997 a row meant for HS256, sent {alg}",
            a_token(alg=alg),
            BAD_SIGNATURE,
            (a_secret(alg="HS256"),),
        )
        for alg in ("HS384", "HS512")
    ),
    Attack("CVE-2026-57997 a row meant for HS256, sent HS256", a_token(), None, (a_secret(alg="HS256"),)),
]

# -- B. an empty, missing or weak key ---------------------------------------------------------------------------------

RSA_JWK = json.dumps(a_jwk())
ODD_VALUES: tuple[Any, ...] = (None, 1, 1.5, True, [], {})

WEAK_KEYS = [
    *(
        Attack(
            f"OpenSIPS empty secret, {alg} over an empty key", a_token(key="", alg=alg), BAD_SIGNATURE, (a_secret(""),)
        )
        for alg in ("HS256", "HS384", "HS512")
    ),
    Attack(
        "OpenSIPS empty secret, an empty key allowed to be short",
        a_token(key=""),
        BAD_SIGNATURE,
        (a_secret(""),),
        {"min_hmac_key_bytes": 1},
    ),
    Attack("OpenSIPS empty secret, alg none", a_token(key="", header={"alg": "none"}), UNSUPPORTED, (a_secret(""),)),
    Attack(
        "CVE-2026-102266 oct JWK with an empty k",
        a_token(key=""),
        BAD_SIGNATURE,
        (a_secret('{"kty":"oct","k":""}'),),
        {"min_hmac_key_bytes": 1},
    ),
    Attack("CVE-2026-49852 no secret in the row", a_token(key=""), BAD_SIGNATURE, (a_secret(None),)),
    Attack("CVE-2026-49852 the text None as a key", a_token(key="None"), BAD_SIGNATURE, (a_secret(None),)),
    Attack(
        "CVE-2026-114616 empty key beside a good one", a_token(key=""), BAD_SIGNATURE, (a_secret(""), a_secret(id="2"))
    ),
    Attack("CVE-2026-45363 NULL secret, zeros as key", a_token(key=bytes(32)), BAD_SIGNATURE, (a_secret(None),)),
    *(
        Attack(
            f"CVE-2026-44699 RSA JWK without alg, HS256 over {name}",
            a_token(key=key),
            BAD_SIGNATURE,
            (a_secret(RSA_JWK),),
        )
        for name, key in {"nothing": b"", "a NUL": b"\0", "32 NULs": bytes(32)}.items()
    ),
    *(
        Attack(
            f"CVE-2026-33996 {jwk['kty']} JWK whose {member} is {value!r}",
            a_token(key=key, alg=alg),
            BAD_SIGNATURE,
            (a_secret(json.dumps({**jwk, member: value})),),
            {"min_hmac_key_bytes": 1},
        )
        for alg, key, jwk in (
            ("RS256", a_private_key(), a_jwk()),
            ("ES256", a_private_key("p256"), a_jwk("p256")),
            ("EdDSA", a_private_key("ed25519"), a_jwk("ed25519")),
            ("HS256", "", an_oct_jwk()),
        )
        for member in jwk
        for value in ODD_VALUES
    ),
    Attack(
        "CVE-2025-65945 a kid that names nothing",
        a_token(key="", header={"kid": "nothing"}),
        BAD_SIGNATURE,
        (a_secret(kid="k1"), a_secret(a_jwks(an_oct_jwk(kid="k2")), id="2")),
    ),
    Attack(
        "CVE-2022-23540 no algorithm in the header, no key",
        a_token(key="", header=b"{}"),
        MALFORMED,
        (a_secret(""),),
    ),
    *(
        Attack(
            f"RFC 8725 3.5 HS256 with a key of {length} bytes",
            a_token(key="k" * length),
            None if length == 32 else BAD_SIGNATURE,
            (a_secret("k" * length),),
        )
        for length in (1, 8, 31, 32)
    ),
]

# -- C. alg none, keys in the header, rules for headers ---------------------------------------------------------------

ATTACKERS_RSA = a_private_key("rsa_2048_other")
ATTACKERS_JWK = a_jwk("rsa_2048_other")
RSA_ROW = (a_secret(public_pem()),)


def by_attacker(**header: object) -> str:
    return a_token(key=ATTACKERS_RSA, alg="RS256", header=header)


CRITS: tuple[Any, ...] = (["unknown"], ["exp"], ["b64"], ["unknown", "unknown"], [], "unknown", {}, None, 1, [1])

HEADERS = [
    *(
        Attack(f"CVE-2021-44878 alg {alg}", a_token(key="", header={"alg": alg}), UNSUPPORTED)
        for alg in ("none", "None", "NONE", "nOnE", "none ", "")
    ),
    *(
        Attack(
            f"CVE-2021-44878 alg {alg} with {what}",
            token,
            MALFORMED,
        )
        for alg in ("none", "nOnE")
        for what, token in {
            "an empty signature": a_token(header={"alg": alg}).rpartition(".")[0] + ".",
            "no signature at all": a_token(header={"alg": alg}).rpartition(".")[0],
        }.items()
    ),
    Attack(
        "CVE-2026-29000 a JWE around a plain JWT",
        ".".join([segment(b'{"alg":"RSA-OAEP","enc":"A256GCM"}')] * 5),
        MALFORMED,
    ),
    Attack("CVE-2022-23539 a DSA key for RS256", by_attacker(), BAD_SIGNATURE, (a_secret(public_pem("dsa")),)),
    Attack(
        "CVE-2022-23539 an RSA key for ES256",
        a_token(key=a_private_key("p256"), alg="ES256"),
        BAD_SIGNATURE,
        RSA_ROW,
    ),
    Attack(
        "CVE-2022-23539 an EC key for RS256",
        a_token(key=a_private_key(), alg="RS256"),
        BAD_SIGNATURE,
        (a_secret(public_pem("p256")),),
    ),
    Attack("CVE-2018-0114 the attacker's key as jwk", by_attacker(jwk=ATTACKERS_JWK), BAD_SIGNATURE, RSA_ROW),
    Attack(
        "CVE-2018-0114 the attacker's key as jwk, with its kid",
        by_attacker(jwk={**ATTACKERS_JWK, "kid": "a"}, kid="a"),
        BAD_SIGNATURE,
        RSA_ROW,
    ),
    Attack(
        "CVE-2018-0114 an oct key as jwk",
        a_token(key=ATTACKERS_KEY, header={"jwk": an_oct_jwk(ATTACKERS_KEY.encode())}),
        BAD_SIGNATURE,
    ),
    *(
        Attack(f"CVE-2026-27962 the attacker's key by {name}", by_attacker(**{name: value}), BAD_SIGNATURE, RSA_ROW)
        for name, value in {
            "jku": "https://attacker.example/jwks.json",
            "x5u": "https://attacker.example/cert.pem",
            "x5c": [base64.b64encode(certificate_der("rsa_2048_other")).decode()],
        }.items()
    ),
    *(
        Attack(f"CVE-2026-27962 {name} has no effect on a good token either", a_token(header={name: value}), None)
        for name, value in {
            "jwk": ATTACKERS_JWK,
            "jku": 7,
            "x5u": "file:///etc/passwd",
            "x5c": None,
            "zip": "DEF",
            "kid": "../../../../dev/null",
        }.items()
    ),
    Attack(
        "CVE-2026-48523 a JWK whose alg is not allowed",
        a_token(key=a_private_key(), alg="RS256"),
        UNSUPPORTED,
        (a_secret(json.dumps(a_jwk(alg="RS256"))),),
        {"header": HeaderRules(algorithms=frozenset({"ES256"}))},
    ),
    Attack(
        "CVE-2026-48523 a header that names another alg than the JWK's",
        a_token(key=a_private_key(), alg="RS512", header={"alg": "RS256"}),
        BAD_SIGNATURE,
        (a_secret(json.dumps(a_jwk(alg="RS512"))),),
    ),
    *(Attack(f"CVE-2026-32597 crit {crit!r}", a_token(header={"crit": crit}), CRITICAL) for crit in CRITS),
    Attack(
        "CVE-2025-59420 crit twice",
        a_token(header=b'{"alg":"HS256","crit":["a"],"crit":[]}'),
        MALFORMED,
    ),
    Attack("CVE-2026-35042 crit names what is there", a_token(header={"crit": ["x"], "x": 1}), CRITICAL),
    Attack(
        "GHSA-5739 JSON serialisation with alg in the unprotected header",
        json.dumps({"payload": "e30", "header": {"alg": "none"}, "signature": ""}),
        MALFORMED,
    ),
    Attack("GHSA-5739 the same as an object", {"payload": "e30", "signatures": []}, MALFORMED),
    Attack("CVE-2026-102946 JSON serialisation with no signatures", '{"payload":"e30","signatures":[]}', MALFORMED),
    Attack(
        "CVE-2022-39227 JSON and compact at once",
        '{"' + a_token() + '":"x","protected":"e30","payload":"e30","signature":"AA"}',
        MALFORMED,
    ),
    Attack(
        "CVE-2026-102270 a detached payload",
        "{0}..{2}".format(*a_token().split(".")),
        MALFORMED,
    ),
    Attack("CVE-2026-102270 b64 false", a_token(header={"b64": False, "crit": ["b64"]}), CRITICAL),
    Attack("own: alg twice", a_token(header=b'{"alg":"none","alg":"HS256"}'), MALFORMED),
    Attack("own: alg of two", a_token(header={"alg": ["HS256", "none"]}), MALFORMED),
]

# -- D. arithmetic and encoding of signatures -------------------------------------------------------------------------

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_ROW = (a_secret(public_pem("p256")),)


def with_signature(token: str, octets: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{segment(octets)}"


def pair(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


BY_P256 = a_token(key=a_private_key("p256"), alg="ES256")
P256_SIGNATURE = octets_of(BY_P256.rpartition(".")[2])
GOOD = a_token()
UNUSED_BITS = GOOD[:-1] + chr(ord(GOOD[-1]) + 1)  # 43 characters carry 32 bytes and two bits

SIGNATURES = [
    *(
        Attack(f"CVE-2022-21449 ES256 with {name}", with_signature(BY_P256, pair(r, s)), BAD_SIGNATURE, P256_ROW)
        for name, (r, s) in {
            "r = s = 0": (0, 0),
            "r = 0": (0, 1),
            "s = 0": (1, 0),
            "r = n": (P256_ORDER, 1),
            "s = n": (1, P256_ORDER),
            "r = s = n": (P256_ORDER, P256_ORDER),
            "r = s = 1": (1, 1),
            "r = s = 2^256-1": (2**256 - 1, 2**256 - 1),
        }.items()
    ),
    Attack(
        "CVE-2026-65632 ES256 with leading zeros, 66 bytes",
        with_signature(BY_P256, b"\0" + P256_SIGNATURE[:32] + b"\0" + P256_SIGNATURE[32:]),
        BAD_SIGNATURE,
        P256_ROW,
    ),
    Attack(
        "CVE-2026-65632 ES256 in DER",
        with_signature(BY_P256, b"\x30\x44\x02\x20" + P256_SIGNATURE[:32] + b"\x02\x20" + P256_SIGNATURE[32:]),
        BAD_SIGNATURE,
        P256_ROW,
    ),
    *(
        Attack(f"Wycheproof {name}", token, reason, rows)
        for name, token, reason, rows in (
            ("ES256 cut to half", with_signature(BY_P256, P256_SIGNATURE[:32]), BAD_SIGNATURE, P256_ROW),
            ("HS256 cut short", with_signature(GOOD, b"\0" * 31), BAD_SIGNATURE, (a_secret(),)),
            (
                "HS256 cut to 16 bytes of the right ones",
                with_signature(GOOD, octets_of(GOOD.rpartition(".")[2])[:16]),
                BAD_SIGNATURE,
                (a_secret(),),
            ),
            (
                "PS256 for RS256",
                a_token(key=a_private_key(), alg="PS256", header={"alg": "RS256"}),
                BAD_SIGNATURE,
                RSA_ROW,
            ),
            (
                "RS256 for PS256",
                a_token(key=a_private_key(), alg="RS256", header={"alg": "PS256"}),
                BAD_SIGNATURE,
                RSA_ROW,
            ),
            ("HS512 for HS256", a_token(alg="HS512", header={"alg": "HS256"}), BAD_SIGNATURE, (a_secret(),)),
        )
    ),
    *(
        Attack(f"CVE-2026-102269 {name}", token, MALFORMED)
        for name, token in {
            "!!!! behind the signature": GOOD + "!!!!",
            "!!!! in front of the signature": GOOD.replace(
                GOOD[GOOD.rindex(".") :], ".!!!!" + GOOD[GOOD.rindex(".") + 1 :]
            ),
            "a newline behind": GOOD + "\n",
            "a blank behind": GOOD + " ",
            "one padding": GOOD + "=",
            "two paddings": GOOD + "==",
            "a NUL behind": GOOD + "\0",
            "unused bits set": UNUSED_BITS,
        }.items()
    ),
    *(
        Attack(f"GHSA-3fvg {odd!r} inside the signature", GOOD[:-5] + odd + GOOD[-5:], MALFORMED)
        for odd in ("+", "/", "=", "\n", "\r\n", "\t", " ", "%", "\\", "é", "\ud800", "\u200b")
    ),
    *(
        Attack(f"own: {odd!r} inside the {place}", GOOD[:at] + odd + GOOD[at:], MALFORMED)
        for place, at in {"header": 4, "payload": GOOD.index(".") + 5}.items()
        for odd in ("+", "/", "=", "\n", " ")
    ),
]

# -- E. claims and identity -------------------------------------------------------------------------------------------

ISSUER = {"issuers": ("https://issuer.example",)}
AUDIENCE = {"audiences": ("sip",)}
INJECTED = "x' UNION SELECT 'admin','attacker-secret' -- "

NO_TIMES: tuple[Any, ...] = ([], [NOW], {}, {"a": 1}, None, "abc", "", str(NOW + 9), True, False)

CLAIMS = [
    *(
        Attack(f"CVE-2024-53861 iss {iss!r} is part of the issuer", a_token(iss=iss), Reason.WRONG_ISSUER, rules=ISSUER)
        for iss in ("", "issuer", "https://issuer.exampl", "h")
    ),
    Attack("CVE-2024-53861 iss is the issuer", a_token(iss="https://issuer.example"), None, rules=ISSUER),
    Attack("CVE-2020-26160 aud is a list of empty text", a_token(aud=[""]), Reason.WRONG_AUDIENCE, rules=AUDIENCE),
    Attack("CVE-2020-26160 aud is an empty list", a_token(aud=[]), Reason.WRONG_AUDIENCE, rules=AUDIENCE),
    Attack("CVE-2020-26160 aud is of mixed types", a_token(aud=["sip", 1]), Reason.MALFORMED_CLAIM, rules=AUDIENCE),
    Attack("CVE-2020-26160 aud is absent", a_token(), Reason.MISSING_CLAIM, rules=AUDIENCE),
    *(
        Attack(f"PyJWT 2.15 {name} {value!r}", a_token(payload={"tag": "t1", name: value}), Reason.MALFORMED_CLAIM)
        for name in ("exp", "nbf", "iat")
        for value in NO_TIMES
    ),
    *(
        Attack(f"PyJWT 2.15 {name} {text}", a_token(payload=f'{{"tag":"t1","{name}":{text}}}'.encode()), MALFORMED)
        for name in ("exp", "nbf", "iat")
        for text in ("1e400", "-1e400", "NaN", "Infinity", "-Infinity", "9" * 400)
    ),
    Attack("PyJWT 2.15 exp negative", a_token(exp=-1), Reason.TOKEN_EXPIRED),
    Attack("PyJWT 2.15 exp as small as a real can be", a_token(exp=-1.7e308), Reason.TOKEN_EXPIRED),
    Attack("PyJWT 2.15 exp as large as a real can be", a_token(exp=1.7e308), None),
    Attack("PyJWT 2.15 nbf as large as a real can be", a_token(nbf=1.7e308), Reason.TOKEN_NOT_YET_VALID),
    Attack("APISIX#10891 exp in the past", a_token(exp=NOW - 1), Reason.TOKEN_EXPIRED),
    Attack("Kamailio#4007 exp absent", a_token(), None),
    *(
        Attack(f"CVE-2026-25554 tag {tag!r}", a_token(tag=tag), Reason.UNKNOWN_TAG)
        for tag in (
            INJECTED,
            "t1' OR '1'='1",
            't1" OR "1"="1',
            "t1'; DROP TABLE jwt_profiles; --",
            "\\' OR 1=1 #",
            "t1#",
            "t1:",
            "t1/*",
            "%",
            "_1",
            "$tag",
            ":tag",
            '{"S":"t1"}',
            "T1",
            " t1",
            "t1 ",
            "ｔ１",  # noqa: RUF001
            "t¹",
            "t1\u200b",
            "t1\u0301",
            "т1",
        )
    ),
    *(
        Attack(f"CVE-2026-25554 tag of type {type(tag).__name__}", a_token(tag=tag), Reason.MISSING_TAG)
        for tag in (1, 1.5, True, None, ["t1"], {"S": "t1"}, "")
    ),
    Attack("CVE-2026-25554 tag of 2 KB", a_token(tag="t" * 2048), Reason.MISSING_TAG),
    Attack("CVE-2026-25554 tag with a NUL", a_token(payload=b'{"tag":"t1\\u0000"}'), MALFORMED),
    Attack(
        "CVE-2026-25554 an injected row's secret",
        a_token(key="attacker-secret", tag=INJECTED),
        Reason.UNKNOWN_TAG,
        rules={"min_hmac_key_bytes": 1},
    ),
    Attack("own: tag twice", a_token(payload=b'{"tag":"t2","tag":"t1"}'), MALFORMED),
    Attack("own: tag twice, once escaped", a_token(payload=b'{"tag":"t2","t\\u0061g":"t1"}'), MALFORMED),
    Attack("own: tag in the header alone", a_token(payload={}, header={"tag": "t1"}), Reason.MISSING_TAG),
]

# -- F. denial of service ---------------------------------------------------------------------------------------------

DEEP = {"lists": b"[" * 100_000 + b"]" * 100_000, "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}
ANY_SIZE = {"max_token_bytes": 10_000_000}

DENIAL_OF_SERVICE = [
    Attack("CVE-2025-30204 100,000 dots", "." * 100_000, MALFORMED),
    Attack("CVE-2025-30204 100,000 dots, any size allowed", "." * 100_000, MALFORMED, rules=ANY_SIZE),
    Attack("CVE-2025-30204 Bearer and 100,000 dots", "Bearer " + "." * 100_000, MALFORMED, rules=ANY_SIZE),
    Attack("CVE-2025-61920 a header of a megabyte", a_token(header={"x": "x" * 1_000_000}), MALFORMED),
    Attack("CVE-2025-61920 a payload of a megabyte", a_token(x="x" * 1_000_000), MALFORMED),
    Attack("CVE-2025-61920 a signature of a megabyte", GOOD + "A" * 1_000_000, MALFORMED),
    Attack(
        "CVE-2026-48990 b64 false and a payload of a megabyte", a_token(header={"b64": False}, x="x" * 10**6), MALFORMED
    ),
    Attack(
        "CVE-2026-48525 b64 false and a large payload, any size allowed",
        a_token(header={"b64": False}, x="x" * 10**6),
        CRITICAL,
        rules=ANY_SIZE,
    ),
    *(
        Attack(f"GHSA-8wjv-2p76-3863 a {place} of {kind} 100,000 deep", token, MALFORMED, rules=ANY_SIZE)
        for kind, text in DEEP.items()
        for place, token in {
            "header": signed(b'{"alg":"HS256","x":' + text + b"}", b'{"tag":"t1"}'),
            "payload": signed(b'{"alg":"HS256"}', b'{"tag":"t1","x":' + text + b"}"),
        }.items()
    ),
    Attack("CVE-2024-33664 a JWE with zip", ".".join([segment(b'{"alg":"dir","zip":"DEF"}')] * 5), MALFORMED),
    Attack(
        "CVE-2023-6681 p2c of two thousand millions",
        a_token(header={"alg": "PBES2-HS256+A128KW", "p2c": 2**31}),
        UNSUPPORTED,
    ),
    Attack("CVE-2026-28490 RSA1_5", a_token(header={"alg": "RSA1_5", "enc": "A128CBC-HS256"}), UNSUPPORTED),
    Attack(
        "own: an integer of 10,000 digits",
        a_token(payload=b'{"tag":"t1","x":' + b"9" * 10_000 + b"}"),
        MALFORMED,
    ),
    Attack("own: a tag of a megabyte", a_token(tag="t" * 1_000_000), MALFORMED),
    Attack("own: a tag of a megabyte, any size allowed", a_token(tag="t" * 10**6), Reason.MISSING_TAG, rules=ANY_SIZE),
]

ATTACKS = [*KEY_CONFUSION, *WEAK_KEYS, *HEADERS, *SIGNATURES, *CLAIMS, *DENIAL_OF_SERVICE]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_attack(attack: Attack) -> None:
    """Refused for its reason, or accepted; never another error, and nothing of token or secret in what is raised."""
    authorizer = attack.authorizer()
    if attack.reason is None:
        assert authorizer.authorize(attack.token).sip_username == "alice"
        return

    with pytest.raises(Denied) as caught:
        authorizer.authorize(attack.token)

    assert caught.value.args == (attack.reason,)
    assert list(shown_with(caught.value)) == [caught.value]
    assert traceback.format_exception_only(caught.value) == [f"auth_jwt.errors.Denied: {attack.reason}\n"]


def shown_with(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that a traceback shows before it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_every_attack_has_a_name_of_its_own() -> None:
    assert len({attack.id for attack in ATTACKS}) == len(ATTACKS)


# -- what takes more than one token -----------------------------------------------------------------------------------


def test_cve_2016_7036_and_cve_2024_25189_signatures_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    an_authorizer().authorize(GOOD)

    assert [segment(one) for one in compared[0]] == [GOOD.rpartition(".")[2]] * 2


def test_cve_2026_35039_a_token_never_gets_the_answer_of_another() -> None:
    """Rows are remembered, verdicts are not: nothing about an earlier token helps a later one."""
    authorizer = an_authorizer(ttl=60)
    header, payload, signature = a_token(role="user").split(".")
    assert authorizer.authorize(f"{header}.{payload}.{signature}").sip_username == "alice"
    forged = a_token(key=ATTACKERS_KEY, role="admin").split(".")
    other_header = a_token(header={"kid": "a"}).partition(".")[0]

    for token in (
        f"{header}.{forged[1]}.{signature}",
        f"{header}.{payload}.{forged[2]}",
        f"{other_header}.{payload}.{signature}",
    ):
        assert refusal(lambda token=token: authorizer.authorize(token)) is BAD_SIGNATURE  # type: ignore[misc]
    assert '"role":"user"' in authorizer.authorize(f"{header}.{payload}.{signature}").decoded_token


def test_cve_2026_107719_a_token_that_was_good_expires() -> None:
    clock = Clock(NOW)
    remembering = an_authorizer(ttl=10_000)
    authorizer = Authorizer(memory=remembering.memory, policy=remembering.policy, store_seconds=1, clock=clock)
    token = a_token(exp=NOW + 5)

    assert authorizer.authorize(token).sip_username == "alice"
    clock.pass_by(5)
    assert refusal(lambda: authorizer.authorize(token)) is Reason.TOKEN_EXPIRED


def test_cve_2026_25554_an_injection_is_only_ever_a_key() -> None:
    """Where a tag is literally called so, it is found, and it is nobody else's."""
    authorizer = an_authorizer(
        a_secret(corresponding_tag=INJECTED, id="1"),
        profiles=[a_profile(tag=INJECTED, sip_username="mallory"), a_profile()],
    )

    assert authorizer.authorize(a_token(tag=INJECTED)).sip_username == "mallory"
    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.UNKNOWN_TAG


def test_cve_2026_102269_a_token_has_one_spelling() -> None:
    """Base64 leaves many; a deny list or a cache of tokens would be evaded by the others."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/="
    authorizer = an_authorizer()
    octets = octets_of(GOOD.rpartition(".")[2])
    spellings = [
        token
        for last in alphabet
        if base64.b64decode((token := GOOD[:-1] + last).rpartition(".")[2] + "==", altchars=b"-_") == octets
    ]
    accepted = []
    for token in spellings:
        try:
            authorizer.authorize(token)
        except Denied:
            continue
        accepted.append(token)

    assert len(spellings) > 1
    assert accepted == [GOOD]


def test_other_encodings_of_a_key_are_not_the_key() -> None:
    """An operator who stores base64 means that text; what it decodes to opens nothing."""
    stored = base64.b64encode(bytes(range(64))).decode()
    authorizer = an_authorizer(a_secret(stored))

    assert authorizer.authorize(a_token(key=stored)).sip_username == "alice"
    assert refusal(lambda: authorizer.authorize(a_token(key=bytes(range(64))))) is BAD_SIGNATURE


def test_a_public_key_that_is_read_does_what_it_is_for() -> None:
    """Refused as HMAC keys, the forms that are read verify their own algorithm; the others verify nothing."""
    token = a_token(key=a_private_key(), alg="RS256")
    read = [name for name, text in PUBLIC_KEYS_AS_TEXT.items() if _verifies(text, token)]

    assert "CVE-2015-9235 SubjectPublicKeyInfo PEM" in read
    assert "CVE-2026-107724 JWK" in read
    assert "CVE-2022-29217 ssh-rsa" not in read


def _verifies(secret: str, token: str) -> bool:
    try:
        an_authorizer(a_secret(secret)).authorize(token)
    except Denied:
        return False
    return True
