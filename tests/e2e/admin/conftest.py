"""A stack's admin API behind IAM, `auth-jwt page` in front of it, and a browser: what a support person has."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.admin.iam_gateway import API, EVERYTHING, IamGateway, Person, iam_gateway
from tests.e2e.browser import Browser, Page, browsing, chromium
from tools.events.stage import ROOT

DOCUMENT: Final = ROOT / "docs" / "admin-page.md"
_START_SECONDS: Final = 30


def documented_policy(*leave_out: str) -> Sequence[dict[str, Any]]:
    """Return the statements of the policy in docs/admin-page.md for this API, without some of them by their Sid."""
    (policy,) = re.findall(r'```json\n(\{\n  "Version".*?)```', DOCUMENT.read_text("utf-8"), re.DOTALL)
    text = policy.replace("arn:aws:execute-api:REGION:ACCOUNT:API/STAGE", API)
    return [statement for statement in json.loads(text)["Statement"] if statement["Sid"] not in leave_out]


ADMIN: Final = Person("admin", "AKIAADMIN", "the-key-of-admin", EVERYTHING)
SUPPORT: Final = Person("support", "AKIASUPPORT", "the-key-of-support", documented_policy())
READER: Final = Person(
    "reader", "AKIAREADER", "the-key-of-reader", documented_policy("EndLoginsAndUndoIt", "MintTestTokens")
)


@contextmanager
def page_command(url: str, person: Person, folder: Path) -> Iterator[str]:
    """Run `auth-jwt page` as a *person*; gives the address that it prints."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **person.environment,
    }
    command = [sys.executable, "-m", "auth_jwt_cli", "page", "--url", url]
    with subprocess.Popen(command, env=variables, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"it ended with exit code {process.wait(_START_SECONDS)}")
            yield address
        finally:
            process.terminate()
            process.wait(_START_SECONDS)


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[IamGateway]:
    with iam_gateway(ADMIN, SUPPORT, READER) as gateway:
        yield gateway


@pytest.fixture(name="browser", scope="module")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    if program is None and os.environ.get("CI"):
        pytest.fail("no Chromium here: `make debian` installs it", pytrace=False)
    if program is None:
        pytest.skip("no Chromium here: `make debian` installs it")
    with browsing(program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


AddressOf = Callable[[Person], str]


@pytest.fixture(name="address_of", scope="module")
def _address_of(gateway: IamGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AddressOf]:
    """The address that `auth-jwt page` printed for a person; one process for each."""
    with ExitStack() as running:
        known: dict[str, str] = {}

        def address_of(person: Person) -> str:
            if person.name not in known:
                folder = tmp_path_factory.mktemp(person.name)
                known[person.name] = running.enter_context(page_command(gateway.url, person, folder))
            return known[person.name]

        yield address_of


OpenAs = Callable[..., Page]


@pytest.fixture(name="open_as")
def _open_as(browser: Browser, address_of: AddressOf) -> Iterator[OpenAs]:
    """Open a new window as a person, at a place within the page."""
    opened: list[Page] = []

    def open_as(person: Person, place: str = "") -> Page:
        page = browser.page()
        opened.append(page)
        page.open(address_of(person))
        page.wait_for("document.querySelector('#where')?.dataset.kind !== 'unknown'")
        page.wait_for("document.querySelector('#query') !== null")
        if place:
            page.run(f"location.hash = {json.dumps(place)}")
        return page

    yield open_as
    for page in opened:
        page.close()
