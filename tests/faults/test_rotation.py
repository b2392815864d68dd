"""A rotation meets a fault at each of its writes: nobody is locked out, no value is lost, and the audit tells of it.

Secrets Manager begins a rotation that failed with its first step again, and so do these tests.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import boto3
import pytest
from botocore.retries import standard
from moto.core.config import default_user_config

from auth_jwt.errors import Fault
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.versions import CURRENT, PREVIOUS
from tests.factories import HMAC_KEY, TAG, a_token
from tests.faults.injected import API_ERRORS, FAULTS, InjectedFault
from tests.faults.proxy import FaultProxy, Where
from tests.integration.managed_secrets import (
    a_begun_rotation,
    a_function,
    a_profile,
    a_secret,
    manager,
    members_of,
    provisioning_in,
    rows_of,
)
from tests.moto_server import forget_all
from tests.rotations import STEPS, the_app
from tools.events.stage import create_tables, environment, lambda_environment, template

LOST: Final = FAULTS["reset"]
DENIED: Final = API_ERRORS["AccessDeniedException"]
WRITES: Final = {
    "PutSecretValue": "rotation.create",
    "TransactWriteItems": "secret.add",
    "UpdateSecretVersionStage": "rotation.finish",
}
"""The writes of a rotation, by what its audit calls them."""

Met = tuple[InjectedFault, Callable[[str], Where]]


def at(operation: str, **where: Any) -> Where:
    return Where(operation=operation, **where)


HOW: Final[Mapping[str, tuple[Sequence[Met], str | None]]] = {
    "is not permitted": ([(DENIED, at)], None),
    "is lost on its way": ([(LOST.before_the_tables(), at)], "unknown"),
    "is throttled": ([(API_ERRORS["ThrottlingException"], at)], "unknown"),
    "has no answer": ([(LOST, at)], "unknown"),
    "has half an answer": ([(FAULTS["cut in the body"], at)], "unknown"),
    "is not permitted when it is asked for again": ([(LOST, partial(at, times=1)), (DENIED, at)], "unknown"),
}
"""How a write fails, and the outcome that its audit line has, if there is one."""


@dataclass
class Scene:
    """A secret of which a rotation has begun, and the function that does its steps.

    Attributes:
        arn: the secret.
        version: the version that it is to have.
        tables: where nothing fails.
        read: returns what has been printed since it was last called.
        failed: the fault that ended the last attempt.
    """

    arn: str
    version: str
    tables: Any
    read: Callable[[], str]
    failed: Fault | None = None

    def rotate(self) -> list[dict[str, Any]]:
        """Do the four steps until one fails; the audit lines of that."""
        self.read()
        try:
            for step in STEPS:
                event = {"Step": step, "SecretId": self.arn, "ClientRequestToken": self.version}
                the_app().lambda_handler(event, SimpleNamespace(aws_request_id="1"))
        except Fault as fault:
            self.failed = fault
        else:
            self.failed = None
        shown = self.read()
        assert not any(value in shown for value in self.values())
        return [json.loads(line) for line in shown.splitlines() if '"audit"' in line]

    def values(self) -> list[str]:
        return [row[0] for row in rows_of(self.tables).values()]

    def lets_in(self, value: str) -> bool:
        authorizer = provisioning_in(self.tables, time.time).registry.authorizer
        return authorizer.authorize(a_token(key=value, tag=TAG, exp=int(time.time()) + 60)).sip_username == "alice"


@pytest.fixture(name="scene")
def _scene(
    proxy: FaultProxy, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Scene]:
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
    monkeypatch.setattr(the_app(), "time", SimpleNamespace(sleep=lambda _: None))
    stack = template()
    own = {"DB_URL": proxy.db_url, "ROTATED_TAG": TAG}
    variables = lambda_environment(stack, own, "rotate_secrets")
    monkeypatch.setitem(default_user_config["lambda"], "use_docker", False)
    with environment({**variables, "AWS_ENDPOINT_URL": moto_endpoint}):
        forget()
        tables = boto3.client("dynamodb", endpoint_url=moto_endpoint)
        create_tables(tables, stack)
        a_profile(tables)
        arn = a_secret()
        scene = Scene(arn, a_begun_rotation(arn, a_function()), tables, lambda: capsys.readouterr().out)
        by_hand = NewSecret(value=HMAC_KEY, id="by hand", end=int(time.time()) + 10**6)
        provisioning_in(tables, time.time).secrets.add(TAG, by_hand)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", proxy.url)
        yield scene
        forget()
    forget_all(moto_endpoint)


def forget() -> None:
    the_app().service.cache_clear()
    the_app().journal.cache_clear()
    manager.cache_clear()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_of_a_rotation_that_fails_is_told_and_the_next_attempt_ends_it(
    operation: str, how: str, proxy: FaultProxy, scene: Scene
) -> None:
    faults, outcome = HOW[how]

    with ExitStack() as stack:
        for fault, where in faults:
            stack.enter_context(proxy.failing(fault, where(operation)))
        first = scene.rotate()
    failed = scene.failed
    in_between = members_of(scene.arn)["secret"]
    assert scene.lets_in(in_between)
    second = scene.rotate()

    assert failed is not None
    told = [line["outcome"] for line in first if line["audit"] == WRITES[operation]]
    assert told == ([] if outcome is None else [outcome])
    assert scene.failed is None
    assert scene.lets_in(members_of(scene.arn)["secret"])
    assert scene.lets_in(members_of(scene.arn, PREVIOUS)["secret"])
    assert members_of(scene.arn, PREVIOUS)["secret"] == HMAC_KEY
    assert set(WRITES.values()) <= {line["audit"] for line in first + second}
    assert manager().describe_secret(SecretId=scene.arn)["VersionIdsToStages"][scene.version].count(CURRENT) == 1


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_whose_answer_is_lost_once_is_asked_for_again(operation: str, proxy: FaultProxy, scene: Scene) -> None:
    """Secrets Manager refuses to move a stage that it has moved: then it is not known, and the next attempt ends it."""
    with proxy.failing(LOST, at(operation, times=1)):
        lines = scene.rotate()
    if operation == "UpdateSecretVersionStage":
        assert "may have been done" in str(scene.failed)
        lines += scene.rotate()

    assert scene.failed is None
    assert scene.lets_in(members_of(scene.arn)["secret"])
    assert {line["audit"]: line["outcome"] for line in lines} == {
        "rotation.create": "done",
        "secret.add": "done",
        "rotation.finish": "unknown" if operation == "UpdateSecretVersionStage" else "done",
        "secret.close": "done",
    }
