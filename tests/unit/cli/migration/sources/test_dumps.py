"""Whose SQL a dump is, whether it is whole, and what is done about text that nobody understands."""

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.completeness import CheckedSource
from auth_jwt_cli.migration.sources.dumps import DumpSource, tokens
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from tests.migration_sources import as_read

DATA = Path(__file__).parents[4] / "dumps"
PROFILES_ONLY = SourceLayout(tables=(Table.PROFILES,))
ROW = b"INSERT INTO jwt_profiles (tag) VALUES ('a');\n"


@pytest.fixture(name="dump")
def _dump(tmp_path: Path) -> Path:
    return tmp_path / "dump.sql"


def read(dump: Path, text: bytes, dialect: Dialect | None = None) -> tuple[list[object], DumpSource]:
    """The tags in a dump of that text, None for a row with a flaw; and the source."""
    dump.write_bytes(text)
    source = DumpSource(dump, PROFILES_ONLY, dialect)
    return [row.values.get("tag") for row in as_read(source)], source


def gaps_of(source: DumpSource) -> list[str]:
    return [str(gap) for gap in source.gaps]


# -- whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dialect", "because"),
    [
        (b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux\n", "mysql", "line 1 has the first line of mysqldump"),
        (b"-- MariaDB dump 10.19-11.4.2\n", "mysql", "mysqldump"),
        (b"/*M!999999\\- enable the sandbox mode */ \n", "mysql", "a comment that MySQL runs"),
        (b"/*!999999\\- enable the sandbox mode */ \n", "mysql", "a comment that MySQL runs"),
        (b"\n/*!40101 SET NAMES utf8mb4 */;\n", "mysql", "line 2 has a comment that MySQL runs"),
        (b"# a comment\n", "mysql", "a comment after #"),
        (b"-- phpMyAdmin SQL Dump\n", "mysql", "phpMyAdmin"),
        (b"-- Adminer 4.8.1 MySQL 5.5.5-10.11.6-MariaDB dump\n", "mysql", "Adminer"),
        (b"-- Adminer 4.8.1 PostgreSQL 15.5 dump\n", "postgresql", "Adminer"),
        (b"-- Adminer 4.8.1 SQLite 3 3.40.1 dump\n", "sqlite", "Adminer"),
        (b"CREATE TABLE t (a int) ENGINE=InnoDB;\n", "mysql", "ENGINE"),
        (b"CREATE TABLE t (a int AUTO_INCREMENT);\n", "mysql", "AUTO_INCREMENT"),
        (b"CREATE TABLE t (a integer primary key AUTOINCREMENT);\n", "sqlite", "AUTOINCREMENT"),
        (b"LOCK TABLES t WRITE;\nUNLOCK TABLES;\n", "mysql", "LOCK TABLES"),
        (b"USE opensips;\n", "mysql", "USE"),
        (b"SET sql_mode = 'ANSI';\n", "mysql", "SET sql_mode"),
        (b"SET @x = 1;\n", "mysql", "a user variable"),
        (b"INSERT IGNORE INTO t VALUES (1);\n", "mysql", "INSERT IGNORE"),
        (b"INSERT INTO t VALUES (_utf8mb4'a\\'b');\n", "mysql", "a character set before a text"),
        (b"-- PostgreSQL database dump\n", "postgresql", "pg_dump"),
        (b"\\restrict abc\n\\unrestrict abc\n", "postgresql", "\\restrict"),
        (b"\\connect opensips\n", "postgresql", "\\connect"),
        (b"SET statement_timeout = 0;\n", "postgresql", "SET statement_timeout"),
        (b"COPY t (a) FROM stdin;\n1\n\\.\n", "postgresql", "a COPY statement"),
        (b"COMMENT ON TABLE t IS 'x';\n", "postgresql", "COMMENT"),
        (b"INSERT INTO t VALUES (E'a\\'b');\n", "postgresql", "a text with E or U& before it"),
        (b"PRAGMA foreign_keys=OFF;\n", "sqlite", "PRAGMA"),
        (b"INSERT OR IGNORE INTO t VALUES (1);\n", "sqlite", "INSERT OR"),
        (b"BEGIN TRANSACTION;\nREPLACE INTO t VALUES (1);\nCOMMIT;\n", "sqlite", "BEGIN TRANSACTION; line 2 has a REP"),
        (b"", None, "nothing in it tells"),
        (b"INSERT INTO `t` VALUES (1);\n", None, "nothing in it tells"),
    ],
)
def test_the_dialect_is_known_by_what_only_it_has(dump: Path, text: bytes, dialect: str | None, because: str) -> None:
    tags, source = read(dump, text + ROW)

    assert tags == ["a"]
    assert source.reading is not None
    assert source.reading.dialect == dialect
    assert because in source.reading.because


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rb"('C:\new')", "a backslash in a text"),
        (rb"('it\'s')", "a backslash in a text"),
        (rb"(`a`, 'C:\new')", "a backslash in a text"),
        (rb'("C:\new")', "a backslash in a text"),
        (b"(0x6869)", "hexadecimal"),
        (b"(x'6869')", "hexadecimal"),
        (b"(b'1')", "bits"),
        (b"(TRUE)", "TRUE or FALSE"),
        (b"(1--2)\n,(3)", "-- with no blank after it"),
        (b"(1 # 2\n)", "a #"),
        (b"(/* a /* b */ 1)", "a comment within a comment"),
        (b"($a$b$a$)", "a \\$ that may be a quote"),
    ],
)
def test_what_databases_read_in_different_ways_is_not_guessed(dump: Path, text: bytes, what: str) -> None:
    complaint = rf"^line 2 of the dump has .*{what}.*say --dialect "
    with pytest.raises(SourceError, match=complaint):
        read(dump, b"\nINSERT INTO jwt_profiles (tag) VALUES " + text + b";\n")


