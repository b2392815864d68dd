"""Log and metrics: one structured line per request, and what may be in it.

A tag, a row's `id`, an algorithm, a reason: yes. A token, a secret, a credential's value: never. Foreign exceptions
are logged as their types and their places in the code, since their texts may quote what they were given; only our
own messages, which hold no values, are shown.

A request that was answered gets one line, log record and embedded metrics in one (docs/decisions/0018). Faults and
warnings are rare, and written by Powertools, which is loaded for the first of them.
"""

import re
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import (
    AuthJwtError,
    BadSetting,
    Fault,
    NotRotated,
    Throttled,
    TooLarge,
    UnknownEvent,
    Unreachable,
)
from auth_jwt.models import Report
from auth_jwt.wire import compact_json

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

METRICS_NAMESPACE: Final = "AuthJwt"
UNUSABLE_SECRET: Final = "UnusableSecret"  # noqa: S105 - a metric's name
UNUSABLE_CREDENTIAL: Final = "UnusableCredential"
_SILENT_ABOUT_ANSWERS: Final = frozenset({"WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"})  # Lambda has its own words
_MAX_CAUSES: Final = 8
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Outcome(StrEnum):
    """How a request ended. Metrics are named after it, in CamelCase, with the reason as a dimension."""

    AUTHORIZED = "authorized"
    DENIED = "denied"
    CHALLENGED = "challenged"  # no token at all
    REJECTED = "rejected"  # not a request of ours: its form, path or method
    FAULT = "fault"
    VALIDATED = "validated"  # /script-authorize: 1
    NOT_VALIDATED = "not_validated"  # /script-authorize: -1 and -2
    DONE = "done"  # the admin API: as asked
    PING = "ping"  # an event that keeps a process warm: nobody asked anything


class Journal:
    """Writes what happened: to the log for people, to CloudWatch's embedded metrics for alarms.

    Args:
        service: the name both carry, unless `POWERTOOLS_SERVICE_NAME` says another.
        env: the process's variables, which Lambda goes on to change: the trace is in one.
    """

    def __init__(self, service: str, env: Mapping[str, str]) -> None:
        self._service = env.get("POWERTOOLS_SERVICE_NAME") or service
        self._env = env
        level = env.get("AWS_LAMBDA_LOG_LEVEL") or env.get("POWERTOOLS_LOG_LEVEL") or env.get("LOG_LEVEL") or "INFO"
        self._shows_answers = level.upper() not in _SILENT_ABOUT_ANSWERS

    def warn_of_near_misses(self, near_misses: Mapping[str, str]) -> None:
        """Say which variables are ignored, but nearly spell one of ours."""
        for variable, meant in near_misses.items():
            self._logger.warning(
                f"{variable} is ignored: no such variable; did you mean {meant}?", variable=variable, meant=meant
            )

    def tell_of_boto3(self, reason: str) -> None:
        """Say why the tables are read by boto3, though the express lane was asked for: cold starts take longer."""
        self._logger.info(f"DynamoDB is asked by boto3, not by the express lane: {reason}")

    def record(self, outcome: Outcome, report: Report, *, reason: str | None = None, **fields: object) -> None:
        """Write the one line of a request that was answered, which counts it, too.

        Args:
            outcome: how it ended.
            report: what was seen on the way.
            reason: why, in one stable word.
            fields: what else the handler knows; None is left out.
        """
        now = int(time.time() * 1000)
        second, millisecond = divmod(now, 1000)
        rows = _unusable_rows(report)
        shown = ""
        if self._shows_answers:
            trace = self._env.get("_X_AMZN_TRACE_ID")
            members = _fields(report, fields)
            members["xray_trace_id"] = trace and trace.partition(";")[0].removeprefix("Root=")
            texts = [
                f',"{name}":{encode_basestring(value) if type(value) is str else compact_json(value)}'
                for name, value in members.items()
                if value is not None
            ]
            shown = f',"timestamp":"{_second(second)}.{millisecond:03}+00:00"{"".join(texts)}'
        head, tail = _frame(self._service, outcome, reason, tuple(rows), self._shows_answers)
        for name, count in rows.items():
            tail += f',"{name}":{count}'
        _write(f'{{{head}{shown},"_aws":{{"Timestamp":{now},{tail}}}')

    def record_write(self, line: str) -> None:
        """Write a *line* of audit, whatever the log level: who may not miss a request may not miss a write."""
        _write(line)

    def record_fault(self, error: BaseException, report: Report, **fields: object) -> None:
        """Write the line of a request that we failed, with the chain of causes, and count it."""
        reason = _fault_reason(error)
        outcome = Outcome.FAULT.value
        self._logger.error(outcome, outcome=outcome, reason=reason, **_fields(report, fields), causes=_causes(error))
        for name, count in {_metric(Outcome.FAULT): 1, **_unusable_rows(report)}.items():
            self._metrics.add_metric(name=name, unit="Count", value=count)
        self._metrics.add_dimensions(service=self._service, reason=reason)
        self._metrics.flush_metrics()

    @cached_property
    def _logger(self) -> "Logger":
        import logging

        from aws_lambda_powertools import Logger

        class StandardOutput(logging.StreamHandler[Any]):
            """Writes to whatever standard output is at the time, as `print` does, and what can be seen."""

            def emit(self, record: logging.LogRecord) -> None:
                self.stream = sys.stdout
                super().emit(record)

            def format(self, record: logging.LogRecord) -> str:
                return _visible(super().format(record))

        return Logger(
            service=self._service, use_rfc3339=True, utc=True, logger_handler=StandardOutput(sys.stdout), location=None
        )

    @cached_property
    def _metrics(self) -> "Metrics":
        from aws_lambda_powertools import Metrics

        return Metrics(service=self._service, namespace=METRICS_NAMESPACE)


