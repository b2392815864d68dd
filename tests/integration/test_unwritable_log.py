"""A log that cannot be written, and a process that can open nothing any more, change no answer.

A fault stays that fault, a denial that denial, and a login is let in. Only an operator's write that could not be
audited is not answered as done.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, cast

import pytest

from tests.factories import HMAC_KEY, a_private_key, a_token, public_pem
from tests.integration.admin_client import PROFILES
from tests.integration.conftest import SetStage
from tools.events.demo import acts
from tools.events.provisioning_events import Case, asking
from tools.events.stage import (
    ROOT,
    SAMPLES,
    Answer,
    LambdaContext,
    Stage,
    environment,
    lambda_environment,
    read_json,
    template,
)

NOBODY: Final = "dynamodb+http://127.0.0.1:1/eu-central-1"
EVENTS: Final = {act.name: act for act in acts() if act.function == "authorize"}


# -- standard output --------------------------------------------------------------------------------------------------


def full() -> TextIO:
    """What is written there finds no room."""
    return Path("/dev/full").open("w", encoding="utf-8")


def closed() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


def without_memory() -> TextIO:
    class WithoutMemory(io.StringIO):
        def write(self, _: str) -> int:
            raise MemoryError

    return WithoutMemory()


def none() -> TextIO:
    """Python's own way to say that there was none when it started."""
    return cast("TextIO", None)


OUTPUTS: Final = (full, closed, without_memory, none)


@pytest.fixture(name="output", params=OUTPUTS)
def _output(request: pytest.FixtureRequest) -> Iterator[TextIO]:
    """A standard output that takes no line."""
    output: TextIO = request.param()
    yield output
    if request.param is full:
        os.close(output.fileno())  # `close` would try to write again
        with pytest.raises(OSError, match="Bad file descriptor"):
            output.close()


def given_without_a_log(stage: Stage, event: dict[str, Any], output: TextIO) -> tuple[Any, str | None]:
    """What the handler answers, and what it raises."""
    context = LambdaContext(aws_request_id="00000000-0000-4000-8000-000000000001", function_name=stage.function)
    with redirect_stdout(output):
        try:
            return stage.handler(event, context), None
        except Exception as error:  # noqa: BLE001 - Lambda would report it, whatever it is
            return None, f"{type(error).__name__}: {error}"


def given(answer: Answer) -> tuple[Any, str | None]:
    return answer.given, answer.raised


@pytest.mark.matrix
@pytest.mark.parametrize(
    "name", ["rest-authorized-by-header", "rest-denied-expired", "direct-authorized", "direct-denied-expired"]
)
def test_a_login_is_let_in_and_a_denial_stays_one(set_stage: SetStage, output: TextIO, name: str) -> None:
    event = EVENTS[name].event()
    stage = set_stage()
    expected = given(stage.ask(event))

    assert given_without_a_log(stage, event, output) == expected
    assert expected[1] is None


@pytest.mark.matrix
@pytest.mark.parametrize("function", ["authorize", "gateway_authorizer", "provisioning"])
def test_a_fault_stays_that_fault(
    set_stage: SetStage, outage: Callable[[], None], output: TextIO, function: str
) -> None:
    event = {
        "authorize": EVENTS["rest-authorized-by-header"].event(),
        "gateway_authorizer": read_json(SAMPLES / "gateway_authorizer" / "rest-token-allowed.json"),
        "provisioning": Case("a-test", "", asking("GET", PROFILES), 0).event(),
    }[function]
    stage = set_stage(function)
    outage()
    expected = given(stage.ask(event))

    assert given_without_a_log(stage, event, output) == expected
    assert expected[1] is not None or expected[0]["statusCode"] == 503


def test_a_step_of_a_rotation_stays_that_fault(set_stage: SetStage, output: TextIO) -> None:
    stage = set_stage("rotate_secrets", ROTATED_TAG="alice-web")

    assert given_without_a_log(stage, {}, output) == given(stage.ask({}))


def test_a_write_that_cannot_be_audited_is_not_answered_as_done(set_stage: SetStage, output: TextIO) -> None:
    """Nobody would ever know of it. It stays, and the answer says so: to undo it would be one more such write."""
    stage = set_stage("provisioning")
    body = {"tag": "zoe", "sip_username": "zoe"}

    answer, _ = given_without_a_log(stage, Case("a-test", "", asking("POST", PROFILES, body), 0).event(), output)

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["detail"].startswith("the write happened or may have happened")
    read = stage.ask(Case("a-test", "", asking("GET", f"{PROFILES}/zoe"), 0).event())
    assert read.status == 200


def test_a_minted_token_that_cannot_be_audited_is_not_given(set_stage: SetStage, output: TextIO) -> None:
    """Nobody would ever know who could log in with it."""
    event = Case("a-test", "", asking("POST", f"{PROFILES}/alice-web/tokens", {}), 0).event()

    answer, _ = given_without_a_log(set_stage("provisioning"), event, output)

    assert answer["statusCode"] == 500
    assert "token" not in json.loads(answer["body"])


