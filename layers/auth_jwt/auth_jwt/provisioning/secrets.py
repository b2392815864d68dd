"""Secrets: the keys of a tag, each with the window in which it may verify."""

import secrets as randomness
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from auth_jwt.errors import Conflict, Flaw, Invalid, NotFound, Rejected
from auth_jwt.jose.tokens import ALGORITHMS
from auth_jwt.models import SECRET_ID, Row, Secret, Unusable, says_what_it_is
from auth_jwt.provisioning.changes import (
    ABSENT,
    MAX_CHANGES,
    MISSING,
    PRESENT,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Missing,
    Overtaken,
    Put,
    Table,
    Update,
)
from auth_jwt.provisioning.inspection import SecretRecord, SecretState, inspected
from auth_jwt.provisioning.registry import Registry, checked_tag, checked_text, checked_time, row_among
from auth_jwt.provisioning.statements import Statement, statement_of, weakness_in
from auth_jwt.provisioning.windows import SecretChange, change, refuse_one_too_many

GENERATED_BYTES: Final = 64
"""Enough entropy for every HMAC algorithm: RFC 7518, section 3.2 asks for 64 bytes with HS512."""
LIFETIME_SECONDS: Final = 365 * 86400
OVERLAP_SECONDS: Final = 86400
MAX_ROTATED: Final = MAX_CHANGES - 2  # beside the new secret and the look at the profile
_MAX_ID_BYTES: Final = 1024
_MAX_SECRET_BYTES: Final = 100_000
_MAX_DIGITS: Final = 20
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret to be.

    Attributes:
        value: the text it holds; None has one generated, for HMAC.
        id: the row's sort key; None takes the next number, as the module's SQL tables do.
        start: first second of its window; None is now.
        end: first second after it; None is a year after the start.
        algorithms: what it may verify; None is all that fits its key. The row names them in any case.
        kid: its key id.
    """

    value: str | None = field(default=None, repr=False)
    id: str | None = None
    start: int | None = None
    end: int | None = None
    algorithms: tuple[str, ...] | None = None
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class PreparedSecret:
    """A row that will verify, not written yet."""

    id: str
    value: str = field(repr=False)
    columns: Row = field(repr=False)
    record: SecretRecord


@dataclass(frozen=True, slots=True)
class Added:
    """A secret that was added.

    Attributes:
        secret: all about it but its value.
        generated: its value if it was made here. It is not shown again.
    """

    secret: SecretRecord
    generated: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation.

    Attributes:
        secret: the new one, open from now on.
        closing: the old ones that were open, with the end they have now.
        generated: the new one's value if it was made here. It is not shown again.
    """

    secret: SecretRecord
    closing: tuple[SecretRecord, ...]
    generated: str | None = field(default=None, repr=False)


class StatementOutcome(StrEnum):
    """What became of a row whose `alg` was to say what its key is."""

    WRITTEN = "written"
    THERE = "there"  # it says so already
    LEFT = "left"  # nobody can tell what its key is, or it is none
    GONE = "gone"  # it was removed meanwhile


@dataclass(frozen=True, slots=True)
class Stated:
    """A row whose `alg` was to say what its key is.

    Attributes:
        tag: whose.
        id: the row's sort key.
        outcome: what became of it; in a dry run, what would have.
        algorithms: what `alg` names now.
        unusable: why the row was left.
    """

    tag: str
    id: str
    outcome: StatementOutcome
    algorithms: tuple[str, ...] = ()
    unusable: Unusable | None = None


