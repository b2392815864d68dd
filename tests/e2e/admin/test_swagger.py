"""Swagger UI of the admin API in a real browser, over `make serve ADMIN=1`: seen, and tried out."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.e2e.accessibility import barriers
from tests.e2e.browser import Page, browsing, chromium
from tests.e2e.serve.serving import Serving, serving
from tools.events.stage import ROOT

PICTURE = ROOT / "build" / "admin-swagger.png"
PICTURES = ROOT / "build" / "admin-swagger"
DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi-admin.json").read_text("utf-8"))
OPERATIONS = sorted((path, method) for path, item in DOCUMENT["paths"].items() for method in item)


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(log, ADMIN="1", WORKERS="1", REVOCATIONS_TABLE="jwt_revocations") as service:
        yield service


@pytest.fixture(name="page")
def _page(tmp_path: Path) -> Iterator[Page]:
    program = chromium()
    if program is None and os.environ.get("CI"):
        pytest.fail("no Chromium here: `make debian` installs it", pytrace=False)
    if program is None:
        pytest.skip("no Chromium here: `make debian` installs it")
    with browsing(program, tmp_path) as browser:
        yield browser.page()


@pytest.fixture(name="elsewhere")
def _elsewhere(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty page that another server gives."""
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(empty))) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def opened(page: Page, service: Serving) -> Page:
    page.open(f"{service.url}/admin/swagger")
    page.wait_for(f"document.querySelectorAll('.opblock').length === {len(OPERATIONS)}")
    return page


def try_out(page: Page, operation: str, *fields: tuple[str, str]) -> tuple[str, Any]:
    """Unfold an operation, try it out with *fields* filled in, and return status and body of the answer shown."""
    block = f"[id$='-{operation}']"
    page.click(f"{block} .opblock-summary-control")
    page.click(f"{block} .try-out__btn")
    for selector, text in fields:
        page.type(f"{block} {selector}", text)
    page.click(f"{block} .execute")
    status = page.wait_for(
        f'document.querySelector("{block} .live-responses-table tbody .response-col_status")?.innerText'
    )
    shown = page.wait_for(f'document.querySelector("{block} .live-responses-table .highlight-code")?.innerText')
    return str(status).split()[0], json.loads(str(shown)[str(shown).index("{") : str(shown).rindex("}") + 1])


def test_it_shows_every_operation_and_needs_nothing_from_anywhere(page: Page, service: Serving) -> None:
    opened(page, service)

    shown = page.run(
        "[...document.querySelectorAll('.opblock')].map(block => "
        "[block.querySelector('[data-path]').dataset.path, block.querySelector('.opblock-summary-method').innerText])"
    )
    assert sorted((path, method.lower()) for path, method in shown) == OPERATIONS
    assert page.run("document.querySelector('.info .title').innerText").startswith(DOCUMENT["info"]["title"])
    assert all(url.startswith((f"{service.url}/", "data:")) for url in page.requests)
    assert page.complaints == []
    page.photograph(PICTURE)
    assert PICTURE.stat().st_size > 20_000


def test_a_profile_is_created_from_it_and_its_secret_shown(page: Page, service: Serving) -> None:
    opened(page, service)
    new = {"tag": "from-a-browser", "sip_username": "zoe", "secret": {}}

    status, body = try_out(page, "create_profile", ("textarea", json.dumps(new)))

    assert status == "201"
    assert (body["tag"], body["secret"]["state"], len(body["secret"]["value"])) == ("from-a-browser", "open", 86)
    assert page.complaints == []
    assert body["secret"]["value"] not in service.log.read_text("utf-8")


def test_a_token_is_minted_from_it(page: Page, service: Serving) -> None:
    opened(page, service)

    status, body = try_out(
        page, "mint_token", ("input[placeholder='tag']", "alice-web"), ("textarea", '{"lifetime_seconds": 60}')
    )

    assert (status, body["sip_username"]) == ("200", "alice")
    assert body["token"] not in service.log.read_text("utf-8")


