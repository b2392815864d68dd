"""The entries of a stack, asked as frontends ask: are they healthy, the canary let in, and a forged token denied?

Tokens and keys go to the address that the stack's outputs name, by https only, and are never shown.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from auth_jwt.releasing.canary import Canary
from auth_jwt_cli.doctor.models import Observation, ok, problem, skipped, warning
from auth_jwt_cli.signing import Sign

_SECONDS: Final = 10.0
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class StackEntry:
    """A way by which frontends reach the service.

    Attributes:
        name: the output that names it.
        base: its URL, without a path of ours.
        headers: what a request needs besides, such as the API key.
        sign: signs a request; None where IAM is not asked.
        certificate: files of a client certificate and its key; None shows none.
    """

    name: str
    base: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sign: Sign | None = None
    certificate: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def code(self) -> object:
        """The decision in it, if it is one."""
        return self.body.get("code")


def base_of(url: str) -> str:
    """Return the URL of an entry without the path that its output may have."""
    return url.removesuffix("/").removesuffix("/authorize")


def entry_lines(entry: StackEntry, canary: Canary | None) -> Iterator[Observation]:
    """Ask an *entry* for its health and, with a *canary*, for two decisions."""
    about = entry.name
    if not _is_safe(entry.base):
        yield problem(about, "its output is no https address", "look at the stack's outputs")
        return
    try:
        health = _send(entry, "GET", "/health", None)
    except OSError as error:
        yield problem(about, f"no answer from {entry.base}/health ({error})", "check the network, DNS, and a firewall")
        return
    yield _health_line(about, health)
    if canary is None:
        text = "nobody was let in end to end: there is no canary"
        yield skipped(about, text, "give it a profile, and name its tag by --canary or CanaryTag")
        return
    try:
        yield _admission_line(about, _send(entry, "POST", "/authorize", canary.token), canary)
        yield _forgery_line(about, _send(entry, "POST", "/authorize", canary.forged))
    except OSError as error:
        yield problem(about, f"no answer from {entry.base}/authorize ({error})", "look at the function's log")


def _health_line(about: str, answer: Reply) -> Observation:
    if answer.status == _OK and answer.body.get("status") == "ok":
        return ok(about, "/health says ok")
    if answer.status == _TOO_MANY:
        return warning(about, "/health answers 429: too many ask it", "use fewer monitors; try again in a second")
    return problem(about, f"/health answers {answer.status}", _remedy(answer))


def _admission_line(about: str, answer: Reply, canary: Canary) -> Observation:
    if answer.status != _OK or answer.code != 1:
        text = f"the canary {canary.tag!r} is not let in: {answer.status}, code {answer.code!r}"
        return problem(about, text, _remedy(answer))
    if answer.body.get("sip_username") != canary.username:
        return problem(about, "the canary is let in as another user than its profile names", "look at USERNAME_COLUMN")
    return ok(about, f"the canary {canary.tag!r} is let in as {canary.username!r}")


def _forgery_line(about: str, answer: Reply) -> Observation:
    if answer.status == _UNAUTHORIZED and answer.code == -1:
        return ok(about, "a forged token is denied")
    if answer.status == _OK and answer.code == 1:
        return problem(about, "A FORGED TOKEN IS LET IN", "go back to the release before now: `make rollback`")
    return problem(about, f"a forged token gets {answer.status}, code {answer.code!r}, not 401 and -1", _remedy(answer))


def _remedy(answer: Reply) -> str:
    """Return what to do about an answer, by its status and the type of its problem."""
    kind = str(answer.body.get("type", "")).rpartition(":")[2]
    if answer.status == _FORBIDDEN:
        return "the gate refuses it: look at the API key (a new one takes minutes), or at your IAM permission to invoke"
    if answer.status == _UNAUTHORIZED and answer.code == -1:
        return "ask why: `auth-jwt token mint TAG | auth-jwt token explain`; the log has the reason"
    if kind.startswith("gateway"):
        return "the function did not answer the gateway: look at its Errors, its Throttles and its log"
    return "docs/operations.md, When it answers 503 or 500"


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _send(entry: StackEntry, method: str, path: str, token: str | None) -> Reply:
    """Send one request, without retries and redirects.

    Raises:
        OSError: no answer came; the message names the kind of failure alone.
    """
    import urllib3

    url = f"{entry.base}{path}"
    certificate, key = entry.certificate or (None, None)
    body = b"" if token is None else json.dumps({"jwt_token": token}).encode()
    headers = dict(entry.headers)
    if body:
        headers["Content-Type"] = "application/json"
    if entry.sign is not None:
        headers = dict(entry.sign(method, url, body, headers))
    try:
        with urllib3.PoolManager(retries=False, timeout=_SECONDS, cert_file=certificate, key_file=key) as pool:
            answer = pool.request(method, url, body=body or None, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(type(error).__name__) from None
    try:
        document = json.loads(answer.data)
    except ValueError:
        document = {}
    return Reply(answer.status, document if isinstance(document, dict) else {})
