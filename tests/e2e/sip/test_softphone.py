"""The softphone of `make softphone` in a real browser: two pages, real audio, and all that can go wrong between."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from auth_jwt.provisioning.secrets import NewSecret
from frontends.webrtc.issuing import tag_of
from frontends.webrtc.softphone import Options, Softphone, running
from tests.e2e.accessibility import barriers
from tests.e2e.browser import Browser, Page, browsing, chromium
from tests.e2e.sip.issuing import Desk, User
from tests.e2e.sip.provider import Provider, provider_at
from tests.issuers import ISSUER
from tools.events.stage import ROOT
from tools.serve.processes import CannotStart

PICTURES = ROOT / "build" / "e2e-sip"
MEDIA = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-quic",
    "--disable-sync",
)
WITNESS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
window.connectionsToServer = [];
window.WebSocket = class extends WebSocket {
  constructor(url, protocols) { super(window.elsewhere ?? url, protocols); window.connectionsToServer.push(this); }
};
const now = Date.now.bind(Date);
window.ahead = 0;
Date.now = () => now() + window.ahead;
"""
"""Put into every page before its own script: keeps hold of what carries audio and SIP, and of the clock."""

HEARD = """
(async () => {
  const all = [...(await window.connections.at(-1).getStats()).values()];
  const { packetsReceived, totalAudioEnergy } = all.find(({ type }) => type === 'inbound-rtp') ?? {};
  return { packets: packetsReceived ?? 0, energy: totalAudioEnergy ?? 0 };
})()
"""
SOUND, SILENCE = 0.01, 0.0001
"""Energy heard in three seconds: of the beeps of Chromium's false microphone some 0.5, of a muted one none."""
OF_THE_NETWORK = ("Failed to load resource", "WebSocket connection to")
"""What a browser complains of when it is refused something, or loses a connection."""

THE_LAST_LINE = "Open the page twice, two tabs will do, log in as alice and as bob, and call bob.\n"
STOP_SECONDS = 20
ALICE = "alice@sip.example.com"
ALICES_LOGIN = User("5f0c-alice", "alice")
"""How the provider names her."""
MAX_WAITS = 5
STATE = "document.querySelector('#state').innerText"
TOKEN = re.compile(r"^Authorization: Bearer (\S+)\r$", re.MULTILINE)


