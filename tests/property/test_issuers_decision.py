"""The decision about tokens of issuers differs nowhere from a second one, written plainly from the contract."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Deferred as DeferredByUs
from auth_jwt.errors import Denied as DeniedByUs
from auth_jwt.errors import Fault as FaultOfOurs
from auth_jwt.issuers.authorizer import IssuerAuthorizer
from auth_jwt.issuers.memory import IssuerMemory, ProfileMemory
from auth_jwt.issuers.models import IssuerPatterns
from auth_jwt.jose.asymmetric import thumbprint
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.runtime.settings import Settings
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_jwk,
    a_private_key,
    a_public_key,
    a_token,
    an_oct_jwk,
    octets_of,
    segment,
    without,
)
from tests.fakes import Clock, MemoryIssuers, MemoryStore
from tests.issuers import GONE, ISSUER, KEYS_URL, KID, SUBJECT, keys_rows
from tests.model import issuers as model
from tests.model.decision import Allowed, Denied, Fault, Outcome, Tables
from tests.model.decision import decide as decide_of_tags
from tests.sampling import examples, some
from tests.worlds import BOUNDS, INSTANTS, VALUES, Choices, is_one_of

HOURS = 3600
CONFIGURED = {"keys_url": KEYS_URL, "audiences": ["sip", "web"]}
BY_CLAIM = {"mapping": "claim", "username_claim": "extension", "sip_domain": "Example.com"}
KEYS: Mapping[str, tuple[str, str]] = {
    "RS256": ("RS256", "rsa_2048"),
    "PS512": ("PS512", "rsa_2048"),
    "ES256": ("ES256", "p256"),
    "ES512": ("ES512", "p521"),
    "EdDSA": ("EdDSA", "ed25519"),
    "Ed448": ("Ed448", "ed448"),
    "another key": ("RS256", "rsa_2048_other"),
}
"""Who signs: the algorithm and the key. Only the first is what the plain issuer has."""

CONFIGURATIONS: Sequence[Mapping[str, Any]] = (
    *({"algorithms": names} for names in (["PS512", "ES256"], ["ES512"], ["EdDSA"], ["RS256", "EdDSA"])),
    {"audiences": ["sip"], "access_audiences": ["sip"]},
    {"audiences": [], "client_claim": "client_id", "client_ids": ["app"], "required_claims": {"client_id": "app"}},
    {"client_claim": "client_id", "client_ids": ["app", "web"]},
    *({"token_kind": "id", **more} for more in ({}, {"required_claims": {"token_use": "id"}})),
    *(
        {"required_claims": {name: value}, **({"access_claims": [name]} if is_sign else {})}
        for name, value in (("typ", "Bearer"), ("scope", "sip"), ("scp", "sip"), ("level", 1), ("level", True))
        for is_sign in (False, True)
    ),
    *({"longest_lifetime": seconds} for seconds in (1, 309, 310, 311)),
    {"requires_jti": False},
    *({**BY_CLAIM, **more} for more in ({}, {"permits_no_domain": True}, {"username_pattern": "[0-9]+"})),
    {"keys_url": KEYS_URL + "2"},
    {"blocked_keys": [thumbprint(a_public_key())]},
    {"blocked_keys": [thumbprint(a_public_key(name)) for name in ("p256", "p521", "ed25519", "ed448")]},
)
CLAIMS: Sequence[tuple[str, Sequence[object]]] = (
    *((name, (GONE, *INSTANTS)) for name in ("exp", "nbf", "iat")),
    ("exp", (NOW + 299, NOW + 301, NOW + 86389, NOW + 86390, NOW + 86391)),
    ("iat", (NOW - 89, NOW - 90, NOW - 91, NOW - 59, NOW - 60, NOW - 61, NOW - 70, NOW - 71, NOW + 60, NOW + 61)),
    ("aud", (GONE, "web", ["sip"], ["web", "sip"], ["web", "other"], [], [1], None, 1, {"sip": 1}, "", "Sip")),
    ("sub", (GONE, "nobody", "", "1", None, 1, [SUBJECT], "é" * 127, "é" * 128, SUBJECT.upper())),
    ("jti", (GONE, "", "2", None, 1, "é" * 512, "é" * 513)),
    ("typ", ("ID", "id", "Bearer", "bearer", "Refresh", "Offline", "Logout", "JWT", None, 1, ["ID"])),
    ("token_use", ("id", "access", "ID", None, 1)),
    *((name, VALUES) for name in ("nonce", "at_hash", "c_hash", "events")),
    ("azp", ("sip", "web", "other", None, ["sip"], 1)),
    ("client_id", (GONE, "web", "other", None, 1, ["app"])),
    ("scope", ("sip", "a sip b", "sips", "a  sip", ["sip"], ["a sip"], None, 1)),
    ("scp", ("sip", "a sip b", ["a", "sip"], {"sip": 1})),
    ("level", (1, True, 1.0, "1", [1], [True], 2, None)),
    ("extension", (GONE, "100", "a.b+c", "a b", "a\n", "é", "a" * 64, "a" * 65, "", None, 1, ["100"], "\u0661")),
    ("iss", (GONE, "https://elsewhere.example.com", ISSUER + "/", ISSUER.upper(), None, 1, [ISSUER], {"a": ISSUER})),
    ("tag", ("t1",)),
)
HEADERS: Sequence[tuple[str, Sequence[object]]] = (
    ("typ", (GONE, "JWT", "jwt", "application/at+jwt", "AT+JWT", "at+jwt ", "JOSE", "id", None, 1)),
    ("kid", (GONE, "of tomorrow", "", None, 1, KID.upper(), [KID])),
    ("alg", ("none", "HS256", "RS512", "ES256", "EdDSA", "rs256", None, 1)),
    ("crit", (["exp"], [])),
    ("b64", (True, False)),
)
_RSA, _OTHER, _P256 = (a_jwk(name, kid=KID) for name in ("rsa_2048", "rsa_2048_other", "p256"))
SETS: Sequence[Sequence[Mapping[str, Any]]] = (
    (),
    (_RSA, _P256, *(a_jwk(name, kid=KID) for name in ("p521", "ed25519", "ed448"))),
    (without(_RSA, "kid"),),
    (without(_RSA, "kid"), without(_P256, "kid")),
    (without(_RSA, "kid"), without(_OTHER, "kid")),
    (_OTHER,),
    (_OTHER, _RSA),
    (_OTHER, _OTHER, _OTHER, _OTHER, _RSA),
    (_OTHER, _OTHER, _OTHER, _RSA),
    ({**_RSA, "kid": "of tomorrow"},),
    *(
        ({**_RSA, **more},)
        for more in ({"use": "enc"}, {"use": "sig"}, {"alg": "PS512"}, {"alg": "RS256"}, {"kty": "EC"})
    ),
    *(({**_RSA, **more},) for more in ({"key_ops": ["verify"]}, {"key_ops": ["sign"]}, {"d": "AQAB"}, {"e": "AQ"})),
    (an_oct_jwk(HMAC_KEY.encode(), kid=KID),),
    (an_oct_jwk(HMAC_KEY.encode(), kid=KID), _RSA),
    ({"kty": "AKP", "kid": KID}, _RSA),
)
ROWS: Sequence[tuple[str, Sequence[object]]] = (
    ("disabled", (False, True, 0, 1, None, "", "false", [])),
    ("tokens_valid_after", (NOW - 10, NOW - 9, NOW - 11, *BOUNDS)),
)
USERS: Sequence[tuple[str, Sequence[object]]] = (
    *ROWS,
    ("sip_username", (GONE, "", None, 1, "Alice")),
    ("sip_domain", (GONE, "EXAMPLE.com", "", None, 1)),
    ("plan", ("gold", 1, True, None, "")),
)
SETTINGS: Sequence[tuple[str, Sequence[str]]] = (
    ("LEEWAY_SECONDS", ("1", "60")),
    ("ALLOWED_ALGORITHMS", ("RS256", "PS512,ES256,EdDSA", "HS256")),
    ("MAX_TOKEN_BYTES", ("200", "65536")),
    ("LOAD_CREDENTIALS", ("plan", "$avp(a)=plan")),
    ("REVOCATIONS_TABLE", ("jwt_revocations",)),
    *(("ENFORCE_TIME_CLAIMS", ("false",)), ("REQUIRED_CLAIMS", ("nbf",)), ("MAX_TOKEN_AGE_SECONDS", ("1",))),
    *(("ISSUER", ("us",)), ("AUDIENCE", ("us",)), ("ACCEPTED_TYPES", ("at+jwt", "jose")), ("TAG_CLAIM", ("sub",))),
)
ASKERS: Sequence[tuple[str, Sequence[object]]] = (
    ("from_user", ("alice", "Alice", "100", "")),
    ("from_domain", ("example.com", "EXAMPLE.COM", "other.example.com", "")),
    ("knows_domain", (False,)),
    ("now", (NOW + 0.5, NOW + 59, NOW + 300, NOW + 299, NOW + 26 * HOURS - 10, NOW + 26 * HOURS - 9, NOW - 11)),
    ("fetched_at", (None, NOW, NOW - 26 * HOURS, NOW - 26 * HOURS - 1, NOW + 49, NOW + 50, NOW + 51)),
    ("next_fetch_at", (None, NOW - 1, NOW, NOW + 0.5, NOW + 897, NOW + 898, NOW + 899, NOW + 5000)),
)


@dataclass
class World:
    """An issuer, one of its users, a token and who asks."""

    settings: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] | None = field(default_factory=lambda: dict(CONFIGURED))
    columns: dict[str, Any] = field(default_factory=dict)
    keys: Sequence[Mapping[str, Any]] | None = (_RSA,)
    fetched_at: float | None = NOW - 30
    next_fetch_at: float | None = NOW + 30
    user: dict[str, Any] | None = field(
        default_factory=lambda: {"sip_username": "alice", "sip_domain": "example.com", "plan": "gold"}
    )
    revoked: Sequence[str] = ()
    signer: str = "RS256"
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    now: float = NOW
    from_user: str | None = None
    from_domain: str | None = None
    knows_domain: bool = True

    @property
    def token(self) -> str:
        algorithm, key = KEYS[self.signer]
        usual = {"iss": ISSUER, "sub": SUBJECT, "aud": "sip", "iat": NOW - 10, "exp": NOW + 300, "jti": "1"}
        usual |= {"client_id": "app", "extension": "100"}
        payload = {name: value for name, value in {**usual, **self.claims}.items() if value is not GONE}
        header = {"alg": algorithm, "kid": KID, "typ": "at+jwt", **self.header}
        members = json.dumps({name: value for name, value in header.items() if value is not GONE})
        signs_by = "EdDSA" if key.startswith("ed") else algorithm
        return a_token(key=a_private_key(key), alg=signs_by, header=members.encode(), payload=payload)


def outcome_of(world: World) -> Outcome | model.Deferred:
    """What the service makes of *world*, in the model's words."""
    settings = Settings.from_env(world.settings)
    store = MemoryIssuers(columns=settings.columns, credentials=settings.policy.credentials)
    if world.configuration is not None:
        row = {"issuer_config": json.dumps(world.configuration), "issuer_version": 1, **world.columns}
        store.profiles.append({"tag": ISSUER, **row})
    if world.user is not None:
        store.profiles.append({"tag": f"{ISSUER}#{SUBJECT}", **world.user})
    if world.keys is not None:
        store.secrets += keys_rows()
        store.secrets[0]["issuer_keys"] = json.dumps({"keys": world.keys})
        del store.secrets[1]["issuer_fetched_at"], store.secrets[1]["issuer_next_fetch_at"]
        times = {"issuer_fetched_at": world.fetched_at, "issuer_next_fetch_at": world.next_fetch_at}
        store.secrets[1] |= {name: value for name, value in times.items() if value is not None}
    statics = MemoryStore([], [], settings.columns, settings.policy.credentials)
    statics.revocations = [{"tag": ISSUER, "jti": jti} for jti in world.revoked]
    none: dict[str, Any] = {"ttl": 0, "stale_for": 0, "timer": Clock()}
    revocations = RevocationMemory(statics, **none) if settings.revocations_table is not None else None
    issuers = IssuerAuthorizer(
        patterns=IssuerPatterns(frozenset({ISSUER})),
        issuers=IssuerMemory(store, **none),
        profiles=ProfileMemory(store, **none),
        policy=settings.policy,
        keys_lifetime=settings.keys_lifetime,
        revocations=revocations,
    )
    authorizer = Authorizer(
        memory=RowMemory(statics, **none),
        policy=settings.policy,
        store_seconds=settings.store_timeout,
        revocations=revocations,
        clock=Clock(world.now),
        issuers=issuers,
    )
    try:
        answer = authorizer.authorize(
            world.token, from_user=world.from_user, from_domain=world.from_domain, knows_domain=world.knows_domain
        )
    except DeniedByUs as denied:
        return Denied(denied.reason.value)
    except DeferredByUs as deferred:
        return model.Deferred(deferred.retry_after)
    except FaultOfOurs:
        return Fault()
    return Allowed(answer.sip_username, answer.decoded_token, answer.credentials, answer.expires_at)


