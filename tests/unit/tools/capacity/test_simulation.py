"""The simulation agrees with what can be computed without one, and is the same for the same seed."""

import math
import random
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import pytest

from tools.capacity.inputs import Inputs
from tools.capacity.scenarios import memory_run
from tools.capacity.simulation import (
    Bucket,
    Function,
    Restart,
    Run,
    cold_share_of_random_arrivals,
    concurrency,
    hit_rate_of_random_arrivals,
    poisson,
    quantile,
    registrations,
    simulate,
)

NEVER = 1e12
PLAIN = Function(
    hit_seconds=0.001, miss_seconds=0.001, cold_seconds=0.0, ttl_seconds=60, idle_seconds=NEVER
)  # fmt: skip


def chance(seed: int = 1) -> random.Random:
    return random.Random(seed)


def run_of(arrivals: list[tuple[float, int]], function: Function = PLAIN) -> Run:
    return simulate(arrivals, function, rng=chance())


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_rows_serve_until_their_time_is_over() -> None:
    assert run_of([(0, 1), (59.9, 1)]).hits == 1
    assert run_of([(0, 1), (60.0, 1)]).hits == 0


def test_the_time_counts_from_the_read_not_from_the_last_use() -> None:
    assert run_of([(0, 1), (40, 1), (80, 1), (119, 1)]).hits == 2


def test_without_a_memory_all_are_misses() -> None:
    assert run_of([(0, 1), (1, 1)], replace(PLAIN, ttl_seconds=0)).hits == 0


def test_an_environment_forgets_the_tag_used_least_recently() -> None:
    two = replace(PLAIN, most_tags=2)

    assert run_of([(0, 1), (1, 2), (2, 1), (3, 3), (4, 1)], two).hits == 2
    assert run_of([(0, 1), (1, 2), (2, 1), (3, 3), (4, 2)], two).hits == 1


def test_a_request_that_finds_none_idle_waits_for_a_new_environment() -> None:
    slow = replace(PLAIN, miss_seconds=1.0, cold_seconds=2.0)

    run = run_of([(0, 1), (0.5, 2), (10, 3)], slow)

    assert run.latencies == [3.0, 3.0, 1.0]
    assert (run.cold, run.most_busy) == (2, 2)


def test_each_environment_has_a_memory_of_its_own() -> None:
    slow = replace(PLAIN, miss_seconds=1.0)

    assert run_of([(0, 1), (0.9, 1)], slow).hits == 0
    assert run_of([(0, 1), (1.0, 1)], slow).hits == 1


def test_the_environment_used_last_goes_first() -> None:
    slow = replace(PLAIN, miss_seconds=1.0)
    # tag 1 is read by one environment, then tag 2 by another, which is free later
    both = [(0.0, 1), (0.5, 2)]

    assert run_of([*both, (10, 2)], slow).hits == 1
    assert run_of([*both, (10, 1)], slow).hits == 0


@pytest.mark.parametrize(("pause", "cold"), [(9.9, 1), (10.0, 2)])
def test_an_idle_environment_ends_with_its_memory(pause: float, cold: int) -> None:
    mortal = replace(PLAIN, idle_seconds=10, miss_seconds=1.0)

    run = run_of([(0, 1), (1 + pause, 1)], mortal)

    assert run.cold == cold
    assert run.hits == 2 - cold


def test_beyond_the_concurrency_requests_are_refused() -> None:
    one = replace(PLAIN, miss_seconds=1.0, most_environments=1)

    run = run_of([(0, 1), (0.5, 2), (1.5, 3)], one)

    assert (run.answered, run.refused) == (2, 1)


def test_new_environments_are_made_so_many_at_once_and_so_many_a_second() -> None:
    bounded = replace(PLAIN, miss_seconds=100.0, new_at_once=2, new_per_second=1)

    run = run_of([(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)], bounded)

    assert (run.answered, run.refused) == (3, 2)


def test_who_is_refused_comes_again_until_answered() -> None:
    one = replace(PLAIN, miss_seconds=1.0, most_environments=1)

    run = simulate([(0, 1), (0.5, 2)], one, rng=chance(), retry_seconds=2)

    assert (run.answered, run.refused) == (2, 1)
    assert 1.0 < run.waits[1] - 1.0 < 3.0
    assert run.latencies[1] == 1.0