@dataclass
class Phone:
    """A page, and the user at it."""

    page: Page
    user: str
    password: str

    def log_in(self, password: str | None = None) -> None:
        self.page.type("#user", self.user)
        self.page.type("#password", self.password if password is None else password)
        self.page.press("Enter")

    def registered(self) -> "Phone":
        self.log_in()
        self.until("registered")
        return self

    def until(self, state: str) -> None:
        """Wait until the registration is in a *state*."""
        self.page.wait_for(f"document.querySelector('#registration').dataset.state === '{state}'")

    def until_call(self, state: str) -> None:
        self.page.wait_for(f"document.querySelector('#call').dataset.state === '{state}'")

    def until_text(self, selector: str, text: str) -> None:
        self.page.wait_for(f"document.querySelector({json.dumps(selector)}).innerText.includes({json.dumps(text)})")

    def reload(self) -> None:
        self.page.run("window.before = true")
        self.page.tell("Page.reload")
        self.page.wait_for("window.before === undefined && document.readyState === 'complete'")

    def call(self, target: str) -> None:
        self.page.type("#target", target)
        self.page.press("Enter")

    def renew(self) -> None:
        """Press the button, and wait until the server has answered."""
        self.page.run("document.querySelectorAll('#notes li').forEach(({ dataset }) => { dataset.old = true; })")
        self.page.click("#renew")
        new = "[...document.querySelectorAll('#notes li:not([data-old])')]"
        self.page.wait_for(f"{new}.some(({{ innerText }}) => innerText.includes('registered for'))")

    def receive(self, message: str) -> None:
        """Have the page get a SIP message, as from its server."""
        event = f"new MessageEvent('message', {{ data: {json.dumps(message)} }})"
        self.page.run(f"window.connectionsToServer.at(-1).dispatchEvent({event})")

    def contact(self) -> str:
        """Return the URI that the page registered."""
        self.page.run("1")
        registers = [message for message in self.page.sent if message.startswith("REGISTER ")]
        found = re.search(r"^Contact: <(sip:[^>;]+)", registers[-1], re.MULTILINE)
        assert found is not None
        return found[1]

    def dial_is_off(self) -> bool:
        return bool(self.page.run("document.querySelector('#dial-button').getAttribute('aria-disabled') === 'true'"))

    def text(self, selector: str) -> str:
        return str(self.page.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def focus(self) -> str:
        return str(self.page.run("document.activeElement.id || document.activeElement.innerText"))

    def heard(self) -> dict[str, float]:
        heard: dict[str, float] = self.page.run(HEARD)
        return heard

    def energy_heard(self) -> float:
        """Return how much sound comes in three seconds, a second from now; packets must come all the while."""
        pause = "new Promise((resolve) => setTimeout(resolve, {}))".format
        packets, energy = self.page.run(
            f"(async () => {{ await {pause(1000)}; const before = await {HEARD};"
            f" await {pause(3000)}; const after = await {HEARD};"
            " return [after.packets - before.packets, after.energy - before.energy]; })()"
        )
        assert packets > 0
        return float(energy)

    def tokens(self) -> list[str]:
        """Every token that the page sent, in order."""
        self.page.run("1")
        return [token for message in self.page.sent for token in TOKEN.findall(message)]

    def count(self, note: str) -> int:
        """Count the lines of what went over the wire that hold a *note*."""
        return self.text("#notes").count(note)

    def photograph(self, state: str) -> None:
        """Keep what it looks like, in light and wide, in dark and narrow; nothing of it may keep anybody out."""
        for name, width, scheme in (("light", 1100, "light"), ("dark-narrow", 390, "dark")):
            self.page.looks(width=width, scheme=scheme, still=True)
            self.page.photograph(PICTURES / f"{state}-{name}.png")
        found = barriers(self.page)
        assert found == [], "\n".join(found)


@dataclass
class Stage:
    """The demo, and a browser."""

    softphone: Softphone
    browser: Browser

    def phone(self, user: str) -> Phone:
        return phone_at(self.browser.page(), self.softphone.url, user, self.softphone.passwords[user])

    def close_connections(self) -> None:
        """Have Kamailio close every WebSocket."""
        for connection in re.findall(r"^\s*(\d+):", self.softphone.kamailio.ask("ws.dump"), re.MULTILINE):
            self.softphone.kamailio.ask("ws.close", connection)

    @contextmanager
    def switched_off(self, user: str) -> Iterator[None]:
        profiles = self.softphone.issuer.provisioning.profiles
        profiles.change(tag_of(user), disabled=True)
        try:
            yield
        finally:
            profiles.change(tag_of(user), disabled=False)


def phone_at(page: Page, url: str, user: str, password: str) -> Phone:
    """Go to the page, and leave it at the login."""
    page.tell("Page.addScriptToEvaluateOnNewDocument", source=WITNESS)
    page.open(url)
    page.wait_for("document.querySelector('#user')?.checkVisibility() && document.readyState === 'complete'")
    return Phone(page, user, password)


def show_what_went(page: Page) -> None:
    """Print the page's own lines of what went over the wire: pytest shows them of a test that fails."""
    notes = page.run("document.querySelector('#notes')?.innerText")
    sys.stdout.write(f"{notes}\n")


def missing(what: str) -> NoReturn:
    """Skip, or fail where all must be there."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(name="browser", scope="module")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        missing("no Chromium here: `make debian` installs it")
    with browsing(program, tmp_path_factory.mktemp("browser"), *MEDIA) as browser:
        yield browser


@pytest.fixture(name="softphone", scope="module")
def _softphone() -> Iterator[Softphone]:
    with ExitStack() as open_things:
        try:
            settings = {**os.environ, "ISSUERS": ISSUER}
            softphone = open_things.enter_context(running(Options(0, 120), settings, print, API_TIMEOUT="1"))
        except CannotStart as error:
            missing(str(error))
        yield softphone


@pytest.fixture(name="stage")
def _stage(softphone: Softphone, browser: Browser) -> Iterator[Stage]:
    opened = len(browser.pages)
    yield Stage(softphone, browser)
    for page in list(browser.pages.values())[opened:]:
        show_what_went(page)
        assert [one for one in page.complaints if not one.startswith(OF_THE_NETWORK)] == []
        page.close()


def test_a_wrong_password_is_refused(stage: Stage) -> None:
    alice = stage.phone("alice")
    alice.photograph("login")

    alice.log_in("not-it")
    alice.until_text("#login-error", "the password is another one")

    assert alice.focus() == "password"
    assert alice.page.run("[...document.querySelectorAll('[aria-invalid=true]')].map(({ id }) => id).join()") == (
        "user,password"
    )
    assert alice.page.sockets == []
    alice.photograph("login-refused")


def test_it_registers(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    assert re.fullmatch(r"Registered until \d\d:\d\d:\d\d", alice.text("#state"))
    assert alice.text("#address") == ALICE
    assert "AoR: alice@sip.example.com" in stage.softphone.kamailio.ask("ul.lookup", "location", ALICE)
    alice.photograph("registered")


def test_two_phones_talk_and_hear_each_other(stage: Stage) -> None:
    alice, bob = stage.phone("alice").registered(), stage.phone("bob").registered()

    alice.call("bob")
    bob.until_call("incoming")
    alice.until_call("ringing")
    alice.photograph("ringing")
    bob.photograph("incoming")
    assert bob.page.run("document.title") == "alice is calling · Softphone"
    assert bob.focus() == "answer"
    bob.page.press("Enter")
    alice.until_call("talking")
    bob.until_call("talking")
    for one in (alice, bob):
        one.page.wait_for(f"{HEARD}.then(({{ packets, energy }}) => packets > 50 && energy > 0)")
        one.page.wait_for("document.querySelector('#voice').srcObject?.active")
    before = bob.energy_heard()
    alice.page.click("#mute")
    alice.until_text("#doing", "you are muted")
    assert bob.energy_heard() < SILENCE < SOUND < before
    assert alice.energy_heard() > SOUND
    alice.photograph("talking")
    alice.renew()
    assert alice.text("#doing").startswith("In a call")
    bob.page.click("#hang-up")
    alice.until_text("#call-status", "The call with bob has ended.")

    bob.until_call("none")
    assert any(message.startswith("INVITE ") for message in bob.page.received)
    assert not any("Bearer" in message for message in bob.page.received)


def test_a_call_can_be_declined_and_one_that_rings_in_vain_is_missed(stage: Stage) -> None:
    alice, bob = stage.phone("alice").registered(), stage.phone("bob").registered()

    alice.call("sip:bob@sip.example.com")
    bob.page.wait_for("document.activeElement.id === 'answer'")
    bob.page.press("Tab")
    bob.page.press("Enter")
    alice.until_text("#call-status", "bob declined.")
    alice.call("bob")
    bob.until_call("incoming")
    alice.page.click("#hang-up")

    bob.until_text("#call-status", "You missed a call from alice.")
    alice.until_text("#call-status", "Call cancelled.")


def test_a_call_that_cannot_be_says_why(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    alice.call("nobody")
    alice.until_text("#call-status", "nobody has no phone registered at present.")
    alice.photograph("nobody")
    alice.call("sip:eve@elsewhere.example.net")
    alice.until_text("#call-status", "The SIP server does not let you call eve@elsewhere.example.net.")
    alice.call("bob@")
    alice.until_text("#call-status", "is no SIP address")


def test_the_command_says_where_to_go_and_phones_renew_by_themselves_on_the_same_connection(browser: Browser) -> None:
    """Before the token ends, with another one. Control-C ends everything."""
    with subprocess.Popen(
        [sys.executable, "-m", "frontends.webrtc", "--port", "0", "--token-seconds", "10"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert command.stdout is not None
            told = "".join(iter(command.stdout.readline, THE_LAST_LINE))
            url = re.search(r"^Softphone: (http://127\.0\.0\.1:\d+) ", told, re.MULTILINE)
            password = re.search(r"^  alice +password (\w+)$", told, re.MULTILINE)
            assert url is not None
            assert password is not None
            alice = phone_at(browser.page(), url[1], "alice", password[1]).registered()
            before = alice.text("#state")

            alice.page.wait_for(f"{STATE} !== {json.dumps(before)} && {STATE}.startsWith('Registered until')")

            assert len(alice.page.sockets) == 1
            assert len(alice.tokens()) == len(set(alice.tokens())) == 2
        finally:
            command.send_signal(signal.SIGINT)
            code = command.wait(STOP_SECONDS)
    alice.until("unreachable")
    alice.page.close()
    assert code == 0


def test_after_a_reload_it_registers_again_without_a_password(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    alice.reload()

    alice.until("registered")


def test_after_logging_out_the_session_and_the_registration_are_gone(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    alice.page.click("#log-out")
    alice.page.wait_for("document.querySelector('#login').checkVisibility()")

    assert alice.focus() == "user"
    asked = "fetch('/users/alice/token', { method: 'POST' }).then(({ status }) => status)"
    alice.page.wait_for(f"{asked}.then((status) => status === 401)")
    alice.reload()
    assert alice.page.run("document.querySelector('#login').checkVisibility()")


def test_a_token_that_the_sip_server_refuses_is_told_and_not_tried_for_ever(stage: Stage) -> None:
    """Alice is switched off when her new token is on its way already."""
    alice = stage.phone("alice").registered()
    alice.page.pause("*/token")
    alice.page.click("#renew")
    token = alice.page.next_paused()

    with stage.switched_off("alice"):
        alice.page.go_on(token)
        alice.until("refused")
        assert alice.text("#state-more") == "The SIP server refused the token."
        assert len(alice.tokens()) == 2
        alice.photograph("refused-by-the-sip-server")
    alice.page.click("#renew")

    alice.until("registered")
    assert len(alice.page.sockets) == 1


def test_a_user_whom_the_portal_gives_no_token_is_told(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    with stage.switched_off("alice"):
        alice.page.click("#renew")
        alice.until("refused")
        assert alice.text("#state-more").startswith("The web login refused: This account may not use the phone")
        alice.photograph("refused-by-the-portal")
    alice.page.click("#renew")

    alice.until("registered")


def test_a_call_with_a_token_that_is_good_no_more_is_refused_and_so_is_the_next_registration(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    with stage.switched_off("alice"):
        alice.call("bob")
        alice.until_text("#call-status", "The SIP server refused the token for this call.")
        alice.until("refused")
    assert alice.text("#life-text").startswith("Still registered, for")
    assert not alice.dial_is_off()
    alice.page.run("window.ahead = 120_000")
    alice.page.wait_for("document.querySelector('#dial-button').getAttribute('aria-disabled') === 'true'")


def test_a_token_of_somebody_else_is_refused_as_such(stage: Stage) -> None:
    """A portal that mixes users up: Alice's token, with Bob's address."""
    alice = stage.phone("alice")
    alice.page.pause("*/token")
    alice.log_in()

    alice.page.go_on(alice.page.next_paused(), {"sip_uri": "sip:bob@sip.example.com"})
    alice.until("refused")

    assert "does not speak for sip:bob@sip.example.com" in alice.text("#state-more")
    alice.photograph("refused-as-somebody-else")


def test_an_outage_of_the_service_is_told_and_it_comes_back_by_itself(stage: Stage) -> None:
    alice = stage.phone("alice").registered()
    workers = stage.softphone.service.workers

    workers.stop()
    try:
        alice.page.click("#renew")
        alice.until("unavailable")
        assert alice.text("#state") == "Service unavailable"
        alice.photograph("service-unavailable")
    finally:
        workers.start()

    alice.until("registered")
    assert len(alice.page.sockets) == 1


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [
        pytest.param("7", 7, id="as long as it is asked to"),
        pytest.param("86400", 120, id="no longer than two minutes"),
        pytest.param("2147484", 120, id="nor at once, as a timer of that many seconds would"),
        pytest.param("soon", 5, id="five seconds where no number is given"),
    ],
)
def test_it_waits_for_a_web_login_that_is_down(stage: Stage, retry_after: str, least: int) -> None:
    """And at most a second longer, so that not all phones come at once."""
    alice = stage.phone("alice").registered()
    alice.page.run("(window.timers = [], ((wait) => { window.setTimeout = (act, milliseconds) =>"
                   " (window.timers.push(milliseconds), wait(act, milliseconds)); })(window.setTimeout))")  # fmt: skip
    alice.page.pause("*/token")

    alice.page.click("#renew")
    alice.page.refuse(alice.page.next_paused(), 503, {"Retry-After": retry_after})
    alice.until("unavailable")

    waits = alice.page.run("window.timers")
    assert least * 1000 <= max(waits) <= (least + 1) * 1000
    assert alice.text("#life-text").startswith("Still registered, for")


@pytest.fixture(name="provider")
def _provider(softphone: Softphone) -> Provider:
    """An identity provider whose tokens the service takes, those of alice among them."""
    assert softphone.service.endpoint is not None
    provider = provider_at(softphone.service.endpoint, Desk(softphone.issuer.provisioning))
    provider.know(ALICES_LOGIN.tag, ALICES_LOGIN.name)
    return provider


def give(phone: Phone, token: str) -> None:
    """Have the portal's answer, the next or one that is held, bring this token, and hold the one that comes next."""
    phone.page.go_on(phone.page.next_paused(), {"token": token})
    phone.page.pause("*/token")


def test_a_login_that_is_new_waits_and_registers_by_itself(stage: Stage, provider: Provider) -> None:
    alice = stage.phone("alice")
    alice.page.pause("*/token")
    token = provider.token_of_a_new_key(ALICES_LOGIN)

    alice.log_in()
    give(alice, token)
    alice.until("waiting")
    assert re.fullmatch(r"Your login is new: registering in \d\d s", alice.text("#state"))
    assert alice.page.run("document.querySelector('#state-spoken').textContent") == (
        "Your login is new: registering by itself, shortly"
    )
    alice.photograph("waiting")
    provider.fetch()
    alice.page.run("window.ahead = 65_000")
    give(alice, token)

    alice.until("registered")
    assert len(alice.page.sockets) == 1


def test_a_wait_is_as_long_as_the_sip_server_says(stage: Stage, provider: Provider) -> None:
    """And no shorter: here no clock is put forward."""
    provider.fetch(seconds_ago=58)
    alice = stage.phone("alice")
    alice.page.pause("*/token")
    token = provider.token_of_a_new_key(ALICES_LOGIN)
    alice.log_in()
    give(alice, token)
    alice.until("waiting")
    began = time.monotonic()
    (answer,) = (message for message in alice.page.received if message.startswith("SIP/2.0 503 "))
    provider.fetch()

    give(alice, token)
    took = time.monotonic() - began
    alice.until("registered")

    (said,) = re.findall(r"^Retry-After: (\d+)\r$", answer, re.MULTILINE)
    assert 2 <= int(said) <= 4
    assert int(said) - 0.5 < took < int(said) + 5


def test_a_login_that_stays_new_is_told_and_stays_logged_in(stage: Stage, provider: Provider) -> None:
    alice = stage.phone("alice")
    alice.page.pause("*/token")
    token = provider.token_of_a_new_key(ALICES_LOGIN)

    alice.log_in()
    for tries in range(1, MAX_WAITS + 1):
        give(alice, token)
        alice.until("waiting")
        alice.page.run(f"window.ahead = {tries * 70_000}")
    give(alice, token)
    alice.until("refused")

    assert alice.text("#state-more") == "The SIP server still does not know the key of your login."
    assert alice.page.run("document.querySelector('#phone').checkVisibility()")
    alice.page.tell("Fetch.disable")
    alice.page.click("#renew")
    alice.until("registered")


def test_a_registration_goes_on_while_the_next_login_waits(stage: Stage, provider: Provider) -> None:
    alice = stage.phone("alice").registered()
    alice.page.pause("*/token")
    alice.page.click("#renew")

    give(alice, provider.token_of_a_new_key(ALICES_LOGIN))
    alice.until("waiting")

    assert alice.text("#life-text").startswith("Still registered, for")
    assert not alice.dial_is_off()


def test_a_lost_connection_is_told_and_made_again(stage: Stage) -> None:
    alice = stage.phone("alice").registered()

    stage.close_connections()
    alice.until("unreachable")
    alice.photograph("not-reachable")

    alice.until("registered")
    assert len(alice.page.sockets) == 2
    assert len(set(alice.tokens())) == 1


def test_a_call_goes_on_when_both_come_back_over_other_connections(stage: Stage) -> None:
    """And whoever hangs up then is heard: JsSIP's Contact is a GRUU, and it sends no re-INVITE by itself."""
    alice, bob = stage.phone("alice").registered(), stage.phone("bob").registered()
    alice.call("bob")
    bob.until_call("incoming")
    bob.page.click("#answer")
    alice.until_call("talking")
    bob.until_call("talking")

    stage.close_connections()
    for one in (alice, bob):
        one.page.wait_for("window.connectionsToServer.length === 2")
        one.until("registered")
    assert "In a call" in alice.text("#doing")
    bob.page.click("#hang-up")

    alice.until_text("#call-status", "The call with bob has ended.")


def test_a_token_that_was_good_once_is_replaced(stage: Stage) -> None:
    """Its secret was rotated out, which the phone learns when it connects again."""
    alice = stage.phone("alice").registered()

    stage.softphone.issuer.provisioning.secrets.rotate(tag_of("alice"), NewSecret(), overlap_seconds=0)
    stage.close_connections()
    alice.until("unreachable")
    alice.until("registered")

    assert "401" in alice.text("#notes")
    assert len(set(alice.tokens())) == 2


def test_a_token_for_who_has_logged_out_is_not_used_by_who_came_after(stage: Stage) -> None:
    """Its answer was slow, and comes first."""
    page = stage.browser.page()
    alice = phone_at(page, stage.softphone.url, "alice", stage.softphone.passwords["alice"])
    page.pause("*/token")
    alice.log_in()
    of_alice = page.next_paused()
    page.click("#log-out")
    page.wait_for("document.querySelector('#user').checkVisibility()")
    bob = Phone(page, "bob", stage.softphone.passwords["bob"])
    bob.log_in()
    of_bob = page.next_paused()

    page.let(of_alice)
    page.run("fetch('/icon.svg').then(() => new Promise((done) => setTimeout(done, 300)))")
    page.go_on(of_bob)
    bob.until("registered")

    assert bob.text("#address") == "bob@sip.example.com"
    assert bob.tokens()
    assert not [message for message in page.sent if ALICE in message]


def test_a_token_that_ended_before_it_was_used_is_replaced(stage: Stage) -> None:
    """It came while the connection was lost, which took longer than it lived."""
    alice = stage.phone("alice").registered()
    alice.page.pause("*/token")
    alice.page.click("#renew")
    token = alice.page.next_paused()
    alice.page.run("window.elsewhere = `ws://${location.host}/nothing`")
    stage.close_connections()
    alice.until("unreachable")
    alice.page.go_on(token)
    alice.page.wait_for("document.querySelector('#notes').innerText.split('token issued').length === 3")

    stage.softphone.issuer.provisioning.secrets.rotate(tag_of("alice"), NewSecret(), overlap_seconds=0)
    alice.page.run("window.ahead = 130_000")
    alice.page.run("window.elsewhere = undefined")
    alice.until("registered")

    assert len(set(alice.tokens())) == 3


def test_after_a_sleep_it_renews_at_once(stage: Stage) -> None:
    """Its timer slept, too: here the clock goes on without it."""
    alice = stage.phone("alice").registered()

    alice.page.run("window.ahead = 100_000")
    alice.page.wait_for(
        "[...document.querySelectorAll('#notes li')].filter("
        "({ innerText }) => innerText.includes('registered for')).length === 2"
    )

    assert len(set(alice.tokens())) == 2


def test_renewals_are_not_read_out(stage: Stage) -> None:
    """Only what changes of the registration is."""
    alice = stage.phone("alice").registered()
    alice.page.run(
        "(window.spoken = [], new MutationObserver((all) => all.forEach(({ target }) =>"
        " target.closest('[role=status]') && window.spoken.push(target.textContent)))"
        ".observe(document.body, { subtree: true, childList: true }))"
    )

    alice.renew()
    assert alice.page.run("window.spoken.join()") == ""

    with stage.switched_off("alice"):
        alice.page.click("#renew")
        alice.until("refused")
    assert "Refused" in alice.page.run("document.querySelector('#state-spoken').textContent")


INVITE = """\
INVITE {contact} SIP/2.0
Via: SIP/2.0/WS x.invalid;branch=z9hG4bK{number}
Max-Forwards: 70
To: <sip:alice@sip.example.com>
From: <{caller}>;tag=t{number}
Call-ID: {number}@elsewhere
CSeq: 1 INVITE
Contact: <sip:x@x.invalid;transport=ws>
Content-Length: 0

"""


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        ("sip:bob@sip.example.com", "bob"),
        ("sip:bob@SIP.EXAMPLE.COM", "bob"),
        ("sip:bob@elsewhere.example.net", "bob@elsewhere.example.net"),
        ("sip:elsewhere.example.net", "elsewhere.example.net"),
        ("sip:%E2%80%AEbob%0D%0A@sip.example.com", "\ufffdbob\ufffd\ufffd"),
    ],
)
def test_a_caller_of_another_domain_is_not_taken_for_a_colleague(stage: Stage, caller: str, shown: str) -> None:
    alice = stage.phone("alice").registered()
    invite = INVITE.format(contact=alice.contact(), number=len(caller), caller=caller).replace("\n", "\r\n")

    alice.receive(invite)
    alice.until_call("incoming")

    assert alice.text("#peer") == shown
    assert alice.page.run("document.title") == f"{shown} is calling · Softphone"
    alice.page.click("#decline")
    alice.until_text("#call-status", shown)


