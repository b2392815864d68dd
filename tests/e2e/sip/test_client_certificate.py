"""A service that asks for a certificate (Gate=mtls): Kamailio shows its own, and without one nobody is refused."""

import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.certificates import Authority
from tests.e2e.serve.serving import Serving
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.stand import Phones, proxy
from tests.e2e.sip.test_faults import is_unavailable

HOST = "127.0.0.1"


class Certified:
    """The service at a domain with mutual TLS.

    Attributes:
        line: to it.
        servers: who vouches for the service.
        frontends: the truststore: who vouches for those that may ask.
    """

    def __init__(self, api: Serving, folder: Path) -> None:
        """Listen."""
        self.servers, self.frontends = Authority(folder / "servers"), Authority(folder / "frontends")
        context = self.servers.identity()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.frontends.certificate)
        self.line = Line(api.port, identity=context)

    def proxy(self, folder: Path, desk: Desk, certificate: Path | None) -> AbstractContextManager[Kamailio]:
        """Run a Kamailio that has this certificate and its key in one file."""
        shown = {"CLIENT_CERT_FILE": str(certificate), "CLIENT_KEY_FILE": str(certificate)}
        return proxy(
            folder,
            self.line.url,
            desk,
            CA_FILE=str(self.servers.certificate),
            WITH_CLIENT_CERTIFICATE=certificate is not None,
            **(shown if certificate is not None else {}),
        )


@pytest.fixture(name="certified", scope="module")
def _certified(api: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    certified = Certified(api, tmp_path_factory.mktemp("certified"))
    yield certified
    certified.line.close()


def test_kamailio_shows_its_certificate_and_all_goes_as_ever(
    certified: Certified, desk: Desk, phones: Phones, tmp_path: Path
) -> None:
    user = desk.user()
    good, forged = desk.token(user), desk.forged(user.tag)

    with certified.proxy(tmp_path / "kamailio", desk, certified.frontends.identity_file(host=HOST)) as kamailio:
        answers = [phones.register(kamailio, user, token).status for token in (good, forged)]

    assert answers == [200, 401]


@pytest.mark.parametrize("shows", ["none", "a stranger's", "an ended one"])
def test_without_a_certificate_that_is_trusted_users_are_neither_let_in_nor_refused(
    certified: Certified, desk: Desk, phones: Phones, tmp_path: Path, shows: str
) -> None:
    """The frontend's fault is never told as the user's."""
    shown = {
        "none": None,
        "a stranger's": Authority(tmp_path / "stranger").identity_file(host=HOST),
        "an ended one": certified.frontends.identity_file(host=HOST, ended=True),
    }
    user, asked = desk.user(), len(certified.line.asked)

    with certified.proxy(tmp_path / "kamailio", desk, shown[shows]) as kamailio:
        answers = [phones.register(kamailio, user, token) for token in (desk.token(user), desk.forged(user.tag))]

    assert all(map(is_unavailable, answers))
    assert len(certified.line.asked) == asked
