"""A provider that rotates its keys, takes one away or is not there: what do its users notice?"""

from tests.e2e.issuers.conftest import Rotations, Tell
from tests.e2e.issuers.lab import CACHE_TTL_SECONDS, Answered, Lab

SECONDS_BETWEEN_FETCHES = 60
SECONDS_FOR_A_FETCH = 2
SLACK_SECONDS = 10
"""What a busy machine may add."""


def test_nobody_notices_new_keys_that_were_published_first(rotations: Rotations, tell: Tell) -> None:
    stream = rotations.first

    tell(f"rotation, published first: {stream.summary()}")
    assert {login.answered for login in stream.logins} == {Answered.AUTHORIZED}
    assert {login.kid for login in stream.logins} == {
        f"{name}-{alg}" for name in ("old", "new") for alg in ("RS256", "ES256", "EdDSA")
    }


def test_new_keys_that_sign_at_once_defer_logins_until_the_next_fetch_and_refuse_nobody(
    rotations: Rotations, tell: Tell
) -> None:
    stream = rotations.at_once
    new = stream.signed_by("new")
    success = next(login for login in new if login.answered is Answered.AUTHORIZED)
    waited = success.at - rotations.signed_at

    tell(f"rotation, signed at once: {stream.summary()}; the first success after {waited:.1f} s")
    assert stream.count(Answered.REFUSED) == stream.count(Answered.FAULT) == 0
    assert new[0].answered is Answered.DEFERRED
    assert waited <= SECONDS_BETWEEN_FETCHES + SECONDS_FOR_A_FETCH + SLACK_SECONDS
    assert {login.answered for login in stream.signed_by("old")} <= {Answered.AUTHORIZED}
    after = [login.answered for login in new if login.at > success.at + SLACK_SECONDS]
    assert set(after) == {Answered.AUTHORIZED}


def test_a_phone_that_waits_as_told_is_let_in_with_the_token_it_has(rotations: Rotations, tell: Tell) -> None:
    """By the second attempt, unless the machine is so busy that the fetch takes longer than two seconds."""
    *before, last = rotations.patient

    tell(f"a phone that was told to wait {before[0].retry_after} s: authorized at attempt {len(rotations.patient)}")
    assert {login.answered for login in before} == {Answered.DEFERRED}
    assert last.answered is Answered.AUTHORIZED
    assert len(before) <= 2


def test_a_key_that_was_removed_is_refused_after_the_next_fetch_and_what_is_remembered(
    lab: Lab, rotations: Rotations, tell: Tell
) -> None:
    before, *_, refused = rotations.removed
    since_fetch, since_removal = (
        refused.at - rotations.removal_fetched_at,
        refused.at - rotations.withdrawn_at,
    )

    tell(f"a removed key: refused {since_removal:.1f} s after its removal, {since_fetch:.1f} s after the fetch began")
    assert before.answered is Answered.AUTHORIZED
    assert refused.answered is Answered.REFUSED
    assert lab.reason_of(refused) == "unknown_key"
    assert since_fetch <= CACHE_TTL_SECONDS + SECONDS_FOR_A_FETCH + SLACK_SECONDS
    assert since_removal <= SECONDS_BETWEEN_FETCHES + CACHE_TTL_SECONDS + SECONDS_FOR_A_FETCH + SLACK_SECONDS


def test_keys_that_share_none_with_those_of_before_are_an_alarm(lab: Lab, rotations: Rotations) -> None:
    assert rotations.removal_fetched_at
    replaced = [line for line in lab.rounds() if line.get("KeysReplaced")]

    assert [line["replaced"] for line in replaced] == [[lab.providers["removed"].issuer]]


def test_a_provider_that_is_not_there_hurts_no_login_in_warm_processes_and_cold_ones(
    lab: Lab, rotations: Rotations, tell: Tell
) -> None:
    warm, cold = rotations.stopped, rotations.cold
    refused = sum(login.answered is not Answered.AUTHORIZED for login in (*warm, *cold))

    tell(f"the provider stopped: {len(warm)} logins in warm processes, {len(cold)} in cold ones, {refused} refused")
    assert refused == 0
    assert [line["issuers"]["failed"] for line in lab.rounds() if "failed" in line["issuers"]][:1] == [1]
