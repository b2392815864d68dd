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
from auth_jwt.provisioning.inspection import KeyRecord, SecretRecord, SecretState, inspect_secret
from auth_jwt.provisioning.pasted import is_token
from auth_jwt.provisioning.registry import (
    IS_PROFILE,
    Registry,
    check_no_issuer,
    check_tag,
    check_text,
    check_time,
    row_among,
)
from auth_jwt.provisioning.statements import Statement, statement_of, weakness_in
from auth_jwt.provisioning.windows import SecretChange, change, reject_one_too_many

GENERATED_BYTES: Final = 64
"""Enough for every HMAC algorithm: HS512 needs 64 bytes (RFC 7518, section 3.2)."""
LIFETIME_SECONDS: Final = 365 * 86400
OVERLAP_SECONDS: Final = 86400
MAX_ROTATED: Final = MAX_CHANGES - 2  # the new secret and the check of the profile take one change each
_MAX_ID_BYTES: Final = 1024
_MAX_SECRET_BYTES: Final = 100_000
_MAX_DIGITS: Final = 20
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret to write.

    Attributes:
        value: the text it holds; None generates a random HMAC secret.
        id: the row's sort key; None takes the next number, as the OpenSIPS module's SQL tables do.
        start: first second of its window (UNIX seconds); None means now.
        end: first second after its window; None means a year after the start.
        algorithms: the algorithms it may verify; None means all that fit its key. The row names them in either case.
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
    """A row that can verify tokens, not written yet."""

    id: str
    value: str = field(repr=False)
    columns: Row = field(repr=False)
    record: SecretRecord