@pytest.mark.parametrize(
    ("dialect", "tag"),
    [(Dialect.MYSQL, "a'b\nc"), (Dialect.POSTGRESQL, "a\\''b\\nc"), (Dialect.SQLITE, "a\\''b\\nc")],
)
def test_the_dialect_may_be_said(dump: Path, dialect: Dialect, tag: str) -> None:
    text = rb"a\'b\nc" if dialect is Dialect.MYSQL else rb"a\''''b\nc"

    tags, source = read(dump, b"INSERT INTO jwt_profiles (tag) VALUES ('" + text + b"');", dialect)

    assert tags == [tag]
    assert source.reading is not None
    assert (source.reading.dialect, source.reading.because) == (dialect.value, "--dialect says so")


def test_dumps_of_two_databases_in_one_file_are_refused(dump: Path) -> None:
    with pytest.raises(SourceError, match=r"line 3 of the dump has the beginning of a dump by pg_dump.*one by one"):
        read(dump, b"-- MySQL dump 10.13\n-- Dump completed\n-- PostgreSQL database dump\n")


# -- whether it is whole ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        (b"-- MySQL dump 10.13\n" + ROW, "line 1: a dump by mysqldump begins there, and its last line"),
        (b"-- PostgreSQL database dump\n" + ROW, "line 1: a dump by pg_dump begins there"),
        (b"-- PostgreSQL database cluster dump\n" + ROW, "line 1: a dump by pg_dumpall begins there"),
        (b"-- Adminer 4.8.1 MySQL 8.0.36 dump\n" + ROW, "line 1: a dump by Adminer begins there"),
        (
            b"-- MySQL dump 10.13\n" + ROW + b"-- MySQL dump 10.13\n-- Dump completed\n",
            "line 3: a dump by mysqldump begins there before the previous one has ended",
        ),
        (b"BEGIN TRANSACTION;\n" + ROW, "line 1: a transaction begins there, and COMMIT is missing"),
        (b"START TRANSACTION;\n" + ROW, "line 1: a transaction begins there, and COMMIT is missing"),
        (b"SET autocommit=0;\n" + ROW, "and COMMIT is missing"),
        (
            b"BEGIN TRANSACTION;\n" + ROW + b"ROLLBACK; -- due to errors\n",
            "line 3: a ROLLBACK undoes the statements before",
        ),
        (
            b"PRAGMA x=1;\n/****** CORRUPTION ERROR *******/\n" + ROW,
            "line 2: the program that wrote the dump reports an error",
        ),
        (b"PRAGMA x=1;\n/**** ERROR: (11) database disk image *****/\n" + ROW, "line 2: the program that wrote"),
        (b"LOCK TABLES `jwt_profiles` WRITE;\n" + ROW, "line 1: tables are locked there, and UNLOCK TABLES is missing"),
        (
            b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n" + ROW,
            "line 1: sql_mode is saved there",
        ),
        (b"\\restrict abc\n" + ROW, "line 1: \\restrict stands there, and \\unrestrict is missing"),
        (ROW[:-2], "line 1: the dump ends within a statement that begins there"),
        (ROW + b"INSERT INTO jwt_profiles (tag) VALUES ('b'),\n", "line 2: the dump ends within a statement"),
        (ROW + b"INSERT INTO jwt_profiles (tag) VALUES ('b", "line 2: the dump ends within a quoted text"),
        (ROW + b"/* open", "line 2: the dump ends within a comment"),
        (ROW + b"COPY t (a) FROM stdin;\n1\n", "line 2: the dump ends within a COPY, whose last line"),
        (
            b"-- Dumping data for table opensips.jwt_profiles: 2 rows\n" + ROW,
            "line 1: 2 rows of 'jwt_profiles' are announced, but only 1 are there",
        ),
        (b"-- Listage des donn\xc3\xa9es de la table x.jwt_profiles : 1,002 rows\n" + ROW, "line 1: 1002 rows of"),
        (ROW + b"COMMIT", "line 2: the dump ends within a statement"),
    ],
)
def test_a_dump_that_is_cut_is_not_taken_for_whole(dump: Path, text: bytes, gap: str) -> None:
    tags, source = read(dump, text)

    assert tags[0] == "a"
    (found,) = gaps_of(source)
    assert found.startswith(gap) or gap in found