def test_a_throttle_lets_through_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(per_second=1, at_once=3)

    assert [bucket.takes(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.takes(2) for _ in range(3)] == [True, True, False]


def test_what_comes_before_the_measuring_only_fills_memory() -> None:
    run = simulate([(0, 1), (5, 1), (6, 2)], PLAIN, rng=chance(), measured_from=5)

    assert (run.answered, run.hits) == (2, 1)


def test_a_run_by_seconds_is_the_run() -> None:
    run = simulate([(0.1, 1), (0.2, 2), (3.0, 1)], PLAIN, rng=chance(), by_seconds=True)

    assert {at: second.arrived for at, second in run.seconds.items()} == {0: 2, 3: 1}


# -- by formula -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_of_a_tag", [0.005, 0.05])
def test_one_environment_hits_as_the_formula_says(rate_of_a_tag: float) -> None:
    """A tag at random r times a second, remembered for t: r t / (1 + r t)."""
    instant = replace(PLAIN, hit_seconds=0.0, miss_seconds=0.0)
    arrivals = poisson(100 * rate_of_a_tag, tags=100, until=60_000 / rate_of_a_tag / 100, rng=chance())

    run = simulate(arrivals, instant, rng=chance(), measured_from=600)

    assert run.most_busy == 1
    assert run.hit_rate == pytest.approx(hit_rate_of_random_arrivals(rate_of_a_tag, 60), abs=0.01)


def test_more_environments_hit_less() -> None:
    one, four = (hit_rate_of_random_arrivals(0.1, 60, environments=number) for number in (1, 4))

    assert one == pytest.approx(6 / 7)
    assert four == pytest.approx(1.5 / 2.5)


@pytest.mark.parametrize(("every", "ttl", "hit_rate"), [(60, 59, 0), (60, 61, 1 / 2), (60, 181, 3 / 4)])
def test_a_tag_that_comes_regularly_hits_as_often_as_it_fits_into_its_time(
    every: float, ttl: float, hit_rate: float
) -> None:
    """Of each read and the floor(ttl / every) requests that it serves, only the first is a miss."""
    arrivals = registrations(50, every=every, jitter=0, until=every * 401, rng=chance())

    run = simulate(arrivals, replace(PLAIN, hit_seconds=0.0, miss_seconds=0.0, ttl_seconds=ttl), rng=chance(),
                   measured_from=every)  # fmt: skip

    assert run.hit_rate == pytest.approx(hit_rate, abs=0.01)


@pytest.mark.parametrize("rate", [0.5, 20.0, 200.0])
def test_concurrency_is_rate_times_duration(rate: float) -> None:
    """Environments that come at need are a queue without a queue (M/G/infinity): Little's law gives the mean."""
    seconds = 0.05
    function = replace(PLAIN, hit_seconds=seconds, miss_seconds=seconds)

    run = simulate(poisson(rate, tags=10, until=40_000 / rate, rng=chance()), function, rng=chance())

    assert run.mean_busy == pytest.approx(concurrency(rate, seconds), rel=0.05)


def test_concurrency_depends_on_the_mean_duration_alone() -> None:
    """Little's law asks for the mean of the durations only, however they are spread."""
    function = replace(PLAIN, hit_seconds=0.0, miss_seconds=0.0, wait_seconds=0.05, wait_spread=0.5, ttl_seconds=0)
    mean = 0.05 * math.exp(0.5**2 / 2)  # of a lognormal

    run = simulate(poisson(20, tags=10, until=2_000, rng=chance()), function, rng=chance())

    assert run.mean_busy == pytest.approx(20 * mean, rel=0.05)


@pytest.mark.parametrize("rate", [0.0005, 0.002])
def test_few_requests_start_cold_as_the_formula_says(rate: float) -> None:
    mortal = replace(PLAIN, idle_seconds=600)

    run = simulate(poisson(rate, tags=1, until=20_000 / rate, rng=chance()), mortal, rng=chance())

    assert run.cold_share == pytest.approx(cold_share_of_random_arrivals(rate, 600), abs=0.01)


def test_compressing_a_run_leaves_its_hit_rate() -> None:
    """To some points of a hundred, which is what the page says."""
    stated = Inputs.load()

    def hit_rate(most_arrivals: int) -> float:
        runs = (replace(stated.simulation, most_arrivals=most_arrivals, seed=seed) for seed in range(3))
        return fmean(memory_run(replace(stated, simulation=run), rate=100, every=60, ttl=300).hit_rate for run in runs)

    full = hit_rate(72_000)

    assert 0.1 < full < 0.9
    assert hit_rate(24_000) == pytest.approx(full, abs=0.05)


# -- arrivals ---------------------------------------------------------------------------------------------------------


def test_random_arrivals_come_at_their_rate_and_in_order() -> None:
    arrivals = list(poisson(10, tags=3, until=1000, rng=chance()))

    assert len(arrivals) == pytest.approx(10_000, rel=0.03)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(arrivals))
    assert {tag for _, tag in arrivals} == {0, 1, 2}


def test_users_come_back_in_time_and_not_much_sooner() -> None:
    times = [at for at, tag in registrations(7, every=100, jitter=0.1, until=2000, rng=chance()) if tag == 3]

    assert len(times) > 18
    assert all(90 <= later - earlier <= 100 for earlier, later in pairwise(times))


def test_a_restart_brings_everybody_at_once_and_once() -> None:
    arrivals = list(
        registrations(50, every=1000, jitter=0.1, until=600, rng=chance(), restart=Restart(at=500, spread=10))
    )

    storm = [tag for at, tag in arrivals if at >= 500]

    assert sorted(storm) == list(range(50))
    assert all(at < 510 for at, _ in arrivals)


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[float]:
        rng = chance(seed)
        waiting = replace(PLAIN, wait_seconds=0.01, wait_spread=0.5)
        return simulate(poisson(5, tags=9, until=100, rng=rng), waiting, rng=rng).latencies

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert quantile([4, 1, 3, 2], share) == value


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
