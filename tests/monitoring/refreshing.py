"""Lines of the function that fetches keys: its real handler over a refresher that says what came of each issuer."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.refreshing.models import Refreshed, RefreshOutcome
from tests.factories import NOW
from tests.issuers import ISSUER
from tools.dashboard.recorded import Recorded
from tools.events.stage import Stage, stage

KEYS_LIFETIME = 93_600
FETCHED = FetchStatus(version=1, fetched_at=NOW - 60)

ROUNDS: Mapping[str, Refreshed] = {
    "fetched": Refreshed(issuer=ISSUER, outcome=RefreshOutcome.UNCHANGED, status=FETCHED),
    "failing": Refreshed(
        issuer=ISSUER,
        outcome=RefreshOutcome.FAILED,
        status=FetchStatus(version=1, fetched_at=NOW - 1200, failures=4, failure="timeout"),
        problem=FetchFailed(FailureKind.TIMEOUT, "login.example.com did not answer in time"),
    ),
    "stale soon": Refreshed(
        issuer=ISSUER,
        outcome=RefreshOutcome.NOT_DUE,
        status=FetchStatus(version=1, fetched_at=NOW - KEYS_LIFETIME * 4 // 5),
    ),
    "moved": Refreshed(
        issuer=ISSUER,
        outcome=RefreshOutcome.UNCHANGED,
        status=FetchStatus(version=1, fetched_at=NOW, moved_to="https://keys.example.com/new"),
    ),
    "replaced": Refreshed(
        issuer=ISSUER, outcome=RefreshOutcome.REPLACED, status=FETCHED, keys=1, has_nothing_in_common=True
    ),
    "private key": Refreshed(
        issuer=ISSUER,
        outcome=RefreshOutcome.FAILED,
        status=FETCHED,
        problem=FetchFailed(FailureKind.PRIVATE_KEY_PUBLISHED, "login.example.com published a private key"),
    ),
}
"""What a refresh may come to, by the kind of its line."""


@dataclass(frozen=True)
class Issuers:
    """The port `RefreshStore`, as far as a round asks it."""

    names: Sequence[str] = (ISSUER,)

    def identifiers(self) -> list[str]:
        return list(self.names)


@dataclass(frozen=True)
class TheSameForAll:
    """A refresher to which every issuer comes to the same."""

    refreshed: Refreshed
    store: Issuers = Issuers()

    def clock(self) -> float:
        return NOW

    def refresh(self, identifier: str, *, minute: float) -> Refreshed:
        return self.refreshed


def record_refreshing(recorded: Recorded) -> None:
    """Keep a line of each kind of round."""
    with stage({"ISSUERS": ISSUER}, "refresh_keys") as made:
        for kind, refreshed in ROUNDS.items():
            recorded.keep("refresh_keys", kind, _refresher(made, TheSameForAll(refreshed)).ask({}))
        late = Stage(_without_time(made.handler), made.tables, "refresh_keys")
        _refresher(made, TheSameForAll(ROUNDS["fetched"], Issuers((ISSUER, f"{ISSUER}/2"))))
        recorded.keep("refresh_keys", "left", late.ask({}))


def _refresher(made: Stage, refresher: TheSameForAll) -> Stage:
    app = sys.modules["refresh_keys_app"].__dict__
    wired = app["RefreshService"](refresher, KEYS_LIFETIME)
    app["service"] = lambda _function_arn: wired
    return made


def _without_time(handler: Any) -> Any:
    """Let a function begin when its time is nearly over."""

    class Late:
        aws_request_id = "late"

        def get_remaining_time_in_millis(self) -> int:
            return 5_000

    return lambda event, _context: handler(event, Late())
