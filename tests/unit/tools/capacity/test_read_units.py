"""What a read costs: DynamoDB's rules for sizes, and that a miss costs no more than it may."""

from collections import defaultdict
from typing import Any

import pytest

from tests.factories import public_pem
from tools.capacity.read_units import UNIT_BYTES, item_bytes, read_units, value_bytes
from tools.events.stage import SAMPLES, read_json

Item = dict[str, Any]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        pytest.param({"S": "alice"}, 5, id="text counts its bytes"),
        pytest.param({"S": "zoë"}, 4, id="in UTF-8"),
        pytest.param({"N": "1"}, 2, id="a number has a byte of its own and one for two digits"),
        pytest.param({"N": "1735689600"}, 5, id="trailing zeros do not count"),
        pytest.param({"N": "1735689601"}, 6, id="all other digits do"),
        pytest.param({"N": "0.0012"}, 2, id="leading zeros do not"),
        pytest.param({"N": "-12"}, 3, id="a minus sign is a byte"),
        pytest.param({"B": "AAEC"}, 3, id="octets, not their base64"),
        pytest.param({"B": b"\0\1\2"}, 3, id="octets as the SDK gives them"),
        pytest.param({"BOOL": False}, 1, id="a boolean is a byte"),
        pytest.param({"NULL": True}, 1, id="null too"),
        pytest.param({"SS": ["ab", "c"]}, 3, id="a set is its members"),
        pytest.param({"L": []}, 3, id="a list has three bytes of its own"),
        pytest.param({"L": [{"S": "ab"}, {"BOOL": True}]}, 8, id="and one for each member"),
        pytest.param({"M": {"ab": {"S": "c"}}}, 7, id="a map also counts names"),
    ],
)
def test_a_value_has_a_size(value: dict[str, Any], size: int) -> None:
    assert value_bytes(value) == size


def test_a_type_that_dynamodb_does_not_have_has_none() -> None:
    with pytest.raises(ValueError, match="'X'"):
        value_bytes({"X": "?"})


def test_an_item_is_its_names_and_values() -> None:
    assert item_bytes({"tag": {"S": "t1"}, "sip_username": {"S": "alice"}}) == 3 + 2 + 12 + 5


@pytest.mark.parametrize(
    ("sizes", "units"),
    [
        pytest.param([], 1, id="nothing there costs as much as a little"),
        pytest.param([1], 1, id="a byte"),
        pytest.param([UNIT_BYTES], 1, id="exactly a unit"),
        pytest.param([UNIT_BYTES + 1], 2, id="a byte more"),
        pytest.param([UNIT_BYTES // 2] * 2, 1, id="items of a page are added up first"),
        pytest.param([UNIT_BYTES // 2, UNIT_BYTES // 2 + 1], 2, id="and rounded up then"),
    ],
)
def test_reads_are_charged_in_steps(sizes: list[int], units: int) -> None:
    assert read_units(sizes, consistent=True) == units
    assert read_units(sizes, consistent=False) == units / 2


# -- what the service reads -------------------------------------------------------------------------------------------


def a_profile() -> Item:
    """With more attributes than the decision needs: all of an item is read, whatever is asked for."""
    words = {"tag": "alice-phone", "sip_username": "alice", "sip_domain": "example.com", "display_name": "Alice Adams"}
    return {name: {"S": word} for name, word in words.items()}


def a_secret(secret: str, number: int = 1) -> Item:
    return {
        "corresponding_tag": {"S": "alice-phone"},
        "id": {"S": str(number)},
        "secret": {"S": secret},
        "start_ts": {"N": "1735689601"},
        "end_ts": {"N": "1798761601"},
    }


def units_of_a_miss(profile: Item | None, secrets: list[Item], *, consistent: bool = False) -> float:
    """Both tables, one GetItem and one page of a Query."""
    profiles = [] if profile is None else [item_bytes(profile)]
    return read_units(profiles, consistent=consistent) + read_units(map(item_bytes, secrets), consistent=consistent)


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param([], id="none: a tag that nobody has"),
        pytest.param([a_secret("s" * 64, 1), a_secret("s" * 64, 2)], id="two of HMAC, as in a rotation"),
        pytest.param([a_secret("s" * 64, number) for number in range(20)], id="twenty of HMAC"),
        pytest.param([a_secret(public_pem(), number) for number in range(6)], id="six RSA keys of 2048 bits"),
    ],
)
def test_a_miss_of_small_rows_costs_one_unit_and_a_second_look_two(secrets: list[Item]) -> None:
    assert units_of_a_miss(a_profile(), secrets) == 1
    assert units_of_a_miss(a_profile(), secrets, consistent=True) == 2


def test_a_page_that_is_not_small_costs_more() -> None:
    assert units_of_a_miss(a_profile(), [a_secret("s" * 64, number) for number in range(100)]) > 1


def test_no_sample_user_costs_more_than_a_unit() -> None:
    rows = read_json(SAMPLES / "rows.json")
    profiles = {row["PutRequest"]["Item"]["tag"]["S"]: row["PutRequest"]["Item"] for row in rows["jwt_profiles"]}
    secrets: dict[str, list[Item]] = defaultdict(list)
    for row in rows["jwt_secrets"]:
        secrets[row["PutRequest"]["Item"]["corresponding_tag"]["S"]].append(row["PutRequest"]["Item"])

    units = {tag: units_of_a_miss(profiles.get(tag), secrets[tag]) for tag in profiles.keys() | secrets.keys()}

    assert set(units.values()) == {1}