def test_a_call_that_another_phone_answers_is_not_missed(stage: Stage) -> None:
    alice = stage.phone("alice").registered()
    one, other = stage.phone("bob").registered(), stage.phone("bob").registered()
    alice.call("bob")
    one.until_call("incoming")
    other.until_call("incoming")

    other.page.click("#answer")

    one.until_text("#call-status", "Another phone answered the call from alice.")
    alice.until_call("talking")


def test_a_phone_in_a_call_is_busy(stage: Stage) -> None:
    """Whoever calls it is told so at once, and the call that goes on is none the worse."""
    other, alice, bob = (stage.phone(user).registered() for user in ("alice", "alice", "bob"))
    alice.call("bob")
    bob.until_call("incoming")
    bob.page.click("#answer")
    bob.until_call("talking")

    other.call("bob")
    other.until_text("#call-status", "bob is busy.")

    assert [message for message in bob.page.sent if message.startswith("SIP/2.0 486 ")]
    assert bob.text("#doing").startswith("In a call")
    assert bob.text("#peer") == "alice"
    assert bob.energy_heard() > SOUND


def test_holding_enter_calls_once(stage: Stage) -> None:
    """And does not hang up with the button that comes under it."""
    alice, bob = stage.phone("alice").registered(), stage.phone("bob").registered()
    alice.page.type("#target", "bob")

    alice.page.press("Enter", times=4)
    bob.until_call("incoming")
    alice.until_call("ringing")

    assert alice.focus() == "hang-up"


