"""Files as people have them: packed, in UTF-16, or something else that is named for what it is."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.files import ReadingProgress

TEXT = "id,tag,sip_username\n1,naïve ✓,𝄞\n" * 5000
OCTETS = TEXT.encode()


def zipped(octets: bytes, *names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with files of those names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in names or ("dump.sql",):
            archive.writestr(name, octets)
    return file.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda octets: lzma.compress(octets, format=lzma.FORMAT_ALONE),
    "zip": zipped,
    "zip, stored": lambda octets: zipped(octets, method=zipfile.ZIP_STORED),
}
IN_PARTS = ("gzip", "bzip2", "xz")
EACH = pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)


def read(folder: Path, octets: bytes, *, member: str | None = None, encoding: str | None = None) -> bytes:
    path = folder / "file"
    path.write_bytes(octets)
    with ReadingProgress().open(path, member=member, encoding=encoding) as file:
        return file.read()


def why_not(folder: Path, octets: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        read(folder, octets)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@EACH
def test_what_is_packed_is_unpacked(tmp_path: Path, packer: Callable[[bytes], bytes]) -> None:
    assert read(tmp_path, packer(OCTETS)) == OCTETS
    assert read(tmp_path, packer(b"")) == b""


@EACH
def test_from_a_pipe_as_well(tmp_path: Path, packer: Callable[[bytes], bytes]) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(packer(OCTETS),))
    writer.start()
    with ReadingProgress().open(tmp_path / "pipe") as file:
        assert file.read() == OCTETS
    writer.join()


@EACH
def test_what_is_cut_off_is_an_error_wherever_that_was(tmp_path: Path, packer: Callable[[bytes], bytes]) -> None:
    packed = packer(OCTETS)
    cuts = {7, 20, len(packed) // 3, len(packed) // 2, len(packed) - 9, len(packed) - 1}

    assert all("cut off" in why_not(tmp_path, packed[:cut]) for cut in cuts if len(packed) > cut)


@EACH
def test_what_is_damaged_is_an_error(tmp_path: Path, packer: Callable[[bytes], bytes]) -> None:
    packed = bytearray(packer(OCTETS))
    packed[len(packed) // 2] ^= 0xFF

    assert "cannot be read to its end" in why_not(tmp_path, bytes(packed))


@pytest.mark.parametrize("name", IN_PARTS)
def test_parts_that_were_packed_one_by_one_are_all_read(tmp_path: Path, name: str) -> None:
    pack = PACKERS[name]

    assert read(tmp_path, pack(OCTETS) + pack(b"and more")) == OCTETS + b"and more"
    assert read(tmp_path, pack(OCTETS) + b"\0" * 64) == OCTETS
    assert "cut off" in why_not(tmp_path, pack(OCTETS) + pack(b"and more")[:-3])


@pytest.mark.parametrize("name", IN_PARTS)
def test_what_stands_behind_the_end_is_no_end_and_not_quoted(tmp_path: Path, name: str) -> None:
    """Python's own readers of bzip2 and xz take it for the end, and that of gzip quotes it."""
    for rest in (b"hunter2", b"\0\0hunter2"):
        why = why_not(tmp_path, PACKERS[name](OCTETS) + rest)
        assert "cannot be read to its end" in why
        assert "hu" not in why.removeprefix(str(tmp_path))


def test_what_is_packed_twice_is_unpacked_and_more_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(zipped(OCTETS))) == OCTETS
    assert "too many times" in why_not(tmp_path, gzip.compress(bz2.compress(gzip.compress(gzip.compress(OCTETS)))))


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zip"])
def test_unpacking_keeps_memory_flat(tmp_path: Path, name: str) -> None:
    size = 64 * 2**20
    path = tmp_path / "bomb"
    path.write_bytes(PACKERS[name](b"0" * size))

    tracemalloc.start()
    try:
        with ReadingProgress().open(path) as file:
            read_bytes = sum(len(piece) for piece in iter(lambda: file.read1(256 * 1024), b""))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert read_bytes == size
    assert peak < size / 4


def test_xz_that_takes_too_much_memory_is_named(tmp_path: Path) -> None:
    packed = bytearray(lzma.compress(OCTETS))
    # The header of the first block says how large its dictionary is, and ends with a checksum (its format, 3.1).
    packed[16] = 37  # 1.5 GiB
    packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")

    assert "more than 256 MB" in why_not(tmp_path, bytes(packed))


# -- zip --------------------------------------------------------------------------------------------------------------


