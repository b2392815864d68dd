"""The real handlers, in an account where template.yaml was deployed, with what the stack gives them and nothing else.

Every sample event is asked, under the default names of tables and columns and under others, over tables that the stack
made and over tables that were there before.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import groupby
from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient

from auth_jwt.runtime.settings import Settings
from tests.deployment.account import LEFT_OUT, MADE, REGION, account, client, deploy
from tools.events.demo import Act, acts
from tools.events.outcomes import differences
from tools.events.samples import token
from tools.events.stage import SAMPLES, Stage, environment, load_handler, read_json

RENAMED = {
    "ProfilesTable": "sip.people",
    "SecretsTable": "sip.keys",
    "TagColumn": "person",
    "UsernameColumn": "login",
    "DomainColumn": "realm",
    "DisabledColumn": "locked",
    "ValidAfterColumn": "not-before",
    "SecretTagColumn": "of person",
    "SecretColumn": "key",
    "StartTsColumn": "from",
    "EndTsColumn": "until",
    "AlgColumn": "algorithms",
    "KidColumn": "key-id",
}
NEW_NAMES = {
    "jwt_profiles": {
        "tag": RENAMED["TagColumn"],
        "sip_username": RENAMED["UsernameColumn"],
        "sip_domain": RENAMED["DomainColumn"],
        "disabled": RENAMED["DisabledColumn"],
        "tokens_valid_after": RENAMED["ValidAfterColumn"],
    },
    "jwt_secrets": {
        "corresponding_tag": RENAMED["SecretTagColumn"],
        "secret": RENAMED["SecretColumn"],
        "start_ts": RENAMED["StartTsColumn"],
        "end_ts": RENAMED["EndTsColumn"],
        "alg": RENAMED["AlgColumn"],
        "kid": RENAMED["KidColumn"],
    },
}

Calls = set[tuple[str, str]]
"""Actions, and the resources they were done to."""


@dataclass(frozen=True)
class Variant:
    """A way to deploy.

    Attributes:
        values: of parameters.
        is_second: whether the tables are there already, made by an earlier stack with the same values.
    """

    values: tuple[tuple[str, str], ...] = ()
    is_second: bool = False


VARIANTS = {
    "default names, tables of its own": Variant(),
    "other names, tables of an earlier stack": Variant(tuple(RENAMED.items()), is_second=True),
}


@dataclass
class Performance:
    """What came of asking a function all of its events.

    Attributes:
        wrong: differences to what is expected, by event.
        asked: how many events there were.
        calls: of AWS, made by the handler.
        permissions: of the function's role, in each stack that was made.
        tables: that each stack made.
    """

    wrong: dict[str, list[str]] = field(default_factory=dict)
    asked: int = 0
    calls: Calls = field(default_factory=set)
    permissions: list[Calls] = field(default_factory=list)
    tables: list[set[str]] = field(default_factory=list)


def rows(*, renamed: bool) -> dict[str, Any]:
    """Return the sample rows, under other names when asked."""
    items = read_json(SAMPLES / "rows.json")
    if not renamed:
        return items
    tables = {"jwt_profiles": RENAMED["ProfilesTable"], "jwt_secrets": RENAMED["SecretsTable"]}
    return {
        tables[table]: [
            {"PutRequest": {"Item": {NEW_NAMES[table].get(k, k): v for k, v in row["PutRequest"]["Item"].items()}}}
            for row in puts
        ]
        for table, puts in items.items()
    }


@contextmanager
def recorded(calls: Calls) -> Iterator[None]:
    """Add every call of AWS to *calls*, from whatever client and thread; any other way out of the process is barred."""
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def record(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        service, region = self.meta.service_model.signing_name, self.meta.region_name
        table = parameters.get("TableName")
        resource = f"arn:aws:{service}:{region}:123456789012:table/{table}" if table else "*"
        calls.add((f"{service}:{operation}", resource))
        return make_api_call(self, operation, parameters)

    def barred(*_: object) -> NoReturn:
        raise AssertionError("a call that does not go through the SDK")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", record)
        patch.setattr(socket.socket, "connect", barred)
        yield


@cache
def performance(function: str, variant: Variant) -> Performance:
    """Deploy, put the sample rows and ask every event of *function*, in a stack for each set of settings they need."""
    result = Performance()
    values = dict(variant.values)
    with account():
        if variant.is_second:
            deploy("earlier", **values)
        for number, (settings, group) in enumerate(groupby(sorted(of(function), key=settings_of), key=settings_of)):
            exist = variant.is_second or number > 0
            before = set(client("dynamodb").list_tables()["TableNames"])
            stack = deploy(
                f"stack-{number}",
                **values,
                **{"".join(map(str.capitalize, name.split("_"))): value for name, value in settings},
                CreateTables="false" if exist else "true",
            )
            result.tables.append(set(client("dynamodb").list_tables()["TableNames"]) - before)
            result.permissions.append(stack.permissions(function))
            if number == 0:
                client("dynamodb").batch_write_item(RequestItems=rows(renamed=bool(values)))
            # moto in this process is put between boto3 and its sockets.
            with environment({**stack.environment(function), "DYNAMODB_CLIENT": "boto3"}):
                stage = Stage(load_handler(function), client("dynamodb"), function)
                for act in group:
                    event = act.event()
                    with recorded(result.calls):
                        answer = stage.ask(event)
                    result.asked += 1
                    if wrong := differences(event, act.expected, answer):
                        result.wrong[act.name] = list(wrong)
    return result


def of(function: str) -> list[Act]:
    return [act for act in acts() if act.function == function]


def settings_of(act: Act) -> list[tuple[str, str]]:
    return sorted(act.settings.items())


FUNCTIONS = pytest.mark.parametrize("function", ["authorize", "gateway_authorizer"])
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


@FUNCTIONS
@EVERY_VARIANT
def test_every_event_is_answered_as_its_outcome_says(function: str, variant: Variant) -> None:
    result = performance(function, variant)

    assert result.asked == len(list((SAMPLES / function).glob("*.json")))
    assert result.wrong == {}


@FUNCTIONS
@EVERY_VARIANT
def test_the_tables_are_made_once(function: str, variant: Variant) -> None:
    """By the first stack; those after it find them there."""
    first, *others = performance(function, variant).tables
    names = set(rows(renamed=bool(variant.values)))

    assert first == (set() if variant.is_second else names)
    assert others == [set()] * len(others)


# --- Permissions: nothing missing, nothing more -----------------------------------------------------------------------

BY_LAMBDA_ITSELF = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""What the runtime does with the function's role, outside of our code: its output becomes log lines and traces."""


