"""The `LOAD_CREDENTIALS` grammar, and picking what it names from a profile."""

from decimal import Decimal

import pytest

from auth_jwt.credentials import RESERVED_NAMES, Credential, load_credentials, parse_credentials

# -- the grammar ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\t\n"], ids=repr)
def test_blank_text_asks_for_nothing(text: str) -> None:
    assert parse_credentials(text) == ()


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("column", [("column", "column")]),
        ("$avp(name)=column", [("name", "column")]),
        ("$avp(extra)=a;b", [("extra", "a"), ("b", "b")]),
        ("a;b;$avp(c)=a", [("a", "a"), ("b", "b"), ("c", "a")]),
        (" $avp( name ) = column ; other\t", [("name", "column"), ("other", "other")]),
        ("$avp(\tname\n)=\ncolumn", [("name", "column")]),
        ("my-col.umn_1", [("my-col.umn_1",) * 2]),
        ("größe", [("größe", "größe")]),
        ("Name;name", [("Name", "Name"), ("name", "name")]),
        ("a,b", [("a,b", "a,b")]),
        ("avp", [("avp", "avp")]),
        ("$avp(avp)=sip_username", [("avp", "sip_username")]),
    ],
)
def test_credentials_are_read_in_their_order(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_credentials(text) == tuple(Credential(name, column) for name, column in pairs)


@pytest.mark.parametrize(
    "text",
    [
        ";",
        "a;",
        ";a",
        "a;;b",
        "a; ;b",
        "$avp()=a",
        "$avp( )=a",
        "$avp(a)=",
        "$avp(a)= ",
        "$avp(a)",
        "$avp(a",
        "$avp a=b",
        "$avp (a)=b",
        "$ avp(a)=b",
        "avp(a)=b",
        "$AVP(a)=b",
        "$var(a)=b",
        "a=b",
        "=b",
        "$a",
        "a b",
        "$avp(a b)=c",
        "$avp(a)=b c",
        "$avp(a)=$avp(b)",
        "$avp(a)==b",
        "$avp((a))=b",
    ],
)
def test_anything_else_is_malformed_and_the_message_shows_the_part(text: str) -> None:
    with pytest.raises(ValueError, match=r"is neither `\$avp\(NAME\)=column` nor `column`"):
        parse_credentials(text)


@pytest.mark.parametrize("text", ["a;a", "a;$avp(a)=b", "$avp(x)=a; b ;$avp( x )=c"])
def test_a_name_is_given_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the name '[ax]' is given twice$"):
        parse_credentials(text)


def test_a_column_may_be_given_twice() -> None:
    assert [credential.name for credential in parse_credentials("$avp(a)=c;$avp(b)=c;c")] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name", ["sip_username", "decoded_token", "expires_at", "claims", "principalId", "integrationLatency"]
)
def test_names_that_mean_something_else_are_reserved(name: str) -> None:
    for text in (name, f"$avp({name})=column", f"a;{name}"):
        with pytest.raises(ValueError, match=f"^the name '{name}' is reserved$"):
            parse_credentials(text)

    assert parse_credentials(f"$avp(other)={name}") == (Credential("other", name),)


def test_no_other_name_is_reserved() -> None:
    assert len(RESERVED_NAMES) == 6
    assert parse_credentials("Claims;code")[1] == Credential("code", "code")


# -- picking ----------------------------------------------------------------------------------------------------------

ASKED = (Credential("one", "a"), Credential("two", "b"))


@pytest.mark.parametrize(
    "value",
    ["text", " ", "0", True, False, Decimal(0), Decimal(1099511627776), Decimal("0.10000000000000000000000000001")],
    ids=repr,
)
def test_text_numbers_and_booleans_are_taken_as_they_are(value: object) -> None:
    loaded, unusable = load_credentials(ASKED, {"a": value})

    assert repr(loaded) == repr({"one": value})
    assert unusable == ()


@pytest.mark.parametrize("attributes", [{}, {"a": None}, {"a": ""}, {"one": "by its name"}], ids=repr)
def test_missing_null_and_empty_are_left_out_in_silence(attributes: dict[str, object]) -> None:
    assert load_credentials(ASKED, attributes) == ({}, ())
    assert load_credentials(ASKED, {**attributes, "b": "kept"}) == ({"two": "kept"}, ())


@pytest.mark.parametrize("value", [b"bytes", {"a"}, ["a"], {"a": 1}, [], {}], ids=repr)
def test_other_types_are_left_out_and_named(value: object) -> None:
    assert load_credentials(ASKED, {"a": value, "b": "kept"}) == ({"two": "kept"}, ("one",))


def test_what_is_not_asked_for_stays_in_the_table() -> None:
    assert load_credentials(ASKED, {"b": "y", "password": "hunter2", "a": "x"}) == ({"one": "x", "two": "y"}, ())