def outcome_by_model(world: World) -> list[Outcome | model.Deferred]:
    """What the model says may come of *world*: of tokens that name no such issuer, by the rules of tags."""
    if not model.is_of([ISSUER], world.token, world.settings):
        asked = {"from_user": world.from_user, "from_domain": world.from_domain}
        return list(decide_of_tags(world.settings, Tables({}, {}), world.token, world.now, **asked))
    tables = model.IssuerTables(
        ISSUER,
        world.configuration,
        world.columns,
        world.keys,
        KEYS_URL,
        world.fetched_at if world.keys is not None else None,
        world.next_fetch_at if world.keys is not None else None,
        {} if world.user is None else {SUBJECT: world.user},
        world.revoked,
    )
    asked_of = {name: getattr(world, name) for name in ("from_user", "from_domain", "knows_domain")}
    return [model.decide(world.settings, tables, world.token, world.now, **asked_of)]


def agree(world: World) -> bool:
    ours, theirs = outcome_of(world), outcome_by_model(world)
    if isinstance(ours, model.Deferred):
        return ours in theirs
    return is_one_of(ours, [outcome for outcome in theirs if not isinstance(outcome, model.Deferred)])


def over(plain: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    row = {**plain, name: value}
    return {name: value for name, value in row.items() if value is not GONE}


def changed(world: World, part: str, change: Any) -> World:
    """Return *world* with one change: an option of one of the tables above."""
    return replace(world, **_fields(world, part, change))


def _fields(world: World, part: str, change: Any) -> dict[str, Any]:
    if part == "asker":
        return dict([change])
    if part in ("signer", "keys", "revoked") or change is None:
        return {part: change}
    if part == "configuration":
        return {part: {**CONFIGURED, **change}}
    if part in ("header", "claims"):  # what is gone there is left out when the token is made
        return {part: {**getattr(world, part), change[0]: change[1]}}
    return {part: over(getattr(world, part) or {}, *change)}


def _each(table: Sequence[tuple[str, Sequence[object]]]) -> list[tuple[str, object]]:
    return [(name, value) for name, values in table for value in values]


CHANGES: Sequence[tuple[str, Any]] = [
    *(("configuration", change) for change in (None, *CONFIGURATIONS)),
    *(("signer", name) for name in KEYS),
    *(("keys", keys) for keys in (None, *SETS)),
    *(("revoked", jtis) for jtis in (["1"], ["2"])),
    *(("asker", change) for change in _each(ASKERS)),
    *(("columns", change) for change in _each(ROWS)),
    *(("user", change) for change in (None, *_each(USERS))),
    *(("settings", change) for change in _each(SETTINGS)),
    *(("header", change) for change in _each(HEADERS)),
    *(("claims", change) for change in _each(CLAIMS)),
]
MOST = 1500
WORLDS = 1000


def test_without_a_change_the_user_is_let_in() -> None:
    assert outcome_of(World()) == outcome_by_model(World())[0]
    assert isinstance(outcome_of(World()), Allowed)


def test_they_agree_on_each_change() -> None:
    assert [change for change in CHANGES if not agree(changed(World(), *change))] == []


@pytest.mark.parametrize("signer", [name for name in KEYS if name != "another key"])
def test_they_agree_on_blocked_keys_and_on_numbers_of_another_length(signer: str) -> None:
    algorithm, name = KEYS[signer]
    jwk = a_jwk(name, kid=KID)
    world = World(configuration={**CONFIGURED, "algorithms": [algorithm.replace("Ed448", "EdDSA")]}, signer=signer)
    numbers = [number for number in ("x", "y") if number in jwk]
    longer = [{**jwk, number: segment(b"\0" + octets_of(jwk[number]))} for number in numbers]

    for keys in ([jwk], *([key] for key in longer)):
        for blocked in ([], [thumbprint(a_public_key(name))], [thumbprint(a_public_key(name)).lower()]):
            configuration = {**(world.configuration or {}), "blocked_keys": blocked}
            assert agree(replace(world, keys=keys, configuration=configuration))
    assert isinstance(outcome_of(replace(world, keys=[jwk])), Allowed)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=json.dumps)
