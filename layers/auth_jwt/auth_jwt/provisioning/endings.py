"""Secrets that end while no other follows: whose logins will fail, and when.

The check reads the whole table of secrets, without a value of any, and judges each tag by its windows. It never relies
on the order of the rows: what it finds, it reads again by its tag, strongly consistent, before it says so.
"""

import heapq
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import count, groupby
from typing import TYPE_CHECKING, Final

from auth_jwt.models import SECRET_ID, Columns, Row, Secret, disables
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.versions import ROTATED
from auth_jwt.rules import ever_opens, has_ended

if TYPE_CHECKING:
    from auth_jwt.provisioning.inspection import SecretRecord

MAX_LOOKED_UP: Final = 1000
"""How many tags of each kind a check looks up. The rest is counted as found, disabled profiles included."""

_SHARE: Final = 4
"""A scan takes one part in so many of the read units that the table may use: the rest is for logins."""

USUAL_READ_UNITS: Final = 1000
"""Read units a second of a scan where nothing bounds the table: a third of what one partition gives.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

NEW_FOR: Final = 26 * 3600
"""For how many seconds an ending is new: a day, and two hours by which a daily check may be late."""

WEEK: Final = 7 * 86400

MONTH: Final = 30 * 86400
"""How far ahead an end is news to people who look at one tag."""

Bound = int | Decimal


class EndingKind(StrEnum):
    """What is the matter with the secrets of a tag."""

    ENDS_SOON = "ends_soon"  # one is open now or soon, and when it ends, none is
    ENDED = "ended"  # none is open: the last one ended lately


@dataclass(frozen=True, slots=True)
class Ending:
    """An instant at which no secret of a tag is open any more.

    Attributes:
        tag: the tag.
        kind: whether that instant is still to come.
        secret_id: the id of the secret that ends last.
        end: that instant, in UNIX seconds.
        opens_again: when the next secret opens after a gap (UNIX seconds); None if none ever does.
    """

    tag: str
    kind: EndingKind
    secret_id: str
    end: Bound
    opens_again: Bound | None

    def is_new(self, now: float, within: float) -> bool:
        """Whether it became news lately, so that no check of the day before knew it.

        A secret that was written later than that, with a short life, is never new. It is found all the same.

        Args:
            now: the time of the check, in UNIX seconds.
            within: that of `ending_of`.
        """
        if self.kind is EndingKind.ENDED:
            return self.end > now - NEW_FOR
        return self.end >= now + within - NEW_FOR

    @property
    def remedy(self) -> str:
        """A command that mends it, for a shell."""
        if self.opens_again is not None and self.kind is EndingKind.ENDS_SOON:
            return _command("set", self.tag, self.secret_id, options=f" --end {self.opens_again}")
        verb = "rotate" if self.kind is EndingKind.ENDS_SOON else "add"
        return _command(verb, self.tag, options=" --generate --out FILE")


@dataclass(frozen=True, slots=True)
class CountedEndings:
    """How many tags one check found, those included that were not looked up.

    Attributes:
        soon: tags whose secrets end soon.
        new_soon: those of them that `Ending.is_new` is true of.
        this_week: those of them whose secrets end within seven days.
        ended: tags whose secrets ended.
        new_ended: those of them that are new.
    """

    soon: int = 0
    new_soon: int = 0
    this_week: int = 0
    ended: int = 0
    new_ended: int = 0


@dataclass(frozen=True, slots=True)
class FoundEndings:
    """What one check found.

    Attributes:
        soon: the tags whose secrets end soon, the first to end first.
        ended: the tags whose secrets ended, the last to end first.
        more_soon: how many more tags seem to end soon, which were not looked up.
        more_ended: likewise, for tags that ended.
        rows: how many rows of the table were read: all of them.
        counts: how many of each there are.
    """

    soon: Sequence[Ending]
    ended: Sequence[Ending]
    more_soon: int
    more_ended: int
    rows: int
    counts: CountedEndings = CountedEndings()


@dataclass(frozen=True, slots=True)
class OverdueRotation:
    """A tag whose secret was not rotated when it should have been.

    Attributes:
        tag: the tag.
        secret_id: the id of the newest secret that a rotation wrote; None when there is none.
        rotated: when that one opened (UNIX seconds).
    """

    tag: str
    secret_id: str | None = None
    rotated: Bound | None = None


def ending_of(tag: str, secrets: Sequence[Secret], now: float, within: float) -> Ending | None:
    """Judge the windows of all *secrets* of a tag.

    Args:
        tag: the tag.
        secrets: its secrets, in any order. A secret that can verify nothing by its other columns covers nothing.
        now: the current time, in UNIX seconds.
        within: how many seconds ahead an end is news, and how many seconds ago it still is.

    Returns:
        What is the matter; None when nothing is: a secret is open for as long as that, or none was open lately and none
        will be soon.
    """
    usable = [secret for secret in secrets if secret.flaw is None and ever_opens(secret)]
    usable.sort(key=_start_of)
    last = _last_to_cover(usable, now)
    if last is None:
        ended = [secret for secret in usable if has_ended(secret, now)]
        latest = max(ended, key=_end_of, default=None)
        if latest is not None and _end_of(latest) > now - within:
            return _ending(tag, EndingKind.ENDED, latest, usable, now)
        first = next((secret for secret in usable if _start_of(secret) > now), None)
        last = None if first is None else _last_to_cover(usable, _start_of(first))
    if last is None or _end_of(last) >= now + within:
        return None
    return _ending(tag, EndingKind.ENDS_SOON, last, usable, _end_of(last))


def ending_of_records(tag: str, records: "Sequence[SecretRecord]", now: float, within: float) -> Ending | None:
    """Judge the windows of all secrets of a tag, as they were inspected; see `ending_of`.

    A secret whose value verifies nothing covers nothing either: the scan of the daily check reads no value, so it does
    not know that.
    """
    usable = [Secret(record.id, None, record.start, record.end) for record in records if record.unusable is None]
    return ending_of(tag, usable, now, within)


def ending_now(store: ProvisioningStore, columns: Columns, tag: str, *, now: float, within: float) -> Ending | None:
    """Judge the windows of the secrets that *tag* has now, without reading a value of any; see `ending_of`.

    Raises:
        Fault: the rows of the tag could not be read.
    """
    rows = store.secrets(tag, only=columns_of_windows(columns))
    return ending_of(tag, [Secret.from_row(row, columns) for row in rows], now, within)


def find_endings(
    store: ProvisioningStore,
    columns: Columns,
    *,
    now: float,
    within: float,
    most: int | None = MAX_LOOKED_UP,
    proceed: Callable[[float, int], None] = lambda _units, _rows: None,
) -> FoundEndings:
    """Find the tags whose secrets end, among all rows of the table.

    Rows of one tag usually come together, but nothing here needs that. Fewer windows never cover more: a tag whose
    secrets end is found by the part of its rows that has the last of them. A tag that seems to end because its rows
    came apart, or because the scan missed a write, is dropped when it is looked up. So are tags without a profile, and
    those of disabled ones: they let nobody in.

    Args:
        store: the tables.
        columns: the names of their columns.
        now: the current time, in UNIX seconds.
        within: see `ending_of`.
        most: how many tags of each kind are looked up, those nearest to now; None looks up all. Of those that end soon,
            the new ones are a kind of their own: they are the farthest, and nobody has been told of them.
        proceed: called after each page and before each look-up, with the read units of the page and the rows so far. It
            may wait, or raise an error to give up.

    Raises:
        Fault: the tables could not be read to the end.
    """
    only = columns_of_windows(columns)
    new, soon, ended, rows = _Nearest(most), _Nearest(most), _Nearest(most), 0
    counts: Counter[str] = Counter()

    def all_rows() -> Iterator[Row]:
        nonlocal rows
        for page in store.scan_secrets(only=only):
            yield from page.rows
            rows += len(page.rows)
            proceed(page.read_units, rows)

    for tag, run in groupby(all_rows(), key=lambda row: str(row.get(columns.secret_tag, ""))):
        ending = ending_of(tag, [Secret.from_row(row, columns) for row in run], now, within)
        if ending is None:
            continue
        kind = ended if ending.kind is EndingKind.ENDED else new if ending.is_new(now, within) else soon
        left_out = kind.add(ending, abs(float(ending.end) - now))
        if left_out is not None:
            counts.update(_counts_of(left_out, now, within))

    found: dict[EndingKind, list[Ending]] = {kind: [] for kind in EndingKind}
    for tag in dict.fromkeys(ending.tag for ending in (*soon.nearest(), *new.nearest(), *ended.nearest())):
        proceed(0, rows)
        ending = ending_now(store, columns, tag, now=now, within=within)
        if ending is not None and _has_usable_profile(store, columns, tag):
            found[ending.kind].append(ending)
            counts.update(_counts_of(ending, now, within))
    return FoundEndings(
        sorted(found[EndingKind.ENDS_SOON], key=lambda ending: ending.end),
        sorted(found[EndingKind.ENDED], key=lambda ending: ending.end, reverse=True),
        soon.left_out + new.left_out,
        ended.left_out,
        rows,
        CountedEndings(**counts),
    )


def find_overdue_rotation(
    store: ProvisioningStore, columns: Columns, tag: str, *, now: float, every: float
) -> OverdueRotation | None:
    """Tell whether the secret of *tag* was not rotated for longer than *every* seconds, or never.

    Raises:
        Fault: the rows of the tag could not be read.
    """
    rows = store.secrets(tag, only=columns_of_windows(columns))
    own = [secret for secret in (Secret.from_row(row, columns) for row in rows) if secret.id.startswith(ROTATED)]
    newest = max((secret for secret in own if secret.start is not None), key=_start_of, default=None)
    if newest is None:
        return OverdueRotation(tag)
    if now - float(_start_of(newest)) <= every:
        return None
    return OverdueRotation(tag, newest.id, newest.start)


def columns_of_windows(columns: Columns) -> tuple[str, ...]:
    """Return the columns that a check reads of the secrets table: none of them holds a secret."""
    return (columns.secret_tag, SECRET_ID, columns.start, columns.end, columns.alg, columns.kid)


class Pace:
    """Makes a scan wait between pages, so that it leaves most of the table's read units to logins.

    Args:
        max_read_units: the bound on the read units that the table gives in a second; None when there is none.
        rate: the read units a second that the scan takes; None derives them from that bound.
        clock: returns seconds.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        max_read_units: int | None,
        *,
        rate: int | None = None,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        usual = USUAL_READ_UNITS if max_read_units is None else max_read_units / _SHARE
        self._rate = usual if rate is None else rate
        self._clock = clock
        self._pause = pause
        self._before = clock()

    def keep(self, read_units: float) -> None:
        """Wait until as much time has passed since the last call as a page of so many *read_units* may take."""
        wait = self._before + read_units / self._rate - self._clock()
        if wait > 0:
            self._pause(wait)
        self._before = self._clock()


