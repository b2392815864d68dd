"""A. A public key, in any textual form, used as an HMAC secret: anybody has it, so anybody could sign.

An operator stored it where an HMAC secret belongs, or beside one. The attacker signs with exactly those octets, or with
what a lenient reader makes of them.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import cycle
from typing import Final

from auth_jwt.errors import Reason
from auth_jwt.jose.tokens import HMAC_ALGORITHMS
from tests.doubtful_keys import DOUBTFUL
from tests.factories import (
    HMAC_KEY,
    StoredRow,
    a_jwk,
    a_jwks,
    a_private_key,
    a_token,
    an_oct_jwk,
    certificate_der,
    certificate_pem,
    openssh_line,
    pkcs1_pem,
    private_pem,
    public_der,
    public_pem,
    segment,
)
from tests.lookalikes.public_texts import Key
from tests.security.attacks import NOT_VALIDATED, VALIDATED, Attack, a_row

BAD_SIGNATURE: Final = Reason.BAD_SIGNATURE
HMAC: Final = tuple(sorted(HMAC_ALGORITHMS))
SIGNING: Final[Mapping[str, str]] = {
    "rsa_2048": "RS256",
    "p256": "ES256",
    "p384": "ES384",
    "p521": "ES512",
    "ed25519": "EdDSA",
    "ed448": "EdDSA",
}
"""The kinds of keys, and an algorithm that each is for."""


def _body(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def _in_lines(text: str, end: str) -> str:
    return end.join(text[at : at + 64] for at in range(0, len(text), 64))


def _indented(pem: str, blanks: str) -> str:
    return "".join(f"{blanks}{line}\n" for line in pem.splitlines())


MUTATIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": lambda pem: pem,
    "with CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "with CR": lambda pem: pem.replace("\n", "\r"),
    "with CR CR LF": lambda pem: pem.replace("\n", "\r\r\n"),
    "with LF LF": lambda pem: pem.replace("\n", "\n\n"),
    "without a last line break": lambda pem: pem.rstrip("\n"),
    "with many last line breaks": lambda pem: pem + "\n\n\n",
    "with blanks at the ends of lines": lambda pem: pem.replace("\n", "  \n"),
    "with tabs at the ends of lines": lambda pem: pem.replace("\n", "\t\n"),
    "indented by blanks": lambda pem: _indented(pem, "    "),
    "indented by tabs": lambda pem: _indented(pem, "\t"),
    "with doubled blanks in the label": lambda pem: pem.replace("PUBLIC KEY", "PUBLIC  KEY").replace("N P", "N  P"),
    "with tabs in the label": lambda pem: pem.replace(" KEY", "\tKEY"),
    "joined by blanks": lambda pem: pem.replace("\n", " "),
    "joined by tabs": lambda pem: pem.replace("\n", "\t"),
    "joined up": lambda pem: pem.replace("\n", ""),
    "with its base64 on one line": lambda pem: f"{pem.splitlines()[0]}\n{_body(pem)}\n{pem.splitlines()[-1]}\n",
    "with its base64 in lines of 76": lambda pem: "\n".join(
        [pem.splitlines()[0], *(_body(pem)[at : at + 76] for at in range(0, len(_body(pem)), 76)), pem.splitlines()[-1]]
    ),
    "with line breaks written out": lambda pem: pem.replace("\n", "\\n"),
    "with CRLF written out": lambda pem: pem.replace("\n", "\\r\\n"),
    "in small letters": str.lower,
    "with its label in small letters": lambda pem: pem.replace("BEGIN PUBLIC", "begin public"),
    "behind a BOM": lambda pem: "\ufeff" + pem,
    "behind a blank": lambda pem: " " + pem,
    "behind line breaks": lambda pem: "\r\n\n" + pem,
    "behind a NUL": lambda pem: "\0" + pem,
    "behind an escape character": lambda pem: "\x1b" + pem,
    "behind a blank of no width": lambda pem: "\u200b" + pem,
    "behind a blank that does not break": lambda pem: "\u00a0" + pem,
    "behind a dot": lambda pem: "." + pem,
    "behind a comment with #": lambda pem: f"# the key of the login\n{pem}",
    "behind a comment with //": lambda pem: f"// the key of the login\n{pem}",
    "behind a name": lambda pem: f"PUBLIC_KEY={pem}",
    "behind text on the line": lambda pem: f"key: {pem}",
    "behind header fields of HTTP": lambda pem: f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{pem}",
    "before text": lambda pem: f"{pem}that was the key\n",
    "before a NUL": lambda pem: pem + "\0",
    "in double quotes": lambda pem: f'"{pem}"',
    "in single quotes": lambda pem: f"'{pem}'",
    "as a JSON string": json.dumps,
    "in JSON": lambda pem: json.dumps({"key": pem}),
    "in a heredoc": lambda pem: f"cat <<EOF\n{pem}EOF\n",
    "in YAML": lambda pem: f"key: |\n{_indented(pem, '  ')}",
    "twice": lambda pem: pem + pem,
    "cut before its end": lambda pem: "\n".join(pem.splitlines()[:-1]) + "\n",
    "without its first line": lambda pem: "\n".join(pem.splitlines()[1:]) + "\n",
    "with four dashes": lambda pem: pem.replace("-----", "----"),
    "with six dashes": lambda pem: pem.replace("-----", "------"),
    "in percent encoding": lambda pem: pem.replace("-", "%2D").replace("+", "%2B").replace("\n", "%0A"),
    "in entities": lambda pem: pem.replace("-", "&#45;").replace("\n", "&#10;"),
    "in base64": lambda pem: base64.b64encode(pem.encode()).decode(),
    "in hex": lambda pem: pem.encode().hex(),
    "in UTF-16": lambda pem: pem.encode("utf-16-le").decode("latin-1"),
}
"""What may become of a PEM between who made it and a column of a table."""

NOT_READ: Final = frozenset(
    {
        "with LF LF",
        "with doubled blanks in the label",
        "with tabs in the label",
        "with line breaks written out",
        "with CRLF written out",
        "in small letters",
        "with its label in small letters",
        "as a JSON string",
        "in JSON",
        "cut before its end",
        "without its first line",
        "with four dashes",
        "with six dashes",
        "in percent encoding",
        "in entities",
        "in base64",
        "in hex",
        "in UTF-16",
    }
)
"""Those of them that `cryptography` does not read, either. Of the others, the key verifies its own algorithm."""

PEMS: Final[Mapping[str, str]] = {
    "RSA": public_pem(),
    "P-256": public_pem("p256"),
    "Ed25519": public_pem("ed25519"),
    "PKCS#1": pkcs1_pem(),
}


def by_those_octets(
    advisory: str,
    what: str,
    text: str,
    *,
    algorithms: tuple[str, ...] = HMAC,
    stripped_too: bool = True,
    **columns: object,
) -> Iterator[Attack]:
    """Sign with the *text* that is stored, and with that text without what is around it."""
    rows = (a_row(text, **columns),)
    for alg in algorithms:
        yield Attack(advisory, f"{what}, {alg}", a_token(key=text, alg=alg), BAD_SIGNATURE, rows)
    stripped = text.strip("\ufeff\u200b\u00a0 \t\r\n\0\"'")
    if stripped_too and stripped != text:
        bare = f"{what}, HS256 by it without what is around it"
        yield Attack(advisory, bare, a_token(key=stripped), BAD_SIGNATURE, rows)


def a_login(advisory: str, what: str, text: str, kind: str = "rsa_2048", **columns: object) -> Attack:
    """Sign with the private key, as the operator meant it: what is stored is a public key, and is read."""
    token = a_token(key=a_private_key(kind), alg=SIGNING[kind])
    return Attack(advisory, f"{what}, {SIGNING[kind]} by its private key", token, rows=(a_row(text, **columns),))


# -- keys as programs write them --------------------------------------------------------------------------------------

EVERY_PEM: Final = {kind: public_pem(kind) for kind in SIGNING}
EVERY_JWK: Final = {kind: json.dumps(a_jwk(kind)) for kind in SIGNING}
SSH: Final = ("rsa_2048", "p256", "p384", "p521", "ed25519")


def _keys_as_written() -> Iterator[Attack]:
    for kind, pem in EVERY_PEM.items():
        yield from by_those_octets("CVE-2015-9235", f"SubjectPublicKeyInfo of {kind}", pem, stripped_too=False)
        yield a_login("CVE-2015-9235", f"SubjectPublicKeyInfo of {kind}", pem, kind)
        yield from by_those_octets(
            "CVE-2022-23541", f"a row that calls {kind} HS256", pem, stripped_too=False, alg="HS256,HS384,HS512"
        )
        yield from by_those_octets(
            "CVE-2026-39999", f"{kind} in a row of {SIGNING[kind]}", pem, stripped_too=False, alg=SIGNING[kind]
        )
        yield a_login("CVE-2026-39999", f"{kind} in a row of {SIGNING[kind]}", pem, kind, alg=SIGNING[kind])
    for name, text in {
        "PEM": pkcs1_pem(),
        "PEM of another key": pkcs1_pem("rsa_2048_other"),
        "PEM of a key too small": pkcs1_pem("rsa_2047"),
    }.items():
        yield from by_those_octets("CVE-2017-11424", f"PKCS#1 {name}", text)
    yield a_login("CVE-2017-11424", "PKCS#1 PEM", pkcs1_pem())
    for name, text in {
        "without a last line break": pkcs1_pem().rstrip(),
        "with CRLF": pkcs1_pem().replace("\n", "\r\n"),
        "on one line": pkcs1_pem().replace("\n", " "),
    }.items():
        yield from by_those_octets("CVE-2023-48223", f"PKCS#1 PEM {name}", text, algorithms=("HS256",))
    yield from by_those_octets("CVE-2023-48223", "PKCS#1 PEM called HS256", pkcs1_pem(), alg="HS256")
    for name, text in {
        "P-256": public_pem("p256"),
        "Ed25519": public_pem("ed25519"),
        "DSA": public_pem("dsa"),
        "secp256k1": public_pem("secp256k1"),
        "X25519": public_pem("x25519"),
        "RSA of 2047 bits": public_pem("rsa_2047"),
        "a private RSA key": private_pem(),
        "a private EC key": private_pem("p256"),
    }.items():
        yield from by_those_octets("CVE-2024-37568", f"PEM of {name}", text, stripped_too=False)
    for kind in ("rsa_2048", "p256", "ed25519"):
        text = certificate_pem(kind)
        yield from by_those_octets("OpenSIPS PEM", f"certificate of {kind}", text)
        yield from by_those_octets("OpenSIPS PEM", f"PEM of {kind}", public_pem(kind), stripped_too=False)
        yield a_login("OpenSIPS PEM", f"certificate of {kind}", text, kind)


def _ssh_lines() -> Iterator[Attack]:
    for kind in SSH:
        line = openssh_line(kind)
        advisory = "CVE-2024-33663" if kind in ("p384", "p521") else "CVE-2022-29217"
        yield from by_those_octets(advisory, f"OpenSSH line of {kind}", line, stripped_too=False)
        for name, text in {
            "with a comment": f"{line} alice@example.com\n",
            "with options": f'from="10.0.0.0/8",no-pty {line}',
        }.items():
            yield from by_those_octets(advisory, f"OpenSSH line of {kind} {name}", text, algorithms=("HS256",))
        yield from by_those_octets(
            advisory, f"OpenSSH line of {kind}, called HS256", line, algorithms=("HS256",), alg="HS256"
        )
        for name, text in {
            "RFC 4716": f"---- BEGIN SSH2 PUBLIC KEY ----\n{line.split()[1]}\n---- END SSH2 PUBLIC KEY ----\n",
            "the blob alone": line.split()[1],
            "of known_hosts": f"login.example.com,192.0.2.1 {line}",
            "of PuTTY": f"PuTTY-User-Key-File-3: {line.split()[0]}\nPublic-Lines: 6\n{line.split()[1]}\n",
        }.items():
            yield from by_those_octets("CVE-2024-33663", f"{kind} as {name}", text, algorithms=("HS256",))


DER: Final = {
    **{f"SubjectPublicKeyInfo of {kind}": public_der(kind) for kind in SIGNING},
    "PKCS#1": base64.b64decode(_body(pkcs1_pem())),
    "certificate of rsa_2048": certificate_der(),
    "certificate of p256": certificate_der("p256"),
    "PKCS#1 of 1023 bits": Key("rsa_1023", 1).pkcs1,
    "PKCS#1 of 2050 bits": Key("rsa_2050", 1).pkcs1,
}


def _der() -> Iterator[Attack]:
    for name, octets in DER.items():
        for how, text in {
            "base64": base64.b64encode(octets).decode(),
            "base64url": segment(octets),
            "hex": octets.hex(),
        }.items():
            yield from by_those_octets("CVE-2026-85394", f"{name} in {how}", text, algorithms=("HS256",))
            rows = (a_row(text),)
            what = f"{name} in {how}, HS256 by the octets"
            yield Attack("CVE-2026-85394", what, a_token(key=octets), BAD_SIGNATURE, rows)
        encoded = base64.b64encode(octets).decode()
        for how, text in {
            "base64 in lines": _in_lines(encoded, "\n"),
            "base64 in quotes": f'"{encoded}"',
            "base64 called HS512": encoded,
            "hex with colons": octets.hex(":"),
            "octets of Latin-1": octets.decode("latin-1"),
        }.items():
            columns = {"alg": "HS512"} if "called" in how else {}
            yield from by_those_octets(
                "CVE-2026-102271", f"{name} in {how}", text, algorithms=("HS512",), stripped_too=False, **columns
            )
    for kind in SIGNING:
        by_der = a_token(key=public_der(kind))
        yield Attack(
            "CVE-2026-85394", f"PEM of {kind}, HS256 by its DER", by_der, BAD_SIGNATURE, (a_row(EVERY_PEM[kind]),)
        )
        what = f"DER of {kind} stored as binary"
        yield Attack("CVE-2026-102271", what, by_der, BAD_SIGNATURE, (a_row(public_der(kind)),))


def _pem_behind_something() -> Iterator[Attack]:
    blanks = {"a blank": " ", "a tab": "\t", "line breaks": "\r\n\n", "a form feed": "\f", "a vertical tab": "\v"}
    others = {
        "a NUL": "\0",
        "a byte order mark": "\ufeff",
        "a blank of no width": "\u200b",
        "a comment with #": "# public\n",
        "a comment with //": "// public\n",
        "a dot": ".",
        "DEL": "\x7f",
        "a dash": "-",
        "another PEM's end": "-----END CERTIFICATE-----\n",
    }
    words = {"a name": "key: ", "a prefix of 2 KB": "x" * 2048 + "\n", "a JSON member": '{"key":"', "XML": "<key>"}
    for advisory, fronts in {
        "CVE-2026-34950": blanks,
        "CVE-2026-107722": others,
        "CVE-2026-114615": words,
    }.items():
        for name, front in fronts.items():
            for kind in ("rsa_2048", "p256", "ed25519"):
                text = front + public_pem(kind)
                what = f"{kind} PEM behind {name}"
                yield from by_those_octets(advisory, what, text, algorithms=("HS256",), stripped_too=False)
            text = front + public_pem()
            what = f"PEM behind {name}, HS384 by the PEM alone"
            yield Attack(advisory, what, a_token(key=public_pem(), alg="HS384"), BAD_SIGNATURE, (a_row(text),))
            yield a_login(advisory, f"PEM behind {name}", text)


def _jwks() -> Iterator[Attack]:
    algorithms = cycle(HMAC)
    for kind, text in EVERY_JWK.items():
        yield from by_those_octets("CVE-2026-48526", f"JWK of {kind}", text)
        yield a_login("CVE-2026-48526", f"JWK of {kind}", text, kind)
        named = json.dumps(a_jwk(kind, kid="a", use="sig", alg=SIGNING[kind]), indent=2)
        yield from by_those_octets(
            "CVE-2026-107724", f"JWK of {kind} with all its members", named, algorithms=("HS256",)
        )
        alg = next(algorithms)
        lying = json.dumps(a_jwk(kind, alg=alg))
        what = f"JWK of {kind} that calls itself {alg}"
        yield from by_those_octets("CVE-2026-107724", what, lying, algorithms=(alg,))
        bare = json.dumps(a_jwk(kind, kid="a", use="sig"), separators=(",", ":"))
        yield from by_those_octets("CVE-2026-22817", f"JWK of {kind} without alg", bare)
        yield from by_those_octets(
            "CVE-2026-22817", f"JWK of {kind} without alg, in a row of HS256", bare, algorithms=("HS256",), alg="HS256"
        )
    yield a_login("CVE-2026-22817", "JWK without alg", EVERY_JWK["rsa_2048"])
    sets = {
        "JWKS of one": a_jwks(a_jwk()),
        "JWKS of two": a_jwks(a_jwk(), a_jwk("p256")),
        "JWKS with an oct key of another": a_jwks(a_jwk(), an_oct_jwk(b"another secret of at least thirty-two bytes")),
        "list of JWKs": json.dumps([a_jwk()]),
        "JWKS whose keys are an object": json.dumps({"keys": {"a": a_jwk()}}),
        "JWKS in JSON": json.dumps({"jwks": {"keys": [a_jwk()]}}),
        "empty JWKS": '{"keys": [], "of": "nobody, and long enough for a key of HMAC, as texts go"}',
    }
    for name, text in sets.items():
        yield from by_those_octets("CVE-2026-102272", name, text)
    yield a_login("CVE-2026-102272", "JWKS of two", sets["JWKS of two"])
    nested = {
        "BOM before a JWK": "\ufeff" + json.dumps(a_jwk()),
        "blanks before a JWK": " \n\t" + json.dumps(a_jwk()),
        "nested JWK": json.dumps({"login": {"key": a_jwk()}}),
        "JWK in lists": json.dumps([[[a_jwk("p256")]]]),
        "JWK in a string": json.dumps(json.dumps(a_jwk("ed25519"))),
        "kty escaped, nested": json.dumps([a_jwk()]).replace("kty", "\\u006bty"),
        "text behind a JWK": json.dumps(a_jwk()) + " // the key",
        "JWK twice": json.dumps(a_jwk()) * 2,
        "JWK with a comment": "// the key\n" + json.dumps(a_jwk()),
        "JWK with single quotes": json.dumps(a_jwk()).replace('"', "'"),
        "JWK in base64": base64.b64encode(json.dumps(a_jwk()).encode()).decode(),
        "JWK in base64url, twice": segment(segment(json.dumps(a_jwk("ed25519")).encode()).encode()),
    }
    for name, text in nested.items():
        yield from by_those_octets("CVE-2026-102273", name, text)


# -- what becomes of keys on their way --------------------------------------------------------------------------------


def _mutations() -> Iterator[Attack]:
    others = cycle([kind for kind in PEMS if kind != "RSA"])
    for name, mutate in MUTATIONS.items():
        yield from by_those_octets("CVE-2026-102268", f"RSA PEM {name}", mutate(PEMS["RSA"]))
        kind = next(others)
        yield from by_those_octets(
            "CVE-2026-102268", f"{kind} PEM {name}", mutate(PEMS[kind]), algorithms=("HS256",), stripped_too=False
        )
        changed = mutate(PEMS["RSA"])
        if changed.strip() != PEMS["RSA"].strip():
            what = f"RSA PEM {name}, HS256 by the PEM as it was"
            yield Attack("CVE-2026-102268", what, a_token(key=PEMS["RSA"]), BAD_SIGNATURE, (a_row(changed),))
        if "-----BEGIN" in changed.upper():
            what = f"RSA PEM {name}, called HS256"
            yield from by_those_octets(
                "CVE-2026-102268", what, changed, algorithms=("HS256",), stripped_too=False, alg="HS256"
            )
        own = a_login("CVE-2026-102268", f"RSA PEM {name}", changed)
        if name in NOT_READ:
            own = replace(own, what=f"{own.what}, which is not read", reason=BAD_SIGNATURE)
        yield own


# -- rows that say which HMAC algorithm they are for ------------------------------------------------------------------


def _algorithms_of_rows() -> Iterator[Attack]:
    for named in ("HS256", "HS384", "HS512", "HS256,HS512"):
        rows: tuple[StoredRow, ...] = (a_row(HMAC_KEY, alg=named),)
        for alg in HMAC:
            is_right = alg in named.split(",")
            yield Attack(
                "CVE-2026-57997",
                f"a row of {named}, sent {alg}",
                a_token(alg=alg),
                None if is_right else BAD_SIGNATURE,
                rows,
                script=VALIDATED,
            )
    doubtful = a_token(key=DOUBTFUL)
    yield Attack(
        "CVE-2026-57997",
        "a doubtful secret in a row of HS256",
        doubtful,
        None,
        (a_row(DOUBTFUL, alg="HS256"),),
        script=NOT_VALIDATED,
    )
    yield Attack("CVE-2026-57997", "a doubtful secret in a row of none", doubtful, BAD_SIGNATURE, (a_row(DOUBTFUL),))
    yield Attack(
        "CVE-2026-57997",
        "a public key for RS256, sent RS512",
        a_token(key=a_private_key(), alg="RS512"),
        BAD_SIGNATURE,
        (a_row(public_pem(), alg="RS256"),),
        script=VALIDATED,
    )


ATTACKS: Final = (
    *_keys_as_written(),
    *_ssh_lines(),
    *_der(),
    *_pem_behind_something(),
    *_jwks(),
    *_mutations(),
    *_algorithms_of_rows(),
)