def test_they_agree_on_each_token_under_each_configuration(configuration: Mapping[str, Any]) -> None:
    tokens: list[tuple[str, Any]] = [("signer", name) for name in KEYS]
    tokens += [("header", change) for change in _each(HEADERS)] + [("claims", change) for change in _each(CLAIMS)]
    configured = changed(World(), "configuration", configuration)
    if "required_claims" in configuration:  # what is wrong besides shows only when the rest is as it must be
        configured = replace(configured, claims={**configuration["required_claims"]})

    assert [change for change in some(tokens, 20) if not agree(changed(configured, *change))] == []


def test_they_agree_on_when_a_new_kid_may_be_newer_than_the_keys() -> None:
    """For a token of each time, at each time of the last fetch and of the next one."""
    times = [change for change in _each(CLAIMS) if change[0] == "iat"]
    fetches = [change for change in _each(ASKERS) if change[0] in ("fetched_at", "next_fetch_at", "now")]
    new = World(header={"kid": "of tomorrow"})
    worlds = [changed(changed(new, "claims", issued), "asker", fetch) for issued in times for fetch in fetches]
    worlds += [changed(new, "claims", issued) for issued in times]

    assert [world for world in worlds if not agree(world)] == []


def test_they_agree_on_tokens_without_an_audience_and_without_a_sign_of_their_kind() -> None:
    clients = {"client_claim": "client_id", "client_ids": ["app"], "audiences": [], "required_claims": {"level": 1}}
    world = changed(World(claims={"level": 1, "aud": GONE}), "configuration", clients)

    for header in ({}, {"typ": "JWT"}, {"typ": GONE}):
        assert agree(replace(world, header=header))
    assert outcome_of(replace(world, header={"typ": "JWT"})) == Denied("wrong_token_kind")


