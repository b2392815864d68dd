"""SnapStart: what a snapshot holds, and what it must not. AWS's runtime client runs the hooks, as it does in Lambda.

AWS's emulator does not do this, so `snapstart.py` plays the Runtime API.
"""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import boto3
import jwt
import pytest

from tests.e2e.artifact import a_day_later, copies
from tests.e2e.artifact.built import Artifact
from tests.e2e.artifact.conftest import Run, Tell
from tests.e2e.artifact.deployed import ACCOUNT, Deployed, deployed
from tests.e2e.artifact.emulator import LOOPBACK, PYTHON
from tests.e2e.artifact.snapstart import CREDENTIALS_TOKEN, SECONDS_TO_WAIT, Snapshot, Surroundings, server, snapshot
from tools.events.demo import Act, acts
from tools.events.outcomes import differences
from tools.events.stage import OUTCOMES, SAMPLES, Answer, environment, read_json

CLIENTS = ("express", "boto3")
FIRST_EVENTS = {"authorize": "rest-authorized-by-header", "gateway_authorizer": "rest-token-allowed"}
KEYS = ("header", "public-key", "certificate", "key-set-eddsa", "key-set-es256")
"""The events that `authorize` answers by all kinds of keys; the first one's is an HMAC secret."""

STARTS = 3

Take = Callable[[str, Mapping[str, str]], AbstractContextManager[Snapshot]]


@pytest.fixture(name="take")
def _take(native: Artifact, db_url: str, tmp_path: Path) -> Take:
    """Start a function with settings, up to its snapshot."""
    return lambda function, settings: snapshot(deployed(native, function, settings), db_url, tmp_path)


def settings_of(function: str, **others: str) -> dict[str, str]:
    """The settings that a function's events expect, and *others*."""
    return {**read_json(SAMPLES / OUTCOMES[function])["settings"], **others}


def act_of(function: str, name: str) -> Act:
    return next(act for act in acts() if (act.function, act.name) == (function, name))


def first_answer(taken: Snapshot, act: Act) -> Answer:
    """Restore it, and give it the event, byte for byte."""
    begun = time.perf_counter()
    taken.restore("AFTERTHERESTORE")
    given = taken.ask((SAMPLES / act.function / f"{act.name}.json").read_bytes())
    seconds = time.perf_counter() - begun
    return Answer(given, None, taken.output.read_text("utf-8").splitlines(), seconds)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("function", FIRST_EVENTS)
def test_a_snapshot_holds_no_connection_and_no_credentials(take: Take, function: str, client: str) -> None:
    """Nor a second thread. Nobody has been asked for anything, so nothing of theirs can be in it."""
    with take(function, settings_of(function, DYNAMODB_CLIENT=client)) as taken:
        assert taken.runtime.complaints == []
        assert taken.sockets == [("tcp", taken.port)]
        assert taken.threads == 1
        assert taken.surroundings.asked_tables == taken.surroundings.asked_credentials == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("function", FIRST_EVENTS)
def test_the_first_answer_after_a_restore_is_right_by_credentials_given_after_it(
    take: Take, function: str, client: str
) -> None:
    """Lambda gives them by an endpoint, new ones to each process."""
    act = act_of(function, FIRST_EVENTS[function])
    with take(function, settings_of(function, DYNAMODB_CLIENT=client)) as taken:
        answer = first_answer(taken, act)

        assert differences(act.event(), act.expected, answer) == []
        (asked,) = taken.surroundings.asked_credentials
        assert asked.headers["authorization"] == CREDENTIALS_TOKEN
        assert len(taken.surroundings.asked_tables) == 2
        for asked in taken.surroundings.asked_tables:
            assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AFTERTHERESTORE/")
            assert asked.headers["x-amz-security-token"] == "session-of-AFTERTHERESTORE"


EVENTS = [*(("authorize", f"rest-authorized-by-{key}") for key in KEYS), ("gateway_authorizer", "rest-token-allowed")]


@pytest.mark.parametrize(("function", "event"), EVENTS)
def test_a_first_answer_after_a_restore_imports_nothing(take: Take, function: str, event: str) -> None:
    """Whichever key it takes: all that it needs is in the snapshot."""
    act = act_of(function, event)
    with take(function, settings_of(function)) as taken:
        before = taken.imported
        answer = first_answer(taken, act)

        assert differences(act.event(), act.expected, answer) == []
        assert {"auth_jwt.runtime.wiring", "jwt.algorithms", "ssl"} <= set(before)
        assert taken.imported[len(before) :] == []


@pytest.mark.parametrize(("function", "event"), EVENTS[:2])
def test_a_restored_function_answers_sooner_than_a_started_one(
    take: Take, run: Run, tell: Tell, function: str, event: str
) -> None:
    """As far as it is the function's doing: here nothing is frozen, moved or thawed."""
    act = act_of(function, event)
    restored, started = [], []
    for _ in range(STARTS):
        with take(function, settings_of(function)) as taken:
            restored.append(first_answer(taken, act).seconds * 1000)
        with run(function, settings_of(function)) as emulator:
            emulator.ask((SAMPLES / function / f"{event}.json").read_bytes())
            started.append(emulator.init_milliseconds + emulator.answer_milliseconds[0])

    tell(
        f"{event}: first answer {median(restored):.0f} ms after a restore ({min(restored):.0f} to {max(restored):.0f}),"
        f" {median(started):.0f} ms after a start ({min(started):.0f} to {max(started):.0f});"
        f" medians of {STARTS}, in turn"
    )
    assert min(restored) < min(started)


