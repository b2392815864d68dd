"""Environments in which no command can work: each says what was asked, where, and what to do next.

docs/command-line.md, *When a command fails*, has the sentences, word for word, as `profile list` says them. Other
commands ask something else, and say the rest alike.
"""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from auth_jwt_cli.main import app
from tests.command_line import command
from tests.contract.servers import NO_ROWS, a_dynamodb, an_answer, an_error, answering, costed, rows
from tests.faults.injected import SILENT
from tests.faults.proxy import a_faulty_dynamodb
from tests.prepared_command import INSTALLED
from tests.unit.docs.test_docs import table
from tools.events.stage import REGION, create_tables, environment, template

PAGE: Final = Path(__file__).parents[2] / "docs" / "command-line.md"
SENTENCES: Final = dict(table(PAGE, "what is wrong", under="When a command fails"))
ASKED: Final = "dynamodb:Scan on table 'jwt_profiles'"
"""What the page's sentences are about, except for the one about a command that writes."""
WRITE: Final = "no permission to write"

LIST: Final = (("profile", "list"), ASKED)
SHOW: Final = (("profile", "show", "alice"), "dynamodb:GetItem on table 'jwt_profiles'")
SECRETS: Final = (("secret", "list", "alice"), "dynamodb:Query on table 'jwt_secrets'")
DISABLE: Final = (("profile", "disable", "alice"), "dynamodb:GetItem on table 'jwt_profiles'")
READS: Final = (LIST, SHOW, SECRETS)
ADD: Final = (("profile", "add", "alice", "--username", "alice"), "dynamodb:TransactWriteItems on table 'jwt_profiles'")
ADD_SECRET: Final = (
    ("secret", "add", "alice", "--generate"), "dynamodb:TransactWriteItems on table 'jwt_profiles' and 'jwt_secrets'",
)  # fmt: skip
REVOKE: Final = (
    ("revoke", "alice", "--jti", "5f3a"), "dynamodb:TransactWriteItems on table 'jwt_profiles' and 'jwt_revocations'",
)  # fmt: skip
ADD_BOTH: Final = (
    ("profile", "add", "bob", "--username", "bob", "--generate"),
    "dynamodb:TransactWriteItems on table 'jwt_profiles' and 'jwt_secrets'",
)
WRITES: Final = (ADD, ADD_SECRET, REVOKE)

Variables = dict[str, str]
Asked = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Place:
    """A broken environment: its variables, and what the page writes otherwise."""

    variables: Variables
    words: dict[str, str]


Broken = Callable[[Path], AbstractContextManager[Place]]


