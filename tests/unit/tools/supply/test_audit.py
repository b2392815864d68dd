"""The audit asks a real server here: what it cannot ask is never good news, and an acceptance ends."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.local_server import LocalServer
from tools.supply import audit
from tools.supply.audit import Acceptance, Advisory, Outcome, Pin, Unasked

PIN = Pin("thing", "1.0", "uv.lock")
FOUND = Advisory("thing", "1.0", ("CVE-2026-1", "PYSEC-2026-1"), "it leaks", ("1.1",))
TODAY = date(2026, 11, 30)


@contextmanager
def an_index(pages: Mapping[str, Any]) -> Iterator[str]:
    """Serve JSON, texts as they are, and numbers as a status; what is not there is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path, 404)
            body = (page if isinstance(page, str) else json.dumps(page)).encode()
            self.send_response(page if isinstance(page, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with LocalServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def a_page(version: str = "1.0", **vulnerability: object) -> dict[str, Any]:
    known = {
        "id": "PYSEC-2026-1",
        "aliases": ["CVE-2026-1"],
        "summary": "it\nleaks",
        "fixed_in": ["1.1"],
        "withdrawn": None,
    }
    return {"info": {"version": version}, "vulnerabilities": [known | vulnerability] if vulnerability else []}


def test_what_the_index_knows_against_a_version_is_told() -> None:
    with an_index({"/thing/1.0/json": a_page(details="long")}) as index:
        assert audit.ask_pypi(PIN, index) == (FOUND,)


def test_nothing_known_is_nothing() -> None:
    with an_index({"/thing/1.0/json": a_page()}) as index:
        assert audit.ask_pypi(PIN, index) == ()


def test_what_was_withdrawn_does_not_count() -> None:
    with an_index({"/thing/1.0/json": a_page(withdrawn="2026-01-01")}) as index:
        assert audit.ask_pypi(PIN, index) == ()


def test_a_mirror_without_versions_answers_for_the_newest() -> None:
    with an_index({"/thing/json": a_page(details="x")}) as index:
        assert audit.ask_pypi(PIN, index) == (FOUND,)


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param({}, id="no page"),
        pytest.param({"/thing/json": a_page("2.0")}, id="another version"),
        pytest.param({"/thing/1.0/json": {"info": {"version": "1.0"}}}, id="no word of vulnerabilities"),
        pytest.param({"/thing/1.0/json": 500}, id="an error"),
        pytest.param({"/thing/1.0/json": "no json"}, id="no JSON"),
    ],
)
def test_no_answer_about_the_version_is_no_good_news(pages: Mapping[str, Any]) -> None:
    with an_index(pages) as index, pytest.raises(Unasked):
        audit.ask_pypi(PIN, index)


def test_nobody_there_is_no_good_news() -> None:
    with an_index({}) as index:
        pass
    with pytest.raises(Unasked):
        audit.ask_pypi(PIN, index)


