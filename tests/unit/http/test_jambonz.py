"""What a jambonz authenticator asks, and until when it may register somebody."""

import json
import math
from typing import Any

import pytest

from auth_jwt.errors import Denied, Reason
from auth_jwt.http.jambonz import Hook, permission
from auth_jwt.http.wire import Ambiguous, Malformed

SECOND = 1_750_000_000
NOW = SECOND + 0.25


def hook(**members: Any) -> Hook:
    """A stock REGISTER of Alice, with *members* instead of its own; Ellipsis leaves one out."""
    parties = {"from": "<sip:alice@a.example>;tag=1", "to": "<sip:alice@a.example>", "call-id": "x@y"}
    own = {"method": "REGISTER", "headers": parties, "expires": 3600, "username": "a.b.c", "realm": "a.example"}
    return Hook.from_members({name: value for name, value in {**own, **members}.items() if value is not ...})


def headers(**fields: object) -> dict[str, object]:
    return {"from": "sip:alice@a.example", "to": "sip:alice@a.example", **fields}


# -- the token, and whose request it is -------------------------------------------------------------------------------


def test_a_stock_hook_has_its_token_as_username_and_its_user_in_the_headers() -> None:
    asked = hook()

    assert (asked.token, asked.user, asked.domain, asked.call_id) == ("a.b.c", "alice", "a.example", "x@y")


def test_beside_jwt_token_the_username_is_the_user() -> None:
    asked = hook(jwt_token="x.y.z", username="alice", headers=...)

    assert (asked.token, asked.user, asked.domain) == ("x.y.z", "alice", "a.example")


@pytest.mark.parametrize("token", ["jwt_token", "username"])
def test_the_token_is_not_in_its_repr(token: str) -> None:
    assert "a.b.c" not in repr(hook(**{"username": "alice", token: "a.b.c"}))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"headers": headers(to="sip:bob@a.example")}, id="To is another"),
        pytest.param({"headers": headers(**{"from": "sip:bob@a.example"})}, id="From is another"),
        pytest.param({"jwt_token": "x.y.z", "username": "bob"}, id="username is another"),
    ],
)
def test_a_request_that_names_two_users_is_nobodys(members: dict[str, Any]) -> None:
    assert hook(**members).user == ""


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"realm": "b.example"}, id="realm"),
        pytest.param({"headers": headers(to="sip:alice@b.example")}, id="To"),
        pytest.param({"headers": headers(**{"from": "sip:alice@b.example"})}, id="From"),
    ],
)
def test_a_request_that_names_two_domains_is_of_none(members: dict[str, Any]) -> None:
    assert hook(**members).domain == ""


def test_domains_are_compared_without_regard_to_case() -> None:
    assert hook(realm="A.Example", headers=headers(to="sip:alice@a.EXAMPLE")).domain == "a.example"


def test_to_counts_in_a_register_only() -> None:
    called = headers(to="sip:bob@b.example")

    assert hook(method="INVITE", headers=called).user == "alice"
    assert hook(method="REGISTER", headers=called).user == ""


@pytest.mark.parametrize(
    "value",
    [
        "sip:alice@a.example",
        "sips:alice@a.example:5061",
        "<sip:alice@a.example>",
        'Alice <sip:alice@a.example;transport=tcp>;tag=1;x="y"',
        '"Alice, A." <sip:alice@a.example:5060>  ;tag=1',
        "  <sip:alice@a.example?x=y>",
        "sip:alice@a.example;tag=1",
        "<SIP:alice@A.example>",
        "SIP:alice@A.example",
    ],
)
def test_a_plain_from_is_read(value: str) -> None:
    asked = hook(headers=headers(**{"from": value}))

    assert (asked.user, asked.domain) == ("alice", "a.example")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('"<sip:alice@a.example>" <sip:bob@a.example>', id="a URI in the display name"),
        pytest.param("<sip:alice@a.example>, <sip:bob@a.example>", id="two fields joined"),
        pytest.param("<sip:alice@a.example>;x=<sip:bob@a.example>", id="a URI in a parameter"),
        pytest.param("<sip:alice:secret@a.example>", id="a password"),
        pytest.param("<sip:alice@a.example@b.example>", id="two hosts"),
        pytest.param("<sip:a.example>", id="no user"),
        pytest.param("<tel:+15551234>", id="no SIP"),
        pytest.param("<sip:alice@a.example", id="not closed"),
        pytest.param("<sip:al ice@a.example>", id="a blank"),
        pytest.param("<sip:alice@>", id="no host"),
        pytest.param("<sip:alice@bücher.example>", id="letters that no host has"),
        pytest.param("sip:alice@bücher.example", id="the same without brackets"),
        pytest.param("", id="empty"),
        pytest.param("<sip:alice@a.example>\nX: y", id="a line break"),
    ],
)
def test_whatever_two_readers_could_read_differently_is_nobodys(value: str) -> None:
    asked = hook(headers=headers(**{"from": value}))

    assert (asked.user, asked.domain) == ("", "")


