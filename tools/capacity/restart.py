"""What a frontend's restart needs at once, beside what a new account and the template have of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.capacity.cost import Choice, Times, read_units_of_a_miss
from tools.capacity.inputs import Inputs, Quota
from tools.capacity.simulation import concurrency


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One thing that a restart may meet.

    Attributes:
        what: the thing, with its unit.
        needed: how much of it the restart takes.
        there: how much of it there is at first.
        raised_by: how it becomes more.
        source: where AWS says so; empty for what is ours.
    """

    what: str
    needed: float
    there: float
    raised_by: str
    source: str = ""

    @property
    def suffices(self) -> bool:
        """Whether there is enough at first."""
        return self.needed <= self.there


def bottlenecks(inputs: Inputs, results: Mapping[str, Any]) -> Iterator[Bottleneck]:
    """Yield what the restart of the simulation meets: all its users, by the REST API, with nothing remembered.

    Args:
        inputs: the stated inputs.
        results: of the simulation, which says how many environments there are at once.
    """
    storm, quotas = inputs.simulation.storm, inputs.quotas
    rate = storm.users / storm.spread_seconds
    busy = {each["name"]: each for each in results["storms"]}
    raised, without = busy["throttle raised"], busy["throttle raised, no SnapStart"]
    warm = concurrency(rate, Times.of(Choice(), inputs).miss / 1000)
    units = rate * max(read_units_of_a_miss(inputs))

    def of_aws(what: str, needed: float, quota: Quota) -> Bottleneck:
        return Bottleneck(what, needed, quota.value, quota.raised_by, quota.source)

    yield Bottleneck(
        "`ThrottleRate`, requests a second", rate, storm.throttle_rate, "the parameter, up to the account's"
    )
    yield Bottleneck(
        "`ThrottleBurst`, for a whole second at once", rate, storm.throttle_burst, "the parameter, likewise"
    )
    yield of_aws("API Gateway, requests a second", rate, quotas["gateway_requests_per_second"])
    yield of_aws("API Gateway, burst", rate, quotas["gateway_burst"])
    concurrent = quotas["lambda_concurrency"]
    yield of_aws("Lambda, warm: requests at once", warm, concurrent)
    yield of_aws("Lambda, from nothing, by SnapStart: requests at once", raised["most_busy"], concurrent)
    yield of_aws("Lambda, from nothing, without SnapStart: requests at once", without["most_busy"] + 1, concurrent)
    per_unit = quotas["lambda_requests_per_concurrency"]
    allowed = Quota(value=concurrent.value * per_unit.value, raised_by=per_unit.raised_by, source=per_unit.source)
    yield of_aws("Lambda, requests a second by its concurrency", rate, allowed)
    new = quotas["lambda_new_environments_per_10_seconds"]
    yield of_aws("Lambda, new environments in 10 seconds, by SnapStart", raised["cold"], new)
    yield of_aws("DynamoDB, read units a second of each table", units, quotas["new_table_read_units_per_second"])
    yield of_aws("DynamoDB, read units a second of one tag", 1.0, quotas["partition_read_units_per_second"])
