"""The audit: one line of JSON for every write."""

import json

from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt.provisioning.secrets import NewSecret
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


def test_a_write_that_may_have_happened_is_marked() -> None:
    assert json.loads(AuditEntry(NOW, "op", "x", TAG, outcome=WriteOutcome.UNKNOWN).as_line())["outcome"] == "unknown"


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
