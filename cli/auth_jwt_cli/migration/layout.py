"""What the source's tables and columns are called, and which of its values are numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table

BOTH_TABLES: Final = (Table.PROFILES, Table.SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLayout:
    """The names in the source: the module's own, unless its parameters said otherwise there.

    Attributes:
        profiles_table: the module's `profiles_table`, and so on; a name may have a schema before a dot.
        id_column: the primary key of the secrets.
        number_columns: columns whose text is a number, beyond those that always are; for sources without types.
        boolean_columns: likewise, `t`, `f`, `true` and `false`.
        skipped_columns: columns that are not taken along.
        tables: the tables wanted.
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

    def name_of(self, table: Table) -> str:
        """Return what *table* is called in the source."""
        return self.profiles_table if table is Table.PROFILES else self.secrets_table

    def table_named(self, name: str, schema: str | None = None) -> Table | None:
        """Return which of the wanted tables is called *name*, in *schema* if that is known."""
        for table in self.tables:
            wanted_schema, _, wanted = self.name_of(table).rpartition(".")
            if name == wanted and (not wanted_schema or schema is None or schema == wanted_schema):
                return table
        return None

    def known_columns(self, table: Table) -> tuple[str, ...]:
        """Return the columns that mean something, as the source calls them, the key's first."""
        if table is Table.PROFILES:
            return (self.tag_column, self.username_column)
        return (self.secret_tag_column, self.start_ts_column, self.end_ts_column, self.secret_column, self.id_column)

    def renamed(self, table: Table, columns: Columns) -> dict[str, str]:
        """Return what each known column of *table* is called here, by what the source calls it."""
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
    """Return *names* (of the source, to something) by the spelling that *columns* have: databases ignore case."""
    present = list(columns)
    found = {}
    for name, value in names.items():
        alike = [column for column in present if column.lower() == name.lower()]
        found[name if name in present or len(alike) != 1 else alike[0]] = value
    return found