@pytest.mark.parametrize(("where", "then"), [("renew", "renew"), ("notes", "notes"), ("target", "answer")])
def test_a_call_that_comes_in_takes_the_focus_of_nobody_who_uses_it(stage: Stage, where: str, then: str) -> None:
    """Or the key that is being pressed would answer it."""
    alice, bob = stage.phone("alice").registered(), stage.phone("bob").registered()
    bob.page.run(f"document.querySelector('#{where}').focus()")

    alice.call("bob")
    bob.until_call("incoming")

    assert bob.focus() == then
    assert bob.page.run("document.querySelector('#answer').getAttribute('aria-describedby')") == "peer doing"


def test_the_keyboard_is_enough(stage: Stage) -> None:
    """From the login to the end of a call, without a click; what has the focus can be seen."""
    bob = stage.phone("bob").registered()
    alice = stage.phone("alice")
    alice.page.run("document.body.focus()")

    alice.page.press("Tab")
    assert alice.focus() == "user"
    alice.page.write("alice")
    alice.page.press("Tab")
    assert alice.focus() == "password"
    alice.page.write(alice.password)
    alice.page.press("Tab")
    assert alice.focus() == "Log in"
    assert alice.page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    alice.page.press("Enter")
    alice.until("registered")
    assert alice.focus() == "target"
    alice.page.write("bob")
    alice.page.press("Tab")
    assert alice.focus() == "dial-button"
    alice.page.press("Tab", shift=True)
    alice.page.press("Enter")
    bob.page.wait_for("document.activeElement.id === 'answer'")
    assert alice.focus() == "hang-up"
    bob.page.press("Space")
    alice.until_call("talking")
    alice.page.press("Tab", shift=True)
    assert alice.focus() == "mute"
    alice.page.press("Space")
    alice.page.wait_for("document.querySelector('#mute').getAttribute('aria-pressed') === 'true'")
    alice.page.press("Tab")
    alice.page.press("Enter")
    bob.until_text("#call-status", "The call with alice has ended.")
    alice.page.wait_for("document.activeElement.id === 'target'")


def test_no_token_is_where_it_could_be_read(stage: Stage) -> None:
    """Not in the page, its address, its storage or its console, and in no log; not even where somebody debugs."""
    alice = stage.phone("alice")
    alice.page.run("localStorage.setItem('debug', '*')")
    alice.reload()
    alice.registered()
    alice.renew()
    alice.renew()

    tokens = alice.tokens()
    places = alice.page.run(
        "[document.documentElement.outerHTML, location.href, document.cookie,"
        " JSON.stringify(sessionStorage), JSON.stringify(localStorage)].join()"
    )
    written = [places, *alice.page.printed, *alice.page.requests, Path(stage.softphone.service.log).read_text("utf-8")]
    written.append(stage.softphone.kamailio.log.read_text("utf-8"))

    assert len(tokens) == 3
    assert alice.page.printed == []
    assert not [token for token in tokens for text in written if token in text]
    assert not any(url.startswith("http") and not url.startswith(stage.softphone.url) for url in alice.page.requests)
