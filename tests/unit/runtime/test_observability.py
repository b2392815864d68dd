"""The one line of a request, answered or failed, and of a warning."""

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aws_lambda_powertools import Logger, Metrics

from auth_jwt.errors import Reason, Unreachable
from auth_jwt.models import Report
from auth_jwt.runtime import observability
from auth_jwt.runtime.observability import Journal, Outcome, gateway_ids_of, milliseconds_since, request_id_of
from auth_jwt.runtime.settings import AuthorizedLog, LogSettings

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
TRACE = "Root=1-684e9fe8-c535c344b12b4a32da2c26dc;Parent=53995c3f42cd8ad8;Sampled=1"
REPORT = Report(tag="t1", algorithm="HS256", origin="memory", secret_id="1")
SEEN: dict[str, Any] = {"status": 200, "duration_ms": 0.125, "request_id": "r-1", "path": None}


def written(journal: Journal, outcome: Outcome, report: Report = REPORT, **fields: Any) -> list[dict[str, Any]]:
    """What the *journal* writes of a request, line by line."""
    with redirect_stdout(io.StringIO()) as out:
        journal.record(outcome, report, **fields)
    assert out.getvalue().endswith("\n")
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(name="noon", autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOON + 0.042)


def test_a_request_is_one_line_that_is_log_record_and_metrics_in_one() -> None:
    (line,) = written(Journal("authorize", {}), Outcome.AUTHORIZED, **SEEN)

    assert line == {
        "level": "INFO",
        "message": "authorized",
        "timestamp": "2026-11-23T12:00:00.042+00:00",
        "service": "authorize",
        "outcome": "authorized",
        "tag": "t1",
        "secret_id": "1",
        "algorithm": "HS256",
        "rows": "memory",
        "status": 200,
        "duration_ms": 0.125,
        "request_id": "r-1",
        "_aws": {
            "Timestamp": 1795435200042,
            "CloudWatchMetrics": [
                {
                    "Namespace": "AuthJwt",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": "Authorized", "Unit": "Count"}],
                }
            ],
        },
        "Authorized": 1,
    }


@pytest.mark.matrix
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("reason", [None, Reason.BAD_SIGNATURE.value])
@pytest.mark.parametrize("trace", [{}, {"_X_AMZN_TRACE_ID": TRACE}], ids=["untraced", "traced"])
def test_the_line_has_the_fields_that_powertools_gives_its_two(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, reason: str | None, trace: dict[str, str]
) -> None:
    """Whoever reads these lines by Powertools' documentation finds what it promises, in the same words."""
    for name, value in trace.items():
        monkeypatch.setenv(name, value)
    service = f"compared-{outcome}-{reason}-{len(trace)}"  # Powertools keeps a logger for each
    report = Report(tag="tëg", unusable_secrets={"2": "not text"}, unusable_credentials=("a", "b"))
    out = io.StringIO()
    with redirect_stdout(out):
        logger = Logger(service=service, stream=out, use_rfc3339=True, utc=True, location=None)
        logger.info(outcome.value, outcome=outcome.value, reason=reason, **observability._fields(report, SEEN))
        metrics = Metrics(service=service, namespace="AuthJwt")
        for name, count in {
            observability._metric_of(outcome): 1,
            **observability._count_seen(report),
        }.items():
            metrics.add_metric(name=name, unit="Count", value=count)
        if reason is not None:
            metrics.add_dimensions(service=service, reason=reason)
        metrics.flush_metrics()
    record, counts = map(json.loads, out.getvalue().splitlines())
    (theirs,) = counts["_aws"]["CloudWatchMetrics"]

    (line,) = written(Journal(service, trace), outcome, report, reason=reason, **SEEN)
    (ours,) = line["_aws"]["CloudWatchMetrics"]

    record["timestamp"] = line["timestamp"]  # theirs is the logging module's own clock
    assert {name: value for name, value in line.items() if name in record} == record
    assert line.keys() - record.keys() == counts.keys() - {"service", "reason"}
    assert all(counts[name] == [line[name]] for name in counts.keys() - {"_aws", "service", "reason"})
    assert ours["Namespace"] == theirs["Namespace"]
    assert ours["Metrics"] == theirs["Metrics"]
    assert sorted(map(sorted, ours["Dimensions"])) == sorted(map(sorted, theirs["Dimensions"]))


