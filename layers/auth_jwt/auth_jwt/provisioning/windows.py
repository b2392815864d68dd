"""Windows of existing secrets: change them, and mend those that another tool wrote wrongly."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from auth_jwt.errors import Conflict, Invalid
from auth_jwt.models import Columns, Row, Secret
from auth_jwt.provisioning.changes import MISSING, Expected, Key, Missing, Overtaken, Table, Update
from auth_jwt.provisioning.inspection import SecretRecord
from auth_jwt.provisioning.registry import Registry, check_tag, check_text, check_time, row_among
from auth_jwt.rules import ever_opens

_MILLISECONDS: Final = (10**12, 10**14)
"""In milliseconds: the years 2001 to 5138. In seconds: far beyond 9999, the year that people write for ever."""
_DIGITS: Final = re.compile(r"\s*([0-9]{1,20})(?:\.[0-9]{1,20})?\s*", re.ASCII)
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChange:
    """The changes to a secret; None leaves a column as it is.

    Attributes:
        start: first second of its window (UNIX seconds).
        end: first second after its window.
        kid: its key id; `MISSING` removes it.
        mend: whether to correct the bounds that are not given, as `meant_seconds` does. If an end in milliseconds turns
            out to have passed, this closes the secret.
    """

    start: int | None = None
    end: int | None = None
    kid: str | Missing | None = None
    mend: bool = False

    def columns(self, row: Row, names: Columns) -> dict[str, object]:
        """Return the new values for columns of a *row*.

        Raises:
            Invalid: nothing is given, or a bound or the key id is invalid.
        """
        if self == SecretChange():
            raise Invalid("no change is given")
        columns: dict[str, object] = {}
        for what, column, bound in (("the start", names.start, self.start), ("the end", names.end, self.end)):
            seconds = meant_seconds(row.get(column)) if bound is None else check_time(what, bound)
            if seconds is not None and (self.mend or bound is not None):
                columns[column] = Decimal(seconds)
        if self.kid is not None:
            columns[names.kid] = MISSING if self.kid is MISSING else check_text("the kid", self.kid)
        return columns

    @property
    def is_of_window(self) -> bool:
        """Whether the window changes."""
        return self.mend or self.start is not None or self.end is not None


def change(
    registry: Registry, tag: str, secret_id: str, wanted: SecretChange, *, dry_run: bool = False
) -> SecretRecord:
    """Change the window or the key id of a secret, and leave the rest. A secret that has ended never opens again.

    Args:
        registry: the tables and the rules.
        tag: the tag of the secret.
        secret_id: the secret's id.
        wanted: the changes.
        dry_run: whether to write nothing, and only return what the secret would become.

    Raises:
        Invalid: no change is given, a bound is not a time, or the window would never open.
        NotFound: there is no such secret.
        Conflict: it has ended, too many would be open with it (`MAX_SECRETS_PER_TAG`), or it keeps changing.
    """
    names = registry.columns
    for _ in range(_ATTEMPTS):
        rows = registry.secrets(check_tag(tag))
        row = row_among(rows, tag, secret_id)
        columns = wanted.columns(row, names)
        changed = {name: value for name, value in {**row, **columns}.items() if value is not MISSING}
        if wanted.is_of_window:
            _check_window(registry, tag, row, changed, wanted)
            new = Secret.from_row(changed, names)
            reject_one_too_many(registry, tag, [other for other in rows if other is not row], new.start, new.end)
        columns = {name: value for name, value in columns.items() if not _is_same(value, row.get(name, MISSING))}
        if dry_run or not columns:
            return registry.inspect(changed)
        expected = Expected(True, {name: row.get(name, MISSING) for name in (names.start, names.end, names.kid)})
        update = Update(Key(Table.SECRETS, tag, secret_id), columns, expected)
        try:
            registry.write("secret.change", tag, update, id=secret_id, details={"columns": sorted(columns)})
        except Overtaken:
            continue
        return registry.inspect(changed)
    raise Conflict(f"the secret {secret_id!r} of {tag!r} keeps changing: try again")


def _check_window(registry: Registry, tag: str, row: Row, changed: Row, wanted: SecretChange) -> None:
    """Reject a *changed* window that is invalid, or that would open an ended secret again."""
    now = registry.now()
    old, new = Secret.from_row(row, registry.columns), Secret.from_row(changed, registry.columns)
    for name, bound in (("start", new.start), ("end", new.end)):
        if bound is None:
            raise Invalid(f"nobody can tell which {name} was meant: give the {name}, too")
    if new.end is None or not ever_opens(new):
        raise Invalid("its window would end before it starts, so it never opens")
    end = meant_seconds(row.get(registry.columns.end)) if old.end is None else old.end
    if end is not None and end <= now < new.end:
        raise Conflict(
            f"the secret {new.id!r} of {tag!r} has ended, and an ended secret never opens again: add another"
        )
    if wanted.end is not None and wanted.end <= now and old.is_open(now):
        raise Invalid(f"{wanted.end} has passed, and the secret is open: close it, so that it ends now")


def reject_one_too_many(
    registry: Registry, tag: str, rows: Sequence[Row], start: int | Decimal | None, end: int | Decimal | None
) -> None:
    """Reject a new window if, at some time in it, too many *rows* are open: the service would not try all of them.

    Raises:
        Conflict: with the new window, more than `MAX_SECRETS_PER_TAG` would be open at the same time.
    """
    most = registry.policy.max_secrets_per_tag
    if len(rows) < most or start is None or end is None:
        return
    others = [Secret.from_row(row, registry.columns) for row in rows]
    beside = _most_open_at_once(others, max(start, registry.now()), end)
    if beside >= most:
        raise Conflict(
            f"{tag!r} has {beside} secrets that are open at the same time, and the service tries at most {most}"
            " (MAX_SECRETS_PER_TAG): close those that are not needed, or raise the setting"
        )


def is_in_milliseconds(number: int | Decimal | None) -> bool:
    """Tell whether a *number* that should be UNIX seconds looks like milliseconds."""
    return number is not None and _MILLISECONDS[0] <= number < _MILLISECONDS[1]


def meant_seconds(bound: object) -> int | Decimal | None:
    """Return the UNIX seconds that a *bound* was meant to be; None if nobody can tell.

    A number counts as seconds, unless it looks like milliseconds. Text counts if it holds only digits, with or without
    a fraction. A date in text does not count, because it does not name its time zone.
    """
    if isinstance(bound, str) and (digits := _DIGITS.fullmatch(bound)):
        bound = Decimal(digits[1])
    if isinstance(bound, bool) or not isinstance(bound, int | Decimal):
        return None
    return int(bound) // 1000 if is_in_milliseconds(bound) else bound


def _most_open_at_once(secrets: Iterable[Secret], start: int | Decimal, end: int | Decimal) -> int:
    """Return the greatest number of *secrets* that are open at one instant, from *start* until before *end*."""
    windows = [
        (secret.start, secret.end)
        for secret in secrets
        if secret.start is not None and secret.end is not None and secret.start < secret.end
    ]
    starts, ends = sorted(begin for begin, _ in windows), sorted(stop for _, stop in windows)
    instants = [start, *(begin for begin in starts if start < begin < end)]
    return max(bisect_right(starts, instant) - bisect_right(ends, instant) for instant in instants)


def _is_same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other  # True is not 1
