"""An OpenID provider on loopback, as a process: npm's oidc-provider, which is certified, with its own pages.

For tests and for the demo of the softphone, never for users of yours: it lets everybody log in as anybody.
"""

import json
import os
import select
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
RESOURCE: Final = "https://sip.example.com/"
"""What a login asks a token for (RFC 8707). The token's audience is `AUDIENCE`."""
AUDIENCE: Final = "sip"
SCOPE: Final = "sip:register"

_PATIENCE_SECONDS: Final = 60


class CannotRun(Exception):
    """The provider does not start, or has ended."""


@dataclass(frozen=True, slots=True)
class PageClient:
    """A page in a browser that logs in at the provider.

    Attributes:
        origins: of the page, by all its names; it is at the path `/`.
        seconds: how long its access tokens live.
        client_id: by which the provider knows it.
    """

    origins: tuple[str, ...]
    seconds: int
    client_id: str = "softphone"


@dataclass(slots=True)
class RunningProvider:
    """A running provider.

    Attributes:
        issuer: its identifier, where it is to be had over TLS.
        url: the same without TLS, for the browser of a demo, which does not know the certificate.
        process: node.
    """

    issuer: str
    url: str
    process: "subprocess.Popen[str]"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def keys_url(self) -> str:
        """Where its keys are."""
        return f"{self.issuer}/jwks"

    def publish(self, name: str) -> None:
        """Add new keys to the key set; they do not sign yet."""
        self._order(f"publish {name}")

    def sign(self, name: str) -> None:
        """Sign by these keys from now on."""
        self._order(f"sign {name}")

    def withdraw(self, name: str) -> None:
        """Take these keys out of the key set."""
        self._order(f"withdraw {name}")

    def stop(self) -> None:
        """End it. Nobody listens at its addresses afterwards."""
        self.process.terminate()
        self.process.wait(_PATIENCE_SECONDS)

    def _order(self, order: str) -> None:
        with self._lock:
            if self.process.stdin is not None:
                self.process.stdin.write(f"{order}\n")
                self.process.stdin.flush()
            _line_of(self.process)


@contextmanager
def running(identity: Path, log: Path, page: PageClient | None = None) -> Iterator[RunningProvider]:
    """Run a provider; it has ended when the context has.

    Args:
        identity: file with key and certificate of its server.
        log: file for what node says.
        page: a client in a browser, beside those of the tests.

    Raises:
        CannotRun: it does not start.
    """
    command = ["node", str(FOLDER / "provider.mjs"), str(identity), json.dumps(asdict(page) if page else None)]
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=env,
            process_group=0,  # Ctrl-C is for the parent, which then ends it
        ) as process,
    ):
        try:
            told = _line_of(process)
            yield RunningProvider(told["issuer"], told["url"], process)
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def _line_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the next line that the program writes, from JSON."""
    if process.stdout is None or not select.select([process.stdout], [], [], _PATIENCE_SECONDS)[0]:
        raise CannotRun("the OpenID provider does not answer")
    line = process.stdout.readline()
    if not line:
        raise CannotRun(f"the OpenID provider has ended, with code {process.wait(_PATIENCE_SECONDS)}")
    said: dict[str, Any] = json.loads(line)
    return said
