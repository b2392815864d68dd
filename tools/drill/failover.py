"""The failover drill: two regions, the tables of one are lost, and a client follows the health check to the other.

Each region is a server of moto and the real handler in a process of its own, as `make serve` runs it. The client does
what DNS and the alarm of stacks/failover.yaml would make it do, with shorter times. docs/regions.md computes real ones.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tools.drill import emulated, logins
from tools.drill.emulated import Emulator
from tools.drill.report import DrillReport
from tools.drill.restore import SETTINGS
from tools.drill.tables import fill, scan
from tools.events.stage import lambda_environment, template
from tools.serve.service import Options, RunningService, running

PRIMARY: Final = "eu-central-1"
SECONDARY: Final = "eu-west-1"
_ASK_SECONDS: Final = 0.1
_PATIENCE: Final = 30.0
_ANSWER_SECONDS: Final = 5.0
_SLACK_SECONDS: Final = 3.0
"""How much longer than computed anything may take here: a machine may be busy with other things."""


@dataclass(frozen=True, slots=True)
class Times:
    """The times of the drill, in seconds: those of an installation, made shorter.

    Attributes:
        cache_ttl: `CACHE_TTL_SECONDS`.
        stale: `STALE_IF_ERROR_SECONDS`.
        period: of the alarm.
        periods: how many in a row make the primary unhealthy.
        dns_ttl: how long the client goes by an answer of DNS.
    """

    cache_ttl: int = 1
    stale: int = 3
    period: float = 0.4
    periods: int = 3
    dns_ttl: float = 0.8

    @property
    def longest_until_refused(self) -> float:
        """How long a remembered user is served at most after the tables are lost."""
        return self.cache_ttl + self.stale

    @property
    def longest_until_moved(self) -> float:
        """How long a client whose logins fail stays, at most: the period in which they begin is not a whole one."""
        return (self.periods + 1) * self.period + self.dns_ttl


@dataclass(slots=True)
class Region:
    """A region of the drill.

    Attributes:
        name: of the region.
        emulator: its tables.
        service: its handler.
        variables: the handler's environment.
        read: how far its log was read.
    """

    name: str
    emulator: Emulator
    service: RunningService
    variables: Mapping[str, str] = field(repr=False)
    read: int = 0

    def ask(self, token: str) -> int:
        """Return the HTTP status of a login."""
        return self._request("POST", "/authorize", {"Authorization": f"Bearer {token}"})

    def health(self) -> int:
        """Return the HTTP status of `/health`."""
        return self._request("GET", "/health", {})

    def new_records(self) -> list[dict[str, Any]]:
        """Return the lines of the log since the last call."""
        with Path(self.service.log).open(encoding="utf-8") as log:
            log.seek(self.read)
            lines = log.readlines()
            self.read = log.tell()
        return [record for line in lines if isinstance(record := json.loads(line), dict) and "outcome" in record]

    def _request(self, method: str, path: str, headers: Mapping[str, str]) -> int:
        address = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, headers=dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()


@dataclass(slots=True)
class Alarm:
    """`FailoverFaultsAlarm`: sounds after so many periods with faults in a row, until a period says that there is none.

    A period without a count says nothing (`TreatMissingData: ignore`).

    Attributes:
        times: period, and how many of them.
        in_a_row: periods with faults.
        sounds: whether the primary is unhealthy.
        ends_at: when the current period ends.
        faults: counted in it.
        reset: whether an operator put a zero into it.
    """

    times: Times
    in_a_row: int = 0
    sounds: bool = False
    ends_at: float = field(default_factory=time.monotonic)
    faults: int = 0
    reset: bool = False

    def look(self, records: list[dict[str, Any]]) -> None:
        """Count the faults in new lines of the log, as CloudWatch does, and judge the periods that ended."""
        self.faults += sum(int(record.get("Fault", 0)) for record in records)
        now = time.monotonic()
        if now < self.ends_at:
            return
        self.ends_at = now + self.times.period
        if self.faults:
            self.in_a_row += 1
            self.sounds = self.sounds or self.in_a_row >= self.times.periods
        elif self.reset or not self.sounds:
            self.in_a_row, self.sounds = 0, False
        self.faults, self.reset = 0, False


@dataclass(slots=True)
class Client:
    """A SIP frontend: it asks the region that DNS names, and asks DNS again when the answer is too old.

    Attributes:
        regions: primary and secondary.
        alarm: decides what DNS answers.
        dns_ttl: in seconds.
        region: the one it asks.
        until: how long it goes by that.
        stale: how many of its logins the primary served by rows that were too old.
    """

    regions: tuple[Region, Region]
    alarm: Alarm
    dns_ttl: float
    region: Region = field(init=False)
    until: float = 0.0
    stale: int = 0

    def __post_init__(self) -> None:
        """Begin at the primary."""
        self.region = self.regions[0]

    def log_in(self, token: str) -> int:
        """Log in where DNS says, and let the alarm look at what the primary logged."""
        if time.monotonic() >= self.until:
            self.region = self.regions[int(self.alarm.sounds)]
            self.until = time.monotonic() + self.dns_ttl
        status = self.region.ask(token)
        records = self.regions[0].new_records()
        self.stale += sum(record.get("rows") == "stale" for record in records)
        self.alarm.look(records)
        return status

    def log_in_until(self, token: str, holds: Callable[[int], bool]) -> tuple[list[int], float]:
        """Log in until an answer is as wanted; the statuses of all answers, and how long it took.

        Raises:
            TimeoutError: none was.
        """
        begun, statuses = time.monotonic(), []
        while time.monotonic() < begun + _PATIENCE:
            statuses.append(self.log_in(token))
            if holds(statuses[-1]):
                return statuses, time.monotonic() - begun
            time.sleep(_ASK_SECONDS)
        raise TimeoutError(f"no answer was as wanted; the last one, of {self.region.name}, was {statuses[-1]}")


def drill(report: DrillReport, times: Times | None = None, tag: str = "alice-web") -> None:
    """Do it. What fails stands in the *report*."""
    times = times or Times()
    with ExitStack() as open_things, report.ending():
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="auth-jwt-drill-")))
        primary, secondary = _regions(times, folder, open_things, report)
        token = logins.minted(primary.variables, primary.emulator.client("dynamodb"), tag, seconds=600)
        report.need("signed a token", token is not None)
        client = Client((primary, secondary), Alarm(times), times.dns_ttl)
        _log_in_as_usual(client, str(token), report)
        lost_at = _lose_tables(client, str(token), report)
        _served_stale_then_refused(client, str(token), times, lost_at, report)
        _moved(client, str(token), times, lost_at, report)
        _revoked_there(client, str(token), tag, times, report)
        _returned(client, str(token), times, open_things, report)


def _regions(times: Times, folder: Path, open_things: ExitStack, report: DrillReport) -> tuple[Region, Region]:
    """Start both regions, and copy the rows of the first to the second, as replication would have."""
    emulators = open_things.enter_context(emulated.running(PRIMARY, SECONDARY))
    first, second = (emulator.client("dynamodb") for emulator in emulators)
    names = emulated.make_stack(first)
    emulated.make_stack(second, rows=False)
    replicate(first, second, names)
    report.done("two regions, each with its own tables", "rows copied as replication would have")
    regions = []
    for emulator in emulators:
        settings = {
            "DB_URL": f"dynamodb+{emulator.endpoint}/{emulator.region}",
            **{SETTINGS[parameter]: name for parameter, name in names.items()},
            "CACHE_TTL_SECONDS": str(times.cache_ttl),
            "STALE_IF_ERROR_SECONDS": str(times.stale),
            "STORE_TIMEOUT_MS": "2000",  # a busy machine: the first read of a server that just began takes its time
        }
        options = Options(port=0, workers=1, log=str(folder / f"{emulator.region}.log"), api_key=None)
        service = open_things.enter_context(running(options, settings, lambda _: None))
        variables = lambda_environment(template(), settings)
        regions.append(Region(emulator.region, emulator, service, variables))
    report.done("a real handler in each", f"{PRIMARY} is the primary")
    return regions[0], regions[1]


def replicate(source: Any, target: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401 - clients of moto
    """Copy the rows of all tables. Nothing was deleted meanwhile, which replication would carry over, too."""
    for name in names.values():
        fill(target, name, scan(source, name))


def _log_in_as_usual(client: Client, token: str, report: DrillReport) -> None:
    status = client.log_in(token)
    report.need("a login in the primary", status == 200, f"HTTP {status}")
    status = client.regions[1].health()
    report.check("/health of the standby", status == 200, f"HTTP {status}")


def _lose_tables(client: Client, token: str, report: DrillReport) -> float:
    """Stop the server with the primary's tables, right after a login, so that its rows are as new as may be."""
    primary = client.regions[0]
    client.log_in(token)
    primary.emulator.stop()
    report.done(f"the tables of {primary.name} are lost")
    return time.monotonic()


