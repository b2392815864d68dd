"""Refusals: the lines of tokens that were denied and of requests that failed, counted by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auth_jwt.provisioning.advice import advice_about
from auth_jwt_cli.logs.lines import DEATHS, LogLine

OUTCOMES: Final = ("denied", "fault", "died")
"""The outcomes that are refusals; of a request that `died`, Lambda's own line says so.

`rejected` and `challenged` requests had no token to judge.
"""

_ADVICE_ON_DEATHS: Final = {
    "timeout": "see which call took the time, by the traces and the row *DynamoDB: time of a read* of the dashboard",
    "failure": "look at Lambda's own lines before it: memory, or a signal",
}

_SHOWN: Final = (
    *("service", "outcome", "reason", "tag", "secret_id", "issuer", "kid", "algorithm", "rows", "call_id"),
    *("status", "path", "form", "request_id", "gateway_request_id", "gateway_extended_request_id"),
    *("unusable_secrets", "causes"),
)
"""The fields that are shown. A file may hold anything, so no other is."""

_SLACK: Final = 64  # lines that may be kept beyond the newest before they are sorted out


@dataclass(frozen=True, slots=True)
class RefusalQuestion:
    """Which refusals are asked for.

    Attributes:
        since: the first UNIX second.
        until: the second after the last; None for no end.
        tags: whose; None for everybody's.
        reason: why; None for every reason.
        outcomes: how the requests ended; None for every line with an outcome.
    """

    since: int
    until: int | None = None
    tags: tuple[str, ...] | None = None
    reason: str | None = None
    outcomes: tuple[str, ...] | None = OUTCOMES

    def accepts(self, line: LogLine) -> bool:
        """Tell whether a *line* is such a refusal. One without a time is taken for a recent one."""
        return (
            (line.text("outcome") is not None if self.outcomes is None else line.text("outcome") in self.outcomes)
            and (line.at is None or self.since <= line.at)
            and (line.at is None or self.until is None or line.at < self.until)
            and (self.tags is None or line.record.get("tag") in self.tags)
            and (self.reason is None or line.record.get("reason") == self.reason)
        )


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often something was refused for one reason.

    Attributes:
        outcome: `denied`, `fault` or `died`.
        reason: why; None if the line does not say so.
        times: how often.
        first: when first, in UNIX seconds; None if no line says so.
        last: when last.
        tags: how many tags it hit; an estimate when these are very many.
    """

    outcome: str
    reason: str | None
    times: int
    first: float | None
    last: float | None
    tags: int = 0

    @property
    def advice(self) -> str | None:
        """What to do about it."""
        if self.reason is None:
            return None
        return _ADVICE_ON_DEATHS.get(self.reason) if self.outcome == "died" else advice_about(self.reason)

    def as_json(self) -> dict[str, Any]:
        """Return its members."""
        return {
            "outcome": self.outcome, "reason": self.reason, "times": self.times, "tags": self.tags,
            "first": self.first, "last": self.last, "next": self.advice,
        }  # fmt: skip


def refusal_json(line: LogLine) -> dict[str, Any]:
    """Return what may be shown of the *line* of a refusal."""
    shown = {name: line.record[name] for name in _SHOWN if name in line.record}
    return {"at": line.at, **shown}


class Tally:
    """Counts refusals one after the other, and keeps the newest.

    Args:
        newest: how many to keep.
    """

    def __init__(self, newest: int) -> None:
        self._seen: dict[tuple[str, str | None], _Seen] = {}
        self._limit = newest
        self._newest: list[LogLine] = []

    def add(self, line: LogLine) -> None:
        """Count a refusal."""
        self._seen.setdefault((str(line.record["outcome"]), line.text("reason")), _Seen()).add(line)
        self._newest.append(line)
        if len(self._newest) > 2 * self._limit + _SLACK:
            self._newest = self.newest()[::-1]

    def counts(self) -> list[ReasonCount]:
        """Return the counts, the greatest first, as the saved query does."""
        return in_order(
            ReasonCount(*key, seen.tags.total(), seen.first, seen.last, len(seen.tags) - (None in seen.tags))
            for key, seen in self._seen.items()
        )

    def tags(self, most: int) -> list[tuple[str, int]]:
        """Return the tags that were hit most often, *most* of them at most, and how often."""
        together: Counter[str | None] = Counter()
        for seen in self._seen.values():
            together.update(seen.tags)
        return [(tag, times) for tag, times in together.most_common(most + 1) if tag is not None][:most]

    def newest(self) -> list[LogLine]:
        """Return the newest refusals, the newest first."""
        ordered = sorted(enumerate(self._newest), key=lambda pair: (pair[1].at or 0, pair[0]), reverse=True)
        return [line for _, line in ordered[: self._limit]]