@pytest.mark.parametrize(
    "text",
    [
        ROW,
        b"\xef\xbb\xbf" + ROW,
        b"-- MySQL dump 10.13\r\n" + ROW + b"-- Dump completed on 2026-11-23 12:00:00\r\n",
        b"-- MySQL dump 10.13\n-- Dump completed\n\xef\xbb\xbf-- MySQL dump 10.13\n" + ROW + b"-- Dump completed\n",
        b"-- PostgreSQL database cluster dump\n\\connect a\n-- PostgreSQL database dump\n"
        + ROW
        + b"-- PostgreSQL database dump complete\n-- PostgreSQL database cluster dump complete\n",
        b"-- Adminer 4.8.1 MySQL 8.0.36 dump\nSET NAMES utf8;\n" + ROW + b"-- 2026-11-23 12:00:00\n",
        b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE */;\n" + ROW + b"/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n",
        b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE */;\n" + ROW + b"SET SQL_MODE=IFNULL(@OLD_SQL_MODE, '');\n",
        b"START TRANSACTION;\n" + ROW + b"COMMIT;\n",
        b"-- Dumping data for table opensips.jwt_profiles: 1 rows\n" + ROW,
        b"-- Dumping data for table opensips.jwt_profiles: ~7 rows (approximately)\n" + ROW,
        b"-- Dumping data for table opensips.other: 7 rows\n" + ROW,
        b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n"
        b"SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n"
        b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';\n"
        b"STOP REPLICA;\nCHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='x', SOURCE_LOG_POS=1;\nSTART REPLICA;\n"
        b"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n"
        b"/*!50001 VIEW `v` AS select 1 AS `a` */;\n"
        + ROW
        + b"SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n-- Dump completed on 2026-11-23 12:00:00\n",
    ],
)
def test_a_dump_that_has_its_end_is_whole(dump: Path, text: bytes) -> None:
    tags, source = read(dump, text)

    assert tags == ["a"]
    assert gaps_of(source) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(b"mysqldump: [Warning] Using a password can be insecure.\n" + ROW, 1, id="a warning"),
        pytest.param(b"mysqldump: Couldn't find table\n" + ROW, 1, id="a warning with an apostrophe"),
        pytest.param(b"opensips=> \n" + ROW, 1, id="a prompt"),
        pytest.param(b"use opensips\n" + ROW, 1, id="a command without its end"),
        pytest.param(b"SELECT 1\n" + ROW, 1, id="a statement without its end"),
        pytest.param(b"INSERT INTO other VALUES (1)\n" + ROW, 1, id="another table's INSERT without its end"),
        pytest.param(b"INSERT INTO jwt_profiles (tag) SELECT tag FROM t;\n" + ROW, 1, id="a query"),
        pytest.param(b"INSERT INTO jwt_profiles DEFAULT VALUES;\n" + ROW, 1, id="no values"),
        pytest.param(b"DO $$ BEGIN END $$;\n" + ROW, 1, id="a block of code"),
        pytest.param(b"\\i other.sql\n" + ROW, 1, id="another file"),
        pytest.param(b"UPDATE jwt_profiles SET tag = 'b';\n" + ROW, 1, id="an update"),
        pytest.param(ROW + b"DELETE FROM jwt_profiles;\n", 2, id="a deletion"),
        pytest.param(ROW + b"TRUNCATE TABLE jwt_profiles;\n", 2, id="a truncation"),
        pytest.param(ROW + b"DROP TABLE jwt_profiles;\n", 2, id="a table dropped"),
        pytest.param(ROW + b"ALTER TABLE jwt_profiles DROP COLUMN tag;\n", 2, id="a column dropped"),
        pytest.param(ROW + b"ALTER TABLE jwt_profiles RENAME COLUMN tag TO x;\n", 2, id="a column renamed"),
        pytest.param(ROW + b"ALTER TABLE jwt_profiles ALTER COLUMN tag TYPE int;\n", 2, id="a column's type"),
        pytest.param(b"CREATE TABLE jwt_profiles (a int) INHERITS (b);\n" + ROW, 1, id="rows in other tables"),
        pytest.param(b"COPY jwt_profiles (tag) FROM stdin WITH CSV;\na\n\\.\n" + ROW, 3, id="COPY in another form"),
        pytest.param(b"COPY jwt_profiles (tag) FROM '/tmp/x';\n" + ROW, 1, id="COPY of a file"),
    ],
)
def test_what_is_not_understood_is_named_and_swallows_nothing(dump: Path, text: bytes, line: int) -> None:
    dialect = Dialect.POSTGRESQL if b"$$" in text else None

    tags, source = read(dump, text, dialect)

    assert tags == ["a"]
    assert gaps_of(source)[0].startswith(f"line {line}: ")