def usual(folder: Path, **more: str) -> Variables:
    """A shell with an access key, and with nothing of this machine's."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "REVOCATIONS_TABLE": "jwt_revocations",
        **more,
    }


def without(variables: Variables, *names: str) -> Variables:
    return {name: value for name, value in variables.items() if name not in names}


KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def at(folder: Path, address: str, **more: str) -> Place:
    """An environment whose tables are at this address."""
    return Place(usual(folder, DB_URL=f"dynamodb+{address}/{REGION}", **more), {"http://127.0.0.1:8000": address})


# -- the environments -------------------------------------------------------------------------------------------------


@contextmanager
def no_region(folder: Path) -> Iterator[Place]:
    yield Place(without(usual(folder), "AWS_DEFAULT_REGION"), {})


@contextmanager
def no_credentials(folder: Path) -> Iterator[Place]:
    with a_dynamodb(rows) as address:
        place = at(folder, address)
        yield Place(without(place.variables, *KEYS), place.words)


def _sso(folder: Path, address: str) -> Place:
    (folder / "config").write_text(
        "[profile ops]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = ops\n"
        f"[sso-session corp]\nsso_region = {REGION}\nsso_start_url = https://corp.awsapps.com/start\n"
        "sso_registration_scopes = sso:account:access\n",
        encoding="utf-8",
    )
    place = at(folder, address, AWS_CONFIG_FILE=str(folder / "config"), AWS_PROFILE="ops")
    return Place(without(place.variables, *KEYS), place.words)


@contextmanager
def sso_never(folder: Path) -> Iterator[Place]:
    with a_dynamodb(rows) as address:
        yield _sso(folder, address)


@contextmanager
def sso_expired(folder: Path) -> Iterator[Place]:
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "-", "expiresAt": "2020-01-01T00:00:00Z", "region": REGION}
    name = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps({**token, "startUrl": "https://corp.awsapps.com/start"}), "utf-8")
    with a_dynamodb(rows) as address:
        yield _sso(folder, address)


@contextmanager
def wrong_profile(folder: Path) -> Iterator[Place]:
    yield Place(usual(folder, AWS_PROFILE="ops-eu"), {})


def refusing(status: int, code: str, message: str = "no") -> Broken:
    """Tables that answer everything by one error, as DynamoDB writes it."""

    @contextmanager
    def broken(folder: Path) -> Iterator[Place]:
        with a_dynamodb(an_error(status, code, message)) as address:
            yield at(folder, address)

    return broken


@contextmanager
def wrong_clock(folder: Path) -> Iterator[Place]:
    told = "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z (20260101T002000Z - 5 min.)"
    body = json.dumps({"__type": "com.amazon.coral.service#InvalidSignatureException", "message": told}).encode()
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20 * 60))
    with answering(an_answer(body, status="400 Bad Request", headers=f"Date: {date}\r\n")) as address:
        yield at(folder, address)


@contextmanager
def in_aws(folder: Path, **more: str) -> Iterator[Place]:
    """An account with the tables."""
    variables = usual(folder, **more)
    with environment(variables), mock_aws(config={"lambda": {"use_docker": False}}):
        create_tables(boto3.client("dynamodb", region_name=REGION), template())
        yield Place(variables, {})


@contextmanager
def wrong_table(folder: Path) -> Iterator[Place]:
    variables = usual(folder)
    with environment(variables), mock_aws():
        yield Place(variables, {})


@contextmanager
def wrong_key(folder: Path) -> Iterator[Place]:
    variables = usual(folder)
    with environment(variables), mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        for name, key in (("jwt_profiles", "user"), ("jwt_secrets", "user"), ("jwt_revocations", "user")):
            client.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        yield Place(variables, {})


def permitted(*operations: str) -> Broken:
    """Tables that let the operator do these operations, and no others."""
    denied = an_error(400, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/operator is not authorized")
    whole = {"Query": NO_ROWS, "Scan": NO_ROWS, "GetItem": costed()}

    @contextmanager
    def broken(folder: Path) -> Iterator[Place]:
        def reply(operation: str) -> tuple[int, bytes]:
            return (200, whole[operation]) if operation in operations else denied(operation)

        with a_dynamodb(reply) as address:
            yield at(folder, address)

    return broken


@contextmanager
def closed_function(folder: Path) -> Iterator[Place]:
    """Lambda refuses, and STS says whom."""
    refusal = b'{"Message": "User: arn:aws:iam::123456789012:user/operator is not authorized to perform"}'
    kind = "Content-Type: application/json\r\nx-amzn-ErrorType: AccessDeniedException\r\n"
    told = (
        "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
        "<Arn>arn:aws:iam::123456789012:user/operator</Arn><UserId>A</UserId><Account>123456789012</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    with (
        answering(an_answer(refusal, status="403 Forbidden", headers=kind)) as of_lambda,
        answering(an_answer(told.encode(), headers="Content-Type: text/xml\r\n")) as sts,
    ):
        endpoints = {"AWS_ENDPOINT_URL_LAMBDA": of_lambda, "AWS_ENDPOINT_URL_STS": sts}
        yield Place(usual(folder, AUTH_JWT_FUNCTION="auth-jwt-authorise", **endpoints), {})


@contextmanager
def no_function(folder: Path) -> Iterator[Place]:
    with in_aws(folder) as place:
        yield Place({**place.variables, "AUTH_JWT_FUNCTION": "auth-jwt-authorise"}, {})


@contextmanager
def dead_endpoint(folder: Path) -> Iterator[Place]:
    with a_dynamodb(rows) as address:
        pass  # nobody listens there now
    yield at(folder, address)


@contextmanager
def silent_endpoint(folder: Path) -> Iterator[Place]:
    with a_faulty_dynamodb(SILENT["silence"]) as address:
        yield at(folder, address)


@contextmanager
def garbage(folder: Path) -> Iterator[Place]:
    with a_dynamodb(lambda _: (200, b"<html>Welcome</html>")) as address:
        yield at(folder, address)


@contextmanager
def closed_folder(folder: Path) -> Iterator[Place]:
    (folder / "a file").write_text("", "utf-8")
    path = folder / "a file" / "folder" / "audit.log"
    with in_aws(folder) as place:
        yield Place({**place.variables, "AUTH_JWT_AUDIT_LOG": str(path)}, _words(path, "/mnt/audit.log"))


@contextmanager
def full_disk(folder: Path) -> Iterator[Place]:
    with in_aws(folder) as place:
        yield Place({**place.variables, "AUTH_JWT_AUDIT_LOG": "/dev/full"}, {})


@contextmanager
def unreadable_settings(folder: Path) -> Iterator[Place]:
    yield Place(usual(folder, AUTH_JWT_ENV_FILE=str(folder)), _words(folder, "stage.env"))


@contextmanager
def broken_contexts(folder: Path) -> Iterator[Place]:
    path = folder / "contexts.toml"
    path.write_text("[production\n", "utf-8")
    yield Place(usual(folder, AUTH_JWT_CONTEXTS=str(path), AUTH_JWT_CONTEXT="production"), {"contexts.toml": str(path)})


@contextmanager
def unknown_context(folder: Path) -> Iterator[Place]:
    path = folder / "contexts.toml"
    path.write_text("[production]\nregion = 'eu-central-1'\n", "utf-8")
    yield Place(usual(folder, AUTH_JWT_CONTEXTS=str(path), AUTH_JWT_CONTEXT="prodution"), {"contexts.toml": str(path)})


@contextmanager
def malformed_url(folder: Path) -> Iterator[Place]:
    yield Place(usual(folder, DB_URL="dynamodb//eu-central-1"), {})


def _words(path: Path, shown: str) -> dict[str, str]:
    """What the page says of a file that cannot be used, and what this machine says of this one."""
    try:
        path.open("ab").close()
    except OSError as error:
        return {
            shown: str(path),
            "Read-only file system": str(error.strerror),
            "Permission denied": str(error.strerror),
        }
    raise AssertionError(f"{path} can be used")


@dataclass(frozen=True)
class Case:
    """An environment, commands that meet it, and their exit code."""

    broken: Broken
    commands: tuple[Asked, ...] = READS
    exit_code: int = 4


ONE_ACTION: Final = "lambda:GetFunctionConfiguration on function 'auth-jwt-authorise'"
CASES: Final[dict[str, Case]] = {
    "no region": Case(no_region, (*READS, DISABLE)),
    "no credentials": Case(no_credentials, (*READS, DISABLE)),
    "SSO: never logged in": Case(sso_never),
    "SSO: the login has expired": Case(sso_expired),
    "the profile does not exist": Case(wrong_profile),
    "the table does not exist": Case(wrong_table, (*READS, DISABLE)),
    "the table has another key": Case(wrong_key, (SHOW, SECRETS, DISABLE)),
    "no permission to read": Case(permitted(), (*READS, DISABLE)),
    WRITE: Case(permitted("GetItem", "Query", "Scan"), (ADD, ADD_SECRET, ADD_BOTH)),
    "no permission to read the function": Case(closed_function),
    "the function does not exist": Case(no_function),
    "nothing listens at the endpoint": Case(dead_endpoint),
    "the endpoint does not answer": Case(silent_endpoint),
    "the endpoint is not DynamoDB": Case(garbage),
    "the session has expired": Case(
        refusing(400, "ExpiredTokenException", "The security token included in the request is expired")
    ),
    "the access key is unknown": Case(
        refusing(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    ),
    "the secret access key is wrong": Case(
        refusing(400, "InvalidSignatureException", "The request signature we calculated does not match the signature")
    ),
    "the clock is wrong": Case(wrong_clock),
    "the table is throttled": Case(refusing(400, "ThrottlingException", "Rate exceeded")),
    "DynamoDB fails": Case(refusing(500, "InternalServerError")),
    "the KMS key is closed to you": Case(
        refusing(400, "AccessDeniedException", "KMS key access denied error: you are not authorized for kms:Decrypt")
    ),
    "the audit file cannot be written": Case(closed_folder, WRITES),
    "the disk of the audit file is full": Case(full_disk, (ADD, ADD_SECRET, REVOKE), exit_code=5),
    "the file of settings cannot be read": Case(unreadable_settings, exit_code=2),
    "the file of contexts is broken": Case(broken_contexts, (*READS, DISABLE), exit_code=2),
    "the context does not exist": Case(unknown_context, exit_code=2),
    "DB_URL is malformed": Case(malformed_url, (*READS, DISABLE)),
}
NEEDS_ITS_OWN_START: Final = ("SSO: the login has expired",)
"""The SDK looks for its cache in the home of the process that loaded it."""


# -- what is said -----------------------------------------------------------------------------------------------------


def said(arguments: tuple[str, ...], variables: Variables, *, is_installed: bool) -> tuple[int, str, str]:
    """Run a command; its exit code, standard output and standard error."""
    if is_installed:
        ended = subprocess.run(
            [INSTALLED, *arguments], env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    with environment(variables):
        for name in {*KEYS, "AWS_DEFAULT_REGION"} - set(variables):
            os.environ.pop(name, None)
        result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def expected(name: str, asked: str, words: dict[str, str]) -> str:
    """The sentence of the page, in the words of this command and this environment."""
    sentence = SENTENCES[name].replace(ADD[1] if name == WRITE else ASKED, asked)
    for shown, here in words.items():
        sentence = sentence.replace(shown, here)
    return sentence


def test_every_environment_of_the_page_is_tried() -> None:
    assert list(SENTENCES) == list(CASES)
    assert len(CASES) >= 15
    assert all(len(case.commands) >= 3 for case in CASES.values())


@pytest.mark.parametrize("name", [name for name in CASES if name != "the endpoint does not answer"])
def test_the_same_fault_reads_the_same_in_every_command(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with case.broken(tmp_path) as place:
        for arguments, asked in case.commands:
            code, out, err = said(arguments, place.variables, is_installed=name in NEEDS_ITS_OWN_START)

            lines = [line for line in err.splitlines() if line.startswith("Error: ")]
            assert lines == [f"Error: {expected(name, asked, place.words)}"], f"{arguments}\n{err}"
            assert code == case.exit_code
            assert "Traceback" not in err
            assert bool(out) is (code == 5)


@pytest.mark.parametrize(("name", "exit_code"), [("the table does not exist", 1), ("no permission to read", 0)])
def test_a_check_that_goes_on_says_the_same_of_it(name: str, exit_code: int, tmp_path: Path) -> None:
    with CASES[name].broken(tmp_path) as place:
        code, out, err = said(("config", "check", "--json"), place.variables, is_installed=False)

    sentence = expected(name, "dynamodb:DescribeTable on table 'jwt_profiles'", place.words).rstrip(".")
    assert (code, err) == (exit_code, "")
    assert sentence in [finding["text"] for finding in json.loads(out)["findings"]]


def test_an_endpoint_that_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    name = "the endpoint does not answer"
    began = time.monotonic()
    with CASES[name].broken(tmp_path) as place:
        running = [
            (asked, subprocess.Popen(
                [command(), *arguments], env={"PATH": os.environ["PATH"], **place.variables},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            ))
            for arguments, asked in CASES[name].commands
        ]  # fmt: skip
        for asked, process in running:
            out, err = process.communicate(timeout=60)

            assert (process.returncode, out) == (4, "")
            assert err == f"Error: {expected(name, asked, place.words)}\n"
    assert time.monotonic() - began < 45


def test_what_the_disk_does_not_take_of_the_audit_is_on_standard_error(tmp_path: Path) -> None:
    with full_disk(tmp_path) as place:
        code, _, err = said(ADD[0], place.variables, is_installed=False)

    (line,) = [line for line in err.splitlines() if line.startswith("{")]
    assert (code, json.loads(line)["audit"]) == (5, "profile.create")
