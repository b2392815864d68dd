"""The admin page in a real browser, over `auth-jwt page` and an API that verifies signatures and judges policies."""

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.e2e.accessibility import axe, barriers
from tests.e2e.admin.conftest import ADMIN, READER, SUPPORT, AddressOf, OpenAs
from tests.e2e.admin.iam_gateway import ACCOUNT, REGION, IamGateway
from tests.e2e.browser import Browser, Page
from tests.e2e.serve.serving import serving
from tests.factories import json_octets, segment
from tools.events.provisioning_events import PROFILES, Case, asking
from tools.events.stage import ROOT
from tools.serve.gateway import HttpAnswer

PICTURES: Final = ROOT / "build" / "admin-page"
MOST_TABS: Final = 60
DAY: Final = 86_400

HOSTILE: Final = "<img src=x onerror='window.hacked=1'>\u202egpj.exe\u202c \u200b\u0007\"&quot;`${1}` "
"""Markup, an override of direction, a character without width, a control, quotes, and a blank at the end."""

_numbers = count()


def done(gateway: IamGateway, method: str, path: str, body: object = None) -> Any:
    """Ask the function itself, past the page."""
    answer = gateway.ask(Case("a-test", "", asking(method, path, body), 0).event())
    assert answer.status in (200, 201, 204), answer.body
    return answer.body


@pytest.fixture(name="tag")
def _tag(gateway: IamGateway) -> str:
    """A user of this test alone, whose only secret ends in five days."""
    tag = f"olivia-{next(_numbers)}"
    secret = {"id": "2026-11", "end_ts": int(time.time()) + 5 * DAY}
    attributes = {"caller_name": "Olivia", "account_id": 2**63 - 1}
    new = {"tag": tag, "sip_username": f"u-{tag}", "sip_domain": "example.org", "attributes": attributes}
    done(gateway, "POST", PROFILES, {**new, "secret": secret})
    return tag


def user_at(tag: str) -> str:
    return f"#/user/{quote(tag, safe='')}"


def shown_user(open_as: OpenAs, person: Any, tag: str) -> Page:
    page = open_as(person, user_at(tag))
    page.wait_for("document.querySelector('#lifetime') !== null && document.activeElement.localName === 'h1'")
    return page


def text_of(page: Page, selector: str = "main") -> str:
    return str(page.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))


def reach(page: Page, name: str, *, backwards: bool = False) -> None:
    """Press Tab until what has the keyboard is called *name*."""
    script = "(e => e.labels?.[0]?.innerText ?? e.innerText)(document.activeElement)"
    for _ in range(MOST_TABS):
        page.press("Tab", shift=backwards)
        if str(page.run(script)).strip() == name:
            return
    raise AssertionError(f"{name!r} cannot be reached by the keyboard")


def agree(page: Page, name: str) -> None:
    """Answer the question on the page with its button called *name*, by the keyboard."""
    page.wait_for("document.querySelector('#ask').open")
    assert page.run("document.activeElement.innerText") == "Cancel"
    reach(page, name)
    page.press("Enter")


def told(page: Page, words: str) -> str:
    """Wait until the notice has these *words*, and return all of it; the keyboard is there."""
    page.wait_for(f"document.querySelector('#notice').innerText.includes({json.dumps(words)})")
    assert page.run("document.activeElement.id") == "notice"
    return text_of(page, "#notice")


def profile_of(gateway: IamGateway, tag: str) -> Any:
    return done(gateway, "GET", f"{PROFILES}/{tag}")


# --- where, and who ---------------------------------------------------------------------------------------------------


def test_it_says_where_it_is_and_who_acts(open_as: OpenAs) -> None:
    page = open_as(SUPPORT)

    where = text_of(page, "#where")
    assert page.run("document.querySelector('#where').dataset.kind") == "live"
    assert all(part in where for part in ("LIVE", ACCOUNT, REGION, "stack auth-jwt", SUPPORT.arn))
    assert page.run("document.title").endswith("(live)")
    assert page.complaints == []


