"""`auth-jwt refusals`: on lines that the real handlers wrote, in CloudWatch Logs in memory and in files."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from auth_jwt.provisioning.advice import FOR_DENIALS
from auth_jwt_cli.logs import cloudwatch
from tests.command_line import CommandLine, a_command_line, command
from tests.logs_in_moto import give_insights, has_function, has_lines, has_stack
from tests.measured import UNMEASURED
from tools.dashboard.recorded import AUTHORIZE, event
from tools.events.stage import SAMPLES, read_json, stage

AUTHORIZE_GROUP, AUTHORIZER_GROUP = "/aws/lambda/auth-jwt-authorize", "/aws/lambda/auth-jwt-gateway-authorizer"
DENIED = ("token_expired", "unknown_tag", "no_active_secret", "bad_signature", "malformed_token", "username_mismatch")


@pytest.fixture(name="lines", scope="module")
def _lines() -> list[str]:
    """What the real handler writes for some sample events: denials, authorized requests, one without a token."""
    settings = read_json(SAMPLES / "outcomes.json")["settings"]
    with stage(settings) as made:
        written = [line for name in AUTHORIZE.values() for line in made.ask(event("authorize", name)).lines]
        written += made.ask(event("authorize", AUTHORIZE["bad_signature"])).lines
    return list(written)


@pytest.fixture(name="authorizer_lines", scope="module")
def _authorizer_lines() -> list[str]:
    settings = read_json(SAMPLES / "outcomes-gateway-authorizer.json").get("settings", {})
    with stage(settings, "gateway_authorizer") as made:
        return list(made.ask(event("gateway_authorizer", "rest-token-unauthorized-expired")).lines)


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path) as command_line:
        yield command_line


@pytest.fixture(name="stack")
def _stack(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, lines: list[str], authorizer_lines: list[str]
) -> list[str]:
    """A stack of two functions with their logs; the queries that are run."""
    has_stack(
        {
            "AuthorizeFunctionArn": has_function("auth-jwt-authorize", group=AUTHORIZE_GROUP),
            "GatewayAuthorizerFunctionArn": has_function("auth-jwt-gateway-authorizer", group=AUTHORIZER_GROUP),
        }
    )
    has_lines(AUTHORIZE_GROUP, lines, at=time.time() - 60)
    has_lines(AUTHORIZER_GROUP, authorizer_lines, at=time.time() - 30)
    return give_insights(monkeypatch)


def times(document: Any) -> dict[str, int]:
    return {count["reason"]: count["times"] for count in document["counts"]}


def test_it_counts_both_functions_of_a_stack_by_reason(auth_jwt: CommandLine, stack: list[str]) -> None:
    told = auth_jwt.json("refusals", "--stack", "auth-jwt")

    counted = times(told)
    assert told["sources"] == [AUTHORIZE_GROUP, AUTHORIZER_GROUP]
    assert (counted["token_expired"], counted["bad_signature"]) == (2, 3)
    assert set(DENIED) <= counted.keys()
    assert all(count["outcome"] == "denied" and count["first"] <= count["last"] for count in told["counts"])
    assert {count["reason"]: count["next"] for count in told["counts"]}.items() <= FOR_DENIALS.items()
    assert told["newest"][0]["service"] == "gateway_authorizer"
    assert len(told["newest"]) == min(10, sum(counted.values()))


def test_a_request_that_died_is_counted_although_the_function_wrote_nothing(
    auth_jwt: CommandLine, stack: list[str]
) -> None:
    report = {"type": "platform.report", "record": {"requestId": "r-1", "status": "timeout"}}
    has_lines(AUTHORIZE_GROUP, [report], at=time.time() - 5)

    told = auth_jwt.json("refusals", "--stack", "auth-jwt")

    (death,) = (count for count in told["counts"] if count["outcome"] == "died")
    assert (death["reason"], death["times"]) == ("timeout", 1)
    assert death["next"].startswith("see which call took the time")
    assert told["newest"][0] == {
        "at": told["newest"][0]["at"],
        "outcome": "died",
        "reason": "timeout",
        "request_id": "r-1",
    }


def test_it_is_the_saved_query(auth_jwt: CommandLine, stack: list[str]) -> None:
    auth_jwt("refusals", "--stack", "auth-jwt")
    auth_jwt("refusals", "--stack", "auth-jwt", "--reason", "bad_signature")

    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    assert stack[0] in page.splitlines()
    assert any("count(*) as denials by tag" in query and query in page.splitlines() for query in stack)


def test_whom_a_reason_hits_is_shown_where_one_is_asked_for(auth_jwt: CommandLine, stack: list[str]) -> None:
    told = auth_jwt.json("refusals", "--stack", "auth-jwt", "--reason", "bad_signature")
    shown = auth_jwt("refusals", "--stack", "auth-jwt", "--reason", "bad_signature").stdout

    assert sum(hit["times"] for hit in told["tags"]) == times(told)["bad_signature"]
    assert told["counts"][0]["tags"] == len(told["tags"])
    assert "Whom it hits:\n" in shown
    assert auth_jwt.json("refusals", "--stack", "auth-jwt")["tags"] == []


def test_it_reads_well(auth_jwt: CommandLine, stack: list[str]) -> None:
    shown = auth_jwt("refusals", "--stack", "auth-jwt", COLUMNS="200").stdout

    assert "OUTCOME  REASON" in shown
    assert "denied   token_expired" in shown
    assert "What to do:\n" in shown
    assert "have clients renew sooner; `LEEWAY_SECONDS` is for clocks" in shown
    assert "The newest:\n" in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--reason", "token_expired"), {"token_expired": 2}),
        (("--reason", "token_expired", "--tag", "nobody"), {}),
        (("--since", "45s"), {"token_expired": 1}),
        (("--since", "5m", "--until", "-50s", "--reason", "token_expired"), {"token_expired": 1}),
    ],
)
def test_it_can_be_narrowed(
    auth_jwt: CommandLine, stack: list[str], options: tuple[str, ...], expected: dict[str, int]
) -> None:
    told = auth_jwt.json("refusals", "--stack", "auth-jwt", *options)

    assert times(told) == expected
    assert Counter(line["reason"] for line in told["newest"]) == Counter(expected)


def test_a_sip_user_is_found_by_the_profiles(auth_jwt: CommandLine, stack: list[str], lines: list[str]) -> None:
    tag = next(record["tag"] for record in map(json.loads, lines) if record.get("reason") == "bad_signature")
    auth_jwt("profile", "add", tag, "--username", "alice", "--domain", "example.org", "--generate")

    told = auth_jwt.json("refusals", "--stack", "auth-jwt", "--user", "alice@example.org")

    assert told["counts"]
    assert {line["tag"] for line in told["newest"]} == {tag}
    missing = auth_jwt("refusals", "--stack", "auth-jwt", "--user", "bob", exit_code=1).stderr
    assert "no profile speaks for the SIP user 'bob'" in missing


def test_the_log_of_one_function_is_found_by_its_configuration(auth_jwt: CommandLine, stack: list[str]) -> None:
    told = auth_jwt.json("refusals", "--function", "auth-jwt-gateway-authorizer")

    assert told["sources"] == [AUTHORIZER_GROUP]
    assert times(told) == {"token_expired": 1}


def test_a_function_without_a_group_of_its_own_has_lambdas(auth_jwt: CommandLine, stack: list[str]) -> None:
    has_function("plain")
    has_lines("/aws/lambda/plain", [])

    assert auth_jwt.json("refusals", "--function", "plain")["sources"] == ["/aws/lambda/plain"]


def test_nothing_to_tell_is_told(auth_jwt: CommandLine, stack: list[str]) -> None:
    assert auth_jwt("refusals", "--stack", "auth-jwt", "--since", "1s").stderr.startswith("No refusals since ")


def test_a_log_that_cannot_be_found_is_named_and_the_other_is_read(auth_jwt: CommandLine, stack: list[str]) -> None:
    boto3.client("lambda", region_name="eu-central-1").delete_function(FunctionName="auth-jwt-gateway-authorizer")

    run = auth_jwt("refusals", "--stack", "auth-jwt", "--json", exit_code=4)

    told = json.loads(run.stdout)
    assert told["sources"] == [AUTHORIZE_GROUP]
    assert [name.endswith("function:auth-jwt-gateway-authorizer") for name in told["unread"]] == [True]
    assert "was not read: lambda:GetFunctionConfiguration" in run.stderr


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        ((), "nothing says whose log to read", 2),
        (("--stack", "none"), "there is no stack 'none' in this account and region: check --stack,", 4),
        (("--log-group", "none"), "logs:StartQuery on 'none'", 4),
        (("--log-file", "/no/such/file"), "'/no/such/file' cannot be read: No such file or directory", 4),
        (("--reason", "bad_signatur", "--log-file", "-"), "Did you mean 'bad_signature'", 2),
        (("--reason", "bad_sig", "--log-file", "-"), "Did you mean 'bad_signature'?", 2),
        (("--reason", "zzz", "--log-file", "-"), "docs/operations.md lists them", 2),
        (("--log-file", "-", "--stack", "x"), "--log-file is another log", 2),
        (("--tail", "--until", "now", "--log-file", "-"), "--tail has no end", 2),
        (("--since", "2100-01-01", "--log-file", "-"), "is in the future", 2),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_says_what_to_do(
    auth_jwt: CommandLine, options: tuple[str, ...], said: str, code: int
) -> None:
    assert said in auth_jwt("refusals", *options, exit_code=code).stderr


# -- files ------------------------------------------------------------------------------------------------------------


def as_sam_logs(line: str) -> str:
    return f"2026/11/29/auth-jwt[41]5b2c 2026-11-29T19:00:00.123000 {line}"


def as_aws_logs_tail(line: str) -> str:
    return f"2026-11-29T19:00:00.123000+00:00 2026/11/29/auth-jwt[41]5b2c {line}"


@pytest.mark.parametrize("form", [str, as_sam_logs, as_aws_logs_tail])
def test_a_file_of_lines_is_read_as_tools_write_them(auth_jwt: CommandLine, lines: list[str], form: Any) -> None:
    text = "".join(f"{form(line)}\n" for line in ["START RequestId: x", *lines, '{"access": "GET"}', "{"])

    told = auth_jwt.json("refusals", "--log-file", auth_jwt.file(text))
    piped = auth_jwt.json("refusals", "--log-file", "-", given=text)

    assert times(told) == times(piped)
    assert times(told)["bad_signature"] == 3
    assert set(DENIED) <= times(told).keys()


def test_a_file_shows_no_more_than_the_fields_of_a_log(auth_jwt: CommandLine) -> None:
    line = json.dumps({"outcome": "denied", "reason": "bad_signature", "tag": "a\x1b[2J", "jwt_token": "eyJhbGciOi"})

    run = auth_jwt("refusals", "--log-file", "-", given=line)
    told = auth_jwt.json("refusals", "--log-file", "-", given=line)

    assert "eyJ" not in run.stdout + json.dumps(told)
    assert "\x1b" not in run.stdout


def test_a_log_is_followed_until_ctrl_c_which_ends_well(tmp_path: Path, lines: list[str]) -> None:
    """As a process of its own: the file grows, begins anew, and grows again."""
    log = tmp_path / "serve.log"
    log.write_text(f"{lines[0]}\n")
    process = subprocess.Popen(
        [str(command()), "refusals", "--tail", "--json", "--log-file", str(log)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**UNMEASURED, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    bad = next(line for line in lines if '"bad_signature"' in line)
    expired = next(line for line in lines if '"token_expired"' in line)
    try:
        with log.open("a") as file:
            file.write(f"{bad}\n{bad[:20]}")
        assert json.loads(process.stdout.readline())["reason"] == "bad_signature"
        log.write_text(f"{expired}\n")
        assert json.loads(process.stdout.readline())["reason"] == "token_expired"
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "2 refusals: bad_signature 1, token_expired 1." in said


def test_a_log_group_is_followed_and_no_line_is_shown_twice(
    auth_jwt: CommandLine, stack: list[str], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """New lines come between two looks; the third look ends it, as Ctrl-C does."""
    late = [line for line in lines if '"unknown_tag"' in line]
    looks = iter([late, []])

    def sleep(_: float) -> None:
        written = next(looks, None)
        if written is None:
            raise KeyboardInterrupt
        has_lines(AUTHORIZE_GROUP, written, at=time.time() - 20)

    monkeypatch.setattr(cloudwatch.CloudWatchLogs.__init__, "__defaults__", (sleep,))

    run = auth_jwt("refusals", "--stack", "auth-jwt", "--tail", "--json", "--reason", "unknown_tag")

    shown = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["reason"] for line in shown] == ["unknown_tag", "unknown_tag"]
    assert "Following /aws/lambda/auth-jwt-authorize, /aws/lambda/auth-jwt-gateway-authorizer." in run.stderr
    assert "2 refusals: unknown_tag 2." in run.stderr
