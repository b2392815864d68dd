"""What authorizations cost on paper: the arithmetic, and inputs that are those of the code and the template."""

import io
import json
import math
import re
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.errors import Reason
from auth_jwt.memory.rows import MAX_REMEMBERED_BYTES
from auth_jwt.models import Columns, Report, Secret, TagRows
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import LogSettings
from tools.capacity import scenarios
from tools.capacity.cost import (
    MILLION,
    SECONDS_PER_MONTH,
    Choice,
    Entry,
    Item,
    Times,
    billed_ms,
    floor_of,
    goal_of,
    log_bytes,
    per_million,
    per_month,
    read_units_of_a_miss,
    standing_costs,
    times_floor,
)
from tools.capacity.inputs import DEFAULT, Inputs, InputsError, Price
from tools.capacity.read_units import item_bytes
from tools.capacity.scale import needs, reads_of_a_hot_tag
from tools.events.stage import SAMPLES, read_json, template
from tools.release.__main__ import KEPT_BEFORE
from tools.template.stack import of_type, sources, stack_of

INPUTS = Inputs.load()
MEASURED = DEFAULT.parents[1] / "benchmarks" / "results.json"
TIERED = Price(per=10, tiers=((100, 5.0), (200, 3.0), (math.inf, 1.0)), source="", certain=True)


# -- prices and tiers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "dollars"),
    [(0, 0), (1, 0.5), (100, 50), (101, 50.3), (200, 80), (201, 80.1), (1200, 180)],
)
def test_each_tier_has_its_own_price(quantity: float, dollars: float) -> None:
    assert TIERED.of(quantity) == pytest.approx(dollars)


def test_a_million_of_the_first_tier_is_what_the_page_of_the_gateway_says() -> None:
    assert per_million(Choice(), INPUTS)[Item.GATEWAY] == pytest.approx(3.50)
    assert per_million(Choice(entry=Entry.HTTP), INPUTS)[Item.GATEWAY] == pytest.approx(1.00)


@pytest.mark.parametrize("entry", [Entry.FUNCTION_URL, Entry.DIRECT, Entry.AUTHORIZER])
def test_other_entries_pay_no_gateway(entry: Entry) -> None:
    assert per_million(Choice(entry=entry), INPUTS)[Item.GATEWAY] == 0


def test_a_month_of_the_reference_rate_is_its_millions_while_the_first_tiers_last() -> None:
    rate = 10.0
    millions = rate * SECONDS_PER_MONTH / MILLION

    month = per_month(rate, Choice(), INPUTS)

    assert month.total == pytest.approx(millions * per_million(Choice(rate=rate), INPUTS).total)


def test_a_month_of_many_is_cheaper_apiece() -> None:
    few, many = (per_month(rate, Choice(), INPUTS).total / rate for rate in (1000, 100_000))

    assert many < few


# -- duration ---------------------------------------------------------------------------------------------------------


def test_processor_time_is_divided_by_the_share_of_a_processor() -> None:
    """At 1,769 MB a function has one processor, by AWS's documentation; more memory does not make one thread faster."""
    whole, half, double = (Times.of(Choice(memory_mb=size), INPUTS).hit for size in (1769, 884, 3538))

    assert half == pytest.approx(whole * 1769 / 884)
    assert double == whole


def test_waiting_is_not_divided() -> None:
    stated = replace(INPUTS.durations, miss_cpu_ms=0, runtime_cpu_ms=0)
    waiting = replace(INPUTS, durations=stated)

    assert {Times.of(Choice(memory_mb=size), waiting).miss for size in (128, 1769)} == {stated.miss_wait_ms}


def test_a_request_is_billed_in_whole_milliseconds() -> None:
    choice = Choice(hit_rate=1.0, cold_share=0.0)

    assert billed_ms(choice, INPUTS) == math.ceil(Times.of(choice, INPUTS).hit)


def test_restoring_a_snapshot_is_waited_for_and_not_billed() -> None:
    times = Times.of(Choice(), INPUTS)

    assert times.cold - times.cold_billed == pytest.approx(INPUTS.durations.restore_ms)


