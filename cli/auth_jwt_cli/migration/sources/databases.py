"""Live databases, read with SQLAlchemy: MySQL and MariaDB, PostgreSQL, SQLite.

One transaction reads both tables, so they show the same instant. It uses a cursor on the server. Values keep the
server's spelling, and dates and the like are text, so a database and its dump give the same rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout, spelling_in
from auth_jwt_cli.migration.sources import Source, SourceError, SourceRow
from auth_jwt_cli.migration.sources.bits import bits_of_digits, bits_of_octets
from auth_jwt_cli.migration.sources.files import text_of

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.sql import TableClause

_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}
"""SQLAlchemy's names of the drivers, by the scheme of a URL. OpenSIPS writes `mysql` and `postgres`."""

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_USER_AND_PASSWORD: Final = re.compile(r"[^:/]*(?::[^@]*)?@")  # as SQLAlchemy parses them
_HOST: Final = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(?:%\w+)?")  # a name, or an IPv6 address
_NAME: Final = re.compile(r"[\w .$~-]+")
_NO_URL: Final = (
    "that is not the URL of a database; it should look like mysql://user@host/db, and a password in it must have %40"
    " %3A %2F %3F %23 %25 in the place of @ : / ? # %"
)
_ROWS_AT_ONCE: Final = 1000
_STEPS_BETWEEN_LOOKS: Final = 1_000_000
_CONNECT_SECONDS: Final = 10
_AS_TEXT: Final = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "json", "jsonb", "uuid", "inet")
"""PostgreSQL's types that psycopg would turn into Python objects."""

_BITS: Final = {"mysql": (16, 3), "postgresql": (1560, 2)}
"""The type code of bit columns, and the position of their width in a driver's `description` (PEP 249)."""

_STATES_OF_NAMES: Final = frozenset({"08", "25", "28", "3D", "3F", "42", "53", "55", "57", "58"})
"""Classes of PostgreSQL's errors (appendix A of its manual) about connections, permissions and names."""

_MYSQL_OF_NAMES: Final = frozenset(
    {1040, 1044, 1045, 1046, 1049, 1054, 1129, 1130, 1142, 1143, 1146, 1205, 1213, 1226, 1227, 1251, 1290, 1698}
)
_MYSQL_OF_CLIENTS: Final = range(2000, 3000)
_SQLITE_OF_NAMES: Final = (
    *("no such table", "no such column", "database is locked", "database table is locked", "file is not a database"),
    *("unable to open database file", "database disk image is malformed", "disk I/O error", "attempt to write"),
)


def is_database_url(text: str) -> bool:
    """Tell whether *text* looks like the URL of a database of any kind."""
    return "://" in text


def holds_password(url: str) -> bool:
    """Tell whether *url* may hold a password: before the host, or in the options at its end.

    A parser misreads a password with `/`, `?` or `#` in it. So anything between a colon and the last `@` counts.
    """
    scheme, _, rest = url.partition("://")
    is_file = scheme.lower().startswith("sqlite") and rest.startswith("/")
    if not is_file and ":" in rest.rpartition("@")[0]:
        return True
    return any(
        "pass" in name.lower() or name.lower().strip() == "pwd"
        for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)
    )