class _Seen:
    """What was seen of one reason."""

    def __init__(self) -> None:
        self.tags: Counter[str | None] = Counter()
        self.first: float | None = None
        self.last: float | None = None

    def add(self, line: LogLine) -> None:
        self.tags[line.text("tag")] += 1
        if line.at is not None:
            self.first = line.at if self.first is None else min(self.first, line.at)
            self.last = line.at if self.last is None else max(self.last, line.at)


def in_order(counts: Iterable[ReasonCount]) -> list[ReasonCount]:
    """Return *counts* with the greatest first."""
    return sorted(counts, key=lambda count: (-count.times, count.outcome, count.reason or ""))


def counts_query(asked: RefusalQuestion) -> str:
    """Return the query of Logs Insights that counts: the saved query *failures and since when*, narrowed."""
    return f"{_filters(asked, _logged(asked))} | {_COUNTS} by outcome, reason | sort failed desc"


def deaths_query(asked: RefusalQuestion) -> str | None:
    """Return the query that counts requests that died; None if they are not asked for: nobody knows their tags."""
    if asked.tags is not None or asked.reason is not None or asked.outcomes is None or "died" not in asked.outcomes:
        return None
    return f"filter {_any_of('record.status', DEATHS)} | {_COUNTS} by record.status"


def tags_query(asked: RefusalQuestion, most: int) -> str | None:
    """Return the saved query *tags of a reason*; None without a reason, or where tags are given."""
    if asked.reason is None or asked.tags is not None:
        return None
    reason = _any_of("reason", (asked.reason,))
    return f"filter {reason} | stats count(*) as denials by tag | sort denials desc | limit {most}"


def newest_query(asked: RefusalQuestion, newest: int) -> str:
    """Return the query of Logs Insights for the newest lines."""
    deaths = "" if deaths_query(asked) is None else f" or {_any_of('record.status', DEATHS)}"
    filters = _filters(asked, _logged(asked) + deaths)
    return f"{filters} | sort @timestamp desc | limit {newest} | display @timestamp, @message"


_COUNTS: Final = (
    "stats count(*) as failed, count_distinct(tag) as tags, min(@timestamp) as first, max(@timestamp) as last"
)


def _logged(asked: RefusalQuestion) -> str:
    if asked.outcomes is None:
        return "ispresent(outcome)"
    return _any_of("outcome", (outcome for outcome in asked.outcomes if outcome != "died"))


def _filters(asked: RefusalQuestion, outcomes: str) -> str:
    filters = [outcomes]
    if asked.reason is not None:
        filters.append(_any_of("reason", (asked.reason,)))
    if asked.tags is not None:
        filters.append(_any_of("tag", asked.tags))
    return " | ".join(f"filter {each}" for each in filters)


def filter_pattern(asked: RefusalQuestion) -> str:
    """Return the pattern of FilterLogEvents for these refusals.

    By https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html. Tags are compared here, not
    there: a pattern has at most 1,024 characters.
    """
    if asked.reason is not None:
        return f'{{ (($.outcome = "denied") || ($.outcome = "fault")) && ($.reason = "{asked.reason}") }}'
    deaths = "".join(f' || ($.record.status = "{status}")' for status in DEATHS)
    return f'{{ ($.outcome = "denied") || ($.outcome = "fault"){deaths} }}'


def _any_of(name: str, values: Iterable[str]) -> str:
    return " or ".join(f'{name} = "{_escaped(value)}"' for value in values)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def count_of(row: Mapping[str, str]) -> ReasonCount:
    """Read a row of the query that counts. Its instants are UNIX milliseconds."""
    first, last = (float(row[name]) / 1000 if row.get(name) else None for name in ("first", "last"))
    died = row.get("record.status")
    outcome, reason = (row.get("outcome", ""), row.get("reason")) if died is None else ("died", died)
    return ReasonCount(outcome, reason, int(float(row["failed"])), first, last, int(float(row.get("tags", 0))))
