"""`auth-jwt page`: only its own page may have requests signed, and only those that it makes."""

import secrets
from typing import Any

import pytest

from auth_jwt_cli.page.guard import MAX_BODY_BYTES, REQUESTS, BrowserRequest, Guard, NotOurs, length_of_body
from tests.fakes import compared_by

KEY = "the-key-of-this-start"
OWN = {"host": ["127.0.0.1:4711"], "x-auth-jwt-page": [KEY], "sec-fetch-site": ["same-origin"]}


def asked(target: str = "/admin/deployment", method: str = "GET", **headers: Any) -> BrowserRequest:
    """A request of the page, with other values for some headers; None leaves one out."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**OWN, **{name: value if isinstance(value, list) else [value] for name, value in given.items()}}
    return BrowserRequest(method, target, {name: values for name, values in merged.items() if values != [None]})


def signed(request: BrowserRequest) -> str:
    return Guard(4711, KEY).signable(request)


def refusal(request: BrowserRequest) -> int:
    with pytest.raises(NotOurs) as refused:
        signed(request)
    assert KEY not in str(refused.value)
    return refused.value.status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:4711"},
        {"origin": "http://127.0.0.1:4711"},
        {"host": "localhost:4711", "origin": "http://localhost:4711"},
        {"sec_fetch_site": None},
    ],
)
def test_the_page_may_ask(headers: dict[str, Any]) -> None:
    assert signed(asked(**headers)) == "/admin/deployment"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"host": "evil.example:4711"}, 421, id="a name that was bound to this address"),
        pytest.param({"host": "127.0.0.1:4712"}, 421, id="another port"),
        pytest.param({"host": "127.0.0.1"}, 421, id="no port"),
        pytest.param({"host": None}, 421, id="no host"),
        pytest.param({"host": ["127.0.0.1:4711", "evil.example"]}, 400, id="two hosts"),
        pytest.param({"origin": "https://evil.example"}, 403, id="a page from elsewhere"),
        pytest.param({"origin": "null"}, 403, id="a page from nowhere"),
        pytest.param({"origin": "http://127.0.0.1:4712"}, 403, id="a page of another port"),
        pytest.param({"origin": "https://127.0.0.1:4711"}, 403, id="another scheme"),
        pytest.param({"origin": "http://localhost:4711"}, 403, id="its other name"),
        pytest.param({"sec_fetch_site": "cross-site"}, 403, id="another site"),
        pytest.param({"sec_fetch_site": "same-site"}, 403, id="another port, as browsers call it"),
        pytest.param({"sec_fetch_site": "none"}, 403, id="an address that somebody typed"),
        pytest.param({"x_auth_jwt_page": None}, 403, id="no key"),
        pytest.param({"x_auth_jwt_page": ""}, 403, id="an empty key"),
        pytest.param({"x_auth_jwt_page": KEY[:-1]}, 403, id="a key cut off"),
        pytest.param({"x_auth_jwt_page": [KEY, KEY]}, 400, id="two keys"),
        pytest.param({"x_auth_jwt_page": "ключ"}, 403, id="a key of other letters"),
    ],
)
def test_nobody_else_may_ask(headers: dict[str, Any], status: int) -> None:
    assert refusal(asked(**headers)) == status


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_what_the_page_asks_is_signed(method: str, path: str) -> None:
    target = path.replace("*", "a%2Fb")

    assert signed(asked(target, method)) == target


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/admin/profiles/alice"),
        ("PATCH", "/admin/profiles/alice"),
        ("POST", "/admin/profiles"),
        ("POST", "/admin/profiles/alice/rotate"),
        ("POST", "/admin/profiles/alice/secrets"),
        ("GET", "/admin/issuers"),
        ("GET", "/admin/swagger"),
        ("GET", "/admin/profiles/alice/"),
        ("GET", "/admin/profiles/alice/secrets/"),
        ("GET", "/admin//profiles/alice"),
        ("GET", "/v1/admin/profiles/alice"),
        ("HEAD", "/admin/deployment"),
    ],
)
def test_what_the_page_never_asks_is_not_signed(method: str, target: str) -> None:
    assert refusal(asked(target, method)) in (400, 403)


@pytest.mark.parametrize(
    ("target", "canonical"),
    [
        ("/admin/profiles/alice-web", "/admin/profiles/alice-web"),
        ("/admin/profiles/a'(b)*c!", "/admin/profiles/a%27%28b%29%2Ac%21"),
        ("/admin/profiles/%61lice", "/admin/profiles/alice"),
        ("/admin/profiles/a%2fb", "/admin/profiles/a%2Fb"),
        ("/admin/profiles/%E2%80%AE", "/admin/profiles/%E2%80%AE"),
        ("/admin/profiles/a%20b~c_d", "/admin/profiles/a%20b~c_d"),
        ("/admin/profiles?username=a'b&cursor=x%3D", "/admin/profiles?username=a%27b&cursor=x%3D"),
        ("/admin/profiles?username=a+b", "/admin/profiles?username=a%20b"),
        ("/admin/profiles?username=", "/admin/profiles?username="),
        ("/admin/profiles?username", "/admin/profiles?username="),
        ("/admin/profiles?", "/admin/profiles"),
    ],
)
def test_a_path_is_signed_in_the_one_form_without_a_second_reading(target: str, canonical: str) -> None:
    assert signed(asked(target)) == canonical


@pytest.mark.parametrize(
    "target",
    [
        *("/admin/profiles/..", "/admin/profiles/%2e%2e", "/admin/profiles/%2E", "/admin/profiles/../profiles"),
        *(
            "/admin/profiles/a b",
            "/admin/profiles/a%2",
            "/admin/profiles/é",
            "/admin/profiles/a\\b",
            "/admin/profiles/a\r\nb",
        ),
        *("http://127.0.0.1:4711/admin/profiles/alice", "//evil.example/admin/profiles/alice", "*", ""),
        *("/admin/profiles?username=a b", "/admin/profiles?=&=#"),
    ],
)
def test_an_odd_path_is_not_signed(target: str) -> None:
    assert refusal(asked(target)) in (400, 403)


def test_the_key_of_the_page_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = compared_by(secrets, monkeypatch)

    assert refusal(asked(x_auth_jwt_page=KEY[::-1])) == 403
    assert compared == [(KEY[::-1].encode(), KEY.encode())]


def a_body(**headers: Any) -> BrowserRequest:
    return asked("/admin/explain", "POST", content_type="application/json", **headers)


@pytest.mark.parametrize("length", [0, 1, MAX_BODY_BYTES])
def test_a_body_has_a_length(length: int) -> None:
    assert length_of_body(a_body(content_length=str(length))) == length


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (a_body(content_length=str(MAX_BODY_BYTES + 1)), 413),
        (a_body(content_length="-1"), 400),
        pytest.param(a_body(content_length="9" * 5000), 400, id="more digits than Python reads as a number"),
        (a_body(content_length="1_0"), 400),
        (a_body(content_length="٣"), 400),
        (a_body(content_length=["3", "4"]), 400),
        (a_body(transfer_encoding="chunked"), 411),
        (asked("/admin/explain", "POST", content_length="3", content_type="text/plain"), 415),
        (asked("/admin/explain", "POST", content_length="3"), 415),
    ],
)
def test_a_body_that_is_none_is_refused(request_: BrowserRequest, status: int) -> None:
    """Such as one that another page could send without asking for leave."""
    with pytest.raises(NotOurs) as refused:
        length_of_body(request_)

    assert refused.value.status == status