@dataclass(frozen=True, slots=True)
class Added:
    """A secret that was added.

    Attributes:
        secret: everything except its value.
        generated: its value, if the value was generated. This is the only time it is shown.
    """

    secret: SecretRecord
    generated: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A finished rotation.

    Attributes:
        secret: the new secret, open from now on.
        closing: the old secrets that were open, with their new ends.
        generated: the value of the new secret, if it was generated. This is the only time it is shown.
    """

    secret: SecretRecord
    closing: tuple[SecretRecord, ...]
    generated: str | None = field(default=None, repr=False)


class StatementOutcome(StrEnum):
    """What `state_algorithms` did with a row."""

    WRITTEN = "written"
    THERE = "there"  # the row names the algorithms already
    LEFT = "left"  # nobody can tell the kind of its key, or it holds no usable key
    GONE = "gone"  # somebody removed the row meanwhile


@dataclass(frozen=True, slots=True)
class Stated:
    """The result of `state_algorithms` for one row.

    Attributes:
        tag: the tag of the row.
        id: the row's sort key.
        outcome: what was done; in a dry run, what would be done.
        algorithms: the algorithms that `alg` names now; in a dry run, would name.
        unusable: why the row was left as it is.
    """

    tag: str
    id: str
    outcome: StatementOutcome
    algorithms: tuple[str, ...] = ()
    unusable: Unusable | None = None


class Secrets:
    """The operations on the secrets of a tag."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._columns = registry.columns

    def list(self, tag: str) -> tuple[SecretRecord, ...]:
        """Return the secrets of *tag*, the newest window first.

        Raises:
            NotFound: neither a profile nor a secret has the tag.
        """
        rows = self._registry.secrets(check_tag(tag))
        if not rows:
            self._check_profile(tag)
        records = [self._registry.inspect(row) for row in rows]
        return tuple(sorted(records, key=lambda record: (record.start or 0, record.id), reverse=True))

    def show(self, tag: str, secret_id: str) -> SecretRecord:
        """Return one secret, without its value.

        Raises:
            NotFound: there is no such secret.
        """
        return self._registry.inspect(self._read_existing(tag, secret_id))

    def find_by_value(self, tag: str, value: str) -> tuple[SecretRecord, ...]:
        """Return the secrets of *tag* whose text is *value*, sorted by id."""
        rows = self._registry.secrets(check_tag(tag))
        return tuple(self._registry.inspect(row) for row in rows if _same_text(row.get(self._columns.secret), value))

    def generate(self, tag: str, *, algorithms: tuple[str, ...] | None = None) -> str:
        """Generate a value that would work as a secret of *tag*, and write nothing.

        Raises:
            Invalid: no generated value would work with these *algorithms*.
        """
        return prepare_secret(self._registry, check_tag(tag), NewSecret(algorithms=algorithms), others=()).value

    def add(self, tag: str, secret: NewSecret) -> Added:
        """Add a *secret*, given or generated. Other secrets stay as they are.

        A second call with the same `id` and value changes nothing and returns the same secret.

        Raises:
            Invalid: the secret would never verify a token, or a value would not work.
            NotFound: there is no such profile.
            Conflict: another secret has the id, an open secret holds the same key, or too many would be
                open at once (`MAX_SECRETS_PER_TAG`).
        """
        rows = self._registry.secrets(check_tag(tag))
        new = prepare_secret(self._registry, tag, secret, others=rows)
        there = self._find_same(rows, new)
        if there is not None and there.state in (SecretState.OPEN, SecretState.FUTURE):
            return Added(there)
        self._reject_duplicate(rows, new)
        reject_one_too_many(self._registry, tag, rows, new.record.start, new.record.end)
        changes = (
            Check(Key(Table.PROFILES, tag), IS_PROFILE),
            Put(Key(Table.SECRETS, tag, new.id), new.columns, ABSENT),
        )
        try:
            self._registry.write("secret.add", tag, *changes, id=new.id, details=_window(new.record))
        except Overtaken as overtaken:
            raise self._rejection_by(tag, overtaken) from None
        return report_added(new, secret)

    def close(self, tag: str, secret_id: str, *, at: int | None = None) -> SecretRecord:
        """End the window of a secret at *at* (UNIX seconds; now by default). A secret that ends earlier keeps its end.

        It takes effect once the service reads the table again: see `CACHE_TTL_SECONDS`.

        Raises:
            Invalid: *at* has passed.
            NotFound: there is no such secret.
            Conflict: its end is not a number, so it is closed, and a later *at* would open it; or it keeps changing.
        """
        now = self._registry.now()
        end = now if at is None else check_time("the end", at)
        if end < now:
            raise Invalid(f"{end} has passed; leave it out to close the secret now")
        for _ in range(_ATTEMPTS):
            row = self._read_existing(tag, secret_id)
            present = row.get(self._columns.end)
            if _ends_by(present, end):
                break
            if end > now and not isinstance(present, Decimal):
                what = "has no end" if present is None else "has an end that is not a number"
                raise Conflict(
                    f"the secret {secret_id!r} of {tag!r} {what}, so it is not open, and this time would open it;"
                    " nothing was done: close it now, without a time, or give it a window first"
                    " (`auth-jwt secret set`)"
                )
            try:
                change = self._end_window(tag, row, end)
                self._registry.write("secret.close", tag, change, id=secret_id, details={"end": end})
                break
            except Overtaken:  # somebody set another end, or removed the secret
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
        wanted = SecretChange(start=start, end=end, kid=kid, mend=mend)
        return change(self._registry, tag, secret_id, wanted, dry_run=dry_run)

    def remove(self, tag: str, secret_id: str) -> None:
        """Delete the row of a secret that is not open.

        Raises:
            NotFound: there is no such secret.
            Conflict: it is open and must be closed first, or somebody changed it meanwhile.
        """
        row = self._read_existing(tag, secret_id)
        if Secret.from_row(row, self._columns).is_open(self._registry.clock()):
            raise Conflict(f"the secret {secret_id!r} of {tag!r} is open: close it first")
        expected = self._as_read(row, self._columns.start, self._columns.end)
        try:
            self._registry.write(
                "secret.remove", tag, Delete(Key(Table.SECRETS, tag, secret_id), expected), id=secret_id
            )
        except Overtaken:
            raise Conflict(
                f"somebody changed the secret {secret_id!r} of {tag!r} meanwhile: look at it again"
            ) from None

    def rotate(
        self,
        tag: str,
        secret: NewSecret,
        *,
        overlap_seconds: int = OVERLAP_SECONDS,
        replace_public_key: bool = False,
    ) -> Rotated:
        """Open a new *secret* now, and end the open ones after an overlap. All of it happens, or nothing.

        Of two simultaneous rotations one succeeds, and the other raises `Conflict`. If both succeeded, the overlap of
        one would end the key of the other, and lock out the issuer that uses it. A second call with the same `id` and
        value changes nothing and returns the same, as long as that secret is open and the others end in time.

        Args:
            tag: the profile's tag.
            secret: the new secret; its window starts now, whatever `start` says.
            overlap_seconds: how long the old secrets keep verifying: at least as long as their tokens live.
            replace_public_key: whether an HMAC secret may take the place of a public key. The issuer of that key signs
                with a private key of its own, and would be locked out when the overlap ends.

        Raises:
            Invalid: the new secret would never verify a token, a value would not work, or an HMAC secret would replace
                a public key.
            NotFound: there is no such profile.
            Conflict: somebody else changed the secrets meanwhile, another secret has the id, an open secret holds the
                same key, or too many would be open during the overlap (`MAX_SECRETS_PER_TAG`).
        """
        if overlap_seconds < 0:
            raise Invalid("the overlap cannot be negative")
        now = self._registry.now()
        rows = self._registry.secrets(check_tag(tag))
        new = prepare_secret(self._registry, tag, replace(secret, start=now), others=rows)
        end = now + overlap_seconds
        if new.record.end is not None and new.record.end <= end:
            raise Invalid("the new secret would end no later than the old ones: give it a later end")
        old = [row for row in rows if self._is_open(row) and not _ends_by(row.get(self._columns.end), end)]
        there = self._find_same(rows, new)
        if there is not None and there.state is SecretState.OPEN and [row[SECRET_ID] for row in old] == [new.id]:
            return Rotated(there, ())
        self._reject_duplicate(rows, new)
        if not replace_public_key:
            _reject_other_kind(new.record, map(self._registry.inspect, old))
        if len(old) > MAX_ROTATED:
            raise Invalid(f"{len(old)} secrets are open; one rotation can close at most {MAX_ROTATED}")
        closed = {row[SECRET_ID]: {**row, self._columns.end: Decimal(end)} for row in old}
        beside = [closed.get(row[SECRET_ID], row) for row in rows]
        reject_one_too_many(self._registry, tag, beside, new.record.start, new.record.end)
        changes: list[Change] = [
            Check(Key(Table.PROFILES, tag), IS_PROFILE),
            Put(Key(Table.SECRETS, tag, new.id), new.columns, ABSENT),
            *(self._end_window(tag, row, end) for row in old),
        ]
        details = {
            **_window(new.record),
            "overlap_seconds": overlap_seconds,
            "closing": [row[SECRET_ID] for row in old],
        }
        try:
            self._registry.write("secret.rotate", tag, *changes, id=new.id, details=details)
        except Overtaken as overtaken:
            raise self._rejection_by(tag, overtaken) from None
        closing = tuple(self._registry.inspect({**row, self._columns.end: Decimal(end)}) for row in old)
        return Rotated(new.record, closing, new.value if secret.value is None else None)

    def rows(self, tag: str, secret_id: str | None = None) -> Sequence[Row]:
        """Return the rows of *tag*, or the one row with this id, for `state_algorithms`. The rows hold secret values.

        Raises:
            NotFound: there is no such row.
        """
        if secret_id is not None:
            return (self._read_existing(tag, secret_id),)
        rows = self._registry.secrets(check_tag(tag))
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
        """Write the algorithms of a key into the `alg` column of its *row*, if they are known and not written yet.

        No other column changes. If somebody changed the row since it was read, the new content is judged instead. A
        second call changes nothing.

        Args:
            row: all columns of the row, however long ago they were read.
            algorithms: the algorithms to write; None derives them from the text, if it can be only one kind of key.
            hmac: whether to treat a text in doubt as an HMAC secret.
            anew: whether *algorithms* replace those that `alg` names already.
            dry_run: whether to write nothing.

        Raises:
            Invalid: *algorithms* are unknown, or mix HMAC and public-key algorithms.
            Conflict: the row keeps changing.
        """
        if algorithms is not None:
            _check_algorithms(algorithms)
        tag, secret_id = str(row[self._columns.secret_tag]), str(row[SECRET_ID])
        for _ in range(_ATTEMPTS):
            stated = self._decide_statement(row, algorithms, hmac=hmac, anew=anew)
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
                    row = self._read_existing(tag, secret_id)
                except NotFound:
                    return Stated(tag, secret_id, StatementOutcome.GONE)
            else:
                return stated
        raise Conflict(f"the secret {secret_id!r} of {tag!r} keeps changing: try again")

    def _decide_statement(self, row: Row, algorithms: tuple[str, ...] | None, *, hmac: bool, anew: bool) -> Stated:
        """Decide what `state_algorithms` does with a *row*; `WRITTEN` means that it should be written."""
        tag, secret_id = str(row[self._columns.secret_tag]), str(row[SECRET_ID])
        own = statement_of(row, self._columns)
        is_malformed = own.unusable is not None and own.unusable.flaw is Flaw.MALFORMED_ALG
        if algorithms is None or not anew:
            if own.is_there:
                return Stated(tag, secret_id, StatementOutcome.THERE, own.algorithms)
            if is_malformed:  # somebody meant something by it, so it stays
                return Stated(tag, secret_id, StatementOutcome.LEFT, unusable=own.unusable)
        statement = statement_of(row, self._columns, algorithms=algorithms, hmac=hmac)
        record = self._registry.inspect({**row, self._columns.alg: statement.alg})
        if not statement.algorithms or (algorithms is not None and not record.algorithms):
            return Stated(tag, secret_id, StatementOutcome.LEFT, unusable=statement.unusable or record.unusable)
        there = row.get(self._columns.alg) == statement.alg
        outcome = StatementOutcome.THERE if there else StatementOutcome.WRITTEN
        return Stated(tag, secret_id, outcome, statement.algorithms)

    def _read_existing(self, tag: str, secret_id: str) -> Row:
        return row_among(self._registry.secrets(check_tag(tag)), tag, secret_id)

    def _check_profile(self, tag: str) -> None:
        """Check that there is a profile of *tag*.

        Raises:
            NotFound: there is none.
            Conflict: the tag is an issuer's.
        """
        profile = self._store.profile(tag)
        check_no_issuer(tag, profile)
        if profile is None:
            raise _no_profile(tag)

    def _rejection_by(self, tag: str, overtaken: Overtaken) -> Rejected:
        if overtaken.key.table is Table.PROFILES:
            self._check_profile(tag)
        return Conflict(
            f"somebody else changed the secrets of {tag!r} meanwhile, so nothing was done: look at them again"
        )

    def _is_open(self, row: Row) -> bool:
        return Secret.from_row(row, self._columns).is_open(self._registry.clock())

    def _end_window(self, tag: str, row: Row, end: int) -> Update:
        """Return the change that ends a row's window at *end*, on condition that its end is still the one read."""
        key = Key(Table.SECRETS, tag, str(row[SECRET_ID]))
        return Update(key, {self._columns.end: end}, self._as_read(row, self._columns.end))

    def _as_read(self, row: Row, *columns: str) -> Expected:
        return Expected(True, {column: row.get(column, MISSING) for column in columns})

    def _find_same(self, rows: Iterable[Row], new: PreparedSecret) -> SecretRecord | None:
        """Return the row with the id and the value of *new*: a first attempt wrote it, and its answer was lost."""
        for row in rows:
            if row[SECRET_ID] == new.id and _same_text(row.get(self._columns.secret), new.value):
                return self._registry.inspect(row)
        return None

    def _reject_duplicate(self, rows: Iterable[Row], new: PreparedSecret) -> None:
        for row in rows:
            if row[SECRET_ID] == new.id:
                raise _taken_id(tag=new.record.tag, secret_id=new.id)
            if self._is_open(row) and _same_text(row.get(self._columns.secret), new.value):
                raise Conflict(f"the open secret {row[SECRET_ID]!r} holds the same key")


