"""What an operator is told of a write is true, whatever becomes of it on its way, and it may be done again.

All commands that write, with a fault before the write, and with one after it: the write happened, its answer was lost.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.retries import standard

from tests.command_line import KEYS, TAG
from tests.factories import HMAC_KEY
from tests.faults.injected import API_ERRORS, FAULTS, InjectedFault, half_a_batch
from tests.faults.proxy import FaultProxy, Where
from tests.integration.admin_client import PROFILES
from tests.integration.conftest import _set_stage  # noqa: F401 - a fixture
from tests.integration.test_cli_dry_run import WRITES, _furnished, rows  # noqa: F401 - a fixture
from tests.integration.test_issuer_commands import Lab, _lab  # noqa: F401 - a fixture
from tests.migration_sources import users, write_sqlite
from tools.events.provisioning_events import Case, asking
from tools.events.stage import REVOCATIONS, Stage

LOST: Final = FAULTS["reset"]
DENIED: Final = API_ERRORS["AccessDeniedException"]
OF_A_RUN: Final = {"failed", "stopped"}
"""Outcomes of a line that sums up an import, beside those of its writes."""
Met = tuple[InjectedFault, Where]


class Told(Enum):
    """What an operator is told of a write."""

    DONE = "it is done"
    UNKNOWN = "it may have been done, or not"
    NOT = "nothing of it"


def on_writes(fault: InjectedFault, **where: Any) -> Met:
    return fault, Where(operation="TransactWriteItems", **where)


NOT_WRITTEN: Final[dict[str, Sequence[Met]]] = {
    "is not permitted": [on_writes(DENIED)],
    "is lost on its way": [on_writes(LOST.before_the_tables())],
    "is throttled": [on_writes(API_ERRORS["ThrottlingException"])],
}
"""Faults that leave the tables as they are."""

WRITTEN: Final[dict[str, tuple[Sequence[Met], Told]]] = {
    "has no answer": ([on_writes(LOST)], Told.UNKNOWN),
    "has half an answer": ([on_writes(FAULTS["cut in the body"])], Told.UNKNOWN),
    "has an answer when it is asked for again": ([on_writes(LOST, times=1)], Told.DONE),
    "is not permitted when it is asked for again": ([on_writes(LOST, times=1), on_writes(DENIED)], Told.UNKNOWN),
}
"""Faults after which the tables have changed, and what can be known of it."""


@pytest.fixture(name="shell")
def _shell(furnished: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A shell that does not pause before it asks again."""
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
    monkeypatch.setattr("auth_jwt_cli.migration.target.Patience.pause", lambda *_: 0)
    return furnished


def told_by(shown: str, exit_code: int) -> Told:
    if "may have been done, or not" in shown or "perhaps written" in shown:
        return Told.UNKNOWN
    return Told.DONE if exit_code == 0 or " is done" in shown else Told.NOT


def run_with(shell: Lab, proxy: FaultProxy, faults: Sequence[Met], *words: str) -> tuple[int, Told, list[str]]:
    """Run a command while there are faults; return its exit code, what it told, and the outcomes in the audit."""
    audit = len(shell.auth_jwt.audit)
    with ExitStack() as stack:
        for fault, where in faults:
            stack.enter_context(proxy.failing(fault, where))
        result = shell.auth_jwt(*words, exit_code=None, DB_URL=proxy.db_url)
    assert HMAC_KEY not in result.output
    told = told_by(result.output, result.exit_code)
    return result.exit_code, told, [line["outcome"] for line in shell.auth_jwt.audit[audit:]]


def forget_files(home: Path) -> None:
    """Take away the files of new secrets: no command writes over one."""
    for file in home.glob("*.secret"):
        file.unlink()


def numbers(tables: dict[str, list[Any]]) -> list[int]:
    return [len(items) for items in tables.values()]


@pytest.mark.matrix(kinds=lambda path: {path[0]})
@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_a_write_that_did_not_happen_is_not_told_as_done_and_can_be_done_again(
    path: tuple[str, ...], proxy: FaultProxy, shell: Lab, tmp_path: Path
) -> None:
    words = [*path, *WRITES[path](shell, tmp_path)]
    before = rows()

    for name, faults in NOT_WRITTEN.items():
        code, told, audit = run_with(shell, proxy, faults, *words)
        assert rows() == before, name
        assert code == 4, name
        if name == "is not permitted":
            assert (told, set(audit) - OF_A_RUN) == (Told.NOT, set())
        else:
            assert (told, set(audit) - OF_A_RUN) == (Told.UNKNOWN, {"unknown"})
        forget_files(tmp_path)
    code, told, audit = run_with(shell, proxy, [], *words)

    assert (code, told, set(audit)) == (0, Told.DONE, {"done"})
    assert rows() != before


