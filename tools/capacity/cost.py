"""What authorizations cost, from stated prices and the shape of a request.

Every figure is US dollars. A cost per million takes the first tier of every price, as an account with little else has
it; the cost of a month takes the tiers.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from typing import Any

from tools.capacity.inputs import Inputs
from tools.capacity.read_units import read_units

Json = dict[str, Any]

MILLION = 1_000_000
SECONDS_PER_MONTH = 730 * 3600
_HOURS_PER_MONTH = 730
_DAYS_PER_MONTH = 730 / 24
_GIGABYTE = 1e9  # logs, transfer and tables are billed by it; memory by 1024 MB


class Entry(StrEnum):
    """How a request comes in."""

    REST = "rest"
    HTTP = "http"
    FUNCTION_URL = "function_url"
    DIRECT = "direct"
    AUTHORIZER = "authorizer"

    @property
    def called(self) -> str:
        """What people call it."""
        return _TITLES[self]


_TITLES = {
    Entry.REST: "REST API",
    Entry.HTTP: "HTTP API",
    Entry.FUNCTION_URL: "Function URL",
    Entry.DIRECT: "direct (SDK)",
    Entry.AUTHORIZER: "as authorizer",
}
_PRICES_OF_REQUESTS = {Entry.REST: "rest_api_requests", Entry.HTTP: "http_api_requests"}


class Item(StrEnum):
    """What costs."""

    GATEWAY = "API Gateway"
    REQUESTS = "Lambda requests"
    DURATION = "Lambda duration"
    RESTORES = "SnapStart restores"
    READS = "DynamoDB reads"
    LOGS = "logs ingested"
    KEPT = "logs kept"
    TRACES = "X-Ray traces"
    TRANSFER = "data transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an operator chose; the defaults are those of template.yaml.

    Attributes:
        entry: how requests come in.
        region: whose prices.
        memory_mb: `MemorySize`.
        architecture: `Architecture`.
        hit_rate: share of requests whose rows are in memory.
        cold_share: share of requests that start an environment; None for the reference of the inputs.
        rate: requests a second; None for the reference of the inputs.
        snapstart: `SnapStart`.
        in_region: whether the callers are in the stack's own region, so that no answer leaves it.
        log_level: `LogLevel`.
        authorized_log: `AuthorizedLog`.
        authorized_percent: `AuthorizedLogPercent`.
        system_log_level: `SystemLogLevel`.
        call_id: whether frontends send the Call-ID, which the log shows.
        tracing: `Tracing`.
        retention_days: `LogRetentionDays`.
        access_logs: `AccessLogs`.
        revocations: whether there is a `RevocationsTable`, where each miss looks as well.
    """

    entry: Entry = Entry.REST
    region: str = "us-east-1"
    memory_mb: int = 512
    architecture: str = "arm64"
    hit_rate: float = 0.0
    cold_share: float | None = None
    rate: float | None = None
    snapstart: bool = True
    in_region: bool = False
    log_level: str = "INFO"
    authorized_log: str = "lean"
    authorized_percent: float = 100
    system_log_level: str = "WARN"
    call_id: bool = False
    tracing: str = "PassThrough"
    retention_days: int = 30
    access_logs: bool = False
    revocations: bool = False

    def but(self, **changes: object) -> "Choice":
        """Return this choice with some things chosen otherwise."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Times:
    """How long a request takes inside Lambda, by what it meets: milliseconds.

    Attributes:
        hit: its rows are in memory.
        miss: the tables are read.
        cold: the tables are read, and an environment had to be made for it first.
        cold_billed: what of `cold` is billed.
    """

    hit: float
    miss: float
    cold: float
    cold_billed: float

    @classmethod
    def of(cls, choice: Choice, inputs: Inputs) -> "Times":
        """Return the times at the memory size and architecture of *choice*."""
        stated = inputs.durations
        factor = stated.processor_factor * (stated.arm64_factor if choice.architecture == "arm64" else 1.0)
        share = min(1.0, choice.memory_mb / stated.full_processor_mb)

        def processing(cpu_ms: float) -> float:
            return cpu_ms * factor / share

        hit = processing(stated.hit_cpu_ms + stated.runtime_cpu_ms)
        waits = 2 if choice.revocations else 1  # profile and secrets at once, and then the revocation
        miss = processing(stated.miss_cpu_ms + stated.runtime_cpu_ms) + waits * stated.miss_wait_ms
        if choice.snapstart:
            unbilled = stated.restore_ms
            billed = stated.restore_billed_ms + processing(stated.restored_first_cpu_ms) + stated.first_wait_ms
        else:
            unbilled = stated.environment_ms
            loading = stated.init_cpu_ms * factor / max(share, stated.init_share)
            billed = loading + processing(stated.first_cpu_ms) + stated.first_wait_ms
        return cls(hit=hit, miss=miss, cold=unbilled + billed + miss, cold_billed=billed + miss)


@dataclass(frozen=True, slots=True)
class Bill:
    """What each item costs, in US dollars; items that cost nothing are there, too."""

    costs: dict[Item, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All items together."""
        return sum(self.costs.values())

    def __getitem__(self, item: Item) -> float:
        return self.costs[item]


