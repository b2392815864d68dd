"""What mysqldump and its likes write is read as the server would read it, however it is cut into pieces."""

import gzip
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.dumps import DumpSource, tokens
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from tests.migration_sources import as_read, values_of

PROFILES_ONLY = SourceLayout(tables=(Table.PROFILES,))
CREATE = b"""CREATE TABLE `jwt_profiles` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `tag` char(128) NOT NULL DEFAULT 'a, (b' COMMENT 'c),d',
  `sip_username` enum('a','b,)') CHARACTER SET latin1 DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `jwt_tag_idx` (`tag`),
  CONSTRAINT `c` CHECK (`id` > (0))
) ENGINE=InnoDB AUTO_INCREMENT=3;
"""


@pytest.fixture(name="dump")
def _dump(tmp_path: Path) -> Path:
    return tmp_path / "dump.sql"


def rows_of(dump: Path, text: bytes, layout: SourceLayout = PROFILES_ONLY) -> list[dict[str, object]]:
    """The values of each profile in a dump of that text."""
    dump.write_bytes(text)
    return values_of(DumpSource(dump, layout, Dialect.MYSQL), Table.PROFILES)


def only_value(dump: Path, literal: bytes) -> object:
    """What a literal stands for."""
    (row,) = rows_of(dump, b"INSERT INTO jwt_profiles (v) VALUES (" + literal + b");")
    return row["v"]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (b"NULL", None),
        (b"null", None),
        (b"0", 0),
        (b"-12", -12),
        (b"4294967295", 4294967295),
        (b"12.50", Decimal("12.50")),
        (b"-1.5e-3", Decimal("-0.0015")),
        (b"1e+20", Decimal("1e20")),
        (b"'12'", "12"),
        (b"''", ""),
        (b"'it''s'", "it's"),
        (rb"'it\'s'", "it's"),
        (rb"'say \"hi\"'", 'say "hi"'),
        (b"'say \"hi\"'", 'say "hi"'),
        (rb"'a\\'", "a\\"),
        (rb"'\\n'", "\\n"),
        (rb"'\n\r\t\b\0\Z'", "\n\r\t\b\0\x1a"),
        (rb"'100\% \_ \x'", "100\\% \\_ x"),
        (b"'a\nb'", "a\nb"),
        (b"'a); DROP TABLE x; -- /* '", "a); DROP TABLE x; -- /* "),
        (b"  ' padded '  ", " padded "),
        ("'naïve ✓ 𝄞'".encode(), "naïve ✓ 𝄞"),
        (b"'\xff\xfe'", b"\xff\xfe"),
        (b"0x", b""),
        (b"0x68656C6C6F", b"hello"),
        (b"X'68656C'", b"hel"),
        (b"x''", b""),
        (b"b'101'", b"\x05"),
        (rb"_binary 'ab\0c'", b"ab\0c"),
        (b"_binary '\xff'", b"\xff"),
        (b"_binary 0xFF00", b"\xff\x00"),
        (b"_latin1'\xe9'", "é"),
        (b'"double ""quoted"" \'text\'"', "double \"quoted\" 'text'"),
        (b"TRUE", 1),
    ],
)
def test_a_literal_is_read_as_mysql_reads_it(dump: Path, literal: bytes, value: object) -> None:
    found = only_value(dump, literal)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("literal", [b"now()", b"1 + 1", b"(select 1)", b"concat('a', 'b')", b"@x", b"1 2"])
def test_an_expression_is_no_value(dump: Path, literal: bytes) -> None:
    dump.write_bytes(b"INSERT INTO jwt_profiles (v) VALUES (" + literal + b"),('good');")

    bad, good = as_read(DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL))

    assert bad.flaw == "a value that is neither a literal nor NULL"
    assert good.values == {"v": "good"}


def test_the_order_of_columns_is_that_of_create_table(dump: Path) -> None:
    rows = rows_of(dump, CREATE + b"INSERT INTO `jwt_profiles` VALUES (1,'t1','alice'),(2,'t2',NULL);\n")

    assert rows == [
        {"id": 1, "tag": "t1", "sip_username": "alice"},
        {"id": 2, "tag": "t2", "sip_username": None},
    ]


