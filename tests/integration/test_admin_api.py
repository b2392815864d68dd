"""The admin API through its real handler, over DynamoDB in memory. Each answer is held against openapi-admin.json."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
import jwt
import pytest
from botocore.client import BaseClient
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth_jwt.provisioning.registry import MAX_TIME
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.integration.admin_client import PROFILES, Operator, cursor_of
from tests.integration.conftest import SetStage
from tools.events.provisioning_events import Case, asking
from tools.events.stage import REGION, REVOCATIONS, SAMPLES, Answer, read_json

GIVEN = "sEcReT-0123456789-0123456789-0123456789"
YEAR = 365 * 86400
ALICE = f"{PROFILES}/alice-web"
DELETED = "/admin/deleted-profiles"
SECRETS = f"{ALICE}/secrets"


@pytest.fixture(name="operator")
def _operator(set_stage: SetStage) -> Operator:
    return Operator(set_stage("provisioning", REVOCATIONS_TABLE=REVOCATIONS))


@pytest.fixture(name="zoe")
def _zoe(operator: Operator) -> str:
    """The path of a profile with one secret, made here."""
    operator.has("zoe")
    return f"{PROFILES}/zoe"


def flaws_of(answer: Answer) -> set[str]:
    return {flaw["rule"] for flaw in answer.body["errors"]}


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).removeprefix("urn:auth-jwt:problem:")


# --- Profiles ---------------------------------------------------------------------------------------------------------


def test_a_profile_lives_from_its_creation_to_its_end(operator: Operator) -> None:
    new = {"tag": "zoe", "sip_username": "zoe", "sip_domain": "example.org", "attributes": {"n": 1.5, "b": True}}

    created = operator.ask("POST", PROFILES, new)
    place = created.headers["location"].removeprefix("/v1")
    shown = operator.ask("GET", place)
    changed = operator.ask(
        "PATCH", place, {"sip_username": "zoë", "sip_domain": None, "attributes": {"b": None, "c": 7}}
    )
    gone = operator.ask("DELETE", place)

    assert (created.status, place) == (201, f"{PROFILES}/zoe")
    assert created.headers["location"].startswith("/v1/")  # the stage, as the caller's URL had it
    assert shown.body == {key: value for key, value in created.body.items() if key != "secret"}
    assert shown.headers["etag"] == created.headers["etag"] != changed.headers["etag"]
    assert shown.body == {**new, "disabled": False, "tokens_valid_after": None}
    assert changed.body == {**shown.body, "sip_username": "zoë", "sip_domain": None, "attributes": {"n": 1.5, "c": 7}}
    assert gone.body == {"deleted_secrets": 0}
    assert operator.ask("GET", place).status == 404
    assert [line["audit"] for line in operator.audit] == ["profile.create", "profile.change", "profile.delete"]


def test_a_profile_is_disabled_and_enabled(operator: Operator, zoe: str) -> None:
    assert operator.done("PATCH", zoe, {"disabled": True})["disabled"] is True
    assert operator.done("PATCH", zoe, {"disabled": False})["disabled"] is False


def test_a_profile_may_begin_disabled(operator: Operator) -> None:
    new = {"tag": "zoe", "sip_username": "zoe", "disabled": True}

    assert operator.done("POST", PROFILES, new)["disabled"] is True


def test_a_repeated_creation_finds_its_own_work_and_another_one_is_refused(operator: Operator) -> None:
    new = {"tag": "zoe", "sip_username": "zoe"}

    first, again = operator.ask("POST", PROFILES, new), operator.ask("POST", PROFILES, new)
    other = operator.ask("POST", PROFILES, {**new, "sip_username": "yves"})

    assert (first.status, again.status, other.status) == (201, 200, 409)
    assert again.body == first.body
    assert len(operator.audit) == 1


def test_a_profile_goes_with_all_its_secrets(operator: Operator, zoe: str) -> None:
    operator.done("POST", f"{zoe}/secrets", {})

    assert operator.done("DELETE", zoe) == {"deleted_secrets": 2}
    assert operator.ask("GET", f"{zoe}/secrets").status == 404


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_every_profile_is_on_one_page(operator: Operator, limit: int) -> None:
    tags, cursor = [], None
    while True:
        query = [("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
        page = operator.done("GET", PROFILES, query=query)
        assert len(page["profiles"]) <= limit
        tags += [profile["tag"] for profile in page["profiles"]]
        cursor = page["next"]
        if cursor is None:
            break

    rows = read_json(SAMPLES / "rows.json")["jwt_profiles"]
    assert sorted(tags) == sorted(row["PutRequest"]["Item"]["tag"]["S"] for row in rows)


def found(operator: Operator, **conditions: str) -> list[str]:
    """The tags of all pages of a search, sorted."""
    tags, cursor = [], None
    while True:
        query = [*conditions.items(), ("limit", "1"), *([("cursor", cursor)] if cursor else [])]
        page = operator.done("GET", PROFILES, query=query)
        assert len(page["profiles"]) <= 1
        tags += [profile["tag"] for profile in page["profiles"]]
        cursor = page["next"]
        if cursor is None:
            return sorted(tags)


@pytest.mark.parametrize("indexed", [False, True])
def test_profiles_are_found_by_conditions(operator: Operator, indexed: bool) -> None:
    for tag, more in (
        ("zoe-web", {"sip_domain": "Example.org", "attributes": {"tier": "gold"}}),
        ("zoe-desk", {"sip_domain": "example.com", "disabled": True, "attributes": {"tier": 7}}),
        ("zora", {"sip_username": "zora", "attributes": {"tier": "7"}}),
    ):
        operator.done("POST", PROFILES, {"tag": tag, "sip_username": "zoe", **more})
    if indexed:
        add_index()

    assert found(operator, username="zoe") == ["zoe-desk", "zoe-web"]
    assert found(operator, username="zoe", domain="example.ORG") == ["zoe-web"]
    assert found(operator, username="zoe", state="disabled") == ["zoe-desk"]
    assert found(operator, username_prefix="zo", tag_prefix="zo") == ["zoe-desk", "zoe-web", "zora"]
    assert found(operator, attribute="tier=7") == ["zoe-desk", "zora"]
    assert found(operator, username_prefix="zo", state="no-usable-secret") == ["zoe-desk", "zoe-web", "zora"]
    assert found(operator, username="nobody") == []


def add_index() -> None:
    """Give the table of profiles the index, as the parameter UsernameIndex does."""
    boto3.client("dynamodb", region_name=REGION).update_table(
        TableName="jwt_profiles",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("tag", "sip_username")],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by_sip_user",
                    "KeySchema": [
                        {"AttributeName": "sip_username", "KeyType": "HASH"},
                        {"AttributeName": "tag", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["sip_domain"]},
                }
            }
        ],
    )


@pytest.mark.parametrize("attribute", ["tier", "=gold", "="])
def test_the_condition_on_an_attribute_names_it_and_its_value(operator: Operator, attribute: str) -> None:
    answer = operator.ask("GET", PROFILES, query=[("attribute", attribute)])

    assert (answer.status, answer.body["detail"]) == (400, "attribute is not NAME=VALUE")


@pytest.mark.parametrize(
    "query",
    [
        [("username", "")],
        [("state", "off")],
        [("attribute", "disabled=true")],
        [("username", "a"), ("username", "b")],
        [("user", "a")],
        [("username", "a"), ("cursor", cursor_of("alice-web"))],
    ],
)
def test_a_condition_that_is_none_is_told(operator: Operator, query: list[tuple[str, str]]) -> None:
    assert operator.ask("GET", PROFILES, query=query).status == 400


@pytest.mark.parametrize(
    "tag",
    [
        "a/b",
        "100%",
        "a%2Fb",
        ".",
        "..",
        "profiles",
        "admin",
        " blank ",
        "ü ñ 🦉",
        "'\"<>{}|^`\\",
        "a+b",
        "secrets",
        "x" * 128,
    ],
)
def test_a_tag_may_hold_any_character(operator: Operator, tag: str) -> None:
    """It travels percent-encoded, and REST APIs hand paths on as they were sent."""
    created = operator.ask("POST", PROFILES, {"tag": tag, "sip_username": "zoe", "secret": {"id": tag}})
    place = created.headers["location"].removeprefix("/v1")

    assert place == f"{PROFILES}/{'%2E' * len(tag) if tag in ('.', '..') else quote(tag, safe='')}"
    assert operator.done("GET", place)["tag"] == tag
    added = operator.ask("POST", f"{place}/rotate", {"id": f"{tag}2"})
    secret = added.headers["location"].removeprefix("/v1")
    assert operator.done("GET", secret)["id"] == f"{tag}2"
    assert operator.done("GET", f"{place}/secrets/{quote(tag, safe='')}")["tag"] == tag


def a_creation(path: str, asked: str) -> dict[str, Any]:
    """Return the event of a creation whose `path` and whose `requestContext.path` are those."""
    event = Case("a-test", "", asking("POST", PROFILES, {"tag": "zoe", "sip_username": "zoe"}), 0).event()
    return event | {"path": path, "requestContext": event["requestContext"] | {"path": asked}}


@pytest.mark.parametrize(
    ("base", "in_the_path"),
    [
        pytest.param("/v1", "", id="a stage"),
        pytest.param("/admin", "", id="a stage of that name"),
        pytest.param("", "", id="a custom domain"),
        pytest.param("/v1", "/v1", id="a custom domain that lets callers name the stage"),
        pytest.param("/sip/api", "/sip/api", id="a base path"),
        pytest.param("/sip-admin", "/sip-admin", id="a base path that ends like ours"),
    ],
)
def test_the_place_of_what_was_made_is_told_as_the_caller_must_ask(
    operator: Operator, base: str, in_the_path: str
) -> None:
    answer = operator.stage.ask(a_creation(in_the_path + PROFILES, base + PROFILES))

    assert (answer.status, answer.headers["location"]) == (201, f"{base}{PROFILES}/zoe")


def test_without_the_callers_path_the_place_is_told_from_the_root(operator: Operator) -> None:
    answer = operator.stage.ask(a_creation(PROFILES, ""))

    assert (answer.status, answer.headers["location"]) == (201, f"{PROFILES}/zoe")


@pytest.mark.parametrize("base", ["/admin", "/sip/admin", "/admin/profiles/alice-web", "/admin/sip"])
def test_a_base_path_with_admin_in_it_leads_nowhere(operator: Operator, base: str) -> None:
    """It could not be told from a path within a path."""
    answer = operator.stage.ask(a_creation(base + PROFILES, base + PROFILES))

    assert (answer.status, operator.audit) == (404, [])


@pytest.mark.parametrize(
    "proxied", [None, {}, {"proxy": "profiles/alice-web"}, {"proxy": "xx/admin/profiles"}, {"tag": "profiles"}, "?"]
)
def test_a_base_path_that_the_gateway_does_not_tell_leads_nowhere(operator: Operator, proxied: object) -> None:
    event = a_creation(f"/xx{PROFILES}", f"/xx{PROFILES}") | {"pathParameters": proxied}

    assert operator.stage.ask(event).status == 404
    assert operator.audit == []


def test_a_secret_may_end_as_late_as_times_go(operator: Operator, zoe: str) -> None:
    assert operator.done("POST", f"{zoe}/secrets", {"end_ts": MAX_TIME})["end_ts"] == MAX_TIME
    assert flaws_of(operator.ask("POST", f"{zoe}/secrets", {"end_ts": MAX_TIME + 1})) == {"less_than_equal"}


# --- Versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        pytest.param("{}", 200, id="the version there is"),
        pytest.param('"x", {}', 200, id="a list with it"),
        pytest.param('"x" , "y"', 412, id="a list without it"),
        pytest.param("*", 200, id="any"),
        pytest.param("W/{}", 412, id="a weak tag never matches"),
        pytest.param("x", 400, id="no quotes"),
        pytest.param("", 400, id="empty"),
    ],
)
@pytest.mark.parametrize(("method", "body"), [("PATCH", {"disabled": True}), ("DELETE", None)])
def test_a_condition_is_kept(
    operator: Operator, zoe: str, method: str, body: object, condition: str, status: int
) -> None:
    version = operator.ask("GET", zoe).headers["etag"]

    answer = operator.ask(method, zoe, body, headers=[("If-Match", condition.replace("{}", version))])

    assert answer.status == status
    assert len(operator.audit) == (2 if status == 200 else 1)


@pytest.mark.parametrize("name", ["If-Match", "if-match"])
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param(['"x"', "{}"], 200, id="with it at the end"),
        pytest.param(["{}", '"x"'], 200, id="with it at the beginning"),
        pytest.param(['"x"', '"y"'], 412, id="without it"),
        pytest.param(["*", "{}"], 400, id="any, and one"),
    ],
)
def test_a_condition_in_several_lines_is_one_list(
    operator: Operator, zoe: str, lines: list[str], status: int, name: str
) -> None:
    version = operator.ask("GET", zoe).headers["etag"]
    first, second = (line.replace("{}", version) for line in lines)

    answer = operator.ask("PATCH", zoe, {"disabled": True}, headers=[("If-Match", first), (name, second)])

    assert answer.status == status


def test_of_two_who_saw_the_same_version_one_is_told(operator: Operator, zoe: str) -> None:
    seen = [("If-Match", operator.ask("GET", zoe).headers["etag"])]

    first = operator.ask("PATCH", zoe, {"sip_username": "first"}, headers=seen)
    second = operator.ask("PATCH", zoe, {"sip_username": "second"}, headers=seen)

    assert (first.status, second.status, kind_of(second)) == (200, 412, "stale")
    assert operator.done("GET", zoe)["sip_username"] == "first"


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [("PATCH", "", {"disabled": True}), ("DELETE", "", None)]
    + [("POST", verb, None) for verb in ("/erase", "/disable", "/enable")],
)
def test_a_change_between_look_and_write_is_noticed(
    operator: Operator, zoe: str, method: str, verb: str, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = operator.ask("GET", zoe).headers["etag"]
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def overtaken(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems":
            item = {"tag": {"S": "zoe"}, "sip_username": {"S": "faster"}}
            original(client, "PutItem", {"TableName": "jwt_profiles", "Item": item})
        return original(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", overtaken)
    answer = operator.ask(method, f"{zoe}{verb}", body, headers=[("If-Match", version)])

    assert answer.status == 412
    assert operator.done("GET", zoe)["sip_username"] == "faster"


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_text_in_doubt_is_a_secret_only_if_the_request_says_what_it_is(operator: Operator, zoe: str) -> None:
    refused = operator.ask("POST", f"{zoe}/secrets", {"value": DOUBTFUL})
    rotated = operator.ask("POST", f"{zoe}/rotate", {"value": DOUBTFUL})
    added = operator.ask("POST", f"{zoe}/secrets", {"value": DOUBTFUL, "algorithms": ["HS256"]})

    for answer in (refused, rotated):
        assert (answer.status, kind_of(answer)) == (400, "invalid-value")
        assert "might not be an HMAC secret" in answer.body["detail"]
        assert "`algorithms`" in answer.body["detail"]
        assert "c0ffee" not in answer.body["detail"]
    assert (added.status, added.body["algorithms"]) == (201, ["HS256"])


def test_a_public_key_that_falls_apart_is_refused(operator: Operator, zoe: str) -> None:
    answer = operator.ask("POST", f"{zoe}/secrets", {"value": public_key_pem(PRIME_MODULUS)})

    assert (answer.status, kind_of(answer)) == (400, "invalid-value")
    assert "modulus is a prime" in answer.body["detail"]


def test_what_is_written_says_what_its_key_is(operator: Operator, zoe: str) -> None:
    operator.ask("POST", f"{zoe}/rotate", {})

    rows = boto3.client("dynamodb").scan(TableName="jwt_secrets")["Items"]
    assert {row["alg"]["S"] for row in rows if row["corresponding_tag"]["S"] == "zoe"} == {"HS256,HS384,HS512"}


def test_a_secret_and_a_rotation_are_as_they_were_asked_for(operator: Operator, zoe: str) -> None:
    asked = {"id": "s", "start_ts": 2_000_000_000, "end_ts": 2_100_000_000, "algorithms": ["HS384"], "kid": "k1"}
    rotation = {"id": "t", "end_ts": 2_200_000_000, "algorithms": ["HS512"], "kid": "k2"}

    secret = operator.done("POST", f"{zoe}/secrets", asked)
    rotated = operator.done("POST", f"{zoe}/rotate", rotation)["secret"]

    assert {name: secret[name] for name in asked} == asked
    assert {name: rotated[name] for name in rotation} == rotation


def test_a_secret_made_here_is_told_once(operator: Operator, zoe: str) -> None:
    added = operator.ask("POST", f"{zoe}/secrets", {"id": "new", "kid": "k", "algorithms": ["HS512"]})
    value = added.body["value"]
    later = [operator.ask("GET", zoe), operator.ask("GET", f"{zoe}/secrets"), operator.ask("GET", f"{zoe}/secrets/new")]

    assert (added.status, len(base64.urlsafe_b64decode(value + "=="))) == (201, 64)
    assert (added.body["kid"], added.body["algorithms"], added.body["state"]) == ("k", ["HS512"], "open")
    assert added.headers["location"] == f"/v1{zoe}/secrets/new"
    assert [secret["id"] for secret in later[1].body["secrets"]].count("new") == 1
    assert all("value" not in json.dumps(answer.body) for answer in later)
    assert value not in "".join([*operator.lines, *(json.dumps(answer.given) for answer in later)])


def test_a_secret_that_is_given_is_never_told(operator: Operator, zoe: str) -> None:
    added = operator.ask("POST", f"{zoe}/secrets", {"id": "given", "value": GIVEN})

    assert (added.status, added.body["value"]) == (201, None)
    assert GIVEN not in json.dumps(added.given) + "".join(operator.lines)


def test_a_repeated_addition_finds_its_own_work_and_another_one_is_refused(operator: Operator, zoe: str) -> None:
    given = {"id": "given", "value": GIVEN}

    statuses = [
        operator.ask("POST", f"{zoe}/secrets", body).status for body in (given, given, {**given, "value": GIVEN[::-1]})
    ]
    same_key = operator.ask("POST", f"{zoe}/secrets", {"id": "other", "value": GIVEN})

    assert statuses == [201, 200, 409]
    assert same_key.status == 409
    assert GIVEN not in "".join(operator.lines) + json.dumps(same_key.given)


def test_a_first_secret_comes_with_its_profile_or_not_at_all(operator: Operator) -> None:
    refused = operator.ask("POST", PROFILES, {"tag": "zoe", "sip_username": "zoe", "secret": {"value": "short"}})

    assert kind_of(refused) == "invalid-value"
    assert operator.ask("GET", f"{PROFILES}/zoe").status == 404
    assert operator.has("zoe")["value"]


def test_a_secret_is_closed_then_removed(operator: Operator, zoe: str) -> None:
    path = f"{zoe}/secrets/1"

    while_open = operator.ask("DELETE", path)
    in_an_hour = operator.done("PATCH", path, {"end_ts": int(time.time()) + 3600})
    past = operator.ask("PATCH", path, {"end_ts": 1})
    closed = operator.done("PATCH", path, {"end_ts": "now"})
    gone = operator.ask("DELETE", path)

    assert (while_open.status, past.status, gone.status, gone.body) == (409, 400, 204, "")
    assert (in_an_hour["state"], closed["state"]) == ("open", "closed")
    assert operator.ask("DELETE", path).status == 404


def test_a_secret_without_an_end_is_not_opened_by_closing_it_later(operator: Operator, zoe: str) -> None:
    client = boto3.client("dynamodb", region_name=REGION)
    key = {"corresponding_tag": {"S": "zoe"}, "id": {"S": "1"}}
    client.update_item(TableName="jwt_secrets", Key=key, UpdateExpression="REMOVE end_ts")
    path = f"{zoe}/secrets/1"

    later = operator.ask("PATCH", path, {"end_ts": int(time.time()) + 3600})

    assert (later.status, kind_of(later)) == (409, "conflict")
    assert "has no end, so it is not open" in later.body["detail"]
    assert "end_ts" not in client.get_item(TableName="jwt_secrets", Key=key)["Item"]
    assert operator.done("PATCH", path, {"end_ts": "now"})["state"] == "closed"


def test_a_secret_that_would_verify_nothing_is_refused_with_the_reason(operator: Operator, zoe: str) -> None:
    answer = operator.ask("POST", f"{zoe}/secrets", {"value": "too-short-sEcReT"})

    assert kind_of(answer) == "invalid-value"
    assert "an HMAC key of 16 bytes, too short" in answer.body["detail"]
    assert "too-short-sEcReT" not in json.dumps(answer.given) + "".join(operator.lines)


# --- Rotation ---------------------------------------------------------------------------------------------------------


def test_a_rotation_opens_a_new_secret_and_lets_the_old_ones_end(operator: Operator, zoe: str) -> None:
    answer = operator.ask("POST", f"{zoe}/rotate", {"overlap_seconds": 60, "id": "next"})

    new, (old,) = answer.body["secret"], answer.body["closing"]
    assert (answer.status, answer.headers["location"]) == (201, f"/v1{zoe}/secrets/next")
    assert (new["state"], old["state"], old["id"]) == ("open", "open", "1")
    assert old["end_ts"] - new["start_ts"] == 60
    assert new["end_ts"] - new["start_ts"] == YEAR
    assert new["value"]
    assert new["value"] not in "".join(operator.lines)


def test_a_rotation_needs_no_body(operator: Operator, zoe: str) -> None:
    answer = operator.ask("POST", f"{zoe}/rotate")

    assert answer.body["closing"][0]["end_ts"] - answer.body["secret"]["start_ts"] == 86400


def test_a_deleted_profile_is_listed_and_comes_back_as_it_was(operator: Operator, zoe: str) -> None:
    before = (operator.done("GET", zoe), operator.done("GET", f"{zoe}/secrets"))

    assert operator.done("DELETE", zoe) == {"deleted_secrets": 1}
    (kept,) = operator.done("GET", DELETED)["deleted_profiles"]
    assert (kept["tag"], kept["profile"], kept["secrets"]) == ("zoe", True, 1)
    assert kept["kept_until"] - kept["deleted_at"] == 30 * 86400
    assert kept["deleted_by"] == operator.audit[-1]["actor"]

    assert operator.done("POST", f"{zoe}/restore") == {"tag": "zoe", "profile": True, "secrets": ["1"]}
    assert (operator.done("GET", zoe), operator.done("GET", f"{zoe}/secrets")) == before
    assert operator.done("GET", DELETED) == {"deleted_profiles": [], "next": None}
    assert [line["audit"] for line in operator.audit][-2:] == ["profile.delete", "profile.restore"]


def test_what_is_in_the_place_of_a_deleted_profile_stays(operator: Operator, zoe: str) -> None:
    operator.done("DELETE", zoe)
    operator.ask("POST", PROFILES, {"tag": "zoe", "sip_username": "another"})

    assert operator.ask("POST", f"{zoe}/restore").status == 409
    assert operator.done("GET", zoe)["sip_username"] == "another"


def test_deleting_keeps_and_only_erasing_does_not(operator: Operator, zoe: str) -> None:
    """They are two paths, because IAM judges paths: who may delete restorably may not delete for good."""
    assert operator.ask("DELETE", zoe, query=[("forever", "true")]).status == 400
    operator.done("DELETE", zoe)

    assert operator.done("POST", f"{zoe}/erase") == {"deleted_secrets": 0}
    assert operator.done("GET", DELETED)["deleted_profiles"] == []
    assert operator.ask("POST", f"{zoe}/restore").status == operator.ask("POST", f"{zoe}/erase").status == 404


def test_a_profile_is_erased_at_once_if_it_is_still_the_one_that_was_read(operator: Operator, zoe: str) -> None:
    read = operator.ask("GET", zoe)

    assert operator.ask("POST", f"{zoe}/erase", headers=[("If-Match", '"an-older-version"')]).status == 412
    erased = operator.ask("POST", f"{zoe}/erase", headers=[("If-Match", read.headers["etag"])])

    assert erased.body == {"deleted_secrets": 1}
    assert operator.done("GET", DELETED)["deleted_profiles"] == []


def test_deleted_profiles_are_listed_page_by_page(operator: Operator) -> None:
    tags = ["t1", "t2", "t3"]
    for tag in tags:
        operator.ask("POST", PROFILES, {"tag": tag, "sip_username": "zoe"})
        operator.done("DELETE", f"{PROFILES}/{tag}")
    found: list[str] = []
    cursor: list[tuple[str, str]] = []
    while True:
        page = operator.done("GET", DELETED, query=[("limit", "2"), *cursor])
        found += [each["tag"] for each in page["deleted_profiles"]]
        if page["next"] is None:
            break
        cursor = [("cursor", page["next"])]

    assert sorted(found) == tags


def test_a_repeated_rotation_finds_its_own_work(operator: Operator, zoe: str) -> None:
    given = {"id": "next", "value": GIVEN}

    first, again = (operator.ask("POST", f"{zoe}/rotate", given) for _ in range(2))

    assert (first.status, again.status) == (201, 200)
    assert first.body["secret"] == again.body["secret"]


def test_of_two_rotations_at_once_one_is_done(operator: Operator, zoe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = BaseClient._make_api_call  # type: ignore[attr-defined]
    faster = provisioning_of(Settings.from_env({}), operator.stage.tables, actor="another", audit=lambda _: None)

    def overtaken(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems":
            monkeypatch.undo()
            faster.secrets.rotate("zoe", NewSecret())
        return original(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", overtaken)
    loser = operator.ask("POST", f"{zoe}/rotate")

    assert loser.status == 409
    assert len(operator.done("GET", f"{zoe}/secrets")["secrets"]) == 2


# --- Tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_signed_by_an_open_secret_and_good_for_the_service(operator: Operator) -> None:
    value = operator.has("zoe", kid="k")["value"]

    minted = operator.done("POST", f"{PROFILES}/zoe/tokens", {"lifetime_seconds": 60, "claims": {"scope": "calls"}})
    plain = operator.done("POST", f"{PROFILES}/zoe/tokens")

    claims = jwt.decode(minted["token"], value, ["HS256"])
    assert jwt.get_unverified_header(minted["token"])["kid"] == "k"
    assert (claims["tag"], claims["scope"], claims["exp"] - claims["iat"]) == ("zoe", "calls", 60)
    assert (minted["jti"], minted["expires_at"], minted["sip_username"]) == (claims["jti"], claims["exp"], "zoe")
    assert plain["jti"] != minted["jti"]
    assert minted["token"] not in "".join(operator.lines)
    assert value not in "".join(operator.lines)


# --- Revocations ------------------------------------------------------------------------------------------------------


def test_a_token_is_revoked_and_good_again(operator: Operator, zoe: str) -> None:
    revoked = operator.ask("POST", f"{zoe}/revocations", {"jti": "a/b", "exp": 4_000_000_000})
    again = operator.ask("POST", f"{zoe}/revocations", {"jti": "a/b", "exp": 4_000_000_000})
    place = revoked.headers["location"].removeprefix("/v1")

    assert (revoked.status, again.status, place) == (201, 200, f"{zoe}/revocations/a%2Fb")
    assert revoked.body["expires_at"] >= 4_000_000_000
    assert operator.done("GET", place) == revoked.body == again.body
    assert operator.ask("POST", f"{zoe}/tokens", {"jti": "a/b"}).status == 400  # the service would refuse it
    assert operator.ask("DELETE", place).status == 204
    assert operator.ask("GET", place).status == operator.ask("DELETE", place).status == 404
    assert operator.ask("POST", f"{zoe}/tokens", {"jti": "a/b"}).status == 200


@pytest.mark.parametrize(
    ("exp", "ok"),
    [
        pytest.param(MAX_TIME + 1, True, id="in milliseconds"),
        pytest.param(2**63 - 1, True, id="as late as a number goes"),
        pytest.param(-1, False, id="before 1970"),
    ],
)
def test_a_token_is_revoked_however_late_it_expires(operator: Operator, zoe: str, exp: int, ok: bool) -> None:
    """Its `exp` is what its issuer wrote, and the service may accept it."""
    answer = operator.ask("POST", f"{zoe}/revocations", {"jti": "late", "exp": exp})

    assert answer.status == (201 if ok else 400)
    if ok:
        assert answer.body["expires_at"] is None


def test_all_tokens_of_a_profile_are_revoked_and_good_again(operator: Operator, zoe: str) -> None:
    long_ago = operator.done("POST", f"{zoe}/revocations", {"before": 5})["tokens_valid_after"]
    all_until_now = operator.done("POST", f"{zoe}/revocations", {"all": True})["tokens_valid_after"]
    earlier = operator.done("POST", f"{zoe}/revocations", {"before": 5})["tokens_valid_after"]

    assert long_ago == 5
    assert abs(all_until_now - time.time()) < 30
    assert earlier == all_until_now == operator.done("GET", zoe)["tokens_valid_after"]
    assert operator.ask("DELETE", f"{zoe}/tokens_valid_after").status == 204
    assert operator.done("GET", zoe)["tokens_valid_after"] is None


def test_revocations_go_on_from_a_key_that_there_can_be(operator: Operator, zoe: str) -> None:
    asked = [[("cursor", cursor_of("x" * characters))] for characters in (1024, 1025)]

    answers = [operator.ask("GET", f"{zoe}/revocations", query=query) for query in asked]

    assert [answer.status for answer in answers] == [200, 400]


def test_a_whole_token_is_no_id_of_one(operator: Operator, zoe: str) -> None:
    """Revoked by such an id it would go on logging in, and stand in the table and in the audit."""
    token = operator.done("POST", f"{zoe}/tokens")["token"]
    operator.lines.clear()

    answer = operator.ask("POST", f"{zoe}/revocations", {"jti": token})

    assert (answer.status, kind_of(answer)) == (400, "invalid-value")
    assert token not in json.dumps(answer.given) + "".join(operator.lines)
    assert operator.done("GET", f"{zoe}/revocations")["revocations"] == []


def test_revocations_and_tokens_are_somebodys(operator: Operator) -> None:
    nobody = f"{PROFILES}/nobody"

    assert operator.ask("GET", f"{nobody}/revocations").status == 404
    assert operator.ask("POST", f"{nobody}/tokens").status == 404


def test_revocations_come_in_pages(operator: Operator, zoe: str) -> None:
    for number in range(3):
        operator.done("POST", f"{zoe}/revocations", {"jti": str(number)})

    first = operator.done("GET", f"{zoe}/revocations", query=[("limit", "2")])
    rest = operator.done("GET", f"{zoe}/revocations", query=[("cursor", first["next"])])

    assert [one["jti"] for one in first["revocations"] + rest["revocations"]] == ["0", "1", "2"]
    assert rest["next"] is None


def test_without_a_table_for_them_no_token_is_revoked_by_itself(set_stage: SetStage) -> None:
    operator = Operator(set_stage("provisioning"))
    path = f"{PROFILES}/alice-web/revocations"

    answers = [operator.ask("GET", path), operator.ask("POST", path, {"jti": "1"}), operator.ask("DELETE", f"{path}/1")]

    assert [answer.status for answer in answers] == [409, 409, 409]
    assert "REVOCATIONS_TABLE" in answers[0].body["detail"]
    assert operator.ask("POST", path, {"all": True}).status == 200


# --- Who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "actor"),
    [
        pytest.param({"userArn": "arn:aws:iam::1:user/a", "caller": "X"}, "arn:aws:iam::1:user/a", id="an ARN"),
        pytest.param({"userArn": None, "caller": "AROAX:session"}, "AROAX:session", id="a caller"),
        pytest.param({"accountId": "123456789012"}, "123456789012", id="an account"),
        pytest.param({"userArn": 7, "caller": "AROAX:session"}, "AROAX:session", id="an ARN that is no text"),
        pytest.param({"userArn": "", "apiKey": "k", "sourceIp": "203.0.113.1"}, None, id="nobody"),
        pytest.param(None, None, id="no identity"),
    ],
)
def test_every_write_tells_who_asked_and_without_iam_there_is_none(
    operator: Operator, identity: object, actor: str | None
) -> None:
    event = Case("a-test", "", asking("PATCH", ALICE, {"disabled": True}), 0).event()
    event["requestContext"]["identity"] = identity

    answer = operator.stage.ask(event)

    assert answer.status == (403 if actor is None else 200)
    written = [json.loads(line) for line in answer.lines if '"audit"' in line]
    assert [line["actor"] for line in written] == ([] if actor is None else [actor])
    assert answer.record.get("actor") == actor


def test_a_line_of_audit_names_columns_and_ids_and_no_value(operator: Operator, zoe: str) -> None:
    operator.done("PATCH", zoe, {"attributes": {"account": GIVEN}})
    operator.done("POST", f"{zoe}/secrets", {"id": "s", "value": GIVEN, "kid": "k"})

    create, change, add = operator.audit

    assert create["secrets"] == ["1"]
    assert change["columns"] == ["account"]
    assert (add["audit"], add["tag"], add["id"], add["outcome"]) == ("secret.add", "zoe", "s", "done")
    assert GIVEN not in "".join(operator.lines)


def test_a_line_of_audit_says_where_as_those_of_the_command_line_do(operator: Operator, zoe: str) -> None:
    operator.done("PATCH", zoe, {"disabled": True})

    for line in operator.audit:
        assert line["target"] == {
            "function": "authorize",
            "account": "123456789012",
            "region": "eu-central-1",
            "tables": ["jwt_profiles", "jwt_secrets", "jwt_revocations"],
        }


def test_audit_is_written_whatever_the_log_level(set_stage: SetStage) -> None:
    operator = Operator(set_stage("provisioning", POWERTOOLS_LOG_LEVEL="CRITICAL"))

    operator.done("PATCH", ALICE, {"disabled": True})

    assert [line["audit"] for line in operator.audit] == ["profile.change"]


# --- Faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", {"tag": "zoe", "sip_username": "zoe"})])
def test_an_outage_is_told_as_one(operator: Operator, outage: Callable[[], None], method: str, body: object) -> None:
    outage()

    answer = operator.ask(method, PROFILES, body)

    assert (answer.status, answer.headers["retry-after"], kind_of(answer)) == (503, "1", "unavailable")
    assert ("may have happened" in answer.body.get("detail", "")) is (method == "POST")
    assert answer.record["reason"] == "unreachable"
    assert any('"Fault"' in line for line in answer.lines)
    assert [line["outcome"] for line in operator.audit] == ([] if method == "GET" else ["unknown"])


@pytest.mark.parametrize("settings", [{"LEEWAY_SECONDS": "never"}, {"PROFILES_TABLE": "no_such_table"}])
def test_a_fault_shows_nothing_internal(set_stage: SetStage, settings: dict[str, str]) -> None:
    answer = Operator(set_stage("provisioning", **settings)).ask("GET", ALICE)

    assert answer.status == 500
    assert answer.body.keys() == {"type", "title", "status", "instance"}
    assert answer.record["reason"] in ("bad_setting", "unusable_store")


def test_an_unforeseen_error_shows_nothing(
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither here nor in the log, where Powertools would put errors that nobody takes."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(GIVEN)

    monkeypatch.setattr("auth_jwt.provisioning.secrets.Secrets.add", broken)
    answer = operator.ask("POST", SECRETS, {"value": GIVEN})

    assert (answer.status, answer.record["reason"]) == (500, "unforeseen")
    assert "detail" not in answer.body
    assert answer.record["causes"][0]["type"] == "builtins.RuntimeError"
    seen = capfd.readouterr()
    assert GIVEN not in json.dumps(answer.given) + "".join(operator.lines) + caplog.text + seen.out + seen.err


@pytest.mark.parametrize("made_by", ["secret_json", "SecretOut.of"], ids=["by the package", "by a route"])
def test_an_answer_of_another_form_than_described_is_a_fault(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, made_by: str
) -> None:
    """So that no member, a secret's value for one, slips into an answer unseen."""
    original = operator.stage  # the stage is set: the routes are loaded
    monkeypatch.setattr(f"admin_api.answers.{made_by}", lambda secret: {"id": secret.id, "value": GIVEN})

    answer = Operator(original).ask("GET", f"{SECRETS}/1")

    assert (answer.status, answer.record["reason"]) == (500, "unforeseen")
    assert GIVEN not in json.dumps(answer.given) + "".join(answer.lines)


