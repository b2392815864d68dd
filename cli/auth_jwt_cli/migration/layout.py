"""The names of the source's tables and columns, and which of its columns hold numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table

BOTH_TABLES: Final = (Table.PROFILES, Table.SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLayout:
    """The names in the source. The defaults are those of the OpenSIPS module.

    Attributes:
        profiles_table: as the OpenSIPS module's parameter of this name, like those that follow. A schema and a dot
            may precede it.
        id_column: the primary key of the secrets.
        number_columns: columns whose text is a number, besides those that always are. For sources without types.
        boolean_columns: columns whose text is a boolean: `t`, `f`, `true` or `false`. For sources without types.
        skipped_columns: columns that are not imported.
        tables: the tables to read.
        issuer: the issuer whose users the profiles are: their tags are its subjects. None for tags as they are.
    """

    profiles_table: str = "jwt_profiles"
    secrets_table: str = "jwt_secrets"
    tag_column: str = "tag"
    username_column: str = "sip_username"
    secret_tag_column: str = "corresponding_tag"  # noqa: S105 - a column's name
    secret_column: str = "secret"  # noqa: S105
    start_ts_column: str = "start_ts"
    end_ts_column: str = "end_ts"
    id_column: str = "id"
    number_columns: frozenset[str] = frozenset()
    boolean_columns: frozenset[str] = frozenset()
    skipped_columns: frozenset[str] = frozenset()
    tables: tuple[Table, ...] = BOTH_TABLES
    issuer: str | None = None

    def name_of(self, table: Table) -> str:
        """Return the name of *table* in the source."""
        return self.profiles_table if table is Table.PROFILES else self.secrets_table

    def table_named(self, name: str, schema: str | None = None) -> Table | None:
        """Return which of the wanted tables has this *name*, in *schema* if it is known. None if it is neither."""
        for table in self.tables:
            wanted_schema, _, wanted = self.name_of(table).rpartition(".")
            if name == wanted and (not wanted_schema or schema is None or schema == wanted_schema):
                return table
        return None

    def known_columns(self, table: Table) -> tuple[str, ...]:
        """Return the source's names of the columns that the OpenSIPS module uses, the tag's first."""
        if table is Table.PROFILES:
            return (self.tag_column, self.username_column)
        return (self.secret_tag_column, self.start_ts_column, self.end_ts_column, self.secret_column, self.id_column)

    def renamed(self, table: Table, columns: Columns) -> dict[str, str]:
        """Return our name for each known column of *table*, by its name in the source."""
        if table is Table.PROFILES:
            return {self.tag_column: columns.tag, self.username_column: columns.username}
        return {
            self.secret_tag_column: columns.secret_tag,
            self.secret_column: columns.secret,
            self.start_ts_column: columns.start,
            self.end_ts_column: columns.end,
            self.id_column: "id",
        }


def spelling_in(columns: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return *names* with its keys spelled as in *columns*: databases ignore case."""
    present = list(columns)
    found = {}
    for name, value in names.items():
        alike = [column for column in present if column.lower() == name.lower()]
        found[name if name in present or len(alike) != 1 else alike[0]] = value
    return found
