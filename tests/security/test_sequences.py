"""Attacks that take more than one token, or a request around the token: by advisory, as the corpus."""

import base64
import hmac
import json
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied, Reason
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_private_key,
    a_profile,
    a_secret,
    a_token,
    an_authorizer,
    octets_of,
    public_pem,
    refusal,
    segment,
)
from tests.fakes import Clock, compared_by
from tests.security.attacks import a_row, a_user
from tests.security.corpus.claims import INJECTED
from tests.security.place import Place
from tools.events.authorize_events import FORMS
from tools.events.http_request import JSON_TYPE, Request, form_body

BAD_SIGNATURE = Reason.BAD_SIGNATURE
GOOD = a_token()
ATTACKERS_KEY = "the key of somebody else, sixty-four bytes of it, known to them!"


def test_cve_2016_7036_and_cve_2024_25189_signatures_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = compared_by(hmac, monkeypatch)

    an_authorizer().authorize(GOOD)
    assert refusal(lambda: an_authorizer().authorize(a_token(key=ATTACKERS_KEY))) is BAD_SIGNATURE

    own = GOOD.rpartition(".")[2]
    assert [segment(one) for one in compared[0]] == [own, own]
    assert own in map(segment, compared[0])
    assert len(compared) == 2


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


def test_cve_2026_35039_tokens_that_share_all_but_their_ends_have_answers_of_their_own(place: Place) -> None:
    """Tokens with one header, one signature's beginning, or one long prefix in common: what caches make keys of."""
    users = {f"{'u' * 100}{number}": f"user{number}" for number in range(8)}
    place.store_rows(
        tuple(a_row(HMAC_KEY, corresponding_tag=tag) for tag in users),
        tuple({**a_user(tag=tag), "sip_username": name} for tag, name in users.items()),
    )

    for _ in range(2):
        for tag, name in users.items():
            answer = place.ask("authorize", {}, {"jwt_token": a_token(tag=tag)})
            crossed = a_token(tag=tag).rpartition(".")[0] + "." + a_token(tag=next(iter(users)), n=1).rpartition(".")[2]
            assert answer.member("sip_username") == name
            assert place.ask("authorize", {}, {"jwt_token": crossed}).denial == BAD_SIGNATURE


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


def test_cve_2026_102269_a_revoked_token_stays_so_in_every_spelling(place: Place) -> None:
    """What is revoked is a claim, not a text: no spelling of the token, and no other token of it, gets around that."""
    revoked = {"REVOCATIONS_TABLE": "jwt_revocations"}
    place.store_rows((a_row(public_pem("p256")),), (a_user(),))
    item = {"tag": {"S": "t1"}, "jti": {"S": "stolen"}, "expires_at": {"N": "4102444800"}}
    place.tables.put_item(TableName="jwt_revocations", Item=item)
    token = a_token(key=a_private_key("p256"), alg="ES256", jti="stolen")
    again = a_token(key=a_private_key("p256"), alg="ES256", header={"kid": "another"}, jti="stolen")

    for spelling in (
        token,
        again,
        a_token(key=a_private_key("p256"), alg="ES256", payload=b'{"tag":"t1","jti":"\\u0073tolen"}'),
    ):
        assert place.ask("authorize", revoked, {"jwt_token": spelling}).denial == Reason.REVOKED_TOKEN
    for jti in ("Stolen", "stolen ", "sto\u200blen"):
        other = a_token(key=a_private_key("p256"), alg="ES256", jti=jti)
        assert place.ask("authorize", revoked, {"jwt_token": other}).member("code") == 1
    for nothing in ("", None, 1, ["stolen"]):
        other = a_token(key=a_private_key("p256"), alg="ES256", jti=nothing)
        assert place.ask("authorize", revoked, {"jwt_token": other}).denial == Reason.MISSING_CLAIM


def test_other_encodings_of_a_key_are_not_the_key() -> None:
    """An operator who stores base64 means that text; what it decodes to opens nothing."""
    stored = base64.b64encode(bytes(range(64))).decode()
    authorizer = an_authorizer(a_secret(stored))

    assert authorizer.authorize(a_token(key=stored)).sip_username == "alice"
    assert refusal(lambda: authorizer.authorize(a_token(key=bytes(range(64))))) is BAD_SIGNATURE


# -- the user and the domain of the request ---------------------------------------------------------------------------

KITE = "sip.kite.example"


def asked(place: Place, **members: str) -> list[Any]:
    """Ask with a good token and these members, by every form of event and of body; say user, status and reason."""
    body = {"jwt_token": GOOD, **members}
    events: list[Any] = [body]
    for form in FORMS.values():
        events.append(form.event_of("a-name", Request(body=json.dumps(body), content_type=JSON_TYPE)))
        events.append(form.event_of("a-name", form_body(*body.items())))
    answers = [place.ask("authorize", {}, event) for event in events]
    return [(answer.member("code"), answer.denial) for answer in answers]


@pytest.mark.parametrize(
    "domain",
    [
        pytest.param(KITE.replace("k", "\u212a"), id="U+212A for k"),
        pytest.param(KITE.replace("s", "\u017f"), id="U+017F for s"),
        pytest.param(KITE.replace("i", "\u0131"), id="U+0131 for i"),
        pytest.param(KITE.upper().replace("I", "\u0130"), id="U+0130 for I"),
        pytest.param(KITE.replace(".", "\uff0e"), id="wide dots"),
        pytest.param(f"{KITE}.", id="a dot behind"),
        pytest.param(f" {KITE}", id="a blank in front"),
        pytest.param(f"{KITE}\n", id="a line break behind"),
        pytest.param(f"{KITE}:5060", id="a port"),
        pytest.param(f"{KITE}, {KITE}", id="two"),
        pytest.param("", id="empty"),
    ],
)
def test_seen_domains_no_other_letter_is_folded_into_a_domain(place: Place, domain: str) -> None:
    place.store_rows((a_row(HMAC_KEY),), ({**a_user(), "sip_domain": KITE},))

    assert set(asked(place, from_domain=domain)) == {(-1, Reason.DOMAIN_MISMATCH)}


@pytest.mark.parametrize("domain", [KITE, KITE.upper(), KITE.title()])
def test_seen_domains_a_to_z_are(place: Place, domain: str) -> None:
    place.store_rows((a_row(HMAC_KEY),), ({**a_user(), "sip_domain": KITE},))

    assert set(asked(place, from_domain=domain)) == {(1, None)}


@pytest.mark.parametrize(
    "user", ["Alice", "alice ", "\uff41lice", "alic\u0435", "alice\u200b", "alice@", "sip:alice", ""]
)
def test_seen_domains_nothing_is_folded_into_a_user(place: Place, user: str) -> None:
    place.store_rows((a_row(HMAC_KEY),), (a_user(),))

    assert set(asked(place, from_user=user)) == {(-1, Reason.USERNAME_MISMATCH)}
    assert set(asked(place, from_user="alice")) == {(1, None)}
