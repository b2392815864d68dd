"""Targets: the gate and the header, JSON and its rendering. Each is held to the model."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from auth_jwt.errors import Denied
from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.tokens import UnverifiedHeader, unverified_jws, unverified_object
from auth_jwt.strict_json import strict_json_object
from tests.factories import octets_of, segment
from tests.fuzz.target import Target, text_of
from tests.model.json_text import NotStrict, read_object
from tests.model.refusals import Refused
from tests.model.rendering import decoded_token as decoded_by_model
from tests.model.tokens import read_json, read_token
from tests.worlds import ODD_MEMBERS

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden" / "opensips.json"
_ALGORITHMS = {f"{kind}{size}" for kind in ("HS", "RS", "PS", "ES") for size in (256, 384, 512)} | {"EdDSA"}
_SIZE = 16384
JSON_WORDS = (
    *("{", "}", "[", "]", ":", ",", '"', "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\n", "null", "true", "false"),
    *("NaN", "Infinity", "1e400", "-0", "-0.0", "9223372036854775808", "1e-7", "0.1", "\ufeff", '"a":1', "1E+5"),
)


def _golden_tokens() -> list[str]:
    cases: list[dict[str, Any]] = json.loads(GOLDEN.read_text("utf-8"))["cases"]
    return sorted({str(case["token"]) for case in cases}, key=lambda token: (len(token), token))


# -- gate and header --------------------------------------------------------------------------------------------------


def check_token(octets: bytes) -> None:
    """The gate, the header's rules and the reading of the payload, and why they refuse, as the model has it."""
    token: str
    if octets[:1] == b"\0":  # as it stands
        token = text_of(octets[1:])
    else:  # its three segments, so that no fuzzer has to find base64
        header, _, rest = octets[1:].partition(b"\0")
        payload, _, signature = rest.partition(b"\0")
        token = f"{segment(header)}.{segment(payload)}.{segment(signature)}"
    try:
        jws = unverified_jws(token)
        ours: object = (jws.header.members, unverified_object(jws.payload), jws.signing_input, jws.signature)
    except Denied as denied:
        ours = denied.reason.value
    try:
        read = read_token(token, _SIZE, _ALGORITHMS, {"jwt"})
        theirs: object = (read.header, read_json(read.payload), read.signed, read.signature)
    except Refused as refused:
        theirs = refused.reason
    assert repr(ours) == repr(theirs), (ours, theirs)


def _token_seeds() -> Iterator[bytes]:
    for token in _golden_tokens():
        if len(token) < 1000:
            yield b"\0" + token.encode("utf-8", "surrogatepass")
    for header in ('{"alg":"HS256"}', '{"alg":"EdDSA","typ":"jwt","kid":"a","b64":true}', '{"alg":"none","crit":[]}'):
        yield b"\1" + header.encode() + b'\0{"tag":"t1","exp":1}\0signature'


# -- JSON and its rendering -------------------------------------------------------------------------------------------


def check_rendering(octets: bytes) -> None:
    """Strict JSON is what the model takes for it, is rendered as the model renders it, and reads as what it was."""
    try:
        theirs = read_object(octets)
    except NotStrict:
        theirs = None
    try:
        ours = strict_json_object(octets.decode("utf-8"))
    except ValueError:
        ours = None
    assert repr(ours) == repr(theirs), (ours, theirs)
    if ours is None or theirs is None:
        return
    header = UnverifiedHeader(ours, "HS256", None)
    rendered = decoded_token(header, ours)
    assert rendered == decoded_by_model(theirs, theirs)
    assert strict_json_object(rendered[len(str(header.rendered)) + 1 :]) == ours


def _rendering_seeds() -> Iterator[bytes]:
    for token in _golden_tokens():
        for part in token.split(".")[:2]:
            with suppress(ValueError):
                read = octets_of(part)
                if 0 < len(read) < 600:
                    yield read
    for member in ODD_MEMBERS:
        yield f'{{"typ":"JWT",{member}}}'.encode("utf-8", "surrogatepass")


TARGETS = (
    Target(
        "token",
        check_token,
        _token_seeds,
        (*JSON_WORDS, "alg", "typ", "kid", "crit", "b64", "JWT", "HS256", "Ed25519", "."),
    ),
    Target("rendering", check_rendering, _rendering_seeds, JSON_WORDS),
)