@FUNCTIONS
@EVERY_VARIANT
def test_the_role_allows_the_calls_that_are_made_and_no_others(function: str, variant: Variant) -> None:
    """All events together make every kind of call there is: the first and the second look, over both tables."""
    result = performance(function, variant)

    assert result.calls
    for permissions in result.permissions:
        assert {pair for pair in permissions if pair[0] not in BY_LAMBDA_ITSELF} == result.calls


@FUNCTIONS
def test_what_lambda_does_itself_is_allowed_on_the_functions_own_log(function: str) -> None:
    with account():
        stack = deploy("auth-jwt")
        own = {pair for pair in stack.permissions(function) if pair[0] in BY_LAMBDA_ITSELF}
        groups = {group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]}

    group = f"/aws/lambda/auth-jwt-{function.replace('_', '-')}"
    assert group in groups
    assert own == {
        ("logs:CreateLogStream", f"arn:aws:logs:{REGION}:123456789012:log-group:{group}"),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:123456789012:log-group:{group}"),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
    }


# --- The table of revoked tokens, which a stack has when it is named --------------------------------------------------


def event_with(token: str, function: str) -> dict[str, Any]:
    """Return an event of *function* that bears *token*."""
    if function == "authorize":
        return {"jwt_token": token}
    return {**read_json(SAMPLES / function / "rest-token-allowed.json"), "authorizationToken": token}


@FUNCTIONS
def test_with_a_table_of_revoked_tokens_a_function_is_given_all_it_needs_and_no_more(function: str) -> None:
    """The name, the table with its keys, and the one permission; whoever is revoked is refused, and nobody else."""
    calls: Calls = set()
    with account():
        stack = deploy("auth-jwt", RevocationsTable="sip.revoked")
        tables = client("dynamodb")
        tables.batch_write_item(RequestItems=rows(renamed=False))
        tables.put_item(TableName="sip.revoked", Item={"tag": {"S": "alice-web"}, "jti": {"S": "stolen"}})
        with environment({**stack.environment(function), "DYNAMODB_CLIENT": "boto3"}):
            stage = Stage(load_handler(function), tables, function)
            with recorded(calls):
                answers = [stage.ask(event_with(token("alice-web", jti=jti).text, function)) for jti in ("1", "stolen")]
        permissions = {pair for pair in stack.permissions(function) if pair[0] not in BY_LAMBDA_ITSELF}

    assert [(answer.is_good, answer.denial) for answer in answers] == [(True, None), (False, "revoked_token")]
    assert calls == permissions
    assert ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:123456789012:table/sip.revoked") in calls
    assert stack.outputs["RevocationsTableName"] == "sip.revoked"


def test_any_call_would_be_noticed() -> None:
    """Of another service, or on the same table: the tests of permissions can fail."""
    calls: Calls = set()
    with account():
        stack = deploy("auth-jwt")
        with recorded(calls):
            client("dynamodb").scan(TableName="jwt_profiles")
            client("s3").list_buckets()
        permissions = stack.permissions("authorize")

    assert calls == {
        ("dynamodb:Scan", f"arn:aws:dynamodb:{REGION}:123456789012:table/jwt_profiles"),
        ("s3:ListBuckets", "*"),
    }
    assert not calls & permissions


def test_no_way_out_but_the_sdk_would_work() -> None:
    with recorded(set()), socket.socket() as other, pytest.raises(AssertionError):
        other.connect(("127.0.0.1", 1))


# --- The stack --------------------------------------------------------------------------------------------------------


def test_the_stack_is_made_and_tells_the_names_of_its_tables() -> None:
    with account():
        stack = deploy("auth-jwt", **RENAMED)

        assert stack.outputs == {
            "ProfilesTableName": RENAMED["ProfilesTable"],
            "SecretsTableName": RENAMED["SecretsTable"],
        }
        assert [stack.function(function)["Handler"] for function in ("authorize", "gateway_authorizer")] == [
            "app.lambda_handler",
            "app.lambda_handler",
        ]


@FUNCTIONS
def test_a_function_is_told_every_name_that_is_not_the_default(function: str) -> None:
    """Also those of optional columns, which no event would miss."""
    with account():
        settings = Settings.from_env(deploy("auth-jwt", **RENAMED).environment(function))

    names = [name for name in asdict(settings.columns).values() if isinstance(name, str)]
    told = {settings.profiles_table, settings.secrets_table, *names}
    assert told == set(RENAMED.values())


def test_what_is_not_made_here_is_known() -> None:
    """A new kind of resource has to be made here, or looked at on paper."""
    with account():
        assert deploy("auth-jwt").kinds == MADE | LEFT_OUT