def _served_stale_then_refused(client: Client, token: str, times: Times, lost_at: float, report: DrillReport) -> None:
    statuses, _ = client.log_in_until(token, lambda status: status != 200)
    refused_after = time.monotonic() - lost_at
    report.figures["served_after_loss"] = refused_after
    report.check(
        "a remembered user is served meanwhile",
        set(statuses[:-1]) == {200} and client.stale > 0,
        f"{len(statuses) - 1} logins, {client.stale} of them by stale rows",
    )
    report.check(
        "then logins fail with 503, never with a denial",
        statuses[-1] == 503
        and 0 <= refused_after - times.stale + times.cache_ttl <= 2 * times.cache_ttl + _SLACK_SECONDS,
        f"after {refused_after:.1f} s of at most {times.longest_until_refused} (CACHE_TTL and STALE_IF_ERROR_SECONDS)",
    )
    status = client.regions[0].health()
    report.check("/health sees nothing of it", status == 200, f"HTTP {status}: a check of it alone would not fail over")


def _moved(client: Client, token: str, times: Times, lost_at: float, report: DrillReport) -> None:
    begun = time.monotonic()
    statuses, _ = client.log_in_until(token, lambda status: status == 200)
    moved_after = time.monotonic() - begun
    report.figures["refused_until_moved"] = moved_after
    report.figures["loss_until_moved"] = time.monotonic() - lost_at
    report.need("the client logs in at the standby", client.region is client.regions[1], client.region.name)
    longest = times.longest_until_moved
    report.check(
        "the alarm and DNS moved it in time",
        moved_after <= longest + _SLACK_SECONDS and set(statuses[:-1]) == {503},
        f"{moved_after:.1f} s of at most {longest:.1f}, {len(statuses) - 1} logins failed",
    )


