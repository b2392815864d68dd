"""No value of a row is ever shown by `import` and `lint`: marked secrets in every place of every kind of source.

Tags and ids are shown, since they are names; a secret that stands in their place, since columns are shifted, is not.
"""

import base64
import bz2
import gzip
import io
import logging
import lzma
import sqlite3
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from auth_jwt_cli.main import app
from tests.sampling import some
from tools.events.stage import REGION, create_tables, environment, lambda_environment, template
from tools.serve.moto_tables import keep_every_write

MARK = "Zk9Qx7Vw3Jf5Tb8Nc2Lm6Rd4"
"""What every marked secret begins with: no five characters of it are anywhere else."""

SECRET = f"{MARK}-as-a-secret-of-sixty-four-bytes-and-more-0123456789-abcdefgh"
FAR = "4102444800"
PROFILES = "id,tag,sip_username\n1,t1,alice\n"
SECRETS = "id,corresponding_tag,secret,start_ts,end_ts\n"
DDL = """-- MariaDB dump 10.19
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `jwt_profiles` (`id` int, `tag` char(128), `sip_username` char(128), PRIMARY KEY (`id`));
INSERT INTO `jwt_profiles` VALUES (1,'t1','alice');
CREATE TABLE `jwt_secrets` (`id` int, `corresponding_tag` char(128), `secret` text, `start_ts` int, `end_ts` int);
"""
DUMP_END = "-- Dump completed on 2026-11-28 12:00:00\n"
POSTGRES = """--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
CREATE TABLE public.jwt_profiles (id integer NOT NULL, tag text, sip_username text);
CREATE TABLE public.jwt_secrets (id integer, corresponding_tag text, secret text, start_ts integer, end_ts integer);
COPY public.jwt_profiles (id, tag, sip_username) FROM stdin;
1\tt1\talice
\\.

"""
POSTGRES_COPY = "COPY public.jwt_secrets (id, corresponding_tag, secret, start_ts, end_ts) FROM stdin;\n"
POSTGRES_END = "--\n-- PostgreSQL database dump complete\n--\n"
XML = """<?xml version="1.0"?>
<mysqldump xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><database name="opensips">
<table_data name="jwt_profiles"><row><field name="tag">t1</field><field name="sip_username">alice</field></row>
</table_data>
"""
BATCH = ("--csv-delimiter", "tab", "--csv-quote", "none", "--csv-escape", "backslash", "--csv-null", "NULL")
TYPED = ("--number-column", "account", "--boolean-column", "active")


@dataclass(frozen=True)
class Case:
    """A source with marked secrets.

    Attributes:
        make: writes it into a folder, and returns the arguments that name it.
        settings: what the service's settings are.
    """

    make: Callable[[Path], Sequence[object]]
    settings: dict[str, str] = field(default_factory=dict)


# -- CSV --------------------------------------------------------------------------------------------------------------


def csv(
    secrets: str | bytes,
    *options: str,
    profiles: str | bytes = PROFILES,
    pack: Callable[[bytes], bytes] = bytes,
    settings: dict[str, str] | None = None,
) -> Case:
    """Two CSV files."""

    def make(folder: Path) -> Sequence[object]:
        files = []
        for name, content in (("profiles", profiles), ("secrets", secrets)):
            octets = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(pack(octets))
            files += [f"--{name}-file", folder / name]
        return [*files, *options]

    return Case(make, settings or {})


def row(secret: str = SECRET, identifier: str = "1", tag: str = "t1", start: str = "1", end: str = FAR) -> str:
    return f"{identifier},{tag},{secret},{start},{end}\n"


ROWS = {
    "a secret": row(),
    "a quoted secret": row(f'"{SECRET}"'),
    "a short secret": row(MARK[:12]),
    "a broken quote": row(f'"{SECRET}" and more'),
    "a quote within": row(f'{MARK}"{MARK}'),
    "an open quote": row(f'"{SECRET}'),
    "a field too many": row().rstrip() + f",{MARK}\n",
    "many fields too many": row().rstrip() + f",{MARK}" * 20 + "\n",
    "a field too few": f"1,{SECRET}\n",
    "the only field": f"{SECRET}\n",
    "instead of the id": row("t1", SECRET, end=SECRET),
    "instead of the tag": row("t1", tag=SECRET, start=MARK),
    "shifted to the left": f"t1,{SECRET},1,{FAR},\n",
    "shifted to the right": f",1,t1,{SECRET},1\n",
    "as a bound": row(start=MARK),
    "as the other bound": row(end=MARK),
    "a PEM that is none": row(f'"-----BEGIN PUBLIC KEY-----\n{MARK}\n-----END PUBLIC KEY-----"'),
    "a private key": row(f'"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----"'),
    "a JWK that is none": row(f'"{{""kty"":""{MARK}"",""k"":""{MARK}"",""{MARK}"":[""{MARK}""]}}"'),
    "a reference": row(f"https://example.com/{MARK}"),
    "with a NUL": row(f"{SECRET}\0{MARK}"),
    "beyond ASCII": row(f"{SECRET}é"),
    "too large": row(MARK * 20_000),
    "twice": row() + row(f"{SECRET}x"),
    "two tags with one secret": row() + row(identifier="2", tag="t2"),
}

