"""The options that name the source of rows, its tables and its columns. `import` and `lint` share them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from auth_jwt.errors import Invalid
from auth_jwt.issuers.models import check_identifier
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.inputs import secret_text, text_of
from auth_jwt_cli.migration.layout import BOTH_TABLES, SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.sources.completeness import CheckedSource
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource, csv_files_in, csv_members_in
from auth_jwt_cli.migration.sources.databases import DatabaseSource, holds_password, is_database_url
from auth_jwt_cli.migration.sources.dbtext import DbTextSource
from auth_jwt_cli.migration.sources.dumps import DumpSource
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from auth_jwt_cli.migration.sources.files import STANDARD_INPUT
from auth_jwt_cli.options import with_options
from auth_jwt_cli.output import USAGE, fail, is_interactive

_SQLITE: Final = b"SQLite format 3\0"
_MARKS: Final = {"tab": "\t", "backslash": "\\", "comma": ",", "semicolon": ";", "pipe": "|", "none": ""}

Command = TypeVar("Command", bound=Callable[..., None])


class SourceFormat(StrEnum):
    """The kinds of sources."""

    DATABASE = "database"
    DUMP = "dump"
    CSV = "csv"
    DBTEXT = "dbtext"


class DumpDialect(StrEnum):
    """The values of --dialect."""

    MYSQL = "mysql"
    MYSQL_WITHOUT_ESCAPES = "mysql-no-backslash-escapes"
    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"

    @property
    def dialect(self) -> Dialect:
        """Whose SQL it is."""
        return Dialect.MYSQL if self is DumpDialect.MYSQL_WITHOUT_ESCAPES else Dialect(self.value)


class OnlyTable(StrEnum):
    """The values of --only."""

    PROFILES = "profiles"
    SECRETS = "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says about the source.

    Attributes:
        named: the argument: a URL, a file or a folder. None when there is none.
        kind: the kind of source. None means to detect it.
        url_file: a file that holds the URL.
        password_file: a file that holds the password.
        ask_password: whether to ask for the password.
        files: the CSV file of each table.
        form: how the CSV files are written.
        columns: the names of the columns of CSV files without a header.
        layout: the names of tables and columns.
        dialect: the dialect of a dump. None means to detect it.
        accept_incomplete: whether to continue with a source that may be incomplete.
    """

    named: str | None
    kind: SourceFormat | None
    url_file: Path | None
    password_file: Path | None
    ask_password: bool
    files: Mapping[Table, Path]
    form: CsvForm
    columns: Mapping[Table, tuple[str, ...]]
    layout: SourceLayout
    dialect: DumpDialect | None = None
    accept_incomplete: bool = False

    @property
    def is_made(self) -> bool:
        """Whether the command line names a source at all."""
        return bool(self.named is not None or self.url_file is not None or self.files)

    def source(self) -> Source:
        """Return the source. Ask for the password first if the operator wants it.

        Raises:
            SourceError: there is no such source.
        """
        return CheckedSource(self._source(), self.layout)

    def _source(self) -> Source:
        if sum((self.named is not None, self.url_file is not None, bool(self.files))) != 1:
            fail("name one source: SOURCE, --url-file, or --profiles-file and --secrets-file", USAGE)
        if self.url_file is not None:
            return self._database(text_of(self.url_file, "the URL").strip())
        if self.files:
            return self._csv(dict(self.files))
        return self._detect(str(self.named))

    def _detect(self, named: str) -> Source:
        path = Path(named)
        kind = self.kind or _format_of(named, path, self.layout)
        if kind is SourceFormat.DATABASE:
            if not is_database_url(named):
                named = f"sqlite:///{path.absolute()}"
            if holds_password(named):
                fail(
                    "everybody on this machine can see a password in an argument: put the URL into a file and name it"
                    " with --url-file FILE (`-` is standard input), or give the password with --password-file or"
                    " --ask-password",
                    USAGE,
                )
            return self._database(named)
        if kind is SourceFormat.CSV:
            members = csv_members_in(path, self.layout) if path.is_file() else None
            if members is not None:
                return self._csv(dict.fromkeys(members, path), members)
            return self._csv(csv_files_in(path, self.layout))
        return self._dump(path) if kind is SourceFormat.DUMP else DbTextSource(path, self.layout)

    def _dump(self, path: Path) -> Source:
        said = self.dialect
        return DumpSource(
            path,
            self.layout,
            None if said is None else said.dialect,
            backslash_escapes=said is not DumpDialect.MYSQL_WITHOUT_ESCAPES,
        )

    def _database(self, url: str) -> Source:
        password = None
        if self.password_file is not None:
            password = secret_text(self.password_file)
        elif self.ask_password:
            if not is_interactive():
                fail("the database needs a password, and there is no terminal: use --password-file", USAGE)
            password = typer.prompt("Password of the database", hide_input=True, err=True)
        return DatabaseSource(url, self.layout, password=password)

    def _csv(self, files: dict[Table, Path], members: dict[Table, str] | None = None) -> Source:
        wanted = [table for table in self.layout.tables if table not in files]
        if wanted:
            fail(f"--{wanted[0]}-file is missing; say --only to read one table alone", USAGE)
        if list(files.values()).count(STANDARD_INPUT) > 1:
            fail("standard input can be one file only", USAGE)
        return CsvSource(files, self.form, self.layout, members=members, columns=self.columns)