def test_a_read_needs_no_audit(set_stage: SetStage, output: TextIO) -> None:
    answer, _ = given_without_a_log(
        set_stage("provisioning"), Case("a-test", "", asking("GET", PROFILES), 0).event(), output
    )

    assert answer["statusCode"] == 200


# -- no descriptor left -----------------------------------------------------------------------------------------------

PROGRAM: Final = """
import json, os, resource, sys

sys.path[:0] = ["layers/auth_jwt", f"functions/{sys.argv[1]}"]
import app


class Context:
    aws_request_id = "r-1" if sys.argv[2] == "in Lambda" else None


def answer():
    try:
        return {"given": app.lambda_handler(event, Context())}
    except Exception as error:
        return {"raised": type(error).__name__, "ours": type(error).__module__ == "auth_jwt.errors"}


event = json.loads(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    exhausted = answer()
for descriptor in held:
    os.close(descriptor)
print(json.dumps({"exhausted": exhausted, "afterwards": answer()}), file=sys.stderr)
"""
"""Loads the handler of a function as Lambda does, and asks it when nothing can be opened, and once more afterwards.

It imports next to nothing itself, so what the handler lacks then is not there by chance.
"""


@dataclass(frozen=True)
class Run:
    """What came of an event without a descriptor left, and what afterwards; and the lines of the log."""

    exhausted: dict[str, Any]
    afterwards: dict[str, Any]
    lines: list[dict[str, Any]]


def run(function: str, event: Mapping[str, Any], *, where: str = "in Lambda", **settings: str) -> Run:
    variables = lambda_environment(template(), {"DB_URL": NOBODY, **settings}, function)
    with environment(variables):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, function, where, json.dumps(event)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stderr.splitlines()[-1])
    return Run(**said, lines=[json.loads(line) for line in done.stdout.splitlines()])


def is_a_fault(answer: Mapping[str, Any]) -> bool:
    """Whether it is one, and nothing that anybody takes for a denial."""
    if "raised" in answer:
        return bool(answer["ours"])
    return answer["given"]["statusCode"] in (500, 503) and "code" not in json.loads(answer["given"]["body"])


def posted(path: str, **body: str) -> dict[str, Any]:
    return {
        "requestContext": {"requestId": "g-1"},
        "httpMethod": "POST",
        "path": path,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }


@pytest.mark.matrix
@pytest.mark.parametrize("client", ["express", "boto3"])
@pytest.mark.parametrize("where", ["in Lambda", "elsewhere"])
@pytest.mark.parametrize(
    ("function", "event"),
    [
        pytest.param("authorize", posted("/authorize", jwt_token=a_token()), id="authorize"),
        pytest.param("authorize", {"jwt_token": a_token()}, id="direct"),
        pytest.param("authorize", EVENTS["rest-jambonz-ok-register"].event(), id="jambonz"),
        pytest.param(
            "gateway_authorizer", read_json(SAMPLES / "gateway_authorizer" / "rest-token-allowed.json"), id="authorizer"
        ),
        pytest.param("provisioning", Case("a-test", "", asking("GET", PROFILES), 0).event(), id="admin API"),
        pytest.param(
            "rotate_secrets",
            {"Step": "createSecret", "SecretId": "s", "ClientRequestToken": "v"},
            id="rotation",
        ),
    ],
)
def test_with_no_descriptor_left_a_fault_is_answered_and_logged(
    function: str, event: dict[str, Any], where: str, client: str
) -> None:
    rotation = {"ROTATED_TAG": "alice-web", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1"}
    more = rotation if function == "rotate_secrets" else {}
    found = run(function, event, where=where, DYNAMODB_CLIENT=client, **more)

    assert is_a_fault(found.exhausted)
    assert found.lines[0]["outcome"] == "fault"
    assert found.lines[0]["causes"][0]["at"]
    assert found.lines[0]["Fault"] == 1
    # Nothing that failed is kept: afterwards it asks for the tables, where nobody answers.
    assert is_a_fault(found.afterwards)
    assert found.lines[-1]["reason"] == "unreachable"


@pytest.mark.parametrize("key", ["HMAC", "RSA"])
def test_with_no_descriptor_left_no_token_is_refused_for_its_key(key: str) -> None:
    """The cryptography of public keys is loaded at the first of them. What stops that is no word about the token."""
    token, text = (a_token(), HMAC_KEY) if key == "HMAC" else (a_token(key=a_private_key(), alg="RS256"), public_pem())
    found = run("authorize", posted("/script-authorize", jwt_token=token, key=text))

    answers = [found.exhausted, found.afterwards]
    codes = [json.loads(answer["given"]["body"]).get("code") for answer in answers]
    assert codes == ([1, 1] if key == "HMAC" else [None, 1])
    assert is_a_fault(found.exhausted) is (key == "RSA")