def _revoked_there(client: Client, token: str, tag: str, times: Times, report: DrillReport) -> None:
    standby = client.regions[1]
    operator = logins.operator(standby.variables, standby.emulator.client("dynamodb"))
    operator.revocations.revoke_all(tag)
    begun = time.monotonic()
    client.log_in_until(token, lambda status: status == 401)
    seen_after = time.monotonic() - begun
    report.figures["revocation_seen"] = seen_after
    report.check(
        "a revocation written at the standby holds there",
        seen_after <= times.cache_ttl + _SLACK_SECONDS,
        f"after {seen_after:.1f} s of at most {times.cache_ttl} (CACHE_TTL_SECONDS)",
    )


def _returned(client: Client, token: str, times: Times, open_things: ExitStack, report: DrillReport) -> None:
    """Bring the primary's tables back with what the standby wrote, and go back when an operator says so."""
    primary, standby = client.regions
    emulator = emulated.start(primary.name, port=primary.emulator.port)
    open_things.callback(emulator.stop)
    emulated.wait_until_ready(emulator)
    primary.emulator = emulator
    names = emulated.make_stack(emulator.client("dynamodb"), rows=False)
    replicate(standby.emulator.client("dynamodb"), emulator.client("dynamodb"), names)
    report.done(f"the tables of {primary.name} are back", "with the rows that the standby has")
    for _ in range(times.periods + 2):
        client.log_in(token)
        time.sleep(times.period)
    report.check("the client does not go back by itself", client.region is standby, client.region.name)
    client.alarm.reset = True
    _, back_after = client.log_in_until(token, lambda _: client.region is primary)
    report.figures["returned"] = back_after
    status = primary.ask(token)
    report.check("it goes back when an operator ends the alarm", client.region is primary, f"after {back_after:.1f} s")
    report.check("the revocation holds there, too", status == 401, f"HTTP {status}")