def prepare_secret(registry: Registry, tag: str, secret: NewSecret, *, others: Sequence[Row]) -> PreparedSecret:
    """Make the row of a new *secret*, and judge it by the rules that verification follows.

    Args:
        registry: the rules and the clock.
        tag: the tag of the new secret.
        secret: the secret to write.
        others: the tag's present secrets; the new id must differ from theirs.

    Raises:
        Invalid: the secret would never verify a token, or a value would not work.
    """
    start = registry.now() if secret.start is None else secret.start
    end = start + LIFETIME_SECONDS if secret.end is None else secret.end
    for name, bound in (("the start", start), ("the end", end)):
        check_time(name, bound)
    if end <= registry.now():
        raise Invalid("its window has ended already")
    own: dict[str, object] = {registry.columns.start: Decimal(start), registry.columns.end: Decimal(end)}
    stated = None if secret.algorithms is None else _check_algorithms(secret.algorithms)
    if secret.kid is not None:
        own[registry.columns.kid] = check_text("the kid", secret.kid)
    secret_id = _next_id(others) if secret.id is None else _check_id(secret.id)
    while True:
        value = randomness.token_urlsafe(GENERATED_BYTES) if secret.value is None else secret.value
        if len(value.encode("utf-8", "surrogatepass")) > _MAX_SECRET_BYTES:
            raise Invalid(f"a secret has at most {_MAX_SECRET_BYTES} bytes")
        row = {**own, registry.columns.secret: value}
        statement = Statement(stated) if stated else statement_of(row, registry.columns)
        judged = Secret.from_row({**row, registry.columns.alg: statement.alg, SECRET_ID: secret_id}, registry.columns)
        record = inspect_secret(judged, tag, registry.policy, registry.clock())
        unusable = statement.unusable or record.unusable
        if unusable is None:
            if secret.value is not None and is_token(value):
                raise Invalid(
                    "this is a token, not a secret: whoever has it could sign others by it; take the secret that it was"
                    " signed with"
                )
            if weakness := weakness_in(judged.keys):
                raise Invalid(f"anybody could sign by this key: it is {weakness}")
            return PreparedSecret(secret_id, value, {**row, registry.columns.alg: statement.alg}, record)
        by_chance = unusable.flaw in (Flaw.KEY_MATERIAL, Flaw.IN_DOUBT)  # it looks like a key of another kind
        if secret.value is not None or not by_chance:
            raise Invalid(f"this secret would verify nothing: {unusable.because}{_hint_for(unusable)}")