def test_arm_costs_a_fifth_less_for_the_same_time() -> None:
    arm, x86 = (per_million(Choice(architecture=name), INPUTS)[Item.DURATION] for name in ("arm64", "x86_64"))

    assert arm / x86 == pytest.approx(0.8, rel=1e-3)


def test_a_million_requests_of_a_gigabyte_second_cost_what_a_gigabyte_second_does() -> None:
    stated = replace(INPUTS.durations, miss_cpu_ms=0, runtime_cpu_ms=0, miss_wait_ms=1000)
    choice = Choice(memory_mb=1024, cold_share=0.0)

    bill = per_million(choice, replace(INPUTS, durations=stated))

    assert bill[Item.DURATION] == pytest.approx(13.3334)


# -- reads, logs, traces ----------------------------------------------------------------------------------------------


def test_a_miss_is_half_a_unit_of_each_table_and_a_second_look_twice_that() -> None:
    assert read_units_of_a_miss(INPUTS) == (0.5, 0.5)
    assert read_units_of_a_miss(INPUTS, consistent=True) == (1, 1)


def test_only_misses_and_second_looks_are_read() -> None:
    hits = per_million(Choice(hit_rate=1.0), INPUTS)[Item.READS]
    misses = per_million(Choice(hit_rate=0.0), INPUTS)[Item.READS]
    price = INPUTS.price("read_request_units", "us-east-1").first

    assert hits == pytest.approx(INPUTS.request.second_looks * 2 * price)
    assert misses - hits == pytest.approx(price)


def test_a_table_of_revoked_tokens_costs_each_miss_a_unit_and_a_wait_and_hits_nothing() -> None:
    """Strongly consistent, and whether there is a row or not."""
    hit, miss = (Choice(hit_rate=hits, cold_share=0.0) for hits in (1.0, 0.0))
    price = INPUTS.price("read_request_units", "us-east-1").first
    more, none = (
        per_million(choice.but(revocations=True), INPUTS)[Item.READS] - per_million(choice, INPUTS)[Item.READS]
        for choice in (miss, hit)
    )
    waits = Times.of(miss.but(revocations=True), INPUTS).miss - Times.of(miss, INPUTS).miss
    (units,) = (
        need.amount
        for need in needs(1000, INPUTS, miss.but(revocations=True))
        if need.what == "read units a second, each table"
    )

    assert more == pytest.approx(price)
    assert none == 0
    assert waits == pytest.approx(INPUTS.durations.miss_wait_ms)
    assert units == 1000


@pytest.mark.parametrize(("rate", "share"), [(0.5, 1.0), (1, 1.0), (2, (1 + 0.05) / 2), (101, 6 / 101), (1e9, 0.05)])
def test_traces_are_one_a_second_and_a_twentieth_of_the_rest(rate: float, share: float) -> None:
    assert INPUTS.tracing.share_at(rate) == pytest.approx(share)


@pytest.mark.parametrize(("kind", "whole", "counted"), [("full", 594, 205), ("lean", 258, 47)])
def test_a_warning_level_drops_the_line_and_keeps_what_counts_it(kind: str, whole: int, counted: int) -> None:
    loud, quiet = (log_bytes(Choice(authorized_log=kind, log_level=level), INPUTS) for level in ("INFO", "WARNING"))

    assert (loud, quiet) == (whole + 26, counted + 26)


def test_of_the_share_beyond_the_percent_only_what_counts_them_is_written() -> None:
    none, half, all_of_them = (log_bytes(Choice(authorized_percent=percent), INPUTS) for percent in (0, 50, 100))

    assert half == (none + all_of_them) / 2
    assert none == INPUTS.log.counted_line_bytes + 26


def test_lambdas_own_lines_cost_as_three() -> None:
    without, with_them = (log_bytes(Choice(system_log_level=level), INPUTS) for level in ("WARN", "INFO"))

    assert with_them - without == 300 + 3 * 26