def request_id_of(context: object) -> str:
    """Return Lambda's id of the request whose *context* this is, or one of our own."""
    given = getattr(context, "aws_request_id", None)
    if given:
        return str(given)
    from uuid import uuid4

    return str(uuid4())


def milliseconds_since(started: float) -> float:
    """Return the time passed since `time.perf_counter()` was *started*, as log lines show it."""
    return round((time.perf_counter() - started) * 1000, 3)


def _write(line: str) -> None:
    line = _visible(line)
    try:
        sys.stdout.write(f"{line}\n")
    except UnicodeEncodeError:  # a terminal that does not know all characters
        sys.stdout.write(f"{_NOT_ASCII.sub(_escape, line)}\n")
    sys.stdout.flush()


def _visible(line: str) -> str:
    """Return a *line* of JSON with escapes for whatever is not printable.

    Such are the control characters (JSON has escaped those below U+0020), those that end a line or turn the direction
    of a text around, and half a surrogate pair: in a tag, say, they would show people another log than machines read.
    """
    if line.isascii() and "\x7f" not in line:  # nearly every line, and found out in no time
        return line
    return "".join([character if character.isprintable() else _escape_of(character) for character in line])


def _escape(found: re.Match[str]) -> str:
    return _escape_of(found[0])


def _escape_of(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _unusable_rows(report: Report) -> dict[str, int]:
    """Return how many rows a request could not use, by the name of the metric; mostly nothing."""
    counts = {}
    if report.unusable_secrets:
        counts[UNUSABLE_SECRET] = len(report.unusable_secrets)
    if report.unusable_credentials:
        counts[UNUSABLE_CREDENTIAL] = len(report.unusable_credentials)
    return counts


def _metric(outcome: Outcome) -> str:
    return outcome.value.title().replace("_", "")


@lru_cache
def _frame(
    service: str, outcome: Outcome, reason: str | None, more_metrics: tuple[str, ...], shows_answers: bool
) -> tuple[str, str]:
    """Write what all lines of a kind share: how they begin, and how they end after the time, up to other counts.

    The end says which members are metrics and dimensions, in CloudWatch's embedded metric format, which counts under
    every set of dimensions.
    """
    first = {"level": "INFO", "message": outcome.value, "service": service, "outcome": outcome.value, "reason": reason}
    head = {name: value for name, value in first.items() if value is not None}
    if not shows_answers:
        head = {name: head[name] for name in ("service", "reason") if name in head}
    directive = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [["service"], ["service", "reason"]] if reason is not None else [["service"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in (_metric(outcome), *more_metrics)],
    }
    return compact_json(head)[1:-1], f'"CloudWatchMetrics":{compact_json([directive])}}},"{_metric(outcome)}":1'


def _fields(report: Report, fields: Mapping[str, object]) -> dict[str, Any]:
    return {
        "tag": report.tag,
        "secret_id": report.secret_id,
        "algorithm": report.algorithm,
        "rows": report.rows,
        "unusable_secrets": report.unusable_secrets or None,
        "unusable_credentials": report.unusable_credentials or None,
        "call_id": report.call_id,
        "call_id_altered": report.call_id_altered or None,
        **fields,
    }


def _fault_reason(error: BaseException) -> str:
    for kind, reason in (
        (Throttled, "throttled"),
        (Unreachable, "unreachable"),
        (BadSetting, "bad_setting"),
        (UnknownEvent, "unknown_event"),
        (TooLarge, "too_large"),
        (NotRotated, "not_rotated"),
        (Fault, "unusable_store"),
    ):
        if isinstance(error, kind):
            return reason
    return "unforeseen"


def _causes(error: BaseException | None) -> list[dict[str, str]]:
    """Return the chain of *error* and its causes, each as its type, its place and, when it is ours, its message."""
    import traceback
    from pathlib import PurePath

    causes: list[dict[str, str]] = []
    while error is not None and len(causes) < _MAX_CAUSES:
        cause = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if isinstance(error, AuthJwtError):
            cause["message"] = str(error)
        if frames := traceback.extract_tb(error.__traceback__):
            cause["at"] = " > ".join(
                f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-4:]
            )
        causes.append(cause)
        error = error.__cause__ or error.__context__
    return causes
