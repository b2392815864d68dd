"""EventBridge calls this function every minute: it fetches the keys of issuers and writes them into the tables.

Logins read them there and never fetch anything. `auth_jwt.refreshing.refresher` refreshes one issuer. This function
does so for all that are due, side by side, and says in one line what came of it.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from auth_jwt.errors import Fault, UnknownEvent
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.provisioning.audit import AuditEntry, AuditTarget
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import target_of
from auth_jwt.refreshing.models import Refreshed, RefreshOutcome
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.wiring import refresher_of
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import RefreshSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call, answer_or_fault

WORKERS: Final = 32
SECONDS_FOR_ONE: Final = 15.0
"""How long one issuer may take: two documents of five seconds each, and the tables. None begins with less time left."""

SECONDS_FOR_THE_LINE: Final = 3.0
"""When the round ends, before its time is over, so that its line is written and its metrics are counted.

Tables that hang can take longer than `SECONDS_FOR_ONE`. A refresh that has not ended goes on with the next round, and
its write happens only if nobody wrote meanwhile.
"""

MAX_NAMED: Final = 20  # issuers, in one line
ISSUERS_LEFT: Final = "IssuersLeft"
"""The metric of issuers that a round left to the next one. It names none: others come last the next time."""

_SCHEDULERS: Final = ("aws.events", "aws.scheduler")


def lambda_handler(event: object, context: object) -> dict[str, int]:
    """Refresh what is due.

    Args:
        event: that of a schedule, or an empty object.
        context: Lambda's context of the call.

    Returns:
        How many issuers there are for each outcome; see `auth_jwt.refreshing.models.RefreshOutcome`.

    Raises:
        Fault: the tables could not be read or written, of one issuer at least. The others were refreshed.
    """
    return answer_or_fault(journal(), context, lambda call: _refresh_all(event, context, call))


def _refresh_all(event: object, context: object, call: Call) -> dict[str, int]:
    if not isinstance(event, dict) or not (event == {} or event.get("source") in _SCHEDULERS):
        raise UnknownEvent("neither the event of a schedule nor an empty object")
    wired = service(getattr(context, "invoked_function_arn", None))
    left = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)
    outcome = refresh_all(wired.refresher, seconds_left=lambda: left() / 1000)
    for refreshed in outcome.refreshed:
        warn_of(refreshed, journal())
    counts = outcome.count()
    alarms = outcome.find_alarms(wired.refresher.clock(), wired.keys_lifetime)
    call.noted |= {
        "issuers": counts,
        **{_NAMES[name]: each[:MAX_NAMED] for name, each in alarms.items() if each},
    }
    call.counts = {name: len(issuers) for name, issuers in alarms.items() if issuers}
    if outcome.left:
        call.counts = {**call.counts, ISSUERS_LEFT: outcome.left}
    if outcome.faults:
        raise Fault(f"{len(outcome.faults)} of the issuers were not refreshed") from outcome.faults[0]
    call.record(Outcome.DONE)
    return counts


# -- what all calls share ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefreshService:
    """What all calls share: made at the first call, kept while the process lives.

    Attributes:
        refresher: refreshes one issuer.
        keys_lifetime: for how many seconds after a successful fetch keys verify.
    """

    refresher: Refresher
    keys_lifetime: int


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("refresh_keys", os.environ)


@cache
def service(function_arn: str | None = None) -> RefreshService:
    """Read the environment and wire the service, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    settings, rules = Settings.from_env(os.environ), RefreshSettings.from_env(os.environ)
    journal().warn_of_near_misses(near_misses(os.environ))
    target = target_of(settings, function_arn=function_arn)
    database = settings.database
    client = provisioning_client(region=database.region, endpoint=database.endpoint, connections=WORKERS)
    refresher = refresher_of(settings, rules, client, actor="refresh_keys", audit=partial(write_audit, target))
    return RefreshService(refresher, settings.keys_lifetime)


def write_audit(target: AuditTarget, entry: AuditEntry) -> None:
    """Write the audit line of a change of keys into the log of the function.

    Raises:
        NotAudited: the line cannot be written.
    """
    journal().record_write(entry.as_line(target))


