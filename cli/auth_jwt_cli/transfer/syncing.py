"""Makes the tables of a stack like another side: adds, changes and, if that is asked for, deletes rows.

It writes as an import does: each batch on condition that its rows have not changed since they were read, and no row
that an import leaves out. It never reopens a secret, enables a profile or lifts a revocation of the stack, and it
deletes a row only if it is still the one that was compared. Secrets are written before profiles, so that nobody logs in
by half of what is new. A second run writes what an interrupted one has left.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from auth_jwt.errors import AuthJwtError, Conflict, Fault, NotFound
from auth_jwt.issuers.models import holds_issuer
from auth_jwt.models import SECRET_ID, Row
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.inspection import SecretState
from auth_jwt.provisioning.registry import version_of
from auth_jwt.provisioning.tombstones import is_no_secret, is_tombstone
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.target import MAX_KEYS
from auth_jwt_cli.migration.translation import TargetRow
from auth_jwt_cli.migration.writing import Batch, RowOutcome, RowWriter, Taken
from auth_jwt_cli.transfer.differences import Difference, DifferenceKind, Differences
from auth_jwt_cli.transfer.export_files import rename_columns
from auth_jwt_cli.transfer.sides import Side, StackSide

_ORDER: Final = (Table.SECRETS, Table.PROFILES)
_WITHOUT_VALUE: Final = "the other side has no value of it: a stack has, and an export with --with-values"
_HAS_SECRETS: Final = "SOURCE has secrets of it, which would go along: give it a profile there, or delete it by hand"
_PROFILE_STAYS: Final = "its profile stays"
_ADDED: Final = "somebody has added a secret meanwhile, which would go along: compare again"
_CHANGED: Final = "somebody changed it meanwhile: compare again"
_UNDER_ISSUER: Final = "its tag is an issuer's here, and a tag holds an issuer or secrets, never both"
_NOT_OURS: Final = "it is neither a profile nor a secret, but a row of an issuer or of a deleted profile"


@dataclass(slots=True)
class Synced:
    """What became of the rows.

    Attributes:
        counts: how many rows were written, deleted, or are left as they are.
        refused: the rows that could not be written, each with the reason.
        kept: the rows of which some columns stay as the stack has them.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Key, str]] = field(default_factory=list)
    kept: list[Taken] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A sync of a stack with another side.

    Attributes:
        source: the side that is as it should be.
        stack: the tables to write to.
        differences: the differences between the two.
        provisioning: deletes, as an operator would.
        examination: finds what an import leaves out.
        record: is told of each row that was written.
        proceed: is told how many rows are done.
        rehearses: whether nothing is written, and only found out what would be.
    """

    source: Side
    stack: StackSide
    differences: Differences
    provisioning: Provisioning
    examination: Examination
    record: Callable[[Taken], None]
    proceed: Callable[[int], None]
    rehearses: bool = False

    def run(self, *, delete: bool) -> Synced:
        """Write the differences; with *delete*, also delete what the source does not have.

        Raises:
            Fault: the tables cannot be used; what was written is recorded.
        """
        synced = Synced()
        writer = RowWriter(self.stack.target, self.stack.columns, overwrite=True, dry_run=self.rehearses)
        for batch in self._batches(synced):
            done = writer.take(batch) if batch else Batch()
            for row in done.rows:
                self._take(row, synced)
            if done.error is not None:
                raise done.error
        if delete:
            self._delete_all(synced)
        return synced

    def _batches(self, synced: Synced) -> Iterator[list[TargetRow]]:
        """Give the rows to write, up to a hundred of one table at a time."""
        for table in _ORDER:
            batch: list[TargetRow] = []
            for each in self.source.rows(table):
                row = rename_columns(each.row, self.source.columns, self.stack.columns)
                difference = self.differences.of(row.key)
                if difference is None or (problem := self._problem_of(row, difference)) is None:
                    if difference is not None:
                        batch.append(row)
                else:
                    synced.refused.append((row.key, problem))
                if len(batch) == MAX_KEYS:
                    yield self._without_issuers(batch, synced)
                    batch = []
            if batch:
                yield self._without_issuers(batch, synced)

    def _problem_of(self, row: TargetRow, difference: Difference) -> str | None:
        columns = self.stack.columns
        secret = columns.secret
        if holds_issuer(row.columns) or is_tombstone(row.key.tag) or is_no_secret(row.columns, columns):
            return _NOT_OURS
        needs_value = difference.kind is DifferenceKind.ADD or secret in difference.columns
        if row.key.table is Table.SECRETS and needs_value and secret not in row.columns:
            return _WITHOUT_VALUE
        barring = {columns.username, columns.domain} if row.key.table is Table.PROFILES else {secret}
        if difference.kind is not DifferenceKind.ADD and barring.isdisjoint(difference.columns):
            return None  # a row that is there already may always be closed, disabled or revoked
        bar = self.examination.of(row).bar
        return None if bar is None else bar.why

    def _without_issuers(self, batch: list[TargetRow], synced: Synced) -> list[TargetRow]:
        """Return the rows of a *batch* but for secrets whose tag is an issuer's in the stack."""
        if batch[0].key.table is Table.PROFILES:
            return batch
        tags = dict.fromkeys(Key(Table.PROFILES, row.key.tag) for row in batch)
        profiles = self.stack.target.read(Table.PROFILES, list(tags))
        issuers = {key.tag for key, row in profiles.items() if holds_issuer(row)}
        synced.refused += [(row.key, _UNDER_ISSUER) for row in batch if row.key.tag in issuers]
        return [row for row in batch if row.key.tag not in issuers]

    def _take(self, row: Taken, synced: Synced) -> None:
        synced.counts[row.outcome.value] += 1
        if row.kept:
            synced.kept.append(row)
        if not self.rehearses and row.outcome in (RowOutcome.WRITTEN, RowOutcome.OVERWRITTEN, RowOutcome.UNKNOWN):
            self.record(row)
        self.proceed(synced.counts.total())

    def _delete_all(self, synced: Synced) -> None:
        """Delete what only the stack has, as it was when it was compared."""
        stays: dict[str, bool] = {}
        for each in [each for each in self.differences.all() if each.kind is DifferenceKind.REMOVE]:
            key = each.key
            try:
                if key.table is Table.PROFILES:
                    stays[key.tag] = True
                    deleted = self._delete_profile(each)
                    stays[key.tag] = False
                elif key.tag not in stays:
                    deleted = self._delete_secret(each)
                elif stays[key.tag]:
                    raise Conflict(_PROFILE_STAYS)
                else:
                    continue  # it went with its profile
            except NotFound:  # somebody has deleted it meanwhile
                stays.pop(key.tag, None)
                continue
            except Fault:
                raise
            except AuthJwtError as error:
                synced.refused.append((key, str(error)))
                continue
            synced.counts["deleted"] += deleted
            self.proceed(synced.counts.total())

    def _delete_profile(self, difference: Difference) -> int:
        tag = difference.key.tag
        secrets = self.differences.secrets_of(tag)
        if any(secrets.values()):
            raise Conflict(_HAS_SECRETS)
        for row in self.provisioning.registry.secrets(tag):
            self._check_same(Key(Table.SECRETS, tag, str(row[SECRET_ID])), row)
        if self.rehearses:
            return 1 + len(secrets)
        return 1 + self.provisioning.profiles.delete(tag, if_version=difference.version)

    def _delete_secret(self, difference: Difference) -> int:
        key, secrets = difference.key, self.provisioning.secrets
        (row,) = secrets.rows(key.tag, key.id)
        self._check_same(key, row)
        if self.rehearses:
            return 1
        if self.provisioning.registry.inspect(row).state is not SecretState.CLOSED:
            secrets.close(key.tag, str(key.id))
        secrets.remove(key.tag, str(key.id))
        return 1

    def _check_same(self, key: Key, row: Row) -> None:
        """Check that a secret is still the one that was compared.

        Raises:
            Conflict: it has changed, or was added since.
        """
        compared = self.differences.of(key)
        if compared is None or compared.version != version_of(row):
            raise Conflict(_ADDED if compared is None else _CHANGED)