def an_npm(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program called npm in front that prints *answer*, and return a lock."""
    (folder / "npm").write_text(f"#!/bin/sh\ncat <<'E'\n{answer}\nE\nexit 1\n", "utf-8")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    lock = folder / "package-lock.json"
    lock.write_text(json.dumps({"packages": {"": {}, "node_modules/thing": {"version": "1.0"}}}), "utf-8")
    return lock


def test_what_npm_knows_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    via = {"title": "it leaks", "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc"}
    told = {"auditReportVersion": 2, "vulnerabilities": {"thing": {"via": [via]}, "user": {"via": ["thing"]}}}
    lock = an_npm(tmp_path, json.dumps(told), monkeypatch)

    assert audit.ask_npm(lock) == (1, (Advisory("thing", "1.0", ("GHSA-aaaa-bbbb-cccc",), "it leaks"),))


@pytest.mark.parametrize("answer", ['{"message": "405 Method Not Allowed"}', "{}", "no json"])
def test_a_registry_that_gives_no_audit_is_no_good_news(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unasked):
        audit.ask_npm(an_npm(tmp_path, answer, monkeypatch))


def test_without_npm_it_is_no_good_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unasked, match="not installed"):
        audit.ask_npm(tmp_path / "package-lock.json")


def accepted(until: date = TODAY, **fields: str) -> Acceptance:
    return Acceptance(**{"id": "CVE-2026-1", "package": "thing", "reason": "it is never called", **fields}, until=until)


@pytest.mark.parametrize(
    ("outcome", "acceptances", "code"),
    [
        pytest.param(Outcome(1, (), ()), (), audit.CLEAN, id="nothing"),
        pytest.param(Outcome(1, (FOUND,), ()), (), audit.VULNERABLE, id="an advisory"),
        pytest.param(Outcome(1, (FOUND,), ()), (accepted(),), audit.CLEAN, id="accepted, on its last day"),
        pytest.param(Outcome(1, (FOUND,), ()), (accepted(date(2026, 11, 29)),), audit.VULNERABLE, id="a day later"),
        pytest.param(Outcome(1, (FOUND,), ()), (accepted(package="other"),), audit.VULNERABLE, id="another package's"),
        pytest.param(Outcome(1, (FOUND,), ()), (accepted(id="CVE-2026-2"),), audit.VULNERABLE, id="another one"),
        pytest.param(Outcome(1, (), ()), (accepted(),), audit.VULNERABLE, id="accepted, and no longer there"),
        pytest.param(Outcome(1, (), (("a", "b"),)), (), audit.UNASKED, id="not asked"),
        pytest.param(Outcome(1, (), (("a", "b"),)), (accepted(),), audit.UNASKED, id="not asked, so maybe still there"),
        pytest.param(Outcome(1, (FOUND,), (("a", "b"),)), (), audit.VULNERABLE, id="an advisory, and not asked"),
    ],
)
def test_the_exit_code_says_what_is_known(outcome: Outcome, acceptances: tuple[Acceptance, ...], code: int) -> None:
    found, lines = audit.judge(outcome, acceptances, TODAY)

    assert found == code
    assert bool(lines) == (code == audit.VULNERABLE)


def test_every_pin_and_lock_is_asked_about_and_who_does_not_answer_is_named() -> None:
    def ask(pin: Pin) -> tuple[Advisory, ...]:
        if pin.name == "silent":
            raise Unasked("no page")
        return (FOUND,) if pin.name == "thing" else ()

    def ask_lock(lock: Path) -> tuple[int, tuple[Advisory, ...]]:
        raise Unasked("405")

    pins = [PIN, Pin("other", "2", "uv.lock"), Pin("silent", "3", "uv.lock")]
    outcome = audit.gather(pins, [Path("a/package-lock.json")], ask=ask, ask_lock=ask_lock, say=lambda _: None)

    assert outcome == Outcome(2, (FOUND,), (("silent 3", "no page"), ("a/package-lock.json", "405")))


def test_the_locks_of_this_project_are_read() -> None:
    """Every package that any environment or recipe installs."""
    pins = {pin.name for pin in audit.pins_of(audit.ROOT / "uv.lock")}
    locks = {lock.parent.relative_to(audit.ROOT).as_posix() for lock in audit.locks_of_node(audit.ROOT)}

    assert {"boto3", "cryptography", "pydantic", "aws-sam-cli", "checkov", "uv"} <= pins
    assert {"frontends/webrtc", "tools/provider", "tests/e2e/axe-core"} <= locks


@pytest.mark.parametrize("one", audit.acceptances(), ids=lambda one: one.id)
def test_an_acceptance_has_a_reason_and_ends_within_a_year(one: Acceptance) -> None:
    assert len(one.reason) > 40
    assert one.until.year <= 2027
    assert one.package in {pin.name for pin in audit.pins_of(audit.ROOT / "uv.lock")}
