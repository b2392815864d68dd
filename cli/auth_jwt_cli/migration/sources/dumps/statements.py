"""Reads the statements of a dump one by one: some give rows, some are skipped, and the others are gaps."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceRow
from auth_jwt_cli.migration.sources.dumps.columns import UNDETERMINED, Columns
from auth_jwt_cli.migration.sources.dumps.copies import Copies
from auth_jwt_cli.migration.sources.dumps.definitions import Definitions
from auth_jwt_cli.migration.sources.dumps.dialects import ANY, MYSQL, POSTGRESQL, SQLITE, Dialect, Session
from auth_jwt_cli.migration.sources.dumps.endings import Endings, Gaps
from auth_jwt_cli.migration.sources.dumps.inserts import Inserts
from auth_jwt_cli.migration.sources.dumps.literals import Literals
from auth_jwt_cli.migration.sources.dumps.names import Names, name_of
from auth_jwt_cli.migration.sources.dumps.settings import SessionSettings
from auth_jwt_cli.migration.sources.dumps.tokens import CutOff, NotUnderstood, SqlToken, SqlTokens, Unended
from auth_jwt_cli.migration.sources.encodings import Opened

_PASSED_OVER: Final = {
    "ANALYZE": ANY,
    "SELECT": ANY,
    "SAVEPOINT": ANY,
    "RELEASE": ANY,
    "GRANT": MYSQL | POSTGRESQL,
    "REVOKE": MYSQL | POSTGRESQL,
    "PRAGMA": SQLITE,
    "REINDEX": POSTGRESQL | SQLITE,
    "VACUUM": POSTGRESQL | SQLITE,
    "COMMENT": POSTGRESQL,
    "SECURITY": POSTGRESQL,
    "REFRESH": POSTGRESQL,
    "RESET": POSTGRESQL,
    "CHANGE": MYSQL,  # MASTER, REPLICATION SOURCE
    "FLUSH": MYSQL,
    "OPTIMIZE": MYSQL,
    "SHOW": MYSQL,
    "STOP": MYSQL,  # SLAVE, REPLICA
}
"""Statements that change no row, and the dialects that have them."""
_CHANGING: Final = frozenset(("UPDATE", "DELETE", "TRUNCATE", "MERGE", "LOAD", "RENAME", "DROP"))
_UNDONE_BEFORE_ROWS: Final = frozenset(("DELETE", "TRUNCATE", "DROP"))
_BRACKETS: Final = frozenset(("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "LOCK", "UNLOCK"))
_BEFORE_TABLE: Final = frozenset(("OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "FOREIGN"))
_WITH_BODY: Final = frozenset(("TRIGGER", "FUNCTION", "PROCEDURE", "EVENT", "RULE", "PACKAGE", "CONSTRAINT", "DEFINER"))
"""Objects of CREATE that may hold statements. CONSTRAINT and DEFINER may precede TRIGGER."""
_KEEPS_ROWS: Final = frozenset(
    [
        *("OWNER", "ENABLE", "DISABLE", "CLUSTER", "REPLICA", "SET", "RESET", "ORDER", "COMMENT", "ENGINE", "VALIDATE"),
        *("AUTO_INCREMENT", "FORCE", "NO", "MODIFY", "DEFAULT", "CONVERT", "CHARACTER", "COLLATE"),
    ]
)
"""First words of clauses of ALTER TABLE that change neither rows nor names of columns."""
_NO_COLUMN: Final = frozenset(
    ("CONSTRAINT", "PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK")
)
"""What such a clause may add or drop."""
_COUNT: Final = re.compile(rb"-- .+ (?:[^ ]+\.)?([^ .]+?) ?: ([0-9]{1,3}(?:[.,]?[0-9]{3}){0,4}) rows")
"""HeidiSQL's comment before the rows of a table, in the user's language. This form means an exact count."""
_MOST_TOKENS: Final = 10_000  # of a statement that is read as a whole


class Statements:
    """One pass over a dump.

    Args:
        file: the dump.
        layout: the names of tables and columns.
        session: the dialects and settings.

    Attributes:
        gaps: what is missing. Complete once all rows have been given.
    """

    def __init__(self, file: Opened, layout: SourceLayout, session: Session) -> None:
        self.gaps = Gaps()
        self._session = session
        self._endings = Endings(session, self.gaps)
        self._tokens = SqlTokens(file, session, self._comment)
        self._literals = Literals(session, is_utf8=file.encoding == "utf-8")
        self._names = Names(self._tokens, session, layout)
        self._settings = SessionSettings(session, self._literals, self._endings)
        self._definitions = Definitions(self._tokens, session, self._literals)
        self._inserts = Inserts(self._tokens, session, self._literals, self._names, layout)
        self._copies = Copies(self._tokens, session, self._literals, self._names, layout)
        self._columns: dict[Table, Columns] = {}
        self._layout = layout
        self._numbers = dict.fromkeys(Table, 0)
        self._counted: dict[Table, tuple[int, int]] = {}

    def rows(self) -> Iterator[SourceRow]:
        """Give every row.

        Raises:
            SourceError: the meaning of a statement is undetermined.
        """
        begins = 1
        try:
            while (token := self._tokens.next_or_none()) is not None:
                begins = self._tokens.line
                try:
                    yield from self._statement(token, begins)
                except Unended as problem:
                    self.gaps.add(begins, f"{problem}")
                except NotUnderstood as problem:
                    self.gaps.add(self._tokens.line, f"{problem}, which is not understood")
        except CutOff as cut:
            line = begins if cut.within == "a statement" else cut.line
            self.gaps.add(line, f"the dump ends within {cut.within} that begins there")
        self._endings.close()
        for table, (count, line) in self._counted.items():
            there, name = self._numbers[table], self._layout.name_of(table)
            if there < count:
                self.gaps.add(line, f"{count} rows of {name!r} are announced, but only {there} are there")

    def _comment(self, text: bytes, line: int) -> None:
        self._endings.comment(text, line)
        if found := _COUNT.fullmatch(text.rstrip()):
            table = self._layout.table_named(found[1].decode("utf-8", "replace"))
            if table is not None:
                self._counted[table] = (int(re.sub(rb"[^0-9]", b"", found[2])), line)

    def _statement(self, token: SqlToken, line: int) -> Iterator[SourceRow]:
        word = token.word
        match word:
            case "INSERT" | "REPLACE":
                yield from self._insert(word)
            case "COPY":
                yield from self._copies.rows(self._columns.get, self._place)
            case "CREATE":
                self._create()
            case "ALTER":
                self._alter()
            case _ if word in _CHANGING:
                self._change(word)
            case "SET":
                self._settings.apply(self._rest(), line)
            case "USE" if self._session.may_be(Dialect.MYSQL):
                self._use(line)
            case "DELIMITER" | "\\":
                self._client_command(word, line)
            case _ if not token.is_end:
                self._pass_over(word, line)

    def _pass_over(self, word: str, line: int) -> None:
        """Skip a statement that changes no row. Any other statement is not understood."""
        if word in _BRACKETS:
            return self._bracket(word, line)
        dialects = _PASSED_OVER.get(word, frozenset())
        if dialects.isdisjoint(self._session.dialects):
            self._tokens.skip_line()
            raise NotUnderstood("text that is not a statement of a dump")
        self._tokens.pass_over()
        self._session.narrow(dialects, f"{word} at the beginning of a statement", line)
        return None

    def _insert(self, word: str) -> Iterator[SourceRow]:
        table = self._inserts.table(word)
        if table is None:
            self._tokens.pass_over()
        else:
            yield from self._inserts.rows(table, self._columns.get(table), lambda line: self._place(table, line))

    def _place(self, table: Table, line: int) -> str:
        self._numbers[table] += 1
        return f"row {self._numbers[table]}, line {line}"

    def _bracket(self, word: str, line: int) -> None:
        """Note a statement that begins something that must end, or ends it."""
        words = [token.word for token in self._rest()]
        match word, words:
            case "BEGIN", [] | ["WORK" | "TRANSACTION" | "IMMEDIATE" | "DEFERRED" | "EXCLUSIVE", *_]:
                if words[:1] not in ([], ["WORK"]):
                    self._session.narrow(ANY - MYSQL, f"BEGIN {words[0]}", line)
                self._endings.begin("COMMIT", line, "a transaction begins there", "COMMIT")
            case "START", ["SLAVE" | "REPLICA" | "ALL", *_]:
                self._session.narrow(MYSQL, f"START {words[0]}", line)
            case "START", ["TRANSACTION", *_]:
                self._session.narrow(MYSQL | POSTGRESQL, "START TRANSACTION", line)
                self._endings.begin("COMMIT", line, "a transaction begins there", "COMMIT")
            case (("COMMIT" | "END"), [] | ["WORK" | "TRANSACTION"]):
                self._endings.end("COMMIT")
            case "ROLLBACK", _:
                self._endings.end("COMMIT")
                self.gaps.add(line, "a ROLLBACK undoes the statements before it")
            case "LOCK", ["TABLES" | "TABLE" as what, *_]:
                self._session.narrow(MYSQL if what == "TABLES" else MYSQL | POSTGRESQL, f"LOCK {what}", line)
                if what == "TABLES":
                    self._endings.begin("UNLOCK", line, "tables are locked there", "UNLOCK TABLES")
            case "UNLOCK", ["TABLES" | "TABLE"]:
                self._endings.end("UNLOCK")
            case _:
                raise NotUnderstood(f"a statement that begins with {word}")

    def _use(self, line: int) -> None:
        rest = self._rest()
        if len(rest) != 1:
            raise NotUnderstood("a statement that begins with USE")
        self._session.narrow(MYSQL, "USE", line)
        self._names.database = name_of(rest[0], self._session)

    def _client_command(self, sign: str, line: int) -> None:
        """Apply a command of psql, which begins with a backslash, or MySQL's DELIMITER."""
        command, *arguments = (self._tokens.rest_of_line() or b"").split() or [b""]
        match command:
            case _ if sign == "DELIMITER":
                self._session.narrow(MYSQL, "DELIMITER", line)
                self._session.set_delimiter(command or b";")
            case b"restrict":
                self._session.narrow(POSTGRESQL, "\\restrict", line)
                self._endings.begin("restrict", line, "\\restrict stands there", "\\unrestrict")
            case b"unrestrict":
                self._endings.end("restrict")
            case b"connect" | b"c":
                self._session.narrow(POSTGRESQL, "\\connect", line)
                self._names.database = repr(arguments)
            case _:
                raise NotUnderstood("a command to a client")

    def _create(self) -> None:
        while (token := self._tokens.next()).word in _BEFORE_TABLE:
            pass
        if token.word in _WITH_BODY:
            self._pass_over_body()
        elif token.word != "TABLE":
            self._tokens.pass_over()
        else:
            token = self._tokens.next()
            if token.word == "IF":
                self._tokens.next(), self._tokens.next()  # NOT EXISTS
            else:
                self._tokens.put_back(token)
            self._define(self._names.table())

    def _define(self, table: Table | None) -> None:
        if table is not None and table in self._columns:
            raise self._names.twice(table)
        columns = None
        if self._tokens.next().word == "(":
            columns = self._definitions.columns()
        else:
            self._tokens.pass_over()
        if table is None:
            return
        if columns is None:
            raise NotUnderstood("a CREATE TABLE that does not list all columns, or whose rows are in other tables")
        self._columns[table] = columns

    def _pass_over_body(self) -> None:
        """Skip a statement that may hold others: in parentheses, or from BEGIN to END."""
        depth, is_inside = 0, False
        before, last = "", ""
        while True:
            token = self._tokens.next_of_body()
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            is_inside = is_inside or token.word == "BEGIN"
            if token.is_end and not depth:
                # SQLite's shell finds the end in the same way: https://www.sqlite.org/c3ref/complete.html
                if not is_inside or self._session.delimiter != b";":
                    return
                if last == "END" and before in (";", "BEGIN", "ATOMIC"):
                    return
            before, last = last, ";" if token.is_end else token.word

    def _alter(self) -> None:
        if self._tokens.next().word != "TABLE":
            return self._tokens.pass_over()
        while (token := self._tokens.next()).word in ("IF", "EXISTS", "ONLY"):
            pass
        self._tokens.put_back(token)
        table = self._names.table()
        if table is None:
            return self._tokens.pass_over()
        for clause in _clauses(self._rest()):
            if not self._keeps_rows(table, clause):
                raise NotUnderstood("an ALTER TABLE that may change rows or names of columns")
        return None

    def _keeps_rows(self, table: Table, clause: list[SqlToken]) -> bool:
        first, *words = [token.word for token in clause] or [""]
        if first in ("ADD", "DROP"):
            return words[:1] != [] and words[0] in _NO_COLUMN
        if first != "ALTER":
            return first in _KEEPS_ROWS
        column = clause[2 if words[:1] == ["COLUMN"] else 1 :]
        words = [token.word for token in column[1:]]
        if words[:2] == ["SET", "DEFAULT"] and words[2:3] != ["NEXTVAL"] and table in self._columns:
            name = name_of(column[0], self._session).lower()
            columns = self._columns[table]
            if name in columns:
                self._columns[table] = {**columns, name: replace(columns[name], default=UNDETERMINED)}
        return words[:1] != [] and words[0] in ("SET", "DROP", "ADD", "RESET", "RESTART") and words[1:2] != ["DATA"]

    def _change(self, word: str) -> None:
        """Read a statement that changes rows. It is understood if the table is another one or has no rows yet."""
        token = self._tokens.next()
        if word == "DROP" and token.word != "TABLE":
            return self._tokens.pass_over()
        touched = set()
        while not token.is_end:
            touched.add(self._names.wanted(token))
            token = self._tokens.next()
        if any(table is not None and (word not in _UNDONE_BEFORE_ROWS or self._numbers[table]) for table in touched):
            raise NotUnderstood(f"a statement that begins with {word} and may change rows")
        return None

    def _rest(self) -> list[SqlToken]:
        """Return the rest of the statement, without its end."""
        tokens: list[SqlToken] = []
        while not (token := self._tokens.next()).is_end:
            tokens.append(token)
            if len(tokens) > _MOST_TOKENS:
                raise NotUnderstood("a statement of many thousand words")
        return tokens


def _clauses(tokens: list[SqlToken]) -> Iterator[list[SqlToken]]:
    """Split *tokens* at the commas outside parentheses."""
    clause: list[SqlToken] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "," and not depth:
            yield clause
            clause = []
        else:
            clause.append(token)
    if clause:
        yield clause
