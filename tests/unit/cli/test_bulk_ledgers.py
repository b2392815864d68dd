"""The files of bulk operations: tags to read, and ledgers by which a run goes on."""

import json
import stat
from pathlib import Path

import pytest

from auth_jwt.errors import Conflict, Invalid
from auth_jwt_cli.bulk.ledgers import LedgerFile
from auth_jwt_cli.bulk.tag_files import read_tags
from auth_jwt_cli.output import Misused
from tests.factories import a_token

HEADER = {
    "action": "disable",
    "account": "123456789012",
    "region": "eu-central-1",
    "endpoint": None,
    "tables": ["users", "secrets"],
}


@pytest.mark.parametrize(
    ("octets", "tags"),
    [
        pytest.param(b"alice\nbob\n", ["alice", "bob"], id="one a line"),
        pytest.param(b"alice\r\n\r\nbob", ["alice", "bob"], id="as Windows writes it, with an empty line"),
        pytest.param(b"\xef\xbb\xbfalice\n", ["alice"], id="after a byte order mark"),
        pytest.param(b"bob\nalice\nbob\n", ["bob", "alice"], id="each once"),
        pytest.param(b" a b \n#c\n", [" a b ", "#c"], id="blanks count, and so does a hash"),
        pytest.param(b'{"tag": "a\\u0000b", "disabled": false}\n', ["a\0b"], id="lines of a list as JSON"),
    ],
)
def test_tags_are_read_from_a_file(octets: bytes, tags: list[str], tmp_path: Path) -> None:
    path = tmp_path / "tags"
    path.write_bytes(octets)

    assert read_tags(path) == tags


def test_a_token_among_the_tags_is_not_repeated(tmp_path: Path) -> None:
    """A list of tags with their tokens is a mistake, and each line would be shown as a tag that there is not."""
    token = a_token()
    path = tmp_path / "tags"
    path.write_text(f"alice\n{token}\n")

    with pytest.raises(Misused, match="line 2 of the file of tags holds a token") as refused:
        read_tags(path)
    assert token not in str(refused.value)


@pytest.mark.parametrize("octets", [b"", b"\n", b"\xff\n", b'{"id": "1"}\n', b"{broken\n", b'{"tag": 7}\n'])
def test_a_file_without_tags_is_no_file_of_tags(octets: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tags"
    path.write_bytes(octets)

    with pytest.raises(Misused, match="file of tags"):
        read_tags(path)


def test_a_run_finds_the_lines_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with LedgerFile(path, HEADER, began=7) as first:
        first.add({"tag": "alice"})

    with LedgerFile(path, HEADER, began=9) as second:
        assert list(second.earlier()) == [{"tag": "alice"}]
        assert second.began == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("cut", [b'{"tag": "bo', b'{"tag"', b"{"])
def test_a_line_that_was_cut_off_does_not_count(cut: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with LedgerFile(path, HEADER, began=7) as first:
        first.add({"tag": "alice"})
    path.write_bytes(path.read_bytes() + cut)

    with LedgerFile(path, HEADER, began=9) as second:
        second.add({"tag": "carol"})
    with LedgerFile(path, HEADER, began=9) as third:
        assert list(third.earlier()) == [{"tag": "alice"}, {"tag": "carol"}]


def test_a_ledger_is_of_one_operation_on_one_target(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with LedgerFile(path, HEADER, began=7):
        pass
    before = path.read_bytes()

    for name, other in (("action", "enable"), *((name, "other") for name in HEADER if name != "action"), ("new", 1)):
        with (
            pytest.raises(Conflict, match=f"{name}.*nothing was done"),
            LedgerFile(path, {**HEADER, name: other}, began=9),
        ):
            pass
    assert path.read_bytes() == before


def test_a_ledger_that_may_be_of_another_target_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with LedgerFile(path, HEADER, began=7, doubt="nobody knows") as first:
        assert not first.is_of_earlier_run

    with pytest.raises(Conflict, match="nobody knows"), LedgerFile(path, HEADER, began=9, doubt="nobody knows"):
        pass


@pytest.mark.parametrize("text", ["mine\n", json.dumps({"tag": "alice"}), "[]\n"])
def test_another_file_is_not_written_to(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text(text)

    with pytest.raises(Invalid, match="no ledger"), LedgerFile(path, HEADER, began=9):
        pass
    assert path.read_text() == text


def test_two_runs_do_not_use_one_ledger_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger"

    with (
        LedgerFile(path, HEADER, began=7),
        pytest.raises(Conflict, match="another run"),
        LedgerFile(path, HEADER, began=9),
    ):
        pass