@pytest.mark.matrix(kinds=lambda path, how: {path[0], how})
@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_of_a_write_whose_answer_is_lost_is_told_what_is_known_and_it_is_not_done_twice(
    path: tuple[str, ...], how: str, proxy: FaultProxy, shell: Lab, tmp_path: Path
) -> None:
    words = [*path, *WRITES[path](shell, tmp_path)]
    before = rows()
    faults, known = WRITTEN[how]

    code, told, audit = run_with(shell, proxy, faults, *words)
    after = rows()

    assert after != before
    assert (code, told) == ((0, Told.DONE) if known is Told.DONE else (4, Told.UNKNOWN))
    assert set(audit) - OF_A_RUN == {"done" if known is Told.DONE else "unknown"}
    code, told, audit = run_with(shell, proxy, [], *words)
    assert code in (0, 1, 3)  # done, or refused: the row is there, or gone, already
    if path == ("import",):  # the rest of it is written now
        assert all(now >= then for now, then in zip(numbers(rows()), numbers(after), strict=True))
    elif path != ("issuer", "add"):  # its keys are fetched now
        assert numbers(rows()) == numbers(after)


@pytest.mark.matrix(kinds=lambda path: {path[0]})
@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_a_command_that_can_read_nothing_tells_so_and_what_it_wrote_before(
    path: tuple[str, ...], proxy: FaultProxy, shell: Lab, tmp_path: Path
) -> None:
    words = [*path, *WRITES[path](shell, tmp_path)]
    before = rows()
    reads = [(LOST, Where(operation=name)) for name in ("GetItem", "Query", "BatchGetItem", "Scan")]

    code, told, audit = run_with(shell, proxy, reads, *words)

    assert code == 4
    assert told is (Told.DONE if rows() != before else Told.NOT)
    assert [outcome for outcome in audit if outcome not in OF_A_RUN] == (["done"] if rows() != before else [])


def test_of_many_writes_those_before_a_fault_are_done_and_the_rest_is_done_by_the_same_command(
    proxy: FaultProxy, shell: Lab, tmp_path: Path
) -> None:
    """The fault comes half way: one transaction passes, the answer of the next is lost."""
    (tmp_path / "tags").write_text(f"{TAG}\nwithout-alg\n")
    words = ("bulk", "disable", str(tmp_path / "tags"), "--yes", "--workers", "1")

    first = run_with(shell, proxy, [on_writes(LOST.before_the_tables(), skip=1)], *words)
    second = run_with(shell, proxy, [], *words)
    third = run_with(shell, proxy, [], *words)

    assert first == (4, Told.UNKNOWN, ["done", "unknown"])
    assert second == (0, Told.DONE, ["done"])
    assert third == (0, Told.DONE, [])


def test_an_import_asks_for_the_part_of_a_batch_that_was_left_undone(
    proxy: FaultProxy, shell: Lab, tmp_path: Path
) -> None:
    """Rows that are there, and of which half came, are none that are missing: nothing is written twice."""
    source = str(write_sqlite(tmp_path / "opensips.sqlite", *users(4)))
    assert run_with(shell, proxy, [], "import", source)[0] == 0
    before = rows()

    with proxy.failing(half_a_batch(KEYS), Where(operation="BatchGetItem", times=3)) as met:
        again = run_with(shell, proxy, [], "import", source)

    assert met.hits == 3
    assert again[0] == 0
    assert rows() == before


# -- the admin API ----------------------------------------------------------------------------------------------------

ALICE: Final = f"{PROFILES}/alice-web"
REQUESTS: Final[dict[str, tuple[str, str, Any]]] = {
    "create a profile": ("POST", PROFILES, {"tag": "new", "sip_username": "nina"}),
    "change a profile": ("PATCH", ALICE, {"sip_username": "alicia"}),
    "delete a profile": ("DELETE", ALICE, None),
    "add a secret": ("POST", f"{ALICE}/secrets", {}),
    "rotate": ("POST", f"{ALICE}/rotate", {"overlap_seconds": 3600}),
    "revoke a token": ("POST", f"{ALICE}/revocations", {"jti": "stolen"}),
}


@pytest.mark.matrix
@pytest.mark.parametrize("how", [*NOT_WRITTEN, *WRITTEN])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_the_admin_api_tells_the_truth_of_a_write_and_notes_it(
    request_name: str,
    how: str,
    proxy: FaultProxy,
    set_stage: Callable[..., Stage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503 where it may have been done, 500 where AWS refused it, and the answer of old where it was done in the end."""
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
    faults, known = WRITTEN.get(how, (NOT_WRITTEN.get(how, ()), None))
    stage = set_stage("provisioning", DB_URL=proxy.db_url, REVOCATIONS_TABLE=REVOCATIONS)
    event = Case("a-write", request_name, asking(*REQUESTS[request_name]), 0).event()
    before = rows()
    with ExitStack() as stack:
        for fault, where in faults:
            stack.enter_context(proxy.failing(fault, where))
        answer = stage.ask(event)

    noted = [json.loads(line)["outcome"] for line in answer.lines if '"audit"' in line]
    assert (rows() != before) is (how in WRITTEN)
    if known is Told.DONE:
        assert (answer.is_good or answer.status in (201, 204), noted) == (True, ["done"])
    elif how == "is not permitted":
        assert (answer.status, noted) == (500, [])
    else:
        assert (answer.status, noted) == (503, ["unknown"])
    assert "AccessDenied" not in json.dumps(answer.given)
    assert stage.ask(event).status in (200, 201, 204, 404, 409)
