"""A fault of the tables lets nobody in who is not to be let in, and denies nobody: by every entry and on every read.

Each case is one process that meets one fault on one read, from its first login on: cold, warm, when what it remembers
is old, when that is too old, and when the fault is over.
"""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from auth_jwt.aws.connections import tls_context
from tests.certificates import Authority
from tests.contract.clients import LANES
from tests.faults.injected import (
    API_ERRORS,
    AT_ONCE,
    CONNECTION_FAULTS,
    CUT,
    HARMLESS,
    IDENTITIES,
    NO_TLS,
    NOT_DYNAMODBS,
    SILENT,
    WRONG_SUM,
    ConnectionFault,
    InjectedFault,
    Meaning,
    wrong_identities,
)
from tests.faults.logins import (
    ENTRIES,
    OF_AN_ISSUER,
    OF_SECRETS,
    RECOVERY_SECONDS,
    STALE,
    TTL,
    Entry,
    Login,
    LoginService,
    Verdict,
    a_login_service,
)
from tests.faults.proxy import FaultProxy, Tables, Where, a_fault_proxy
from tests.issuers import ISSUER
from tools.events.stage import REVOCATIONS

PROFILES: Final = "jwt_profiles"
SECRETS: Final = "jwt_secrets"
_THE_ISSUER: Final = f'{{"S": "{ISSUER}"}}'

READS: Final[Mapping[str, Mapping[str, Where]]] = {
    "its profile": {"profile": Where(table=PROFILES, operation="GetItem")},
    "its secrets": {"secrets": Where(table=SECRETS, operation="Query")},
    "profile and secrets": {"profile": Where(table=PROFILES), "secrets": Where(table=SECRETS)},
    "revocations": {"revocations": Where(table=REVOCATIONS)},
}
"""The reads of a login by a secret, by their names in `Login.reads`."""

READS_OF_AN_ISSUER: Final[Mapping[str, Mapping[str, Where]]] = {
    "the issuer's configuration": {"configuration": Where(table=PROFILES, text=_THE_ISSUER)},
    "the issuer's keys": {"keys": Where(table=SECRETS)},
    "configuration and keys": {
        "configuration": Where(table=PROFILES, text=_THE_ISSUER),
        "keys": Where(table=SECRETS),
    },
    "the profile of an issuer's user": {"user": Where(table=PROFILES, text=f"{ISSUER}#")},
    "revocations of an issuer": {"revocations": Where(table=REVOCATIONS)},
}
"""The reads of a login by an issuer's token, likewise."""

ALL_READS: Final = {**READS, **READS_OF_AN_ISSUER}
NO_WHOLE_ANSWER: Final = {**CUT, **NOT_DYNAMODBS, **WRONG_SUM}
AT_ONCE_AND_ERRORS: Final = [*AT_ONCE.values(), *API_ERRORS.values(), *HARMLESS.values()]


@contextmanager
def failing(proxy: FaultProxy, fault: InjectedFault, read: str) -> Iterator[None]:
    """Have a read fail, which may be two, and see that it was asked for."""
    with ExitStack() as stack:
        met = [stack.enter_context(proxy.failing(fault, where)) for where in ALL_READS[read].values()]
        yield
    assert all(one.hits for one in met)


def cases() -> Iterator[object]:
    """Give all faults, each on all reads, and each of these its lane and its entry by turns.

    What is no whole answer is one kind of fault, as the tests of the store show. So of the reads of an issuer it meets
    two.
    """
    entries, few = cycle(ENTRIES), {*READS, "configuration and keys", "the profile of an issuer's user"}
    for number, fault in enumerate(AT_ONCE_AND_ERRORS):
        reads = [read for read in ALL_READS if read in few or fault.name not in NO_WHOLE_ANSWER]
        for turn, read in enumerate(reads):
            lane, entry = LANES[(number + turn) % len(LANES)], next(entries)
            yield pytest.param(fault, read, lane, entry, id=f"{fault} on {read}, for {entry} by {lane}")


