"""The benchmark of searches finds what it should, in a small table: its figures are those of a whole search."""

import pytest

from tests.benchmarks.finding import CASES, Measured, measure

USERS = 2000
FOUND = {
    "a SIP user, by the index": 1,
    "a SIP user, by a scan": 1,
    "a domain, by a scan": 1000,
    "users without a usable secret": 0,
    "keys that tags share": 1,
}


@pytest.fixture(name="took", scope="module")
def _took() -> dict[str, Measured]:
    return {name: measure(name, USERS) for name in ("a SIP user, by the index", "a SIP user, by a scan")}


def test_every_search_has_its_figure() -> None:
    assert FOUND.keys() == CASES.keys()


def test_an_index_is_asked_once_and_a_scan_reads_all(took: dict[str, Measured]) -> None:
    index, scan = took["a SIP user, by the index"], took["a SIP user, by a scan"]

    assert (index.found, index.requests, index.rows, index.read_units) == (1, 2, 0, 1.5)
    assert (scan.found, scan.rows) == (1, USERS)
    assert scan.read_units == pytest.approx(USERS * 104 / 8192, abs=4)


@pytest.mark.parametrize("name", ["a domain, by a scan", "keys that tags share"])
def test_a_search_finds_what_is_there(name: str) -> None:
    assert measure(name, USERS).found == FOUND[name]
