"""The stand, built once: the service with its tables, the line to it, and Kamailio with the lab's settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.serve.serving import Serving, serving
from tests.e2e.sip.issuing import Desk, desk_at
from tests.e2e.sip.line import Line
from tests.e2e.sip.provider import Provider, provider_at
from tests.e2e.sip.stand import API_KEY, Phones, demand_programs, proxy
from tests.issuers import ISSUER
from tools.events.stage import REVOCATIONS

SETTINGS = {"REVOCATIONS_TABLE": REVOCATIONS, "CACHE_TTL_SECONDS": "0", "ISSUERS": ISSUER}
"""What an operator does works at once."""


@pytest.fixture(name="api", scope="session")
def _api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The service with the sample users, which wants its key."""
    demand_programs()
    with serving(tmp_path_factory.mktemp("api") / "log", API_KEY=API_KEY, **SETTINGS) as service:
        yield service


@pytest.fixture(name="desk", scope="session")
def _desk(api: Serving) -> Iterator[Desk]:
    """Who gives out users and tokens; none of those may be found in the service's log."""
    desk = desk_at(api.tables, SETTINGS)
    yield desk
    assert desk.found_in(api.log) == []


@pytest.fixture(name="known_provider", scope="session")
def _known_provider(api: Serving, desk: Desk) -> Provider:
    """The identity provider whose tokens the service takes."""
    return provider_at(api.tables, desk)


@pytest.fixture(name="provider")
def _provider(known_provider: Provider) -> Provider:
    """The same, its keys fetched a moment ago."""
    known_provider.fetch()
    return known_provider


@pytest.fixture(name="line", scope="session")
def _line(api: Serving) -> Iterator[Line]:
    """The line from Kamailio to the service."""
    line = Line(api.port)
    yield line
    line.close()


@pytest.fixture(name="kamailio", scope="session")
def _kamailio(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """The one that most tests share."""
    with proxy(tmp_path_factory.mktemp("kamailio"), line.url, desk) as kamailio:
        yield kamailio


@pytest.fixture(name="remembering", scope="session")
def _remembering(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio that does not ask twice, and so saves in the process that read the request."""
    with proxy(tmp_path_factory.mktemp("remembering"), line.url, desk, WITH_POSITIVE_CACHE=True) as kamailio:
        yield kamailio


@pytest.fixture(name="phones")
def _phones(tmp_path: Path) -> Phones:
    return Phones(tmp_path / "phones")
