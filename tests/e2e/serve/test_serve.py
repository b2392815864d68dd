"""`make serve` as a frontend developer meets it: over HTTP, with signals, and with things going wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.serve.serving import COMMAND, ROOT, Serving, environment, serving
from tests.integration.test_serve import REST_EVENTS, request_of
from tools.events.stage import SAMPLES, read_json
from tools.serve.gateway import MAX_BODY_BYTES

OUTCOMES = read_json(SAMPLES / "outcomes.json")["events"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
REQUESTS, AT_A_TIME = 2000, 16


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for all tests that do not end it."""
    with serving(tmp_path_factory.mktemp("serve") / "log") as service:
        yield service


def ask(service: Serving, method: str, path: str, *, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """Send one request on a connection of its own; return status and body."""
    connection = service.connection()
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def ask_as(service: Serving, name: str) -> tuple[int, Any, dict[str, str]]:
    """Send the request that a sample event was, header by header; return status, body and headers.

    An answer to HEAD has no body, so it has no members.
    """
    request = request_of(read_json(SAMPLES / "authorize" / f"{name}.json"))
    connection = service.connection()
    connection.putrequest(request.method, request.path + (f"?{request.query}" if request.query else ""), skip_host=True)
    for field, value in request.headers:
        connection.putheader(field, value)
    connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    members = json.loads(text) if request.method != "HEAD" else {}
    assert members or text == b""
    return answer.status, members, {field.lower(): value for field, value in answer.getheaders()}


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of its child processes."""
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in text.split()]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, a moment's delay forgiven."""
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        try:
            if stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


# --- Requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", REST_EVENTS, ids=lambda file: file.stem)
def test_a_sample_request_gets_its_outcome(service: Serving, file: Path) -> None:
    status, body, headers = ask_as(service, file.stem)

    expected = OUTCOMES[file.stem]
    assert status == expected["status"]
    assert headers["cache-control"] == "no-store"
    assert body.get("type") == expected.get("problem")
    assert body.get("code") == expected.get("code")
    assert headers.get("www-authenticate") == body.get("challenge") == expected.get("challenge")
    assert headers.get("allow") == expected.get("allow")
    if expected.get("body"):
        assert body == expected["body"]


def test_the_line_to_try_works(service: Serving) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")

    done = subprocess.run(service.curl, shell=True, capture_output=True, text=True, check=True, timeout=30)

    assert json.loads(done.stdout)["sip_username"] == "alice"


def test_many_requests_at_once_get_their_answers(service: Serving) -> None:
    """Each of the callers keeps its connection; every answer is the right one."""
    kinds = [
        ("POST", "/authorize", "rest-authorized-by-header"),
        ("POST", "/authorize", "rest-denied-expired"),
        ("POST", "/authorize", "rest-authorized-by-public-key"),
        ("GET", "/health", "rest-health"),
    ]
    requests = [
        (method, path, request_of(read_json(SAMPLES / "authorize" / f"{name}.json"))) for method, path, name in kinds
    ]

    def caller(number: int) -> Counter[int]:
        connection, got = service.connection(), Counter[int]()
        for turn in range(REQUESTS // AT_A_TIME):
            method, path, request = requests[(number + turn) % len(requests)]
            connection.request(method, path, request.body, dict(request.headers))
            answer = connection.getresponse()
            json.loads(answer.read())
            got[answer.status] += 1
        connection.close()
        return got

    with ThreadPoolExecutor(AT_A_TIME) as callers:
        got = sum(callers.map(caller, range(AT_A_TIME)), Counter[int]())

    assert got == {200: REQUESTS * 3 // 4, 401: REQUESTS // 4}


def test_a_connection_is_kept(service: Serving) -> None:
    connection = service.connection()
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/health")
        connection.getresponse().read()
        sockets.add(connection.sock)

    assert len(sockets) == 1
    assert None not in sockets
    connection.close()


def test_a_body_in_chunks_is_read(service: Serving) -> None:
    connection = service.connection()
    connection.request("POST", "/authorize", iter([b'{"jwt', b'_token": ""}']), {"Content-Type": "application/json"})

    assert connection.getresponse().status == 401
    connection.close()


def test_a_body_that_is_no_text_reaches_the_function(service: Serving) -> None:
    status, body = ask(service, "POST", "/authorize", body=b"\xff", content_type="application/json")

    assert (status, body["type"]) == (400, "urn:auth-jwt:problem:invalid-request")


def test_a_body_too_large_is_refused_by_the_gateway(service: Serving) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as raw:
        raw.sendall(b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        raw.sendall(b"x" * (MAX_BODY_BYTES + 1))
        answer = raw.recv(65536).decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "connection: close" in answer


def test_an_answer_to_head_has_no_body(service: Serving) -> None:
    connection = service.connection()
    connection.request("HEAD", "/authorize")
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (405, b"")
    connection.close()


@pytest.mark.parametrize("nonsense", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbroken\r\n\r\n"])
def test_what_is_no_http_is_refused_and_the_next_request_answered(service: Serving, nonsense: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as raw:
        raw.sendall(nonsense)
        assert raw.recv(65536).startswith(b"HTTP/1.1 400 ")

    assert ask(service, "GET", "/health") == (200, {"status": "ok"})


def test_the_log_has_the_functions_lines_and_no_token(service: Serving) -> None:
    _, _, headers = ask_as(service, "rest-denied-expired")

    text = service.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    ours = [line for line in lines if line.get("gateway_request_id") == headers["x-amzn-requestid"]]
    access = [
        line["access"] for line in lines if line.get("access", {}).get("request_id") == headers["x-amzn-requestid"]
    ]
    assert [line["reason"] for line in ours] == ["token_expired"]
    assert [(line["resource"], line["status"]) for line in access] == [("/authorize", 401)]
    assert not re.search(r"eyJ[\w-]{17}", text)  # as a header begins; request ids of 16 characters may hold `eyJ`
    assert service.log.stat().st_mode & 0o077 == 0


@LINUX
def test_no_address_but_its_own_is_listened_on(service: Serving) -> None:
    """All of 127.0.0.0/8 is this machine's, so a listener on every address would answer there, too."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", service.port), timeout=5)


# --- Beginning and end ------------------------------------------------------------------------------------------------


def test_help_says_what_can_be_set() -> None:
    done = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)

    assert all(word in done.stdout for word in ("PORT", "WORKERS", "API_KEY", "DB_URL", "exit code"))


def test_a_busy_port_is_named_with_what_to_do(service: Serving) -> None:
    done = subprocess.run(
        [*COMMAND, "--port", str(service.port)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert f"port {service.port} of 127.0.0.1 is in use" in done.stderr
    assert "make serve PORT=8081" in done.stderr
    assert "Traceback" not in done.stderr


@LINUX
def test_a_worker_that_dies_is_replaced_and_a_signal_ends_all(tmp_path: Path) -> None:
    with serving(tmp_path / "log", WORKERS="3", API_KEY="the-key") as service:
        before = children_of(service.process)
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(set(children_of(service.process)) - {before[0]}) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = children_of(service.process)
        without = ask(service, "POST", "/authorize")
        with_key = ask(service, "POST", "/authorize", x_api_key="the-key")

        code = service.stop(signal.SIGINT)

    assert len(before) == len(workers) == 3
    assert (without[0], without[1]["type"]) == (403, "urn:auth-jwt:problem:forbidden")
    assert (with_key[0], with_key[1]["type"]) == (401, "urn:auth-jwt:problem:missing-token")
    assert code == 0
    assert all(is_gone(pid) for pid in [*before, *workers])
    with pytest.raises(ConnectionRefusedError):
        service.connection().connect()


@LINUX
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "log") as service:
        workers = children_of(service.process)
        service.stop(signal.SIGKILL)

        assert len(workers) == 2
        assert all(is_gone(pid) for pid in workers)


def test_tables_of_ones_own_are_read_and_left_alone(tmp_path: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        url = f"dynamodb+http://127.0.0.1:{port}/eu-west-1"
        with serving(tmp_path / "log", DB_URL=url, WORKERS="1") as service:
            status, body, _ = ask_as(service, "rest-authorized-by-header")
            code = service.stop()
        client = boto3.client(
            "dynamodb",
            region_name="eu-west-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        tables = client.list_tables()["TableNames"]
    finally:
        server.stop()

    assert service.tables == url
    assert service.curl == f"curl -s {service.url}/health"
    assert (status, body["type"]) == (500, "urn:auth-jwt:problem:fault")  # they do not exist
    assert tables == []
    assert code == 0
