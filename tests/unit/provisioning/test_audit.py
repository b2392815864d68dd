"""The audit: one line of JSON for every write."""

import json

import pytest

from auth_jwt.provisioning.audit import AuditEntry, AuditTarget, WriteOutcome
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.tokens import minting_entry
from auth_jwt.provisioning.wiring import target_of
from auth_jwt.runtime.settings import Settings
from tests.factories import NOW, TAG
from tests.service import a_service


def test_an_entry_is_one_line_that_machines_read() -> None:
    entry = AuditEntry(NOW, "arn:aws:iam::1:user/op", "secret.close", "ta\ng", "1", details={"end": NOW})

    line = entry.as_line()

    assert "\n" not in line
    assert json.loads(line) == {
        "audit": "secret.close",
        "outcome": "done",
        "actor": "arn:aws:iam::1:user/op",
        "tag": "ta\ng",
        "id": "1",
        "at": NOW,
        "end": NOW,
    }


def test_what_nobody_sees_is_escaped() -> None:
    """Control characters, those that turn a text around, and those that end a line."""
    odd = "\x7f\x85\u202e\u2028\u2066\ufeff\ud800"

    line = AuditEntry(NOW, odd, "secret.add", odd, odd, details={"closed": [odd]}).as_line()

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["tag"] == odd


def test_what_is_about_no_single_row_has_no_id() -> None:
    assert "id" not in json.loads(AuditEntry(NOW, "op", "profile.create", TAG).as_line())


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        pytest.param(WriteOutcome.UNKNOWN, "unknown", id="it may have happened"),
        pytest.param(WriteOutcome.STOPPED, "stopped", id="of several, none was made"),
        pytest.param(WriteOutcome.FAILED, "failed", id="of several, not all were made"),
    ],
)
def test_a_write_that_was_not_done_whole_says_so(outcome: WriteOutcome, word: str) -> None:
    assert json.loads(AuditEntry(NOW, "op", "x", TAG, outcome=outcome).as_line())["outcome"] == word


def test_every_kind_of_write_leaves_one_line() -> None:
    service = a_service()
    operator = service.provisioning

    operator.profiles.create(TAG, "alice")
    operator.secrets.add(TAG, NewSecret())
    operator.secrets.rotate(TAG, NewSecret())
    operator.secrets.close(TAG, "1")
    operator.secrets.remove(TAG, "1")
    operator.profiles.change(TAG, username="bob")
    operator.profiles.disable(TAG)
    operator.profiles.enable(TAG)
    operator.revocations.revoke(TAG, "j")
    operator.revocations.lift(TAG, "j")
    operator.revocations.revoke_all(TAG)
    operator.revocations.lift_all(TAG)
    operator.profiles.delete(TAG)

    assert service.actions == [
        *("profile.create", "secret.add", "secret.rotate", "secret.close", "secret.remove"),
        *("profile.change", "profile.disable", "profile.enable"),
        *("token.revoke", "token.lift", "token.revoke_all", "token.lift_all", "profile.delete"),
    ]
    assert {(entry.actor, entry.tag, entry.at) for entry in service.audit} == {("operator", TAG, NOW)}
    assert [entry.id for entry in service.audit] == [
        *(None, "1", "2", "1", "1"),
        *(None, None, None),
        *("j", "j", None, None, None),
    ]


def test_a_line_says_from_when_until_when_a_secret_may_verify_what() -> None:
    service = a_service()
    secrets = service.provisioning.secrets

    created = service.provisioning.profiles.create(TAG, "alice", secret=NewSecret())
    secrets.add(TAG, NewSecret(start=NOW + 5, end=NOW + 9, algorithms=("HS512",)))
    secrets.rotate(TAG, NewSecret(end=NOW + 99), overlap_seconds=60)
    secrets.close(TAG, "3", at=NOW + 7)
    service.provisioning.revocations.revoke_all(TAG)

    assert created.secret is not None
    assert [entry.details for entry in service.audit] == [
        {"columns": ["sip_username"], "secrets": ["1"]},
        {"start": NOW + 5, "end": NOW + 9, "algorithms": ["HS512"]},
        {
            "start": NOW,
            "end": NOW + 99,
            "algorithms": ["HS256", "HS384", "HS512"],
            "overlap_seconds": 60,
            "closing": ["1"],
        },
        {"end": NOW + 7},
        {"before": NOW + 1},
    ]


def test_a_minted_token_is_named_by_its_id_and_by_who_signed_it() -> None:
    service = a_service()
    service.has()
    service.has_secret("1")
    minted = service.provisioning.tokens.mint(TAG, jti="j")

    entry = minting_entry(minted, actor="op", at=NOW)

    assert (entry.action, entry.actor, entry.tag, entry.id, entry.at) == ("token.mint", "op", TAG, "j", NOW)
    assert entry.details == {"secret": "1", "expires_at": minted.expires_at}
    assert minted.token not in entry.as_line()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:eu-central-1:123456789012:function:admin",
        "arn:aws-us-gov:lambda:eu-central-1:123456789012:function:admin:live",
    ],
    ids=["unqualified", "by an alias"],
)
def test_a_function_tells_where_it_wrote_by_its_arn(arn: str) -> None:
    target = AuditTarget.of_function(arn, ("profiles", "secrets"))

    assert json.loads(AuditEntry(NOW, "op", "x", TAG).as_line(target))["target"] == {
        "function": "admin",
        "account": "123456789012",
        "region": "eu-central-1",
        "tables": ["profiles", "secrets"],
    }


@pytest.mark.parametrize("arn", [None, "", "arn:aws:lambda:eu-central-1:123456789012:layer:admin"])
def test_what_has_no_arn_tells_its_tables_and_where_they_are(arn: str | None) -> None:
    target = AuditTarget.of_function(arn, ("profiles",), "http://localhost:8000")

    assert target.as_json() == {"endpoint": "http://localhost:8000", "tables": ["profiles"]}


@pytest.mark.parametrize("revocations", ["revoked", ""])
def test_the_settings_of_a_function_name_its_tables(revocations: str) -> None:
    settings = Settings.from_env({"REVOCATIONS_TABLE": revocations, "PROFILES_TABLE": "users", "SECRETS_TABLE": "keys"})

    tables = target_of(settings, function_arn=None).as_json()["tables"]

    assert tables == ["users", "keys", "revoked"][: 3 if revocations else 2]


def test_a_context_of_the_command_line_is_told_with_its_stack() -> None:
    target = AuditTarget(tables=("profiles",), context="test", stack="auth-test")

    assert target.as_json() == {"context": "test", "stack": "auth-test", "tables": ["profiles"]}
