"""How a row becomes a noun: however odd the row, it is one; and what a noun shows of itself."""

from decimal import Decimal

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.credentials import Credential
from auth_jwt.errors import Flaw
from auth_jwt.models import Columns, Policy, Profile, Report, Secret, TagRows, Unusable, fold_domain
from tests.factories import HMAC_KEY, NOW, public_pem

RENAMED = Columns(
    username="user",
    domain="realm",
    disabled="off",
    valid_after="since",
    secret="key",
    start="from",
    end="until",
    alg="algorithms",
    kid="key_id",
)


def test_columns_are_named_as_in_the_modules_schema() -> None:
    assert Columns() == Columns(
        tag="tag",
        username="sip_username",
        domain="sip_domain",
        disabled="disabled",
        valid_after="tokens_valid_after",
        secret_tag="corresponding_tag",
        secret="secret",
        start="start_ts",
        end="end_ts",
        alg="alg",
        kid="kid",
    )


@pytest.mark.parametrize("noun", [Columns, Policy, Authorizer], ids=lambda noun: noun.__name__)
def test_what_has_many_fields_alike_is_made_by_their_names(noun: type) -> None:
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        noun("tag")


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_is_read_from_the_columns_that_the_operator_named() -> None:
    row = {
        "id": "7",
        "key": HMAC_KEY,
        "from": Decimal(1),
        "until": Decimal(2),
        "algorithms": "HS256, HS512",
        "key_id": "a",
        # what the columns would be called otherwise
        "secret": "x",
        "start_ts": Decimal(3),
        "end_ts": Decimal(4),
        "alg": "x",
        "kid": "x",
    }

    assert Secret.from_row(row, RENAMED) == Secret(
        "7", HMAC_KEY, Decimal(1), Decimal(2), frozenset({"HS256", "HS512"}), "a", None
    )


def test_a_row_without_anything_is_a_secret_that_verifies_nothing() -> None:
    secret = Secret.from_row({}, Columns())

    assert secret == Secret("", None, None, None)
    assert secret.unusable == Unusable(Flaw.NOT_TEXT, "not text")
    assert secret.keys == ()
    assert not secret.is_open(NOW)


@pytest.mark.parametrize("value", ["1", True, None, 1, 1.5, [Decimal(1)]], ids=repr)
def test_only_the_stores_numbers_are_bounds(value: object) -> None:
    secret = Secret.from_row({"start_ts": value, "end_ts": value}, Columns())

    assert (secret.start, secret.end) == (None, None)


def test_a_bound_far_away_stays_as_the_table_has_it() -> None:
    """It is shown to operators, and as a whole number it would have 126 digits."""
    secret = Secret.from_row({"start_ts": Decimal(NOW), "end_ts": Decimal("1E+125")}, Columns())

    assert (str(secret.start), str(secret.end)) == (str(NOW), "1E+125")


@pytest.mark.parametrize("column", ["alg", "kid"])
@pytest.mark.parametrize("value", [None, True, Decimal(1), {"a"}, ["HS256"]], ids=repr)
def test_a_secret_whose_alg_or_kid_is_not_text_has_a_flaw_whatever_its_key(column: str, value: object) -> None:
    secret = Secret.from_row({"secret": HMAC_KEY, column: value}, Columns())

    flaw = {"alg": Flaw.MALFORMED_ALG, "kid": Flaw.MALFORMED_KID}[column]
    assert secret.unusable == Unusable(flaw, f"its '{column}' is not text")
    assert (secret.algorithms, secret.kid) == (None, None)


@pytest.mark.parametrize("alg", ["", " ", ",", "none", "hs256", "HS265", "HS256 HS384"], ids=repr)
def test_an_alg_column_that_names_no_algorithm_is_a_flaw(alg: str) -> None:
    secret = Secret.from_row({"secret": HMAC_KEY, "alg": alg}, Columns())

    assert secret.unusable == Unusable(Flaw.MALFORMED_ALG, "its 'alg' names no algorithm")


def test_an_alg_column_may_name_others_beside_ours() -> None:
    secret = Secret.from_row({"secret": HMAC_KEY, "alg": "ES256K, HS256"}, Columns())

    assert secret.unusable is None
    assert secret.algorithms == frozenset({"ES256K", "HS256"})


@pytest.mark.parametrize("stored", [None, True, Decimal(1), b"key", ["key"]], ids=repr)
def test_what_is_stored_but_is_not_text_is_not_even_remembered(stored: object) -> None:
    assert Secret.from_row({"secret": stored}, Columns()).stored is None


