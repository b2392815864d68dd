"""Processes that die or run out of descriptors: the others go on, no verdict is wrong, and all is well again."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import sample_tables
from tests.contract.clients import LANES
from tests.e2e.serve.serving import Serving, serving
from tests.factories import a_token
from tests.integration.test_secrecy import rest_event
from tests.integration.test_unwritable_log import is_a_fault, run
from tools.events.samples import ALICE

FORGED = a_token(key="x" * 64, tag="alice-web")
PATIENCE_SECONDS = 60


@pytest.fixture(name="sample_endpoint", scope="module")
def _sample_endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield f"dynamodb+http://{endpoint}/eu-central-1"


def workers_of(service: Serving) -> set[int]:
    """The processes that serve."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"tools.serve.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def status_of(service: Serving, token: str) -> tuple[int, Any]:
    """What a login is answered, over a connection of its own."""
    connection = service.connection()
    try:
        headers = {"content-type": "application/json", "x-api-key": "local"}
        connection.request("POST", "/authorize", json.dumps({"jwt_token": token}), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("code")
    finally:
        connection.close()


def test_when_a_worker_is_killed_the_others_go_on_and_another_takes_its_place(
    sample_endpoint: str, tmp_path: Path
) -> None:
    """Who was being served by it gets no answer, and certainly no wrong one."""
    answers, ended = Counter[tuple[str, object]](), threading.Event()

    def log_in(name: str, token: str) -> None:
        while not ended.is_set():
            try:
                answers[name, status_of(service, token)] += 1
            except (OSError, HTTPException, ValueError):
                answers[name, "no answer"] += 1

    settings = {"DB_URL": sample_endpoint, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with serving(tmp_path / "log", WORKERS="2", **settings) as service:
        before = workers_of(service)
        crowd = [threading.Thread(target=log_in, args=one) for one in (("user", ALICE.text), ("forger", FORGED)) * 2]
        for one in crowd:
            one.start()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        ends = time.monotonic() + PATIENCE_SECONDS
        while len(workers_of(service) - {victim}) < len(before) and time.monotonic() < ends:
            time.sleep(0.05)
        served = answers["user", (200, 1)]
        while answers["user", (200, 1)] < served + 5 and time.monotonic() < ends:
            time.sleep(0.05)
        ended.set()
        for one in crowd:
            one.join()
        afterwards = [status_of(service, token) for token in (ALICE.text, FORGED)]
        replaced = workers_of(service)

    assert afterwards == [(200, 1), (401, -1)]
    assert len(replaced) == len(before) == 2
    assert victim not in replaced
    assert {told for (name, told) in answers if name == "user"} <= {(200, 1), "no answer"}
    assert {told for (name, told) in answers if name == "forger"} <= {(401, -1), "no answer"}


@pytest.mark.matrix
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("token", [ALICE.text, FORGED], ids=["a user", "a forger"])
def test_without_a_descriptor_every_login_is_a_fault_and_the_next_one_is_judged(
    sample_endpoint: str, lane: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are there: it is the process that cannot ask them."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    settings = {"DB_URL": sample_endpoint, "DYNAMODB_CLIENT": lane, "REVOCATIONS_TABLE": ""}

    done = run("authorize", rest_event({"jwt_token": token}), **settings)

    assert is_a_fault(done.exhausted)
    assert done.afterwards["given"]["statusCode"] == (200 if token == ALICE.text else 401)
    assert next(line["outcome"] for line in done.lines if "outcome" in line) == "fault"