def test_they_agree_on_two_changes_at_once() -> None:
    pairs = list(product(CHANGES, CHANGES))
    chosen = some(Random(MOST).sample(pairs, MOST), 150)

    differing = [pair for pair in chosen if not agree(changed(changed(World(), *pair[0]), *pair[1]))]
    assert differing == []


@settings(max_examples=examples(WORLDS), deadline=None)
@given(st.binary(min_size=2, max_size=24))
def test_they_agree_on_several_changes(octets: bytes) -> None:
    choices, world = Choices(octets), World()
    for _ in range(choices.pick((3, 4, 6, 8))):
        world = changed(world, *CHANGES[(choices.number() * 256 + choices.number()) % len(CHANGES)])

    assert agree(world), (outcome_of(world), outcome_by_model(world))


REASONS = (
    *("unknown_issuer", "disabled_issuer", "unsupported_algorithm", "unsupported_type", "unknown_key", "bad_signature"),
    *("missing_claim", "malformed_claim", "token_expired", "token_not_yet_valid", "token_too_old", "wrong_audience"),
    *("wrong_token_kind", "unknown_profile", "incomplete_profile", "disabled_profile", "username_refused"),
    *("revoked_token", "username_mismatch", "domain_mismatch", "missing_tag", "malformed_token"),
)


@pytest.fixture(name="ends", scope="module")
def _ends() -> set[object]:
    worlds = [changed(World(), *change) for change in CHANGES]
    worlds += [changed(changed(World(), "configuration", BY_CLAIM), *change) for change in CHANGES]
    worlds.append(changed(World(header={"typ": "JWT"}), "claims", ("iss", GONE)))
    worlds.append(changed(World(revoked=["1"]), "settings", ("REVOCATIONS_TABLE", "jwt_revocations")))
    return {getattr(outcome, "reason", type(outcome)) for world in worlds for outcome in outcome_by_model(world)}


@pytest.mark.parametrize("end", [*REASONS, Allowed, Fault, model.Deferred], ids=str)
def test_the_changes_lead_to_every_end(end: object, ends: set[object]) -> None:
    assert end in ends