class _Nearest:
    """The endings that are nearest to now, as many as there may be; the others are counted."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._kept: list[tuple[float, int, Ending]] = []
        self._number = count()
        self.left_out = 0

    def add(self, ending: Ending, distance: float) -> Ending | None:
        """Keep *ending* unless enough are nearer, and return what is left out. *distance* is its seconds from now."""
        entry = (-distance, next(self._number), ending)
        if self._most is None or len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
            return None
        self.left_out += 1
        return heapq.heappushpop(self._kept, entry)[-1]

    def nearest(self) -> Iterator[Ending]:
        """Give those that are kept, the nearest first."""
        return (ending for _, _, ending in sorted(self._kept, reverse=True))


def _last_to_cover(secrets: Sequence[Secret], instant: Bound | float) -> Secret | None:
    """Return the secret with which a time ends that begins at *instant*, in which one of *secrets* is always open.

    Args:
        secrets: secrets whose windows open, sorted by their starts.
        instant: where that time begins, in UNIX seconds.
    """
    last = None
    for secret in secrets:
        if secret.is_open(instant):  # windows are half-open: one that starts when another ends leaves no gap
            instant, last = _end_of(secret), secret
    return last


def _ending(tag: str, kind: EndingKind, last: Secret, secrets: Sequence[Secret], since: Bound | float) -> Ending:
    opens_again = next((secret.start for secret in secrets if _start_of(secret) > since), None)
    return Ending(tag, kind, last.id, _end_of(last), opens_again)


def _counts_of(ending: Ending, now: float, within: float) -> Iterator[str]:
    """Give the members of `CountedEndings` that count *ending*."""
    name = "soon" if ending.kind is EndingKind.ENDS_SOON else "ended"
    yield name
    if ending.is_new(now, within):
        yield f"new_{name}"
    if ending.kind is EndingKind.ENDS_SOON and ending.end < now + WEEK:
        yield "this_week"


def _has_usable_profile(store: ProvisioningStore, columns: Columns, tag: str) -> bool:
    profile = store.profile(tag, only=(columns.tag, columns.disabled))
    return profile is not None and not disables(profile.get(columns.disabled, False))


def _start_of(secret: Secret) -> Bound:
    return 0 if secret.start is None else secret.start


def _end_of(secret: Secret) -> Bound:
    return 0 if secret.end is None else secret.end


def _command(verb: str, *row: str, options: str) -> str:
    """Return a command about a row. No argument holds a NUL, so `--escaped` takes it as JSON escapes it."""
    if any(not word.isprintable() for word in row):
        row, options = tuple(json.dumps(word)[1:-1] for word in row), f"{options} --escaped"
    words = " ".join(map(shlex.quote, row))
    if any(word.startswith("-") for word in row):
        return f"auth-jwt secret {verb}{options} -- {words}"
    return f"auth-jwt secret {verb} {words}{options}"
