"""Targets: what operators move in from: dumps, CSV, db_text and SQLite."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource
from auth_jwt_cli.migration.sources.databases import DatabaseSource
from auth_jwt_cli.migration.sources.dbtext import DbTextSource
from auth_jwt_cli.migration.sources.dumps import DumpSource
from tests.fuzz.target import Target, a_file, own_folder
from tests.migration_sources import a_source_profile, a_source_secret, write_csv, write_dbtext, write_dump, write_sqlite

DUMPS = Path(__file__).parents[1] / "dumps"
LAYOUT = SourceLayout()


def _read(source: Source) -> int:
    """Read all that a source gives. Its rows are rows of the two tables, and name the place where they stand."""
    count = 0
    for row in source.rows():
        assert row.table in (Table.PROFILES, Table.SECRETS)
        assert row.place
        count += 1
    return count


def check_dump(octets: bytes) -> None:
    """A dump is rows or an error of ours, and the same rows when it is read again."""
    path = a_file("dump.sql", octets)
    with suppress(SourceError):
        assert _read(DumpSource(path, LAYOUT)) == _read(DumpSource(path, LAYOUT))


def check_csv(octets: bytes) -> None:
    """CSV and db_text are rows or an error of ours, in any character set and with any marks."""
    form, _, rest = octets.partition(b"\0")
    profiles, _, secrets = rest.partition(b"\0\0")
    marks = [chr(one) for one in form[:3]]
    with suppress(SourceError):
        csv = CsvForm(delimiter=marks[0], quote=marks[1], escape=marks[2]) if len(marks) == 3 else CsvForm()
        paths = {
            Table.PROFILES: a_file("jwt_profiles.csv", profiles),
            Table.SECRETS: a_file("jwt_secrets.csv", secrets),
        }
        _read(CsvSource(paths, csv, LAYOUT))
    a_file("jwt_profiles", profiles)
    a_file("jwt_secrets", secrets)
    with suppress(SourceError):
        _read(DbTextSource(own_folder(), LAYOUT))


def check_sqlite(octets: bytes) -> None:
    """A file of SQLite is rows or an error of ours."""
    path = a_file("db", octets)
    with suppress(SourceError):
        _read(DatabaseSource(f"sqlite:///{path}", LAYOUT))


def _rows() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    profiles = [a_source_profile(id=1), a_source_profile(id=2, tag="a;'\"\\", sip_username=None)]
    return profiles, [a_source_secret(id=1), a_source_secret("\n\0\x1a,", id=2, start_ts=0)]


def _dump_seeds() -> Iterator[bytes]:
    for path in sorted(DUMPS.glob("*.sql")):
        yield path.read_bytes()
    yield write_dump(own_folder() / "seed.sql", *_rows()).read_bytes()
    yield b"INSERT INTO jwt_profiles (id, tag, sip_username) VALUES (1, 'a', 'b'), (2, X'00', b'1'), (3, 0x41, NULL);"
    yield b"COPY public.jwt_profiles (id, tag, sip_username) FROM stdin;\n1\ta\\tb\t\\N\n\\.\n"


def _csv_seeds() -> Iterator[bytes]:
    for write, ending in ((write_csv, ".csv"), (write_dbtext, "")):
        folder = write(own_folder(), *_rows())
        parts = [(folder / f"{name}{ending}").read_bytes() for name in ("jwt_profiles", "jwt_secrets")]
        for form in (b"", b',""', b";'\\", b'\t"\\'):
            yield form + b"\0" + b"\0\0".join(parts)


def _sqlite_seeds() -> Iterator[bytes]:
    path = own_folder() / "seed.db"
    path.unlink(missing_ok=True)
    yield write_sqlite(path, *_rows()).read_bytes()
    yield b"SQLite format 3\0"


_SQL = (
    "INSERT INTO ",
    "jwt_profiles",
    "jwt_secrets",
    "VALUES ",
    "CREATE TABLE ",
    "COPY ",
    "FROM stdin;",
    "\\.",
    "\\N",
    "NULL",
    "0x",
    "X'",
    "b'",
    "_utf8mb4",
    "E'",
    "$$",
    "/*!",
    "*/",
    "-- ",
    "''",
    "\\'",
    "`id`",
    "(",
    "),(",
    ";",
    "tag",
    "sip_username",
    "secret",
    "corresponding_tag",
    "start_ts",
    "end_ts",
)
TARGETS = (
    Target("dump", check_dump, _dump_seeds, _SQL),
    Target("csv", check_csv, _csv_seeds, (*_SQL[-5:], '""', "\\N", "\r\n", "(int,auto)", "(string,null)", "\0\0")),
    Target("sqlite", check_sqlite, _sqlite_seeds, _SQL, 40000),
)