@pytest.mark.parametrize(
    ("variables", "shows"),
    [
        pytest.param({}, True, id="by default"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "INFO"}, True, id="INFO"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "debug"}, True, id="below INFO, in small letters"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "WARNING"}, False, id="WARNING"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "critical"}, False, id="CRITICAL"),
        pytest.param({"LOG_LEVEL": "ERROR"}, False, id="by its old name"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "INFO", "AWS_LAMBDA_LOG_LEVEL": "WARN"}, False, id="by Lambda's own"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "WARNING", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, False, id="beside Lambda's"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "INFO", "LOG_LEVEL": "ERROR"}, True, id="the newer name"),
        pytest.param({"POWERTOOLS_LOG_LEVEL": "loud", "AWS_LAMBDA_LOG_LEVEL": "TRACE"}, True, id="unknown words"),
    ],
)
def test_a_level_above_info_leaves_only_the_metrics(variables: dict[str, str], shows: bool) -> None:
    (line,) = written(Journal("authorize", variables), Outcome.DENIED, reason="bad_signature", **SEEN)

    assert ("message" in line) is shows
    if not shows:
        assert line.keys() == {"service", "reason", "_aws", "Denied"}


def test_the_service_can_be_named_otherwise() -> None:
    (line,) = written(Journal("authorize", {"POWERTOOLS_SERVICE_NAME": "blue"}), Outcome.AUTHORIZED)

    assert line["service"] == "blue"


def test_the_trace_is_the_one_of_the_request() -> None:
    """Lambda changes the variable from one invocation to the next."""
    variables = {"_X_AMZN_TRACE_ID": TRACE}
    journal = Journal("authorize", variables)
    (first,) = written(journal, Outcome.AUTHORIZED)
    variables["_X_AMZN_TRACE_ID"] = "Root=1-00000000-0"
    (second,) = written(journal, Outcome.AUTHORIZED)

    assert first["xray_trace_id"] == "1-684e9fe8-c535c344b12b4a32da2c26dc"
    assert second["xray_trace_id"] == "1-00000000-0"


@pytest.mark.parametrize(
    ("later", "shown"),
    [(0.9994, "12:00:00.999"), (1.0, "12:00:01.000"), (86_400.0, "12:00:00.000"), (-1.0, "11:59:59.000")],
)
def test_no_line_bears_the_second_of_another(monkeypatch: pytest.MonkeyPatch, later: float, shown: str) -> None:
    """A second's text is kept under that second, and clocks jump: they do when a snapshot is resumed."""
    journal = Journal("authorize", {})
    written(journal, Outcome.AUTHORIZED)
    monkeypatch.setattr("time.time", lambda: NOON + later)
    (line,) = written(journal, Outcome.AUTHORIZED)

    assert line["timestamp"].partition("T")[2] == f"{shown}+00:00"
    assert line["timestamp"].startswith("2026-11-24" if later == 86_400.0 else "2026-11-23")


def test_what_would_break_the_line_is_escaped() -> None:
    report = Report(tag='"\n\\', call_id="ü", unusable_secrets={'"': "\t"})
    (line,) = written(Journal("authorize", {}), Outcome.DENIED, report, reason="bad_signature")

    assert (line["tag"], line["call_id"], line["unusable_secrets"]) == ('"\n\\', "ü", {'"': "\t"})


