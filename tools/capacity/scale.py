"""What must be raised for a rate of authorizations: what it needs, beside what there is of it at first."""

from collections.abc import Iterator
from dataclasses import dataclass

from tools.capacity.cost import Choice, Times, log_bytes, read_units_of_a_miss, read_units_of_a_revocation, traced_share
from tools.capacity.inputs import Inputs
from tools.capacity.simulation import concurrency


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a rate needs.

    Attributes:
        what: what is needed, and in which unit.
        amount: how much of it.
        quota: how much there is of it at first; None where nothing bounds it.
        raised_by: how it becomes more.
    """

    what: str
    amount: float
    quota: float | None
    raised_by: str


def needs(rate: float, inputs: Inputs, choice: Choice | None = None) -> Iterator[Need]:
    """Yield what *rate* authorizations a second need when no row is remembered.

    Concurrency is the larger of two: what Little's law says of the durations, and what lets Lambda accept so many
    requests, ten a second for each unit of concurrency. What is asked of AWS or set includes the headroom.
    """
    choice = choice or Choice()
    quotas, stated = inputs.quotas, inputs.scale
    times = Times.of(choice, inputs)
    per_unit = quotas["lambda_requests_per_concurrency"].value
    asked = max(concurrency(rate, times.miss / 1000), rate / per_unit) * stated.headroom
    units = max(*read_units_of_a_miss(inputs), read_units_of_a_revocation(choice))
    throttle = inputs.simulation.storm

    def need(what: str, amount: float, quota: str) -> Need:
        return Need(what, amount, quotas[quota].value, quotas[quota].raised_by)

    yield Need("concurrent requests, all hits", concurrency(rate, times.hit / 1000), None, "")
    yield Need("concurrent requests, all misses", concurrency(rate, times.miss / 1000), None, "")
    yield Need(f"concurrency for {per_unit:g} requests a second each", rate / per_unit, None, "")
    yield need("Lambda concurrency to ask for", asked, "lambda_concurrency")
    yield need("API Gateway requests a second", rate * stated.headroom, "gateway_requests_per_second")
    yield Need(
        "`ThrottleRate` of the template",
        rate * stated.headroom,
        throttle.throttle_rate,
        "the parameter, and `ThrottleBurst` with it",
    )
    yield need("read units a second, each table, at first", rate * units, "new_table_read_units_per_second")
    yield need("read units a second, each table", rate * units, "table_read_units_per_second")
    partition = quotas["partition_read_units_per_second"].value
    yield Need("partitions under each table, at least", max(1.0, rate * units / partition), None, "")
    yield Need("logs, MB a second", rate * log_bytes(choice, inputs) / 1e6, None, "")
    active = choice.but(tracing="Active")
    yield Need("traces a second, `Tracing=Active`", rate * traced_share(rate, active, inputs), None, "")


def reads_of_a_hot_tag(inputs: Inputs) -> float:
    """Return how many reads of one tag a second its partition bears, memory aside."""
    return inputs.quotas["partition_read_units_per_second"].value / max(read_units_of_a_miss(inputs))
