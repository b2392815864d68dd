"""EventBridge Scheduler calls this function once a day: it names the tags whose secrets end and have no successor.

`auth_jwt.provisioning.endings` reads the table and judges. This function writes a line for each tag that it found, and
one line with the counts, which alarms watch.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from auth_jwt.errors import NotFinished, UnknownEvent
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.endings import (
    Ending,
    EndingKind,
    Pace,
    find_endings,
    find_overdue_rotation,
)
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import tables_of
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import EndingSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call, answer_or_fault

if TYPE_CHECKING:
    from decimal import Decimal

MAX_NAMED: Final = 100
"""How many tags of each kind get a line of their own, new ones and old ones each. The counts have them all."""

SECONDS_FOR_THE_LINE: Final = 30.0
"""With less time left the check gives up, so that its line is written. One call takes 21 seconds at most."""

_DAY: Final = 86400
_SCHEDULERS: Final = ("aws.events", "aws.scheduler")
_MESSAGES: Final = {
    EndingKind.ENDS_SOON: ("secret_ends_soon", "the secrets of a tag end soon, and none is open then"),
    EndingKind.ENDED: ("secret_ended", "the last secret of a tag has ended: its users are refused"),
}


def lambda_handler(event: object, context: object) -> dict[str, int]:
    """Check all secrets.

    Args:
        event: that of a schedule, or an empty object.
        context: Lambda's context of the call.

    Returns:
        How many tags were found, by the name of the metric.

    Raises:
        Fault: the tables were not read to the end.
    """
    return answer_or_fault(journal(), context, lambda call: _check(event, context, call))


def _check(event: object, context: object, call: Call) -> dict[str, int]:
    if not isinstance(event, dict) or not (event == {} or event.get("source") in _SCHEDULERS):
        raise UnknownEvent("neither the event of a schedule nor an empty object")
    wired = service()
    left = getattr(context, "get_remaining_time_in_millis", lambda: _DAY * 1000)
    now = wired.clock()
    pace = Pace(wired.rules.max_read_units, clock=time.monotonic, pause=wired.pause)

    def proceed(read_units: float, rows: int) -> None:
        call.noted["secrets_read"] = rows
        pace.keep(read_units)
        if left() / 1000 < SECONDS_FOR_THE_LINE:
            raise NotFinished(f"the time was over after {rows} rows of the secrets table")

    call.counts = _count_overdue(wired, now)  # first: it takes one read, and a scan that fails must not hide it
    within = wired.rules.within_days * _DAY
    endings = find_endings(wired.store, wired.columns, now=now, within=within, proceed=proceed)
    found = endings.counts
    counts = {
        "SecretEndsSoon": found.new_soon,
        "SecretEndsThisWeek": found.this_week,
        "SecretsEnding": found.soon,
        "SecretEnded": found.new_ended,
        "SecretsEnded": found.ended,
        **call.counts,
    }
    for kind in (endings.soon, endings.ended):
        for are_new in (True, False):
            alike = [ending for ending in kind if ending.is_new(now, within) is are_new]
            _warn_of(alike, wired.rules.rotated_tag, are_new=are_new)
    call.noted |= {
        "ends_soon": found.soon,
        "ended": found.ended,
        "not_looked_up": endings.more_soon + endings.more_ended,
    }
    call.counts = counts
    call.record(Outcome.DONE)
    return counts


def _count_overdue(wired: "EndingService", now: float) -> dict[str, int]:
    """Return whether the rotation is overdue, as a metric; nothing where no tag is rotated. Warn when it is."""
    rules = wired.rules
    if rules.rotated_tag is None or rules.rotation_days is None:
        return {}
    # Secrets Manager rotates at any time of the day that is due; docs/operations.md has the source.
    every = rules.rotation_days * _DAY + max(rules.overlap, _DAY)
    overdue = find_overdue_rotation(wired.store, wired.columns, rules.rotated_tag, now=now, every=every)
    if overdue is None:
        return {"RotationOverdue": 0}
    journal().warn(
        "the secret of a tag was not rotated when it was due",
        reason="rotation_overdue",
        tag=overdue.tag,
        secret_id=overdue.secret_id,
        rotated=_instant(overdue.rotated),
        mend=_ROTATE,
    )
    return {"RotationOverdue": 1}


# -- what all calls share ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndingService:
    """What all calls share: made at the first call, kept while the process lives.

    Attributes:
        store: the tables.
        columns: the names of their columns.
        rules: the settings of the check.
        clock: returns the time in UNIX seconds.
        pause: waits for so many seconds.
    """

    store: ProvisioningStore
    columns: Columns
    rules: EndingSettings
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("ending_secrets", os.environ)


@cache
def service() -> EndingService:
    """Read the environment and wire the service, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    settings, rules = Settings.from_env(os.environ), EndingSettings.from_env(os.environ)
    journal().warn_of_near_misses(near_misses(os.environ))
    client = provisioning_client(region=settings.database.region, endpoint=settings.database.endpoint)
    return EndingService(tables_of(settings, client), settings.columns, rules)


# -- the lines --------------------------------------------------------------------------------------------------------


def _warn_of(endings: Sequence[Ending], rotated_tag: str | None, *, are_new: bool) -> None:
    """Write a line for each of the first tags that were found."""
    for ending in endings[:MAX_NAMED]:
        reason, message = _MESSAGES[ending.kind]
        journal().warn(
            message,
            reason=reason,
            tag=ending.tag,
            secret_id=ending.secret_id,
            ends=_instant(ending.end),
            opens_again=_instant(ending.opens_again),
            new=are_new,
            mend=_ROTATE if ending.tag == rotated_tag else ending.remedy,
        )


_ROTATE: Final = "aws secretsmanager rotate-secret --secret-id SECRET"
"""The issuer of a rotated tag reads its secret from Secrets Manager, and no other command may give it one."""


def _instant(seconds: "int | Decimal | None") -> str | None:
    """Return UNIX *seconds* as a date in UTC; as a number where the calendar has no such date."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
