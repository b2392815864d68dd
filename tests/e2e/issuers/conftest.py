"""The lab, built once, and a minute of rotations that several tests look at."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pytest

from tests.e2e.issuers.lab import (
    CACHE_TTL_SECONDS,
    PATIENCE_SECONDS,
    Answered,
    Lab,
    Login,
    Stream,
    a_lab,
    asked_at,
    wait_until,
)
from tests.e2e.issuers.provider import Provider
from tests.e2e.serve.serving import serving
from tools.provider.process import FOLDER

PHONES: Final = ["phone-RS256", "phone-ES256", "phone-EdDSA"]
FIGURES: Final = pytest.StashKey[list[str]]()
_LOGINS_AFTERWARDS: Final = 60
_SECONDS_AFTERWARDS: Final = 12  # more than a test leaves to processes that remember the old keys
_MAX_ATTEMPTS: Final = 4

Tell = Callable[[str], None]

CONFIGURATIONS: Final[dict[str, list[str]]] = {
    # As an operator may well do it: the phones' client ids are audiences, too. So ID tokens have a right audience.
    "steady": [word for phone in PHONES for word in ("--audience", phone)],
    "clients": ["--client-claim", "client_id", *(word for phone in PHONES for word in ("--client-id", phone))],
    "first": [],
    "at once": [],
    "removed": [],
    "stopped": [],
}
"""The providers, each with options of `auth-jwt issuer add`."""


@pytest.fixture(name="lab", scope="session")
def _lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    if shutil.which("node") is None:
        refuse("no node")
    if not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        refuse("no oidc-provider: npm installs it, by `make e2e-issuers`")
    with a_lab(tmp_path_factory.mktemp("lab"), CONFIGURATIONS) as lab:
        yield lab


@pytest.fixture(name="tell", scope="session")
def _tell(pytestconfig: pytest.Config) -> Tell:
    """Note a line for the end of the run."""
    return pytestconfig.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures."""
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("a real provider")
        for line in figures:
            terminalreporter.line(line)


@dataclass(frozen=True, slots=True)
class Rotations:
    """What was seen while four providers did what providers do, in the same minute. Times are in UNIX seconds.

    Attributes:
        first: logins at the provider that published its new keys, and signed by them when they had been fetched.
        at_once: logins at the provider that signed by its new keys at once.
        signed_at: when it did.
        patient: the attempts of a phone there that waits as long as it is told, with one token.
        withdrawn_at: when the third provider took its old keys away.
        removed: attempts with a token of the old keys: before the fetch, and until the first refusal.
        removal_fetched_at: when the fetch began that missed the old keys.
        stopped: attempts with a token of the fourth provider, which had ended, until a fetch had failed, and after.
        cold: the same, at processes that had remembered nothing.
    """

    first: Stream
    at_once: Stream
    signed_at: float
    patient: list[Login]
    withdrawn_at: float
    removed: list[Login]
    removal_fetched_at: float
    stopped: list[Login]
    cold: list[Login]


@pytest.fixture(name="rotations", scope="session")
def _rotations(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rotations:
    first, at_once, removed, stopped = (lab.providers[name] for name in ("first", "at once", "removed", "stopped"))
    wait_until(lab.has_time)
    began = time.time()
    with Stream(lab, first) as of_first, Stream(lab, at_once) as of_at_once, ThreadPoolExecutor(2) as pool:
        first.publish("new")
        for provider in (at_once, removed):
            provider.publish("new")
            provider.sign("new")
        signed_at = time.time()
        patient = pool.submit(_wait_as_told, lab, at_once)
        removed.withdraw("old")
        withdrawn_at = time.time()
        stopped.stop()
        of_removed = [lab.ask(lab.early["removed"])]
        without_provider = pool.submit(_until_failed, lab, stopped)

        lab.wait_for_fetch(first, after=began)
        first.sign("new")
        for stream in (of_first, of_at_once):
            stream.wait_for_logins(_LOGINS_AFTERWARDS, signed_by="new")
        removal_fetched_at = lab.wait_for_fetch(removed, after=withdrawn_at)
        of_removed += _until_refused(lab)
        of_at_once.wait_beyond_success(_SECONDS_AFTERWARDS, signed_by="new")
        attempts, of_stopped = patient.result(), without_provider.result()
    with serving(tmp_path_factory.mktemp("cold") / "log", **lab.settings) as processes:
        cold = [asked_at(processes, lab.early["stopped"]) for _ in range(4)]
    return Rotations(
        of_first, of_at_once, signed_at, attempts, withdrawn_at, of_removed, removal_fetched_at, of_stopped, cold
    )


def _wait_as_told(lab: Lab, provider: Provider) -> list[Login]:
    """Log in once, and ask about the token until the service has decided, each time when the last answer says."""
    tokens = provider.log_in("alice")
    logins = [lab.ask(tokens)]
    while logins[-1].retry_after is not None and len(logins) < _MAX_ATTEMPTS:
        time.sleep(logins[-1].retry_after)
        logins.append(lab.ask(tokens))
    return logins


def _until_failed(lab: Lab, provider: Provider) -> list[Login]:
    """Ask every half second until a fetch has failed, and then for as long as anything is remembered, and longer."""
    logins = list[Login]()
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        logins.append(lab.ask(lab.early["stopped"]))
        if lab.has_failed(provider):
            ends_at = min(ends_at, time.monotonic() + 2 * CACHE_TTL_SECONDS)
        time.sleep(0.5)
    return logins


def _until_refused(lab: Lab) -> list[Login]:
    logins = list[Login]()
    deadline = time.monotonic() + 2 * CACHE_TTL_SECONDS
    while time.monotonic() < deadline and (not logins or logins[-1].answered is not Answered.REFUSED):
        time.sleep(0.2)
        logins.append(lab.ask(lab.early["removed"]))
    return logins