FEW = ("a secret", "a quoted secret", "a broken quote", "an open quote", "the only field", "instead of the tag")
IN_ORDER = ("--secrets-columns", "id,corresponding_tag,secret,start_ts,end_ts")
SWAPPED = ("--secrets-columns", "id,secret,corresponding_tag,start_ts,end_ts")
CSV = {name: csv(SECRETS + text) for name, text in ROWS.items()}
CSV |= {f"{name}, columns by name": csv(text, *IN_ORDER) for name, text in ROWS.items()}
CSV |= {f"{name}, without a header": csv(ROWS[name]) for name in FEW}
CSV |= {f"{name}, columns in another order": csv(ROWS[name], *SWAPPED) for name in FEW[:-1]}
CSV |= {
    f"{name}, {form}": csv((SECRETS + ROWS[name]).replace(",", "\t"), *options)
    for name in FEW
    for form, options in {"batch": BATCH, "another delimiter": ()}.items()
}
CSV |= {
    f"{name}, {encoding}": csv((header + ROWS[name]).encode(encoding), profiles=PROFILES.encode("utf-16"))
    for name in FEW
    for encoding, header in (("utf-16", SECRETS), ("utf-16-le", ""))
}
CSV |= {
    "a header of secrets": csv(f"id,corresponding_tag,{MARK},start_ts,end_ts\n{row()}"),
    "a column too many": csv(SECRETS.rstrip() + ",further\n" + row().rstrip() + f",{MARK}\n"),
    "a header without end": csv(f'"{SECRET}'),
    "a header twice": csv(f"{SECRETS.rstrip()},{MARK},{MARK}\n{row()}"),
    "bytes that are no text": csv(SECRETS.encode() + row().replace("-as-a", "\xff").encode("latin-1")),
    "bytes in a header": csv(SECRETS.replace("secret", f"{MARK}\xff").encode("latin-1")),
    "a tag of bytes": csv(SECRETS.encode() + row(tag=f"{MARK}\xff").encode("latin-1")),
    "a large header": csv(MARK * 800_000),
    "numbers and booleans": csv(
        SECRETS + row(),
        *TYPED,
        profiles=f"tag,sip_username,account,active,alg\nt1,{MARK},{MARK},{MARK},{MARK}\n",
        settings={"LOAD_CREDENTIALS": "account;active;sip_username"},
    ),
    "a number beyond all": csv(SECRETS + row(), *TYPED, profiles="tag,sip_username,account\nt1,a,1e9999\n"),
    "alg and kid": csv(SECRETS.rstrip() + ",alg,kid\n" + row().rstrip() + f",{MARK},{MARK}\n"),
    "disabled and revoked": csv(
        SECRETS + row(), profiles=f"tag,sip_username,disabled,tokens_valid_after\nt1,{MARK},{MARK},{MARK}\n"
    ),
    "a profile without a tag": csv(SECRETS + row(), profiles=f"tag,sip_username,x\n,{MARK},{MARK}\n"),
    "cut gzip": csv(SECRETS + row(), pack=lambda octets: gzip.compress(octets)[:-6]),
    "gzip and more": csv(SECRETS + row(), pack=lambda octets: gzip.compress(octets) + SECRET.encode()),
    "bzip2 and more": csv(SECRETS + row(), pack=lambda octets: bz2.compress(octets) + SECRET.encode()),
    "xz and more": csv(SECRETS + row(), pack=lambda octets: lzma.compress(octets) + SECRET.encode()),
    "another character set": csv(SECRETS + row(), "--csv-encoding", "utf-16-be"),
    "UTF-7": csv(SECRETS.encode() + f"1,t1,+{MARK}\xff,1,2\n".encode("latin-1"), "--csv-encoding", "utf-7"),
}


# -- dumps ------------------------------------------------------------------------------------------------------------


