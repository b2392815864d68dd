"""What attacks cost: memory at its peak, and how the work grows with the input. Nothing here looks at a clock.

Work is counted in calls of functions, ours and the libraries', by what the interpreter reports; and in signatures that
are computed. A check that is quadratic in a token's size shows in the first or in the second.
"""

import hmac
import json
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from auth_jwt.errors import Reason
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_jwks,
    a_secret,
    a_token,
    an_authorizer,
    an_oct_jwk,
    signed,
    verdict,
)
from tests.security.attacks import Attack, a_row, a_user
from tests.security.corpus.floods import ATTACKS
from tests.security.place import Place
from tools.events.authorize_events import FORMS
from tools.events.gateway_authorizer_events import FORMS as GATEWAY_FORMS
from tools.events.gateway_authorizer_events import by_header
from tools.events.http_request import FORM_TYPE, JSON_TYPE, Request, bearer

KIB = 1024


def peak_of(call: Callable[[], object]) -> int:
    """Return how many bytes more than before were allocated at once, at most, during a *call*."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def calls_of(call: Callable[[], object]) -> int:
    """Return how many functions a *call* calls in this thread, those in C included."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


def ready(place: Place, settings: dict[str, str]) -> None:
    """Have the handlers begun, with the rows in their memory."""
    place.store_rows((a_row(HMAC_KEY),), (a_user(),))
    for function in ("authorize", "gateway_authorizer"):
        event = {"jwt_token": a_token()} if function == "authorize" else gateway_event(a_token())
        place.ask(function, settings, event)


def gateway_event(token: str) -> dict[str, Any]:
    event: dict[str, Any] = GATEWAY_FORMS["http-"].event_of("a-name", by_header(token))
    return event


TOO_LONG = [attack for attack in ATTACKS if isinstance(attack.token, str) and len(attack.token) > 90_000]


@pytest.mark.matrix(kinds=lambda attack: {(attack.advisory, bool(attack.settings))})
@pytest.mark.parametrize("attack", TOO_LONG, ids=str)
def test_a_long_token_takes_no_memory_before_it_is_refused_and_little_where_it_is_allowed(
    place: Place, attack: Attack
) -> None:
    """By default nothing of it is copied; where an operator allows megabytes, a few copies, and no more per level."""
    token = str(attack.token)
    ready(place, dict(attack.settings))
    events: list[tuple[str, dict[str, Any]]] = [
        ("authorize", {"jwt_token": token}),
        ("authorize", FORMS["rest-"].event_of("a-name", bearer(token))),
        ("gateway_authorizer", gateway_event(token)),
    ]
    for function, event in events:
        place.ask(function, attack.settings, event)  # and load what only such requests load
    peaks = [peak_of(lambda f=f, e=e: place.ask(f, attack.settings, e)) for f, e in events]  # type: ignore[misc]

    # A gateway splits a header at its commas, and takes the scheme away: two copies of it.
    allowed = [64 * KIB, 3 * len(token) + 64 * KIB, 6 * len(token) + 64 * KIB]
    if attack.settings:
        allowed = [12 * len(token) + 256 * KIB] * 3
    assert [peak for peak, most in zip(peaks, allowed, strict=True) if peak > most] == []


@pytest.mark.parametrize("path", ["/authorize", "/script-authorize", "/frontends/jambonz"])
@pytest.mark.parametrize("kind", [FORM_TYPE, JSON_TYPE, "text/plain"])
@pytest.mark.parametrize("encoded", [False, True], ids=["as text", "in base64"])
def test_six_megabytes_of_percent_signs_are_refused_unread(place: Place, path: str, kind: str, encoded: bool) -> None:
    """Seen in November 2026: a form of them took three seconds of the processor."""
    ready(place, {})
    event = FORMS["rest-"].event_of("a-name", Request(path=path, body="%" * 6_000_000, content_type=kind))
    event |= {"isBase64Encoded": encoded}
    place.ask("authorize", {}, event)
    answers = []

    peak = peak_of(lambda: answers.append(place.ask("authorize", {}, event)))
    calls = calls_of(lambda: place.ask("authorize", {}, event))

    assert [answer.status for answer in answers] == [413]
    assert peak < 64 * KIB
    assert calls < 1500


def _forms(pairs: str) -> Callable[[int], dict[str, Any]]:
    return lambda size: FORMS["rest-"].event_of("a-name", Request(body=pairs * size, content_type=FORM_TYPE))


def _json(text: Callable[[int], str]) -> Callable[[int], dict[str, Any]]:
    return lambda size: FORMS["rest-"].event_of("a-name", Request(body=text(size), content_type=JSON_TYPE))


def _direct(token: Callable[[int], str]) -> Callable[[int], dict[str, Any]]:
    return lambda size: {"jwt_token": token(size)}


def _payload(text: Callable[[int], str]) -> Callable[[int], dict[str, Any]]:
    return _direct(lambda size: signed(b'{"alg":"HS256"}', b'{"tag":"t1","x":' + text(size).encode() + b"}"))


