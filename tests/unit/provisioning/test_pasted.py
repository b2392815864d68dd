"""The token in what people paste."""

import json
from urllib.parse import quote

import pytest

from auth_jwt.provisioning.pasted import Pasted, is_token, key_pasted_as_token, read_pasted
from tests.factories import a_jwk, a_token, an_oct_jwk, private_pem, public_der, public_pem

TOKEN = a_token()
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
WRAPPED = "\n  ".join(TOKEN[start : start + 40] for start in range(0, len(TOKEN), 40))


@pytest.mark.parametrize(
    ("text", "removed", "spoils"),
    [
        (TOKEN, (), ()),
        (f"  {TOKEN}\r\n", (), ()),
        (f"Bearer {TOKEN}", ("`Bearer`",), ()),
        (f"bearer   {TOKEN}", ("`Bearer`",), ()),
        (f"Authorization: Bearer {TOKEN}", ("`Authorization:`", "`Bearer`"), ()),
        (f"proxy-authorization:Bearer {TOKEN}", ("`Proxy-Authorization:`", "`Bearer`"), ()),
        (f"-H 'Authorization: Bearer {TOKEN}'", ("`Authorization:`", "`Bearer`", "quotes"), ("quotes",)),
        (f'"{TOKEN}"', ("quotes",), ("quotes",)),
        (f"\u201c{TOKEN}\u201d", ("quotes",), ("quotes",)),
        (f'"{TOKEN}",', ("quotes", "a comma or semicolon at its end"), ("quotes", "a comma or semicolon at its end")),
        (WRAPPED, ("line breaks and blanks",), ("line breaks and blanks",)),
        (f"Bearer {WRAPPED}", ("`Bearer`", "line breaks and blanks"), ("line breaks and blanks",)),
        (TOKEN.replace(".", ".\\n"), ("line breaks and blanks",), ("line breaks and blanks",)),
        (f"\ufeff{TOKEN}", ("invisible characters",), ("invisible characters",)),
        (TOKEN.replace(".", "\u200b."), ("invisible characters",), ("invisible characters",)),
        (TOKEN.replace(".", "%2E"), ("URL encoding",), ("URL encoding",)),
        (quote(f"Bearer {TOKEN}"), ("URL encoding", "`Bearer`"), ("URL encoding",)),
        (f"access_token={TOKEN}", ("`access_token=`",), ()),
        (f"?jwt_token={TOKEN}", ("`jwt_token=`",), ()),
        (f"Authorization: token={TOKEN}", ("`Authorization:`", "`token=`"), ()),
        (json.dumps({"jwt_token": TOKEN, "from_user": "alice"}), ("JSON around it",), ()),
        (json.dumps({"access_token": TOKEN, "expires_in": 300}), ("JSON around it",), ()),
        (json.dumps({"id_token": TOKEN}), ("JSON around it",), ()),
        (json.dumps({"token": TOKEN}), ("JSON around it",), ()),
    ],
)
def test_the_token_is_found_and_what_was_around_it_is_named(
    text: str, removed: tuple[str, ...], spoils: tuple[str, ...]
) -> None:
    assert read_pasted(text) == Pasted(TOKEN, removed, spoils)


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_pasted_is_an_empty_token(text: str) -> None:
    assert read_pasted(text) == Pasted("")


@pytest.mark.parametrize("text", ["Bearer", "%", "%%%2", "{", '{"jwt_token": 1}', "....", "\\", "\"'"])
def test_other_text_ends_somewhere(text: str) -> None:
    assert len(read_pasted(text).token) <= len(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (private_pem(), "this is a PRIVATE KEY"),
        (private_pem("p256"), "this is a PRIVATE KEY"),
        (public_pem(), "this is a public key"),
        (CERTIFICATE, "this is a certificate"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM5lK somebody@example.org", "this is a public key"),
        (json.dumps(a_jwk()), "this is a public key"),
        (json.dumps({**a_jwk(), "d": "AQAB"}), "this is a PRIVATE KEY"),
        (json.dumps(an_oct_jwk()), "this is an HMAC secret"),
        (json.dumps({"keys": [a_jwk()]}), "this is a key set"),
        (json.dumps({"keys": []}), "this is a key set"),
        (json.dumps({"keys": ["x", a_jwk(), {**a_jwk(), "d": "AQAB"}, an_oct_jwk()]}), "this is a PRIVATE KEY"),
        (json.dumps({"keys": [a_jwk(), an_oct_jwk()]}), "this is an HMAC secret"),
        (f"{CERTIFICATE}\n{private_pem()}", "this is a PRIVATE KEY"),
        (f"{public_pem()}\n{CERTIFICATE}", "this is a public key"),
        ("\ufeff ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHA somebody@example.org", "this is a public key"),
        (json.dumps({**an_oct_jwk(), "keys": []}), "this is an HMAC secret"),
        (public_der().hex(), "this is a key (base64 or hex)"),
    ],
)
def test_a_key_is_told_from_a_token_and_a_private_one_from_a_public_one(text: str, said: str) -> None:
    told = key_pasted_as_token(text)

    assert str(told).startswith(said)
    assert read_pasted(text).removed == ()


@pytest.mark.parametrize(
    "text",
    [
        *(TOKEN, "", "a.b.c", "nonsense", "{}", f"Bearer {TOKEN}", "x" * 100_000),
        pytest.param('{"a":' * 100_000, id="nested as deep as nobody reads"),
        pytest.param(a_token(header={"jwk": a_jwk()}), id="a token that brings its key along"),
    ],
)
def test_other_text_is_no_key(text: str) -> None:
    assert key_pasted_as_token(text) is None


def test_a_pasted_token_shows_nothing() -> None:
    assert TOKEN not in repr(read_pasted(f"Bearer {TOKEN}"))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param(TOKEN, True, id="token"),
        pytest.param(f"Authorization: Bearer {TOKEN}", True, id="header field"),
        pytest.param(f"{TOKEN.partition('.')[0]}.a.b.c.d", True, id="five parts, as if encrypted"),
        pytest.param(f"{TOKEN}.a", False, id="four parts"),
        pytest.param("example.t1.alice", False, id="a tag with dots"),
        pytest.param(f"e30.{TOKEN.partition('.')[0]}.a", False, id="no alg in its header"),
    ],
)
def test_a_token_is_told_from_other_text_by_its_parts_and_its_header(text: str, is_one: bool) -> None:
    assert is_token(text) is is_one