def report_added(new: PreparedSecret, secret: NewSecret) -> Added:
    """Return the report about a secret just added; it holds the value only if that was generated."""
    return Added(new.record, new.value if secret.value is None else None)


def _hint_for(unusable: Unusable) -> str:
    """Tell how to add a text in doubt anyway: by naming its algorithm."""
    if unusable.flaw is not Flaw.IN_DOUBT:
        return ""
    return ": `--alg HS256` on the command line, `algorithms` in the admin API"


def _reject_other_kind(new: SecretRecord, closing: Iterable[SecretRecord]) -> None:
    """Refuse to let a *new* HMAC secret take the place of a public key, which is an issuer's.

    Raises:
        Invalid: one of the secrets that are *closing* holds a public key.
    """
    if not all(_is_hmac(key) for key in new.keys):
        return
    for old in closing:
        public = ", ".join(dict.fromkeys(key.kind for key in old.keys if not _is_hmac(key)))
        if public:
            raise Invalid(
                f"the open secret {old.id!r} of {new.tag!r} is an issuer's public key ({public}),"
                " and an HMAC secret would lock that issuer out when the overlap ends: rotate to its next public key"
                " (`auth-jwt secret rotate TAG --secret-file FILE`); if its tokens will be signed by the new secret,"
                " add `--replace-public-key` on the command line, `replace_public_key` in the admin API"
            )


