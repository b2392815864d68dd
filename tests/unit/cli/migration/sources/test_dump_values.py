"""What the values of a dump's rows stand for: by dialect, by the type of their column, and where a row gives none."""

from decimal import Decimal
from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.dumps import DumpSource
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from tests.migration_sources import as_read

MYSQL, POSTGRESQL, SQLITE = Dialect.MYSQL, Dialect.POSTGRESQL, Dialect.SQLITE
NO_LITERAL = "a value that is neither a literal nor NULL"


@pytest.fixture(name="dump")
def _dump(tmp_path: Path) -> Path:
    return tmp_path / "dump.sql"


def rows_of(dump: Path, text: bytes, dialect: Dialect, *skipped: str) -> list[SourceRow]:
    dump.write_bytes(text)
    layout = SourceLayout(tables=(Table.PROFILES,), skipped_columns=frozenset(skipped))
    source = DumpSource(dump, layout, dialect)
    found = as_read(source)
    assert list(source.gaps) == []
    return found


def typed(value: object) -> tuple[type, object]:
    return type(value), value


# -- literals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "literal", "value"),
    [
        (POSTGRESQL, rb"'C:\new'", "C:\\new"),
        (POSTGRESQL, b"'it''s'", "it's"),
        (POSTGRESQL, rb"E'it\'s \\ \b\f\n\r\t \x41 \101 \u00e9 \U0001f600 \q'", "it's \\ \b\f\n\r\t A A é 😀 q"),
        (POSTGRESQL, rb"e'\ud83d\ude00'", "😀"),
        (POSTGRESQL, rb"U&'d\0061t\+000061 \\ \D83D\DE00'", "data \\ 😀"),
        (POSTGRESQL, b"$$it's$$", "it's"),
        (POSTGRESQL, b"$a$ $$ $b$ $a$", " $$ $b$ "),
        (POSTGRESQL, b"true", True),
        (POSTGRESQL, b"FALSE", False),
        (POSTGRESQL, b"0x1F", 31),
        (POSTGRESQL, b"B'101'", "101"),
        (POSTGRESQL, b"'5'::integer", 5),
        (POSTGRESQL, b"'1.50'::numeric(10,2)", Decimal("1.50")),
        (POSTGRESQL, b"'t'::boolean", True),
        (POSTGRESQL, rb"'\x6869'::bytea", b"hi"),
        (POSTGRESQL, rb"'a\000\\\377'::bytea", b"a\0\\\xff"),
        (POSTGRESQL, b"'{a,b}'::text[]", "{a,b}"),
        (POSTGRESQL, b"5::bigint", 5),
        (POSTGRESQL, b"NULL::text", None),
        (SQLITE, rb"'C:\new'", "C:\\new"),
        (SQLITE, rb"'it\''s'", "it\\'s"),
        (SQLITE, b"X'00ff'", b"\0\xff"),
        (SQLITE, b"0x1F", 31),
        (SQLITE, b"1.5", 1.5),
        (SQLITE, b"9223372036854775807", 2**63 - 1),
        (SQLITE, b"9223372036854775808", 2.0**63),
        (SQLITE, b"9.0e+999", float("inf")),
        (SQLITE, rb"replace('a\012b','\012',char(10))", "a\nb"),
        (SQLITE, rb"replace(replace('a\r\n','\r',char(13)),'\n',char(10))", "a\r\n"),
        (SQLITE, rb"unistr('a\u000a\\\+01F600\U0001F600\0041')", "a\n\\😀😀A"),
        (SQLITE, b"TRUE", 1),
        (MYSQL, b"N'national'", "national"),
        (MYSQL, b"_utf8mb4'\xc3\xa9'", "é"),
        (MYSQL, b"_latin1'\x80\x81'", "€\x81"),
    ],
)
def test_a_literal_is_what_its_database_would_read(dump: Path, dialect: Dialect, literal: bytes, value: object) -> None:
    (row,) = rows_of(dump, b"INSERT INTO jwt_profiles (v) VALUES (" + literal + b");", dialect)

    assert row.flaw is None
    assert typed(row.values["v"]) == typed(value)