class DatabaseSource(Source):
    """A database, as a `Source`."""

    def __init__(self, url: str, layout: SourceLayout, *, password: str | None = None) -> None:
        """Parse the URL. Nothing is connected yet.

        Args:
            url: `mysql://user@host/db`, `postgres://user@host/db`, `sqlite:///path`.
            layout: the names of tables and columns.
            password: the user's password. It replaces one in the URL.

        Raises:
            SourceError: the URL names no database that can be read.
        """
        kind, made = _parse_url(url)
        if kind == "sqlite":
            made = made.set(database=_existing_file(made.database))
        self._url = made if password is None else made.set(password=password)
        self._kind = kind
        self._layout = layout
        self._expected = 0
        self._given = 0

    @property
    def name(self) -> str:
        """See `Source`."""
        host = f"[{self._url.host}]" if ":" in (self._url.host or "") else self._url.host or ""
        port = "" if self._url.port is None else f":{self._url.port}"
        return f"the database {self._kind}://{host}{port}/{self._url.database or ''}"

    @property
    def fraction(self) -> float | None:
        """See `Source`."""
        return min(1.0, self._given / self._expected) if self._expected else None

    def keep(self) -> None:
        """See `Source`. A database can be read again, so there is nothing to keep."""

    def rows(self) -> Iterator[SourceRow]:
        """See `Source`."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._given = 0
            engine = self._engine()
            connection = engine.connect()
        except (SQLAlchemyError, ImportError) as error:
            raise self._unreadable(error) from None
        except (OSError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise self._unconnected(error) from None
        try:
            with connection:
                _hold_still(connection)
                tables = {table: self._found(connection, table) for table in self._layout.tables}
                self._expected = sum(_count(connection, found) for found, _ in tables.values())
                for table, (found, columns) in tables.items():
                    yield from self._rows_of(connection, table, found, columns)
        except SQLAlchemyError as error:
            if getattr(error.__cause__, "sqlite_errorname", None) == "SQLITE_INTERRUPT":
                raise KeyboardInterrupt from None
            raise self._unreadable(error) from None
        except UnicodeDecodeError:
            raise SourceError(
                f"{self.name} has text outside its character set; export CSV, and name its encoding with --csv-encoding"
            ) from None
        finally:
            engine.dispose()

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError(f"{self.name} cannot be read: {_reason(error)}")

    def _engine(self) -> "Engine":
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        engine = create_engine(
            self._url,
            connect_args=_connect_arguments(self._kind, self._url.password),
            poolclass=NullPool,
            hide_parameters=True,
            **({} if self._kind == "sqlite" else {"isolation_level": "REPEATABLE READ"}),
        )
        _take_text_as_text(engine)
        return engine

    def _unconnected(self, error: Exception) -> SourceError:
        """Return why no connection can be made, for an *error* of a driver that does not come from the database."""
        if isinstance(error, OSError):
            why = f"{error.strerror or type(error).__name__}; is a file that its URL names missing?"
        else:
            options = ", ".join(repr(name) for name in self._url.query if _NAME.fullmatch(name)) or "none"
            why = f"an option at the end of its URL is invalid ({type(error).__name__}); its options: {options}"
        return SourceError(f"{self.name} cannot be connected to: {why}")

    def _found(self, connection: "Connection", table: Table) -> "tuple[TableClause, list[str]]":
        """Return a wanted table and the names of its columns."""
        from sqlalchemy import literal_column, select
        from sqlalchemy import table as named

        schema, _, name = self._layout.name_of(table).rpartition(".")
        found = named(name, schema=schema or None)
        columns = list(connection.execute(select(literal_column("*")).select_from(found).limit(0)).keys())
        return found, columns

    def _rows_of(
        self, connection: "Connection", table: Table, found: "TableClause", columns: list[str]
    ) -> Iterator[SourceRow]:
        from sqlalchemy import column, literal_column, select

        known = [name for name in self._layout.known_columns(table) if name != self._layout.id_column]
        spelled = list(spelling_in(columns, {name: name for name in (self._layout.id_column, *known)}))
        # Secrets without an id get one by their order, so the order must be the same every time.
        order = spelled[:1] if spelled[0] in columns else [name for name in spelled[1:] if name in columns]
        query: Any = select(literal_column("*")).select_from(found).order_by(*map(column, order))
        streamed = connection.execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE).execute(query)
        widths = _widths_of_bits(connection.dialect.name, streamed.cursor.description)
        for number, row in enumerate(streamed, 1):
            self._given += 1
            values = dict(zip(columns, row, strict=True))
            for name, width in widths.items():
                values[name] = _bits(values[name], width)
            yield SourceRow(table, f"row {number}", values)


def _parse_url(url: str) -> "tuple[str, URL]":
    """Return the kind of database, and the URL with SQLAlchemy's name of its driver.

    A password that is not escaped must not end up in the host or the database name, which are shown.

    Raises:
        SourceError: the URL names no database that can be read.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    given, _, rest = url.partition("://")
    scheme = given.lower()
    kind, _, driver = scheme.partition("+")
    if kind not in _DRIVERS or (driver and driver != _DRIVERS[kind].partition("+")[2]):
        shown = f"{scheme}://" if _SCHEME.fullmatch(scheme) else "that"
        raise SourceError(f"{shown} is not a database that can be read; these are {', '.join(sorted(_DRIVERS))}")
    try:
        made = make_url(f"{_DRIVERS[kind]}://{rest}")
    except (ArgumentError, ValueError):
        raise SourceError(_NO_URL) from None
    if kind == "sqlite":
        if not rest.startswith("/"):
            raise SourceError("the URL of an SQLite file looks like sqlite:////path")
        return kind, made
    user = _USER_AND_PASSWORD.match(rest)
    behind = rest[user.end() :] if user else rest
    clean = all(
        text is None or pattern.fullmatch(text)
        for text, pattern in ((made.host, _HOST), (made.database or None, _NAME))
    )
    if "@" in behind or "#" in behind or not clean:
        raise SourceError(_NO_URL)
    return kind, made


