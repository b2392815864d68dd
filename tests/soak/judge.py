"""Whether each answer is one that the contract allows, by the model, over the rows that it may be about.

A request that was sent at S and answered at A may be judged by rows that were in the tables at any time from
S - `CACHE_TTL_SECONDS` to A; while a fault keeps the tables from answering, by rows that are older by
`STALE_IF_ERROR_SECONDS`. Profile, secrets and revocations may have been read at different times. What an outage leaves
behind lasts `AFTERMATH_SECONDS`: a read that is under way when it ends, and the second until the next attempt.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, product
from json import loads
from math import ceil, floor
from typing import Any, Final

from tests.model.decision import DEFAULTS, Allowed, Denied, Fault, Outcome, Tables, decide
from tests.model.refusals import Refused
from tests.model.tokens import read_json, read_tag, read_token
from tests.soak.issued import Deferred, issued_token, outcome_of_issued
from tests.soak.journal import History, Rows
from tests.worlds import is_one_of

AFTERMATH_SECONDS: Final = 3.0
CLOCK_SECONDS: Final = 0.05
"""How far the clock of memory, which never goes back, and the clock of windows may drift apart within a few seconds."""
_OURS: Final = (500, 502, 503, 504)
_DEFERRED: Final = "key-not-fetched-yet"
_MISMATCHES: Final = ("username_mismatch", "domain_mismatch")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer.

    Attributes:
        kind: what kind of traffic it is, in words.
        token: what was presented; None where that is no question about a token.
        sent: when, in UNIX seconds.
        answered: likewise.
        status: of HTTP; None where no answer came.
        body: of the answer.
        from_user: the user that the request acts as.
        right: the statuses that are right for a request that is no question about a token.
        reads_tables: whether such a request needs the tables.
    """

    kind: str
    token: str | None = field(repr=False)
    sent: float
    answered: float
    status: int | None
    body: bytes = field(default=b"", repr=False)
    from_user: str | None = None
    right: Collection[int | None] = ()
    reads_tables: bool = False

    def member(self, name: str) -> Any:
        """Return a member of the answer; None where there is none."""
        try:
            body = loads(self.body, parse_float=Decimal)
        except ValueError:
            return None
        return body.get(name) if isinstance(body, dict) else None

    @property
    def request_id(self) -> str:
        """By which its lines in the log are found; empty where the answer does not tell."""
        return str(self.member("instance") or "").removeprefix("urn:request:")

    @property
    def word(self) -> str:
        """What came of it, for counting."""
        if self.right:
            return "no question"
        if self.status == 200:
            return "let in"
        if self.status in (401, 403) and self.member("code") == -1:
            return "denied"
        if self.status == 503 and str(self.member("type")).endswith(_DEFERRED):
            return "deferred"
        return "a fault" if self.status in (500, 503) else "no answer" if self.status is None else "another answer"


@dataclass(frozen=True, slots=True)
class Excuse:
    """A time at which the tables could not be read, and why.

    Attributes:
        began: in UNIX seconds.
        ended: likewise.
        why: the name of the fault.
        is_final: whether an operator would have to act: the service answers 500 then.
    """

    began: float
    ended: float
    why: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """An answer that the contract does not allow. No token and no key is in it."""

    kind: str
    at: float
    expected: str
    got: str


