"""The whole demo on the loopback interface: the service, Kamailio in front of it, and the page with its login."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from frontends.kamailio import local as kamailio
from frontends.webrtc import web
from frontends.webrtc.bundle import page_files
from frontends.webrtc.issuing import USERS, Issuer, issuer_over
from frontends.webrtc.portal import Password, Portal
from frontends.webrtc.provider import REFRESH_SECONDS, Login, login_at_provider
from tools.serve import service
from tools.serve.processes import CannotStart, WorkersDie, listening_socket

HOST: Final = "127.0.0.1"  # fixed: a stand-in for a login keeps nobody out
COMMAND: Final = "make softphone"
_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants.

    Attributes:
        port: the page's; 0 takes a free one.
        token_seconds: how long a token lives.
        admin: whether the admin API is served.
        provider: whether there is a second login, at an OpenID provider.
    """

    port: int
    token_seconds: int
    admin: bool = False
    provider: bool = False


@dataclass(frozen=True, slots=True)
class Softphone:
    """A running demo.

    Attributes:
        url: the page's.
        passwords: by user.
        issuer: of the tokens; its provisioning changes what the service sees.
        service: the service, which Kamailio asks.
        kamailio: the SIP server.
        login: the second login, at an OpenID provider; None without one.
    """

    url: str
    passwords: Mapping[str, str] = field(repr=False)
    issuer: Issuer
    service: service.RunningService
    kamailio: kamailio.Kamailio
    login: Login | None = None

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """Look after its processes; returns never.

        Args:
            also: done each time that they are looked at.

        Raises:
            WorkersDie: one that it cannot do without has ended.
        """

        def look() -> None:
            self._look_at_kamailio()
            also()

        self.service.watch(look)

    def _look_at_kamailio(self) -> None:
        code = self.kamailio.process.poll()
        if code is not None:
            end = self.kamailio.log.read_text("utf-8", "replace").splitlines()[-5:]
            raise WorkersDie("\n".join([f"Kamailio ended by itself, with code {code}:", *end]))


@contextmanager
def running(
    options: Options,
    env: Mapping[str, str],
    tell: Callable[[str], None],
    **settings: str,
) -> Iterator[Softphone]:
    """Run the demo; it has ended when the context has.

    Args:
        options: what the user wants.
        env: settings of the service. Nothing is remembered (CACHE_TTL_SECONDS) unless it says so, so that whatever is
            changed shows at once. Its DB_URL is not used: the tables are in memory.
        tell: told what is being done.
        settings: Kamailio's, of settings.cfg.

    Raises:
        CannotStart: something is missing, or cannot be.
        WorkersDie: the service does not run.
    """
    with ExitStack() as open_things:
        listener = open_things.enter_context(listening_socket(HOST, options.port, COMMAND))
        port = listener.getsockname()[1]
        hosts = frozenset({f"{HOST}:{port}", f"localhost:{port}"})
        origins = [f"http://{host}" for host in sorted(hosts)]
        files = page_files(tell)

        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="softphone-")))
        login = None
        if options.provider:
            login = open_things.enter_context(login_at_provider(folder, origins, options.token_seconds, tell))
        tell("starting DynamoDB in memory and the service ...")
        api_key = secrets.token_urlsafe(24)
        env = {"CACHE_TTL_SECONDS": "0", **{name: value for name, value in env.items() if name != "DB_URL"}}
        env |= login.settings if login else {}
        wanted = service.Options(0, _WORKERS, str(folder / "api.log"), api_key, options.admin, REFRESH_SECONDS)
        api = open_things.enter_context(service.running(wanted, env, tell))
        issuer = issuer_over(api.variables, options.token_seconds)
        issuer.enroll()
        if login is not None:
            login.admit(issuer.provisioning)

        tell("starting Kamailio ...")
        (folder / "kamailio").mkdir()
        settings = {"WEB_ORIGINS": ",".join(origins), **settings}
        try:
            sip = open_things.enter_context(
                kamailio.running(folder / "kamailio", api_url=api.url, api_key=api_key, **settings)
            )
        except kamailio.CannotRun as error:
            raise CannotStart(str(error)) from None

        passwords = {user: secrets.token_hex(4) for user in USERS}
        websocket = f"ws://{HOST}:{sip.ws}"
        portal = Portal(
            issue=issuer.token_for,
            passwords={user: Password.of(text) for user, text in passwords.items()},
            files=files,
            hosts=hosts,
            websocket=websocket,
            provider=login.for_page(websocket) if login else {},
        )
        open_things.enter_context(web.serving(listener, portal.answer))
        yield Softphone(f"http://{HOST}:{port}", passwords, issuer, api, sip, login)