def reads_source(command: Command) -> Command:
    """Give a *command* the options that name a source. They make its parameter `choice`."""
    return with_options(command, "choice", _OPTIONS, _choice)


def _format_of(named: str, path: Path, layout: SourceLayout) -> SourceFormat:
    """Detect which kind of source *named* is.

    Raises:
        SourceError: there is no such file, or it is an archive of pg_dump.
    """
    if is_database_url(named):
        return SourceFormat.DATABASE
    if path == STANDARD_INPUT:
        return SourceFormat.DUMP
    if path.is_dir():
        if (path / "toc.dat").is_file():
            raise SourceError(
                f"{named} is an archive of pg_dump (directory format): turn it into SQL with `pg_restore -f - {named}`"
            )
        plain = [(path / layout.name_of(table)).is_file() for table in layout.tables]
        return SourceFormat.DBTEXT if any(plain) else SourceFormat.CSV
    if path.exists() and not path.is_file():
        return SourceFormat.DUMP  # a pipe: looking into it would use up its first bytes
    if csv_members_in(path, layout) is not None:
        return SourceFormat.CSV
    try:
        with path.open("rb") as file:
            return SourceFormat.DATABASE if file.read(len(_SQLITE)) == _SQLITE else SourceFormat.DUMP
    except OSError as error:
        raise SourceError(f"{named} cannot be read: {error.strerror}") from None


def _choice(  # one parameter for each option
    *,
    source: str | None,
    source_kind: SourceFormat | None,
    url_file: Path | None,
    password_file: Path | None,
    ask_password: bool,
    profiles_file: Path | None,
    secrets_file: Path | None,
    profiles_columns: str | None,
    secrets_columns: str | None,
    csv_delimiter: str,
    csv_quote: str,
    csv_escape: str,
    csv_null: list[str] | None,
    csv_encoding: str,
    only: OnlyTable | None,
    dialect: DumpDialect | None,
    accept_incomplete: bool,
    number_column: list[str] | None,
    boolean_column: list[str] | None,
    skip_column: list[str] | None,
    issuer: str | None,
    **names: str,
) -> Choice:
    if issuer is not None:
        if only is OnlyTable.SECRETS:
            fail("--issuer names whose users the profiles are: its keys verify their tokens, and no secrets", USAGE)
        only = OnlyTable.PROFILES
        try:
            check_identifier(issuer)
        except Invalid as problem:
            fail(str(problem), USAGE)
    try:
        form = CsvForm(
            delimiter=_MARKS.get(csv_delimiter, csv_delimiter),
            quote=_MARKS.get(csv_quote, csv_quote) or None,
            escape=_MARKS.get(csv_escape, csv_escape) or None,
            nulls=frozenset(csv_null) if csv_null else CsvForm().nulls,
            encoding=csv_encoding,
        )
    except SourceError as error:
        fail(str(error), USAGE)
    layout = SourceLayout(
        number_columns=frozenset(number_column or ()),
        boolean_columns=frozenset(boolean_column or ()),
        skipped_columns=frozenset(skip_column or ()),
        tables=BOTH_TABLES if only is None else (Table(only.value),),
        issuer=issuer,
        **names,
    )
    files = {Table.PROFILES: profiles_file, Table.SECRETS: secrets_file}
    columns = {Table.PROFILES: profiles_columns, Table.SECRETS: secrets_columns}
    return Choice(
        named=source,
        kind=source_kind,
        url_file=url_file,
        password_file=password_file,
        ask_password=ask_password,
        files={table: path for table, path in files.items() if path is not None},
        form=form,
        columns={
            table: tuple(name.strip() for name in names.split(","))
            for table, names in columns.items()
            if names is not None and table in layout.tables
        },
        layout=layout,
        dialect=dialect,
        accept_incomplete=accept_incomplete,
    )


_DATABASE: Final = "A database"
_CSV: Final = "CSV files"
_NAMES: Final = "Names in the source: the module's parameters"
_COLUMNS: Final = "Columns of the source"


def _option(kind: Any, name: str, text: str, panel: str, **more: Any) -> Any:  # noqa: ANN401 - an annotation
    return Annotated[kind, typer.Option(name, help=text, rich_help_panel=panel, **more)]