def test_a_secrets_keys_are_parsed_once() -> None:
    secret = Secret("1", public_pem(), None, None)

    assert secret.keys is secret.keys
    assert secret.unusable is None


@pytest.mark.parametrize(
    ("start", "end"), [(None, Decimal(NOW + 1)), (Decimal(NOW - 1), None), (None, None)], ids=["start", "end", "both"]
)
def test_a_missing_bound_is_never_open(start: Decimal | None, end: Decimal | None) -> None:
    assert not Secret("1", HMAC_KEY, start, end).is_open(NOW)


def test_a_secret_does_not_show_what_it_holds() -> None:
    assert HMAC_KEY not in repr(Secret("1", HMAC_KEY, None, None))


# -- profiles ---------------------------------------------------------------------------------------------------------


def test_a_profile_is_read_from_the_columns_that_the_operator_named() -> None:
    row = {
        "user": "alice",
        "realm": "example.com",
        "off": True,
        "since": Decimal(9),
        "level": Decimal(3),
        "sip_username": "x",
        "sip_domain": "x",
        "disabled": False,
        "tokens_valid_after": Decimal(1),
    }

    assert Profile.from_row(row, RENAMED, (Credential("l", "level"),)) == Profile(
        "alice", "example.com", disabled=True, valid_after=Decimal(9), attributes={"level": Decimal(3)}
    )


def test_a_row_without_anything_is_a_profile_of_nobody() -> None:
    assert Profile.from_row({}, Columns(), ()) == Profile(None)


def test_a_profile_keeps_only_what_is_asked_for() -> None:
    row = {"sip_username": "alice", "password": "hunter2", "a": "x", "b": None}
    asked = (Credential("one", "a"), Credential("two", "a"), Credential("three", "b"), Credential("four", "c"))

    assert Profile.from_row(row, Columns(), asked).attributes == {"a": "x", "b": None}


def test_a_profile_does_not_show_its_attributes() -> None:
    profile = Profile("alice", attributes={"password": "hunter2"})

    assert "hunter2" not in repr(profile)


# -- weight -----------------------------------------------------------------------------------------------------------


def test_rows_weigh_at_least_what_their_text_occupies() -> None:
    """What bounds the memory: every secret, every byte of its text and of the attributes counts, with room to spare."""
    profile = Profile("alice", attributes={"a": "x" * 100, "b": Decimal(12345)})
    secrets = (Secret("1", "k" * 1100, None, None), Secret("2", None, None, None))

    assert TagRows().weight == 1280
    assert TagRows(secrets=secrets[1:]).weight == 1280 + 1024
    assert TagRows(profile=profile).weight == 1280 + 4 * 105
    assert TagRows(profile, secrets).weight == 1280 + 2 * 1024 + 8 * 1100 + 4 * 105


@pytest.mark.parametrize("text", ['{"keys":[]}', ' \n{"kty":"oct"}'])
def test_a_key_set_weighs_more_than_other_text(text: str) -> None:
    """Its keys become objects larger than what it says of them."""
    assert TagRows(secrets=(Secret("1", text, None, None),)).weight == 1280 + 1024 + 32 * len(text)


# -- Call-IDs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept", "altered"),
    [
        ("a@b", "a@b", False),
        ("x" * 128, "x" * 128, False),
        ("x" * 129, "x" * 128, True),
        ("a\x01b\u202ec\ud800", "abc", True),
        ("\x01" * 100 + "x" * 200, "x" * 128, True),
        ("\x01", None, True),
        (7, "7", True),
        (1.5, "1.5", True),
        (["a"], None, True),
        (b"a", None, True),
        (None, None, False),
        ("", None, False),
    ],
)
def test_a_report_keeps_what_a_log_may_have_of_a_call_id(given: object, kept: str | None, altered: bool) -> None:
    report = Report()

    report.note_call_id(given)

    assert (report.call_id, report.call_id_altered) == (kept, altered)


@pytest.mark.parametrize(
    ("domain", "folded"),
    [
        ("SIP.Example-AZ", "sip.example-az"),
        ("@[`{", "@[`{"),
        ("\u212aÜAZ", "\u212aÜaz"),
        ("\u0130\u017f", "\u0130\u017f"),
        ("", ""),
    ],
)
def test_only_the_ascii_letters_of_a_domain_are_folded(domain: str, folded: str) -> None:
    assert fold_domain(domain) == folded