# -- a round ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round.

    Attributes:
        refreshed: what was done for each issuer.
        faults: why the others were not refreshed.
        left: how many issuers were left to the next round, because the time was over.
    """

    refreshed: Sequence[Refreshed]
    faults: Sequence[Exception]
    left: int

    def count(self) -> dict[str, int]:
        """Return how many issuers there are for each outcome, those that were left among them."""
        counts = Counter(refreshed.outcome.value for refreshed in self.refreshed)
        counts |= Counter({"fault": len(self.faults), "left": self.left})
        return {outcome: count for outcome, count in sorted(counts.items()) if count}

    def find_alarms(self, now: float, keys_lifetime: float) -> Mapping[str, list[str]]:
        """Return the issuers that each alarm is about, by the name of its metric; docs/issuers.md explains them."""
        watched = [each for each in self.refreshed if each.outcome not in _UNWATCHED]
        known = [(each.issuer, each.status) for each in watched if each.status is not None]
        failing = [issuer for issuer, status in known if status.is_failing(now)]
        unusable = [each.issuer for each in watched if each.outcome is RefreshOutcome.UNUSABLE]
        return {
            "RefreshFailed": sorted({*failing, *unusable}),
            "StaleKeysSoon": [issuer for issuer, status in known if status.is_stale_soon(now, keys_lifetime)],
            "JwksUriChanged": [issuer for issuer, status in known if status.moved_to is not None],
            "KeysReplaced": [each.issuer for each in watched if each.has_nothing_in_common],
            "PrivateKeyPublished": [each.issuer for each in watched if each.publishes_private_key],
        }


_NAMES: Final = {
    "RefreshFailed": "failing",
    "StaleKeysSoon": "stale_soon",
    "JwksUriChanged": "moved",
    "KeysReplaced": "replaced",
    "PrivateKeyPublished": "private_key_published",
}
"""The metric of each alarm, and the member of the log line that names the issuers."""

_UNWATCHED: Final = (RefreshOutcome.DISABLED, RefreshOutcome.GONE, RefreshOutcome.NOT_SET)


def refresh_all(refresher: Refresher, *, seconds_left: Callable[[], float]) -> Round:
    """Refresh all issuers that are due, many at the same time, so that a slow one delays no other.

    The order is random: when the time is over before the last, others come last in the next round.

    Raises:
        Fault: the registry of issuers cannot be read.
    """
    minute = refresher.clock()
    identifiers = refresher.store.identifiers()
    random.shuffle(identifiers)

    def refresh(identifier: str) -> Refreshed | Exception | None:
        if seconds_left() < SECONDS_FOR_ONE:
            return None
        try:
            return refresher.refresh(identifier, minute=minute)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other issuers are refreshed
            return error

    pool = ThreadPoolExecutor(WORKERS)
    done, unfinished = wait(
        [pool.submit(refresh, identifier) for identifier in identifiers],
        timeout=max(seconds_left() - SECONDS_FOR_THE_LINE, 0),
    )
    pool.shutdown(wait=False)
    not_begun = sum(future.cancel() for future in unfinished)
    overdue = [Fault("the refresh of an issuer did not end in time")] * (len(unfinished) - not_begun)
    results = [future.result() for future in done]
    return Round(
        [result for result in results if isinstance(result, Refreshed)],
        [*(result for result in results if isinstance(result, Exception)), *overdue],
        results.count(None) + not_begun,
    )


def warn_of(refreshed: Refreshed, log: Journal) -> None:
    """Write a line for each thing about an issuer that an operator should know. A summary has the rest."""
    issuer = refreshed.issuer
    if isinstance(refreshed.problem, FetchFailed):
        log.warn(
            f"the keys of an issuer were not fetched: {refreshed.problem}",
            reason=refreshed.problem.kind.value,
            issuer=issuer,
            failures=None if refreshed.status is None else refreshed.status.failures,
        )
    elif refreshed.problem is not None:
        log.warn(f"the rows of an issuer cannot be used: {refreshed.problem}", reason="unusable", issuer=issuer)
    if refreshed.discovery_problem is not None:
        log.warn(
            f"the discovery document of an issuer was not read: {refreshed.discovery_problem}",
            reason=refreshed.discovery_problem.kind.value,
            issuer=issuer,
        )
    if refreshed.has_nothing_in_common:
        log.warn(
            "an issuer published keys that share none with those of before: they were taken",
            reason="keys_replaced",
            issuer=issuer,
        )
    if refreshed.dropped and refreshed.outcome is RefreshOutcome.REPLACED:
        log.warn(
            "keys of an issuer were left out, because they can verify nothing",
            reason="keys_dropped",
            issuer=issuer,
            dropped=refreshed.dropped,
        )
