"""Log and metrics: one structured line per request, and what may be in it.

A line may hold a tag, a row's `id`, an algorithm and a reason. It never holds a token, a secret or a credential's
value. Exceptions of other packages are logged by type and place in the code, since their messages may quote their
input. Our own messages hold no values and are logged.

Each line is a log record and embedded metrics in one (docs/decisions/0018). The exception is the line of a plain
authorized request, which may be leaner, and counted by who reads the log (docs/decisions/0033). Writing a line imports
nothing, since the fault may be that no file can be opened any more. A line that cannot be written changes no answer; an
audit line is the exception.
"""

import re
import sys
import time
from binascii import crc32
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache, partial
from itertools import islice
from json.encoder import encode_basestring
from os import urandom
from types import MappingProxyType, TracebackType
from typing import Any, Final

from auth_jwt.errors import (
    AuthJwtError,
    BadSetting,
    Fault,
    Flaw,
    NotAudited,
    NotFinished,
    NotReleased,
    NotRotated,
    StaleKeys,
    Throttled,
    TooLarge,
    UnknownEvent,
    Unreachable,
)
from auth_jwt.http.wire import compact_json
from auth_jwt.models import Report, Unusable
from auth_jwt.runtime.settings import AuthorizedLog, LogSettings

METRICS_NAMESPACE: Final = "AuthJwt"
UNUSABLE_SECRET: Final = "UnusableSecret"  # noqa: S105 - a metric's name
UNUSABLE_CREDENTIAL: Final = "UnusableCredential"
STALE_ROWS: Final = "StaleRows"
MAX_NAMED_SECRETS: Final = 20  # of one tag, in one line
_BEYOND_LIMIT: Final = Unusable(Flaw.BEYOND_LIMIT, "as many secrets as MAX_SECRETS_PER_TAG allows opened later")
BOTO3_FALLBACK: Final = "Boto3Fallback"
_INFO, _WARNING, _ERROR, _CRITICAL = "INFO", "WARNING", "ERROR", "CRITICAL"
_LEVEL_VARIABLES: Final = ("AWS_LAMBDA_LOG_LEVEL", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")
_RANKS: Final = {_INFO: 1, "WARN": 2, _WARNING: 2, _ERROR: 3, _CRITICAL: 4, "FATAL": 4}  # Lambda has its own words
_RENDERERS: Final[Mapping[type, Callable[[Any], str]]] = {str: encode_basestring, int: repr, float: repr}
NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})
_STALE: Final = "stale"  # an origin of rows: see `auth_jwt.memory.memory.Recalled`
_CANNOT_WRITE: Final = (OSError, ValueError, MemoryError)  # the device is full, the stream closed, the memory used up
_MAX_CAUSES: Final = 8
_MAX_PLACES: Final = 4
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Outcome(StrEnum):
    """How a request ended. Metrics are named after it, in CamelCase, with the reason as a dimension."""

    AUTHORIZED = "authorized"
    DENIED = "denied"
    DEFERRED = "deferred"  # an issuer's key may not have been fetched yet: ask again
    CHALLENGED = "challenged"  # no token at all
    REJECTED = "rejected"  # malformed, or an unknown path or method
    FAULT = "fault"
    VALIDATED = "validated"  # /script-authorize: 1
    NOT_VALIDATED = "not_validated"  # /script-authorize: -1 and -2
    DONE = "done"  # the admin API and rotation: the operation is complete
    PING = "ping"  # an event that only keeps a process warm


