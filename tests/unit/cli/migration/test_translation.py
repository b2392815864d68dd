"""What a source's row becomes here: nothing is trimmed, nothing guessed, nothing dropped in silence."""

from decimal import Decimal

import pytest

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.translation import MAX_ITEM_BYTES, Translation, Unstorable, size_of
from tests.migration_sources import FAR, a_source_profile, a_source_secret, target_row, translated, without_key


def refusal(values: dict[str, object], table: Table = Table.SECRETS) -> tuple[str, str]:
    """The rule by which a row is refused, and why."""
    with pytest.raises(Unstorable) as caught:
        target_row(values, table)
    return caught.value.finding.rule.id, caught.value.finding.why


def profile_value(value: object, **layout: object) -> object:
    """What a further column of a profile holds here; None when it is left out."""
    return translated(a_source_profile(further=value), Table.PROFILES, **layout).get("further")


def test_a_secret_has_its_id_as_text_and_its_bounds_as_numbers() -> None:
    row = target_row(a_source_secret("  k \n", id=7))

    assert row.key == Key(Table.SECRETS, "t1", "7")
    assert row.columns == {
        "corresponding_tag": "t1",
        "id": "7",
        "secret": "  k \n",
        "start_ts": Decimal(1),
        "end_ts": Decimal(FAR),
    }


def test_a_profile_keeps_all_its_columns() -> None:
    row = target_row(a_source_profile(display_name="Alice"), Table.PROFILES)

    assert row.key == Key(Table.PROFILES, "t1")
    assert row.columns == {"id": Decimal(1), "tag": "t1", "sip_username": "alice", "display_name": "Alice"}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (None, None),
        ("", ""),
        ("  ", "  "),
        ("007", "007"),
        (7, Decimal(7)),
        (Decimal("1.50"), Decimal("1.50")),
        (0.1, Decimal("0.1")),
        (True, True),
        (False, False),
        (b"text", "text"),
        (b"\xff\xfe", {"B": b"\xff\xfe"}),
        (memoryview(b"text"), "text"),
        ("caf\udce9", {"B": b"caf\xe9"}),
    ],
)
def test_values_stay_what_they_are(value: object, becomes: object) -> None:
    found = profile_value(value)

    assert (type(found), found) == (type(becomes), becomes)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("12", Decimal(12)),
        ("-1.5", Decimal("-1.5")),
        ("1e3", Decimal(1000)),
        (" 12", " 12"),
        ("12x", "12x"),
        ("1_000", "1_000"),
        ("", ""),
        ("NaN", "NaN"),
        ("\u0661", "\u0661"),
    ],
)
def test_text_that_is_a_number_becomes_one_only_where_that_is_said(text: str, becomes: object) -> None:
    found = profile_value(text, number_columns=frozenset({"further"}))

    assert (type(found), found) == (type(becomes), becomes)
    assert profile_value(text) == text
    assert translated(a_source_secret(start_ts=text))["start_ts"] == becomes


@pytest.mark.parametrize(
    ("text", "becomes"), [("t", True), ("true", True), ("f", False), ("false", False), ("yes", "yes")]
)
def test_text_that_is_a_boolean_becomes_one_only_where_that_is_said(text: str, becomes: object) -> None:
    assert profile_value(text, boolean_columns=frozenset({"further"})) == becomes
    assert profile_value(text) == text
    assert translated(a_source_profile(disabled=text), Table.PROFILES)["disabled"] == becomes


@pytest.mark.parametrize(("text", "becomes"), [("0", Decimal(0)), ("1", Decimal(1)), ("no", "no")])
def test_disabled_is_a_number_where_it_spells_one(text: str, becomes: object) -> None:
    """As text, `0` would disable the profile."""
    assert translated(a_source_profile(disabled=text), Table.PROFILES)["disabled"] == becomes


@pytest.mark.parametrize(("identifier", "text"), [(7, "7"), ("007", "007"), (Decimal("1E+2"), "100"), (b"ab", "ab")])
def test_an_id_is_text_with_one_spelling(identifier: object, text: str) -> None:
    assert target_row(a_source_secret(id=identifier)).key.id == text


