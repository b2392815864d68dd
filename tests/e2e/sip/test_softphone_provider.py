"""The softphone's second login, in a real browser: at an OpenID provider, whose keys the service fetches by itself."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from frontends.webrtc.softphone import Options, Softphone, running
from tests.e2e.browser import Browser, browsing, chromium
from tests.e2e.sip.test_softphone import ALICE, MEDIA, OF_THE_NETWORK, TOKEN, Phone, missing, phone_at, show_what_went
from tools.provider.process import RunningProvider
from tools.serve.processes import CannotStart

STORED = "JSON.stringify([Object.entries(sessionStorage), Object.entries(localStorage), location.href])"


@dataclass
class Stage:
    """The demo with its provider, and a browser of its own: nobody is logged in."""

    softphone: Softphone
    browser: Browser

    @property
    def provider(self) -> RunningProvider:
        assert self.softphone.login is not None
        return self.softphone.login.provider

    def phone(self, user: str) -> Phone:
        """Return a page that waits for a login."""
        phone = phone_at(self.browser.page(), self.softphone.url, user, "any password")
        phone.page.wait_for("document.querySelector('#provider').checkVisibility()")
        return phone

    def log_in(self, phone: Phone) -> None:
        """Go to the provider by the button, and through its pages."""
        page = phone.page
        page.click("#provider-button")
        page.wait_for("document.querySelector('input[name=login]') !== null")
        assert str(page.run("location.href")).startswith(f"{self.provider.url}/interaction/")
        page.type("input[name=login]", phone.user)
        page.type("input[name=password]", phone.password)
        page.press("Enter")
        page.wait_for("document.querySelector('input[name=prompt]')?.value === 'consent'")
        page.click("button[type=submit]")
        page.wait_for("document.querySelector('#registration') !== null")


@pytest.fixture(name="softphone", scope="module")
def _softphone() -> Iterator[Softphone]:
    with ExitStack() as open_things:
        try:
            options = Options(0, 60, provider=True)
            yield open_things.enter_context(running(options, dict(os.environ), print, API_TIMEOUT="1"))
        except CannotStart as error:
            missing(str(error))


@pytest.fixture(name="stage")
def _stage(softphone: Softphone, tmp_path: Path) -> Iterator[Stage]:
    program = chromium()
    if program is None:
        missing("no Chromium here: `make debian` installs it")
    with browsing(program, tmp_path, *MEDIA) as browser:
        yield Stage(softphone, browser)
        for page in browser.pages.values():
            show_what_went(page)
            assert [one for one in page.complaints if not one.startswith(OF_THE_NETWORK)] == []


def test_it_registers_with_the_access_token_of_the_provider(stage: Stage) -> None:
    alice = stage.phone("alice")
    alice.photograph("provider-login")

    stage.log_in(alice)
    alice.until("registered")

    assert alice.text("#address") == ALICE
    assert alice.text("#life-text").startswith(("60 s left", "59 s left", "58 s left"))
    assert "AoR: alice@sip.example.com" in stage.softphone.kamailio.ask("ul.lookup", "location", ALICE)
    log = Path(stage.softphone.service.log).read_text("utf-8")
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line.get("issuer") for line in lines if line.get("outcome") == "authorized"} == {stage.provider.issuer}
    alice.photograph("provider-registered")


def test_it_renews_by_another_token_and_asks_nobody(stage: Stage) -> None:
    alice = stage.phone("alice")
    stage.log_in(alice)
    alice.until("registered")
    before = alice.count("token issued")

    alice.renew()

    assert alice.count("token issued") > before
    assert len(set(alice.tokens())) == alice.count("token issued")
    assert alice.page.run("document.querySelector('#login').hidden") is True


def test_two_tabs_are_two_users_and_call_each_other(stage: Stage) -> None:
    """One browser, so one session at the provider, which is bob's in the end. Alice's tokens are hers all the same."""
    alice, bob = stage.phone("alice"), stage.phone("bob")
    for phone in (alice, bob):
        stage.log_in(phone)
        phone.until("registered")
    alice.renew()

    alice.call("bob")
    bob.until_call("incoming")
    bob.page.click("#answer")

    alice.until_call("talking")
    bob.until_call("talking")
    assert alice.energy_heard() > 0


def test_a_user_whom_the_service_does_not_know_is_refused(stage: Stage) -> None:
    mallory = stage.phone("mallory")

    stage.log_in(mallory)
    mallory.until("refused")

    assert mallory.text("#state-more") == "The SIP server refused the token."


def test_new_keys_that_sign_at_once_make_it_wait_and_then_register_by_itself(stage: Stage) -> None:
    stage.provider.publish("new")
    stage.provider.sign("new")
    alice = stage.phone("alice")

    stage.log_in(alice)
    alice.until("waiting")
    alice.photograph("provider-waiting")
    deadline = 90
    while deadline and alice.page.run("document.querySelector('#registration').dataset.state") != "registered":
        alice.page.run("new Promise((resolve) => setTimeout(resolve, 1000))")
        deadline -= 1

    assert alice.page.run("document.querySelector('#registration').dataset.state") == "registered"


def test_an_answer_that_nobody_asked_for_logs_nobody_in(stage: Stage) -> None:
    alice = stage.phone("alice")
    alice.page.open(f"{stage.softphone.url}/?code=stolen&state=guessed&iss={stage.provider.issuer}")

    error = "document.querySelector('#login-error')?.innerText"
    alice.page.wait_for(f"{error} === 'That is no answer to a login of this tab.'")

    assert alice.page.run("location.search") == ""
    assert alice.page.sockets == []


def test_no_token_is_kept_where_a_reload_or_another_script_finds_it(stage: Stage) -> None:
    alice = stage.phone("alice")
    stage.log_in(alice)
    alice.until("registered")

    stored = str(alice.page.run(STORED))
    shown = str(alice.page.run("document.documentElement.outerHTML"))
    tokens = [token for message in alice.page.sent for token in TOKEN.findall(message)]
    alice.reload()

    assert tokens
    assert not [token for token in tokens if token in stored + shown + "".join(alice.page.printed)]
    assert "eyJ" not in stored
    assert "code=" not in stored
    assert alice.page.run("document.querySelector('#login').checkVisibility()") is True