def test_no_switch_of_powertools_prints_requests(
    set_stage: SetStage, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(
        set_stage("provisioning", POWERTOOLS_DEV="true", POWERTOOLS_DEBUG="true", POWERTOOLS_LOG_LEVEL="DEBUG")
    )

    with caplog.at_level("DEBUG"):
        operator.done("POST", SECRETS, {"value": GIVEN})
        made = operator.done("POST", SECRETS, {})["value"]

    seen = capfd.readouterr()
    everything = "".join(operator.lines) + caplog.text + seen.out + seen.err
    assert GIVEN not in everything
    assert made not in everything


def test_requests_are_counted(operator: Operator) -> None:
    operator.done("GET", ALICE)
    operator.ask("GET", f"{PROFILES}/nobody")

    done, rejected = (json.loads(line) for line in operator.lines if '"_aws"' in line)

    assert (done["service"], done["Done"], done["operation"], done["tag"]) == (
        "provisioning",
        1,
        "show_profile",
        "alice-web",
    )
    assert (rejected["Rejected"], rejected["reason"], rejected["operation"]) == (1, "not_found", "show_profile")


def test_a_body_that_is_refused_is_counted_for_its_operation(operator: Operator) -> None:
    answer = operator.ask("PATCH", ALICE, {"disabled": "maybe"})

    assert (answer.record["reason"], answer.record["operation"]) == ("invalid_request", "change_profile")


@pytest.mark.parametrize(("method", "path"), [("GET", "/admin/nothing"), ("PUT", ALICE)])
def test_a_request_for_no_operation_is_counted_as_one_of_none(operator: Operator, method: str, path: str) -> None:
    answer = operator.stage.ask(Case("a-test", "", asking(method, path), 0).event())

    assert answer.status in (404, 405)
    (rejected,) = (json.loads(line) for line in answer.lines if '"_aws"' in line)
    assert rejected.get("operation") is None


def test_an_hmac_secret_takes_the_place_of_a_public_key_when_it_is_asked_to(operator: Operator, zoe: str) -> None:
    """Otherwise the issuer of that key would be locked out when the overlap ends."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    operator.done("POST", f"{zoe}/rotate", {"value": pem, "overlap_seconds": 0})

    refused = operator.ask("POST", f"{zoe}/rotate", {})
    rotated = operator.ask("POST", f"{zoe}/rotate", {"replace_public_key": True})

    assert (refused.status, kind_of(refused)) == (400, "invalid-value")
    assert "would lock that issuer out" in json.dumps(refused.body)
    assert rotated.status == 201