def _existing_file(path: str | None) -> str:
    """Return the *path* in an SQLite URL. Three slashes mean the root to OpenSIPS, the current folder to SQLAlchemy."""
    for candidate in (Path(path or ""), Path("/", path or "")):
        if candidate.is_file():
            return str(candidate)
    raise SourceError(f"there is no SQLite file {path!r}")


def _count(connection: "Connection", found: "TableClause") -> int:
    from sqlalchemy import func, select

    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def _hold_still(connection: "Connection") -> None:
    """Start a transaction that reads one instant and writes nothing."""
    from sqlalchemy import text

    if connection.dialect.name == "mysql":
        connection.execute(text("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"))
    elif connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION READ ONLY"))
    else:
        connection.execute(text("BEGIN"))


def _connect_arguments(kind: str, password: object) -> Mapping[str, Any]:
    if kind in ("mysql", "mariadb"):
        from pymysql.constants import FIELD_TYPE  # type: ignore[import-untyped]
        from pymysql.converters import conversions  # type: ignore[import-untyped]

        dates = (FIELD_TYPE.DATE, FIELD_TYPE.TIME, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP)
        converters = {code: convert for code, convert in conversions.items() if code not in dates}
        return {
            "charset": "utf8mb4",
            "connect_timeout": _CONNECT_SECONDS,
            "conv": converters,
            "password": str(password or "").encode("utf-8"),  # PyMySQL would take Latin-1
            "init_command": "SET time_zone = '+00:00'",  # as dumps do
        }
    if kind.startswith("postgres"):
        return {"connect_timeout": _CONNECT_SECONDS, "client_encoding": "utf8"}
    return {}


def _take_text_as_text(engine: "Engine") -> None:
    """Make every new connection return text that is not UTF-8 as bytes, and dates and the like as text."""
    from sqlalchemy import event

    if engine.dialect.name == "sqlite":

        def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
            connection.text_factory = text_of
            connection.execute("PRAGMA query_only = ON")
            # The file may be somebody else's: its views and triggers get none of the functions that reach outside it.
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(_let_control_c_through, _STEPS_BETWEEN_LOOKS)

    elif engine.dialect.name == "postgresql":
        from psycopg.types.string import TextLoader

        def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401
            for name in _AS_TEXT:
                connection.adapters.register_loader(name, TextLoader)

    else:
        return
    event.listen(engine, "connect", prepare)


def _let_control_c_through() -> None:
    """Do nothing. Python notices Control-C while it does that, and SQLite ends: a view may have rows without end."""


def _widths_of_bits(dialect: str, description: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Return the width of each bit column, from a driver's *description* of a result."""
    if dialect not in _BITS:
        return {}
    code, width = _BITS[dialect]
    return {column[0]: column[width] for column in description if column[1] == code}


def _bits(value: Any, width: int) -> object:  # noqa: ANN401 - as the driver gives it
    if isinstance(value, bytes):
        return bits_of_octets(value, width)
    return bits_of_digits(value, width) if isinstance(value, str) else value


def _reason(error: BaseException) -> str:
    """Return the message of a driver or of SQLAlchemy on one line, without the statement and its parameters.

    A server's message may quote values of rows. So it is shown only if it is about connections, permissions or names.
    """
    original = getattr(error, "orig", None) or error
    numbered = getattr(original, "args", ())
    text = " ".join((str(numbered[-1]) if numbered else str(original)).split())
    code = _code_of(original, text)
    if code is None:
        return text or type(original).__name__
    return f"{code}; its message may quote a row and is not shown here: read the table with another client to see it"


def _code_of(error: BaseException, text: str) -> str | None:
    """Return the code of an *error* whose message may quote a value. None when the message is safe to show."""
    number = error.args[0] if error.args else None
    if isinstance(number, int) and not isinstance(error, OSError):  # PyMySQL
        return None if number in _MYSQL_OF_NAMES or number in _MYSQL_OF_CLIENTS else f"error {number}"
    if (name := getattr(error, "sqlite_errorname", None)) is not None:
        return None if text.startswith(_SQLITE_OF_NAMES) else str(name)
    if (state := getattr(error, "sqlstate", None)) is not None:  # psycopg
        return None if state[:2] in _STATES_OF_NAMES else f"SQLSTATE {state}"
    is_of_data = any(kind.__name__ == "DataError" for kind in type(error).__mro__)  # PEP 249: of a value at the client
    return type(error).__name__ if is_of_data else None