def file(content: str | bytes, pack: Callable[[bytes], bytes] = bytes) -> Case:
    """One file."""

    def make(folder: Path) -> Sequence[object]:
        (folder / "dump").write_bytes(pack(content.encode() if isinstance(content, str) else content))
        return [folder / "dump"]

    return Case(make)


INSERT = "INSERT INTO `jwt_secrets` VALUES "
VALUES = {
    "a secret": f"(1,'t1','{SECRET}',1,{FAR});",
    "a value too many": f"(1,'t1','{SECRET}',1,{FAR},'{MARK}');",
    "a value too few": f"(1,'t1','{SECRET}');",
    "an expression": f"(1,'t1',CONCAT('{MARK}','{MARK}'),1,{FAR});",
    "a word": f"(1,'t1',{MARK},1,{FAR});",
    "a broken quote": f"(1,'t1','{MARK}'{MARK}',1,{FAR});",
    "an open quote": f"(1,'t1','{SECRET},1,{FAR});",
    "double quotes": f"(1,'t1',\"{SECRET}\",1,{FAR});",
    "hex": f"(1,'t1',0x{SECRET.encode().hex()},1,{FAR});",
    "bytes": f"(1,'t1',0x{MARK.encode().hex()}ff,1,{FAR});",
    "an introducer": f"(1,'t1',_{MARK} '{SECRET}',1,{FAR});",
    "as a bound": f"(1,'t1','{SECRET}','{MARK}','{MARK}');",
    "as a tag of bytes": f"(1,0x{MARK.encode().hex()}ff,'x',1,{FAR});",
    "a long number": f"(1,'t1',{'9' * 5000},1,{FAR});",
    "cut": f"(1,'t1','{SECRET}',1",
    "a tail": f"(1,'t1','{SECRET}',1,{FAR}) ON DUPLICATE KEY UPDATE secret='{MARK}';",
    "too large": f"(1,'t1','{MARK * 20_000}',1,{FAR});",
}
DUMPS = {name: file(f"{DDL}{INSERT}{values}\n{DUMP_END}") for name, values in VALUES.items()}
DUMPS |= {
    "a warning before": file(f"mysqldump: [Warning] {MARK}\n{DDL}{INSERT}{VALUES['a secret']}\n{DUMP_END}"),
    "another table": file(f"{DDL}CREATE TABLE `{MARK}` (`{MARK}` text);INSERT INTO `{MARK}` VALUES ('{MARK}');"),
    "a column of that name": file(f"{DDL.replace('`secret`', f'`{MARK}`')}{INSERT}{VALUES['a secret']}\n{DUMP_END}"),
    "columns of that name": file(f"{DDL}INSERT INTO jwt_secrets (`{MARK}`) VALUES ('{MARK}');\n{DUMP_END}"),
    "no columns": file(f"INSERT INTO jwt_secrets VALUES ('{MARK}');\n{DUMP_END}"),
    "a character set": file(f"SET NAMES {MARK[:3]};{DDL}{INSERT}{VALUES['a secret']}"),
    "a statement that is none": file(f"{DDL}{MARK} '{MARK}';{INSERT}{VALUES['a secret']}\n{DUMP_END}"),
    "only secrets": file(f"{SECRET}\n{MARK}\n"),
    "a comment without end": file(f"{DDL}/* {MARK}"),
    "COPY": file(f"{POSTGRES}{POSTGRES_COPY}1\tt1\t{SECRET}\t1\t{FAR}\n\\.\n\n{POSTGRES_END}"),
    "COPY, broken": file(f"{POSTGRES}{POSTGRES_COPY}{MARK}\t{SECRET}\n{SECRET}\n\\.\n{POSTGRES_END}"),
    "COPY, more": file(f"{POSTGRES}{POSTGRES_COPY}1\tt1\t{SECRET}\t1\t{FAR}\t{MARK}\n\\.\n{POSTGRES_END}"),
    "COPY, cut": file(f"{POSTGRES}{POSTGRES_COPY}1\tt1\t{SECRET}"),
    "COPY, bounds": file(f"{POSTGRES}{POSTGRES_COPY}1\tt1\tx\t{MARK}\t{MARK}\n\\.\n{POSTGRES_END}"),
    "dollars": file(
        f"{POSTGRES}INSERT INTO public.jwt_secrets VALUES (1,'t1',$a${SECRET}$a$,1,{FAR});\n{POSTGRES_END}"
    ),
    "SQLite": file(
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
        "CREATE TABLE jwt_profiles (id INTEGER, tag TEXT, sip_username TEXT);\n"
        "INSERT INTO jwt_profiles VALUES(1,'t1','alice');\n"
        "CREATE TABLE jwt_secrets (id INTEGER, corresponding_tag TEXT, secret TEXT, start_ts INT, end_ts INT);\n"
        f"INSERT INTO jwt_secrets VALUES(1,'t1',replace('{SECRET}\\n','\\n',char(10)),1,{FAR});\nCOMMIT;\n"
    ),
    "UTF-16": file(f"{DDL}{INSERT}{VALUES['a broken quote']}", pack=lambda octets: octets.decode().encode("utf-16")),
    "cut xz": file(f"{DDL}{INSERT}{VALUES['a secret']}", pack=lambda octets: lzma.compress(octets)[:-40]),
    "custom format": file(f"PGDMP\x01{SECRET}"),
    "an SQLite file on the way": file(f"SQLite format 3\0{SECRET}", pack=gzip.compress),
}