def logins_of(read: str) -> tuple[Login, ...]:
    return OF_SECRETS if read in READS else OF_AN_ISSUER


def truth_of(login: Login) -> Verdict:
    return Verdict.ALLOWED if login.reason is None else Verdict.DENIED


def check(service: LoginService, login: Login, *verdicts: Verdict, reason: str | None = None) -> None:
    """Check that a login gets one of these *verdicts*; a denial for the login's own reason, a fault for this one."""
    (answer,) = service.ask(login)
    verdict = service.entry.verdict(answer)
    assert verdict in verdicts, (login.name, answer.record)
    if verdict is Verdict.DENIED:
        assert answer.record["reason"] == login.reason
    elif verdict is Verdict.FAULT and reason is not None:
        assert answer.record["reason"] == reason


def check_cold(service: LoginService, login: Login, read: str, meaning: Meaning) -> None:
    """Nothing is remembered: who cannot be told apart from others meets a fault, everybody else gets the truth."""
    is_unread = not ALL_READS[read].keys().isdisjoint(login.reads)
    rows = {"profile", "secrets", "configuration", "keys"}
    if meaning is Meaning.UNUSABLE and not rows.isdisjoint(ALL_READS[read]):
        is_unread = True  # what an operator has to mend is told at once
    if meaning is Meaning.NONE:
        check_whole(service, login)
    elif not is_unread:
        check(service, login, truth_of(login))
    else:
        check(service, login, Verdict.FAULT, reason=meaning.value)


def check_whole(service: LoginService, login: Login) -> None:
    """Each answer comes whole, so everybody gets the truth.

    A connection that is reset after it may by then carry the next request. Where that befalls both attempts of a read,
    it is a fault once, and the truth when it is asked again.
    """
    (answer,) = service.ask(login)
    if service.entry.verdict(answer) is Verdict.FAULT:
        assert answer.record["reason"] == "unreachable"
        service.clock.pass_by(RECOVERY_SECONDS)
        check(service, login, truth_of(login))
    else:
        assert service.entry.verdict(answer) is truth_of(login), (login.name, answer.record)


def check_stale(service: LoginService, login: Login, read: str, meaning: Meaning) -> None:
    """What is remembered serves in an outage; but nobody is denied whom a row that was not read might let in."""
    if meaning is Meaning.UNUSABLE:
        check_cold(service, login, read, meaning)
    elif meaning is Meaning.NONE:
        check_whole(service, login)
    elif login.reason is None:
        check(service, login, truth_of(login))
    else:
        check(service, login, Verdict.DENIED, Verdict.FAULT)


