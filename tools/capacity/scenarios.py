"""Run the simulations of the page, and keep what came of them in `results.json`."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from tools.capacity.cost import Choice, Times, read_units_of_a_miss
from tools.capacity.inputs import FOLDER, Inputs, Quota
from tools.capacity.simulation import (
    Bucket,
    Function,
    Restart,
    Run,
    Second,
    poisson,
    quantile,
    registrations,
    simulate,
)

RESULTS: Final = FOLDER / "results.json"

Results = Mapping[str, Any]
Progress = Callable[[str], None]

_SECONDS_SHOWN: Final = 180
_FEWEST_ARRIVALS: Final = 20_000


def results_of(inputs: Inputs, progress: Progress = lambda _: None) -> Results:
    """Run everything that *inputs* ask for; it takes half a minute."""
    return {
        "digest": digest(inputs),
        "memory": list(_memories(inputs, progress)),
        "cold_starts": list(_cold_starts(inputs, progress)),
        "storms": list(_storms(inputs, progress)),
    }


def digest(inputs: Inputs) -> str:
    """Return what tells whether results came of these inputs: a hash of all that the simulation uses."""
    used = [asdict(inputs.durations), asdict(inputs.rows), asdict(inputs.simulation)]
    used.append({name: asdict(quota) for name, quota in inputs.quotas.items()})
    return hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:16]


def load(path: Path = RESULTS) -> Results:
    """Read the results kept in *path*."""
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    return results


def save(results: Results, path: Path = RESULTS) -> None:
    """Keep *results* in *path*, a line per run so that a difference can be read."""
    parts = []
    for name, value in results.items():
        if isinstance(value, list):
            runs = ",\n".join(f"  {json.dumps(run)}" for run in value)
            parts.append(f"{json.dumps(name)}: [\n{runs}\n ]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    path.write_text("{\n " + ",\n ".join(parts) + "\n}\n", encoding="utf-8")


def function_of(inputs: Inputs, *, ttl_seconds: float, snapstart: bool = True) -> Function:
    """Return how the function behaves at the simulated memory size, with nothing of an account's limits."""
    times = Times.of(Choice(memory_mb=int(inputs.simulation.memory_mb), snapstart=snapstart), inputs)
    wait = inputs.durations.miss_wait_ms
    return Function(
        hit_seconds=times.hit / 1000,
        miss_seconds=(times.miss - wait) / 1000,
        wait_seconds=wait / 1000,
        wait_spread=inputs.durations.miss_wait_spread,
        cold_seconds=(times.cold - times.miss) / 1000,
        ttl_seconds=ttl_seconds,
        most_tags=inputs.rows.most_remembered_tags,
        idle_seconds=inputs.simulation.idle_seconds,
    )


def memory_run(inputs: Inputs, *, rate: float, every: float, ttl: float) -> Run:
    """Let users whose tags are authorized *every* so many seconds come at *rate* a second together.

    What memory does repeats itself within *every* and *ttl*. Where that would be too many arrivals, the run is
    compressed: the number of users, both times and the bound of the memory are divided by the same number, which
    leaves every ratio, and so the hit rate, as it is while thousands of users are left: with few, a user comes back
    before another environment has become the one used last. Environments stay what they are.
    """
    stated = inputs.simulation
    function = function_of(inputs, ttl_seconds=ttl)
    seconds = 2 * (every + ttl)
    compression = max(1.0, rate * seconds / stated.most_arrivals)
    seconds = max(seconds / compression, _FEWEST_ARRIVALS / rate)
    rng = random.Random(stated.seed)  # noqa: S311 - chance, not secrecy
    users = max(1, round(rate * every / compression))
    arrivals = registrations(users, every=every / compression, jitter=stated.jitter, until=seconds, rng=rng)
    compressed = replace(
        function, ttl_seconds=ttl / compression, most_tags=max(1, round(function.most_tags / compression))
    )
    return simulate(arrivals, compressed, rng=rng, measured_from=seconds / 2)