@pytest.mark.parametrize(
    ("dialect", "literal", "flaw"),
    [
        (POSTGRESQL, b"now()", NO_LITERAL),
        (POSTGRESQL, b"ARRAY['a', 'b']", NO_LITERAL),
        (POSTGRESQL, b"'a' || 'b'", NO_LITERAL),
        (POSTGRESQL, b"'a' 'b'", NO_LITERAL),
        (POSTGRESQL, b"X'1F'", NO_LITERAL),
        (POSTGRESQL, b'"name"', "a name where a value should be"),
        (POSTGRESQL, b'U&"name"', NO_LITERAL),
        (POSTGRESQL, rb"E'\U00110000'", "an escape that names no character"),
        (POSTGRESQL, rb"U&'\+110000'", "an escape that names no character"),
        (POSTGRESQL, b"'x'::integer", "a text where a number should be"),
        (POSTGRESQL, b"1e99999999999999999999", "a number that is too large"),
        (POSTGRESQL, rb"'\x6869'", "a value that may be text or bytes, because the dump does not declare its type"),
        (SQLITE, b"replace('a','',char(10))", NO_LITERAL),
        (SQLITE, b"replace('a','b')", NO_LITERAL),
        (SQLITE, b"char('a')", NO_LITERAL),
        (SQLITE, b"upper('a')", NO_LITERAL),
        (SQLITE, b"(1)", NO_LITERAL),
        (SQLITE, rb"unistr('\U00110000')", "an escape that names no character"),
        (SQLITE, b'"text"', "a name where a value should be"),
        (MYSQL, b"DEFAULT", "no value for the column 'v', which the database computes"),
    ],
)
def test_what_cannot_be_told_is_a_flaw_and_the_next_row_is_read(
    dump: Path, dialect: Dialect, literal: bytes, flaw: str
) -> None:
    text = b"INSERT INTO jwt_profiles (v, w) VALUES (" + literal + b", 1),('good', 2);"

    bad, good = rows_of(dump, text, dialect)

    assert bad.flaw is not None
    assert bad.flaw.startswith(flaw)
    assert good.values == {"v": "good", "w": 2}


# -- types ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (b"integer", b"-12", -12),
        (b"bigint", b"9223372036854775807", 2**63 - 1),
        (b"numeric(20,4)", b"12.5000", Decimal("12.5000")),
        (b"double precision", b"1e+100", 1e100),
        (b"double precision", b"-Infinity", float("-inf")),
        (b"real", b"0.1", 0.1),
        (b"boolean", b"t", True),
        (b"boolean", b"f", False),
        (b"bytea", rb"\\x00ff", b"\0\xff"),
        (b"bit(1)", b"1", True),
        (b"bit(3)", b"101", "101"),
        (b"bit varying(3)", b"1", "1"),
        (b"text", b"12", "12"),
        (b"text[]", b"{1,2}", "{1,2}"),
        (b"integer[]", b"{1,2}", "{1,2}"),
        (b"pg_catalog.int4", b"12", 12),
        (b"public.mood", b"sad", "sad"),
        (b"timestamp without time zone", b"2026-11-23 12:34:56", "2026-11-23 12:34:56"),
        (b"jsonb", rb'{"a": "b\\n"}', '{"a": "b\\n"}'),
        (b"text", rb"\b\f\n\r\t\v\\\101\x41\q", "\b\f\n\r\t\v\\AAq"),
        (b"text", b"\\N", None),
        (b"text", b"", ""),
        (b"text", b"\\\\N", "\\N"),
    ],
)
def test_a_field_of_copy_is_what_its_column_holds(dump: Path, kind: bytes, field: bytes, value: object) -> None:
    text = b"CREATE TABLE public.jwt_profiles (v " + kind + b", w text);\n"
    text += b"COPY public.jwt_profiles (v, w) FROM stdin;\r\n" + field + b"\tw\r\n\\.\r\n"

    (row,) = rows_of(dump, text, POSTGRESQL)

    assert (*typed(row.values["v"]), row.values["w"]) == (*typed(value), "w")


@pytest.mark.parametrize(
    ("kind", "literal", "value"),
    [
        (b"bit(1)", rb"_binary '\0'", False),
        (b"bit(1)", b"'\x01'", True),
        (b"bit", b"b'1'", True),
        (b"bit(12)", b"0x0105", 261),
        (b"bit(16)", b"'\xc2\x81'", 49793),
        (b"bit(16)", b"'\xff\x01'", 65281),
        (b"blob", b"'text'", b"text"),
        (b"int(10) unsigned", b"'12'", 12),
        (b"int", b"0x10", 16),
        (b"decimal(10,2)", b"'12.50'", Decimal("12.50")),
        (b"double", b"0.1", 0.1),
        (b"tinyint(1)", b"1", 1),
        (b"year(4)", b"2026", 2026),
        (b"varchar(10)", b"'12'", "12"),
    ],
)
def test_a_literal_of_mysql_is_what_its_column_holds(dump: Path, kind: bytes, literal: bytes, value: object) -> None:
    text = b"CREATE TABLE `jwt_profiles` (`v` " + kind + b" DEFAULT NULL, KEY `k` (`v`)) ENGINE=InnoDB;\n"

    (row,) = rows_of(dump, text + b"INSERT INTO jwt_profiles VALUES (" + literal + b");", MYSQL)

    assert typed(row.values["v"]) == typed(value)