class Judge:
    """Holds answers to the model.

    Args:
        history: what the tables held.
        settings: of the service.
        excuses: returns the faults so far: one that is on ends in the future.
        issuer: whose tokens are judged by its keys; empty for none.
    """

    def __init__(
        self,
        history: History,
        settings: Mapping[str, str],
        excuses: Callable[[], Sequence[Excuse]] = lambda: (),
        issuer: str = "",
    ) -> None:
        self._history = history
        self._issuer = issuer
        self._settings = settings
        self._excuses = excuses
        self._ttl = float(settings["CACHE_TTL_SECONDS"])
        self._stale_for = float(settings["STALE_IF_ERROR_SECONDS"])

    def judge(self, exchange: Exchange, reason: str | None = None) -> Violation | None:
        """Return what is wrong with an answer; None if nothing is.

        Args:
            exchange: the request and its answer.
            reason: why the token was denied, as the log has it; None where nobody looked.
        """
        excuses = self._excuses_of(exchange)
        if exchange.right:
            if exchange.status in exchange.right or (exchange.reads_tables and excuses and exchange.status in _OURS):
                return None
            return self._violation(exchange, f"status {sorted(exchange.right, key=str)}", reason)
        outcome = outcome_of(exchange, reason)
        if isinstance(outcome, Fault) and not isinstance(outcome, Deferred):
            if (exchange.status == 503 and excuses) or any(one.is_final for one in excuses):
                return None
        elif outcome is not None and self._is_possible(exchange, outcome, reason, is_outage=bool(excuses)):
            return None
        possible = {_said(one) for one in self._outcomes(exchange, is_outage=bool(excuses))}
        possible |= {f"a fault ({one.why})" for one in excuses}
        return self._violation(exchange, " or ".join(sorted(possible)), reason)

    def _excuses_of(self, exchange: Exchange) -> list[Excuse]:
        start, end = exchange.sent - AFTERMATH_SECONDS, exchange.answered
        return [one for one in self._excuses() if one.began <= end and one.ended >= start]

    def _is_possible(self, exchange: Exchange, outcome: Outcome, reason: str | None, *, is_outage: bool) -> bool:
        outcomes = self._outcomes(exchange, is_outage=is_outage)
        if isinstance(outcome, Denied) and reason is None:  # all that a caller sees
            is_mismatch = exchange.status == 403
            return any(isinstance(one, Denied) and (one.reason in _MISMATCHES) is is_mismatch for one in outcomes)
        return any(is_one_of(outcome, [one]) for one in outcomes)

    def _outcomes(self, exchange: Exchange, *, is_outage: bool) -> Iterator[Outcome]:
        """Yield what may come of a token, first by the latest rows."""
        since = exchange.sent - self._ttl - CLOCK_SECONDS - (self._stale_for if is_outage else 0)
        states = self._history.between(since, exchange.answered)
        issued = issued_token(exchange.token, self._issuer)
        if issued is not None:
            keys = _distinct([tuple(state.secrets.get(issued.issuer, ())) for state in states])
            users = _distinct([state.profiles.get(issued.user) for state in states])
            for rows, user, now in product(keys, users, _moments(exchange)):
                yield outcome_of_issued(issued, rows, user, now)
            return
        yield from self._outcomes_by_secrets(exchange, states)

    def _outcomes_by_secrets(self, exchange: Exchange, states: Sequence[Rows]) -> Iterator[Outcome]:
        tag = tag_of(exchange.token)
        profiles = _distinct([state.profiles.get(tag) for state in states])
        secrets = _distinct([tuple(state.secrets.get(tag, ())) for state in states])
        revoked = _distinct([frozenset(one for one in state.revocations if one[0] == tag) for state in states])
        for profile, rows, revocations in product(profiles, secrets, revoked):
            tables = Tables({tag: profile} if profile is not None else {}, {tag: rows}, revocations)
            for now in _moments(exchange):
                yield from decide(self._settings, tables, exchange.token, now, from_user=exchange.from_user)

    def _violation(self, exchange: Exchange, expected: str, reason: str | None) -> Violation:
        outcome = None if exchange.right else outcome_of(exchange, reason)
        got = f"status {exchange.status}" + (f", {_said(outcome)}" if outcome is not None else "")
        return Violation(exchange.kind, exchange.sent, expected, got)


def outcome_of(exchange: Exchange, reason: str | None = None) -> Outcome | None:
    """Read an answer; None if it is none that the contract knows."""
    code = exchange.member("code")
    if exchange.status == 200 and code == 1:
        return Allowed(
            str(exchange.member("sip_username")),
            str(exchange.member("decoded_token")),
            exchange.member("credentials") or {},
            exchange.member("expires_at") or 0,
        )
    if exchange.status in (401, 403) and code == -1:
        return Denied(reason or "a reason that the caller does not see")
    if exchange.word == "deferred" and code is None:
        return Deferred()
    if exchange.status in (500, 503) and code is None and exchange.request_id:
        return Fault()
    return None


def tag_of(token: str | None) -> str:
    """Return the tag of a token; empty where it has none, and then no row matters."""
    try:
        read = read_token(
            token, int(DEFAULTS["MAX_TOKEN_BYTES"]), set(DEFAULTS["ALLOWED_ALGORITHMS"].split(",")), {"jwt"}
        )
        return read_tag(read_json(read.payload), DEFAULTS["TAG_CLAIM"])
    except Refused:
        return ""


def _moments(exchange: Exchange) -> list[float]:
    """Return the seconds at which a claim or a window may have been judged: both ends, and each whole one between."""
    whole = range(ceil(exchange.sent), floor(exchange.answered) + 1)
    return list(dict.fromkeys(chain((exchange.answered, exchange.sent), map(float, whole))))


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _said(outcome: Outcome) -> str:
    if isinstance(outcome, Allowed):
        return f"let in as {outcome.sip_username} until {outcome.expires_at}"
    if isinstance(outcome, Denied):
        return f"denied ({outcome.reason})"
    return "deferred" if isinstance(outcome, Deferred) else "a fault"