@pytest.mark.parametrize(
    "text",
    [
        b"DELETE FROM jwt_profiles;\n" + ROW,
        b"DROP TABLE IF EXISTS jwt_profiles;\n" + ROW,
        b"TRUNCATE TABLE jwt_profiles;\n" + ROW,
        ROW + b"UPDATE other SET tag = 'jwt_profiles';\nDROP TABLE other;\nDELETE FROM sqlite_sequence;\n",
        ROW + b"ALTER TABLE ONLY public.jwt_profiles\n    ADD CONSTRAINT x PRIMARY KEY (id);\n",
        ROW + b"ALTER TABLE jwt_profiles ALTER COLUMN id SET DEFAULT nextval('x'::regclass);\n",
        ROW + b"ALTER TABLE `jwt_profiles`\n  ADD PRIMARY KEY (`id`),\n  ADD KEY `x` (`tag`);\n"
        b"ALTER TABLE `jwt_profiles`\n  MODIFY `id` int(10) unsigned NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=3;\n",
        ROW + b"ALTER TABLE public.jwt_profiles OWNER TO opensips;\nALTER SEQUENCE s OWNED BY jwt_profiles.id;\n",
        ROW + b"CREATE TRIGGER t AFTER INSERT ON x BEGIN INSERT INTO jwt_profiles (tag) VALUES ('b'); SELECT 1; END;\n",
        b"CREATE FUNCTION f() RETURNS void\n LANGUAGE sql\n BEGIN ATOMIC\n"
        b"INSERT INTO jwt_profiles (tag) VALUES ('b');\nEND;\n" + ROW,
        b"CREATE RULE r AS ON INSERT TO x DO (\nINSERT INTO jwt_profiles (tag) VALUES ('b'); SELECT 1;\n);\n" + ROW,
        b"GRANT SELECT,\nINSERT ON TABLE jwt_profiles TO x;\n" + ROW,
    ],
)
def test_what_changes_no_row_is_passed_over(dump: Path, text: bytes) -> None:
    tags, source = read(dump, text)

    assert tags == ["a"]
    assert gaps_of(source) == []