@pytest.mark.parametrize(
    "secret", [a_source_secret(id=None), a_source_secret(id=""), without_key(a_source_secret(), "id")]
)
def test_an_id_that_is_missing_is_left_to_the_ledger(secret: dict[str, object]) -> None:
    row = target_row(secret)

    assert row.key.id is None
    assert "id" not in row.columns


def test_a_tag_that_is_a_number_becomes_text() -> None:
    assert target_row(a_source_profile(tag=15), Table.PROFILES).columns["tag"] == "15"


@pytest.mark.parametrize(("number", "text"), [(4930123, "4930123"), (Decimal("1E+2"), "100"), (0, "0")])
def test_a_username_or_domain_that_is_a_number_becomes_text(number: object, text: str) -> None:
    """Phone numbers are kept in columns of integers, and a username that is no text lets nobody in."""
    row = translated(a_source_profile(sip_username=number, sip_domain=number), Table.PROFILES)

    assert (row["sip_username"], row["sip_domain"]) == (text, text)


def test_columns_of_secrets_that_are_called_so_stay_numbers() -> None:
    assert translated(a_source_secret(sip_username=5))["sip_username"] == Decimal(5)


@pytest.mark.parametrize("secret", [123456789012345678, Decimal("1.5"), 0, True])
def test_a_secret_that_is_no_text_is_refused(secret: object) -> None:
    """It would be no key here; and it is not empty."""
    assert refusal(a_source_secret(secret))[0] == "not-text"


@pytest.mark.parametrize("tag", [None, ""])
def test_a_row_without_a_tag_is_refused(tag: object) -> None:
    assert refusal(a_source_profile(tag=tag), Table.PROFILES)[0] == "no-tag"
    assert refusal(a_source_secret(corresponding_tag=tag))[0] == "no-tag"


@pytest.mark.parametrize("column", ["corresponding_tag", "id", "secret"])
def test_a_key_or_a_secret_of_other_bytes_is_refused(column: str) -> None:
    assert refusal(a_source_secret(**{column: b"\xff"}))[0] == "not-text"


def test_a_row_that_could_not_be_read_is_refused() -> None:
    with pytest.raises(Unstorable) as caught:
        Translation(SourceLayout(), Columns()).of(SourceRow(Table.SECRETS, "line 3", flaw="2 fields for 3 columns"))

    finding = caught.value.finding
    assert (finding.rule.id, finding.place, finding.why) == (
        "malformed-row",
        "line 3",
        "It has 2 fields for 3 columns.",
    )


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        pytest.param(Decimal("9" * 38), True, id="38 digits"),
        pytest.param(Decimal("9" * 39), False, id="39 digits"),
        pytest.param(Decimal("9" * 38 + "000"), True, id="zeros at the end do not count"),
        pytest.param(Decimal("1E+125"), True, id="125 zeros"),
        pytest.param(Decimal("1E+126"), False, id="126 zeros"),
        pytest.param(Decimal("1E-130"), True, id="the smallest"),
        pytest.param(Decimal("1E-131"), False, id="smaller"),
        pytest.param(float("inf"), False, id="infinity"),
        pytest.param(float("nan"), False, id="not a number"),
    ],
)
def test_numbers_that_dynamodb_cannot_hold_are_refused(value: object, fits: bool) -> None:
    if fits:
        assert profile_value(value) == value
    else:
        rule, why = refusal(a_source_profile(further=value), Table.PROFILES)
        assert (rule, "'further'" in why) == ("cannot-be-stored", True)


def test_text_that_spells_such_a_number_is_refused_likewise() -> None:
    assert refusal(a_source_secret(start_ts="1E+126"))[0] == "cannot-be-stored"


