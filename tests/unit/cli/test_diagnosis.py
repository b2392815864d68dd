"""What all that is known of a SIP user comes to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auth_jwt.errors import Flaw, Unreachable
from auth_jwt.models import Unusable
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.profiles import ProfileRecord
from auth_jwt.provisioning.revocations import Revocation, RevocationPage
from auth_jwt_cli.diagnosis import KnownUser, conclude, lines_about
from auth_jwt_cli.doctor.models import Verdict
from auth_jwt_cli.logs.audit_trail import TrailEntry
from auth_jwt_cli.logs.refusals import ReasonCount
from tests.factories import JTI, NOW, TAG, a_token
from tests.service import a_service
from tests.unit.provisioning.test_explanation import of

DAY = 86400
ALICE = ProfileRecord(TAG, "alice", "example.org", False, None, {}, "v1")


def a_record(**members: Any) -> SecretRecord:
    usual: dict[str, Any] = {
        "tag": TAG, "id": "1", "keys": (), "algorithms": ("HS256",), "kid": None, "start": NOW - DAY,
        "end": NOW + 100 * DAY, "state": SecretState.OPEN, "unusable": None,
    }  # fmt: skip
    return SecretRecord(**{**usual, **members})


def a_count(outcome: str = "denied", reason: str | None = "token_expired", *, last: float = NOW - 60) -> ReasonCount:
    return ReasonCount(outcome, reason, 3, NOW - 600, last)


def known(*secrets: SecretRecord, profile: ProfileRecord = ALICE, **members: Any) -> KnownUser:
    usual: dict[str, Any] = {
        "name": "alice", "now": NOW, "since": NOW - 3600, "profiles": (profile,),
        "secrets": {profile.tag: secrets or (a_record(),)}, "counts": (),
    }  # fmt: skip
    return KnownUser(**{**usual, **members})


def findings(user: KnownUser) -> list[tuple[str, str]]:
    return [(line.about, line.text) for line in lines_about(user) if line.is_finding]


def verdicts(user: KnownUser) -> list[Verdict]:
    return [line.verdict for line in lines_about(user)]


def test_a_user_whom_nothing_refuses_has_no_finding() -> None:
    user = known(revoked={TAG: RevocationPage((), None)})

    assert findings(user) == []
    assert conclude(user).text == "nothing in the tables refuses alice, and the log has no refusal"
    assert not conclude(user).is_refusal


def test_a_log_that_was_not_read_is_no_log_without_refusals() -> None:
    assert conclude(known(counts=None)).text == "nothing in the tables refuses alice; the log was not read"


def test_a_user_who_is_let_in_has_another_problem() -> None:
    user = known(counts=(a_count("authorized", None),))

    assert conclude(user).text == "the service lets alice in, the last time 1 minute ago"
    assert conclude(user).remedy.startswith("look at the frontend")


@pytest.mark.parametrize(
    ("profile", "said", "remedy"),
    [
        (
            replace(ALICE, disabled=True),
            "it speaks for alice@example.org and is disabled, so every login with it is denied",
            f"nothing if you disabled it; otherwise `auth-jwt profile enable {TAG}`",
        ),
        (
            replace(ALICE, sip_username=None),
            "it names no SIP user",
            f"correct the row by `auth-jwt profile set {TAG} --username NAME`",
        ),
    ],
)
def test_a_profile_that_refuses_every_login_is_the_cause(profile: ProfileRecord, said: str, remedy: str) -> None:
    told = conclude(known(profile=profile, counts=(a_count("authorized", None, last=NOW - 1), a_count())))

    assert (told.text, told.remedy, told.is_refusal) == (f"profile {TAG}: {said}", remedy, True)


def test_who_disabled_a_profile_is_named() -> None:
    write = TrailEntry(NOW - 7200, "profile.disable", "done", "carol@here", TAG, None, {}, {})
    others = (replace(write, tag="t2", actor="x"), replace(write, action="secret.add", actor="y"))

    told = conclude(known(profile=replace(ALICE, disabled=True), writes=(write, *others)))

    assert told.text.endswith("every login with it is denied (2 hours ago, by carol@here)")


def test_a_user_with_another_profile_that_may_log_in_is_not_refused_by_one() -> None:
    """A tag for each phone: one was disabled on purpose."""
    phone = replace(ALICE, tag="alice-phone", disabled=True)
    user = known(profiles=(phone, ALICE), secrets={TAG: (a_record(),), "alice-phone": (a_record(),)})

    told = conclude(user)

    assert told.text == (
        "profile alice-phone: it speaks for alice@example.org and is disabled, so every login with it is denied; "
        f"{TAG} may log in"
    )
    assert not told.is_refusal
    assert conclude(replace(user, counts=(a_count(),))).text.startswith("alice was refused 3 times")


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ([a_record(state=SecretState.CLOSED, end=NOW - 3 * DAY)], "'1' ended 3 days ago"),
        ([a_record(state=SecretState.FUTURE, start=NOW + DAY)], "'1' opens in 1 day"),
        (
            [a_record(state=SecretState.UNUSABLE, unusable=Unusable(Flaw.PRIVATE_KEY, "a private key"))],
            "'1' is unusable (private_key: a private key)",
        ),
    ],
)
def test_without_an_open_secret_nobody_gets_in(secrets: Sequence[SecretRecord], said: str) -> None:
    told = conclude(known(*secrets))

    assert told.text == f"secrets {TAG}: none is open, so every login is denied: {said}"
    assert told.remedy.startswith(f"add a secret by `auth-jwt secret rotate {TAG}`")


def test_a_tag_without_secrets_is_unknown_to_the_service() -> None:
    user = known(secrets={})

    assert conclude(user).text == f"secrets {TAG}: there are none, so every login is denied"


@pytest.mark.parametrize(("left", "verdict"), [(DAY - 1, Verdict.WARNING), (DAY, Verdict.OK)])
def test_a_last_secret_that_ends_within_a_day_is_a_warning(left: int, verdict: Verdict) -> None:
    assert verdicts(known(a_record(end=NOW + left)))[1] is verdict


def test_an_unusable_secret_beside_an_open_one_is_a_warning() -> None:
    bad = a_record(id="2", state=SecretState.UNUSABLE, unusable=Unusable(Flaw.EMPTY, "the text is empty"))

    assert findings(known(a_record(), bad)) == [(f"secrets {TAG}", "'2' is unusable (empty: the text is empty)")]
    assert not conclude(known(a_record(), bad)).is_refusal


def test_the_user_of_an_issuer_needs_no_secret() -> None:
    tag = "https://login.example.com/#u1"

    user = known(profile=replace(ALICE, tag=tag), secrets={})

    assert findings(user) == []


@pytest.mark.parametrize(
    ("secret_id", "command"),
    [
        ("1`touch /tmp/pwned`", f"`auth-jwt secret show {TAG} '1`touch /tmp/pwned`'`"),
        ("TAG", f"`auth-jwt secret show {TAG} TAG`"),
        ("a\x1b[2J", f"`auth-jwt secret show {TAG} ID`"),
    ],
)
def test_the_id_of_an_unusable_secret_is_named_as_a_shell_takes_it(secret_id: str, command: str) -> None:
    unusable = a_record(id=secret_id, state=SecretState.UNUSABLE, unusable=Unusable(Flaw.EMPTY, "it is empty"))

    told = [line.remedy for line in lines_about(known(a_record(), unusable)) if line.about == f"secrets {TAG}"]

    assert told == ["", f"{command}, and docs/operations.md has the flaw"]


def test_revoked_tokens_are_told() -> None:
    page = RevocationPage((Revocation(TAG, "j1", NOW - 120, None), Revocation(TAG, "j2", None, None)), "j2")

    assert findings(known(revoked={TAG: page})) == [
        (f"revocations {TAG}", "2 tokens or more revoked by id, the last 2 minutes ago")
    ]


def test_tokens_issued_before_an_instant_are_told_to_be_revoked() -> None:
    user = known(profile=replace(ALICE, tokens_valid_after=NOW - 60))

    assert conclude(user).text == (
        f"profile {TAG}: tokens issued before 2027-01-15 07:59:00Z (1 minute ago) are revoked"
    )
    assert f"`auth-jwt revoke {TAG} --all --lift`" in conclude(user).remedy


def test_all_refusals_are_counted_and_the_commonest_reason_says_what_is_next() -> None:
    told = conclude(known(counts=(a_count(), replace(a_count("denied", "bad_signature", last=NOW - 90), times=9))))

    assert told.text.startswith(
        "alice was refused 12 times (bad_signature 9, token_expired 3), the last 1 minute ago: token_expired;"
    )
    assert told.remedy.startswith("compare the issuer's key")


@pytest.mark.parametrize(
    ("counts", "ending", "is_refusal"),
    [
        ((a_count(),), "; nothing was let in", True),
        ((a_count(), a_count("authorized", None, last=NOW - 300)), "; before, 5 minutes ago, it was let in", True),
        (
            (a_count(), a_count("authorized", None, last=NOW - 10)),
            "; but the newest request, 10 seconds ago, was let in",
            False,
        ),
    ],
)
def test_the_newest_refusal_in_the_log_is_the_cause(
    counts: tuple[ReasonCount, ...], ending: str, is_refusal: bool
) -> None:
    told = conclude(known(counts=counts))

    assert told.text == f"alice was refused 3 times, the last 1 minute ago: token_expired{ending}"
    assert (told.remedy, told.is_refusal) == ("have clients renew sooner; `LEEWAY_SECONDS` is for clocks", is_refusal)


def test_a_fault_is_told_as_one() -> None:
    user = known(counts=(a_count("fault", "unreachable"),))

    assert ("log", "fault 3 times, first 10 minutes ago, last 1 minute ago: unreachable") in findings(user)
    assert conclude(user).remedy.startswith("look at AWS health")


def test_no_request_of_the_user_is_told() -> None:
    (line,) = (line for line in lines_about(known()) if line.about == "log")

    assert line.verdict is Verdict.SKIPPED
    assert line.text.startswith("no request of this user since 2027-01-15 07:00:00Z")


def test_the_last_writes_are_shown_and_one_that_may_not_have_happened_says_so() -> None:
    write = TrailEntry(NOW - 60, "secret.rotate", "unknown", "carol", TAG, "2", {}, {})

    shown = [line.text for line in lines_about(known(writes=(write,) * 7)) if line.about == "audit"]

    assert shown == [f"secret.rotate '2' of '{TAG}' (unknown), 1 minute ago, by carol"] * 5


def test_a_token_goes_before_everything_else() -> None:
    service = a_service()
    service.has()
    service.has_secret()
    denied = of(service, a_token(jti=JTI, exp=NOW - 60))
    accepted = of(service, a_token(jti=JTI))

    told = conclude(known(explanation=denied, counts=(a_count("denied", "unknown_tag"),)))
    assert (told.text, told.is_refusal) == ("the token is denied: token_expired", True)
    assert conclude(known(explanation=accepted)).text == (
        "nothing in the tables refuses alice, and the log has no refusal"
    )


def test_a_fault_says_nothing_of_the_token() -> None:
    service = a_service()
    service.has()
    service.has_secret()
    service.tables.failure = Unreachable("no answer")

    user = known(explanation=of(service, a_token(jti=JTI)))

    assert ("token", "nothing can be said of the token: no answer") in findings(user)
    assert not conclude(user).is_refusal


def test_a_token_of_somebody_else_is_told() -> None:
    service = a_service()
    service.has(tag="another")
    service.has_secret(tag="another")

    told = conclude(known(explanation=of(service, a_token(jti=JTI, tag="another"))))

    assert told.text == "the token is of the tag 'another', which does not speak for alice"
