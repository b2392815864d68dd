"""What the tests stand on: phones, Kamailio as it is shipped, and the service behind it."""

import os
import shutil
import ssl
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from frontends.kamailio.local import Kamailio, running, version
from tests.e2e.sip import sipp
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import TlsFor
from tests.e2e.sip.messages import Message, Request

OUR_PAGE: Final = "https://phone.example.com"
"""Whose WebSockets are taken, as settings.cfg says."""
API_KEY: Final = "the key of this proxy, and of no other"
FLOODS_ALLOWED: Final = {"FLOOD_DENSITY": 100_000, "MAX_REFUSALS": 100_000}
"""All phones of a test have one address."""

PROGRAMS: Final = ("kamailio", "sipp")
OWN_TLS_SINCE: Final = (5, 8)
_SIGNS_OF_A_CRASH: Final = ("exited by a signal", "core was generated", "BUG", "out of memory", "No memory")


def demand_programs(*others: str) -> None:
    """Skip where the servers are not installed, or fail where they must be."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    missing = [program for program in (*PROGRAMS, *others) if shutil.which(program, path=places) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}; `make debian` does it", pytrace=False)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def demand_own_tls() -> None:
    """Skip where Kamailio's own TLS is not to be used: it crashes beside OpenSSL 3."""
    demand_programs()
    here = version()
    if here < OWN_TLS_SINCE:
        pytest.skip("TLS of Kamailio's own is for {}.{} and newer, and here is {}.{}".format(*OWN_TLS_SINCE, *here))


@contextmanager
def proxy(
    folder: Path,
    api_url: str,
    desk: Desk,
    *,
    api_key: str = API_KEY,
    hooks: str | None = None,
    memory: int | str = 256,
    **settings: str | int | bool,
) -> Iterator[Kamailio]:
    """Run Kamailio; at its end it must be whole, and have written no token of the *desk* into its log."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(
        folder, api_url=api_url, api_key=api_key, hooks=hooks, memory=memory, **{**FLOODS_ALLOWED, **settings}
    ) as kamailio:
        yield kamailio
        assert kamailio.process.poll() is None
    log = kamailio.log.read_text("utf-8", "replace")
    assert [sign for sign in _SIGNS_OF_A_CRASH if sign in log] == []
    assert desk.found_in(kamailio.log) == []
    assert API_KEY not in log


def bearer(token: str, *, scheme: str = "Bearer") -> str:
    """Return the header line that shows a token to a registrar."""
    return f"Authorization: {scheme} {token}"


def proxy_bearer(token: str) -> str:
    """Return the header line that shows a token to a proxy."""
    return f"Proxy-Authorization: Bearer {token}"


@dataclass(slots=True)
class Phones:
    """Phones of SIPp.

    Attributes:
        folder: for their files.
    """

    folder: Path
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    def register(
        self,
        kamailio: Kamailio,
        user: User,
        token: str | None = None,
        *,
        over: str = "UDP",
        headers: Sequence[str] = (),
        sender: str | None = None,
        domain: str = DOMAIN,
        expires: int | None = 600,
        contact_params: str = "",
        contact_port: int = 5060,
    ) -> Message:
        """Send a REGISTER, and return the final answer.

        Args:
            kamailio: to whom.
            user: who is to be registered, as To says.
            token: shown as a client does.
            over: UDP, TCP or TLS.
            headers: further lines.
            sender: URI of From, if it is another than that of To.
            domain: SIP domain of Request-URI, To and From.
            expires: value of Expires; None leaves it out.
            contact_params: parameters of Contact, with their semicolons.
            contact_port: port of Contact, reached by UDP.
        """
        lines = [*headers]
        lines += [bearer(token)] if token is not None else []
        lines += [f"Expires: {expires}"] if expires is not None else []
        own = f"sip:{user.name}@{domain}"
        keys: dict[str, object] = {
            "domain": domain,
            "from": sender or own,
            "to": own,
            "over": over,
            "contact_port": contact_port,
            "contact_over": "udp",
            "contact_params": contact_params,
        }
        if over != "TLS":
            port = kamailio.udp if over == "UDP" else kamailio.tcp
            return sipp.run(self.new_folder(), "register", port, headers=lines, transport=over, **keys).answer
        with closing(TlsFor(kamailio.tls, trusting(kamailio.ca), DOMAIN)) as secured:
            return sipp.run(self.new_folder(), "register", secured.port, headers=lines, transport="TCP", **keys).answer

    def new_folder(self) -> Path:
        """Return a folder that is nobody's yet."""
        return self.folder / str(next(self._numbers))


def trusting(ca: Path) -> ssl.SSLContext:
    """Return who trusts this authority and no other."""
    return ssl.create_default_context(cafile=str(ca))


def expires_of(answer: Message) -> int:
    """Return for how many seconds a registration is granted, as its one Contact says."""
    parameters = dict(part.partition("=")[::2] for part in answer.one("contact").split(";"))
    return int(parameters["expires"])


def asking(user: User, token: str, *more: str) -> Request:
    """Return a REGISTER without a Contact but what is in *more*."""
    return Request(call=str(uuid.uuid4()), user=user.name, contact=0, more=[*more, bearer(token)])


def contacts(answer: Message) -> list[str]:
    """Return the contacts that an answer lists."""
    return [contact.strip() for header in answer.all("contact") for contact in header.split(", ")]