@pytest.mark.parametrize(
    ("tail", "dialect"),
    [
        (b"ON DUPLICATE KEY UPDATE tag = VALUES(tag)", "mysql"),
        (b"AS new(t) ON DUPLICATE KEY UPDATE tag = new.t", "mysql"),
        (b"AS new ON DUPLICATE KEY UPDATE tag = new.tag", "mysql"),
        (b"ON CONFLICT DO NOTHING", None),
        (b"ON CONFLICT (tag) DO UPDATE SET tag = excluded.tag", None),
        (b"RETURNING id", None),
    ],
)
def test_what_stands_behind_rows_is_no_row(dump: Path, tail: bytes, dialect: str | None) -> None:
    tags, source = read(dump, b"INSERT INTO jwt_profiles (tag) VALUES ('a')\n,('b')\n" + tail + b";\n" + ROW)

    assert tags == ["a", "b", "a"]
    assert gaps_of(source) == []
    assert source.reading is not None
    assert source.reading.dialect == dialect


STATEMENTS = (
    b"CREATE TABLE public.jwt_profiles (id pg_catalog.int4 NOT NULL DEFAULT 1, tag character varying(128) DEFAULT 'a')",
    b"CREATE TABLE `jwt_profiles` (`id` int(10), `tag` char(128) COLLATE utf8mb4_bin, KEY `k` (`tag`)) ENGINE=x",
    b"INSERT INTO jwt_profiles (id, tag) VALUES (1, X'61'), (-1.5e3, E'a' || 'b') ON CONFLICT (id) DO NOTHING",
    b"COPY public.jwt_profiles (id, tag) FROM stdin WITH (FORMAT csv)",
    b"ALTER TABLE ONLY public.jwt_profiles ADD CONSTRAINT k PRIMARY KEY (id), ALTER COLUMN tag SET DEFAULT 'x'",
    b"SET @OLD_MODE=@@SESSION.sql_mode, SQL_MODE=@OLD_MODE, character_set_client = @`x`, NAMES utf8",
)


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("end", [b"", b";", b"\n;\n", b");", b"(;", b",;"])
def test_a_statement_that_is_cut_anywhere_ends_in_words(dump: Path, statement: bytes, end: bytes) -> None:
    for length in range(len(statement)):
        with suppress(SourceError):
            tags, _ = read(dump, b"PRAGMA x;\n" * (end == b"") + statement[:length] + end)
            assert set(tags) <= {"a", b"a", None}


def test_a_line_within_rows_is_named_and_what_follows_is_not_lost_in_silence(dump: Path) -> None:
    """As when standard error goes into the same file."""
    error = b"mysqldump: Error 2013: Lost connection to server when dumping table `x` at row: 1\n"
    tags, source = read(dump, b"INSERT INTO jwt_profiles (tag) VALUES ('a'),\n" + error + b"('b'),\n('c');\n" + ROW)

    assert tags == ["a", "a"]
    assert [gap.partition(":")[0] for gap in gaps_of(source)] == ["line 2", "line 3", "line 4"]


def test_no_more_gaps_are_kept_than_are_shown(dump: Path) -> None:
    _, source = read(dump, b"what is this\n" * 10_000)

    assert gaps_of(source)[-1] == "and 9980 more of this kind"
    assert len(gaps_of(source)) == 21


def test_a_table_without_a_row_is_a_gap_in_any_source(dump: Path) -> None:
    dump.write_bytes(ROW)
    source = CheckedSource(DumpSource(dump, SourceLayout()), SourceLayout())

    assert not source.gaps
    as_read(source)

    assert [gap.why for gap in source.gaps] == [
        "there is no row of 'jwt_secrets': if the table has another name, give it with --secrets-table;"
        " if you do not want it, say --only profiles"
    ]