class Journal:
    """Writes what happened: to the log for people, and to CloudWatch's embedded metrics for alarms.

    Args:
        function: the name that log and metrics carry as `service`, unless `POWERTOOLS_SERVICE_NAME` is set.
        env: the process's environment. It is not copied: Lambda puts the trace id of each request into it.
    """

    def __init__(self, function: str, env: Mapping[str, str]) -> None:
        self._function = env.get("POWERTOOLS_SERVICE_NAME") or function
        self._namespace = env.get("POWERTOOLS_METRICS_NAMESPACE") or METRICS_NAMESPACE
        self._env = env
        self._least = _least_rank(env)
        self._frame = lru_cache(partial(_frame, self._namespace, self._function))
        self._lean_head = f'"service":{encode_basestring(self._function)},"outcome":"{Outcome.AUTHORIZED}"'
        self._authorized = LogSettings()

    def log_authorized_as(self, wanted: LogSettings) -> None:
        """Let the lines of plain authorized requests be as *wanted*; all of them are whole until then."""
        self._authorized = wanted

    def warn_of_near_misses(self, near_misses: Mapping[str, str]) -> None:
        """Warn of each variable that is ignored and nearly spells a setting."""
        for variable, meant in near_misses.items():
            message = f"{variable} is ignored: no such variable; did you mean {meant}?"
            self._write(_WARNING, message, None, {"variable": variable, "meant": meant}, NO_COUNTS)

    def warn_of_boto3(self, reason: str) -> None:
        """Warn that boto3 reads the tables instead of the express lane, say why, and count it: boto3 is slower."""
        message = f"boto3 reads DynamoDB instead of the express lane: {reason}"
        self._write(_WARNING, message, None, {}, {BOTO3_FALLBACK: 1})

    def warn(self, message: str, *, reason: str, **fields: object) -> None:
        """Warn of something that an operator should know, and that failed no request.

        Args:
            message: what happened, for people.
            reason: why, as one stable word.
            fields: what else is known; a None is left out.
        """
        self._write(_WARNING, message, reason, fields, NO_COUNTS)

    def record(
        self,
        outcome: Outcome,
        report: Report,
        *,
        reason: str | None = None,
        counts: Mapping[str, int] = NO_COUNTS,
        **fields: object,
    ) -> None:
        """Write the one line of a request that was answered. The line counts the request in the metrics, too.

        Args:
            outcome: how the request ended.
            report: what the decision saw.
            reason: why, as one stable word.
            counts: further metrics, by name.
            fields: what else the handler knows; a None is left out.
        """
        seen = _count_seen(report)
        if outcome is Outcome.AUTHORIZED and not seen and not counts and _is_plain(report, fields):
            self._record_plain(report, fields)
            return
        self._write(_INFO, outcome, reason, _fields(report, fields), {**seen, **counts} if counts else seen)

    def _record_plain(self, report: Report, fields: Mapping[str, object]) -> None:
        """Write the line of a plain authorized request: whole, lean, or only what counts it."""
        wanted = self._authorized
        percent = wanted.authorized_percent
        is_shown = percent == 100 or crc32(str(fields.get("request_id")).encode("utf-8", "replace")) % 100 < percent
        if wanted.authorized is AuthorizedLog.FULL:
            self._write(_INFO, Outcome.AUTHORIZED, None, _fields(report, fields), NO_COUNTS, is_shown=is_shown)
            return
        is_shown = is_shown and self._least <= _RANKS[_INFO]
        try:
            _put(f"{{{self._lean_head}{self._lean_members(report, fields) if is_shown else ''}}}\n")
        except _CANNOT_WRITE:
            return  # as in `_write`

    def _lean_members(self, report: Report, fields: Mapping[str, object]) -> str:
        """Return the members of a lean line after its head, each after a comma."""
        members = _fields(report, fields)
        first = members.get("gateway_request_id")
        if members.get("gateway_extended_request_id") or first == members.get("request_id"):
            first = None  # the extended id names the request, too, and a Function URL's id is Lambda's own
        members |= {"gateway_request_id": first, "status": None}  # whoever is authorized gets a 200
        trace = self._env.get("_X_AMZN_TRACE_ID")
        return _join(members) + (_trace_member(trace) if trace and "Sampled=1" in trace else "")

    def record_fault(
        self, error: BaseException, report: Report, *, counts: Mapping[str, int] = NO_COUNTS, **fields: object
    ) -> None:
        """Write the line of a request that failed, with the chain of causes. The line counts the fault, too.

        The arguments are as of `record`.
        """
        members = {**_fields(report, fields), "causes": _causes(error)}
        self._write(_ERROR, Outcome.FAULT, _fault_reason(error), members, {**_count_seen(report), **counts})

    def record_write(self, line: str) -> None:
        """Write an audit *line*, at every log level: no level may hide a write to the tables.

        Raises:
            NotAudited: the line cannot be written. The write to the tables is not undone.
        """
        try:
            _put(f"{line}\n")
        except _CANNOT_WRITE as error:
            raise NotAudited("the audit line cannot be written; the tables were changed, or may have been") from error

    def _write(
        self,
        level: str,
        message: str,
        reason: str | None,
        members: Mapping[str, Any],
        counts: Mapping[str, int],
        *,
        is_shown: bool = True,
    ) -> None:
        """Write a line. When it cannot be written, do nothing.

        Args:
            level: the level of the line; a line below the log's level is not shown.
            message: the text for people; an `Outcome` is also a metric, counted once.
            reason: why; a dimension of the metrics, beside the service.
            members: what else the line shows; a None is left out.
            counts: further metrics, by name.
            is_shown: whether the log shows the line; one that it does not show has its metrics only.
        """
        is_shown = is_shown and _RANKS[level] >= self._least
        try:
            head, metrics, counted = self._frame(level, message, reason, tuple(counts) if counts else (), is_shown)
            if not is_shown and not metrics:
                return
            now = int(time.time() * 1000)
            shown = embedded = ""
            if is_shown:
                second, millisecond = divmod(now, 1000)
                trace = self._env.get("_X_AMZN_TRACE_ID")
                texts = _join(members) + (_trace_member(trace) if trace else "")
                shown = f',"timestamp":"{_format_second(second)}.{millisecond:03}+00:00"{texts}'
            if metrics:
                embedded = f',"_aws":{{"Timestamp":{now},"CloudWatchMetrics":{metrics}}}{counted}'
                for name, count in counts.items():
                    embedded += f',"{name}":{count}'
            _put(f"{{{head}{shown}{embedded}}}\n")
        except _CANNOT_WRITE:
            return  # there is no other place to report this, and the answer stays the same