def test_copy_may_leave_the_columns_to_the_definition(dump: Path) -> None:
    text = b"CREATE TABLE jwt_profiles (a integer, b text);\nCOPY jwt_profiles FROM stdin;\n1\tx\n1\n1\t2\t3\n\\.\n"

    good, short, long = rows_of(dump, text, POSTGRESQL)

    assert good.values == {"a": 1, "b": "x"}
    assert (short.flaw, long.flaw) == ("1 values for 2 columns", "3 values for 2 columns")
    assert (good.place, long.place) == ("row 1, line 3", "row 3, line 5")


def test_copy_without_any_names_is_an_error(dump: Path) -> None:
    with pytest.raises(SourceError, match="COPY into 'jwt_profiles' names no columns"):
        rows_of(dump, b"COPY jwt_profiles FROM stdin;\n1\n\\.\n", POSTGRESQL)


@pytest.mark.parametrize(("encoding", "text"), [("LATIN1", b"\xe9"), ("UTF8", b"\xc3\xa9"), ("UNICODE", b"\xc3\xa9")])
def test_postgresql_names_its_encoding(dump: Path, encoding: str, text: bytes) -> None:
    head = f"SET client_encoding = '{encoding}';\nCREATE TABLE jwt_profiles (v text);\n".encode()

    (row,) = rows_of(dump, head + b"INSERT INTO jwt_profiles VALUES ('" + text + b"');", POSTGRESQL)

    assert row.values == {"v": "é"}


def test_an_encoding_that_is_not_read_is_an_error_without_the_text(dump: Path) -> None:
    for encoding, dialect in ((b"SQL_ASCII", POSTGRESQL), (b"SJIS", POSTGRESQL)):
        with pytest.raises(SourceError, match="--encoding=UTF8"):
            rows_of(
                dump, b"SET client_encoding = " + encoding + b";INSERT INTO jwt_profiles (v) VALUES ('\xe9');", dialect
            )
    with pytest.raises(SourceError, match="line 1 of the dump has text in a character set that is not read"):
        rows_of(dump, b"INSERT INTO jwt_profiles (v) VALUES (_koi8r'\xe9');", MYSQL)


# -- settings of the dump ---------------------------------------------------------------------------------------------


def test_mysqls_modes_count_from_where_they_are_set_to_where_they_are_put_back(dump: Path) -> None:
    insert = rb"INSERT INTO jwt_profiles (v) VALUES ('a\\b');" + b"\n"
    text = (
        b"/*!50003 SET @saved_sql_mode = @@sql_mode */ ;\n"
        + insert
        + b"/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES' */ ;\n"
        + insert
        + b"SET SESSION sql_mode = @saved_sql_mode;\n"
        + insert
        + b"SET @@session.sql_mode := 'ANSI_QUOTES';\n"
        + b'INSERT INTO "jwt_profiles" ("v") VALUES (\'a\\\\b\');\n'
    )

    assert [row.values["v"] for row in rows_of(dump, text, MYSQL)] == ["a\\b", "a\\\\b", "a\\b", "a\\b"]


def test_a_mode_that_cannot_be_told_leaves_a_backslash_in_doubt(dump: Path) -> None:
    text = b"SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES');\nINSERT INTO jwt_profiles (v) VALUES ('%b');"

    assert rows_of(dump, text % b"plain", MYSQL)[0].values == {"v": "plain"}
    with pytest.raises(SourceError, match="line 2 of the dump has a backslash in a text"):
        rows_of(dump, text % rb"a\\b", MYSQL)


def test_the_character_set_of_the_client_is_put_back_too(dump: Path) -> None:
    text = (
        b"SET NAMES latin1;\nSET @saved_cs_client = @@character_set_client;\nSET character_set_client = utf8;\n"
        b"CREATE TABLE jwt_profiles (v varchar(9) DEFAULT '\xc3\xa9', w int);\n"
        b"SET character_set_client = @saved_cs_client;\n"
        b"INSERT INTO jwt_profiles VALUES ('\xe9', 1),(DEFAULT, 2);\nSET CHARACTER SET 'utf8mb4';\n"
        b"INSERT INTO jwt_profiles VALUES ('\xc3\xa9', 3);"
    )

    assert [row.values["v"] for row in rows_of(dump, text, MYSQL)] == ["é", "é", "é"]