# -- files that were once read wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "profiles", "secrets", "dialect", "gaps"),
    [
        ("adminer.sql", ["demo"], ["0123456789abcdef0123456789abcdef"], "mysql", []),
        ("bom.sql", ["demo1", "demo2"], ["0123456789abcdef0123456789abcdef"], None, []),
        ("warning_line.sql", ["demo1", "demo2"], ["0123456789abcdef0123456789abcdef"], None, ["line 1"]),
        ("cut.sql", ["demo1", "demo2"], ["0123456789abcdef0123456789abcdef"], None, ["line 5"]),
        (
            "pg_dump.sql",
            ["demo", "demo2"],
            ["C:\\new\\table-0123456789abcdef0123456789", "0123456789abcdef0123456789abcdef-second"],
            "postgresql",
            [],
        ),
        ("sqlite_dump.sql", ["demo"], ["C:\\new\\table-0123456789abcdef0123456789"], "sqlite", []),
    ],
)
def test_each_is_read_right_or_named_as_not_whole(
    name: str, profiles: list[str], secrets: list[str], dialect: str | None, gaps: list[str]
) -> None:
    source = CheckedSource(DumpSource(DATA / name, SourceLayout()), SourceLayout())

    rows = as_read(source)

    assert [row.values["tag"] for row in rows if row.table is Table.PROFILES] == profiles
    assert [row.values["secret"] for row in rows if row.table is Table.SECRETS] == secrets
    assert source.reading is not None
    assert source.reading.dialect == dialect
    assert [gap.place for gap in source.gaps] == gaps


PHPMYADMIN = rb"""-- phpMyAdmin SQL Dump
-- version 5.2.1
-- https://www.phpmyadmin.net/
--
-- Host: localhost:3306

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
SET time_zone = "+00:00";


/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;

-- --------------------------------------------------------

CREATE TABLE `jwt_profiles` (
  `id` int(10) UNSIGNED NOT NULL,
  `tag` char(128) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO `jwt_profiles` (`id`, `tag`) VALUES
(1, 'it''s \\'),
(2, 'C:\\new\r\n');

ALTER TABLE `jwt_profiles`
  ADD PRIMARY KEY (`id`);

ALTER TABLE `jwt_profiles`
  MODIFY `id` int(10) UNSIGNED NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=3;
COMMIT;

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
"""
HEIDISQL = rb"""-- --------------------------------------------------------
-- Host:                         127.0.0.1
-- HeidiSQL Version:             12.6.0.6765
-- --------------------------------------------------------

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8 */;
/*!50503 SET NAMES utf8mb4 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

-- Dumping structure for table opensips.jwt_profiles
CREATE TABLE IF NOT EXISTS `jwt_profiles` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `tag` char(128) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

-- Dumping data for table opensips.jwt_profiles: ~2 rows (approximately)
DELETE FROM `jwt_profiles`;
INSERT INTO `jwt_profiles` (`id`, `tag`) VALUES
\t(1, 'it\'s \\'),
\t(2, 'C:\\new\r\n');

/*!40101 SET SQL_MODE=IFNULL(@OLD_SQL_MODE, '') */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
""".replace(b"\\t(", b"\t(")
DBEAVER = b"""INSERT INTO opensips.jwt_profiles (id,tag) VALUES
\t (1,'it''s'),
\t (2,'plain');
"""


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (PHPMYADMIN, ["it's \\", "C:\\new\r\n"]),
        (HEIDISQL, ["it's \\", "C:\\new\r\n"]),
        (DBEAVER, ["it's", "plain"]),
    ],
    ids=["phpMyAdmin", "HeidiSQL", "DBeaver"],
)
def test_dumps_of_other_tools_are_read(dump: Path, text: bytes, tags: list[str]) -> None:
    """As their source and published dumps have them; the tools themselves are not run here."""
    found, source = read(dump, text)

    assert found == tags
    assert gaps_of(source) == []