def test_nothing_is_traced_unless_it_is_asked_for() -> None:
    off, on = (per_million(Choice(tracing=mode), INPUTS)[Item.TRACES] for mode in ("PassThrough", "Active"))

    assert off == 0
    assert on == pytest.approx(5 * (1 + 99 * 0.05) / 100)


def test_answers_in_the_region_cost_no_transfer() -> None:
    away, near = (per_million(Choice(in_region=there), INPUTS)[Item.TRANSFER] for there in (False, True))

    assert away == pytest.approx(1200 * MILLION / 1e9 * 0.09)
    assert near == 0


# -- the floor --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "dollars"),
    [
        (Entry.REST, 3.70),
        (Entry.HTTP, 1.20),
        (Entry.FUNCTION_URL, 0.20),
        (Entry.DIRECT, 0.20),
        (Entry.AUTHORIZER, 0.20),
    ],
)
def test_the_floor_is_the_entrys_own_price_and_a_lambda_request(entry: Entry, dollars: float) -> None:
    assert floor_of(Choice(entry=entry), INPUTS) == pytest.approx(dollars)


@pytest.mark.parametrize("entry", [Entry.REST, Entry.HTTP, Entry.FUNCTION_URL, Entry.DIRECT])
@pytest.mark.parametrize("call_id", [False, True])
def test_the_defaults_meet_the_goal_for_callers_in_the_region(entry: Entry, call_id: bool) -> None:
    goal = goal_of(entry, INPUTS)
    assert goal == (1.25 if entry in (Entry.REST, Entry.HTTP) else 2.0)

    assert times_floor(Choice(entry=entry, hit_rate=0.9, in_region=True, call_id=call_id), INPUTS) <= goal


@pytest.mark.parametrize(
    ("entry", "changed", "meets"),
    [
        pytest.param(Entry.REST, {}, True, id="REST"),
        pytest.param(Entry.REST, {"call_id": True}, True, id="REST, with Call-IDs"),
        pytest.param(Entry.HTTP, {}, True, id="HTTP"),
        pytest.param(Entry.HTTP, {"call_id": True}, False, id="HTTP, with Call-IDs"),
        pytest.param(Entry.FUNCTION_URL, {}, False, id="Function URL"),
        pytest.param(Entry.FUNCTION_URL, {"authorized_percent": 0}, True, id="Function URL, only counted"),
        pytest.param(Entry.DIRECT, {}, False, id="direct"),
        pytest.param(Entry.DIRECT, {"authorized_percent": 2}, True, id="direct, 2 % logged"),
        pytest.param(Entry.DIRECT, {"authorized_percent": 3}, False, id="direct, 3 % logged"),
    ],
)
def test_over_the_internet_the_goals_are_met_as_the_page_says(
    entry: Entry, changed: dict[str, Any], meets: bool
) -> None:
    times = times_floor(Choice(entry=entry, hit_rate=0.9).but(**changed), INPUTS)

    assert (times <= (goal_of(entry, INPUTS) or 0)) is meets


def test_cold_starts_are_assumed_as_more_than_the_simulation_has_at_the_reference_rate() -> None:
    """Deployments and replaced environments come on top of those that the load makes."""
    (simulated,) = (
        run["cold_share"] for run in scenarios.load()["cold_starts"] if run["rate"] == INPUTS.request.reference_rate
    )

    assert 3 < INPUTS.request.reference_cold_share / simulated < 10


def test_what_is_kept_is_compressed_and_paid_by_the_month() -> None:
    short, long = (per_million(Choice(retention_days=days), INPUTS)[Item.KEPT] for days in (30, 60))
    gigabytes = log_bytes(Choice(), INPUTS) * MILLION / 1e9

    assert long == pytest.approx(2 * short)
    assert short == pytest.approx(gigabytes * 0.15 * 0.03 * 30 / (730 / 24))