_OPTIONS: Final[dict[str, tuple[Any, object]]] = {
    "source": (
        Annotated[
            str | None,
            typer.Argument(
                metavar="[SOURCE]",
                help="mysql://USER@HOST/DB, postgres://USER@HOST/DB, an SQLite file, a dump of any of these (also"
                " compressed; `-` is standard input), a folder or zip archive of CSV, a folder of db_text files.",
            ),
        ],
        None,
    ),
    "source_kind": (
        Annotated[SourceFormat | None, typer.Option("--from", help="The kind of SOURCE, if it is not detected.")],
        None,
    ),
    "only": (Annotated[OnlyTable | None, typer.Option("--only", help="Read one of the two tables alone.")], None),
    "issuer": (
        Annotated[
            str | None,
            typer.Option(
                "--issuer",
                metavar="ISSUER",
                help="The profiles are of this issuer's users, and --tag-column holds their `sub`: reads the profiles"
                " alone, and gives each the tag ISSUER#sub.",
            ),
        ],
        None,
    ),
    "dialect": (
        Annotated[DumpDialect | None, typer.Option("--dialect", help="The SQL dialect of a dump, if it is not clear.")],
        None,
    ),
    "accept_incomplete": (
        Annotated[bool, typer.Option("--accept-incomplete", help="Continue with a source that may lack rows.")],
        False,
    ),
    "url_file": (
        _option(Path | None, "--url-file", "Read the URL, password and all, from a file.", _DATABASE, metavar="FILE"),
        None,
    ),
    "password_file": (
        _option(Path | None, "--password-file", "Read the password from a file.", _DATABASE, metavar="FILE"),
        None,
    ),
    "ask_password": (_option(bool, "--ask-password", "Ask for the password.", _DATABASE), False),
    "profiles_file": (
        _option(Path | None, "--profiles-file", "The file of profiles, in place of SOURCE.", _CSV, metavar="FILE"),
        None,
    ),
    "secrets_file": (
        _option(Path | None, "--secrets-file", "The file of secrets, in place of SOURCE.", _CSV, metavar="FILE"),
        None,
    ),
    "profiles_columns": (
        _option(
            str | None,
            "--profiles-columns",
            "Its columns in order, separated by commas, if its first line is a row.",
            _CSV,
            metavar="NAMES",
        ),
        None,
    ),
    "secrets_columns": (
        _option(str | None, "--secrets-columns", "The same for the file of secrets.", _CSV, metavar="NAMES"),
        None,
    ),
    "csv_delimiter": (_option(str, "--csv-delimiter", "Separates fields; also `tab`, `semicolon`, `pipe`.", _CSV), ","),
    "csv_quote": (_option(str, "--csv-quote", "Encloses fields; `none` if nothing does.", _CSV), '"'),
    "csv_escape": (_option(str, "--csv-escape", "`backslash` if MySQL wrote the file.", _CSV), "none"),
    "csv_null": (
        _option(list[str] | None, "--csv-null", "The spelling of NULL, instead of an empty field and \\N.", _CSV),
        None,
    ),
    "csv_encoding": (_option(str, "--csv-encoding", "The character set of the files.", _CSV), "utf-8"),
    "profiles_table": (
        _option(str, "--profiles-table", "The table of profiles.", _NAMES),
        SourceLayout().profiles_table,
    ),
    "secrets_table": (_option(str, "--secrets-table", "The table of secrets.", _NAMES), SourceLayout().secrets_table),
    "tag_column": (_option(str, "--tag-column", "The tag of a profile.", _NAMES), SourceLayout().tag_column),
    "username_column": (_option(str, "--username-column", "Its username.", _NAMES), SourceLayout().username_column),
    "secret_tag_column": (
        _option(str, "--secret-tag-column", "The tag of a secret.", _NAMES),
        SourceLayout().secret_tag_column,
    ),
    "secret_column": (_option(str, "--secret-column", "Its text.", _NAMES), SourceLayout().secret_column),
    "start_ts_column": (_option(str, "--start-ts-column", "Its first second.", _NAMES), SourceLayout().start_ts_column),
    "end_ts_column": (_option(str, "--end-ts-column", "The second it ends.", _NAMES), SourceLayout().end_ts_column),
    "id_column": (_option(str, "--id-column", "Its primary key.", _NAMES), SourceLayout().id_column),
    "number_column": (
        _option(
            list[str] | None, "--number-column", "It holds numbers (sources without types).", _COLUMNS, metavar="NAME"
        ),
        None,
    ),
    "boolean_column": (
        _option(list[str] | None, "--boolean-column", "It holds t, f, true or false.", _COLUMNS, metavar="NAME"),
        None,
    ),
    "skip_column": (
        _option(list[str] | None, "--skip-column", "It is not imported.", _COLUMNS, metavar="NAME"),
        None,
    ),
}
