"""Hours of simulated traffic: lines of the real handlers at simulated times, and the metrics that AWS's services add.

What is not the project's own, such as durations beside the code's, is made up in realistic sizes. The same seed makes
the same hour. The metrics of AWS have their documented names and dimensions: tests/monitoring/aws_metrics.json.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Final

from tools.dashboard.metrics import Metric, Metrics
from tools.dashboard.recorded import Call, Recorded
from tools.dashboard.stack import EVERYTHING, Monitoring, counting

BEGINNING: Final = 1_800_000_000 - 1_800_000_000 % 3600
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
GATEWAY_MS: Final = 8.0
RESTORE_MS: Final = 420.0

NORMAL: Final = {
    "authorized": 880,
    "authorized by another": 60,
    "token_expired": 14,
    "unknown_tag": 5,
    "bad_signature": 4,
    "malformed_token": 3,
    "username_mismatch": 1,
    "challenged": 30,
    "rejected": 3,
}
"""Requests of each kind among a thousand: an hour in which nobody has to do anything."""


@dataclass(slots=True)
class Hour:
    """Simulated time of a stack.

    Attributes:
        recorded: what the handlers write.
        metrics: what CloudWatch has of it.
        start: the first second.
        chance: makes sizes differ.
        kinds: chooses the requests. It is another chance, because how many sizes an hour needs depends on how fast
            the lines were recorded: a slow machine reads tables again where a fast one remembers.
    """

    recorded: Recorded
    metrics: Metrics
    start: int = BEGINNING
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - it makes up traffic
    kinds: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - it makes up traffic

    @classmethod
    def of(cls, recorded: Recorded, monitoring: Monitoring) -> "Hour":
        """Make an empty hour of a stack, whose metric filters look at the lines."""
        return cls(recorded, Metrics([*monitoring.filters, *counting()]))

    # -- requests of SIP frontends ------------------------------------------------------------------------------------

    def request(self, second: int, kind: str, *, waited_ms: float = 0.0) -> None:
        """Let a frontend send a request of a *kind*, which waits for that long before its function begins."""
        call = self.recorded["authorize", kind]
        duration = _duration_of(call) * self.chance.uniform(0.8, 1.6) + 1.0
        self.call("authorize", kind, second, duration_ms=duration)
        self.answer(second, call.status or 200, waited_ms + duration)
        if call.record.get("rows") == "table":
            self._reads(second)

    def answer(self, second: int, status: int, function_ms: float | None = None) -> None:
        """Count an answer of the REST API; one without *function_ms* is the gateway's own."""
        api = {"ApiName": EVERYTHING["RestApiName"], "Stage": EVERYTHING["StageName"]}
        latency = GATEWAY_MS * self.chance.uniform(0.5, 2.0) + (function_ms or 0.0)
        values = {"Count": 1.0, "4XXError": status // 100 == 4, "5XXError": status // 100 == 5, "Latency": latency}
        if function_ms is not None:
            values["IntegrationLatency"] = function_ms + 2.0
        for name, value in values.items():
            self.metrics.put(Metric.of("AWS/ApiGateway", name, api), second, float(value))
        error = "-" if function_ms is not None else {429: "THROTTLED"}.get(status, "INTEGRATION_FAILURE")
        self.metrics.add_line(json.dumps({"resource": "/authorize", "status": str(status), "error": error}), second)

    # -- functions ----------------------------------------------------------------------------------------------------

    def call(self, service: str, kind: str, second: int, *, duration_ms: float | None = None) -> None:
        """Let a function be called: its lines are counted, and Lambda counts the call."""
        call = self.recorded[service, kind]
        for line in (*call.others, call.line):
            self.metrics.add_line(line, second)
        duration = _duration_of(call) if duration_ms is None else duration_ms
        self.invoked(service, second, duration_ms=duration, failed=call.raised)

    def invoked(self, service: str, second: int, *, duration_ms: float = 5.0, failed: bool = False) -> None:
        """Count an invocation as Lambda does."""
        for name, value in {"Invocations": 1.0, "Errors": float(failed), "Duration": duration_ms}.items():
            self.lambda_count(service, name, second, value)
        self.lambda_count(service, "ConcurrentExecutions", second, max(1.0, duration_ms / 20))

    def lambda_count(self, service: str, name: str, second: int, value: float = 1.0) -> None:
        """Count something of a function, and of the whole account, as Lambda does."""
        self.metrics.put(Metric.of("AWS/Lambda", name, {"FunctionName": function_name(service)}), second, value)
        self.metrics.put(Metric.of("AWS/Lambda", name), second, value)

    # -- time that passes ---------------------------------------------------------------------------------------------

    def traffic(self, first: int, last: int, kinds: dict[str, int] | None = None, *, a_minute: int = 60) -> None:
        """Let requests come from minute *first* up to minute *last*, so many a minute, of *kinds* by their weight."""
        weights = NORMAL if kinds is None else kinds
        names, shares = list(weights), list(weights.values())
        for minute in range(first, last):
            for kind in self.kinds.choices(names, shares, k=round(a_minute * self.kinds.uniform(0.8, 1.2))):
                self.request(self.at(minute, self.chance.randrange(MINUTE)), kind)

    def background(self, first: int, last: int) -> None:
        """Let everything run from minute *first* up to minute *last* that runs by a schedule, or for other APIs."""
        for minute in range(first, last):
            self.call("refresh_keys", "done", self.at(minute, 1), duration_ms=180)
            for _ in range(6):
                second = self.at(minute, self.chance.randrange(MINUTE))
                self.call("gateway_authorizer", "unauthorized" if self.kinds.random() < 0.03 else "allowed", second)
            usage = {"Type": "Resource", "Resource": "ConcurrentExecutions", "Service": "Lambda", "Class": "None"}
            self.metrics.put(Metric.of("AWS/Usage", "ResourceCount", usage), self.at(minute), 4.0)

    def daily_check(self, minute: int, kind: str) -> None:
        """Let the daily check for secrets that end run; a *minute* below 0 is one before the hour."""
        self.call("ending_secrets", kind, self.at(minute), duration_ms=900)

    def days_before(self, kind: str) -> None:
        """Let weeks have passed before the hour: with a rotation, and daily checks, of a *kind* in the last three."""
        for day in range(14):
            known = "nothing new ends" if kind == "secrets end" else kind
            self.daily_check(-120 - day * 1440, kind if day == 0 else known if day < 3 else "nothing ends")
        for second in range(4):
            self.call("rotate_secrets", "done", self.at(-20 * 1440, second), duration_ms=400)

    def at(self, minute: int, second: int = 0) -> int:
        """Return the second at which a *minute* of the hour begins, or a *second* of that minute."""
        return self.start + minute * MINUTE + second

    def _reads(self, second: int) -> None:
        tables = {EVERYTHING["SecretsTable"]: "Query", EVERYTHING["ProfilesTable"]: "GetItem"}
        for table, operation in tables.items():
            of_operation = {"TableName": table, "Operation": operation}
            took = self.chance.uniform(2.0, 6.0)
            self.metrics.put(Metric.of("AWS/DynamoDB", "SuccessfulRequestLatency", of_operation), second, took)
            self.metrics.put(Metric.of("AWS/DynamoDB", "ConsumedReadCapacityUnits", {"TableName": table}), second, 0.5)


def normal_hour(recorded: Recorded, monitoring: Monitoring) -> Hour:
    """Make an hour in which nothing is wrong, with the small things that every hour has.

    That is a few denials, challenges and malformed requests; cold starts; deferred logins after an issuer's rotation;
    one read of a table that failed; one minute of a client that guesses; too many health checks, which get 429.
    """
    hour = Hour.of(recorded, monitoring)
    hour.background(0, 60)
    hour.days_before("nothing ends")
    hour.traffic(0, 60)
    for minute in (0, 31):
        hour.request(hour.at(minute, 3), "authorized, cold", waited_ms=RESTORE_MS)
    for second in (4, 9, 40):
        hour.request(hour.at(20, second), "deferred")
    hour.request(hour.at(40, 7), "stale")
    hour.request(hour.at(40, 8), "fault")
    hour.call("gateway_authorizer", "stale", hour.at(40, 7))
    hour.traffic(50, 51, {"unknown_tag": 1}, a_minute=15)
    health = {"resource": "/health", "status": "429", "error": "THROTTLED"}
    for minute in range(10, 20):
        hour.metrics.add_line(json.dumps(health), hour.at(minute, 30))
    return hour


def bad_hour(recorded: Recorded, monitoring: Monitoring) -> Hour:
    """Make an hour with an outage of DynamoDB from minute 15 to 27, and tokens of an unknown key from minute 40."""
    hour = Hour.of(recorded, monitoring)
    hour.background(0, 60)
    hour.days_before("secrets end")
    hour.traffic(0, 15)
    hour.request(hour.at(0, 3), "authorized, cold", waited_ms=RESTORE_MS)
    hour.traffic(15, 20, {"stale": 93, "fault": 4, "challenged": 3})
    hour.traffic(20, 27, {"fault": 97, "challenged": 3}, a_minute=110)
    for minute in range(15, 27):
        for table, operation in ((EVERYTHING["SecretsTable"], "Query"), (EVERYTHING["ProfilesTable"], "GetItem")):
            errors = Metric.of("AWS/DynamoDB", "SystemErrors", {"TableName": table, "Operation": operation})
            hour.metrics.put(errors, hour.at(minute, 20), *([1.0] * 55))
    hour.traffic(27, 40)
    hour.request(hour.at(27, 3), "authorized, cold", waited_ms=RESTORE_MS)
    hour.traffic(40, 60, {**NORMAL, "bad_signature": 450})
    for minute in range(28, 31):
        for _ in range(25):
            hour.answer(hour.at(minute, 30), 429)
    return hour


def function_name(service: str) -> str:
    """Return the name of a service's function."""
    return f"{EVERYTHING['Stack']}-{service.replace('_', '-')}"


def _duration_of(call: Call) -> float:
    return float(call.record.get("duration_ms", 1.0))