def test_an_escaped_user_is_not_unescaped() -> None:
    """It is registered as it stands, so it is compared as it stands."""
    escaped = headers(**{"from": "sip:%61lice@a.example", "to": "sip:%61lice@a.example"})

    assert hook(headers=escaped).user == "%61lice"


def test_a_call_id_is_handed_on_as_it_is() -> None:
    """What of it the log may have, is for the log's report to say."""
    assert hook(headers=headers(**{"call-id": "a\nb"})).call_id == "a\nb"


@pytest.mark.parametrize("realm", ["\u212apn.example", "kpn.example"])
def test_a_domain_is_folded_in_ascii_alone(realm: str) -> None:
    """U+212A, the Kelvin sign, is no `k`."""
    parties = {"from": "sip:alice@KPN.example", "to": "sip:alice@kpn.EXAMPLE"}

    assert hook(realm=realm, headers=parties).domain == ("kpn.example" if realm.isascii() else "")


def test_headers_that_name_a_member_twice_name_nobody_for_sure() -> None:
    parties = Ambiguous({"from": "sip:alice@a.example", "to": "sip:alice@a.example"})

    with pytest.raises(Malformed, match=r"^headers names a member twice$"):
        hook(headers=parties)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"method": ...}, id="no method"),
        pytest.param({"method": 7}, id="method is a number"),
        pytest.param({"jwt_token": None}, id="jwt_token is null"),
        pytest.param({"username": []}, id="username is a list"),
        pytest.param({"realm": {}}, id="realm is an object"),
        pytest.param({"expires": "3600"}, id="expires is text"),
        pytest.param({"expires": True}, id="expires is a boolean"),
        pytest.param({"headers": "from: x"}, id="headers is text"),
        pytest.param({"headers": {"from": "sip:alice@a.example"}}, id="no To"),
        pytest.param({"headers": {"from": 7, "to": "x"}}, id="From is a number"),
        pytest.param({"headers": ...}, id="a token as username, and nobody named"),
        pytest.param({"headers": ..., "username": ...}, id="nobody at all"),
        pytest.param({"headers": ..., "username": ..., "jwt_token": "x.y.z"}, id="a token, and nobody named"),
    ],
)
def test_what_is_no_question_is_not_decided(members: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        hook(**members)


# -- how long ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "left", "granted_"),
    [
        pytest.param(3600, 7200, 3600, id="as asked"),
        pytest.param(3600, 3601, 3600, id="just enough"),
        pytest.param(3600, 3600, 3599, id="a fraction of a second too little"),
        pytest.param(3600, 2, 1, id="a second left"),
        pytest.param(60.9, 7200, 60, id="a fraction asked"),
        pytest.param(None, 7200, 7199, id="not said how long"),
        pytest.param(1, 7200, 1, id="a second asked"),
        pytest.param(math.inf, 7200, 7199, id="a number beyond a double"),
    ],
)
def test_no_registration_outlives_the_token(asked: float | None, left: int, granted_: int) -> None:
    assert hook(expires=asked).seconds_granted(SECOND + left, NOW) == granted_


def test_with_less_than_a_second_left_nobody_is_registered() -> None:
    """For 0 jambonz would grant all that was asked."""
    with pytest.raises(Denied) as caught:
        hook().seconds_granted(SECOND + 1, NOW)

    assert caught.value.reason is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"expires": 0}, id="the end of a registration"),
        pytest.param({"expires": -1}, id="less than nothing"),
        pytest.param({"expires": -math.inf}, id="beyond a double, less than nothing"),
        pytest.param({"method": "INVITE", "expires": None}, id="a call"),
        pytest.param({"method": "INVITE", "expires": 3600}, id="a call that names a time"),
    ],
)
def test_where_nothing_is_registered_no_time_is_granted(members: dict[str, Any]) -> None:
    assert hook(**members).seconds_granted(SECOND, NOW) is None


def test_the_answer_is_that_of_authorize_with_two_members_in_front() -> None:
    answer = '{"code":1,"expires_at":7}'

    assert json.loads(permission(answer, 60)) == {"status": "ok", "expires": 60, "code": 1, "expires_at": 7}
    assert json.loads(permission(answer, None)) == {"status": "ok", "code": 1, "expires_at": 7}
