"""A zip tells nothing of the machine that packed it, and two builds are compared to the byte."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from tools.supply import archive, reproducible


def an_artifact(folder: Path, *, umask: int, time: int, names: tuple[str, ...]) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, "utf-8")
        file.chmod((0o777 if name.endswith(".so") else 0o666) & ~umask)
        os.utime(file, (time, time))
    return folder


NAMES = ("template.yaml", "Layer/python/a.py", "Layer/python/b.so")


def test_the_same_files_give_the_same_bytes_whoever_packs_them(tmp_path: Path) -> None:
    one = an_artifact(tmp_path / "one", umask=0o022, time=1_000_000_000, names=NAMES)
    other = an_artifact(tmp_path / "other" / "deeper", umask=0o077, time=1_700_000_000, names=NAMES[::-1])

    archive.pack(one, tmp_path / "one.zip")
    archive.pack(other, tmp_path / "other.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_a_zip_holds_every_file_readable_by_all_and_what_must_travel_with_them(tmp_path: Path) -> None:
    archive.pack(an_artifact(tmp_path / "one", umask=0o077, time=0, names=NAMES), tmp_path / "one.zip")

    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        modes = {entry.filename: entry.external_attr >> 16 for entry in packed.infolist()}
        assert packed.read("NOTICE") == (archive.ROOT / "NOTICE").read_bytes()

    assert modes == {
        "LICENSE": 0o100644,
        "Layer/python/a.py": 0o100644,
        "Layer/python/b.so": 0o100755,
        "NOTICE": 0o100644,
        "template.yaml": 0o100644,
    }


def test_sums_are_of_every_file_but_themselves(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / archive.SUMS).write_bytes(b"old")

    assert archive.sums_of(tmp_path) == "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a", b"1"), ("b", b"2"))
    )


def test_what_is_not_built_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n', "utf-8")

    assert archive.main(["--architecture", "arm64", "--folder", str(tmp_path / "dist")]) == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"a.whl": b"other"}, ["a.whl: differs"], id="a file"),
        pytest.param({"more": b""}, ["more: only one build has it"], id="one more"),
    ],
)
def test_each_file_that_differs_is_named(tmp_path: Path, changed: dict[str, bytes], told: list[str]) -> None:
    for name, files in (("one", {"a.whl": b"same"}), ("other", {"a.whl": b"same", **changed})):
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_bytes(content)

    assert list(reproducible.differences(tmp_path / "one", tmp_path / "other")) == told


def test_of_zips_the_entries_that_differ_are_named(tmp_path: Path) -> None:
    for name, content in (("one", "1"), ("other", "2")):
        (tmp_path / name).mkdir()
        with zipfile.ZipFile(tmp_path / name / "a.zip", "w") as packed:
            packed.writestr("same", "same")
            packed.writestr("changed", content)

    found = list(reproducible.differences(tmp_path / "one", tmp_path / "other"))

    assert found[0] == "a.zip: differs"
    assert "  changed" in found


def test_the_two_builds_have_nothing_in_common() -> None:
    one, other = reproducible.BOTH

    assert one.umask != other.umask
    assert one.changed != other.changed
    assert len(one.folder) != len(other.folder)
    assert not one.variables.items() & other.variables.items()
