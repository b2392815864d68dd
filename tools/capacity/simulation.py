"""Simulate registrations that arrive at a Lambda function whose environments each have a memory of their own.

An environment works on one request at a time. A request goes to the idle environment that was used last; when none is
idle, an environment is made, and the request waits for it. An environment that was idle for long is ended, memory and
all. Each remembers the rows of the tags it has read, for a time and up to a number of tags, the one used least recently
going first. All times are seconds. The same seed gives the same run.
"""

import math
import random
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

Arrival = tuple[float, int]
"""When a request comes, and the number of its tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """How the function behaves, and what Lambda allows it.

    Attributes:
        hit_seconds: a request whose rows are in memory.
        miss_seconds: a request whose rows are read, but for the waiting.
        wait_seconds: median of the waiting for a read.
        wait_spread: sigma of the logarithm of that waiting; 0 is always the median.
        cold_seconds: what making an environment adds to the request that it is made for.
        ttl_seconds: how long rows are remembered from when they were asked for, `CACHE_TTL_SECONDS`.
        most_tags: how many tags an environment remembers.
        idle_seconds: how long an environment lives without a request.
        most_environments: Lambda's concurrency.
        new_per_second: how many environments Lambda makes a second, lastingly.
        new_at_once: how many it makes at once.
    """

    hit_seconds: float
    miss_seconds: float
    wait_seconds: float = 0.0
    wait_spread: float = 0.0
    cold_seconds: float
    ttl_seconds: float
    most_tags: int = 10**9
    idle_seconds: float
    most_environments: int = 10**9
    new_per_second: float = math.inf
    new_at_once: float = math.inf


@dataclass(slots=True)
class Bucket:
    """A token bucket, as API Gateway throttles with: so many a second, and so many at once."""

    per_second: float
    at_once: float
    tokens: float = field(init=False)
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.at_once

    def takes(self, now: float) -> bool:
        """Tell whether one more is allowed at *now*, and count it if so."""
        if self.at_once == math.inf:
            return True
        self.tokens = min(self.at_once, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class Second:
    """What happened in one second of a run."""

    arrived: int = 0
    refused: int = 0
    cold: int = 0
    busy: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """What came of a run, from the time on that was to be measured.

    Attributes:
        answered: requests that got an answer.
        hits: those whose rows were in memory.
        cold: those for which an environment was made.
        refused: attempts that were refused, by the throttle or for want of environments.
        busy_sum: busy environments that each answered request met, summed.
        most_busy: the most that were busy at once.
        most_alive: the most that were there, busy or idle.
        latencies: how long each answer took, attempts before it not counted.
        waits: how long each user waited in all, refused attempts included.
        last_answer_at: when the last answer came.
        seconds: the run by seconds, when asked for.
    """

    answered: int = 0
    hits: int = 0
    cold: int = 0
    refused: int = 0
    busy_sum: int = 0
    most_busy: int = 0
    most_alive: int = 0
    latencies: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    last_answer_at: float = 0.0
    seconds: dict[int, Second] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float:
        """The share of answers whose rows were in memory."""
        return self.hits / self.answered

    @property
    def cold_share(self) -> float:
        """The share of answers that waited for an environment."""
        return self.cold / self.answered

    @property
    def mean_busy(self) -> float:
        """How many environments a request found busy, on average: the mean concurrency, as arrivals are random."""
        return self.busy_sum / self.answered


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that at least *share* of them do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values, no quantile")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def poisson(rate: float, *, tags: int, until: float, rng: random.Random) -> Iterator[Arrival]:
    """Yield arrivals at random, *rate* a second, each of any of the *tags*."""
    at = rng.expovariate(rate)
    while at < until:
        yield at, rng.randrange(tags)
        at += rng.expovariate(rate)


@dataclass(frozen=True, slots=True)
class Restart:
    """A frontend restarts: everybody registers anew within *spread* seconds from *at* on."""

    at: float
    spread: float


def registrations(
    users: int, *, every: float, jitter: float, until: float, rng: random.Random, restart: Restart | None = None
) -> Iterator[Arrival]:
    """Yield what *users* send that register again after *every* seconds, or up to the share *jitter* of it sooner.

    They are spread evenly to begin with. Each user has a tag of their own.
    """
    due = [(every * rng.random(), user) for user in range(users)]
    heapify(due)
    while due[0][0] < until:
        if restart is not None and due[0][0] >= restart.at:
            due = [(restart.at + restart.spread * rng.random(), user) for user in range(users)]
            heapify(due)
            restart = None
        at, user = due[0]
        yield at, user
        heapreplace(due, (at + every * (1 - jitter * rng.random()), user))


class _Environment:
    """One environment of the function, and what it remembers."""

    __slots__ = ("read_at",)

    def __init__(self) -> None:
        self.read_at: OrderedDict[int, float] = OrderedDict()

    def remembers(self, tag: int, now: float, ttl: float, most: int) -> bool:
        """Tell whether the rows of *tag* are in memory and fresh; if not, they are read and remembered."""
        read_at = self.read_at.get(tag)
        if read_at is not None:
            self.read_at.move_to_end(tag)
            if now < read_at + ttl:
                return True
        if ttl > 0:
            self.read_at[tag] = now
            if len(self.read_at) > most:
                self.read_at.popitem(last=False)
        return False


class _Simulation:
    """The state of a run: which environments are busy until when, and which are idle since when."""

    def __init__(self, function: Function, rng: random.Random, measured_from: float, by_seconds: bool) -> None:
        self.run = Run()
        self._function = function
        self._rng = rng
        self._measured_from = measured_from
        self._by_seconds = by_seconds
        self._new = Bucket(function.new_per_second, function.new_at_once)
        self._numbers = count()  # so that a heap never compares environments
        self._busy: list[tuple[float, int, _Environment]] = []
        self._idle: deque[tuple[float, _Environment]] = deque()

    def offer(self, now: float, asked_at: float, tag: int) -> bool:
        """Let a request of *tag* come at *now*; return whether there was an environment for it."""
        self._free(now)
        busy = len(self._busy)
        environment, is_cold = self._environment(now)
        if environment is None:
            return False
        function = self._function
        is_hit = environment.remembers(tag, now, function.ttl_seconds, function.most_tags)
        seconds = function.hit_seconds if is_hit else function.miss_seconds + self._wait()
        if is_cold:
            seconds += function.cold_seconds
        heappush(self._busy, (now + seconds, next(self._numbers), environment))
        if now >= self._measured_from:
            self._note(now, asked_at, busy, seconds, is_hit, is_cold)
        return True

    def refuse(self, now: float) -> None:
        """Count an attempt that was refused."""
        if now >= self._measured_from:
            self.run.refused += 1
            if self._by_seconds:
                self.run.seconds.setdefault(int(now), Second()).refused += 1

    def _free(self, now: float) -> None:
        busy, idle = self._busy, self._idle
        while busy and busy[0][0] <= now:
            freed_at, _, environment = heappop(busy)
            idle.append((freed_at, environment))
        while idle and idle[0][0] + self._function.idle_seconds <= now:
            idle.popleft()

    def _environment(self, now: float) -> tuple[_Environment | None, bool]:
        if self._idle:
            return self._idle.pop()[1], False
        if len(self._busy) < self._function.most_environments and self._new.takes(now):
            return _Environment(), True
        return None, False

    def _wait(self) -> float:
        function = self._function
        if not function.wait_spread:
            return function.wait_seconds
        return function.wait_seconds * math.exp(self._rng.gauss(0.0, function.wait_spread))

    def _note(self, now: float, asked_at: float, busy: int, seconds: float, is_hit: bool, is_cold: bool) -> None:
        run = self.run
        run.answered += 1
        run.hits += is_hit
        run.cold += is_cold
        run.busy_sum += busy
        run.most_busy = max(run.most_busy, busy + 1)
        run.most_alive = max(run.most_alive, len(self._busy) + len(self._idle))
        run.latencies.append(seconds)
        run.waits.append(now + seconds - asked_at)
        run.last_answer_at = max(run.last_answer_at, now + seconds)
        if self._by_seconds:
            second = run.seconds.setdefault(int(now), Second())
            second.arrived += 1
            second.cold += is_cold
            second.busy = max(second.busy, busy + 1)
            second.latencies.append(seconds)


def simulate(
    arrivals: Iterable[Arrival],
    function: Function,
    *,
    rng: random.Random,
    measured_from: float = 0.0,
    throttle: Bucket | None = None,
    retry_seconds: float = math.inf,
    by_seconds: bool = False,
) -> Run:
    """Let *arrivals* come at *function*.

    Args:
        arrivals: in the order of their times.
        function: how it behaves.
        rng: all chance in the run.
        measured_from: what comes before fills memories and is not counted.
        throttle: what API Gateway lets through; None for all.
        retry_seconds: who is refused comes again after this, give or take half, until answered; inf is never.
        by_seconds: whether to keep the run by seconds.
    """
    simulation = _Simulation(function, rng, measured_from, by_seconds)
    again: list[tuple[float, float, int]] = []
    coming = iter(arrivals)
    upcoming = next(coming, None)
    while upcoming is not None or again:
        if upcoming is not None and (not again or upcoming[0] <= again[0][0]):
            (now, tag), asked_at = upcoming, upcoming[0]
            upcoming = next(coming, None)
        else:
            now, asked_at, tag = heappop(again)
        if (throttle is None or throttle.takes(now)) and simulation.offer(now, asked_at, tag):
            continue
        simulation.refuse(now)
        if retry_seconds < math.inf:
            heappush(again, (now + retry_seconds * rng.uniform(0.5, 1.5), asked_at, tag))
    return simulation.run


def hit_rate_of_random_arrivals(rate_of_a_tag: float, ttl: float, *, environments: int = 1) -> float:
    """Return the hit rate when each tag comes at random, and to any of the *environments* alike.

    One environment sees a tag at the rate r = *rate_of_a_tag* / *environments*. Rows that were read serve until *ttl*
    later; in that time r * ttl further requests come on average, all hits. Then the next one reads again. So of
    1 + r * ttl requests one is a miss, and the hit rate is r * ttl / (1 + r * ttl).
    """
    expected = rate_of_a_tag / environments * ttl
    return expected / (1 + expected)


def cold_share_of_random_arrivals(rate: float, idle_seconds: float) -> float:
    """Return the share of requests that find no environment, when they are few and short.

    Then there is at most one environment, and it is gone when nothing came for *idle_seconds*, which with random
    arrivals happens between two of them with probability exp(-rate * idle_seconds).
    """
    return math.exp(-rate * idle_seconds)


def concurrency(rate: float, seconds: float) -> float:
    """Return how many requests are worked on at once on average (Little's law: arrivals a second times duration)."""
    return rate * seconds
