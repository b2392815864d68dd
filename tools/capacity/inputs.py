"""Read the stated inputs: prices, quotas, and the shape of a request. `inputs.toml` says what each of them means."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "capacity"
"""Where the page is, and what it is made from."""
DEFAULT: Final = FOLDER / "inputs.toml"

_T = TypeVar("_T")


class InputsError(ValueError):
    """An inputs file lacks something, or has it of the wrong type; the message names the place."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a quantity costs in one region.

    Attributes:
        per: how many units a tier's price is for.
        tiers: pairs of how many units in a month a tier reaches up to, and its price in US dollars.
        source: the page that says so.
        certain: whether a published text said the same when it was written down.
    """

    per: float
    tiers: tuple[tuple[float, float], ...]
    source: str
    certain: bool

    def of(self, quantity: float) -> float:
        """Return what *quantity* units in one month cost, in US dollars, each tier at its own price."""
        cost, below = 0.0, 0.0
        for up_to, price in self.tiers:
            cost += max(0.0, min(quantity, up_to) - below) * price / self.per
            below = up_to
        return cost

    @property
    def first(self) -> float:
        """The price of the first tier."""
        return self.tiers[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a fresh account may use in a region, and how it becomes more."""

    value: float
    raised_by: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a request is like, whatever the entry. Shares are 0 to 1."""

    answer_bytes: float
    answers_to_the_internet: float
    answers_in_the_region: float
    second_looks: float
    reference_rate: float
    reference_cold_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a request writes to the logs, in bytes."""

    line_bytes: Mapping[str, float]
    lean_line_bytes: Mapping[str, float]
    quiet_line_bytes: float
    counted_line_bytes: float
    call_id_bytes: float
    added_bytes: float
    platform_lines: float
    platform_bytes: float
    access_line_bytes: float
    event_overhead_bytes: float
    compression: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How many custom metrics there can be."""

    functions: float
    outcomes: float
    rows_to_put_right: float
    denial_reasons: float
    rejection_reasons: float
    fault_reasons: float
    usual: float

    @property
    def most(self) -> float:
        """All that one function can show: each name under `service`, and under `service` and `reason`."""
        reasons = self.denial_reasons + self.rejection_reasons + self.fault_reasons
        with_reason = reasons + self.rows_to_put_right * (self.denial_reasons + self.fault_reasons)
        return self.outcomes + self.rows_to_put_right + with_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the rows of a tag weigh, in bytes: in the tables and in the function's memory."""

    profile_bytes: float
    secret_bytes: float
    secrets_per_tag: float
    remembered_bytes_per_tag: float
    memory_bound_bytes: float

    @property
    def most_remembered_tags(self) -> int:
        """How many tags the memory of one environment holds."""
        return int(self.memory_bound_bytes // self.remembered_bytes_per_tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a stack has, used or not."""

    alarms: float
    alarm_metrics: float
    dashboards: float
    versions: float
    tables: float
    kms_requests_per_hour: float
    tags: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Which requests X-Ray samples: so many a second, and a share of the others."""

    per_second: float
    share_of_the_rest: float

    def share_at(self, rate: float) -> float:
        """Return the share of requests that is traced at *rate* requests a second."""
        return (min(rate, self.per_second) + max(0.0, rate - self.per_second) * self.share_of_the_rest) / rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """How many times the floor a million authorizations may cost at a hit rate."""

    hit_rate: float
    of_an_api: float
    of_an_invocation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long the parts of a request take: processor time on the machine measured on, and waiting."""

    hit_cpu_ms: float
    miss_cpu_ms: float
    miss_wait_ms: float
    miss_wait_spread: float
    runtime_cpu_ms: float
    init_cpu_ms: float
    first_cpu_ms: float
    restored_first_cpu_ms: float
    first_wait_ms: float
    environment_ms: float
    restore_ms: float
    restore_billed_ms: float
    processor_factor: float
    arm64_factor: float
    full_processor_mb: float
    init_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The rates to prepare for, in authorizations a second, and by how much more."""

    rates: Sequence[float]
    headroom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A frontend restarts, and all its users register anew. Times are seconds since the beginning of the run."""

    users: int
    every_seconds: float
    starts_at: float
    spread_seconds: float
    until: float
    throttle_rate: float
    throttle_burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is simulated."""

    seed: int
    memory_mb: float
    jitter: float
    idle_seconds: float
    retry_seconds: float
    rates: Sequence[float]
    rates_of_cold_starts: Sequence[float]
    most_arrivals: int
    memories: Sequence[Sequence[float]]
    storm: Storm


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that the page is computed from."""

    date: date
    regions: tuple[str, ...]
    prices: Mapping[str, Mapping[str, Price]]
    quotas: Mapping[str, Quota]
    request: Request
    log: Log
    metrics: Metrics
    rows: Rows
    stack: Stack
    tracing: Tracing
    goals: Goals
    durations: Durations
    scale: Scale
    simulation: Simulation

    def price(self, name: str, region: str) -> Price:
        """Return the price called *name* in *region*.

        Raises:
            InputsError: there is none.
        """
        try:
            return self.prices[name][region]
        except KeyError:
            raise InputsError(f"no price {name!r} for {region!r}") from None

    @classmethod
    def load(cls, path: Path = DEFAULT) -> "Inputs":
        """Read the inputs in the TOML file *path*.

        Raises:
            InputsError: something is missing, unknown or of the wrong type.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise InputsError(f"{path}: {error}") from error
        regions = tuple(table.get("regions", ()))
        table["regions"] = regions
        table["prices"] = {name: _prices(name, stated, regions) for name, stated in _section(table, "prices").items()}
        table["quotas"] = {
            name: _filled(Quota, stated, f"quotas.{name}") for name, stated in _section(table, "quotas").items()
        }
        return _filled(cls, table, "inputs")


def _section(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise InputsError(f"no section {name!r}")
    return section


def _prices(name: str, stated: Mapping[str, Any], regions: Sequence[str]) -> Mapping[str, Price]:
    unknown = stated.keys() - {"per", "source", "check", *regions}
    missing = {"per", "source", "check", *regions} - stated.keys()
    if unknown or missing:
        raise InputsError(f"prices.{name}: unknown {sorted(unknown)}, missing {sorted(missing)}")
    found = {}
    for region in regions:
        tiers = stated[region] if isinstance(stated[region], list) else [[math.inf, stated[region]]]
        bounds = [up_to for up_to, _ in tiers]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf:
            raise InputsError(f"prices.{name}: the tiers of {region} must rise, the last up to inf")
        pairs = tuple((float(up_to), float(price)) for up_to, price in tiers)
        found[region] = Price(float(stated["per"]), pairs, stated["source"], region not in stated["check"])
    return found


def _filled(kind: type[_T], stated: Mapping[str, Any], where: str) -> _T:
    """Make a *kind* of a table that must have exactly its fields; tables in it become the dataclasses they are for."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # only dataclasses come here
    if names != stated.keys():
        unknown, missing = sorted(stated.keys() - names), sorted(names - stated.keys())
        raise InputsError(f"{where}: unknown {unknown}, missing {missing}")
    values = {}
    for name, hint in get_type_hints(kind).items():
        value = stated[name]
        if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__") and isinstance(value, Mapping):
            value = _filled(hint, value, name)
        elif hint in (int, float) and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise InputsError(f"{where}.{name}: {value!r} is no number, 0 or more")
        values[name] = value
    return kind(**values)
