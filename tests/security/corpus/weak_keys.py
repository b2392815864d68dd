"""B. An empty, missing or weak key: anybody could sign with it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from auth_jwt.errors import Reason
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_jwks,
    a_private_key,
    a_token,
    an_oct_jwk,
    segment,
)
from tests.security.attacks import NOT_VALIDATED, VALIDATED, Attack, a_row

BAD_SIGNATURE: Final = Reason.BAD_SIGNATURE
HMAC: Final = ("HS256", "HS384", "HS512")
ANY_SIZE: Final[Mapping[str, str]] = {"MIN_HMAC_KEY_BYTES": "1"}
RSA_JWK: Final = json.dumps(a_jwk())
ODD_VALUES: Final[tuple[Any, ...]] = (None, 1, {}, "\u00e9")


def _empty_secrets() -> Iterator[Attack]:
    for name, settings in {"": {}, ", an empty key allowed to be short": ANY_SIZE}.items():
        for alg in HMAC:
            what = f"empty secret, {alg} over an empty key{name}"
            yield Attack(
                "OpenSIPS empty", what, a_token(key="", alg=alg), BAD_SIGNATURE, (a_row(""),), settings=settings
            )
    for alg in ("none", "None", "nOnE"):
        token = a_token(key="", header={"alg": alg})
        yield Attack("OpenSIPS empty", f"empty secret, alg {alg}", token, Reason.UNSUPPORTED_ALGORITHM, (a_row(""),))
        bare = f"{token.rpartition('.')[0]}."
        yield Attack(
            "OpenSIPS empty", f"empty secret, alg {alg}, no signature", bare, Reason.MALFORMED_TOKEN, (a_row(""),)
        )
    yield Attack(
        "OpenSIPS empty", "empty secret in a row of HS256", a_token(key=""), BAD_SIGNATURE, (a_row("", alg="HS256"),)
    )
    for name, rows in {
        "before": (a_row(""), a_row(HMAC_KEY, id="2")),
        "behind": (a_row(HMAC_KEY), a_row("", id="2")),
    }.items():
        yield Attack("CVE-2026-114616", f"empty key {name} a good one", a_token(key=""), BAD_SIGNATURE, rows)
        yield Attack("CVE-2026-114616", f"a good key, with an empty one {name} it", a_token(), None, rows)
    for text in (" ", "\n", "\0"):
        what = f"a key of one {text!r}, allowed to be that short"
        yield Attack("CVE-2026-49852", what, a_token(key=text), None, (a_row(text),), settings=ANY_SIZE)
        yield Attack("CVE-2026-49852", f"a key of one {text!r}", a_token(key=text), BAD_SIGNATURE, (a_row(text),))
    for text in ("", "\t\t", "\0" * 32, " " * 64, "\u200b" * 32, "\ufeff" * 32):
        what = f"a key of {text!r}" if len(text) < 3 else f"a key of {len(text)} times {text[0]!r}"
        alone = (a_row(text),)
        yield Attack(
            "CVE-2026-49852",
            what,
            a_token(key=text),
            BAD_SIGNATURE,
            alone,
            settings=ANY_SIZE,
            script=VALIDATED if text else NOT_VALIDATED,
        )
        if text:
            nothing = a_token(key="")  # which is what NULs sign as well: HMAC fills a key up with them
            script = VALIDATED if text == "\0" * 32 else None
            yield Attack("CVE-2026-49852", f"{what}, HS256 over nothing", nothing, BAD_SIGNATURE, alone, script=script)
    for name, key in {"nothing": "", "the text None": "None", "the text null": "null", "32 NULs": bytes(32)}.items():
        what = f"NULL in the table, HS256 by {name}"
        yield Attack("CVE-2026-45363", what, a_token(key=key), BAD_SIGNATURE, (a_row(None),), settings=ANY_SIZE)
    for name, secret in {
        "a number": 1,
        "a boolean": True,
        "a list": ["k"],
        "an object": {"k": "k"},
        "binary": b"",
    }.items():
        what = f"{name} in the table"
        yield Attack(
            "CVE-2026-45363", what, a_token(key=str(secret)), BAD_SIGNATURE, (a_row(secret),), settings=ANY_SIZE
        )
        yield Attack(
            "CVE-2026-45363", f"{what}, HS256 by its octets", a_token(key=bytes(32)), BAD_SIGNATURE, (a_row(secret),)
        )
    yield Attack("CVE-2026-45363", "a row without a secret", a_token(key=""), BAD_SIGNATURE, (_without_secret(),))


def _without_secret() -> dict[str, object]:
    return {name: value for name, value in a_row("").items() if name != "secret"}


def _oct_jwks() -> Iterator[Attack]:
    keys: dict[str, tuple[Any, bytes]] = {
        "an empty k": ("", b""),
        "no k": (None, b""),
        "a k of padding": ("=", b""),
        "a k of blanks": ("    ", b""),
        "a k of NULs": (segment(bytes(64)), bytes(64)),
        "a k of blanks, encoded": (segment(b" " * 64), b" " * 64),
        "a k of one byte": ("YQ", b"a"),
        "a k of standard base64": ("/+" * 32, b"\xff\xfe" * 24),
        "a padded k": (segment(HMAC_KEY.encode()[:32]) + "=", HMAC_KEY.encode()[:32]),
        "a k with a line break": (segment(HMAC_KEY.encode()[:33]) + "\n", HMAC_KEY.encode()[:33]),
    }
    for name, (k, octets) in keys.items():
        text = json.dumps({"kty": "oct", "k": k})
        settings = {} if name == "a k of one byte" else ANY_SIZE
        script = VALIDATED if name in ("a k of NULs", "a k of blanks, encoded") else None
        for alg in ("HS256", "HS512"):
            token = a_token(key=octets, alg=alg)
            yield Attack(
                "CVE-2026-102266",
                f"oct JWK with {name}, {alg}",
                token,
                BAD_SIGNATURE,
                (a_row(text),),
                settings=settings,
                script=script,
            )
    good = json.dumps(an_oct_jwk())
    yield Attack("CVE-2026-102266", "oct JWK with a good k", a_token(), None, (a_row(good),))
    yield Attack(
        "CVE-2026-102266", "oct JWK with a good k, HS256 by its text", a_token(key=good), BAD_SIGNATURE, (a_row(good),)
    )
    yield Attack(
        "CVE-2026-102266", "oct JWK with a good k, HS256 over nothing", a_token(key=""), BAD_SIGNATURE, (a_row(good),)
    )
    mixed = a_jwks({"kty": "oct", "k": ""}, an_oct_jwk())
    yield Attack("CVE-2026-102266", "JWKS with an empty key before a good one", a_token(), None, (a_row(mixed),))
    yield Attack(
        "CVE-2026-102266", "JWKS with an empty key, HS256 over nothing", a_token(key=""), BAD_SIGNATURE, (a_row(mixed),)
    )


def _keys_of_another_kind() -> Iterator[Attack]:
    for name, key in {"nothing": b"", "32 NULs": bytes(32)}.items():
        for kind in ("rsa_2048", "p256", "ed25519"):
            rows = (a_row(json.dumps(a_jwk(kind))),)
            for alg in HMAC:
                what = f"{kind} JWK without alg, {alg} over {name}"
                yield Attack("CVE-2026-44699", what, a_token(key=key, alg=alg), BAD_SIGNATURE, rows)


def _odd_members() -> Iterator[Attack]:
    for alg, key, jwk in (
        ("RS256", a_private_key(), a_jwk()),
        ("ES256", a_private_key("p256"), a_jwk("p256")),
        ("EdDSA", a_private_key("ed25519"), a_jwk("ed25519")),
        ("HS256", "", an_oct_jwk()),
    ):
        token = a_token(key=key, alg=alg)
        for member in jwk:
            for value in ODD_VALUES:
                rows = (a_row(json.dumps({**jwk, member: value})),)
                what = f"{jwk['kty']} JWK whose {member} is {value!r}"
                yield Attack("CVE-2026-33996", what, token, BAD_SIGNATURE, rows, settings=ANY_SIZE)
        for member in ("use", "alg", "kid", "key_ops"):
            for value in (1, {}):
                rows = (a_row(json.dumps({**jwk, member: value})),)
                what = f"{jwk['kty']} JWK whose {member} is {value!r}"
                yield Attack("CVE-2026-33996", what, token, BAD_SIGNATURE, rows)
    for member in ("use", "alg", "kid", "key_ops", "oth", "d"):
        rows = (a_row(json.dumps({**a_jwk(), member: None})),)
        what = f"RSA JWK whose {member} is null, which says nothing"
        yield Attack("CVE-2026-33996", what, a_token(key=a_private_key(), alg="RS256"), None, rows)


def _keys_by_kid() -> Iterator[Attack]:
    rows = (a_row(HMAC_KEY, kid="k1"), a_row(a_jwks(an_oct_jwk(b"k" * 64, kid="k2")), id="2"))
    for kid in ("nothing", "", "0", "../../../dev/null", "/dev/null", "k1\n", "K1", "' OR 1=1 --", "\u212a1"):
        for name, key in {"nothing": "", "the key": HMAC_KEY}.items():
            token = a_token(key=key, header={"kid": kid})
            yield Attack("CVE-2025-65945", f"kid {kid!r}, HS256 by {name}", token, BAD_SIGNATURE, rows)
    for kid, key in {"k1": HMAC_KEY, "k2": "k" * 64}.items():
        yield Attack("CVE-2025-65945", f"kid {kid!r} and its key", a_token(key=key, header={"kid": kid}), None, rows)
    crossed = a_token(key="k" * 64, header={"kid": "k1"})
    yield Attack("CVE-2025-65945", "kid of one key, signed by another", crossed, BAD_SIGNATURE, rows)


def _no_algorithm() -> Iterator[Attack]:
    for name, header in {
        "nothing": b"{}",
        "a typ": b'{"typ":"JWT"}',
        "alg null": b'{"alg":null}',
        "alg []": b'{"alg":[]}',
    }.items():
        for key in ("", HMAC_KEY):
            what = f"a header of {name}, {'no key' if not key else 'a good key'}"
            yield Attack("CVE-2022-23540", what, a_token(key=key, header=header), Reason.MALFORMED_TOKEN, (a_row(key),))


def _short_keys() -> Iterator[Attack]:
    for alg, least in {"HS256": 32, "HS384": 48, "HS512": 64}.items():
        for length in (1, 8, 16, least - 1, least, least + 1):
            key = "k" * length
            reason = BAD_SIGNATURE if length < least else None
            yield Attack(
                "RFC 8725 3.5", f"{alg} with a key of {length} bytes", a_token(key=key, alg=alg), reason, (a_row(key),)
            )
    for length, reason in {15: BAD_SIGNATURE, 16: None}.items():
        key = "k" * length
        yield Attack(
            "RFC 8725 3.5",
            f"HS256 with a key of {length} bytes where 16 are allowed",
            a_token(key=key),
            reason,
            (a_row(key),),
            settings={"MIN_HMAC_KEY_BYTES": "16"},
        )


ATTACKS: Final = (
    *_empty_secrets(),
    *_oct_jwks(),
    *_keys_of_another_kind(),
    *_odd_members(),
    *_keys_by_kid(),
    *_no_algorithm(),
    *_short_keys(),
)