@pytest.mark.parametrize("function", FIRST_EVENTS)
def test_a_setting_that_cannot_be_is_left_to_the_requests(take: Take, function: str) -> None:
    """They report it as they do everywhere; a snapshot that fails would only say that the deployment did."""
    act = act_of(function, FIRST_EVENTS[function])
    with take(function, settings_of(function, STORE_TIMEOUT_MS="soon")) as taken:
        assert taken.runtime.complaints == []
        answer = first_answer(taken, act)

    assert answer.status == 500 or answer.given["errorType"] == "BadSetting"
    assert "STORE_TIMEOUT_MS='soon' is refused" in taken.output.read_text("utf-8")
    assert json.dumps("bad_setting") in taken.output.read_text("utf-8")


def run_beside(
    function: Deployed,
    program: ModuleType,
    *arguments: str,
    given: str = "",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of this folder as Lambda would run the function, whose snapshot it takes itself."""
    return subprocess.run(
        [PYTHON, str(program.__file__), *arguments],
        cwd=function.folder,
        env={**function.environment, **(variables or {}), "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_WAIT,
        check=False,
    )


def two_copies(native: Artifact, hooks: str) -> list[dict[str, object]]:
    """What two processes that go on from one snapshot say of themselves. Their tables are reached by TLS."""
    function = deployed(
        native, "authorize", settings_of("authorize", DB_URL="dynamodb+https://127.0.0.1:1/eu-central-1")
    )
    run = run_beside(function, copies, hooks)
    if run.returncode == copies.NOT_PERMITTED:
        pytest.skip("no copies of a process with its process id are permitted here (pid namespaces)")
    assert run.returncode == 0, run.stderr
    said: list[dict[str, object]] = json.loads(run.stdout)
    return said


def test_nothing_random_is_alike_in_two_processes_of_one_snapshot(native: Artifact) -> None:
    """But the process id, by which libraries would know a fork, and not a restored machine."""
    one, other = two_copies(native, "hooks")

    assert len(one) > 5
    assert {name for name in one if one[name] == other[name]} == {"process id"}


def test_without_the_hook_openssl_and_python_would_draw_the_same_numbers(native: Artifact) -> None:
    """Hence the hook. When they come to see it themselves, this test tells that it is no longer needed."""
    one, other = two_copies(native, "no-hooks")

    alike = {name for name in one if one[name] == other[name]}
    assert alike == {"process id", "TLS greeting", "OpenSSL's random bytes", "Python's random number"}


SECRET = "a secret of the night, thirty-two bytes"
HALF_A_DAY = a_day_later.DAY // 2
MINUTES = 300
"""In seconds; the test takes less."""


@pytest.fixture(name="night", scope="module")
def _night(db_url: str) -> int:
    """An instant half a day from now, when one secret closes and another opens."""
    night, always = int(time.time()) + HALF_A_DAY, 4102444800
    with environment(ACCOUNT):
        tables = boto3.client("dynamodb", endpoint_url=db_url.removeprefix("dynamodb+").rpartition("/")[0])
    for tag, start, end in (("always", 0, always), ("until-night", 0, night), ("from-night", night, always)):
        window = {"start_ts": {"N": str(start)}, "end_ts": {"N": str(end)}}
        row = {"corresponding_tag": {"S": tag}, "id": {"S": "1"}, "secret": {"S": SECRET}, **window}
        tables.put_item(TableName="jwt_secrets", Item=row)
        tables.put_item(TableName="jwt_profiles", Item={"tag": {"S": tag}, "sip_username": {"S": "owl"}})
    return night


@pytest.mark.parametrize("client", CLIENTS)
def test_a_day_after_the_snapshot_everything_is_judged_by_that_days_clock(
    native: Artifact, db_url: str, night: int, client: str
) -> None:
    """Tokens, windows, what is remembered, the log's times, the signatures for DynamoDB."""
    until_night: dict[str, Any] = {"tag": "always", "exp": night}
    claims = [until_night, until_night, {"tag": "always", "nbf": night}, {"tag": "until-night"}, {"tag": "from-night"}]
    events = [{"jwt_token": jwt.encode(one, SECRET, "HS256")} for one in claims]
    settings = settings_of("authorize", DYNAMODB_CLIENT=client, AUTHORIZED_LOG="full")  # a lean line says no time
    function = deployed(native, "authorize", settings)
    surroundings = Surroundings(db_url.removeprefix("dynamodb+http://").partition("/")[0])
    now = time.time()
    with server(surroundings.answer_for_tables) as port:
        tables = {"DB_URL": f"dynamodb+http://{LOOPBACK}:{port}/eu-central-1"}
        run = run_beside(function, a_day_later, given=json.dumps(events), variables=tables)
    assert run.returncode == 0, run.stderr
    said = [json.loads(line) for line in run.stdout.splitlines()]
    lines = [one for one in said if "outcome" in one]
    reasons = [line.get("reason") for line in lines]
    written = [datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines]
    counted = [line["_aws"]["Timestamp"] / 1000 for line in lines]
    asked = [
        datetime.strptime(one.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        for one in surroundings.asked_tables
    ]

    assert [one["answer"]["code"] for one in said if "answer" in one] == [1, -1, 1, -1, 1]
    assert reasons == [None, "token_expired", None, "no_active_secret", None]
    tomorrow = now + a_day_later.DAY
    assert written == pytest.approx([now, *[tomorrow] * 4], abs=MINUTES)
    assert counted == pytest.approx([now, *[tomorrow] * 4], abs=MINUTES)
    # Both tables for each of the three tags, the first one's on both days.
    assert asked == pytest.approx([now] * 2 + [tomorrow] * 6, abs=MINUTES)
