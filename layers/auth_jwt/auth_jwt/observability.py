"""Logger and metrics: one structured line and one count per request, and what may be in them.

A tag, a row's `id`, an algorithm, a reason: yes. A token, a secret, a credential's value: never. Foreign exceptions
are logged as their types and their places in the code, since their texts may quote what they were given; only our
own messages, which hold no values, are shown.
"""

import logging
import sys
import time
import traceback
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final, TextIO
from uuid import uuid4

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from auth_jwt.errors import AuthJwtError, BadSetting, Fault, Throttled, TooLarge, UnknownEvent, Unreachable
from auth_jwt.models import Report

METRICS_NAMESPACE: Final = "AuthJwt"
_MAX_CAUSES: Final = 8


class Outcome(StrEnum):
    """How a request ended. Metrics are named after it, in CamelCase, with the reason as a dimension."""

    AUTHORIZED = "authorized"
    DENIED = "denied"
    CHALLENGED = "challenged"  # no token at all
    REJECTED = "rejected"  # not a request of ours: its form, path or method
    FAULT = "fault"
    VALIDATED = "validated"  # /script-authorize: 1
    NOT_VALIDATED = "not_validated"  # /script-authorize: -1 and -2


class Journal:
    """Writes what happened: to the log for people, to CloudWatch's embedded metrics for alarms.

    Args:
        service: the name both carry.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._logger = Logger(service=service, use_rfc3339=True, logger_handler=_StandardOutput(), location=None)
        self._metrics = Metrics(service=service, namespace=METRICS_NAMESPACE)

    def warn_of_near_misses(self, near_misses: Mapping[str, str]) -> None:
        """Say which variables are ignored, but nearly spell one of ours."""
        for variable, meant in near_misses.items():
            self._logger.warning(
                f"{variable} is ignored: no such variable; did you mean {meant}?", variable=variable, meant=meant
            )

    def record(self, outcome: Outcome, report: Report, *, reason: str | None = None, **fields: object) -> None:
        """Write the one line and the one count of a request that was answered.

        Args:
            outcome: how it ended.
            report: what was seen on the way.
            reason: why, in one stable word.
            fields: what else the handler knows; None is left out.
        """
        self._logger.info(outcome.value, **_fields(outcome, reason, report, fields))
        self._count(outcome, reason, report)

    def record_fault(self, error: BaseException, report: Report, **fields: object) -> None:
        """Write the one line and the one count of a request that we failed, with the chain of causes."""
        reason = _fault_reason(error)
        self._logger.error(Outcome.FAULT.value, **_fields(Outcome.FAULT, reason, report, fields), causes=_causes(error))
        self._count(Outcome.FAULT, reason, report)

    def _count(self, outcome: Outcome, reason: str | None, report: Report) -> None:
        name = outcome.value.title().replace("_", "")
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        if report.unusable_secrets:
            self._metrics.add_metric(name="UnusableSecret", unit=MetricUnit.Count, value=len(report.unusable_secrets))
        if report.unusable_credentials:
            self._metrics.add_metric(
                name="UnusableCredential", unit=MetricUnit.Count, value=len(report.unusable_credentials)
            )
        if reason is not None:
            self._metrics.add_dimensions(service=self._service, reason=reason)
        self._metrics.flush_metrics()


def request_id_of(context: object) -> str:
    """Return Lambda's id of the request whose *context* this is, or one of our own."""
    return str(getattr(context, "aws_request_id", None) or uuid4())


def milliseconds_since(started: float) -> float:
    """Return the time passed since `time.perf_counter()` was *started*, as log lines show it."""
    return round((time.perf_counter() - started) * 1000, 3)


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to whatever standard output is at the time, as `print` does."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def _fields(outcome: Outcome, reason: str | None, report: Report, fields: Mapping[str, object]) -> dict[str, Any]:
    return {
        "outcome": outcome.value,
        "reason": reason,
        "tag": report.tag,
        "secret_id": report.secret_id,
        "algorithm": report.algorithm,
        "rows": report.rows,
        "unusable_secrets": report.unusable_secrets or None,
        "unusable_credentials": report.unusable_credentials or None,
        "call_id": report.call_id,
        **fields,
    }


def _fault_reason(error: BaseException) -> str:
    for kind, reason in (
        (Throttled, "throttled"),
        (Unreachable, "unreachable"),
        (BadSetting, "bad_setting"),
        (UnknownEvent, "unknown_event"),
        (TooLarge, "too_large"),
        (Fault, "unusable_store"),
    ):
        if isinstance(error, kind):
            return reason
    return "unforeseen"


def _causes(error: BaseException | None) -> list[dict[str, str]]:
    """Return the chain of *error* and its causes, each as its type, its place and, when it is ours, its message."""
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
