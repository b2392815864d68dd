"""Stand-ins for the world, shared by the suites: rows in memory, clocks that stand where they are put, a context."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import ModuleType

import pytest

from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Invalid
from auth_jwt.issuers.models import FetchedKeys, Issuer, IssuerRows
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Half, Profile, Row, Secret, TagRows
from auth_jwt.ports import Deadline, HalfRead
from auth_jwt.provisioning.changes import (
    EVERY_ROW,
    MAX_CHANGES,
    MISSING,
    Change,
    Delete,
    Expected,
    Key,
    NoIndex,
    Overtaken,
    Page,
    Put,
    RowFilter,
    ScannedPage,
    Table,
    Update,
)


@dataclass
class Clock:
    """A clock that stands still until it is moved. Good for UNIX seconds and for timers alike."""

    now: float = 1_800_000_000

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class MemoryStore:
    """The ports `RowsStore` and `RevocationsStore` over plain rows: the reference that DynamoDB's may not differ from.

    `failure` is of profiles and secrets, of all tags or of those that are `broken`; the failures of `halves` are of one
    table alone, and `outage` is of the table of revoked tokens.
    """

    profiles: list[dict[str, object]] = field(default_factory=list)
    secrets: list[dict[str, object]] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    credentials: tuple[Credential, ...] = ()
    failure: Fault | None = None
    broken: dict[str, Exception] = field(default_factory=dict)
    halves: dict[Half, Fault] = field(default_factory=dict)
    reads: list[tuple[str, bool]] = field(default_factory=list)
    revocations: list[dict[str, object]] = field(default_factory=list)
    outage: Fault | None = None
    lookups: list[tuple[str, str]] = field(default_factory=list)

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        self.reads.append((tag, consistent))
        failure = self.failure or self.broken.get(tag)
        if failure is not None:
            raise failure
        profiles = [row for row in self.profiles if row[self.columns.tag] == tag]
        secrets = [row for row in self.secrets if row[self.columns.secret_tag] == tag]
        rows = TagRows(
            Profile.from_row(natural(profiles[-1]), self.columns, self.credentials) if profiles else None,
            tuple(
                Secret.from_row(natural(row), self.columns) for row in sorted(secrets, key=lambda row: str(row["id"]))
            ),
        )
        if Half.PROFILE in self.halves:
            raise HalfRead(Half.SECRETS, TagRows(secrets=rows.secrets), self.halves[Half.PROFILE])
        if Half.SECRETS in self.halves:
            raise HalfRead(Half.PROFILE, TagRows(rows.profile), self.halves[Half.SECRETS])
        return rows

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        self.lookups.append((tag, jti))
        if self.outage is not None:
            raise self.outage
        return any((row[REVOCATION_TAG], row[REVOCATION_JTI]) == (tag, jti) for row in self.revocations)


@dataclass
class MemoryIssuers:
    """The ports `IssuersStore` and `ProfilesStore` over plain rows: the reference that DynamoDB's may not differ from.

    `failure` is of all reads; the failures of `halves` are of one of an issuer's two tables alone.
    """

    profiles: list[dict[str, object]] = field(default_factory=list)
    secrets: list[dict[str, object]] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    credentials: tuple[Credential, ...] = ()
    failure: Fault | None = None
    halves: dict[Half, Fault] = field(default_factory=dict)
    reads: list[tuple[str, bool]] = field(default_factory=list)

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline) -> IssuerRows:
        self.reads.append((identifier, consistent))
        if self.failure is not None:
            raise self.failure
        issuer: Issuer | Invalid | None = None
        for row in self._rows_of(identifier):
            try:
                issuer = Issuer.from_row(natural(row), self.columns)
            except Invalid as problem:
                issuer = problem
        rows = [natural(row) for row in self.secrets if row[self.columns.secret_tag] == identifier]
        fetched = FetchedKeys.from_rows(rows, SECRET_ID)
        if Half.PROFILE in self.halves:
            raise HalfRead(Half.SECRETS, IssuerRows(fetched=fetched), self.halves[Half.PROFILE])
        if Half.SECRETS in self.halves:
            raise HalfRead(Half.PROFILE, IssuerRows(issuer), self.halves[Half.SECRETS])
        return IssuerRows(issuer, fetched)

    def read_profile(self, tag: str, *, consistent: bool, deadline: Deadline) -> Profile | None:
        self.reads.append((tag, consistent))
        if self.failure is not None:
            raise self.failure
        found = [Profile.from_row(natural(row), self.columns, self.credentials) for row in self._rows_of(tag)]
        return found[-1] if found else None

    def _rows_of(self, tag: str) -> list[dict[str, object]]:
        return [row for row in self.profiles if row[self.columns.tag] == tag]


@dataclass
class LambdaContext:
    """What the handlers read of a Lambda context."""

    aws_request_id: str = "8f5c1a3e-0000-4000-8000-00000000abcd"
    function_name: str = "authorize"
    function_version: str = "1"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:authorize"
    log_group_name: str = "/aws/lambda/authorize"
    log_stream_name: str = "stream"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def _projected(row: Row, only: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name in only}


def _fits(row: Row, where: RowFilter) -> bool:
    def is_one(value: object, wanted: object) -> bool:
        return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted

    return (
        all(name in row and any(is_one(row[name], one) for one in given) for name, given in where.one_of.items())
        and all(str(row.get(name, "")).startswith(beginning) for name, beginning in where.beginnings.items())
        and all(name in row for name in where.present)
    )


def natural(row: Mapping[str, object]) -> Row:
    """Numbers as a store gives them."""
    return {
        column: Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for column, value in row.items()
    }


@dataclass
class MemoryTables:
    """The port `ProvisioningStore` over plain rows: the reference that the DynamoDB tables may not differ from."""

    columns: Columns = field(default_factory=Columns)
    keeps_revocations: bool = True
    rows: dict[Key, dict[str, object]] = field(default_factory=dict)
    failure: Fault | None = None
    before_write: Callable[[], object] | None = None
    rows_a_page: int = 2  # of a scan
    index: bool = False  # whether there is one of usernames

    def profile(self, tag: str, *, only: Sequence[str] | None = None) -> Row | None:
        row = self._row(Key(Table.PROFILES, tag))
        return row if row is None or only is None else _projected(row, only)

    def profiles(self, *, after: str | None, limit: int) -> Page:
        tags = sorted(key.tag for key in self.rows if key.table is Table.PROFILES)
        return self._page([Key(Table.PROFILES, tag) for tag in tags if after is None or tag > after], limit)

    def profiles_of(self, username: str, *, after: str | None, limit: int) -> Page:
        self._fail()
        if not self.index:
            raise NoIndex("there is no index", is_denied=False)
        keys = sorted(
            (key for key, row in self.rows.items() if key.table is Table.PROFILES and self._named(row) == username),
            key=lambda key: key.tag,
        )
        page = self._page([key for key in keys if after is None or key.tag > after], limit)
        held = (self.columns.tag, self.columns.domain)
        return Page([_projected(row, held) for row in page.rows], page.next)

    def scan_profiles(
        self, *, where: RowFilter = EVERY_ROW, after: str | None = None, segments: int = 1
    ) -> Iterator[ScannedPage]:
        self._fail()
        keys = sorted((key for key in self.rows if key.table is Table.PROFILES), key=lambda key: key.tag[::-1])
        if after is not None:
            keys = [key for key in keys if key.tag[::-1] > after[::-1]]
        yield from self._scan(keys, where, goes_on=segments == 1)

    def secrets(self, tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        self._fail()
        keys = [key for key in self.rows if (key.table, key.tag) == (Table.SECRETS, tag)]
        rows = [self._whole(key) for key in sorted(keys, key=lambda key: str(key.id))][:most]
        return rows if only is None else [_projected(row, only) for row in rows]

    def scan_secrets(self, *, only: Sequence[str] | None, where: RowFilter = EVERY_ROW) -> Iterator[ScannedPage]:
        self._fail()
        for page in self._scan([key for key in self.rows if key.table is Table.SECRETS], where, goes_on=False):
            rows = page.rows if only is None else [_projected(row, only) for row in page.rows]
            yield ScannedPage(rows, page.read_units, page.looked_at)

    def revocation(self, tag: str, jti: str) -> Row | None:
        return self._row(Key(Table.REVOCATIONS, tag, jti))

    def revocations(self, tag: str, *, after: str | None, limit: int) -> Page:
        keys = [key for key in self.rows if (key.table, key.tag) == (Table.REVOCATIONS, tag)]
        some = sorted((key for key in keys if after is None or str(key.id) > after), key=lambda key: str(key.id))
        return self._page(some, limit)

    def write(self, *changes: Change) -> None:
        if not 1 <= len(changes) <= MAX_CHANGES:
            raise ValueError("a transaction of DynamoDB has 1 to 100 changes")
        self._fail()
        if self.before_write is not None:  # somebody else gets in between, once
            meanwhile, self.before_write = self.before_write, None
            meanwhile()
        for change in changes:
            if not self._is_as(change.expected, self.rows.get(change.key)):
                raise Overtaken(change.key)
        for change in changes:
            if isinstance(change, Put):
                self.rows[change.key] = dict(natural(change.columns))
            elif isinstance(change, Update):
                row = self.rows.setdefault(change.key, {})
                row.update(natural({name: value for name, value in change.columns.items() if value is not MISSING}))
                for name in [name for name, value in change.columns.items() if value is MISSING]:
                    row.pop(name, None)
            elif isinstance(change, Delete):
                self.rows.pop(change.key, None)

    def update(self, change: Update) -> None:
        self.write(change)

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """The port `RowsStore`, over the same rows."""
        profile = self.profile(tag)
        return TagRows(
            None if profile is None else Profile.from_row(profile, self.columns, ()),
            tuple(Secret.from_row(row, self.columns) for row in self.secrets(tag)),
        )

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        """The port `RevocationsStore`, likewise."""
        return self.revocation(tag, jti) is not None

    def write_row(self, key: Key, columns: Mapping[str, object]) -> None:
        """Put a row there, whatever was there before."""
        self.rows[key] = dict(natural(columns))

    def _row(self, key: Key) -> Row | None:
        self._fail()
        return self._whole(key) if key in self.rows else None

    def _whole(self, key: Key) -> Row:
        names = {
            Table.PROFILES: (self.columns.tag,),
            Table.SECRETS: (self.columns.secret_tag, SECRET_ID),
            Table.REVOCATIONS: (REVOCATION_TAG, REVOCATION_JTI),
        }[key.table]
        return {**self.rows[key], **dict(zip(names, (key.tag, key.id), strict=False))}

    def _named(self, row: Mapping[str, object]) -> object:
        return row.get(self.columns.username)

    def _scan(self, keys: list[Key], where: RowFilter, *, goes_on: bool) -> Iterator[ScannedPage]:
        for first in range(0, max(len(keys), 1), self.rows_a_page):
            some = keys[first : first + self.rows_a_page]
            rows = [row for row in map(self._whole, some) if _fits(row, where)]
            is_last = first + self.rows_a_page >= len(keys)
            yield ScannedPage(rows, 0.5, len(some), None if is_last or not goes_on else some[-1].tag)

    def _page(self, keys: list[Key], limit: int) -> Page:
        last = keys[limit - 1] if len(keys) >= limit else None
        following = None if last is None else last.tag if last.id is None else last.id
        return Page([self._whole(key) for key in keys[:limit]], following)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    @staticmethod
    def _is_as(expected: Expected, row: dict[str, object] | None) -> bool:
        if expected.present is not None and expected.present is not (row is not None):
            return False
        return all((row or {}).get(name, MISSING) == value for name, value in expected.columns.items())


def compared_by(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Return a list to which `compare_digest` of a *module* adds what it compares, from now on."""
    compared = list[tuple[bytes, bytes]]()
    compare = module.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return bool(compare(one, other))

    monkeypatch.setattr(module, "compare_digest", noting)
    return compared