INVISIBLE = "\x00\x08\t\n\r\x1f\x7f\x80\x85\x9f\xad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"
INVISIBLE += "\ud800\U000e0041"  # half a character, and one of those that only tag others


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_no_text_of_a_callers_is_written_but_as_people_see_it(tmp_path: Path, level: str) -> None:
    """What ends a line, turns a text around or shows nothing is escaped, and reads as it was."""
    report = Report(
        tag=INVISIBLE,
        algorithm=INVISIBLE,
        secret_id=INVISIBLE,
        call_id=INVISIBLE,
        unusable_secrets={INVISIBLE: INVISIBLE},
        unusable_credentials=(INVISIBLE,),
    )
    seen: dict[str, Any] = {"path": INVISIBLE, "gateway_request_id": INVISIBLE, "dropped": f"é {INVISIBLE} \U0001f600"}
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as file, redirect_stdout(file):
        if level == "INFO":
            Journal("authorize", {}).record(Outcome.DENIED, report, reason="bad_signature", **seen)
        else:
            Journal("authorize", {}).record_fault(Unreachable(INVISIBLE), report, **seen)

    line = path.read_text("utf-8").split("\n")[0]
    record = json.loads(line)

    assert line.isprintable()
    assert "\\u202e" in line
    assert "\\ud800" in line
    assert "\\udb40\\udc41" in line
    assert "é" in line
    assert "\U0001f600" in line
    assert [record[name] for name in ("tag", "algorithm", "secret_id", "call_id", "path")] == [INVISIBLE] * 5
    assert record["unusable_secrets"] == {INVISIBLE: INVISIBLE}
    assert record["dropped"] == f"é {INVISIBLE} \U0001f600"
    if level == "ERROR":
        assert record["causes"][0]["message"] == INVISIBLE


def test_where_standard_output_takes_ascii_alone_the_line_is_written_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w", encoding="ascii") as file, redirect_stdout(file):
        Journal("authorize", {}).record(Outcome.AUTHORIZED, REPORT, gateway_request_id="é\U0001f600")

    assert json.loads(path.read_text("ascii"))["gateway_request_id"] == "é\U0001f600"


@pytest.mark.parametrize("kind", ["whole", "lean", "fault", "warning", "audit"])
def test_a_line_has_left_the_process_before_the_request_is_answered(tmp_path: Path, kind: str) -> None:
    """Lambda freezes a process after its answer, and may never thaw it: what it had not passed on would be lost."""
    journal = lean_journal() if kind == "lean" else Journal("authorize", {})
    write: dict[str, Callable[[], None]] = {
        "fault": lambda: journal.record_fault(Unreachable("no answer"), REPORT),
        "warning": lambda: journal.warn_of_boto3("a proxy is set"),
        "audit": lambda: journal.record_write("{}"),
    }
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as file, redirect_stdout(file):
        write.get(kind, lambda: journal.record(Outcome.AUTHORIZED, REPORT, **SEEN))()
        passed_on = path.read_text("utf-8")

    assert passed_on.endswith("}\n")


def test_a_line_of_audit_is_one_line_and_visible() -> None:
    """Whoever made it."""
    with redirect_stdout(io.StringIO()) as out:
        Journal("provisioning", {}).record_write('{"tag":"a\u2028\u202eb"}')

    assert out.getvalue() == '{"tag":"a\\u2028\\u202eb"}\n'


def fault_of(journal: Journal, error: Exception, report: Report = REPORT) -> list[dict[str, Any]]:
    """What the *journal* writes of a fault."""
    with redirect_stdout(io.StringIO()) as out:
        journal.record_fault(error, report, **SEEN)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_fault_is_one_line_with_its_causes() -> None:
    (line,) = fault_of(Journal("authorize", {}), Unreachable("no answer"))

    assert line == {
        "level": "ERROR",
        "message": "fault",
        "timestamp": "2026-11-23T12:00:00.042+00:00",
        "service": "authorize",
        "outcome": "fault",
        "reason": "unreachable",
        "tag": "t1",
        "secret_id": "1",
        "algorithm": "HS256",
        "rows": "memory",
        "status": 200,
        "duration_ms": 0.125,
        "request_id": "r-1",
        "causes": [{"type": "auth_jwt.errors.Unreachable", "message": "no answer"}],
        "_aws": {
            "Timestamp": 1795435200042,
            "CloudWatchMetrics": [
                {
                    "Namespace": "AuthJwt",
                    "Dimensions": [["service"], ["service", "reason"]],
                    "Metrics": [{"Name": "Fault", "Unit": "Count"}],
                }
            ],
        },
        "Fault": 1,
    }