@pytest.mark.matrix(kinds=lambda fault, read, lane, entry: {fault.name, read, (lane, fault.meaning), entry.name})
@pytest.mark.parametrize(
    ("fault", "read", "lane", "entry"),
    list(cases()),
)
def test_a_fault_is_a_fault_and_what_is_remembered_serves_as_long_as_promised(
    faulty: FaultProxy,
    fault: InjectedFault,
    read: str,
    lane: str,
    entry: Entry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auth_jwt.aws.reads._PAUSE_SECONDS", 0)  # each case would wait for it a dozen times
    user, *others = logins_of(read)
    is_outage = fault.meaning in (Meaning.UNREACHABLE, Meaning.THROTTLED)
    with a_login_service(entry, lane, faulty.db_url, STORE_TIMEOUT_MS="10000") as service:
        with failing(faulty, fault, read):  # cold
            for login in (user, *others):
                check_cold(service, login, read, fault.meaning)
                service.clock.pass_by(RECOVERY_SECONDS)
        check(service, user, Verdict.ALLOWED)  # the first request after it
        for login in others:
            check(service, login, Verdict.DENIED)
        service.clock.pass_by(TTL)
        check(service, user, Verdict.ALLOWED)
        read_at = service.clock.now
        service.clock.pass_by(TTL)  # warm, and what is remembered is no longer fresh
        with failing(faulty, fault, read):
            for login in (user, *others):
                check_stale(service, login, read, fault.meaning)
                service.clock.pass_by(RECOVERY_SECONDS)
            if is_outage:
                service.clock.now = read_at + TTL + STALE - 1
                check(service, user, Verdict.ALLOWED)
                service.clock.now = read_at + TTL + STALE
                check(service, user, Verdict.FAULT, reason=fault.meaning.value)
        service.clock.pass_by(RECOVERY_SECONDS)
        check(service, user, Verdict.ALLOWED)


# -- silence ----------------------------------------------------------------------------------------------------------

STORE_SECONDS: Final = 0.6
MARGIN_SECONDS: Final = 0.5
"""What an answer may take beyond `STORE_TIMEOUT_MS`. A second wait for the tables would take 0.6 s, and so be seen.

Everything else of a request takes milliseconds; the rest is for a machine that does other work. Of three requests one
has to keep to it: a wait that is not bounded is late each time.
"""
SILENCES: Final = [
    *((SILENT["silence"], read) for read in ALL_READS),
    *((fault, read) for fault in SILENT.values() for read in ("profile and secrets", "configuration and keys")),
]


def seconds_of(service: LoginService, login: Login, verdict: Verdict) -> float:
    begun = time.monotonic()
    (answer,) = service.ask(login)
    taken = time.monotonic() - begun
    assert service.entry.verdict(answer) is verdict, answer.record
    assert verdict is not Verdict.FAULT or answer.record["reason"] == "unreachable"
    return taken


def check_in_time(service: LoginService, login: Login, verdict: Verdict) -> None:
    """Check that a login gets its answer within the time that the tables may take, and the margin."""
    taken = list[float]()
    while not taken or (taken[-1] > STORE_SECONDS + MARGIN_SECONDS and len(taken) < 3):
        taken.append(seconds_of(service, login, verdict))
        service.clock.pass_by(RECOVERY_SECONDS)
    assert min(taken) <= STORE_SECONDS + MARGIN_SECONDS


@pytest.mark.matrix(kinds=lambda fault, read, lane, entry: {fault.name, read, lane, entry.name})
@pytest.mark.parametrize(
    ("fault", "read", "lane", "entry"),
    [
        pytest.param(fault, read, lane, entry, id=f"{fault} on {read}, for {entry} by {lane}")
        for (fault, read), lane, entry in zip(SILENCES, cycle(LANES), cycle(ENTRIES), strict=False)
    ],
)
def test_silence_is_a_fault_in_time_and_old_rows_are_served_in_time(
    faulty: FaultProxy, fault: InjectedFault, read: str, lane: str, entry: Entry
) -> None:
    user = logins_of(read)[0]
    with a_login_service(entry, lane, faulty.db_url, STORE_TIMEOUT_MS=f"{STORE_SECONDS * 1000:.0f}") as service:
        with failing(faulty, fault, read):
            check_in_time(service, user, Verdict.FAULT)
        check_recovery(service, user)
        read_at = service.clock.now
        service.clock.pass_by(TTL)
        with failing(faulty, fault, read):
            check_in_time(service, user, Verdict.ALLOWED)
            service.clock.now = read_at + TTL + STALE
            check_in_time(service, user, Verdict.FAULT)
        check_recovery(service, user)


def check_recovery(service: LoginService, login: Login) -> None:
    """Check that the first login after a fault gets the truth. A machine that does other work may be late once."""
    for is_last in (False, False, True):
        service.clock.pass_by(RECOVERY_SECONDS)
        (answer,) = service.ask(login)
        if is_last or "in time" not in str(answer.record.get("causes")):
            assert service.entry.verdict(answer) is truth_of(login), answer.record
            return


@pytest.mark.matrix
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("fault", CONNECTION_FAULTS.values(), ids=str)
def test_connections_that_fail_are_faults_and_those_kept_before_are_no_hindrance(
    faulty: FaultProxy, fault: ConnectionFault, lane: str
) -> None:
    check_connections(faulty, fault, lane)


def check_connections(proxy: FaultProxy, fault: ConnectionFault, lane: str, **settings: str) -> None:
    """Check a process that meets a fault of its connections cold, then warm, and is well afterwards."""
    user, forger, *_ = OF_SECRETS
    settings["STORE_TIMEOUT_MS"] = f"{STORE_SECONDS * 1000:.0f}"
    with a_login_service(ENTRIES[0], lane, proxy.db_url, **settings) as service:
        with proxy.failing(fault) as met:
            check_in_time(service, user, Verdict.FAULT)
            check_in_time(service, forger, Verdict.FAULT)
        check_recovery(service, user)
        service.clock.pass_by(TTL)
        with proxy.failing(fault):
            check_in_time(service, user, Verdict.ALLOWED)
            service.clock.pass_by(RECOVERY_SECONDS)
            check_in_time(service, forger, Verdict.FAULT)
        check_recovery(service, user)
    assert met.hits or fault.is_refused


TLS_FAULTS: Final = (*NO_TLS, *CONNECTION_FAULTS, *IDENTITIES)


@pytest.mark.matrix
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", TLS_FAULTS)
def test_who_cannot_prove_to_be_the_tables_is_no_table(
    tables_of_logins: Tables,
    name: str,
    lane: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a certificate of somebody else nor what is no TLS lets anybody in, or denies anybody."""
    authority = Authority(tmp_path / "ours")
    faults = {**NO_TLS, **CONNECTION_FAULTS, **wrong_identities(authority, Authority(tmp_path / "unknown"))}
    settings = trust(authority, lane, monkeypatch)
    with a_fault_proxy(tables_of_logins, identity=authority.identity()) as proxy:
        check_connections(proxy, faults[name], lane, **settings)


def trust(authority: Authority, lane: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Have a lane believe an authority; return the settings for that. The express lane has none: it has its roots."""
    if lane == "boto3":
        return {"AWS_CA_BUNDLE": str(authority.certificate)}

    def context() -> ssl.SSLContext:
        made = tls_context()
        made.load_verify_locations(authority.certificate)
        return made

    monkeypatch.setattr("auth_jwt.aws.connections.tls_context", context)
    return {}


# -- load -------------------------------------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", ["reset", "silence", "ThrottlingException", "AccessDeniedException", "bare {}"])
def test_logins_in_flight_when_a_fault_begins_and_ends_get_the_truth_or_a_fault(
    faulty: FaultProxy, name: str, lane: str
) -> None:
    """Many at a time, while it comes and goes: nobody is let in or denied who is not to be, and then all is well."""
    fault = {**AT_ONCE, **SILENT, **API_ERRORS}[name]
    crowd = [*OF_SECRETS, *OF_AN_ISSUER] * 3
    with a_login_service(ENTRIES[0], lane, faulty.db_url, STORE_TIMEOUT_MS=f"{STORE_SECONDS * 1000:.0f}") as service:
        for where in (Where(skip=7), Where(table=PROFILES), Where(table=SECRETS, skip=1), Where(table=REVOCATIONS)):
            with faulty.failing(fault, where):
                check_crowd(service, crowd)
            service.clock.pass_by(TTL + STALE)
        for login in (*OF_SECRETS, *OF_AN_ISSUER):
            check_recovery(service, login)


def check_crowd(service: LoginService, crowd: Sequence[Login]) -> None:
    for login, answer in zip(crowd, service.ask(*crowd), strict=True):
        verdict = service.entry.verdict(answer)
        assert verdict in (truth_of(login), Verdict.FAULT), (login.name, answer.record)
        assert verdict is not Verdict.DENIED or answer.record["reason"] == login.reason