def request_id_of(context: object) -> str:
    """Return Lambda's request id from the *context*, or a random id where the context has none."""
    given = getattr(context, "aws_request_id", None)
    if given:
        return str(given)
    return urandom(16).hex()


def gateway_ids_of(about: object) -> dict[str, str | None]:
    """Return the ids that a gateway gave a request, for the log; *about* is the `requestContext` of its event.

    A caller may choose the first id by a header. No caller can choose the extended one, which only REST APIs have.
    """
    given = about if isinstance(about, dict) else {}
    first, extended = given.get("requestId"), given.get("extendedRequestId")
    return {
        "gateway_request_id": first if isinstance(first, str) else None,
        "gateway_extended_request_id": extended if isinstance(extended, str) else None,
    }


def milliseconds_since(started: float) -> float:
    """Return the milliseconds since `time.perf_counter()` returned *started*, rounded to 3 digits for log lines."""
    return round((time.perf_counter() - started) * 1000, 3)


def _least_rank(env: Mapping[str, str]) -> int:
    """Return the rank of the least severe level that the log shows: the stricter of Lambda's level and ours.

    With the log format JSON, Lambda sets its variable to its own level, INFO unless told otherwise, and drops what is
    below it. So a stricter level of ours must hold beside it.
    """
    lambdas, *ours = (_RANKS.get(env.get(name, "").upper(), 0) for name in _LEVEL_VARIABLES)
    return max(lambdas, next(filter(None, ours), 0), _RANKS[_INFO])


def _join(members: Mapping[str, Any]) -> str:
    """Return *members* as the inside of a JSON object, each after a comma; a None is left out."""
    return "".join(
        [
            f',"{name}":{_RENDERERS.get(type(value), compact_json)(value)}'
            for name, value in members.items()
            if value is not None
        ]
    )


def _trace_member(trace: str) -> str:
    return f',"xray_trace_id":{compact_json(trace.partition(";")[0].removeprefix("Root="))}'


def _put(line: str) -> None:
    if sys.stdout is None:  # as when it was closed before Python started
        raise OSError("no standard output")
    if not line.isascii() or "\x7f" in line:  # rare, and this test is cheap
        line = f"{_escape_unprintable(line[:-1])}\n"
    try:
        sys.stdout.write(line)
    except UnicodeEncodeError:  # a terminal that cannot show all characters
        sys.stdout.write(_NOT_ASCII.sub(_escape_match, line))
    sys.stdout.flush()


def _escape_unprintable(line: str) -> str:
    """Return a *line* of JSON with escapes for all characters that are not printable.

    These are control characters (JSON has escaped those below U+0020), characters that end a line or reverse the
    direction of text, and halves of surrogate pairs. In a tag, they could show people another log than machines read.
    """
    return "".join([character if character.isprintable() else _escape(character) for character in line])


def _escape_match(found: re.Match[str]) -> str:
    return _escape(found[0])


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


@lru_cache(maxsize=1)
def _format_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _count_seen(report: Report) -> Mapping[str, int]:
    """Return what a request met that somebody should look into, by metric. Mostly there is nothing.

    That is secrets and credentials which it could not use, and rows that were stale: the tables did not answer.
    """
    is_stale = report.origin == _STALE or report.issuer_origin == _STALE
    if not (is_stale or report.unusable_secrets or report.left_out or report.unusable_credentials):
        return NO_COUNTS
    counts = {STALE_ROWS: 1} if is_stale else {}
    if report.unusable_secrets or report.left_out:
        counts[UNUSABLE_SECRET] = len(report.unusable_secrets) + len(report.left_out)
    if report.unusable_credentials:
        counts[UNUSABLE_CREDENTIAL] = len(report.unusable_credentials)
    return counts