GROWING: dict[str, Callable[[int], dict[str, Any]]] = {
    "CVE-2025-30204 dots": _direct(lambda size: "." * size),
    "CVE-2025-30204 segments": _direct(lambda size: "e30." * size),
    "CVE-2025-61920 a long header": _direct(lambda size: a_token(header={"x": "x" * size})),
    "CVE-2025-61920 a long payload": _direct(lambda size: a_token(x="x" * size)),
    "CVE-2025-61920 a long signature": _direct(lambda size: a_token() + "AAAA" * size),
    "GHSA-8wjv-2p76-3863 levels of lists": _payload(lambda size: "[" * size + "]" * size),
    "GHSA-8wjv-2p76-3863 levels of objects": _payload(lambda size: '{"a":' * size + "1" + "}" * size),
    "GHSA-8wjv-2p76-3863 lists side by side": _payload(lambda size: "[" + "[]," * size + "1]"),
    "GHSA-8wjv-2p76-3863 brackets and quotes": _payload(lambda size: json.dumps('["\\' * size)),
    "CVE-2026-32597 names in crit": _direct(lambda size: a_token(header={"crit": ["x"] * size})),
    "CVE-2020-26160 audiences": _direct(lambda size: a_token(aud=["x"] * size)),
    "own sizes: digits": _payload(lambda size: "9" * size),
    "own sizes: digits of a real": _payload(lambda size: "0." + "9" * size),
    "own sizes: members": _payload(lambda size: json.dumps({f"m{number}": number for number in range(size)})),
    "own sizes: escapes": _payload(lambda size: '"' + "\\u00e9" * size + '"'),
    "own sizes: a tag": _direct(lambda size: a_token(tag="t" * size)),
    "own sizes: a kid": _direct(lambda size: a_token(header={"kid": "k" * size})),
    "own sizes: percent signs in a form": _forms("%"),
    "own sizes: pairs of a form": _forms("a=b&"),
    "own sizes: ampersands in a form": _forms("&"),
    "own sizes: brackets in a body": _json(lambda size: "[" * size),
    "own sizes: quotes in a body": _json(lambda size: '"' * size),
    "own sizes: members of a body": _json(lambda size: json.dumps({f"m{number}": "x" for number in range(size)})),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_input_takes_at_most_twice_the_work(place: Place, name: str) -> None:
    """At the sizes that are let in: beyond them nothing is read, whatever the size."""
    anything = {"MAX_TOKEN_BYTES": "5000000"}
    ready(place, anything)
    once, twice = (GROWING[name](size) for size in (1000, 2000))
    place.ask("authorize", anything, once)

    calls = [calls_of(lambda event=event: place.ask("authorize", anything, event)) for event in (once, twice)]  # type: ignore[misc]
    peaks = [peak_of(lambda event=event: place.ask("authorize", anything, event)) for event in (once, twice)]  # type: ignore[misc]

    assert calls[1] <= 2.1 * calls[0] + 100
    assert peaks[1] <= 2.1 * peaks[0] + 16 * KIB


class TestSignaturesComputed:
    """A token makes the service compute signatures: how many is the operator's choice, not the sender's."""

    @pytest.fixture(name="computed")
    def _computed(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        computed: list[int] = []
        compare = hmac.compare_digest

        def counted(one: bytes, other: bytes) -> bool:
            computed.append(len(one))
            return compare(one, other)

        monkeypatch.setattr(hmac, "compare_digest", counted)
        return computed

    def test_seen_many_secrets_of_ten_thousand_a_hundred_are_tried(self, computed: list[int]) -> None:
        """Seen in November 2026: each request took a second."""
        rows = [
            a_secret(f"{number} {HMAC_KEY}", id=f"{number:05}", start_ts=NOW - 20_000 + number)
            for number in range(10_000)
        ]
        authorizer = an_authorizer(*rows)

        assert verdict(lambda: authorizer.authorize(a_token(key="k" * 64))) is Reason.BAD_SIGNATURE
        assert len(computed) == 100

    def test_seen_many_secrets_a_kid_leaves_those_that_bear_it(self, computed: list[int]) -> None:
        rows = [a_secret(f"{number} {HMAC_KEY}", id=str(number), kid=str(number)) for number in range(50)]
        authorizer = an_authorizer(*rows)

        authorizer.authorize(a_token(key=f"7 {HMAC_KEY}", header={"kid": "7"}))
        assert len(computed) == 1

    def test_a_token_of_another_algorithm_computes_none(self, computed: list[int]) -> None:
        authorizer = an_authorizer(a_secret(HMAC_KEY, alg="HS256"))

        for alg in ("HS384", "HS512"):
            assert verdict(lambda alg=alg: authorizer.authorize(a_token(alg=alg))) is Reason.BAD_SIGNATURE  # type: ignore[misc]
        assert computed == []

    @pytest.mark.parametrize(("keys", "code", "tried"), [(16, 1, 16), (17, -1, 0), (200, -1, 0)])
    def test_a_script_gives_at_most_sixteen_keys(
        self, place: Place, computed: list[int], keys: int, code: int, tried: int
    ) -> None:
        key = a_jwks(*(an_oct_jwk(b"%d" % number + b"k" * 32) for number in range(keys)))
        token = a_token(key=b"%d" % (keys - 1) + b"k" * 32)
        body = json.dumps({"jwt_token": token, "key": key})
        event = FORMS["rest-"].event_of("a-name", Request(path="/script-authorize", body=body, content_type=JSON_TYPE))

        assert place.ask("authorize", {}, event).member("code") == code
        assert len(computed) == tried

    def test_no_token_computes_one_before_its_form_is_right(self, computed: list[int]) -> None:
        authorizer = an_authorizer()
        for attack in ATTACKS:
            if attack.reason in {Reason.MALFORMED_TOKEN, Reason.UNSUPPORTED_ALGORITHM, Reason.MISSING_TAG}:
                verdict(lambda token=attack.token: authorizer.authorize(token))  # type: ignore[misc]

        assert computed == []