@pytest.mark.parametrize(("length", "fits"), [(2048, True), (2049, False)])
def test_a_tag_is_at_most_as_long_as_a_partition_key(length: int, fits: bool) -> None:
    profile = a_source_profile(tag="é" * (length // 2) + "x" * (length % 2))

    if fits:
        assert target_row(profile, Table.PROFILES)
    else:
        assert refusal(profile, Table.PROFILES)[0] == "cannot-be-stored"


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_an_id_is_at_most_as_long_as_a_sort_key(length: int, fits: bool) -> None:
    secret = a_source_secret(id="x" * length)

    if fits:
        assert target_row(secret)
    else:
        assert refusal(secret)[0] == "cannot-be-stored"


@pytest.mark.parametrize(("beyond", "fits"), [(0, True), (1, False)])
def test_a_row_is_at_most_as_large_as_an_item(beyond: int, fits: bool) -> None:
    bare = size_of(target_row(a_source_profile(further=""), Table.PROFILES).columns)
    profile = a_source_profile(further="x" * (MAX_ITEM_BYTES - bare + beyond))

    if fits:
        assert size_of(target_row(profile, Table.PROFILES).columns) == MAX_ITEM_BYTES
    else:
        assert refusal(profile, Table.PROFILES)[0] == "cannot-be-stored"


def test_a_value_of_another_type_is_refused_and_the_row_named() -> None:
    with pytest.raises(Unstorable) as caught:
        target_row(a_source_profile(further=["a"]), Table.PROFILES)

    finding = caught.value.finding
    assert (finding.tag, finding.why) == ("t1", "Column 'further' holds a list.")


def test_a_column_may_be_left_out() -> None:
    assert profile_value(["a"], skipped_columns=frozenset({"further"})) is None


def test_names_of_the_source_become_ours() -> None:
    columns = Columns(tag="realm", username="user", secret_tag="for", secret="key", start="since", end="until")
    layout = SourceLayout(tag_column="name", secret_tag_column="name", start_ts_column="a", end_ts_column="b")
    translation = Translation(layout, columns)

    profile = translation.of(SourceRow(Table.PROFILES, "row 1", {"name": "t1", "sip_username": "alice"}))
    secret = translation.of(SourceRow(Table.SECRETS, "row 1", {"id": 1, "name": "t1", "secret": "k", "a": 1, "b": 2}))

    assert profile.columns == {"realm": "t1", "user": "alice"}
    assert secret.columns == {"for": "t1", "id": "1", "key": "k", "since": 1, "until": 2}


def test_case_in_the_names_of_columns_does_not_matter_where_it_makes_no_difference() -> None:
    assert translated({"ID": 1, "TAG": "t1", "SIP_USERNAME": "alice"}, Table.PROFILES) == {
        "ID": 1,
        "tag": "t1",
        "sip_username": "alice",
    }


def test_a_column_that_is_not_there_is_an_error_that_names_it_and_none_that_are() -> None:
    """What is there may be a row that was taken for names."""
    with pytest.raises(SourceError, match=r"no column 'sip_username' among its 2: .*--tag-column") as caught:
        target_row({"tag": "t1", "hunter2": "alice"}, Table.PROFILES)

    assert "hunter2" not in str(caught.value)


def test_a_column_that_would_take_the_place_of_another_is_an_error_that_says_what_to_do() -> None:
    profile = {"realm": "r", "tag": "unrelated", "sip_username": "alice"}

    with pytest.raises(SourceError, match="--skip-column tag"):
        target_row(profile, Table.PROFILES, tag_column="realm")

    assert translated(profile, Table.PROFILES, tag_column="realm", skipped_columns=frozenset({"tag"}))["tag"] == "r"


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (b"\0", False),
        (b"\1", True),
        ("\0", False),
        ("\1", True),
        ("0x00", False),
        ("0x01", True),
        ("t", True),
        ("f", False),
        (True, True),
        ("0", Decimal()),
        ("1", Decimal(1)),
        (1, Decimal(1)),
        ("\2", "\2"),
        (" ", " "),
    ],
)
def test_a_profile_is_disabled_by_whatever_a_boolean_is_written_as(value: object, meaning: object) -> None:
    disabled = translated(a_source_profile(disabled=value), Table.PROFILES)["disabled"]

    assert (disabled, type(disabled)) == (meaning, type(meaning))


@pytest.mark.parametrize(("text", "meaning"), [("1", True), ("0", False), ("\1", True), ("2", "2")])
def test_a_column_that_is_said_to_be_boolean_may_have_digits(text: str, meaning: object) -> None:
    columns = translated(a_source_profile(active=text), Table.PROFILES, boolean_columns=frozenset({"active"}))

    assert columns["active"] is meaning or columns["active"] == meaning == text