def test_snapshots_are_paid_for_as_long_as_they_are_there() -> None:
    def snapshots(choice: Choice) -> float:
        return next(cost.dollars for cost in standing_costs(choice, INPUTS) if "snapshots" in cost.what)

    assert snapshots(Choice()) == pytest.approx(4 * 0.5 * SECONDS_PER_MONTH * 0.0000015046)
    assert snapshots(Choice(snapstart=False)) == 0


# -- what must be raised ----------------------------------------------------------------------------------------------


def test_concurrency_is_arrivals_times_duration() -> None:
    found = {need.what: need.amount for need in needs(1000, INPUTS)}

    assert found["concurrent requests, all misses"] == pytest.approx(Times.of(Choice(), INPUTS).miss)


def test_short_requests_need_concurrency_for_their_number() -> None:
    """Lambda accepts ten requests a second for each unit of concurrency, however short they are."""
    quick = replace(INPUTS, durations=replace(INPUTS.durations, miss_cpu_ms=0, runtime_cpu_ms=0, miss_wait_ms=1))

    asked = next(need for need in needs(1000, quick) if need.what == "Lambda concurrency to ask for")

    assert asked.amount == 1000 / 10 * INPUTS.scale.headroom


def test_a_partition_bears_twice_as_many_eventually_consistent_reads_as_units() -> None:
    assert reads_of_a_hot_tag(INPUTS) == 6000


# -- the inputs are those of the code ---------------------------------------------------------------------------------


# What only the admin API and the rotation have, which a stack makes when it is asked to.
OTHER_OUTCOMES = {Outcome.DONE}
OTHER_REJECTION_REASONS = {"no_certificate"}
"""Of another gate than the default."""
OTHER_FAULT_REASONS = {"not_rotated", "not_released", "not_audited", "not_finished"}


def test_the_counted_metrics_are_those_of_the_code() -> None:
    operations = (DEFAULT.parents[1] / "operations.md").read_text("utf-8")
    rejections, faults = (
        len(re.findall(r"^\| `", operations.split(f"## Reasons of a {kind}\n")[1].split("\n## ")[0], re.MULTILINE))
        for kind in ("rejection", "fault")
    )

    stated = INPUTS.metrics

    assert stated.denial_reasons == len(Reason)
    assert stated.rejection_reasons == rejections - len(OTHER_REJECTION_REASONS)
    assert stated.fault_reasons == faults - len(OTHER_FAULT_REASONS)
    assert stated.outcomes == len(set(Outcome) - OTHER_OUTCOMES)


def test_the_stated_stack_is_that_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a topic for alarms, and every other parameter as it is."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")  # which SAM's library asks for
    written = sources()
    stack = stack_of(written, AlarmTopicArn="arn:aws:sns:eu-central-1:123456789012:on-call")
    kinds = [resource["Type"] for resource in stack["Resources"].values()]
    parameters = written["Parameters"]
    storm = INPUTS.simulation.storm

    alarms = [one["Properties"] for one in of_type(stack, "AWS::CloudWatch::Alarm").values()]
    read = [sum("MetricStat" in metric for metric in alarm.get("Metrics", [{"MetricStat": {}}])) for alarm in alarms]

    assert (INPUTS.stack.alarms, INPUTS.stack.alarm_metrics) == (len(alarms), sum(read))
    assert INPUTS.stack.dashboards == kinds.count("AWS::CloudWatch::Dashboard")
    assert INPUTS.metrics.functions == kinds.count("AWS::Lambda::Version")
    assert INPUTS.stack.versions == (1 + KEPT_BEFORE) * INPUTS.metrics.functions
    assert INPUTS.stack.tables == kinds.count("AWS::DynamoDB::Table")
    assert storm.throttle_rate == parameters["ThrottleRate"]["Default"]
    assert storm.throttle_burst == parameters["ThrottleBurst"]["Default"]
    assert Choice() == Choice(
        memory_mb=parameters["MemorySize"]["Default"],
        architecture=parameters["Architecture"]["Default"],
        snapstart=parameters["SnapStart"]["Default"] == "PublishedVersions",
        log_level=parameters["LogLevel"]["Default"],
        authorized_log=parameters["AuthorizedLog"]["Default"],
        authorized_percent=int(parameters["AuthorizedLogPercent"]["Default"]),
        system_log_level=parameters["SystemLogLevel"]["Default"],
        tracing=parameters["Tracing"]["Default"],
        retention_days=parameters["LogRetentionDays"]["Default"],
        access_logs=parameters["AccessLogs"]["Default"] != "none",
        revocations=parameters["RevocationsTable"]["Default"] != "",
    )