def _is_hmac(key: KeyRecord) -> bool:
    return isinstance(key.key.material, bytes)


def _check_algorithms(algorithms: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in algorithms if name not in ALGORITHMS]
    if unknown or not algorithms:
        raise Invalid(f"no such algorithm: {', '.join(unknown) or 'none is named'}; known are {', '.join(ALGORITHMS)}")
    if not says_what_it_is(frozenset(algorithms)):
        raise Invalid("the algorithms mix HMAC and public keys: a secret is for one or the other")
    return algorithms


def _check_id(secret_id: str) -> str:
    check_text("the id", secret_id)
    if len(secret_id.encode()) > _MAX_ID_BYTES:
        raise Invalid(f"an id has at most {_MAX_ID_BYTES} bytes")
    return secret_id


def _next_id(rows: Iterable[Row]) -> str:
    """Return the number after the highest id. Of two simultaneous writers, only one can then write it."""
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


def _taken_id(tag: str, secret_id: str) -> Conflict:
    return Conflict(
        f"there is a secret {secret_id!r} of {tag!r} already, with another value or another window; "
        "if an earlier attempt generated it and the answer was lost, its value is lost, too: take another id"
    )


def _no_profile(tag: str) -> NotFound:
    return NotFound(f"there is no profile {tag!r}")
