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
from tools.capacity.cost import (
    MILLION,
    SECONDS_PER_MONTH,
    Choice,
    Entry,
    Item,
    Times,
    billed_ms,
    log_bytes,
    per_million,
    per_month,
    read_units_of_a_miss,
    standing_costs,
)
from tools.capacity.inputs import DEFAULT, Inputs, InputsError, Price
from tools.capacity.read_units import item_bytes
from tools.capacity.scale import needs, reads_of_a_hot_tag
from tools.events.stage import SAMPLES, read_json, template

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


def test_a_warning_level_drops_the_line_and_keeps_its_metrics() -> None:
    loud, quiet = (log_bytes(Choice(log_level=level), INPUTS) for level in ("INFO", "WARNING"))

    assert loud - quiet == INPUTS.log.line_bytes["rest"] - INPUTS.log.quiet_line_bytes


def test_what_is_kept_is_compressed_and_paid_by_the_month() -> None:
    short, long = (per_million(Choice(retention_days=days), INPUTS)[Item.KEPT] for days in (30, 60))
    gigabytes = log_bytes(Choice(), INPUTS) * MILLION / 1e9

    assert long == pytest.approx(2 * short)
    assert short == pytest.approx(gigabytes * 0.15 * 0.03 * 30 / (730 / 24))


def test_snapshots_are_paid_for_as_long_as_they_are_there() -> None:
    def snapshots(choice: Choice) -> float:
        return next(cost.dollars for cost in standing_costs(choice, INPUTS) if "snapshots" in cost.what)

    assert snapshots(Choice()) == pytest.approx(2 * 0.5 * SECONDS_PER_MONTH * 0.0000015046)
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
OTHER_FAULT_REASONS = {"not_rotated", "not_audited"}
OTHER_CONDITIONS = {"HasAdminApi", "HasAdminAlarms", "Rotates", "WatchesRotation", "HasIssuers", "WatchesIssuers"}


def test_the_counted_metrics_are_those_of_the_code() -> None:
    operations = (DEFAULT.parents[1] / "operations.md").read_text("utf-8")
    rejections, faults = (
        len(re.findall(r"^\| `", operations.split(f"## Reasons of a {kind}\n")[1].split("\n## ")[0], re.MULTILINE))
        for kind in ("rejection", "fault")
    )

    stated = INPUTS.metrics

    assert stated.denial_reasons == len(Reason)
    assert (stated.rejection_reasons, stated.fault_reasons) == (rejections, faults - len(OTHER_FAULT_REASONS))
    assert stated.outcomes == len(set(Outcome) - OTHER_OUTCOMES)


def test_the_stated_stack_is_that_of_the_template() -> None:
    stack = template()
    usual = [resource for resource in stack["Resources"].values() if resource.get("Condition") not in OTHER_CONDITIONS]
    kinds = [resource["Type"] for resource in usual]
    tables = [resource for resource in stack["Resources"].values() if resource["Type"] == "AWS::DynamoDB::Table"]
    parameters = stack["Parameters"]
    storm = INPUTS.simulation.storm

    assert INPUTS.stack.alarms == kinds.count("AWS::CloudWatch::Alarm")
    assert INPUTS.stack.versions == INPUTS.metrics.functions == kinds.count("AWS::Serverless::Function")
    assert INPUTS.stack.tables == [table["Condition"] for table in tables].count("MakesTables")
    assert storm.throttle_rate == parameters["ThrottleRate"]["Default"]
    assert storm.throttle_burst == parameters["ThrottleBurst"]["Default"]
    assert Choice() == Choice(
        memory_mb=parameters["MemorySize"]["Default"],
        architecture=parameters["Architecture"]["Default"],
        snapstart=parameters["SnapStart"]["Default"] == "PublishedVersions",
        log_level=parameters["LogLevel"]["Default"],
        retention_days=parameters["LogRetentionDays"]["Default"],
        access_logs=parameters["AccessLogs"]["Default"] != "none",
        revocations=parameters["RevocationsTable"]["Default"] != "",
    )


def test_the_stated_access_line_is_that_of_the_template() -> None:
    """The format with each variable replaced by a value of usual length."""
    form = template()["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][1]["Format"]

    usual = len(re.sub(r"\$context\.[\w.]+", "x" * 18, form))

    assert INPUTS.log.access_line_bytes == pytest.approx(usual, rel=0.15)


@pytest.mark.parametrize(
    ("level", "entry", "stated"),
    [
        ("INFO", Entry.REST, INPUTS.log.line_bytes["rest"]),
        ("INFO", Entry.DIRECT, INPUTS.log.line_bytes["direct"]),
        ("WARNING", Entry.REST, INPUTS.log.quiet_line_bytes),
    ],
)
def test_the_stated_lines_are_as_long_as_those_written(level: str, entry: Entry, stated: float) -> None:
    report = Report(tag="alice-web", secret_id="1", algorithm="HS256", origin="memory")
    request_id = "5f2c6a4e-9d0b-4a57-8f5e-3c0d6a1b2e77"
    of_the_gateway = {"gateway_request_id": request_id, "gateway_extended_request_id": "JKJaXmPLvHcESHA="}
    of_http: dict[str, Any] = {"status": 200, **of_the_gateway, "path": "/authorize"}
    written = io.StringIO()

    with redirect_stdout(written):
        Journal("authorize", {"POWERTOOLS_LOG_LEVEL": level}).record(
            Outcome.AUTHORIZED,
            report,
            duration_ms=0.123,
            request_id=request_id,
            **({} if entry is Entry.DIRECT else of_http),
        )

    assert len(written.getvalue()) == pytest.approx(stated, rel=0.05)


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
        pytest.param("alarms = 7", "alarm = 5", "stack", id="a name that is none"),
        pytest.param("alarms = 7\n", "", "alarms", id="one that is missing"),
        pytest.param("alarms = 7", "alarms = 'five'", "alarms", id="no number"),
        pytest.param("alarms = 7", "alarms = true", "alarms", id="a boolean is none"),
        pytest.param("alarms = 7", "alarms = -1", "alarms", id="less than nothing"),
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