def _memories(inputs: Inputs, progress: Progress) -> Iterator[Mapping[str, float]]:
    for every, ttl in inputs.simulation.memories:
        progress(f"memory: every {every:g} s, remembered for {ttl:g} s")
        for rate in inputs.simulation.rates:
            run = memory_run(inputs, rate=rate, every=every, ttl=ttl)
            yield {
                "every": every,
                "ttl": ttl,
                "rate": rate,
                "users": round(rate * every),
                "hit_rate": round(run.hit_rate, 4),
                "read_units_per_second": round(rate * (1 - run.hit_rate) * sum(read_units_of_a_miss(inputs)), 2),
                "busy": round(run.mean_busy, 2),
                "most_busy": run.most_busy,
                "p50_ms": _milliseconds(run.latencies, 0.5),
                "p99_ms": _milliseconds(run.latencies, 0.99),
            }


def _cold_starts(inputs: Inputs, progress: Progress) -> Iterator[Mapping[str, float]]:
    stated = inputs.simulation
    function = function_of(inputs, ttl_seconds=0)
    for rate in stated.rates_of_cold_starts:
        progress(f"cold starts: {rate:g} a second")
        rng = random.Random(stated.seed)  # noqa: S311
        settled = 2 * stated.idle_seconds
        until = settled + max(2 * stated.idle_seconds, _FEWEST_ARRIVALS / rate)
        run = simulate(poisson(rate, tags=1, until=until, rng=rng), function, rng=rng, measured_from=settled)
        yield {"rate": rate, "cold_share": round(run.cold_share, 7), "most_alive": run.most_alive}


def _storms(inputs: Inputs, progress: Progress) -> Iterator[Mapping[str, Any]]:
    storm = inputs.simulation.storm
    quotas = inputs.quotas
    raised = (quotas["gateway_requests_per_second"].value, quotas["gateway_burst"].value)
    for name, throttled, snapstart in (
        ("as shipped", (storm.throttle_rate, storm.throttle_burst), True),
        ("throttle raised", raised, True),
        ("throttle raised, no SnapStart", raised, False),
    ):
        progress(f"storm: {name}")
        yield {"name": name, **_storm(inputs, throttled, snapstart)}


def _storm(inputs: Inputs, throttled: tuple[float, float], snapstart: bool) -> Mapping[str, Any]:
    stated, storm, quotas = inputs.simulation, inputs.simulation.storm, inputs.quotas
    rng = random.Random(stated.seed)  # noqa: S311
    new: Quota = quotas["lambda_new_environments_per_10_seconds"]
    function = replace(
        function_of(inputs, ttl_seconds=60, snapstart=snapstart),
        most_environments=int(quotas["lambda_concurrency"].value),
        new_per_second=new.value / 10,
        new_at_once=new.value,
    )
    arrivals = registrations(
        storm.users,
        every=storm.every_seconds,
        jitter=stated.jitter,
        until=storm.until,
        rng=rng,
        restart=Restart(storm.starts_at, storm.spread_seconds),
    )
    run = simulate(
        arrivals,
        function,
        rng=rng,
        measured_from=storm.starts_at - 10,
        throttle=Bucket(*throttled),
        retry_seconds=stated.retry_seconds,
        by_seconds=True,
    )
    return {
        "answered": run.answered,
        "refused": run.refused,
        "cold": run.cold,
        "most_busy": run.most_busy,
        "done_after_s": round(run.last_answer_at - storm.starts_at, 1),
        "p50_ms": _milliseconds(run.latencies, 0.5),
        "p99_ms": _milliseconds(run.latencies, 0.99),
        "p50_wait_s": round(quantile(run.waits, 0.5), 3),
        "p99_wait_s": round(quantile(run.waits, 0.99), 3),
        "by_second": [
            _second(run.seconds.get(int(storm.starts_at) - 10 + offset, Second())) for offset in range(_SECONDS_SHOWN)
        ],
    }


def _second(second: Second) -> list[float]:
    """Return answered, refused, cold, busy and p99 latency of a second, the last 0 when nothing was answered."""
    p99 = _milliseconds(second.latencies, 0.99) if second.latencies else 0.0
    return [second.arrived, second.refused, second.cold, second.busy, p99]


def _milliseconds(seconds: list[float], share: float) -> float:
    return round(quantile(seconds, share) * 1000, 1)