# -- columns that a row does not give ---------------------------------------------------------------------------------


def test_a_column_that_is_not_given_has_its_default(dump: Path) -> None:
    text = (
        b"CREATE TABLE jwt_profiles (ID int NOT NULL AUTO_INCREMENT, tag char(9) NOT NULL, a int DEFAULT '5',"
        b" b varchar(9) DEFAULT 'x', c int, d decimal(4,1) DEFAULT -1.5, PRIMARY KEY (id)) ENGINE=InnoDB;\n"
        b"INSERT INTO jwt_profiles (Tag) VALUES ('t');\nINSERT INTO jwt_profiles SET tag = 'u', a = 6\n"
        b"ON DUPLICATE KEY UPDATE a = 7;\nINSERT INTO jwt_profiles (tag, b) VALUES ROW('v', DEFAULT);"
    )

    first, second, third = rows_of(dump, text, MYSQL)

    others = {"b": "x", "c": None, "d": Decimal("-1.5")}
    assert first.values == {"Tag": "t", "a": 5, **others}
    assert second.values == {"tag": "u", "a": 6, **others}
    assert third.values == {"tag": "v", "a": 5, **others}


@pytest.mark.parametrize(
    ("definition", "dialect"),
    [
        (b"g text GENERATED ALWAYS AS (upper(tag)) STORED", POSTGRESQL),
        (b"g text DEFAULT now()", POSTGRESQL),
        (b"g integer DEFAULT (1 + 1)", POSTGRESQL),
        (b"g integer DEFAULT 1 + 1", POSTGRESQL),
        (b"g text NOT NULL", POSTGRESQL),
        (b"g text DEFAULT CURRENT_TIMESTAMP", MYSQL),
        (b"g varchar(9) AS (upper(tag)) VIRTUAL", MYSQL),
        (b"g as (upper(tag)) stored", SQLITE),
    ],
)
def test_what_the_database_computes_is_refused_unless_it_is_left_out(
    dump: Path, definition: bytes, dialect: Dialect
) -> None:
    text = b"CREATE TABLE jwt_profiles (tag text, " + definition + b");\nINSERT INTO jwt_profiles (tag) VALUES ('t');"

    (refused,) = rows_of(dump, text, dialect)
    (taken,) = rows_of(dump, text, dialect, "g")

    assert refused.flaw == (
        "no value for the column 'g', which the database computes: leave it out with --skip-column g, or read the"
        " database"
    )
    assert taken.values == {"tag": "t"}


def test_a_default_that_is_set_later_counts(dump: Path) -> None:
    text = (
        b"CREATE TABLE jwt_profiles (tag text, g text, n integer NOT NULL);\n"
        b"ALTER TABLE ONLY jwt_profiles ALTER COLUMN n SET DEFAULT nextval('s'::regclass);\n"
        b"ALTER TABLE ONLY jwt_profiles ALTER COLUMN g SET DEFAULT upper('x');\n"
        b"INSERT INTO jwt_profiles (tag, n) VALUES ('t', 1);"
    )

    (row,) = rows_of(dump, text, POSTGRESQL)

    assert row.flaw is not None
    assert row.flaw.startswith("no value for the column 'g'")


def test_sqlite_gives_no_values_for_generated_columns(dump: Path) -> None:
    text = (
        b"CREATE TABLE jwt_profiles (tag text, g as (upper(tag)), [a b] int);\nINSERT INTO jwt_profiles VALUES('t',1);"
    )

    (row,) = rows_of(dump, text, SQLITE, "g")

    assert row.values == {"tag": "t", "a b": 1}


def test_a_column_may_be_called_like_a_key_where_that_is_no_keyword(dump: Path) -> None:
    text = b"CREATE TABLE jwt_profiles (tag text, key text, UNIQUE (tag));\nINSERT INTO jwt_profiles VALUES('t','k');"

    assert rows_of(dump, text, SQLITE)[0].values == {"tag": "t", "key": "k"}
    assert rows_of(dump, text, POSTGRESQL)[0].values == {"tag": "t", "key": "k"}
    dump.write_bytes(text)
    with pytest.raises(SourceError, match="line 1 of the dump has KEY at the beginning of a column or an index"):
        as_read(DumpSource(dump, SourceLayout(tables=(Table.PROFILES,))))