def test_names_in_the_insert_come_before_those_of_create_table(dump: Path) -> None:
    insert = (
        b'INSERT IGNORE INTO `db`.`jwt_profiles` (`tag`, sip_username,"id")\n'
        b"VALUES ('t1','alice',1)\n,('t2','bob',2);"
    )

    rows = rows_of(dump, CREATE + insert)

    assert rows[1] == {"tag": "t2", "sip_username": "bob", "id": 2}


def test_other_tables_are_passed_over(dump: Path) -> None:
    others = b"""CREATE TABLE subscriber (jwt_profiles int); INSERT INTO subscriber VALUES ('INSERT INTO jwt_profiles');
    LOCK TABLES jwt_profiles WRITE; /*!40000 ALTER TABLE `jwt_profiles` DISABLE KEYS */;
    INSERT INTO `version` VALUES ('jwt_profiles','1'); CREATE VIEW v AS SELECT * FROM jwt_profiles;"""

    assert rows_of(dump, others + CREATE + b"INSERT INTO jwt_profiles VALUES (1,'a','b');") == [
        {"id": 1, "tag": "a", "sip_username": "b"}
    ]


def test_comments_are_blanks_and_conditional_ones_count(dump: Path) -> None:
    text = (
        b"/*M!999999\\- enable the sandbox mode */ \n"
        b"-- INSERT INTO jwt_profiles (v) VALUES ('line');\n# likewise ('hash');\n--\n"
        b"/* INSERT INTO jwt_profiles (v) VALUES ('block') */\n/*M not mariadb's */"
        b"INSERT INTO /* here, too */ jwt_profiles (v) VALUES ('kept' /* , 'not' */);\n"
        b"/*!50003 INSERT INTO jwt_profiles (v) VALUES ('mysql') */;\n"
        b"/*M!100100 INSERT INTO jwt_profiles (v) VALUES ('mariadb') */;\n"
    )

    assert [row["v"] for row in rows_of(dump, text)] == ["kept", "mysql", "mariadb"]


def test_what_triggers_and_routines_insert_is_no_row(dump: Path) -> None:
    text = (
        b"DELIMITER ;\nDELIMITER ;;\n/*!50003 CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN\n"
        b"INSERT INTO jwt_profiles (v) VALUES ('of a trigger'); END */;;\nDELIMITER ;\n"
        b"INSERT INTO jwt_profiles (v) VALUES ('real');\n"
    )

    assert [row["v"] for row in rows_of(dump, text)] == ["real"]


def test_text_is_in_the_character_set_that_the_dump_names(dump: Path) -> None:
    insert = b"CREATE TABLE jwt_profiles (v text); INSERT INTO jwt_profiles (v) VALUES ('%b');"

    assert rows_of(dump, b"/*!40101 SET NAMES latin1 */;" + insert % "é€".encode("cp1252")) == [{"v": "é€"}]
    assert rows_of(dump, b"/*!50503 SET NAMES utf8mb4 */;" + insert % "é€".encode()) == [{"v": "é€"}]


def test_text_of_latin1_may_be_bytes_where_no_type_is_declared(dump: Path) -> None:
    dump.write_bytes("SET NAMES latin1; INSERT INTO jwt_profiles (v) VALUES ('é'),('e');".encode("latin-1"))

    bad, good = as_read(DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL))

    assert bad.flaw == "a value that may be text or bytes, because the dump does not declare its type"
    assert good.values == {"v": "e"}


def test_text_that_is_not_utf_8_is_refused_in_a_column_of_text(dump: Path) -> None:
    dump.write_bytes(b"CREATE TABLE jwt_profiles (a text, b blob); INSERT INTO jwt_profiles VALUES ('\xe9','\xe9');")

    (row,) = as_read(DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL))

    assert row.flaw == "a text that is not UTF-8, without a declared character set"


