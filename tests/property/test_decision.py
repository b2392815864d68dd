"""The decision differs nowhere from a second one, written plainly from the contract: `tests.model`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.factories import HMAC_KEY, NOW, a_jwk, a_jwks, a_token, an_oct_jwk, without
from tests.model.decision import Allowed, Denied, Fault, Outcome, Tables, decide
from tests.sampling import examples, some
from tests.security.corpus.whole import CORPUS
from tests.worlds import (
    CLAIMS,
    JWK_MEMBERS,
    MEMBERS,
    ODD_MEMBERS,
    OTHER_KEY,
    PROFILE_COLUMNS,
    PUBLIC_FORMS,
    SECRET_COLUMNS,
    SETTINGS,
    SIGNERS,
    TEXTS,
    VALUES,
    Choices,
    World,
    a_plain_world,
    a_world,
    is_one_of,
    outcome_of,
    outcomes_by_model,
)

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden" / "opensips.json"
DECISIONS: list[dict[str, Any]] = [
    case for case in json.loads(GOLDEN.read_text("utf-8"))["cases"] if case["op"] == "db"
]
WORLDS = 1000
SOME = 150
MOST = 400
"""How many cases of a product a whole run tries: all would take an hour. `make fuzz` goes on where this ends."""


def world_of(case: dict[str, Any]) -> World:
    """A recorded case as a world."""
    return World(
        settings=case["settings"],
        profiles=case.get("profiles", []),
        secrets=case.get("secrets", []),
        token=case["token"],
        now=case["now"],
    )


def expected_of(case: dict[str, Any]) -> Outcome:
    """What the contract has this service answer."""
    ours = case["ours"]
    if ours["code"] == -1:
        return Denied(ours["reason"])
    return Allowed(ours["sip_username"], ours["decoded_token"], ours["credentials"], ours["expires_at"])


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: f"{case['group']}: {case['name']}")
def test_the_model_answers_recorded_cases_as_the_contract_has_it(case: dict[str, Any]) -> None:
    """So the model is right where the real module was recorded, and sure of nearly all of it."""
    assert is_one_of(expected_of(case), outcomes_by_model(world_of(case)))


def test_the_model_is_sure_of_nearly_every_recorded_case() -> None:
    """A model that leaves all open would agree with anything."""
    unsure = [case["name"] for case in DECISIONS if len(outcomes_by_model(world_of(case))) > 1]

    assert len(unsure) <= 6, unsure


@pytest.mark.parametrize("advisory", sorted({attack.advisory for attack in CORPUS}))
def test_they_agree_on_every_attack(advisory: str) -> None:
    """And the model allows the verdict that the corpus of attacks asks for."""
    attacks = [attack for attack in CORPUS if attack.advisory == advisory]
    worlds = [
        World(dict(attack.settings), list(attack.profiles), list(attack.rows), token=attack.token) for attack in attacks
    ]

    assert differences(worlds) == []
    for attack, world in zip(attacks, worlds, strict=True):
        reasons = [getattr(outcome, "reason", None) for outcome in outcomes_by_model(world)]
        assert (attack.reason and attack.reason.value) in reasons, attack.what


@settings(max_examples=examples(WORLDS), deadline=None)
@given(st.binary(max_size=160))
@example(b"")
def test_the_service_decides_as_the_model_does(octets: bytes) -> None:
    world = a_world(octets)

    assert is_one_of(outcome_of(world), outcomes_by_model(world))


def test_without_any_choice_the_world_lets_alice_in() -> None:
    (outcome,) = outcomes_by_model(a_world(b""))

    assert isinstance(outcome, Allowed)
    assert outcome.sip_username == "alice"
    assert outcome_of(a_world(b"")) == outcome


ENDS: Sequence[tuple[Outcome, World]] = [
    (Fault(), a_plain_world(unreadable="secrets")),
    (Denied("malformed_token"), a_plain_world(claims=b"[]")),
    (Denied("unsupported_algorithm"), a_plain_world(header={"alg": "none"})),
    (Denied("unsupported_type"), a_plain_world(header={"typ": "JOSE"})),
    (Denied("unsupported_critical_header"), a_plain_world(header={"crit": ["exp"]})),
    (Denied("missing_tag"), a_plain_world(claims={"tag": ""})),
    (Denied("unknown_tag"), a_plain_world(claims={"tag": "t2"})),
    (Denied("no_active_secret"), a_plain_world(secret={"end_ts": NOW})),
    (Denied("bad_signature"), a_plain_world(secret={"secret": OTHER_KEY})),
    (Denied("token_expired"), a_plain_world(claims={"exp": NOW})),
    (Denied("token_not_yet_valid"), a_plain_world(claims={"nbf": NOW + 1})),
    (Denied("token_too_old"), a_plain_world(settings={"MAX_TOKEN_AGE_SECONDS": "0"})),
    (Denied("missing_claim"), a_plain_world(settings={"REQUIRED_CLAIMS": "nbf"})),
    (Denied("malformed_claim"), a_plain_world(claims={"exp": True})),
    (Denied("wrong_issuer"), a_plain_world(settings={"ISSUER": "them"})),
    (Denied("wrong_audience"), a_plain_world(settings={"AUDIENCE": "web"})),
    (Denied("unknown_profile"), a_plain_world(profiles=[])),
    (Denied("incomplete_profile"), a_plain_world(profile={"sip_username": ""})),
    (Denied("disabled_profile"), a_plain_world(profile={"disabled": None})),
    (Denied("revoked_token"), a_plain_world(profile={"tokens_valid_after": NOW})),
    (Denied("username_mismatch"), a_plain_world(from_user="Alice")),
    (Denied("domain_mismatch"), a_plain_world(from_domain="example.com")),
]


@pytest.mark.parametrize(
    ("end", "world"), [pytest.param(*case, id=getattr(case[0], "reason", "fault")) for case in ENDS]
)
def test_both_know_every_end_of_a_decision(end: Outcome, world: World) -> None:
    assert outcomes_by_model(world) == [end]
    assert outcome_of(world) == end


ABSENT: tuple[Any, Any] = ("", None)
Option = tuple[str, Any]
Case = TypeVar("Case")


def options_of(table: Sequence[tuple[str, Sequence[Any]]]) -> list[Option]:
    """Each value of each name, and none of them."""
    return [ABSENT, *((name, value) for name, values in table for value in values)]


def most(cases: Sequence[Case]) -> Sequence[Case]:
    """Return as many of *cases* as there is time for, by chance, the same at each run; in a sample, fewer."""
    return some(Random(MOST).sample(cases, min(len(cases), MOST)), SOME)


def over(option: Option) -> dict[str, Any]:
    return {} if option is ABSENT else dict([option])


def changed(part: str, value: Any, **others: Any) -> World:
    return a_plain_world(**{part: value}, **others)


def differences(worlds: Iterable[World]) -> list[World]:
    return [world for world in worlds if not is_one_of(outcome_of(world), outcomes_by_model(world))]


@pytest.mark.parametrize(
    ("part", "table"),
    [("claims", CLAIMS), ("header", MEMBERS), ("profile", PROFILE_COLUMNS), ("secret", SECRET_COLUMNS)],
    ids=["claims", "header", "profile", "secret"],
)
def test_they_agree_on_each_value_under_each_setting(part: str, table: Sequence[tuple[str, Sequence[Any]]]) -> None:
    cases = list(product(options_of(SETTINGS), options_of(table)))
    worlds = (changed(part, over(option), settings=over(setting)) for setting, option in most(cases))

    assert differences(worlds) == []


@pytest.mark.parametrize("part", ["header", "claims"])
@pytest.mark.parametrize("settings_over", [{}, {"TAG_CLAIM": "sub"}], ids=["tag", "sub"])
def test_they_agree_on_each_way_to_write_json(part: str, settings_over: dict[str, str]) -> None:
    """Whatever strict JSON has and has not, as a member of header or payload."""
    plain = {"header": '{"alg":"HS256"', "claims": '{"tag":"t1","sub":"t1"'}[part]
    values = [json.dumps(value, ensure_ascii=ascii_only) for value in VALUES for ascii_only in (True, False)]
    members = [*ODD_MEMBERS, *(f'"a":{value}' for value in values), *(f"{value}:1" for value in values)]
    worlds = (
        changed(part, f"{plain},{member}}}".encode("utf-8", "surrogatepass"), settings=settings_over)
        for member in members
    )

    assert differences(worlds) == []


@pytest.mark.parametrize("segment", range(3), ids=["header", "payload", "signature"])
def test_they_agree_on_how_each_segment_may_end(segment: int) -> None:
    """With any character of base64url, whatever the length; with others; with none."""
    worlds = []
    for length in range(4):
        plain = a_plain_world(claims={"sub": "s" * length}, header={"kid": "k" * length})
        parts = str(plain.token).split(".")
        for end in [*ascii_letters, *digits, *"-_=+/ \n\0é", "", "A", "AA"]:
            parts_now = [*parts]
            parts_now[segment] = parts[segment][: -length or None][:-1] + end
            worlds.append(replace(plain, token=".".join(parts_now)))

    assert differences(worlds) == []


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_they_agree_on_each_key_in_each_form_and_alg(algorithm: str) -> None:
    """Of rows whose `alg` is absent, right, wrong or nonsense; also where it is required."""
    algs = [option for option in options_of(SECRET_COLUMNS) if option is ABSENT or option[0] == "alg"]
    settings_over = [{}, {"REQUIRE_ALG_COLUMN": "true"}, {"MIN_HMAC_KEY_BYTES": "1"}]
    cases = [
        (signer, text, alg, setting)
        for signer in SIGNERS[algorithm]
        for text in texts_of(signer)
        for alg in algs
        for setting in settings_over
    ]
    worlds = (
        a_plain_world(algorithm=algorithm, signer=signer, secret={"secret": text, **over(alg)}, settings=setting)
        for signer, text, alg, setting in most(cases)
    )

    assert differences(worlds) == []


def texts_of(signer: str) -> Iterator[object]:
    """The key of *signer* in each form, with each member of a JWK, and texts that are none of it."""
    if signer in (HMAC_KEY, OTHER_KEY):
        jwk = an_oct_jwk(signer.encode())
        yield signer
        yield from TEXTS
    else:
        jwk = a_jwk(signer)
        yield from (form(signer, Choices(b"")) for form in PUBLIC_FORMS)
    for option in options_of(JWK_MEMBERS):
        yield json.dumps({**jwk, **over(option)})
        yield a_jwks({**jwk, **over(option)}, an_oct_jwk(OTHER_KEY.encode(), kid="k2"))
    for member in jwk:
        yield json.dumps(without(jwk, member))
    yield json.dumps(jwk) + json.dumps(jwk)


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        pytest.param(Denied("bad_signature"), False, id="a denial"),
        pytest.param(Fault(), False, id="a fault"),
        pytest.param(Allowed("alice", "{}.{}", {"extra": "1"}, NOW), True, id="the same"),
        pytest.param(Allowed("alice", "{}.{}", {"extra": 1}, NOW), False, id="a number for a text"),
        pytest.param(Allowed("alice", "{}.{}", {"extra": "1"}, NOW + 1), False, id="another end"),
        pytest.param(Allowed("alice", "{}.{} ", {"extra": "1"}, NOW), False, id="another rendering"),
    ],
)
def test_the_comparison_tells_outcomes_apart(answer: Outcome, is_right: bool) -> None:
    assert is_one_of(answer, [Allowed("alice", "{}.{}", {"extra": "1"}, NOW)]) is is_right


def test_true_is_not_one_to_the_comparison() -> None:
    assert not is_one_of(Allowed("a", "", {"flag": True}, NOW), [Allowed("a", "", {"flag": 1}, NOW)])


def test_any_of_the_secrets_that_signed_may_give_the_end() -> None:
    """The contract says that one is enough, and not which."""
    rows = [
        {"corresponding_tag": "t1", "id": end, "secret": HMAC_KEY, "start_ts": 0, "end_ts": NOW + int(end)}
        for end in ("1", "2")
    ]
    outcomes = decide({}, Tables.of([{"tag": "t1", "sip_username": "alice"}], rows), a_token(), NOW)

    assert [outcome.expires_at for outcome in outcomes if isinstance(outcome, Allowed)] == [NOW + 1, NOW + 2]


def test_choices_beyond_the_octets_are_the_plain_ones() -> None:
    choices = Choices(b"\x01")

    assert [choices.pick("abc") for _ in range(3)] == ["b", "a", "a"]
