"""Write the tables of docs/capacity/README.md, between the markers there, from the inputs and the simulation."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tools.capacity.cost import (
    MILLION,
    SECONDS_PER_MONTH,
    Choice,
    Entry,
    Item,
    Times,
    floor_of,
    goal_of,
    per_million,
    per_month,
    read_units_of_a_miss,
    standing_costs,
    times_floor,
)
from tools.capacity.inputs import FOLDER, Inputs
from tools.capacity.restart import bottlenecks
from tools.capacity.scale import needs, reads_of_a_hot_tag
from tools.capacity.scenarios import Results
from tools.capacity.simulation import cold_share_of_random_arrivals, concurrency

PAGE: Final = FOLDER / "README.md"

HIT_RATES: Final = (0.0, 0.5, 0.9, 0.99)
MEMORY_SIZES: Final = (128, 256, 512, 1024, 1769)

_BEFORE: Final = {"system_log_level": "INFO", "authorized_log": "full", "tracing": "Active"}
"""What was so before these were parameters; the defaults are otherwise now."""

_BYTES_OF_A_TIMESTAMP: Final = len('"timestamp":"2026-11-23T12:00:00.042Z",')

_LEVERS: Final[Sequence[tuple[str, Mapping[str, object]]]] = (
    ("before", _BEFORE),
    ("`SystemLogLevel=WARN`: no START, END, REPORT", {"system_log_level": "WARN"}),
    ("`AuthorizedLog=lean`: no embedded metrics, nothing twice", {"authorized_log": "lean"}),
    ("`Tracing=PassThrough`: **the defaults**", {"tracing": "PassThrough"}),
    ("callers in the stack's region", {"in_region": True}),
    ("`AuthorizedLogPercent=10`", {"authorized_percent": 10}),
    ("`MemorySize=256`", {"memory_mb": 256}),
    ("`SnapStart=None`", {"snapstart": False}),
)
"""Each changes something in addition to those before it: what it is, and what it changes of a choice."""

_USUAL: Final = (3600, 60)  # seconds between registrations, and CACHE_TTL_SECONDS

_MARKED: Final = re.compile(r"(<!-- (\S+): written by make capacity -->\n).*?(<!-- end of \2 -->)", re.DOTALL)

Rows = Iterable[Sequence[str]]


class PageError(Exception):
    """The page lacks a place for a table, or has one for none."""


def written(page: str, inputs: Inputs, results: Results) -> str:
    """Return *page* with every table between its markers as *inputs* and *results* have it.

    Raises:
        PageError: the tables of the page are not those there are.
    """
    blocks = tables(inputs, results)
    places = [name for _, name, _ in _MARKED.findall(page)]
    if sorted(places) != sorted(blocks):
        raise PageError(f"places on the page: {sorted(places)}; tables: {sorted(blocks)}")
    return _MARKED.sub(lambda found: f"{found[1]}\n{blocks[found[2]]}\n\n{found[3]}", page)


def tables(inputs: Inputs, results: Results) -> dict[str, str]:
    """Return every table of the page as Markdown, by name."""
    from_inputs: Mapping[str, Callable[[Inputs], str]] = {
        "entries": _entries,
        "floors": _floors,
        "levers": _levers,
        "doubts": _doubts,
        "hit-rates": _hit_rates,
        "memory-sizes": _memory_sizes,
        "logs": _logs,
        "traces": _traces,
        "switches": _switches,
        "standing": _standing,
        "miss": _miss,
        "scale": _scale,
        "hot-tag": _hot_tag,
        "months": _months,
        "sensitivity": _sensitivity,
        "durations": _durations,
        "prices": _prices,
    }
    from_results: Mapping[str, Callable[[Inputs, Results], str]] = {
        "summary": _summary,
        "restart": _restart,
        "memories": _memories,
        "cold-starts": _cold_starts,
    }
    return (
        {name: table(inputs) for name, table in from_inputs.items()}
        | {name: table(inputs, results) for name, table in from_results.items()}
        | {"load": _load(results), "storms": _storms(results)}
    )


def dollars(amount: float) -> str:
    """Return *amount* as people read it: cents, more digits where it is less, none where it is much."""
    if amount >= 1000:
        return f"${amount:,.0f}"
    return f"${amount:.3f}" if 0 < amount < 0.1 else f"${amount:.2f}"


def percent(share: float) -> str:
    """Return *share* in per cent, with two digits that say something."""
    return f"{share * 100:.0f} %" if share in (0, 1) or share >= 0.1 else f"{share * 100:.2g} %"


def _table(titles: Sequence[str], rows: Rows) -> str:
    aligned = [" --- ", *[" ---: "] * (len(titles) - 1)]
    return "\n".join(
        [f"| {' | '.join(titles)} |", f"|{'|'.join(aligned)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    )


def _words(titles: Sequence[str], rows: Rows) -> str:
    """Return a table of words, aligned left throughout."""
    return _table(titles, rows).replace(" ---: ", " --- ")


def _entries(inputs: Inputs) -> str:
    bills = {entry: per_million(Choice(entry=entry), inputs) for entry in Entry}
    elsewhere = inputs.regions[1:]
    rows = [[item.value, *(dollars(bill[item]) for bill in bills.values())] for item in Item]
    rows.append(["**together**", *(f"**{dollars(bill.total)}**" for bill in bills.values())])
    for region in elsewhere:
        totals = (per_million(Choice(entry=entry, region=region), inputs).total for entry in Entry)
        rows.append([f"together in {region}", *map(dollars, totals)])
    return _table(["what costs", *(entry.called for entry in Entry)], rows)


def _floors(inputs: Inputs) -> str:
    """Each entry before and now, by where callers are; bold is above the goal."""
    rows = []
    for entry in Entry:
        now = Choice(entry=entry, hit_rate=inputs.goals.hit_rate)
        goal = goal_of(entry, inputs)
        sampled = now.but(authorized_percent=0)
        near = now.but(in_region=True)
        shown = (now.but(**_BEFORE), now, now.but(call_id=True), sampled, near, near.but(call_id=True))
        rows.append(
            [
                entry.called,
                dollars(floor_of(now, inputs)),
                "" if goal is None else f"{goal:.2f}",
                *(_times_floor(choice, inputs) for choice in shown),
            ]
        )
    titles = ["entry", "floor", "goal", "before, internet", "now, internet", "with a Call-ID, internet"]
    titles += ["`AuthorizedLogPercent=0`, internet", "now, same region", "with a Call-ID, same region"]
    return _table(titles, rows)


def _times_floor(choice: Choice, inputs: Inputs) -> str:
    times, goal = times_floor(choice, inputs), goal_of(choice.entry, inputs)
    shown = f"{dollars(per_million(choice, inputs).total)} ({times:.2f})"
    return f"**{shown}**" if goal is not None and times > goal else shown


def _levers(inputs: Inputs) -> str:
    rows, chosen = [], Choice(hit_rate=inputs.goals.hit_rate)
    for what, changes in _LEVERS:
        chosen = chosen.but(**changes)
        rows.append([what, *(_times_floor(chosen.but(entry=entry), inputs) for entry in Entry)])
    return _table(["what is changed, in addition", *(entry.called for entry in Entry)], rows)


def _doubts(inputs: Inputs) -> str:
    """How much it matters when what the page assumes is otherwise."""
    usual = Choice(hit_rate=inputs.goals.hit_rate, in_region=True)
    stamped = replace(inputs, log=replace(inputs.log, added_bytes=_BYTES_OF_A_TIMESTAMP))
    doubts = (
        ("as assumed", usual, inputs),
        ("one cold start in a thousand, not in ten thousand", usual.but(cold_share=0.001), inputs),
        ("Lambda adds a `timestamp` to lines that have none", usual, stamped),
        ("the same, and frontends send Call-IDs", usual.but(call_id=True), stamped),
        ("processor time is twice as long", usual, _slower(inputs, 2.0)),
        ("no request hits", usual.but(hit_rate=0.0), inputs),
    )
    rows = [[what, *(_times_floor(choice.but(entry=entry), of) for entry in Entry)] for what, choice, of in doubts]
    return _table(["the defaults, callers in the same region", *(entry.called for entry in Entry)], rows)


def _hit_rates(inputs: Inputs) -> str:
    rows = [
        [entry.called, *(dollars(per_million(Choice(entry=entry, hit_rate=hits), inputs).total) for hits in HIT_RATES)]
        for entry in Entry
    ]
    return _table(["entry", *(f"{percent(hits)} hits" for hits in HIT_RATES)], rows)


def _memory_sizes(inputs: Inputs) -> str:
    def duration(memory: int, architecture: str, hits: float) -> str:
        choice = Choice(memory_mb=memory, architecture=architecture, hit_rate=hits, cold_share=0.0)
        return dollars(per_million(choice, inputs)[Item.DURATION])

    rows = []
    for memory in MEMORY_SIZES:
        choice = Choice(memory_mb=memory)
        times, bare = Times.of(choice, inputs), Times.of(choice.but(snapstart=False), inputs)
        shown = [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in (times.hit, times.miss)]
        arm = [duration(memory, "arm64", hits) for hits in HIT_RATES]
        x86 = [duration(memory, "x86_64", hits) for hits in (HIT_RATES[0], HIT_RATES[-1])]
        rows.append([f"{memory} MB", *shown, f"{times.cold:,.0f}", f"{bare.cold:,.0f}", *arm, *x86])
    titles = ["memory", "hit, ms", "miss, ms", "cold, ms", "without SnapStart, ms"]
    titles += [f"arm64, {percent(hits)} hits" for hits in HIT_RATES]
    titles += [f"x86_64, {percent(hits)}" for hits in (HIT_RATES[0], HIT_RATES[-1])]
    return _table(titles, rows)


def _logs(inputs: Inputs) -> str:
    log = inputs.log
    price = inputs.price("lambda_log_gb", inputs.regions[0]).first
    rest = Entry.REST
    lines = [
        ("the handler's line, lean", log.lean_line_bytes[rest], 1, "`AuthorizedLog=lean`, the default"),
        ("the handler's line, whole, its metrics included", log.line_bytes[rest], 1, "`AuthorizedLog=full`"),
        ("lean, only counted", log.counted_line_bytes, 1, "beyond `AuthorizedLogPercent`; `LogLevel=WARNING`"),
        ("full, only counted", log.quiet_line_bytes, 1, "the same"),
        ("a Call-ID in a line", log.call_id_bytes, 0, "the frontend sends it, or not"),
        ("Lambda's START, END and REPORT", log.platform_bytes, log.platform_lines, "`SystemLogLevel=INFO`"),
        ("API Gateway's line", log.access_line_bytes, 1, "`AccessLogs`, off by default"),
    ]
    rows = []
    for what, size, events, switch in lines:
        ingested = size + events * log.event_overhead_bytes
        rows.append([what, f"{ingested:,.0f}", dollars(ingested * MILLION / 1e9 * price), switch])
    return _words(["what is written", "bytes ingested", "of a million requests", "switch"], rows)


def _traces(inputs: Inputs) -> str:
    rates = (0.1, 0.38, 1, 10, 100, 1000, 10000)
    price = inputs.price("traces", inputs.regions[0]).first
    shares = [inputs.tracing.share_at(rate) for rate in rates]
    return _table(
        ["requests a second", *(f"{rate:,g}" for rate in rates)],
        [
            ["traced", *map(percent, shares)],
            ["of a million requests", *(dollars(share * price) for share in shares)],
        ],
    )


def _switches(inputs: Inputs) -> str:
    base = Choice()
    dear = base.but(retention_days=3653)

    def saves(what: str, changed: Choice, compared: Choice = base) -> list[str]:
        difference = per_million(changed, inputs).total - per_million(compared, inputs).total
        return [what, f"{'+' if difference > 0 else '-'}{dollars(abs(difference))}"]

    rows = [
        saves("an HTTP API in front of the function instead of the template's REST API", base.but(entry=Entry.HTTP)),
        saves("a Function URL, gated by IAM", base.but(entry=Entry.FUNCTION_URL)),
        saves("direct invocation by the frontend's SDK", base.but(entry=Entry.DIRECT)),
        saves("callers in the stack's region, not on the internet", base.but(in_region=True)),
        saves("`AuthorizedLogPercent` 10 instead of 100", base.but(authorized_percent=10)),
        saves("`LogLevel=WARNING`", base.but(log_level="WARNING")),
        saves("`AuthorizedLog=full`", base.but(authorized_log="full")),
        saves("`SystemLogLevel=INFO`", base.but(system_log_level="INFO")),
        saves("`Tracing=Active`", base.but(tracing="Active")),
        saves("`AccessLogs`", base.but(access_logs=True)),
        saves("`LogRetentionDays` 1 instead of 30", base.but(retention_days=1)),
        saves("`LogRetentionDays` 3653 instead of 30", dear),
        saves("half of the requests hit", base.but(hit_rate=0.5)),
        saves("`Architecture=x86_64`", base.but(architecture="x86_64")),
        saves("`MemorySize` 128 instead of 512", base.but(memory_mb=128)),
        saves("`MemorySize` 1769 instead of 512", base.but(memory_mb=1769)),
        saves("`SnapStart=None`", base.but(snapstart=False)),
        saves("a `RevocationsTable`", base.but(revocations=True)),
    ]
    return _table(["what is changed", "a million authorizations"], rows)


def _standing(inputs: Inputs) -> str:
    rows = [[cost.what, cost.units, dollars(cost.dollars), cost.switch] for cost in standing_costs(Choice(), inputs)]
    return _words(["what costs", "how much of it", "a month", "depends on"], rows)


def _miss(inputs: Inputs) -> str:
    hit, miss = (per_million(Choice(hit_rate=hits), inputs) for hits in (1.0, 0.0))
    times = Times.of(Choice(), inputs)
    profile, secrets = read_units_of_a_miss(inputs)
    again = sum(read_units_of_a_miss(inputs, consistent=True))
    rows = [
        ["time", f"{times.hit:.1f} ms", f"{times.miss:.1f} ms"],
        ["read units, profile and secrets", "0", f"{profile:g} + {secrets:g}"],
        ["reads of a million", dollars(hit[Item.READS]), dollars(miss[Item.READS])],
        ["duration of a million", dollars(hit[Item.DURATION]), dollars(miss[Item.DURATION])],
        ["a million, by REST API", dollars(hit.total), dollars(miss.total)],
        ["a second look, consistent", f"{again:g} read units more", "none: the rows are new"],
    ]
    return _table(["", "hit", "miss"], rows)


def _scale(inputs: Inputs) -> str:
    rates = inputs.scale.rates
    by_rate = [list(needs(rate, inputs)) for rate in rates]
    rows = []
    for same in zip(*by_rate, strict=True):
        first = same[0]
        amounts = (_bold(need.amount, over=math.inf if need.quota is None else need.quota) for need in same)
        quota = "" if first.quota is None else f"{first.quota:,.0f}"
        rows.append([first.what, quota, *amounts, first.raised_by])
    titles = ["what", "at first", *(f"{rate:,.0f} a second" for rate in rates), "raised by"]
    return _table(titles, rows).replace(" ---: |\n", " --- |\n", 1)


def _hot_tag(inputs: Inputs) -> str:
    rates = inputs.scale.rates
    borne = reads_of_a_hot_tag(inputs)
    environments = [concurrency(rate, Times.of(Choice(), inputs).hit / 1000) for rate in rates]
    ttl = 60
    rows = [
        ["reads of it a second, without memory", *(_bold(rate, over=borne) for rate in rates)],
        [f"reads of it a second, `CACHE_TTL_SECONDS={ttl}`", *(_amount(max(1, busy) / ttl) for busy in environments)],
    ]
    titles = [f"one tag, of which its partition bears {borne:,.0f} reads a second"]
    return _table([*titles, *(f"{rate:,.0f} a second" for rate in rates)], rows)


def _bold(amount: float, *, over: float) -> str:
    return f"**{_amount(amount)}**" if amount > over else _amount(amount)


def _amount(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.2g}"


def _months(inputs: Inputs) -> str:
    rates = inputs.scale.rates
    base = Choice(hit_rate=0.0)
    rows = []
    for entry in (Entry.REST, Entry.HTTP, Entry.FUNCTION_URL, Entry.DIRECT):
        bills = [per_month(rate, base.but(entry=entry), inputs) for rate in rates]
        rows.append([entry.called, *(dollars(bill.total) for bill in bills)])
    quiet = [per_month(rate, base.but(entry=Entry.DIRECT, log_level="WARNING"), inputs) for rate in rates]
    rows.append(["direct (SDK), `LogLevel=WARNING`", *(dollars(bill.total) for bill in quiet)])
    millions = [f"{rate * SECONDS_PER_MONTH / MILLION:,.0f}" for rate in rates]
    rows.insert(0, ["millions of authorizations", *millions])
    return _table(["a month", *(f"{rate:,.0f} a second" for rate in rates)], rows)


def _sensitivity(inputs: Inputs) -> str:
    rows = []
    for factor in (0.5, 1.0, 2.0, 4.0):
        changed = _slower(inputs, factor)
        times = Times.of(Choice(), changed)
        bill = per_million(Choice(), changed)
        asked = next(need for need in needs(10_000, changed) if need.what.startswith("Lambda concurrency"))
        rows.append(
            [
                f"{factor:g} times",
                f"{times.hit:.1f}, {times.miss:.1f}, {times.cold:.0f}",
                dollars(bill[Item.DURATION]),
                dollars(bill.total),
                f"{asked.amount:,.0f}",
            ]
        )
    titles = ["processor time", "hit, miss, cold, ms", "duration of a million", "a million, by REST API"]
    return _table([*titles, "concurrency for 10,000 a second"], rows)


def _slower(inputs: Inputs, factor: float) -> Inputs:
    stated = inputs.durations
    return replace(inputs, durations=replace(stated, processor_factor=stated.processor_factor * factor))


def _durations(inputs: Inputs) -> str:
    stated = inputs.durations
    rows = [
        ["a hit, processor time", f"{stated.hit_cpu_ms:g}", "measured"],
        ["a miss, processor time", f"{stated.miss_cpu_ms:g}", "measured"],
        ["a miss, waiting for DynamoDB", f"{stated.miss_wait_ms:g}", "assumed"],
        ["Lambda's runtime around either", f"{stated.runtime_cpu_ms:g}", "assumed"],
        ["interpreter and imports", f"{stated.init_cpu_ms:g}", "measured"],
        ["the first request beyond a warm one", f"{stated.first_cpu_ms:g}", "measured, but for TLS"],
        ["the same, in a restored snapshot", f"{stated.restored_first_cpu_ms:g}", "assumed"],
        ["connecting to DynamoDB", f"{stated.first_wait_ms:g}", "assumed"],
        ["Lambda makes an environment", f"{stated.environment_ms:g}", "assumed, not billed"],
        ["Lambda restores a snapshot", f"{stated.restore_ms:g}", "assumed, not billed"],
        ["the runtime wakes in it", f"{stated.restore_billed_ms:g}", "assumed"],
        ["a whole processor of Lambda's, over the one measured on", f"{stated.processor_factor:g} times", "assumed"],
    ]
    return _table(["what", "ms", "how it is known"], rows)


def _prices(inputs: Inputs) -> str:
    rows = []
    for name, by_region in inputs.prices.items():
        shown = []
        for region in inputs.regions:
            price = by_region[region]
            more = ", then less" if len(price.tiers) > 1 else ""
            shown.append(f"{price.first:.10f}".rstrip("0").rstrip(".") + f"{more}{'' if price.certain else ' (check)'}")
        first = by_region[inputs.regions[0]]
        host = first.source.removeprefix("https://").removeprefix("aws.amazon.com/").rstrip("/")
        rows.append([f"`{name}`", f"{first.per:,.0f}", *shown, f"[{host}]({first.source})"])
    return _words(["price", "for", *inputs.regions, "source"], rows)


def _summary(inputs: Inputs, results: Results) -> str:
    rest, direct = (per_million(Choice(entry=entry), inputs) for entry in (Entry.REST, Entry.DIRECT))
    hit, miss = (per_million(Choice(hit_rate=hits), inputs).total for hits in (1.0, 0.0))
    usual = Choice(hit_rate=inputs.goals.hit_rate)
    directly = usual.but(entry=Entry.DIRECT, in_region=True)
    before = times_floor(directly.but(**_BEFORE), inputs)
    logs = rest[Item.LOGS] + rest[Item.KEPT]
    function = rest[Item.REQUESTS] + rest[Item.DURATION]
    hourly = max(run["hit_rate"] for run in results["memory"] if (run["every"], run["ttl"]) == _USUAL)
    shipped, raised, *_ = results["storms"]
    users = inputs.simulation.storm.users
    lines = [
        f"A million authorizations cost **{dollars(rest.total)}** by the REST API of the template, of which "
        f"{dollars(rest[Item.GATEWAY])} are the API; **{dollars(direct.total)}** when the frontend invokes the "
        "function directly.",
        f"Logs cost {dollars(logs)} of it, the function itself {dollars(function)}.",
        f"At {percent(usual.hit_rate)} hits, that is {times_floor(usual, inputs):.2f} times the floor by the REST API, "
        f"and {times_floor(directly, inputs):.2f} times directly from the same region, {before:.2f} before the log "
        "was lean and tracing off. The floor is the entry's own price and a Lambda request.",
        f"With users who come back once an hour and `CACHE_TTL_SECONDS=60`, memory answers {percent(hourly)} of the "
        "requests: nearly every request reads the tables.",
        f"That is cheap: all misses cost {dollars(miss - hit)} a million more than all hits. Memory is there for "
        "bursts, hot tags and outages, not for the bill.",
        f"`ThrottleRate` is the first thing to raise. As shipped, {users:,} users who register anew at once are all "
        f"in after {_duration(shipped['done_after_s'])}; with the throttle at the account's quota, after "
        f"{_duration(raised['done_after_s'])}.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _memories(inputs: Inputs, results: Results) -> str:
    rates = inputs.simulation.rates
    by_memory: dict[tuple[float, float], list[str]] = {}
    for run in results["memory"]:
        by_memory.setdefault((run["every"], run["ttl"]), []).append(percent(run["hit_rate"]))
    rows = [[f"{every:,g} s", f"{ttl:,g} s", *shown] for (every, ttl), shown in by_memory.items()]
    titles = ["a tag comes every", "`CACHE_TTL_SECONDS`", *(f"{rate:,g} a second" for rate in rates)]
    return _table(titles, rows)


def _load(results: Results) -> str:
    runs = [run for run in results["memory"] if (run["every"], run["ttl"]) == _USUAL]
    rows = [
        ["users", *(f"{run['users']:,}" for run in runs)],
        ["busy at once, on average", *(_amount(run["busy"]) for run in runs)],
        ["busy at once, at most", *(f"{run['most_busy']:,}" for run in runs)],
        ["read units a second, both tables", *(_amount(run["read_units_per_second"]) for run in runs)],
        ["median of the answers, ms", *(f"{run['p50_ms']:.0f}" for run in runs)],
        ["p99 of the answers, ms", *(f"{run['p99_ms']:.0f}" for run in runs)],
    ]
    return _table(["", *(f"{run['rate']:,g} a second" for run in runs)], rows)


def _cold_starts(inputs: Inputs, results: Results) -> str:
    idle = inputs.simulation.idle_seconds
    rows = [
        [
            _pace(run["rate"]),
            percent(run["cold_share"]),
            percent(cold_share_of_random_arrivals(run["rate"], idle)) if run["rate"] <= 0.02 else "",
            f"{run['most_alive']}",
        ]
        for run in results["cold_starts"]
    ]
    return _table(["authorizations", "cold, simulated", "cold, by formula", "most environments"], rows)


def _pace(rate: float) -> str:
    return f"{rate:,g} a second" if rate >= 1 else f"one in {1 / rate:,.0f} s"


def _storms(results: Results) -> str:
    def lines() -> Iterator[Sequence[str]]:
        for storm in results["storms"]:
            yield [
                storm["name"],
                f"{storm['refused']:,}",
                f"{storm['cold']:,}",
                f"{storm['most_busy']:,}",
                f"{storm['p99_ms']:,.0f} ms",
                _wait(storm["p50_wait_s"]),
                _wait(storm["p99_wait_s"]),
                _duration(storm["done_after_s"]),
            ]

    titles = ["", "attempts refused", "cold starts", "most at once", "p99 of an answer"]
    return _table([*titles, "median wait", "p99 wait", "all are in after"], lines())


def _restart(inputs: Inputs, results: Results) -> str:
    rows = [
        [
            each.what,
            f"{each.needed:,.0f}",
            f"{each.there:,.0f}" if each.suffices else f"**{each.there:,.0f}**",
            f"[{each.raised_by}]({each.source})" if each.source else each.raised_by,
        ]
        for each in bottlenecks(inputs, results)
    ]
    users = f"{inputs.simulation.storm.users:,.0f} users in {inputs.simulation.storm.spread_seconds:.0f} s"
    return _table(["what", users, "at first", "raised by"], rows).replace(" ---: |\n", " --- |\n", 1)


def _wait(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.0f} s"