# -- wherever the reading pauses --------------------------------------------------------------------------------------

POSTGRES_WHOLE = rb"""--
-- PostgreSQL database dump
--
\restrict abc
SET standard_conforming_strings = on;
/* a /* nested */ comment; */
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $x$ SELECT 'INSERT'; $x$;
CREATE TABLE public.jwt_profiles (
    id integer DEFAULT 7 NOT NULL, tag character varying(128)[] , "Na""me" text, b bytea, "do" boolean
);
INSERT INTO public.jwt_profiles OVERRIDING SYSTEM VALUE VALUES
 (1, 'a''b\n', E'c\'\x41\u00e9\101', '\x00ff'::bytea, true), (DEFAULT, $$d''$$, U&'\0041\\', NULL, 'f');
COPY public.jwt_profiles (id, tag, "Na""me", b, "do") FROM stdin;
2	tab\there\\n	\N	\\x00ff	t
3	\N	\x41\101\.		f
\.
\unrestrict abc
-- PostgreSQL database dump complete
"""
SQLITE_WHOLE = rb"""PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE [jwt_profiles](id integer primary key, [ta g] text, `b` blob, r real, g as (id) stored);
INSERT INTO jwt_profiles VALUES(1,replace(replace('C:\new\r','\r',char(13)),'\n',char(10)),X'00ff',1.0e+100);
INSERT INTO "jwt_profiles" VALUES(2,unistr('a\u000a\\\d83d\de00'),X'',-9.5);
CREATE TRIGGER t AFTER INSERT ON x BEGIN INSERT INTO jwt_profiles VALUES(9,9,9,9); END;
COMMIT;
"""


@pytest.mark.matrix
@pytest.mark.parametrize("chunk", [*range(1, 20), 50])
@pytest.mark.parametrize("whole", [POSTGRES_WHOLE, SQLITE_WHOLE], ids=["PostgreSQL", "SQLite"])
def test_it_does_not_matter_where_the_reading_pauses(
    dump: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, whole: bytes
) -> None:
    dump.write_bytes(whole)
    source = DumpSource(dump, SourceLayout(tables=(Table.PROFILES,), skipped_columns=frozenset({"g"})))
    at_once = [(row.place, row.values, row.flaw) for row in source.rows()]
    assert gaps_of(source) == []
    monkeypatch.setattr(tokens, "_CHUNK", chunk)

    assert [(row.place, row.values, row.flaw) for row in source.rows()] == at_once
    assert gaps_of(source) == []


def test_copy_is_read_in_flat_memory(dump: Path) -> None:
    """Of 20 MB no more is held than a piece of them."""
    with dump.open("wb") as file:
        file.write(b"COPY jwt_profiles (id, tag, note) FROM stdin;\n")
        file.writelines(b"%d\ttag-%d\t%s\n" % (number, number, b"x" * 1000) for number in range(20_000))
        file.write(b"\\.\n")

    tracemalloc.start()
    try:
        count = sum(1 for _ in DumpSource(dump, PROFILES_ONLY).rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 20_000
    assert peak < 4_000_000


def test_what_postgresql_writes_is_read_as_it_would_read_it(dump: Path) -> None:
    dump.write_bytes(POSTGRES_WHOLE)

    rows = [tuple(row.values.values()) for row in as_read(DumpSource(dump, PROFILES_ONLY))]

    assert rows == [
        (1, "a'b\\n", "c'AéA", b"\0\xff", True),
        (7, "d''", "A\\", None, False),
        (2, "tab\there\\n", None, b"\0\xff", True),
        (3, None, "AA.", b"", False),
    ]


def test_what_sqlite_writes_is_read_as_it_would_read_it(dump: Path) -> None:
    dump.write_bytes(SQLITE_WHOLE)
    layout = SourceLayout(tables=(Table.PROFILES,), skipped_columns=frozenset({"g"}))

    rows = [tuple(row.values.values()) for row in as_read(DumpSource(dump, layout))]

    assert rows == [(1, "C:\new\r", b"\0\xff", 1e100), (2, "a\n\\😀", b"", -9.5)]