def test_a_zip_of_several_files_names_them(tmp_path: Path) -> None:
    why = why_not(tmp_path, zipped(OCTETS, "a.sql", "folder/b.sql"))

    assert "'a.sql', 'folder/b.sql'" in why
    assert read(tmp_path, zipped(OCTETS, "a.sql", "folder/b.sql"), member="folder/b.sql") == OCTETS


def test_what_macos_puts_beside_a_file_does_not_count(tmp_path: Path) -> None:
    assert read(tmp_path, zipped(OCTETS, "a.sql", "__MACOSX/._a.sql", "folder/.DS_Store")) == OCTETS


def test_a_zip_of_nothing_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()

    assert "none" in why_not(tmp_path, file.getvalue())


def test_a_zip_with_a_password_is_named(tmp_path: Path) -> None:
    octets = bytearray(zipped(OCTETS))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        octets[octets.index(mark) + place] |= 1

    assert "with a password" in why_not(tmp_path, bytes(octets))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_is_named(tmp_path: Path, method: int) -> None:
    assert "`unzip " in why_not(tmp_path, zipped(OCTETS, method=method))


# -- encodings --------------------------------------------------------------------------------------------------------

ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("packer", [bytes, gzip.compress, zipped], ids=["plain", "gzip", "zip"])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-8"])
def test_text_comes_as_utf8_without_a_mark(tmp_path: Path, encoding: str, packer: Callable[[bytes], bytes]) -> None:
    """UTF-16 without a mark is certain where the first characters are ASCII, as they are in every source."""
    assert read(tmp_path, packer(TEXT.encode(encoding))).decode() == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_mark_before_utf16_tells_its_order(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, ("\ufeff" + TEXT).encode(encoding)).decode() == TEXT
    assert read(tmp_path, ("\ufeff" + "a,b").encode(encoding)) == b"a,b"
    assert read(tmp_path, "a,b".encode(encoding)) == b"a,b"


@pytest.mark.parametrize("octets", [b"", b"a", b"a\0", b"\0\0\0\0", b"naive\0\0", b"\xff", b"a\0b\0c\0d\0efghij"])
def test_what_is_not_surely_utf16_comes_as_it_is(tmp_path: Path, octets: bytes) -> None:
    assert read(tmp_path, octets) == octets


def test_an_encoding_may_be_said(tmp_path: Path) -> None:
    assert read(tmp_path, "é,ü".encode("utf-16-be"), encoding="utf-16-be") == "é,ü".encode()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (TEXT.encode("utf-16")[:-1], "ends within a character"),
        (TEXT.encode("utf-16") + b"\0\xd8a\0", "holds bytes that are not"),
    ],
)
def test_utf16_that_is_cut_or_mixed_is_an_error(tmp_path: Path, octets: bytes, why: str) -> None:
    assert why in why_not(tmp_path, octets)


# -- what is named ----------------------------------------------------------------------------------------------------


def tarred(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(OCTETS)
        archive.addfile(info, io.BytesIO(OCTETS))
    return file.getvalue()


@pytest.mark.parametrize(
    ("octets", "what", "remedy"),
    [
        pytest.param(b"PGDMP\x01\x0e", "pg_dump (custom format)", "pg_restore -f - ", id="pg_dump -Fc"),
        pytest.param(tarred("toc.dat"), "pg_dump (tar format)", "pg_restore -f - ", id="pg_dump -Ft"),
        pytest.param(tarred("jwt_profiles.csv"), "a tar archive", "tar -xf ", id="tar"),
        pytest.param(b"SQLite format 3\0", "an SQLite database", "SOURCE", id="SQLite"),
        pytest.param(b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc ", id="zstd"),
        pytest.param(b"\x04\x22\x4d\x18", "lz4", "lz4 -dc ", id="lz4"),
        pytest.param(b"\x1f\x9d", "compress", "gzip -dc ", id="compress"),
        pytest.param(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x ", id="7z"),
        pytest.param(b"Rar!\x1a\x07", "a RAR archive", "unpack", id="RAR"),
        pytest.param(b"XBSTCK01", "mariabackup", "mariadb-dump", id="mariabackup"),
        pytest.param(b"%PDF-1.7", "a PDF", "CSV", id="PDF"),
        pytest.param(zipped(b"", "[Content_Types].xml", "a.xml"), "an office program", "CSV", id="spreadsheet"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(tmp_path: Path, octets: bytes, what: str, remedy: str) -> None:
    for packed in (octets, gzip.compress(octets)):
        why = why_not(tmp_path, packed)
        assert what in why
        assert remedy in why
        assert "FILE" not in why