def test_of_each_cause_it_says_where_the_last_four_places_are_and_no_text_of_others() -> None:
    """Texts of others may quote what they were given."""

    def deep(steps: int) -> None:
        if steps:
            deep(steps - 1)
        raise ValueError("the key itself")

    try:
        try:
            deep(5)
        except ValueError as error:
            raise Unreachable("no answer") from error
    except Unreachable as error:
        (line,) = fault_of(Journal("authorize", {}), error)

    ours, others = line["causes"]
    name = "test_of_each_cause_it_says_where_the_last_four_places_are_and_no_text_of_others"
    assert re.fullmatch(rf"test_observability\.py:\d+ {name}", ours["at"])
    assert others["type"] == "builtins.ValueError"
    assert re.fullmatch(r"(?:test_observability\.py:\d+ deep(?: > |$)){4}", others["at"])
    assert "the key itself" not in json.dumps(line)


def test_a_chain_of_causes_ends_somewhere() -> None:
    error = RuntimeError("endless")
    error.__cause__ = error

    (line,) = fault_of(Journal("authorize", {}), error)

    assert len(line["causes"]) == 8


@pytest.mark.parametrize(
    ("level", "shows_warnings", "shows_faults"),
    [("INFO", True, True), ("WARNING", True, True), ("ERROR", False, True), ("FATAL", False, False)],
)
def test_a_level_above_a_line_leaves_only_its_metrics(level: str, shows_warnings: bool, shows_faults: bool) -> None:
    journal = Journal("authorize", {"POWERTOOLS_LOG_LEVEL": level})

    with redirect_stdout(io.StringIO()) as out:
        journal.warn_of_boto3("a proxy is set")
        journal.warn_of_near_misses({"TAG_CLAIN": "TAG_CLAIM"})
        journal.record_fault(Unreachable("no answer"), REPORT)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    assert [line["message"] for line in lines if line.get("level") == "WARNING"] == (
        [
            "boto3 reads DynamoDB instead of the express lane: a proxy is set",
            "TAG_CLAIN is ignored: no such variable; did you mean TAG_CLAIM?",
        ]
        if shows_warnings
        else []
    )
    assert ["causes" in line for line in lines if "Fault" in line] == [shows_faults]
    assert [line["Boto3Fallback"] for line in lines if "Boto3Fallback" in line] == [1]


# -- plain authorized requests ----------------------------------------------------------------------------------------

OF_REST: dict[str, Any] = {
    "duration_ms": 0.125,
    "request_id": "r-1",
    "gateway_request_id": "g-1",
    "gateway_extended_request_id": "e-1",
    "path": "/authorize",
    "status": 200,
}
LEAN_REST = {
    "service": "authorize",
    "outcome": "authorized",
    "tag": "t1",
    "secret_id": "1",
    "algorithm": "HS256",
    "rows": "memory",
    "duration_ms": 0.125,
    "request_id": "r-1",
    "gateway_extended_request_id": "e-1",
    "path": "/authorize",
}
ONLY_COUNTED = {"service": "authorize", "outcome": "authorized"}


def lean_journal(percent: int = 100, variables: dict[str, str] | None = None) -> Journal:
    journal = Journal("authorize", variables or {})
    journal.log_authorized_as(LogSettings(authorized=AuthorizedLog.LEAN, authorized_percent=percent))
    return journal


def test_a_lean_line_leaves_out_what_others_say() -> None:
    (line,) = written(lean_journal(), Outcome.AUTHORIZED, **OF_REST)

    assert line == LEAN_REST


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        pytest.param({}, {}, id="direct invocation"),
        pytest.param({"gateway_request_id": "r-1"}, {}, id="a Function URL, whose id is Lambda's own"),
        pytest.param({"gateway_request_id": "g-1"}, {"gateway_request_id": "g-1"}, id="an HTTP API"),
        pytest.param(
            {"gateway_request_id": "g-1", "gateway_extended_request_id": "e-1"},
            {"gateway_extended_request_id": "e-1"},
            id="a REST API",
        ),
    ],
)
def test_a_lean_line_names_each_request_of_a_gateway_once(ids: dict[str, Any], kept: dict[str, str]) -> None:
    (line,) = written(lean_journal(), Outcome.AUTHORIZED, request_id="r-1", **ids)

    assert {name: value for name, value in line.items() if name.startswith("gateway")} == kept
    assert line["request_id"] == "r-1"