def test_the_key_of_the_start_leaves_the_address_and_a_reload_works(open_as: OpenAs, address_of: AddressOf) -> None:
    page = open_as(SUPPORT)
    key = address_of(SUPPORT).partition("#start=")[2]

    assert page.run("location.hash") == "#/users"
    page.tell("Page.reload")
    page.wait_for("document.querySelector('#where')?.dataset.kind === 'live'")

    assert all(key not in url for url in page.requests[1:])
    assert page.run("[Object.keys(localStorage), Object.keys(sessionStorage), document.cookie].flat().join()") == ""


def test_a_window_takes_the_address_of_a_new_start(open_as: OpenAs, address_of: AddressOf) -> None:
    """As after `auth-jwt page` was started again at the same port."""
    page = open_as(SUPPORT)
    page.run("history.replaceState({ key: 'of an old start' }, '')")
    page.tell("Page.reload")
    page.wait_for("document.querySelector('#where')?.innerText.includes('not known')")

    page.run(f"location.hash = {json.dumps(address_of(SUPPORT).partition('#')[2])}")

    page.wait_for("document.querySelector('#where')?.dataset.kind === 'live'")
    assert page.run("location.hash") == "#/users"


def test_a_window_without_the_key_can_do_nothing(browser: Browser, address_of: AddressOf, gateway: IamGateway) -> None:
    page = browser.page()
    before = len(gateway.asked)
    page.open(address_of(SUPPORT).partition("#")[0])
    page.wait_for("document.querySelector('#where')?.innerText.includes('not known')")

    assert "open the address that it printed" in text_of(page, "#where")
    assert gateway.asked[before:] == []
    page.close()


# --- every task, by the keyboard --------------------------------------------------------------------------------------


def test_a_user_is_found_by_tag(open_as: OpenAs, tag: str) -> None:
    page = open_as(READER)

    assert page.run("document.activeElement.id") == "query"
    page.write(tag)
    page.press("Enter")
    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('One user')")
    reach(page, tag)
    page.press("Enter")
    page.wait_for("document.querySelector('#lifetime') !== null")

    shown = text_of(page)
    assert all(word in shown for word in ("enabled", f"u-{tag}@example.org", str(2**63 - 1), "2026-11", "scrypt:"))
    assert "ends in 5 days, and no other follows" in shown
    assert page.complaints == []


@pytest.mark.parametrize("text", ["u-{tag}", "u-{tag}@example.org", "sip:u-{tag}@EXAMPLE.org"])
def test_a_user_is_found_by_sip_user(open_as: OpenAs, tag: str, text: str) -> None:
    page = open_as(READER)

    page.write(text.format(tag=tag))
    page.press("Enter")

    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('One user')")
    assert page.run("document.activeElement.id") == "found-title"
    reach(page, tag)


