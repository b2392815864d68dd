"""SET: applies the settings that decide how literals are read, and tracks those that a dump saves and restores."""

import re
from collections.abc import Iterator
from typing import Final

from auth_jwt_cli.migration.sources.dumps.dialects import MYSQL, POSTGRESQL, Session
from auth_jwt_cli.migration.sources.dumps.endings import Endings
from auth_jwt_cli.migration.sources.dumps.literals import Literals
from auth_jwt_cli.migration.sources.dumps.names import name_of
from auth_jwt_cli.migration.sources.dumps.tokens import SqlToken

_OF_POSTGRESQL: Final = frozenset(
    [
        *("STATEMENT_TIMEOUT", "LOCK_TIMEOUT", "IDLE_IN_TRANSACTION_SESSION_TIMEOUT", "TRANSACTION_TIMEOUT"),
        *("CLIENT_ENCODING", "STANDARD_CONFORMING_STRINGS", "CHECK_FUNCTION_BODIES", "XMLOPTION", "ROW_SECURITY"),
        *("CLIENT_MIN_MESSAGES", "ESCAPE_STRING_WARNING", "SEARCH_PATH", "DEFAULT_TABLESPACE", "DEFAULT_WITH_OIDS"),
        "DEFAULT_TABLE_ACCESS_METHOD",
    ]
)
_OF_MYSQL: Final = frozenset(
    ("SQL_MODE", "FOREIGN_KEY_CHECKS", "UNIQUE_CHECKS", "AUTOCOMMIT", "TIME_ZONE", "SQL_NOTES")
)
_SCOPES: Final = frozenset(("SESSION", "LOCAL", "GLOBAL", "@@SESSION", "@@LOCAL", "@@GLOBAL"))
_SQL_MODE: Final = "SQL_MODE"
_CHARSET: Final = "CHARACTER_SET_CLIENT"
_USER_VARIABLE: Final = re.compile(r"@[^\w$@]*([\w$]+)")


class SessionSettings:
    """Applies the SET statements of a dump.

    Args:
        session: receives MySQL's modes and PostgreSQL's `standard_conforming_strings`.
        literals: receives the character set.
        endings: expects that each saved setting is restored.
    """

    def __init__(self, session: Session, literals: Literals, endings: Endings) -> None:
        self._session = session
        self._literals = literals
        self._endings = endings
        self._saved_modes: dict[str, frozenset[str] | None] = {}
        self._saved_charsets: dict[str, str] = {}

    def apply(self, tokens: list[SqlToken], line: int) -> None:
        """Apply the SET statement of these *tokens*, without SET itself and the end.

        Raises:
            SourceError: the statement names a character set that is not read.
        """
        self._session.narrow(MYSQL | POSTGRESQL, "a SET statement", line)
        words = [token.word for token in tokens]
        if words[:1] == ["NAMES"] and len(tokens) > 1:
            self._literals.set_charset(_unquote_name(tokens[1], self._session))
        elif words[:2] == ["CHARACTER", "SET"] and len(tokens) > 2:
            self._literals.set_charset(_unquote_name(tokens[2], self._session))
        else:
            for name, value in _assignments(tokens):
                self._assign(name, value, line)

    def _assign(self, name: str, value: list[SqlToken], line: int) -> None:
        text = "".join(token.octets.decode("utf-8", "replace") for token in value)
        upper = text.upper()
        if name.startswith("@") and not name.startswith("@@"):
            self._save(name, upper, line)
            return
        for variable in list(self._saved_variables(upper)):
            self._endings.end(variable)
        name = name.removeprefix("@@")
        if name in _OF_POSTGRESQL:
            self._session.narrow(POSTGRESQL, f"SET {name.lower()}", line)
        elif name in _OF_MYSQL:
            self._session.narrow(MYSQL, f"SET {name.lower()}", line)
        match name:
            case "SQL_MODE":
                self._session.set_mode(self._mode(value, upper))
            case "CHARACTER_SET_CLIENT":
                charset = self._saved_charsets.get(upper) or _unquote_name(value[0], self._session) if value else ""
                self._literals.charset = charset.lower()  # unchecked: only texts in rows need it to be known
            case "AUTOCOMMIT" if upper in ("0", "OFF"):
                self._endings.begin("COMMIT", line, "changes need a COMMIT from there on", "COMMIT")
            case "STANDARD_CONFORMING_STRINGS":
                self._session.set_conforming(conforming=upper.strip("'") not in ("OFF", "FALSE", "0", "NO"))
            case "CLIENT_ENCODING" if value:
                self._literals.set_charset(_unquote_name(value[0], self._session))
            case _:
                pass

    def _save(self, variable: str, value: str, line: int) -> None:
        """Note the value of a user variable."""
        self._session.narrow(MYSQL, "a user variable (SET @...)", line)
        system = value.removeprefix("@@SESSION.").removeprefix("@@")
        if system == value:
            return
        if system == _SQL_MODE:
            self._saved_modes[variable] = self._session.sql_mode
        elif system == _CHARSET:
            self._saved_charsets[variable] = self._literals.charset
        self._endings.begin(variable, line, f"{system.lower()} is saved there", "the statement that restores it")

    def _saved_variables(self, value: str) -> Iterator[str]:
        """Return the user variables that a *value* names."""
        return (f"@{name}" for name in _USER_VARIABLE.findall(value.replace("@@", "")))

    def _mode(self, value: list[SqlToken], text: str) -> frozenset[str] | None:
        if len(value) == 1 and value[0].kind in ("string", "quoted"):
            return frozenset(mode.strip() for mode in text[1:-1].split(","))
        return self._saved_modes.get(text)


def _assignments(tokens: list[SqlToken]) -> Iterator[tuple[str, list[SqlToken]]]:
    """Give each name in upper case, with its @ if it has one, and the tokens of its value."""
    parts: list[list[SqlToken]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        name = ""
        for number, token in enumerate(part):
            word = token.word
            if word in ("=", "TO") or (word == ":" and name):
                following = part[number + 1 :]
                yield name, following[1:] if following and following[0].word == "=" else following
                break
            if word == "." or (word in _SCOPES and not name):
                name = "" if name in _SCOPES or word in _SCOPES else name
            else:
                name += word or token.octets.decode("utf-8", "replace").strip("`").upper()


def _unquote_name(token: SqlToken, session: Session) -> str:
    """Return a name without the quotes that it may have."""
    return name_of(token, session).strip("'")