def _is_plain(report: Report, fields: Mapping[str, object]) -> bool:
    """Return whether an authorized request that counts nothing but itself has nothing that an operator should see."""
    return not report.call_id_altered and fields.get("dropped") is None


def _why_unusable(report: Report) -> Mapping[str, str]:
    """Return why secrets are unusable, by their ids: at most `MAX_NAMED_SECRETS`, since the metric counts them all."""
    if not report.left_out and len(report.unusable_secrets) <= MAX_NAMED_SECRETS:
        return report.unusable_secrets
    beyond = dict.fromkeys(report.left_out[:MAX_NAMED_SECRETS], str(_BEYOND_LIMIT))
    return dict(islice({**report.unusable_secrets, **beyond}.items(), MAX_NAMED_SECRETS))


def _metric_of(outcome: Outcome) -> str:
    return outcome.value.title().replace("_", "")


def _frame(
    namespace: str,
    function: str,
    level: str,
    message: str,
    reason: str | None,
    more_metrics: tuple[str, ...],
    is_shown: bool,
) -> tuple[str, str, str]:
    """Return what all lines of a kind share.

    The metrics are in CloudWatch's embedded format, without the counts that differ from line to line. CloudWatch counts
    a metric once for each set of dimensions. There are two sets: one counts all, the other counts by reason.

    Returns:
        Pieces of JSON: the first members of the line; the list of its metrics, empty text without any; the members that
        count the outcome, each after a comma.
    """
    outcome = message.value if isinstance(message, Outcome) else None
    first = {"level": level, "message": str(message), "service": function, "outcome": outcome, "reason": reason}
    head = {name: value for name, value in first.items() if value is not None}
    if not is_shown:
        head = {name: head[name] for name in ("service", "reason") if name in head}
    own = (_metric_of(message),) if isinstance(message, Outcome) else ()
    directive = {
        "Namespace": namespace,
        "Dimensions": [["service"], ["service", "reason"]] if reason is not None else [["service"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in (*own, *more_metrics)],
    }
    counted = "".join(f',"{name}":1' for name in own)
    metrics = compact_json([directive]) if own or more_metrics else ""
    return compact_json(head)[1:-1], metrics, counted


def _fields(report: Report, fields: Mapping[str, object]) -> dict[str, Any]:
    members = {
        "tag": report.tag,
        "secret_id": report.secret_id,
        "algorithm": report.algorithm,
        "rows": report.origin,
        "call_id": report.call_id,
        **fields,
    }
    if report.issuer is not None:
        members |= {"issuer": report.issuer, "kid": report.kid, "issuer_rows": report.issuer_origin}
    if report.call_id_altered:
        members["call_id_altered"] = True
    if report.unusable_secrets or report.left_out:
        members["unusable_secrets"] = _why_unusable(report)
    if report.unusable_credentials:
        members["unusable_credentials"] = report.unusable_credentials
    return members


def _fault_reason(error: BaseException) -> str:
    for kind, reason in (
        (Throttled, "throttled"),
        (Unreachable, "unreachable"),
        (BadSetting, "bad_setting"),
        (UnknownEvent, "unknown_event"),
        (TooLarge, "too_large"),
        (NotRotated, "not_rotated"),
        (NotReleased, "not_released"),
        (NotAudited, "not_audited"),
        (NotFinished, "not_finished"),
        (StaleKeys, "stale_keys"),
        (Fault, "unusable_store"),
    ):
        if isinstance(error, kind):
            return reason
    return "unforeseen"


def _causes(error: BaseException | None) -> list[dict[str, str]]:
    """Return *error* and its causes, each with its type, its place and, when it is our own error, its message."""
    causes: list[dict[str, str]] = []
    while error is not None and len(causes) < _MAX_CAUSES:
        cause = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if isinstance(error, AuthJwtError):
            cause["message"] = str(error)
        if places := _places(error.__traceback__):
            cause["at"] = " > ".join(places)
        causes.append(cause)
        error = error.__cause__ or error.__context__
    return causes


def _places(trace: TracebackType | None) -> list[str]:
    """Return the last places of a *trace*. The module `traceback` is not used: it opens the files of the code."""
    places: deque[str] = deque(maxlen=_MAX_PLACES)
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return list(places)
