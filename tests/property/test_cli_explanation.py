"""Whatever a token says and whatever the rows hold, an explanation gives the authorizer's verdict and its cause."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.explanation import StepOutcome, explain_token
from tests.factories import HMAC_KEY, JTI, NOW, TAG, a_token, verdict
from tests.service import Service, a_service
from tests.strategies import ANY_OCTETS, ANY_TEXT, SECONDS

SHORT_KEY = "short"
ODD: st.SearchStrategy[Any] = st.sampled_from([None, "", "x", 0, True, [], {}, ["x"]])


def sometimes(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these, each with a value."""
    return st.fixed_dictionaries({}, optional=values)


KIDS = st.sampled_from([None, "a", "b"])
HEADERS = sometimes(kid=st.sampled_from(["a", "b"])) | sometimes(
    alg=st.sampled_from(["HS384", "RS256", "none"]) | ODD, typ=st.sampled_from(["jwt", "x"]) | ODD, kid=ODD, crit=ODD,
)  # fmt: skip
CLAIMS = st.fixed_dictionaries(
    {"jti": st.sampled_from(["a", "b", "c", JTI])},
    optional={
        "exp": SECONDS, "nbf": SECONDS, "iat": SECONDS, "iss": st.sampled_from(["us", "us", "them"]),
        "aud": st.sampled_from(["us", "us", ["us", "them"], "them"]),
    },
)  # fmt: skip
ODD_CLAIMS = sometimes(
    tag=st.sampled_from(["T1", "t1 ", "t2"]) | ODD, jti=ODD, exp=ODD, nbf=ODD, iat=ODD, iss=ODD, aud=ODD,
)  # fmt: skip
SECRETS = st.lists(
    st.fixed_dictionaries(
        {"secret": st.sampled_from([HMAC_KEY, HMAC_KEY, SHORT_KEY, ""])},
        optional={
            "start_ts": SECONDS, "end_ts": SECONDS | ODD, "kid": KIDS, "alg": st.sampled_from(["HS256", "RS256", ""]),
        },
    ),
    max_size=3,
)  # fmt: skip
PROFILES = st.none() | sometimes(sip_domain=st.just("example.com"), tokens_valid_after=SECONDS) | sometimes(
    sip_username=st.sampled_from(["alice", "", "bob"]), disabled=st.booleans() | ODD, tokens_valid_after=ODD,
)  # fmt: skip
RULES: st.SearchStrategy[dict[str, Any]] = st.just({}) | sometimes(
    enforce_time_claims=st.booleans(), leeway_seconds=st.integers(0, 5), max_token_age_seconds=st.integers(0, 10),
    required_claims=st.sampled_from([("jti",), ("exp", "x")]), issuers=st.just(("us",)), audiences=st.just(("us",)),
    min_hmac_key_bytes=st.sampled_from([1, 64]), tag_claim=st.sampled_from(["tag", "iss"]),
)  # fmt: skip
REQUESTS = sometimes(from_user=st.sampled_from(["alice", "Alice"]), from_domain=st.sampled_from(["EXAMPLE.com", "x"]))


@given(
    HEADERS, CLAIMS | ODD_CLAIMS | ANY_OCTETS, st.sampled_from([HMAC_KEY, SHORT_KEY]), SECRETS, PROFILES,
    RULES, REQUESTS, st.booleans(),
)  # fmt: skip
def test_an_explanation_gives_the_authorizers_verdict_and_its_cause(
    header: dict[str, Any],
    claims: dict[str, Any] | bytes,
    key: str,
    secrets: list[dict[str, Any]],
    profile: dict[str, Any] | None,
    rules: dict[str, Any],
    request: dict[str, Any],
    revocations: bool,
) -> None:
    service = a_service(revocations=revocations, **rules)
    if profile is not None:
        service.has(**profile)
    for number, columns in enumerate(secrets):
        service.has_secret(str(number), **columns)
    if revocations:
        service.tables.write_row(Key(Table.REVOCATIONS, TAG, JTI), {})
    payload = claims if isinstance(claims, bytes) else {"tag": TAG, **claims}
    token = a_token(key=key, header=header, payload=payload)

    assert_it_is_explained(service, token, request)


@given(CLAIMS, PROFILES, RULES, REQUESTS)
def test_what_is_well_signed_is_explained(
    claims: dict[str, Any], profile: dict[str, Any] | None, rules: dict[str, Any], request: dict[str, Any]
) -> None:
    """Most of these come as far as their claims, and many are accepted."""
    service = a_service(**rules)
    service.has_secret()
    if profile is not None:
        service.has(**profile)
    service.tables.write_row(Key(Table.REVOCATIONS, TAG, JTI), {})

    assert_it_is_explained(service, a_token(payload={"tag": TAG, **claims}), request)


@given(ANY_TEXT)
def test_whatever_is_no_token_is_explained(text: str) -> None:
    assert_it_is_explained(a_service(), text, {})


def assert_it_is_explained(service: Service, token: str, request: dict[str, Any]) -> None:
    registry = service.provisioning.registry
    told = explain_token(
        token, store=service.tables, columns=registry.columns, policy=registry.policy, now=NOW, **request
    )

    refusals = [step.reason for step in told.steps if step.outcome is StepOutcome.REFUSED]
    assert told.fault is None
    assert told.reason == verdict(lambda: registry.authorizer.authorize(token, **request))
    assert told.reason == (refusals[0] if refusals else None)
    assert (told.answer is None) is bool(refusals)
    for look in told.secrets:
        if look.signed and look.passed_over is None:
            assert told.reason not in {"bad_signature", "no_active_secret"}