def per_million(choice: Choice, inputs: Inputs) -> Bill:
    """Return what a million authorizations cost, all at the first tier."""
    return _bill(MILLION, choice, inputs)


def per_month(rate: float, choice: Choice, inputs: Inputs) -> Bill:
    """Return what a month of *rate* authorizations a second costs, tiers applied."""
    return _bill(rate * SECONDS_PER_MONTH, choice.but(rate=rate), inputs)


def every_cost(inputs: Inputs, *, memory_sizes: Sequence[int], hit_rates: Sequence[float]) -> Iterator[Json]:
    """Yield what a million authorizations cost by everything that is chosen, as JSON for machines."""
    for region, entry, architecture, memory, hits in product(
        inputs.regions, Entry, ("arm64", "x86_64"), memory_sizes, hit_rates
    ):
        choice = Choice(entry=entry, region=region, memory_mb=memory, architecture=architecture, hit_rate=hits)
        bill = per_million(choice, inputs)
        yield {
            "region": region,
            "entry": entry.value,
            "architecture": architecture,
            "memory_mb": memory,
            "hit_rate": hits,
            "dollars": {item.value: round(cost, 4) for item, cost in bill.costs.items()},
            "total": round(bill.total, 4),
        }


def read_units_of_a_miss(inputs: Inputs, *, consistent: bool = False) -> tuple[float, float]:
    """Return the read units of one look at the profiles, and of one at the secrets."""
    rows = inputs.rows
    return (
        read_units([rows.profile_bytes], consistent=consistent),
        read_units([rows.secret_bytes] * int(rows.secrets_per_tag), consistent=consistent),
    )


def read_units_of_a_revocation(choice: Choice) -> float:
    """Return the read units of one look at the table of revoked tokens, 0 where there is none."""
    return read_units([], consistent=True) if choice.revocations else 0.0


def log_bytes(choice: Choice, inputs: Inputs) -> float:
    """Return what CloudWatch Logs ingests for one request that was authorized, in bytes."""
    log = inputs.log
    is_lean = choice.authorized_log == "lean"
    whole = (log.lean_line_bytes if is_lean else log.line_bytes)[choice.entry]
    whole += log.call_id_bytes if choice.call_id else 0.0
    counted = log.counted_line_bytes if is_lean else log.quiet_line_bytes
    share = choice.authorized_percent / 100 if choice.log_level == "INFO" else 0.0
    lines, events = [share * whole + (1 - share) * counted], 1.0
    if is_lean:
        lines.append(log.added_bytes)
    if choice.system_log_level != "WARN":
        lines.append(log.platform_bytes)
        events += log.platform_lines
    if choice.access_logs and choice.entry is Entry.REST:
        lines.append(log.access_line_bytes)
        events += 1
    return sum(lines) + events * log.event_overhead_bytes


def traced_share(rate: float, choice: Choice, inputs: Inputs) -> float:
    """Return the share of requests that is traced at *rate* requests a second, when no caller asks for a trace."""
    return inputs.tracing.share_at(rate) if choice.tracing == "Active" else 0.0


def floor_of(choice: Choice, inputs: Inputs) -> float:
    """Return what a million requests cost that do nothing: the entry's own price and the Lambda requests."""
    bill = per_million(choice, inputs)
    return bill[Item.GATEWAY] + bill[Item.REQUESTS]


def times_floor(choice: Choice, inputs: Inputs) -> float:
    """Return how many times the floor a million authorizations cost."""
    return per_million(choice, inputs).total / floor_of(choice, inputs)


def goal_of(entry: Entry, inputs: Inputs) -> float | None:
    """Return how many times the floor the *entry* may cost; None for one that has no goal."""
    if entry is Entry.AUTHORIZER:
        return None
    return inputs.goals.of_an_api if entry in _PRICES_OF_REQUESTS else inputs.goals.of_an_invocation


def billed_ms(choice: Choice, inputs: Inputs) -> float:
    """Return the milliseconds billed for a request on average; Lambda rounds each up to a whole one."""
    times = Times.of(choice, inputs)
    cold = _cold_share(choice, inputs)
    warm = choice.hit_rate * math.ceil(times.hit) + (1 - choice.hit_rate) * math.ceil(times.miss)
    return (1 - cold) * warm + cold * math.ceil(times.cold_billed)