def test_all_devices_of_a_user_are_found(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    done(gateway, "POST", PROFILES, {"tag": f"{tag}-desk", "sip_username": f"u-{tag}", "disabled": True})
    page = open_as(READER)

    page.write(f"u-{tag}")
    page.press("Enter")

    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('2 users')")
    assert "disabled" in text_of(page, "#found")


@pytest.mark.parametrize(("down", "text"), [(1, "u-{tag}-d"), (2, "{tag}-d")], ids=["of the SIP user", "of the tag"])
def test_a_user_is_found_by_a_beginning(open_as: OpenAs, gateway: IamGateway, tag: str, down: int, text: str) -> None:
    done(gateway, "POST", PROFILES, {"tag": f"{tag}-desk", "sip_username": f"u-{tag}-desk"})
    page = open_as(READER)

    page.write(text.format(tag=tag))
    reach(page, "What was typed")
    for _ in range(down):
        page.press("ArrowDown")
    reach(page, "Find", backwards=True)
    page.press("Enter")

    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('One user')")
    assert f"{tag}-desk" in text_of(page, "#found")


def test_users_are_found_by_their_state(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    done(gateway, "POST", f"{PROFILES}/{tag}/disable")
    page = open_as(READER, f"#/users/{tag}/tag/disabled")

    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('One user')")
    page.run(f"location.hash = '#/users/{tag}/tag/enabled'")
    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('Nobody found')")
    page.run("location.hash = '#/users//is/disabled'")
    page.wait_for("document.querySelector('#found ul') !== null")
    assert tag in text_of(page, "#found")


def test_nobody_found_is_said(open_as: OpenAs) -> None:
    page = open_as(READER)

    page.write("nobody-at-all")
    page.press("Enter")

    page.wait_for("document.querySelector('#found h2')?.innerText.startsWith('Nobody found')")
    assert page.run("document.querySelector('#said').innerText") == "0 users found."


def test_an_empty_search_is_not_sent(open_as: OpenAs) -> None:
    page = open_as(READER)

    page.press("Enter")

    assert text_of(page, "#query-wrong") == "Type whom to look for, or choose a state."
    assert page.run("document.activeElement.id") == "query"


def test_a_user_is_disabled_and_that_is_undone(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Disable")
    page.press("Enter")
    page.wait_for("document.querySelector('#ask').open")
    question = text_of(page, "#ask")
    agree(page, "Disable")
    notice = told(page, "is disabled")

    assert all(part in question for part in (tag, f"u-{tag}@example.org", "LIVE", ACCOUNT, SUPPORT.arn))
    assert "within 60 seconds" in notice
    assert profile_of(gateway, tag)["disabled"] is True
    reach(page, "Undo")
    page.press("Enter")
    told(page, "is enabled again")
    assert profile_of(gateway, tag)["disabled"] is False


@pytest.mark.parametrize("way_out", ["Enter", "Escape"], ids=["by Cancel, which has the keyboard", "by Escape"])
def test_a_question_that_is_not_agreed_to_changes_nothing(
    open_as: OpenAs, gateway: IamGateway, tag: str, way_out: str
) -> None:
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Disable")
    page.press("Enter")
    page.wait_for("document.querySelector('#ask').open")
    page.press(way_out)
    page.wait_for("!document.querySelector('#ask').open")

    assert page.run("document.activeElement.innerText") == "Disable"
    assert profile_of(gateway, tag)["disabled"] is False


def test_a_disabled_user_is_enabled(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    done(gateway, "PATCH", f"{PROFILES}/{tag}", {"disabled": True})
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Enable")
    page.press("Enter")
    agree(page, "Enable")

    told(page, "is enabled")
    assert profile_of(gateway, tag)["disabled"] is False


def test_all_tokens_are_revoked_and_that_is_undone(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Revoke all tokens")
    page.press("Space")
    agree(page, "Revoke all tokens")
    told(page, "are revoked")

    assert profile_of(gateway, tag)["tokens_valid_after"] == pytest.approx(time.time(), abs=30)
    reach(page, "Undo")
    page.press("Enter")
    told(page, "work again")
    assert profile_of(gateway, tag)["tokens_valid_after"] is None


def test_an_earlier_bound_is_not_said_to_be_undone(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    done(gateway, "POST", f"{PROFILES}/{tag}/revocations", {"before": 1_700_000_000})
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Revoke all tokens")
    page.press("Enter")
    agree(page, "Revoke all tokens")

    assert "cannot be undone in one step" in told(page, "are revoked")
    assert "Undo" not in text_of(page, "#notice")


def test_one_token_is_revoked_by_its_id_and_that_is_undone(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Revoke one token, by its jti")
    page.write("a token/with a slash")
    page.press("Enter")
    agree(page, "Revoke it")
    told(page, "is revoked")

    listed = done(gateway, "GET", f"{PROFILES}/{tag}/revocations")["revocations"]
    assert [one["jti"] for one in listed] == ["a token/with a slash"]
    reach(page, "Undo")
    page.press("Enter")
    told(page, "works again")
    assert done(gateway, "GET", f"{PROFILES}/{tag}/revocations")["revocations"] == []


def test_a_revoked_token_is_let_in_again(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    done(gateway, "POST", f"{PROFILES}/{tag}/revocations", {"jti": "c0ffee"})
    page = shown_user(open_as, SUPPORT, tag)

    reach(page, "Let it work again")
    page.press("Enter")
    agree(page, "Let it work")

    told(page, "c0ffee works again")
    assert done(gateway, "GET", f"{PROFILES}/{tag}/revocations")["revocations"] == []


def test_a_token_is_minted_explained_and_revoked(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)
    gateway.lines.clear()

    reach(page, "Mint a test token")
    page.press("Enter")
    agree(page, "Mint it")
    page.wait_for("document.querySelector('#minted') !== null")
    token = page.run("document.querySelector('#minted').value")
    reach(page, "Explain it")
    page.press("Enter")
    page.wait_for("document.querySelector('#verdict') !== null")

    assert text_of(page, "#verdict") == "The service would accept it"
    assert "signed this token" in text_of(page)
    reach(page, "Revoke this token")
    page.press("Enter")
    agree(page, "Revoke it")
    told(page, "is revoked")
    (mint,) = [json.loads(line) for line in gateway.lines if '"token.mint"' in line]
    assert (mint["actor"], mint["tag"], mint["secret"]) == (SUPPORT.arn, tag, "2026-11")
    assert all(token not in url for url in page.requests)
    assert all(token.rpartition(".")[2] not in line for line in gateway.lines)


def test_a_minted_token_is_gone_when_one_leaves(open_as: OpenAs, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)
    reach(page, "Mint a test token")
    page.press("Enter")
    agree(page, "Mint it")
    page.wait_for("document.querySelector('#minted') !== null")
    token = page.run("document.querySelector('#minted').value")

    page.run("location.hash = '#/users'")
    page.wait_for("document.querySelector('#query') !== null")
    page.run("history.back()")
    page.wait_for("document.querySelector('#lifetime') !== null")

    assert token not in page.run("document.documentElement.outerHTML")
    assert token not in page.run("JSON.stringify(history.state)")


def test_a_pasted_header_is_explained_and_says_what_to_do(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    minted = done(gateway, "POST", f"{PROFILES}/{tag}/tokens", {})
    done(gateway, "PATCH", f"{PROFILES}/{tag}", {"disabled": True})
    page = open_as(READER, "#/explain")
    page.wait_for("document.activeElement.id === 'token'")
    gateway.lines.clear()

    page.write(f"Authorization: Bearer {minted['token']}")
    reach(page, "Explain")
    page.press("Enter")
    page.wait_for("document.querySelector('#verdict') !== null")

    assert text_of(page, "#verdict") == "The service would refuse it: disabled profile"
    assert "What to do: " in text_of(page)
    assert "Read without `Authorization:` and `Bearer`" in text_of(page)
    assert minted["token"] not in "".join(gateway.lines)
    assert page.run("document.activeElement.id") == "verdict"


@pytest.mark.parametrize("forged", [True, False], ids=["with another exp", "as it was"])
def test_a_revocation_ends_by_an_exp_that_somebody_signed_alone(
    open_as: OpenAs, gateway: IamGateway, tag: str, forged: bool
) -> None:
    """Otherwise a made-up early one would let the revocation be forgotten before the real token ends."""
    minted = done(gateway, "POST", f"{PROFILES}/{tag}/tokens", {"lifetime_seconds": 3600})
    header, payload, signature = minted["token"].split(".")
    if forged:
        claims = {"tag": tag, "jti": minted["jti"], "exp": int(time.time()) + 60}
        payload = segment(json_octets(claims))
    page = open_as(SUPPORT, "#/explain")
    page.wait_for("document.activeElement.id === 'token'")

    page.write(f"{header}.{payload}.{signature}")
    reach(page, "Explain")
    page.press("Enter")
    page.wait_for("document.querySelector('#verdict') !== null")
    reach(page, "Revoke this token")
    page.press("Enter")
    page.wait_for("document.querySelector('#ask').open")
    warned = "Its signature was not verified" in text_of(page, "#ask")
    agree(page, "Revoke it")
    told(page, "is revoked")

    (revoked,) = done(gateway, "GET", f"{PROFILES}/{tag}/revocations")["revocations"]
    assert (revoked["jti"], warned) == (minted["jti"], forged)
    assert (revoked["expires_at"] is None) is forged


# --- what does not go well --------------------------------------------------------------------------------------------


def test_a_role_without_the_permission_is_told_which(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, READER, tag)

    for button, yes, words in (
        ("Disable", "Disable", "Your role may not disable users"),
        ("Mint a test token", "Mint it", "Your role may not mint tokens"),
        ("Revoke all tokens", "Revoke all tokens", "Your role may not revoke tokens"),
    ):
        reach(page, button)
        page.press("Enter")
        agree(page, yes)
        assert "execute-api:Invoke on POST/admin/profiles/*/" in told(page, words)
    assert profile_of(gateway, tag)["disabled"] is False


def test_a_change_by_somebody_else_is_shown_and_nothing_is_done(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)
    change = {"attributes": {"caller_name": "Olivia B.", "vip": True}}
    done(gateway, "PATCH", f"{PROFILES}/{tag}", change)

    reach(page, "Disable")
    page.press("Enter")
    agree(page, "Disable")
    notice = told(page, "nothing was done")

    assert "Olivia → Olivia B." in notice
    assert "none → true" in notice
    assert profile_of(gateway, tag)["disabled"] is False
    reach(page, "Disable")
    page.press("Enter")
    agree(page, "Disable")
    told(page, "is disabled")


def a_problem(status: int, kind: str, headers: Any = ()) -> HttpAnswer:
    """An answer of the request 4711 that says what went wrong."""
    problem = {"type": f"urn:auth-jwt:problem:{kind}", "status": status, "instance": "urn:request:4711"}
    return HttpAnswer(status, [("Content-Type", "application/problem+json"), *headers], json.dumps(problem).encode())


@pytest.mark.parametrize(
    ("status", "kind", "headers", "words"),
    [
        (500, "fault", (), "The service failed, which is not your fault"),
        (503, "unavailable", (), "The tables do not answer now"),
        (504, "gateway-timeout", (), "took too long"),
        (429, "too-many-requests", (), "no more requests for the moment"),
        (403, "forbidden", (("x-amzn-ErrorType", "ExpiredTokenException"),), "Your login with AWS has expired"),
        (403, "forbidden", (("x-amzn-ErrorType", "InvalidSignatureException"),), "does not accept the signature"),
    ],
)
def test_failures_are_told_in_words(
    open_as: OpenAs, gateway: IamGateway, tag: str, status: int, kind: str, headers: Any, words: str
) -> None:
    page = shown_user(open_as, SUPPORT, tag)

    gateway.breaks = a_problem(status, kind, headers)
    try:
        reach(page, "Disable")
        page.press("Enter")
        agree(page, "Disable")
        notice = told(page, words)
    finally:
        gateway.breaks = None

    assert "4711" in notice
    assert ("look before you do it again" in notice) is (status >= 500)


@pytest.mark.parametrize(
    ("button", "typed", "yes"),
    [("Disable", "", "Disable"), ("Revoke one token, by its jti", "c0ffee", "Revoke it")],
    ids=["of a disabled user", "of a revoked token"],
)
def test_an_undo_that_fails_names_the_request(
    open_as: OpenAs, gateway: IamGateway, tag: str, button: str, typed: str, yes: str
) -> None:
    """Whoever reads the log looks for it, as for any other failure."""
    page = shown_user(open_as, SUPPORT, tag)
    reach(page, button)
    page.write(typed)
    page.press("Enter")
    agree(page, yes)
    told(page, "d. It works within")

    gateway.breaks = a_problem(500, "fault")
    try:
        reach(page, "Undo")
        page.press("Enter")
        notice = told(page, "The service failed")
    finally:
        gateway.breaks = None

    assert "4711" in notice


def test_an_answer_that_is_no_json_is_a_failure(open_as: OpenAs, gateway: IamGateway, tag: str) -> None:
    page = shown_user(open_as, SUPPORT, tag)
    gateway.breaks = HttpAnswer(200, [("Content-Type", "text/html")], b"<h1>A captive portal</h1>")
    try:
        reach(page, "Disable")
        page.press("Enter")
        agree(page, "Disable")
        told(page, "it does not answer with JSON")
    finally:
        gateway.breaks = None
    harmless(page)


# --- hostile values ---------------------------------------------------------------------------------------------------


@pytest.fixture(name="hostile")
def _hostile(gateway: IamGateway) -> Iterator[str]:
    tag = f"{HOSTILE}{next(_numbers)}"
    new = {
        "tag": tag,
        "sip_username": f"user{HOSTILE}",
        "sip_domain": f"domain{HOSTILE}",
        "attributes": {f"name{HOSTILE}": f"value{HOSTILE}", "long": "x" * 5000},
        "secret": {"id": f"id{HOSTILE}", "kid": f"kid{HOSTILE}", "end_ts": int(time.time()) + DAY},
    }
    done(gateway, "POST", PROFILES, new)
    done(gateway, "POST", f"{PROFILES}/{quote(tag, safe='')}/revocations", {"jti": f"jti{HOSTILE}"})
    yield tag
    done(gateway, "DELETE", f"{PROFILES}/{quote(tag, safe='')}")


def harmless(page: Page) -> None:
    """Check that no value became markup, and that what cannot be seen is shown by its number."""
    assert page.run("window.hacked ?? null") is None
    assert page.run("document.querySelectorAll('main img, main script, main svg, dialog img, #where img').length") == 0
    raw = page.run("[...document.body.innerText].filter(c => /[\\u202a-\\u202e\\u2066-\\u2069\\u200b\\u0007]/.test(c))")
    assert raw == []
    assert not [one for one in page.complaints if "Failed to load resource" not in one]


def test_hostile_values_are_text_and_their_odd_characters_have_numbers(
    open_as: OpenAs, gateway: IamGateway, hostile: str
) -> None:
    page = shown_user(open_as, SUPPORT, hostile)

    shown = text_of(page)
    assert "<img src=x onerror='window.hacked=1'>U+202Egpj.exeU+202C U+200BU+0007" in shown
    for part in ("user", "domain", "name", "value", "id", "jti"):
        assert f"{part}<img src=x" in shown
    assert "1000 characters more" in shown
    harmless(page)
    assert page.run("document.title").startswith("<img src=x onerror='window.hacked=1'>[U+202E]")
    reach(page, "Disable")
    page.press("Enter")
    page.wait_for("document.querySelector('#ask').open")
    harmless(page)
    agree(page, "Disable")
    told(page, "is disabled")
    harmless(page)
    assert profile_of(gateway, quote(hostile, safe=""))["disabled"] is True


def test_hostile_claims_are_text(open_as: OpenAs, gateway: IamGateway, hostile: str) -> None:
    claims = {f"claim{HOSTILE}": [HOSTILE, {HOSTILE: 2**62}], "jti": f"other{HOSTILE}"}
    minted = done(gateway, "POST", f"{PROFILES}/{quote(hostile, safe='')}/tokens", {"claims": claims})
    page = open_as(SUPPORT, "#/explain")
    page.wait_for("document.activeElement.id === 'token'")

    page.write(minted["token"])
    reach(page, "Explain")
    page.press("Enter")
    page.wait_for("document.querySelector('#contents') !== null")

    shown = text_of(page)
    assert "claim<img src=x" in shown
    assert str(2**62) in shown
    harmless(page)


def test_a_hostile_address_is_text(open_as: OpenAs) -> None:
    page = open_as(SUPPORT, f"#/user/{quote(HOSTILE, safe='')}")

    page.wait_for("document.querySelector('.told.bad') !== null")

    assert "there is no profile" in text_of(page).lower()
    harmless(page)


@pytest.mark.parametrize(
    ("tag", "words"),
    [(".", "No browser can ask for"), ("..", "No browser can ask for"), ("%E0%A4%A", "There is no profile '%E0%A4%A'")],
)
def test_a_name_that_cannot_be_asked_for_is_said(open_as: OpenAs, tag: str, words: str) -> None:
    page = open_as(SUPPORT, f"#/user/{tag}")

    page.wait_for("document.querySelector('.told.bad') !== null")

    assert words in text_of(page)


def test_its_policy_holds_scripts_and_markup_off(open_as: OpenAs) -> None:
    """So the policy is one that the browser takes, Trusted Types included."""
    page = open_as(SUPPORT)

    page.run("try { document.body.innerHTML = '<b>x</b>'; window.hacked = 1 } catch {}")
    page.run("document.body.setAttribute('style', 'color: red')")
    page.run("1")

    assert page.run("window.hacked ?? null") is None
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


# --- for everybody ----------------------------------------------------------------------------------------------------


def places(page: Page, tag: str) -> Iterator[str]:
    """Bring the page into each of its states."""
    page.wait_for("document.querySelector('#query') !== null")
    yield "users"
    page.press("Enter")
    yield "users-wrong"
    page.write(tag)
    page.press("Enter")
    page.wait_for("document.querySelector('#found h2') !== null")
    yield "found"
    page.run(f"location.hash = {json.dumps(user_at(tag))}")
    page.wait_for("document.querySelector('#lifetime') !== null && document.activeElement.localName === 'h1'")
    yield "user"
    reach(page, "Disable")
    page.press("Enter")
    page.wait_for("document.querySelector('#ask').open")
    yield "question"
    agree(page, "Disable")
    told(page, "is disabled")
    yield "disabled"
    reach(page, "Undo")
    page.press("Enter")
    told(page, "is enabled again")
    reach(page, "Mint a test token")
    page.press("Enter")
    agree(page, "Mint it")
    page.wait_for("document.querySelector('#minted') !== null")
    yield "minted"
    reach(page, "Explain it")
    page.press("Enter")
    page.wait_for("document.querySelector('#verdict') !== null")
    yield "explained"


@pytest.mark.parametrize("person", [ADMIN, READER], ids=lambda person: person.name)
def test_nothing_keeps_anybody_out(open_as: OpenAs, gateway: IamGateway, tag: str, person: Any) -> None:
    """axe-core finds nothing in light and dark, wide and 320 pixels wide, and nothing scrolls sideways."""
    if person is READER:
        page = shown_user(open_as, READER, tag)
        reach(page, "Disable")
        page.press("Enter")
        agree(page, "Disable")
        told(page, "Your role may not")
        assert barriers(page) == []
        return
    found = {}
    page = open_as(person)
    for place in places(page, tag):
        found[place] = barriers(page)
        for scheme, width in (("light", 1100), ("dark", 1100), ("light", 320), ("dark", 320)):
            page.looks(width=width, scheme=scheme, still=True)
            page.photograph(PICTURES / f"{place}-{width}-{scheme}.png")
        page.looks()

    assert {place: some for place, some in found.items() if some} == {}


def test_hostile_values_do_not_widen_it(open_as: OpenAs, hostile: str) -> None:
    page = shown_user(open_as, SUPPORT, hostile)

    assert barriers(page) == []


# --- make serve -------------------------------------------------------------------------------------------------------


def test_make_serve_gives_it_without_signing(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "log", ADMIN="1", WORKERS="1", REVOCATIONS_TABLE="jwt_revocations") as service:
        page = browser.page()
        page.open(f"{service.url}/admin/page#/user/alice-web")
        page.wait_for("document.querySelector('#lifetime') !== null")

        assert page.run("document.querySelector('#where').dataset.kind") == "local"
        assert "LOCAL" in text_of(page, "#where")
        assert "alice@sip.example.com" in text_of(page)
        assert page.complaints == []
        assert axe(page) == []
        page.close()