@pytest.mark.parametrize(
    ("trace", "shown"),
    [
        (TRACE, "1-684e9fe8-c535c344b12b4a32da2c26dc"),
        ("Root=1-00000000-0;Sampled=0", None),
        ("Root=1-00000000-0", None),
    ],
)
def test_a_lean_line_names_a_trace_that_was_recorded(trace: str, shown: str | None) -> None:
    (line,) = written(lean_journal(variables={"_X_AMZN_TRACE_ID": trace}), Outcome.AUTHORIZED)

    assert line.get("xray_trace_id") == shown


@pytest.mark.parametrize(
    ("report", "fields"),
    [
        pytest.param(Report(tag="t1", origin="stale"), {}, id="stale rows"),
        pytest.param(Report(tag="t1", origin="memory", issuer_origin="stale"), {}, id="stale rows of an issuer"),
        pytest.param(Report(tag="t1", unusable_secrets={"2": "not text"}), {}, id="an unusable secret"),
        pytest.param(Report(tag="t1", left_out=("2",)), {}, id="a secret too many"),
        pytest.param(Report(tag="t1", unusable_credentials=("a",)), {}, id="an unusable credential"),
        pytest.param(Report(tag="t1", call_id="a", call_id_altered=True), {}, id="an altered Call-ID"),
        pytest.param(REPORT, {"dropped": "decoded_token"}, id="an answer that was cut"),
        pytest.param(REPORT, {"counts": {"More": 1}}, id="further metrics"),
    ],
)
@pytest.mark.parametrize("percent", [0, 100])
def test_an_authorized_line_that_needs_attention_is_whole(report: Report, fields: dict[str, Any], percent: int) -> None:
    (line,) = written(lean_journal(percent), Outcome.AUTHORIZED, report, **OF_REST, **fields)
    (whole,) = written(Journal("authorize", {}), Outcome.AUTHORIZED, report, **OF_REST, **fields)

    assert line == whole
    assert line["Authorized"] == 1


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.AUTHORIZED])
@pytest.mark.parametrize("reason", [None, "some_reason"])
def test_the_lines_of_all_other_outcomes_are_whole(outcome: Outcome, reason: str | None) -> None:
    lean = written(lean_journal(0), outcome, reason=reason, **OF_REST)

    assert lean == written(Journal("authorize", {}), outcome, reason=reason, **OF_REST)
    assert {"level", "timestamp", "_aws"} < lean[0].keys()


def test_a_lean_fault_is_whole() -> None:
    assert fault_of(lean_journal(0), Unreachable("no answer")) == fault_of(
        Journal("authorize", {}), Unreachable("no answer")
    )


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 99, 100])
@pytest.mark.parametrize("kind", AuthorizedLog)
def test_a_share_of_the_plain_lines_is_written_and_each_request_is_counted(percent: int, kind: AuthorizedLog) -> None:
    """The same requests by every process: who knows a request's id knows whether to look for its line."""
    journal = Journal("authorize", {})
    journal.log_authorized_as(LogSettings(authorized=kind, authorized_percent=percent))
    ids = [str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for number in range(2000)]

    lines = [line for request_id in ids for line in written(journal, Outcome.AUTHORIZED, request_id=request_id)]
    again = [line for request_id in ids for line in written(journal, Outcome.AUTHORIZED, request_id=request_id)]
    shown = [line for line in lines if "tag" in line]

    assert len(lines) == 2000
    assert lines == again
    assert len(shown) == pytest.approx(20 * percent, abs=0 if percent in (0, 100) else 60)
    if kind is AuthorizedLog.LEAN:
        assert all(line == ONLY_COUNTED for line in lines if "tag" not in line)
    else:
        assert all(line["Authorized"] == 1 for line in lines)
        assert all(line.keys() == {"service", "_aws", "Authorized"} for line in lines if "tag" not in line)