def _cold_share(choice: Choice, inputs: Inputs) -> float:
    return inputs.request.reference_cold_share if choice.cold_share is None else choice.cold_share


def _bill(quantity: float, choice: Choice, inputs: Inputs) -> Bill:
    def priced(name: str, units: float) -> float:
        return inputs.price(name, choice.region).of(units)

    request = inputs.request
    gigabytes_of_memory = choice.memory_mb / 1024
    logged = quantity * log_bytes(choice, inputs) / _GIGABYTE
    months_kept = choice.retention_days / _DAYS_PER_MONTH
    misses = 1 - choice.hit_rate
    units = misses * (sum(read_units_of_a_miss(inputs)) + read_units_of_a_revocation(choice))
    units += request.second_looks * sum(read_units_of_a_miss(inputs, consistent=True))
    traced = traced_share(request.reference_rate if choice.rate is None else choice.rate, choice, inputs)
    billed_answers = request.answers_in_the_region if choice.in_region else request.answers_to_the_internet
    to_the_internet = 0.0 if choice.entry is Entry.AUTHORIZER else billed_answers
    gateway = _PRICES_OF_REQUESTS.get(choice.entry)
    restores = quantity * _cold_share(choice, inputs) * gigabytes_of_memory if choice.snapstart else 0.0
    return Bill(
        {
            Item.GATEWAY: priced(gateway, quantity) if gateway else 0.0,
            Item.REQUESTS: priced("lambda_requests", quantity),
            Item.DURATION: priced(
                f"lambda_gb_seconds_{choice.architecture}",
                quantity * billed_ms(choice, inputs) / 1000 * gigabytes_of_memory,
            ),
            Item.RESTORES: priced("snapstart_restored_gb", restores),
            Item.READS: priced("read_request_units", quantity * units),
            Item.LOGS: priced("lambda_log_gb", logged),
            Item.KEPT: priced("log_gb_months", logged * inputs.log.compression * months_kept),
            Item.TRACES: priced("traces", quantity * traced),
            Item.TRANSFER: priced("internet_gb", quantity * to_the_internet * request.answer_bytes / _GIGABYTE),
        }
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """A monthly cost that is there whether requests come or not.

    Attributes:
        what: what costs.
        units: how much of it, in words.
        dollars: a month of it.
        switch: the parameter that it depends on.
    """

    what: str
    units: str
    dollars: float
    switch: str


def standing_costs(choice: Choice, inputs: Inputs) -> Iterable[Standing]:
    """Yield what a stack costs in a month without a single request."""

    def priced(name: str, units: float) -> float:
        return inputs.price(name, choice.region).of(units)

    stack, metrics, rows = inputs.stack, inputs.metrics, inputs.rows
    snapshots = stack.versions * choice.memory_mb / 1024 * SECONDS_PER_MONTH if choice.snapstart else 0.0
    bytes_per_tag = rows.profile_bytes + rows.secrets_per_tag * rows.secret_bytes + 100 * (1 + rows.secrets_per_tag)
    gigabytes = stack.tags * bytes_per_tag / _GIGABYTE
    kms_requests = stack.kms_requests_per_hour * _HOURS_PER_MONTH
    yield Standing(
        "SnapStart's snapshots",
        f"{stack.versions:g} versions of {choice.memory_mb} MB",
        priced("snapstart_cached_gb_seconds", snapshots),
        "`SnapStart`, `MemorySize`",
    )
    yield Standing(
        "custom metrics, as usual",
        f"{metrics.usual * metrics.functions:g} seen in every hour",
        priced("custom_metric_months", metrics.usual * metrics.functions),
        "none; counted in the hours they are sent",
    )
    yield Standing(
        "custom metrics, at most",
        f"{metrics.most * metrics.functions:g} in every hour",
        priced("custom_metric_months", metrics.most * metrics.functions),
        "none",
    )
    yield Standing(
        "alarms",
        f"{stack.alarms:g}, which read {stack.alarm_metrics:g} metrics",
        priced("alarm_months", stack.alarm_metrics),
        "`AlarmTopicArn`",
    )
    yield Standing(
        "the dashboard",
        f"{stack.dashboards:g}; the first three of an account are free",
        priced("dashboard_months", stack.dashboards),
        "none",
    )
    yield Standing(
        "KMS, for the tables",
        f"at most {kms_requests:,.0f} requests",
        priced("kms_requests", kms_requests),
        f"none; your own key (`KmsKeyArn`) adds ${priced('kms_key_months', 1):.2f}",
    )
    yield Standing(
        "tables and their recovery",
        f"{stack.tags:,.0f} tags, {gigabytes:.2f} GB",
        priced("table_gb_months", gigabytes) + priced("recovery_gb_months", gigabytes),
        "`CreateTables`",
    )