def unfold(page: Page, operation: str) -> str:
    """Unfold an operation; return its selector."""
    block = f"[id$='-{operation}']"
    page.click(f"{block} .opblock-summary-control")
    page.wait_for(f'document.querySelector("{block} .try-out__btn") !== null')
    return block


def a_list(page: Page) -> None:
    """As it comes."""


def an_operation(page: Page) -> None:
    unfold(page, "create_profile")
    unfold(page, "list_secrets")


def an_answer(page: Page) -> None:
    """To a request with a body; another operation is open beside it."""
    unfold(page, "list_secrets")
    try_out(page, "rotate_secrets", ("input[placeholder='tag']", "bob-mobile"))


def a_mistake(page: Page) -> None:
    """A parameter that must be there is not."""
    block = unfold(page, "list_secrets")
    page.click(f"{block} .try-out__btn")
    page.type(f"{block} input[placeholder='tag']", "")
    page.press("Delete")
    page.run("new Promise((resolve) => setTimeout(resolve, 1000))")  # it waits for the end of what is being typed
    page.click(f"{block} .execute")
    page.wait_for("document.querySelector('.opblock .invalid') !== null")


def schemas(page: Page) -> None:
    page.click(".models [data-json-schema-level='0'] .json-schema-2020-12-expand-deep-button")
    page.wait_for("document.querySelectorAll('.json-schema-2020-12-property').length > 10")


def nothing_found(page: Page) -> None:
    page.type(".operation-filter-input", "no such tag")
    page.wait_for("document.querySelectorAll('.opblock').length === 0")


@pytest.mark.parametrize("state", [a_list, an_operation, an_answer, a_mistake, schemas, nothing_found])
def test_nothing_keeps_anybody_out(page: Page, service: Serving, state: Callable[[Page], None]) -> None:
    """Light and dark, wide and 320 pixels wide: no rule of axe-core is broken, and nothing is beyond the edge."""
    state(opened(page, service))

    found = barriers(page)

    assert found == [], "\n".join(found)
    page.looks(width=320, scheme="dark", still=True)
    page.photograph(PICTURES / f"{state.__name__}.png")


def test_the_keyboard_is_enough(page: Page, service: Serving) -> None:
    """To find an operation, to try it out, and to read what it answered; and what has the focus is seen."""
    opened(page, service)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.press("Tab")
            assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            if page.run(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise AssertionError(f"{selector} is not reached")

    tab_to("[id$='-list_secrets'] .opblock-summary-control")
    page.press("Enter")
    page.wait_for("document.querySelector('.try-out__btn') !== null")
    tab_to(".try-out__btn")
    page.press("Enter")
    tab_to("input[placeholder='tag']")
    page.write("alice-web")
    tab_to(".execute")
    page.press("Enter")
    page.wait_for(
        "document.querySelector('.live-responses-table tbody .response-col_status')?.innerText.includes('200')"
    )
    tab_to(".live-responses-table pre")

    assert "#/secrets/list_secrets" in page.run("location.href")


def test_its_policy_holds_a_foreign_script_off(page: Page, service: Serving) -> None:
    """So the policy is one that the browser takes."""
    opened(page, service)

    page.run("(s => { s.text = 'window.injected = true'; document.body.append(s); })(document.createElement('script'))")
    page.run("1")

    assert page.run("window.injected") is None
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


def test_a_page_from_elsewhere_cannot_write(page: Page, service: Serving, elsewhere: str) -> None:
    """Here nobody signs, so a browser must not be the way in: not even by a request that asks no leave first."""
    page.open(elsewhere)
    page.wait_for("document.readyState === 'complete' && location.protocol === 'http:'")
    before = len(service.log.read_text("utf-8"))

    page.run(
        f"fetch('{service.url}/admin/profiles/alice-web/rotate', {{method: 'POST', mode: 'no-cors'}})"
        ".finally(() => { window.done = true; })"
    )
    page.wait_for("window.done")

    written = service.log.read_text("utf-8")[before:]
    assert "secret.rotate" not in written
    assert '"status": 403' in written