def test_a_character_set_that_is_not_known_is_refused(dump: Path) -> None:
    with pytest.raises(SourceError, match=r"koi8r.*--default-character-set=utf8mb4"):
        rows_of(dump, b"SET NAMES koi8r; INSERT INTO jwt_profiles (v) VALUES ('x');")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"INSERT INTO jwt_profiles VALUES (1);", "--complete-insert", id="no names of columns"),
        pytest.param(CREATE + CREATE, "twice", id="of two databases"),
    ],
)
def test_a_dump_that_cannot_be_read_is_an_error_that_says_why(dump: Path, text: bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        rows_of(dump, text)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (
            b"USE `a`;\nINSERT INTO jwt_profiles (tag) VALUES ('1');",
            b"USE b;\nINSERT INTO jwt_profiles (tag) VALUES ('2');",
        ),
        (b"INSERT INTO a.jwt_profiles (tag) VALUES ('1');", b"INSERT INTO `b`.`jwt_profiles` (tag) VALUES ('2');"),
    ],
    ids=["by USE", "by names"],
)
def test_rows_of_two_databases_are_not_mixed_even_without_create_table(dump: Path, one: bytes, two: bytes) -> None:
    assert rows_of(dump, one + one) == [{"tag": "1"}, {"tag": "1"}]
    with pytest.raises(SourceError, match="twice"):
        rows_of(dump, one + two)


def test_a_schema_before_the_table_tells_databases_apart(dump: Path) -> None:
    text = (
        b"USE `one`;\n" + CREATE + b"INSERT INTO jwt_profiles VALUES (1,'one','a');\n"
        b"USE `two`;\n" + CREATE + b"INSERT INTO jwt_profiles VALUES (2,'two','b');\n"
    )

    rows = rows_of(dump, text, SourceLayout(profiles_table="two.jwt_profiles", tables=(Table.PROFILES,)))

    assert [row["tag"] for row in rows] == ["two"]


def test_a_row_of_another_length_is_malformed_and_the_others_are_read(dump: Path) -> None:
    dump.write_bytes(b"INSERT INTO jwt_profiles (a, b) VALUES (1),(1,2),(1,2,3);")

    short, good, long = as_read(DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL))

    assert (short.place, short.flaw) == ("row 1, line 1", "1 values for 2 columns")
    assert good.values == {"a": 1, "b": 2}
    assert (long.place, long.flaw) == ("row 3, line 1", "3 values for 2 columns")


def test_a_packed_dump_is_read_as_well(dump: Path) -> None:
    text = gzip.compress(CREATE + b"INSERT INTO jwt_profiles VALUES (1,'t1','alice');")

    assert rows_of(dump, text)[0]["tag"] == "t1"


def test_a_packed_dump_that_is_damaged_is_an_error(dump: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read to its end"):
        rows_of(dump, gzip.compress(CREATE)[:-20])


WHOLE = (
    b"/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET NAMES utf8mb4 */;\n"
    + CREATE
    + rb"""INSERT INTO `jwt_profiles` VALUES (1,'it''s \\ \' \n','a'),(-2,_binary 'x\0',0x6869),(3.5e2,X'00',b'11');
DELIMITER ;;
/*!50003 CREATE TRIGGER t BEGIN INSERT INTO jwt_profiles VALUES (9,9,9); END */;;
DELIMITER ;
-- Dump completed
insert into jwt_profiles (id, tag, sip_username) values (4, "d""q", 'end');
"""
)


@pytest.mark.parametrize("chunk", range(1, 24))
def test_it_does_not_matter_where_the_reading_pauses(dump: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    at_once = rows_of(dump, WHOLE)
    monkeypatch.setattr(tokens, "_CHUNK", chunk)

    assert len(at_once) == 4
    assert rows_of(dump, WHOLE) == at_once


def test_a_statement_of_any_length_is_read_in_flat_memory(dump: Path) -> None:
    """Of a statement of 20 MB no more is held than a few pieces of it."""
    with dump.open("wb") as file:
        file.write(b"INSERT INTO jwt_profiles (id, tag, sip_username) VALUES (0,'a','b')")
        file.writelines(b",(%d,'tag-%d','%s')" % (number, number, b"x" * 1000) for number in range(20_000))
        file.write(b";")

    tracemalloc.start()
    try:
        count = sum(1 for _ in DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL).rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 20_001
    assert peak < 4_000_000


def test_how_much_has_been_read_is_known(dump: Path) -> None:
    dump.write_bytes(b"INSERT INTO jwt_profiles (a) VALUES (1)" + b",('%s')" % (b"x" * 200_000) * 10 + b";")
    source = DumpSource(dump, PROFILES_ONLY, Dialect.MYSQL)

    def fractions() -> Iterator[float | None]:
        for _ in source.rows():
            yield source.fraction

    seen = list(fractions())

    assert seen == sorted(seen, key=lambda fraction: fraction or 0)
    assert 0 < (seen[0] or 0) < 0.5 < (seen[-1] or 0) <= 1