@pytest.mark.parametrize("variables", [{"POWERTOOLS_LOG_LEVEL": "WARNING"}, {"AWS_LAMBDA_LOG_LEVEL": "ERROR"}])
def test_a_level_above_info_leaves_of_a_lean_line_what_counts_it(variables: dict[str, str]) -> None:
    assert written(lean_journal(100, variables), Outcome.AUTHORIZED, **OF_REST) == [ONLY_COUNTED]


def test_a_lean_line_is_as_visible_as_another() -> None:
    with redirect_stdout(io.StringIO()) as out:
        lean_journal().record(Outcome.AUTHORIZED, Report(tag=INVISIBLE, call_id=INVISIBLE), request_id="\ud800")

    assert out.getvalue()[:-1].isprintable()
    assert json.loads(out.getvalue())["tag"] == INVISIBLE


def test_a_lean_line_that_cannot_be_written_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)

    lean_journal().record(Outcome.AUTHORIZED, REPORT, **OF_REST)


# -- metrics ----------------------------------------------------------------------------------------------------------


def lines_of_all_kinds(journal: Journal) -> list[dict[str, Any]]:
    """A line of every outcome, with and without a reason, of a fault, and of what else is counted."""
    report = Report(tag="t1", unusable_secrets={"2": "not text"}, unusable_credentials=("a", "b"))
    with redirect_stdout(io.StringIO()) as out:
        for outcome in Outcome:
            journal.record(outcome, report)
            journal.record(outcome, REPORT, reason="some_reason")
        journal.record_fault(Unreachable("no answer"), report)
        journal.warn_of_boto3("a proxy is set")
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("variables", "namespace"),
    [
        pytest.param({}, "AuthJwt", id="by default"),
        pytest.param({"POWERTOOLS_METRICS_NAMESPACE": ""}, "AuthJwt", id="empty"),
        pytest.param({"POWERTOOLS_METRICS_NAMESPACE": "auth-jwt-blue"}, "auth-jwt-blue", id="of a stack"),
    ],
)
def test_metrics_are_in_the_namespace_of_the_variable(variables: dict[str, str], namespace: str) -> None:
    for line in lines_of_all_kinds(Journal("authorize", variables)):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == namespace


def test_nothing_is_counted_twice() -> None:
    """Each line counts in one namespace, each metric once under each set of dimensions, and no two sets are alike.

    So whoever asks for a metric by its dimensions, as an alarm does, gets each event once. All that a set or a metric
    names is in the line, or CloudWatch would drop the whole.
    """
    for line in lines_of_all_kinds(Journal("authorize", {})):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        metrics = [metric["Name"] for metric in directive["Metrics"]]
        sets = [frozenset(names) for names in directive["Dimensions"]]
        assert len(set(metrics)) == len(metrics)
        assert len(set(sets)) == len(sets)
        assert frozenset({"service"}) in sets
        assert (frozenset({"service", "reason"}) in sets) is ("reason" in line)
        assert {*metrics, *frozenset().union(*sets)} <= line.keys()
        assert all(type(line[name]) is int for name in metrics)


def test_a_duration_is_in_milliseconds_to_the_last_whole_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 12.0012345678)

    assert milliseconds_since(10.0) == 2001.235


# -- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "ids"),
    [
        ({"requestId": "r", "extendedRequestId": "e"}, ("r", "e")),
        ({"requestId": "r"}, ("r", None)),
        ({"requestId": 1, "extendedRequestId": ["e"]}, (None, None)),
        (None, (None, None)),
        ("odd", (None, None)),
    ],
)
def test_the_ids_of_the_gateway_are_text_or_absent(about: object, ids: tuple[str | None, str | None]) -> None:
    found = gateway_ids_of(about)

    assert (found["gateway_request_id"], found["gateway_extended_request_id"]) == ids


def test_a_request_without_an_id_of_lambdas_gets_one_of_its_own() -> None:
    ids = {request_id_of(None) for _ in range(100)}

    assert len(ids) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)
