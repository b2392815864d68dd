"""How long a region's loss lasts for logins, computed: the table of docs/regions.md."""

from dataclasses import dataclass
from typing import Final

CHECKERS: Final = 16
"""How many of Route 53's checkers ask one endpoint: its locations, two in each of eight regions. Some 15 by others."""

HEALTHY_SHARE: Final = 0.18
"""More than this share of the checkers must find an endpoint healthy."""

SIP_TIMER_B: Final = 32.0
"""Seconds after which a SIP client gives up a request: 64 * T1 (RFC 3261, 17.1.1.2)."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The times of an installation, in seconds, by the template's defaults.

    Attributes:
        cache_ttl: `CacheTtlSeconds`.
        stale: `StaleIfErrorSeconds`.
        alarm_period: of `FailoverFaultsAlarm`.
        alarm_periods: how many in a row.
        alarm_delay: until CloudWatch has counted a log line and judged a period: assumed.
        check_interval: of Route 53's checkers.
        check_threshold: failed checks in a row.
        dns_ttl: of the alias record: assumed, since AWS does not say it for API Gateway.
        operator: how long an operator needs to find out and decide: assumed.
    """

    cache_ttl: float = 60
    stale: float = 300
    alarm_period: float = 60
    alarm_periods: int = 3
    alarm_delay: float = 60
    check_interval: float = 30
    check_threshold: int = 3
    dns_ttl: float = 60
    operator: float = 900

    @property
    def served(self) -> float:
        """How long a user whom a process remembers is served at most."""
        return self.cache_ttl + self.stale

    @property
    def by_faults(self) -> float:
        """From the first faults to the last request to the lost region: a period begins before it, at most."""
        return (self.alarm_periods + 1) * self.alarm_period + self.alarm_delay + self.dns_ttl

    @property
    def by_health(self) -> float:
        """The same from the moment that `/health` fails."""
        return (self.check_threshold + 1) * self.check_interval + self.dns_ttl

    @property
    def by_operator(self) -> float:
        """The same by hand."""
        return self.operator + self.alarm_period + self.alarm_delay + self.dns_ttl


def requests_a_second(interval: float, checkers: int = CHECKERS) -> float:
    """Return how many checks arrive in a second on average; the checkers do not agree on when."""
    return checkers / interval


def healthy_checkers(success: float, threshold: int) -> float:
    """Return the share of checkers that find an endpoint healthy, of whose answers a share *success* is good.

    A checker changes its mind after *threshold* answers in a row, from either side. In the long run it holds each
    opinion as long as it takes to lose it: the mean number of answers until *threshold* in a row of one kind.
    """

    def answers_until(share: float) -> float:
        return float("inf") if share == 0 else (share**-threshold - 1) / (1 - share) if share < 1 else threshold

    lost, won = answers_until(1 - success), answers_until(success)
    if lost == float("inf"):
        return 1.0
    return 0.0 if won == float("inf") else lost / (lost + won)


def flood_that_fails_over(limit: float, interval: float, threshold: int) -> int:
    """Return how many requests a second by anybody make Route 53 leave an endpoint with a throttle of *limit* a second.

    Beyond the throttle every request gets its share of it: 429 else, which a checker takes for a failure.
    """
    checks = requests_a_second(interval)
    flood = 0
    while True:
        flood += 1
        success = min(1.0, limit / (flood + checks))
        if healthy_checkers(success, threshold) <= HEALTHY_SHARE:
            return flood


def table(times: Installation) -> str:
    """Return the table as Markdown."""
    rows = [
        (
            "a user whom a process remembers is served",
            f"at most {times.served:.0f} s",
            "`CACHE_TTL_SECONDS` + `STALE_IF_ERROR_SECONDS`",
        ),
        ("a user whom none remembers", "fails at once", "503, SIP 503; with registrations of an hour nearly everybody"),
        (
            "`FailoverBy=faults`: from the first faults to the last login in the lost region",
            f"at most {times.by_faults:.0f} s",
            f"{times.alarm_periods} whole periods of {times.alarm_period:.0f} s and the one begun,"
            f" {times.alarm_delay:.0f} s for counting (assumed), {times.dns_ttl:.0f} s of DNS (assumed)",
        ),
        (
            "`FailoverBy=health`: from the first failed `/health`",
            f"at most {times.by_health:.0f} s",
            f"{times.check_threshold} checks of {times.check_interval:.0f} s and the one begun,"
            f" {times.dns_ttl:.0f} s of DNS (assumed)",
        ),
        (
            "`FailoverBy=operator`: from the alarm to the last login in the lost region",
            f"some {times.by_operator:.0f} s",
            f"{times.operator:.0f} s to find out and decide (assumed), one period, counting, DNS",
        ),
        (
            "a SIP client's own patience",
            f"{SIP_TIMER_B:.0f} s",
            "timer B and F, RFC 3261: a REGISTER fails meanwhile, and is tried again as `Retry-After` says",
        ),
        (
            "checks of `/health` that arrive, every 30 s and every 10 s",
            f"{requests_a_second(30):.1f} and {requests_a_second(10):.1f} a second",
            f"{CHECKERS} checkers (assumed) that do not agree on when; the throttle lets 5 a second through",
        ),
        (
            "requests to `/health` by anybody that make Route 53 leave a sound region",
            f"{flood_that_fails_over(5, 30, times.check_threshold)} a second",
            f"the throttle's 5 a second are shared, others get 429; unhealthy at {HEALTHY_SHARE:.0%} of the checkers",
        ),
    ]
    lines = ["| what | how long, how many | why |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