class Secrets:
    """What an operator does to the secrets of a tag."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._columns = registry.columns

    def list(self, tag: str) -> tuple[SecretRecord, ...]:
        """Return the secrets of *tag*, the newest window first.

        Raises:
            NotFound: there is neither a secret nor a profile of that tag.
        """
        rows = self._store.secrets(checked_tag(tag))
        if not rows and self._store.profile(tag) is None:
            raise _no_profile(tag)
        records = [self._registry.inspected(row) for row in rows]
        return tuple(sorted(records, key=lambda record: (record.start or 0, record.id), reverse=True))

    def show(self, tag: str, secret_id: str) -> SecretRecord:
        """Return one secret.

        Raises:
            NotFound: there is no such secret.
        """
        return self._registry.inspected(self._existing(tag, secret_id))

    def holding(self, tag: str, value: str) -> tuple[SecretRecord, ...]:
        """Return the secrets of *tag* that hold this text, by their ids."""
        rows = self._store.secrets(checked_tag(tag))
        return tuple(self._registry.inspected(row) for row in rows if _same_text(row.get(self._columns.secret), value))

    def generate(self, tag: str, *, algorithms: tuple[str, ...] | None = None) -> str:
        """Make up a value that would verify as a secret of *tag*, and write nothing.

        Raises:
            Invalid: no value would, by these *algorithms*.
        """
        return prepared(self._registry, checked_tag(tag), NewSecret(algorithms=algorithms), others=()).value

    def add(self, tag: str, secret: NewSecret) -> Added:
        """Add a *secret*, given or generated, beside those there are.

        A second time with the same `id` and value, it changes nothing and returns the same.

        Raises:
            Invalid: it would never verify, or a value would not work.
            NotFound: there is no such profile.
            Conflict: there is another secret of that id, the same key is open already, or as many as are tried.
        """
        rows = self._store.secrets(checked_tag(tag))
        new = prepared(self._registry, tag, secret, others=rows)
        there = self._same(rows, new)
        if there is not None and there.state in (SecretState.OPEN, SecretState.FUTURE):
            return Added(there)
        self._refuse_a_second_of(rows, new)
        refuse_one_too_many(self._registry, tag, rows, new.record.start, new.record.end)
        changes = (Check(Key(Table.PROFILES, tag), PRESENT), Put(Key(Table.SECRETS, tag, new.id), new.columns, ABSENT))
        try:
            self._registry.write("secret.add", tag, *changes, id=new.id, details=_window(new.record))
        except Overtaken as overtaken:
            raise _refusal(tag, overtaken) from None
        return added(new, secret)

    def close(self, tag: str, secret_id: str, *, at: int | None = None) -> SecretRecord:
        """Let a secret verify nothing from *at* on (UNIX seconds, now if not given). It never opens one again.

        It works where the service reads the table anew: see `CACHE_TTL_SECONDS`.

        Raises:
            Invalid: *at* has passed.
            NotFound: there is no such secret.
            Conflict: its end is no number, so that it is not open, and would be until a later *at*; or it keeps
                changing.
        """
        now = self._registry.now()
        end = now if at is None else checked_time("the end", at)
        if end < now:
            raise Invalid(f"{end} has passed; leave it out to close the secret now")
        for _ in range(_ATTEMPTS):
            row = self._existing(tag, secret_id)
            present = row.get(self._columns.end)
            if _ends_by(present, end):
                break
            if end > now and not isinstance(present, Decimal):
                what = "has no end" if present is None else "has an end that is no number"
                raise Conflict(
                    f"the secret {secret_id!r} of {tag!r} {what}, so it is not open, and would be until then; nothing"
                    " was done: close it now, without a time, or give it a window first (`auth-jwt secret set`)"
                )
            try:
                change = self._closing(tag, row, end)
                self._registry.write("secret.close", tag, change, id=secret_id, details={"end": end})
                break
            except Overtaken:  # by another end, or by its removal
                continue
        else:
            raise Conflict(f"the secret {secret_id!r} of {tag!r} keeps changing: try again")
        return self.show(tag, secret_id)

    def change(
        self,
        tag: str,
        secret_id: str,
        *,
        start: int | None = None,
        end: int | None = None,
        kid: str | Missing | None = None,
        mend: bool = False,
        dry_run: bool = False,
    ) -> SecretRecord:
        """Change the window or the key id of a secret: see `auth_jwt.provisioning.windows`."""
        asked = SecretChange(start=start, end=end, kid=kid, mend=mend)
        return change(self._registry, tag, secret_id, asked, dry_run=dry_run)

    def remove(self, tag: str, secret_id: str) -> None:
        """Take away the row of a secret that is not open.

        Raises:
            NotFound: there is no such secret.
            Conflict: it is open: it has to be closed first.
        """
        row = self._existing(tag, secret_id)
        if Secret.from_row(row, self._columns).is_open(self._registry.clock()):
            raise Conflict(f"the secret {secret_id!r} of {tag!r} is open: close it first")
        expected = self._as_read(row, self._columns.start, self._columns.end)
        try:
            self._registry.write(
                "secret.remove", tag, Delete(Key(Table.SECRETS, tag, secret_id), expected), id=secret_id
            )
        except Overtaken:
            raise Conflict(f"the secret {secret_id!r} of {tag!r} was changed meanwhile") from None

    def rotate(self, tag: str, secret: NewSecret, *, overlap_seconds: int = OVERLAP_SECONDS) -> Rotated:
        """Open a new *secret* now, and let those that are open end after an overlap.

        All of it happens or nothing. Of two rotations at the same time one does, and the other is told so: an issuer
        that got the loser's key would be locked out when the winner's overlap ends. A second time with the same `id`
        and value, it changes nothing and returns the same, as long as that secret is open and the others end in time.

        Args:
            tag: whose.
            secret: the new one; its window starts now, whatever it says.
            overlap_seconds: how long the old ones go on verifying: at least as long as their tokens live.

        Raises:
            Invalid: the new secret would never verify, or a value would not work.
            NotFound: there is no such profile.
            Conflict: somebody else changed the secrets meanwhile, there is another secret of that id, or as many are
                open during the overlap as are tried.
        """
        if overlap_seconds < 0:
            raise Invalid("the overlap cannot be negative")
        now = self._registry.now()
        rows = self._store.secrets(checked_tag(tag))
        new = prepared(self._registry, tag, replace(secret, start=now), others=rows)
        end = now + overlap_seconds
        if new.record.end is not None and new.record.end <= end:
            raise Invalid("the new secret would end no later than the old ones: give it a later end")
        old = [row for row in rows if self._is_open(row) and not _ends_by(row.get(self._columns.end), end)]
        there = self._same(rows, new)
        if there is not None and there.state is SecretState.OPEN and [row[SECRET_ID] for row in old] == [new.id]:
            return Rotated(there, ())
        self._refuse_a_second_of(rows, new)
        if len(old) > MAX_ROTATED:
            raise Invalid(f"{len(old)} secrets are open, more than the {MAX_ROTATED} that one rotation closes")
        closed = {row[SECRET_ID]: {**row, self._columns.end: Decimal(end)} for row in old}
        beside = [closed.get(row[SECRET_ID], row) for row in rows]
        refuse_one_too_many(self._registry, tag, beside, new.record.start, new.record.end)
        changes: list[Change] = [
            Check(Key(Table.PROFILES, tag), PRESENT),
            Put(Key(Table.SECRETS, tag, new.id), new.columns, ABSENT),
            *(self._closing(tag, row, end) for row in old),
        ]
        details = {
            **_window(new.record),
            "overlap_seconds": overlap_seconds,
            "closing": [row[SECRET_ID] for row in old],
        }
        try:
            self._registry.write("secret.rotate", tag, *changes, id=new.id, details=details)
        except Overtaken as overtaken:
            raise _refusal(tag, overtaken) from None
        closing = tuple(self._registry.inspected({**row, self._columns.end: Decimal(end)}) for row in old)
        return Rotated(new.record, closing, new.value if secret.value is None else None)

    def rows(self, tag: str, secret_id: str | None = None) -> Sequence[Row]:
        """Return the rows of *tag*, or the one of that id, as `state_algorithms` wants them. They hold their values.

        Raises:
            NotFound: there are none.
        """
        if secret_id is not None:
            return (self._existing(tag, secret_id),)
        rows = self._store.secrets(checked_tag(tag))
        if not rows:
            raise NotFound(f"there is no secret of {tag!r}")
        return rows

    def state_algorithms(
        self,
        row: Row,
        *,
        algorithms: tuple[str, ...] | None = None,
        hmac: bool = False,
        anew: bool = False,
        dry_run: bool = False,
    ) -> Stated:
        """Write into the `alg` of a *row* what its key is, where that is known and not written yet.

        Nothing else of the row changes, and it has to be as it was read: of a row that somebody changed meanwhile the
        new content is judged. A second time, it changes nothing.

        Args:
            row: all columns of it, however long ago it was read.
            algorithms: what `alg` is to name; without it, what the key is, where it can be nothing else.
            hmac: whether a text in doubt is said to be an HMAC secret.
            anew: whether *algorithms* take the place of what `alg` says already.
            dry_run: whether nothing is written.

        Raises:
            Invalid: *algorithms* are none that there are.
            Conflict: the row keeps changing.
        """
        if algorithms is not None:
            _checked_algorithms(algorithms)
        tag, secret_id = str(row[self._columns.secret_tag]), str(row[SECRET_ID])
        for _ in range(_ATTEMPTS):
            stated = self._stated(row, algorithms, hmac=hmac, anew=anew)
            if dry_run or stated.outcome is not StatementOutcome.WRITTEN:
                return stated
            change = Update(
                Key(Table.SECRETS, tag, secret_id),
                {self._columns.alg: ",".join(stated.algorithms)},
                self._as_read(row, self._columns.secret, self._columns.alg, self._columns.kid),
            )
            details = {"algorithms": list(stated.algorithms)}
            try:
                self._registry.write("secret.set_alg", tag, change, id=secret_id, details=details)
            except Overtaken:
                try:
                    row = self._existing(tag, secret_id)
                except NotFound:
                    return Stated(tag, secret_id, StatementOutcome.GONE)
            else:
                return stated
        raise Conflict(f"the secret {secret_id!r} of {tag!r} keeps changing: try again")

    def _stated(self, row: Row, algorithms: tuple[str, ...] | None, *, hmac: bool, anew: bool) -> Stated:
        """Say what is to become of a *row*."""
        tag, secret_id = str(row[self._columns.secret_tag]), str(row[SECRET_ID])
        own = statement_of(row, self._columns)
        is_malformed = own.unusable is not None and own.unusable.flaw is Flaw.MALFORMED_ALG
        if algorithms is None or not anew:
            if own.is_there:
                return Stated(tag, secret_id, StatementOutcome.THERE, own.algorithms)
            if is_malformed:  # somebody meant something by it
                return Stated(tag, secret_id, StatementOutcome.LEFT, unusable=own.unusable)
        statement = statement_of(row, self._columns, algorithms=algorithms, hmac=hmac)
        record = self._registry.inspected({**row, self._columns.alg: statement.alg})
        if not statement.algorithms or (algorithms is not None and not record.algorithms):
            return Stated(tag, secret_id, StatementOutcome.LEFT, unusable=statement.unusable or record.unusable)
        there = row.get(self._columns.alg) == statement.alg
        outcome = StatementOutcome.THERE if there else StatementOutcome.WRITTEN
        return Stated(tag, secret_id, outcome, statement.algorithms)

    def _existing(self, tag: str, secret_id: str) -> Row:
        return row_among(self._store.secrets(checked_tag(tag)), tag, secret_id)

    def _is_open(self, row: Row) -> bool:
        return Secret.from_row(row, self._columns).is_open(self._registry.clock())

    def _closing(self, tag: str, row: Row, end: int) -> Update:
        """Close a row, if its window is still the one that was read."""
        key = Key(Table.SECRETS, tag, str(row[SECRET_ID]))
        return Update(key, {self._columns.end: end}, self._as_read(row, self._columns.end))

    def _as_read(self, row: Row, *columns: str) -> Expected:
        return Expected(True, {column: row.get(column, MISSING) for column in columns})

    def _same(self, rows: Iterable[Row], new: PreparedSecret) -> SecretRecord | None:
        """Return what a retry finds of the first attempt: the row of the same id and value."""
        for row in rows:
            if row[SECRET_ID] == new.id and _same_text(row.get(self._columns.secret), new.value):
                return self._registry.inspected(row)
        return None

    def _refuse_a_second_of(self, rows: Iterable[Row], new: PreparedSecret) -> None:
        for row in rows:
            if row[SECRET_ID] == new.id:
                raise _taken(tag=new.record.tag, secret_id=new.id)
            if self._is_open(row) and _same_text(row.get(self._columns.secret), new.value):
                raise Conflict(f"the open secret {row[SECRET_ID]!r} holds the same key")


def prepared(registry: Registry, tag: str, secret: NewSecret, *, others: Sequence[Row]) -> PreparedSecret:
    """Make the row of a new *secret*, and judge it by the rules that verification follows.

    Args:
        registry: the rules.
        tag: whose it will be.
        secret: what is wanted.
        others: the tag's secrets, among which it needs an id of its own.

    Raises:
        Invalid: it would never verify, or a value would not work.
    """
    start = registry.now() if secret.start is None else secret.start
    end = start + LIFETIME_SECONDS if secret.end is None else secret.end
    for name, bound in (("the start", start), ("the end", end)):
        checked_time(name, bound)
    if end <= registry.now():
        raise Invalid("its window has ended already")
    own: dict[str, object] = {registry.columns.start: Decimal(start), registry.columns.end: Decimal(end)}
    stated = None if secret.algorithms is None else _checked_algorithms(secret.algorithms)
    if secret.kid is not None:
        own[registry.columns.kid] = checked_text("the kid", secret.kid)
    secret_id = _next_id(others) if secret.id is None else _checked_id(secret.id)
    while True:
        value = randomness.token_urlsafe(GENERATED_BYTES) if secret.value is None else secret.value
        if len(value.encode("utf-8", "surrogatepass")) > _MAX_SECRET_BYTES:
            raise Invalid(f"a secret has at most {_MAX_SECRET_BYTES} bytes")
        row = {**own, registry.columns.secret: value}
        statement = Statement(stated) if stated else statement_of(row, registry.columns)
        judged = Secret.from_row({**row, registry.columns.alg: statement.alg, SECRET_ID: secret_id}, registry.columns)
        record = inspected(judged, tag, registry.policy, registry.clock())
        unusable = statement.unusable or record.unusable
        if unusable is None:
            if weakness := weakness_in(judged.keys):
                raise Invalid(f"anybody could sign by this key: it is {weakness}")
            return PreparedSecret(secret_id, value, {**row, registry.columns.alg: statement.alg}, record)
        by_chance = unusable.flaw in (Flaw.KEY_MATERIAL, Flaw.IN_DOUBT)  # it looks like a key of another kind
        if secret.value is not None or not by_chance:
            raise Invalid(f"this secret would verify nothing: {unusable.because}{_how_to_state(unusable)}")


def added(new: PreparedSecret, asked: NewSecret) -> Added:
    """Return what there is to tell of a secret just added; the value, if it was made here."""
    return Added(new.record, new.value if asked.value is None else None)


def _how_to_state(unusable: Unusable) -> str:
    """Say how a text in doubt is written all the same."""
    if unusable.flaw is not Flaw.IN_DOUBT:
        return ""
    return ": `--alg HS256` on the command line, `algorithms` in the admin API"


def _checked_algorithms(algorithms: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in algorithms if name not in ALGORITHMS]
    if unknown or not algorithms:
        raise Invalid(f"no such algorithm: {', '.join(unknown) or 'none is named'}; known are {', '.join(ALGORITHMS)}")
    if not says_what_it_is(frozenset(algorithms)):
        raise Invalid("HMAC and public-key algorithms are named: a secret is for one or the other")
    return algorithms


def _checked_id(secret_id: str) -> str:
    checked_text("the id", secret_id)
    if len(secret_id.encode()) > _MAX_ID_BYTES:
        raise Invalid(f"an id has at most {_MAX_ID_BYTES} bytes")
    return secret_id


def _next_id(rows: Iterable[Row]) -> str:
    """Return the number after the highest, so that of two writers at once only one can have it."""
    ids = [str(row[SECRET_ID]) for row in rows]
    numbers = [int(text) for text in ids if text.isascii() and text.isdecimal() and len(text) < _MAX_DIGITS]
    return str(max(numbers, default=0) + 1)


def _ends_by(end: object, instant: int) -> bool:
    return isinstance(end, Decimal) and end <= instant


def _same_text(one: object, other: str) -> bool:
    return isinstance(one, str) and randomness.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )


def _window(record: SecretRecord) -> dict[str, object]:
    return {"start": int(record.start or 0), "end": int(record.end or 0), "algorithms": list(record.algorithms)}


def _refusal(tag: str, overtaken: Overtaken) -> Rejected:
    if overtaken.key.table is Table.PROFILES:
        return _no_profile(tag)
    return Conflict(f"somebody else changed the secrets of {tag!r} meanwhile, and nothing was done: look at them again")


def _taken(tag: str, secret_id: str) -> Conflict:
    return Conflict(
        f"there is a secret {secret_id!r} of {tag!r} already, with another value or another window; "
        "if it was generated at an attempt whose answer was lost, its value is lost, too: take another id"
    )


def _no_profile(tag: str) -> NotFound:
    return NotFound(f"there is no profile {tag!r}")