XML_ROWS = {
    "a secret": f'<row><field name="corresponding_tag">t1</field><field name="secret">{SECRET}</field></row>',
    "no pair": f'<row><field name="secret">{SECRET}</wrong></row>',
    "an entity": f'<row><field name="secret">&{MARK};</field></row>',
    "a name": f'<row><field name="{MARK}">{MARK}</field></row>',
    "a name that is none": f"<row><{MARK} {MARK}={MARK}></row>",
    "hex that is none": f'<row><field name="secret" xsi:type="xs:hexBinary">{MARK}</field></row>',
    "text between": f"{MARK}<row>{MARK}</row>",
    "bytes": f'<row><field name="secret">{MARK}\xff</field></row>',
    "cut": f'<row><field name="secret">{MARK}',
}
DUMPS |= {
    f"XML, {name}": file(
        f'{XML}<table_data name="jwt_secrets">{text}</table_data></database></mysqldump>'.encode("latin-1")
    )
    for name, text in XML_ROWS.items()
}
DUMPS |= {
    "XML, another document": file(f"<{MARK}>{MARK}</{MARK}>"),
    "XML, a declaration": file(f'<!DOCTYPE {MARK} [<!ENTITY {MARK} "{MARK}">]>{XML}'),
    "XML, a statement": file(f"<?xml version='1.0'?><resultset statement='SELECT * FROM {MARK}'></resultset>"),
}


# -- others -----------------------------------------------------------------------------------------------------------


def dbtext(
    secrets: str, header: str = "id(int) corresponding_tag(string) secret(string) start_ts(int) end_ts(int)"
) -> Case:
    """A folder of db_text."""

    def make(folder: Path) -> Sequence[object]:
        (folder / "jwt_profiles").write_text("id(int) tag(string) sip_username(string)\n1:t1:alice\n")
        (folder / "jwt_secrets").write_bytes(f"{header}\n{secrets}\n".encode())
        return [folder]

    return Case(make)


def sqlite(script: str) -> Case:
    """An SQLite file."""

    def make(folder: Path) -> Sequence[object]:
        with closing(sqlite3.connect(folder / "db")) as database, database:
            database.executescript(
                "CREATE TABLE jwt_profiles (id, tag, sip_username);"
                f"INSERT INTO jwt_profiles VALUES (1,'t1','a'); {script}"
            )
        return [folder / "db"]

    return Case(make)


def a_zip(*names: str) -> Case:
    """A zip archive with files of those names."""

    def pack(octets: bytes) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in names:
                archive.writestr(name, octets)
        return packed.getvalue()

    return file(SECRET, pack=pack)