def test_the_stated_access_line_is_that_of_the_template() -> None:
    """The format with each variable replaced by a value of usual length."""
    form = template()["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][1]["Format"]

    usual = len(re.sub(r"\$context\.[\w.]+", "x" * 18, form))

    assert INPUTS.log.access_line_bytes == pytest.approx(usual, rel=0.15)


REQUEST_ID = "5f2c6a4e-9d0b-4a57-8f5e-3c0d6a1b2e77"
OF_HTTP = {"path": "/authorize", "status": 200}
NOTED: dict[Entry, dict[str, Any]] = {
    Entry.REST: {"gateway_request_id": REQUEST_ID, "gateway_extended_request_id": "JKJaXmPLvHcESHA=", **OF_HTTP},
    Entry.HTTP: {"gateway_request_id": "JKJaXmPLvHcESHA=", **OF_HTTP},
    Entry.FUNCTION_URL: {"gateway_request_id": REQUEST_ID, **OF_HTTP},
    Entry.DIRECT: {},
    Entry.AUTHORIZER: {"form": "rest_token"},
}


def line_of(entry: Entry, environment: dict[str, str], call_id: str | None = None) -> str:
    """Return what a function writes of an authorized request that came in by *entry*."""
    service = "gateway_authorizer" if entry is Entry.AUTHORIZER else "authorize"
    report = Report(tag="alice-web", secret_id="1", algorithm="HS256", origin="memory", call_id=call_id)
    journal = Journal(service, {"POWERTOOLS_METRICS_NAMESPACE": "AuthJwt/auth-jwt", **environment})
    journal.log_authorized_as(LogSettings.from_env(environment))
    with redirect_stdout(io.StringIO()) as written:
        journal.record(Outcome.AUTHORIZED, report, duration_ms=0.123, request_id=REQUEST_ID, **NOTED[entry])
    return written.getvalue()


@pytest.mark.parametrize("entry", Entry)
@pytest.mark.parametrize("kind", ["full", "lean"])
def test_the_stated_lines_are_as_long_as_those_written(entry: Entry, kind: str) -> None:
    stated = INPUTS.log.line_bytes if kind == "full" else INPUTS.log.lean_line_bytes

    assert len(line_of(entry, {"AUTHORIZED_LOG": kind})) == pytest.approx(stated[entry], abs=2)


@pytest.mark.parametrize(
    ("kind", "stated"), [("full", INPUTS.log.quiet_line_bytes), ("lean", INPUTS.log.counted_line_bytes)]
)
@pytest.mark.parametrize("quiet", [{"POWERTOOLS_LOG_LEVEL": "WARNING"}, {"AUTHORIZED_LOG_PERCENT": "0"}], ids=str)
def test_so_are_those_that_only_count(kind: str, stated: float, quiet: dict[str, str]) -> None:
    assert len(line_of(Entry.REST, {"AUTHORIZED_LOG": kind, **quiet})) == pytest.approx(stated, abs=2)


def test_a_call_id_is_as_long_as_stated() -> None:
    without, with_it = (
        len(line_of(Entry.REST, {"AUTHORIZED_LOG": "lean"}, call_id))
        for call_id in (None, "a84b4c76e66710@198.51.100.9")
    )

    assert with_it - without == pytest.approx(INPUTS.log.call_id_bytes, abs=3)


def test_the_stated_rows_are_as_large_as_rows_are() -> None:
    stored = "0123456789abcdef" * 4
    secret = {"corresponding_tag": {"S": "alice-web"}, "id": {"S": "1"}, "secret": {"S": stored}}
    window = {"start_ts": {"N": "1795401234"}, "end_ts": {"N": "1826937234"}}
    profile = read_json(SAMPLES / "rows.json")["jwt_profiles"][0]["PutRequest"]["Item"]
    read = Secret.from_row({"secret": stored, "id": "1"}, Columns())
    rows = INPUTS.rows

    assert rows.secret_bytes == pytest.approx(item_bytes(secret | window), rel=0.05)
    assert rows.profile_bytes == pytest.approx(item_bytes(profile), rel=0.05)
    assert rows.memory_bound_bytes == MAX_REMEMBERED_BYTES
    assert rows.remembered_bytes_per_tag == pytest.approx(
        TagRows(secrets=(read,) * int(rows.secrets_per_tag)).weight, rel=0.1
    )


@pytest.mark.skipif(not MEASURED.exists(), reason="nothing was measured yet: make bench")
def test_the_stated_durations_are_about_those_measured() -> None:
    """Within a factor of three: machines differ, and the page says how little that changes."""
    parts = read_json(MEASURED)["parts"]
    warm, cold = (parts[part]["HS256"]["costs"]["this service"]["median"] for part in ("warm", "cold"))
    stated = INPUTS.durations

    assert parts["warm"]["HS256"]["unit"].startswith("microseconds")
    assert parts["cold"]["HS256"]["unit"].startswith("milliseconds")
    assert 1 / 3 < stated.hit_cpu_ms * 1000 / warm < 3
    assert 1 / 3 < (stated.init_cpu_ms + stated.first_cpu_ms) / cold < 3


# -- other people's inputs --------------------------------------------------------------------------------------------


def changed(folder: Path, old: str, new: str) -> Path:
    text = DEFAULT.read_text("utf-8")
    assert old in text
    path = folder / "my.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def test_inputs_can_be_changed(tmp_path: Path) -> None:
    dearer = Inputs.load(changed(tmp_path, "us-east-1 = [[333e6, 3.50]", "us-east-1 = [[333e6, 35.0]"))

    assert per_million(Choice(), dearer)[Item.GATEWAY] == pytest.approx(35.0)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        pytest.param("alarms = 24", "alarm = 5", "stack", id="a name that is none"),
        pytest.param("alarms = 24 # by default, with AlarmTopicArn\n", "", "alarms", id="one that is missing"),
        pytest.param("alarms = 24", "alarms = 'five'", "alarms", id="no number"),
        pytest.param("alarms = 24", "alarms = true", "alarms", id="a boolean is none"),
        pytest.param("alarms = 24", "alarms = -1", "alarms", id="less than nothing"),
        pytest.param("[inf, 1.51]", "[21e9, 1.51]", "rest_api_requests", id="tiers that end"),
        pytest.param("[1e9, 2.80]", "[1e6, 2.80]", "rest_api_requests", id="tiers that fall"),
        pytest.param("[stack]", "[stack", "my.toml", id="no TOML"),
    ],
)
def test_inputs_that_cannot_be_are_an_error_that_names_the_place(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    with pytest.raises(InputsError, match=named):
        Inputs.load(changed(tmp_path, old, new))


def test_a_price_of_another_region_is_an_error() -> None:
    with pytest.raises(InputsError, match="xx-north-9"):
        per_million(Choice(region="xx-north-9"), INPUTS)


def test_every_price_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nothing asks for is on the page for nothing."""
    asked: set[str] = set()
    found = Inputs.price

    def noted(inputs: Inputs, name: str, region: str) -> Price:
        asked.add(name)
        return found(inputs, name, region)

    monkeypatch.setattr(Inputs, "price", noted)
    for entry in Entry:
        for architecture in ("arm64", "x86_64"):
            per_million(Choice(entry=entry, architecture=architecture), INPUTS)
    list(standing_costs(Choice(), INPUTS))

    assert asked == INPUTS.prices.keys(), json.dumps(sorted(INPUTS.prices.keys() - asked))
