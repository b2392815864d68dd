"""CloudWatch Logs: counts by Logs Insights, and lines by FilterLogEvents.

docs/decisions/0042 says why both: Insights counts at the server in seconds, whatever the log's size, and bills each
gigabyte; FilterLogEvents costs nothing, gives every line, and takes as long as the log is.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from auth_jwt.errors import Fault, Unreachable
from auth_jwt_cli.logs.lines import LogLine, read_line, read_time

if TYPE_CHECKING:
    import boto3

_PENDING: Final = ("Scheduled", "Running")
_FIRST_PAUSE: Final = 0.25  # seconds
_LONGEST_PAUSE: Final = 2.0
_QUERY_SECONDS: Final = 120
_EARLIER: Final = 60  # seconds by which a line may come late into the log
_PAGE: Final = 10_000  # events, the most that FilterLogEvents gives
_KEPT_IDS: Final = 20_000

Sleep = Callable[[float], None]


class CloudWatchLogs:
    """The log groups of an account and region.

    Args:
        session: makes the client.
        region: the region; None leaves it to the SDK.
        sleep: waits some seconds.
    """

    def __init__(self, session: "boto3.Session", region: str | None, sleep: Sleep = time.sleep) -> None:
        from botocore.config import Config

        from auth_jwt.aws.sdk import sdk_client

        config = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
        self._client: Any = sdk_client("logs", config, session=session, region=region)
        self._sleep = sleep
        self.scanned_bytes = 0.0
        """How many bytes Insights has scanned, which AWS bills."""

    def query(self, groups: Sequence[str], query: str, *, since: int, until: int) -> list[dict[str, str]]:
        """Run a query of Logs Insights, and return its rows.

        Raises:
            Fault: CloudWatch refuses the query, does not answer, or does not finish it within two minutes.
        """
        about = f"on {', '.join(map(repr, groups))}"
        with translated_errors(f"logs:StartQuery {about}"), sdk_errors():
            started = self._client.start_query(
                logGroupNames=list(groups), startTime=since, endTime=until, queryString=query
            )["queryId"]
        try:
            answer = self._wait(started, about)
        except BaseException:  # a query that nobody waits for is billed all the same, until it is stopped
            self._stop(started)
            raise
        self.scanned_bytes += answer.get("statistics", {}).get("bytesScanned", 0)
        return [{cell["field"]: cell["value"] for cell in row if "value" in cell} for row in answer["results"]]

    def lines_of_query(self, groups: Sequence[str], query: str, *, since: int, until: int) -> Iterator[LogLine]:
        """Yield the lines that a query finds, which displays `@timestamp` and `@message`."""
        for row in self.query(groups, query, since=since, until=until):
            line = read_line(row.get("@message", ""), _instant(row.get("@timestamp")))
            if line is not None:
                yield line

    def lines(self, group: str, pattern: str, *, since: int, until: int | None = None) -> Iterator[LogLine]:
        """Yield the lines of a group that a *pattern* matches, by FilterLogEvents, in the order of time.

        Raises:
            Fault: CloudWatch refuses it, or does not answer.
        """
        for event in self._events(group, pattern, since, until):
            line = read_line(event["message"], event["timestamp"] / 1000)
            if line is not None:
                yield line

    def follow(
        self, groups: Sequence[str], pattern: str, *, since: int, pause: float, tell: Callable[[Unreachable], None]
    ) -> Iterator[LogLine]:
        """Yield lines as `lines` does, then new ones as they come, until the caller stops.

        A line may come into the log a minute late, so each look goes back a minute, and no line is given twice.

        Args:
            groups: the log groups.
            pattern: which lines.
            since: the first UNIX second.
            pause: seconds between two looks.
            tell: called when a look failed that may succeed later; the next one makes up for it.

        Raises:
            Fault: CloudWatch refuses it.
        """
        newest = dict.fromkeys(groups, float(since))
        given: dict[str, None] = {}
        while True:
            for group in groups:
                begin = int(max(since, newest[group] - _EARLIER))
                try:
                    for event in self._events(group, pattern, begin, None):
                        if event["eventId"] in given:
                            continue
                        given[event["eventId"]] = None
                        newest[group] = max(newest[group], event["timestamp"] / 1000)
                        line = read_line(event["message"], event["timestamp"] / 1000)
                        if line is not None:
                            yield line
                except Unreachable as failed:
                    tell(failed)
            while len(given) > _KEPT_IDS:
                del given[next(iter(given))]
            self._sleep(pause)

    def _events(self, group: str, pattern: str, since: int, until: int | None) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, Any] = {
            "logGroupName": group, "filterPattern": pattern, "startTime": since * 1000, "limit": _PAGE,
        }  # fmt: skip
        if until is not None:
            asked["endTime"] = until * 1000 - 1
        while True:
            with translated_errors(f"logs:FilterLogEvents on {group!r}"), sdk_errors():
                page = self._client.filter_log_events(**asked)
            yield from page["events"]
            if not page.get("nextToken"):  # a page may be empty, and another follow
                return
            asked["nextToken"] = page["nextToken"]

    def _wait(self, started: str, about: str) -> Any:  # noqa: ANN401 - boto3's
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            with translated_errors(f"logs:GetQueryResults {about}"), sdk_errors():
                answer = self._client.get_query_results(queryId=started)
            if answer["status"] == "Complete":
                return answer
            if answer["status"] not in _PENDING:
                raise Fault(f"Logs Insights did not answer the query {about}: {answer['status']}")
            if waited >= _QUERY_SECONDS:
                raise Fault(f"Logs Insights did not answer the query {about} in {_QUERY_SECONDS} seconds: ask for less")
            self._sleep(pause)
            waited += pause
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stop(self, started: str) -> None:
        with contextlib.suppress(Fault, Refused), sdk_errors():
            self._client.stop_query(queryId=started)


def _instant(text: str | None) -> float | None:
    """Return UNIX seconds of what Insights shows for `@timestamp`: a date in UTC, or UNIX milliseconds."""
    if text is None:
        return None
    return float(text) / 1000 if text.isdecimal() else read_time(text)
