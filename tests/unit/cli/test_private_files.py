"""Files that only their owner may read, whatever was there before and whoever else can write there."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from auth_jwt.errors import Fault
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt_cli.audit_log import AuditLog
from auth_jwt_cli.migration.reports import ReportFile
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.private_files import NewFile, NotPrivate, open_to_append, open_to_replace

Told = list[str]
Open = Callable[[Path, Told], int]


def append(path: Path, told: Told) -> int:
    return open_to_append(path, tell=told.append)


def replace(path: Path, told: Told) -> int:
    return open_to_replace(path, tell=told.append)


def make(path: Path, told: Told) -> int:
    NewFile(path).fill("")
    return append(path, told)


BOTH = pytest.mark.parametrize("open_file", [append, replace])


def written(open_file: Open, path: Path, text: str = "new") -> Told:
    """Write *text* into a file; what was told."""
    told: Told = []
    descriptor = open_file(path, told)
    os.write(descriptor, text.encode())
    os.close(descriptor)
    return told


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@BOTH
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file_is_its_owners(tmp_path: Path, open_file: Open, umask: int) -> None:
    before = os.umask(umask)
    try:
        told = written(open_file, tmp_path / "file")
    finally:
        os.umask(before)

    assert (mode(tmp_path / "file"), told) == (0o600, [])


@BOTH
@pytest.mark.parametrize("wider", [0o644, 0o640, 0o666, 0o700])
def test_a_file_of_a_wider_mode_is_narrowed_and_that_is_told(tmp_path: Path, open_file: Open, wider: int) -> None:
    path = tmp_path / "file"
    path.write_text("old ")
    path.chmod(wider)

    told = written(open_file, path)

    assert mode(path) == 0o600
    assert len(told) == 1
    assert f"{wider:04o}" in told[0]
    assert str(path) in told[0]


def test_what_was_there_stays_or_goes(tmp_path: Path) -> None:
    for open_file, content in ((append, "old new"), (replace, "new")):
        (tmp_path / "file").write_text("old ")
        written(open_file, tmp_path / "file")
        assert (tmp_path / "file").read_text() == content


@BOTH
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_not_followed(tmp_path: Path, open_file: Open, exists: bool) -> None:
    target = tmp_path / "target"
    if exists:
        target.write_text("precious")
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(NotPrivate) as caught:
        open_file(tmp_path / "link", [])

    assert "symbolic link" in str(caught.value.strerror)
    assert (target.read_text() if target.exists() else None) == ("precious" if exists else None)


@BOTH
def test_a_link_that_is_put_there_in_between_is_not_followed(
    tmp_path: Path, open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever puts it there after it was looked for meets the flag of the system."""
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)

    with pytest.raises(OSError, match="symbolic"):
        open_file(tmp_path / "link", [])

    assert target.read_text() == "precious"


@BOTH
def test_a_file_of_another_name_besides_is_refused(tmp_path: Path, open_file: Open) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file").hardlink_to(tmp_path / "precious")

    with pytest.raises(NotPrivate):
        open_file(tmp_path / "file", [])

    assert (tmp_path / "precious").read_text() == "precious"


@BOTH
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, open_file: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("theirs")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(NotPrivate) as caught:
        open_file(tmp_path / "file", [])

    assert "another user" in str(caught.value.strerror)
    assert (tmp_path / "file").read_text() == "theirs"


@BOTH
def test_a_pipe_that_nobody_reads_is_refused_and_does_not_make_us_wait(tmp_path: Path, open_file: Open) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="No such device"):
        open_file(tmp_path / "pipe", [])
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(NotPrivate):
        open_file(tmp_path / "pipe", [])
    os.close(reader)


@BOTH
def test_a_device_is_fine(open_file: Open) -> None:
    assert written(open_file, Path("/dev/null")) == []


@pytest.mark.parametrize(("mode_of_folder", "refused"), [(0o777, True), (0o1777, False), (0o775, False)])
def test_a_folder_that_anybody_may_write_into_is_refused_unless_it_is_sticky(
    tmp_path: Path, mode_of_folder: int, refused: bool
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode_of_folder)

    for open_file in (append, replace, make):
        path = folder / open_file.__name__
        if refused:
            with pytest.raises(NotPrivate):
                open_file(path, [])
            assert not path.exists()
        else:
            os.close(open_file(path, []))
            assert mode(path) == 0o600


def test_a_new_file_never_takes_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(FileExistsError):
        NewFile(tmp_path / "link")

    assert not (tmp_path / "target").exists()


def test_the_audit_file_and_the_report_are_such_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide, link = tmp_path / "wide", tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    for path in (wide, tmp_path / "report"):
        path.touch()
        path.chmod(0o644)

    AuditLog(wide)(AuditEntry(1, "op", "x", "t"))
    with ReportFile(tmp_path / "report"):
        pass

    assert (mode(wide), mode(tmp_path / "report")) == (0o600, 0o600)
    assert capsys.readouterr().err.count("Warning: ") == 2
    with pytest.raises(Fault, match=r"symbolic link.*nothing was done"):
        AuditLog(link)
    with pytest.raises(SourceError, match="symbolic link"):
        ReportFile(link)
    assert not (tmp_path / "target").exists()
