"""The sides of a comparison: the tables of a stack, or the file of an export."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from auth_jwt.models import Columns, Secret
from auth_jwt.provisioning.changes import Table
from auth_jwt.provisioning.inspection import fingerprint_of
from auth_jwt_cli.connection import Connection, Where
from auth_jwt_cli.migration.progress import PauseTeller, Progress
from auth_jwt_cli.migration.target import Patience, Target, patient_client
from auth_jwt_cli.output import Misused
from auth_jwt_cli.transfer.export_files import ExportFile, SideRow
from auth_jwt_cli.transfer.sealing import Opener

_STACKS: Final = ("context", "function", "env")


class Side(Protocol):
    """One side of a comparison.

    Attributes:
        columns: the names of its columns.
    """

    columns: Columns

    @property
    def has_values(self) -> bool:
        """Whether its secrets have their values."""
        ...

    def rows(self, table: Table) -> Iterator[SideRow]:
        """Give the rows of a *table*, without those of issuers and of deleted profiles."""
        ...


class StackSide:
    """The tables of a stack, read by a scan.

    Args:
        connection: the connection to it.
        progress: is told of pauses.
    """

    def __init__(self, connection: Connection, progress: Progress) -> None:
        settings = connection.settings
        client = patient_client(connection.aws, connection.region, settings.database.endpoint, connections=1)
        self.target = Target(client, settings, patience=Patience(), tell=PauseTeller(progress))
        self.columns = settings.columns

    @property
    def has_values(self) -> bool:
        """Whether its secrets have their values: always."""
        return True

    def rows(self, table: Table) -> Iterator[SideRow]:
        """Give the rows of a *table*; see `Side`."""
        return map(SideRow, self.target.rows(table))


class FileSide:
    """The file of an export.

    Args:
        path: the file.
        opener: opens the values that are sealed; None leaves them out.
    """

    def __init__(self, path: Path, opener: Opener | None) -> None:
        self._file = ExportFile(path, opener)
        self.columns = self._file.columns

    @property
    def has_values(self) -> bool:
        """Whether its secrets have their values."""
        return self._file.has_values

    def rows(self, table: Table) -> Iterator[SideRow]:
        """Give the rows of a *table*; see `Side`."""
        return self._file.rows(table)


def side_of(text: str, connection: Connection, progress: Progress, opener: Opener | None) -> Side:
    """Return the side that *text* names: `context:NAME`, `function:NAME`, `env:FILE`, or the file of an export.

    Args:
        text: the name.
        connection: the connection of the command; another stack is reached with the region and the AWS profile of its
            options, which count more than those of a context.
        progress: is told of pauses.
        opener: opens the values of an export that are sealed.

    Raises:
        Misused: a key is given for a stack.
        Invalid: the file is no export, is damaged, or is not whole.
    """
    kind, separator, name = text.partition(":")
    if not separator or kind not in _STACKS or not name:
        return FileSide(Path(text), opener)
    if opener is not None:
        raise Misused("--decrypt-with goes with an export: a stack has the values of its secrets")
    chosen: dict[str, Any] = {"context": {"context": name}, "function": {"function": name}}.get(
        kind, {"env_file": Path(name)}
    )
    asked = connection.asked
    none = {} if kind == "context" else {"context": ""}
    where = Where(**{**none, **chosen, "region": asked.region, "profile": asked.profile})
    return StackSide(Connection(where, connection.output), progress)


def with_fingerprints(each: SideRow, columns: Columns) -> SideRow:
    """Return a secret with the fingerprints of its keys, if it has its value. HMAC ones take about 20 ms each."""
    if each.row.key.table is Table.PROFILES or columns.secret not in each.row.columns:
        return each
    keys = Secret.from_row(each.row.columns, columns).keys
    return replace(each, fingerprints=tuple(fingerprint_of(key) for key in keys))
