"""F. Denial of service: tokens that cost more to refuse than to send.

`tests/security/test_costs.py` counts what they cost.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from auth_jwt.errors import Reason
from tests.factories import a_token, segment, signed
from tests.security.attacks import Attack

MALFORMED, UNSUPPORTED = Reason.MALFORMED_TOKEN, Reason.UNSUPPORTED_ALGORITHM
CRITICAL, MISSING_TAG = Reason.UNSUPPORTED_CRITICAL_HEADER, Reason.MISSING_TAG
ANY_SIZE: Final[Mapping[str, str]] = {"MAX_TOKEN_BYTES": "5000000"}
MEGABYTE: Final = 1_000_000
LEVELS: Final = 100_000


def _sizes() -> Iterator[Attack]:
    for settings in ({}, ANY_SIZE):
        more = ", any size allowed" if settings else ""
        for name, token in {
            "100,000 dots": "." * 100_000,
            "Bearer and 100,000 dots": "Bearer " + "." * 100_000,
            "100,000 segments": "a." * 100_000,
            "a segment and 100,000 dots": "e30" + "." * 100_000,
        }.items():
            yield Attack("CVE-2025-30204", name + more, token, MALFORMED, settings=settings)
    good = a_token()
    yield Attack("CVE-2025-61920", "a header of a megabyte", a_token(header={"x": "x" * MEGABYTE}), MALFORMED)
    yield Attack("CVE-2025-61920", "a payload of a megabyte", a_token(x="x" * MEGABYTE), MALFORMED)
    yield Attack("CVE-2025-61920", "a signature of a megabyte", good + "A" * MEGABYTE, MALFORMED)
    yield Attack(
        "CVE-2025-61920",
        "a header of a megabyte, any size allowed",
        a_token(header={"x": "x" * MEGABYTE}),
        None,
        settings=ANY_SIZE,
    )
    yield Attack(
        "CVE-2025-61920",
        "a payload of a megabyte, any size allowed",
        a_token(x="x" * MEGABYTE),
        None,
        settings=ANY_SIZE,
    )
    longer = good[:-1] + "A" * MEGABYTE  # which is base64url of a whole number of bytes
    yield Attack(
        "CVE-2025-61920", "a signature of a megabyte, any size allowed", longer, Reason.BAD_SIGNATURE, settings=ANY_SIZE
    )
    longest = _of_length(16_384)
    yield Attack("CVE-2025-61920", "as long as a token may be", longest, None)
    yield Attack("CVE-2025-61920", "a character longer", _of_length(16_386), MALFORMED)
    unencoded: dict[str, dict[str, object]] = {
        "b64 false": {"b64": False},
        "b64 false, critical": {"b64": False, "crit": ["b64"]},
    }
    for name, members in unencoded.items():
        token = a_token(header=members, x="x" * MEGABYTE)
        yield Attack("CVE-2026-48990", f"{name}, a payload of a megabyte", token, MALFORMED)
        yield Attack(
            "CVE-2026-48525", f"{name}, a payload of a megabyte, any size allowed", token, CRITICAL, settings=ANY_SIZE
        )
        raw = f"{segment(json.dumps({'alg': 'HS256', **members}).encode())}.{'x' * MEGABYTE}."
        yield Attack("CVE-2026-48525", f"{name}, a payload that is not encoded", raw, MALFORMED, settings=ANY_SIZE)


def _of_length(length: int) -> str:
    """Return a good token of *length* characters."""
    for filled in range(length * 3 // 4 - 200, length):
        token = a_token(x="x" * filled)
        if len(token) >= length:
            return token
    raise AssertionError(length)


def _depths() -> Iterator[Attack]:
    for kind, text in {
        "lists": b"[" * LEVELS + b"]" * LEVELS,
        "objects": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
        "lists that never end": b"[" * LEVELS,
        "both": b'[{"a":' * (LEVELS // 2) + b"1" + b"}]" * (LEVELS // 2),
    }.items():
        for place, token in {
            "header": signed(b'{"alg":"HS256","x":' + text + b"}", b'{"tag":"t1"}'),
            "payload": signed(b'{"alg":"HS256"}', b'{"tag":"t1","x":' + text + b"}"),
        }.items():
            yield Attack(
                "GHSA-8wjv-2p76-3863", f"a {place} of {kind}, 100,000 deep", token, MALFORMED, settings=ANY_SIZE
            )
    for levels, reason in {64: None, 65: MALFORMED, 900: MALFORMED, 2000: MALFORMED}.items():
        text = b"[" * (levels - 1) + b"]" * (levels - 1)
        for place, token in {
            "header": signed(b'{"alg":"HS256","x":' + text + b"}", b'{"tag":"t1"}'),
            "payload": signed(b'{"alg":"HS256"}', b'{"tag":"t1","x":' + text + b"}"),
        }.items():
            yield Attack("GHSA-8wjv-2p76-3863", f"a {place} of {levels} levels", token, reason)
    brackets = a_token(x="[" * 1000)
    yield Attack("GHSA-8wjv-2p76-3863", "a thousand brackets in a string", brackets, None)


def _encrypted() -> Iterator[Attack]:
    for name, header in {
        "dir": {"alg": "dir", "zip": "DEF", "enc": "A256GCM"},
        "RSA-OAEP": {"alg": "RSA-OAEP", "zip": "DEF"},
    }.items():
        five = ".".join([segment(json.dumps(header).encode()), "AA", "AA", "x" * 1000, "AA"])
        yield Attack("CVE-2024-33664", f"a JWE with zip, {name}", five, MALFORMED)
        yield Attack("CVE-2024-33664", f"the header of such a JWE, {name}", a_token(header=header), UNSUPPORTED)
    yield Attack("CVE-2024-33664", "zip in a JWS says nothing", a_token(header={"zip": "DEF"}), None)
    for count in (2**31, 2**63 - 1, 10_000_000):
        for alg in ("PBES2-HS256+A128KW", "PBES2-HS512+A256KW"):
            token = a_token(header={"alg": alg, "p2c": count, "p2s": "AAAA"})
            yield Attack("CVE-2023-6681", f"{alg}, p2c {count}", token, UNSUPPORTED)
    yield Attack("CVE-2023-6681", "p2c beside HS256 says nothing", a_token(header={"p2c": 2**31}), None)
    for alg in ("RSA1_5", "RSA-OAEP", "dir", "ECDH-ES", "A128KW"):
        header = {"alg": alg, "enc": "A128CBC-HS256"}
        yield Attack("CVE-2026-28490", f"{alg} in three parts", a_token(header=header), UNSUPPORTED)
        yield Attack(
            "CVE-2026-28490", f"{alg} in five parts", f"{segment(json.dumps(header).encode())}.AA.AA.AA.AA", MALFORMED
        )


def _values() -> Iterator[Attack]:
    for digits in (20, 4_300, 4_301, 10_000):
        for sign in ("", "-"):
            payload = f'{{"tag":"t1","x":{sign}{"9" * digits}}}'.encode()
            yield Attack("own sizes", f"an integer of {sign}{digits} digits", a_token(payload=payload), MALFORMED)
    for name, text in {
        "a real of 10,000 digits": "0." + "1" * 10_000,
        "a real of 400 digits": "1" * 300 + ".5",
        "an exponent of 10,000 digits": "1e-" + "0" * 9_999 + "1",
        "as large as an integer can be": str(2**63 - 1),
    }.items():
        yield Attack("own sizes", name, a_token(payload=f'{{"tag":"t1","x":{text}}}'.encode()), None)
    yield Attack("own sizes", "a tag of a megabyte", a_token(tag="t" * MEGABYTE), MALFORMED)
    yield Attack(
        "own sizes",
        "a tag of a megabyte, any size allowed",
        a_token(tag="t" * MEGABYTE),
        MISSING_TAG,
        settings=ANY_SIZE,
    )
    many = {"tag": "t1", **{f"claim {number}": number for number in range(500)}}
    yield Attack("own sizes", "500 claims", a_token(payload=many), None)
    yield Attack("own sizes", "a kid of 8 KB", a_token(header={"kid": "k" * 8192}), None)


ATTACKS: Final = (*_sizes(), *_depths(), *_encrypted(), *_values())