SQLITE_TABLE = "CREATE TABLE jwt_secrets (id, corresponding_tag, secret, start_ts, end_ts);"
OTHERS = {
    "db_text": dbtext(f"1:t1:{SECRET}:1:{FAR}"),
    "db_text, a field too many": dbtext(f"1:t1:{SECRET}:1:{FAR}:{MARK}"),
    "db_text, a field too few": dbtext(f"1:{SECRET}"),
    "db_text, a number": dbtext(f"1:t1:{SECRET}:{MARK}:{MARK}"),
    "db_text, an id": dbtext(f"{MARK}:t1:{SECRET}:1:{FAR}"),
    "db_text, shifted": dbtext(f"t1:{SECRET}:1:{FAR}:"),
    "db_text, a backslash": dbtext(f"1:t1:{MARK}\\{MARK}:1:{FAR}"),
    "db_text, at its end": dbtext(f"1:t1:{SECRET}:1:{FAR}\\"),
    "db_text, no header": dbtext(f"1:t1:{SECRET}:1:{FAR}", header=f"1:t1:{SECRET}:1:{FAR}"),
    "db_text, a header of secrets": dbtext(f"1:{SECRET}", header=f"id(int) {MARK}(string)"),
    "SQLite": sqlite(f"{SQLITE_TABLE} INSERT INTO jwt_secrets VALUES (1,'t1','{SECRET}',1,{FAR});"),
    "SQLite, bounds": sqlite(f"{SQLITE_TABLE} INSERT INTO jwt_secrets VALUES (1,'t1','{SECRET}','{MARK}','{MARK}');"),
    "SQLite, bytes": sqlite(
        f"{SQLITE_TABLE} INSERT INTO jwt_secrets VALUES (1,x'{MARK.encode().hex()}ff','{SECRET}',1,{FAR});"
    ),
    "SQLite, no column": sqlite(f"CREATE TABLE jwt_secrets (id, {MARK});INSERT INTO jwt_secrets VALUES (1,'{MARK}');"),
    "SQLite, no table": sqlite(f"CREATE TABLE {MARK} ({MARK});"),
    "SQLite, an error within": sqlite(
        f"{SQLITE_TABLE} ALTER TABLE jwt_secrets RENAME TO t; INSERT INTO t VALUES (1,'t1','{SECRET}',1,{FAR});"
        "CREATE VIEW jwt_secrets AS"
        " SELECT id, corresponding_tag, json_extract('{}', secret) AS secret, start_ts, end_ts FROM t;"
    ),
    "a zip of two": a_zip("a.sql", "b.sql"),
    "a zip of CSV": a_zip("jwt_profiles.csv", "jwt_secrets.csv"),
}

CASES = {
    **{f"CSV: {name}": case for name, case in CSV.items()},
    **{f"dump: {name}": case for name, case in DUMPS.items()},
    **OTHERS,
}


# -- the search -------------------------------------------------------------------------------------------------------


def _windows(text: str) -> Iterator[str]:
    return (text[start : start + 5] for start in range(len(text) - 4))


def _forms() -> frozenset[str]:
    """Pieces of the mark, as it is, in hex, in base64 from each of three places, and backwards."""
    octets = MARK.encode()
    encoded = [base64.b64encode(octets[shift:]).decode()[:28] for shift in range(3)]
    texts = [MARK, MARK[::-1], octets.hex(), *encoded]
    return frozenset(window.lower() for text in texts for window in _windows(text) if not window.isdigit())


FORMS = _forms()


def marks_in(text: str) -> frozenset[str]:
    """The pieces of the mark that are in *text*."""
    return FORMS.intersection(_windows(text.lower()))


def test_the_search_finds_pieces_of_a_mark() -> None:
    for text in (SECRET, f"'{MARK[3:8]}...", MARK.encode().hex(), repr(MARK.encode()), MARK.upper()):
        assert marks_in(text)
    assert not marks_in("CSV: /tmp/some/where cannot be read to its end: it is damaged 0123456789 abcdef")


@pytest.fixture(name="_tables", scope="module")
def _tables_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    keep_every_write()
    with environment(lambda_environment(template(), {})), mock_aws():
        create_tables(boto3.client("dynamodb", region_name=REGION), template())
        yield


COMMANDS: dict[str, tuple[str, ...]] = {
    "lint": ("lint",),
    "lint as JSON": ("lint", "--json", "--strict"),
    "import": ("import", "--skip-in-doubt"),
    "import over what is there": ("import", "--json", "--hmac", "--overwrite", "--yes"),
}


@pytest.mark.matrix(kinds=lambda name, **_: name.split(", "))
@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("_tables")
def test_no_value_is_shown(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    case = CASES[name]
    caplog.set_level(logging.DEBUG, "auth_jwt")
    (tmp_path / "source").mkdir()
    arguments = list(map(str, case.make(tmp_path / "source")))
    settings = {**lambda_environment(template(), case.settings), "AUTH_JWT_AUDIT_LOG": str(tmp_path / "audit")}

    for called, command in some(list(COMMANDS.items()), keep=2):
        report = tmp_path / "report"
        result = CliRunner().invoke(app, [*command, "--report", str(report), *arguments], env=settings)
        shown = {
            "standard output": result.stdout,
            "standard error": result.stderr,
            "the exception": "".join(traceback.format_exception(result.exception)) if result.exception else "",
            "the report": report.read_text() if report.exists() else "",
            "the audit": (tmp_path / "audit").read_text() if (tmp_path / "audit").exists() else "",
            "the log": caplog.text,
        }
        for where, text in shown.items():
            assert not marks_in(text), f"{where} of {called}"
        assert "an error in this program" not in result.stderr
