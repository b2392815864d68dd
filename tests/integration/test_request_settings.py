"""Requests whose answer depends on rows and settings: the cases that were found from outside, limits, domains."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.bodies import event_of, padded
from tests.integration.conftest import SetStage
from tools.events.authorize_events import FORMS
from tools.events.http_request import FORM_TYPE, JSON_TYPE
from tools.events.samples import ALICE
from tools.events.stage import Stage

CASES: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "requests.json").read_text("utf-8"))
BY_NAME: Final[dict[str, dict[str, Any]]] = {case["name"]: case for case in CASES["requests"]}
TOKEN: Final = ALICE.text


# -- the cases that were found --------------------------------------------------------------------------------------


def events_of(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The event of a case; where it is a body, that body in every form of an event."""
    if "event" in case:
        return [case["event"]]
    body, kind = (case["form"], FORM_TYPE) if "form" in case else (case["json"], JSON_TYPE)
    return [event_of(body, form=form, kind=kind) for form in FORMS]


@pytest.fixture(name="of_cases")
def _of_cases(set_stage: SetStage) -> Callable[[Mapping[str, Any]], Stage]:
    def set_for(case: Mapping[str, Any]) -> Stage:
        ready = set_stage(LOAD_CREDENTIALS="")
        profile, secret = CASES["profile"] | case.get("row", {}), CASES["secret"]
        ready.tables.put_item(TableName="jwt_profiles", Item={name: {"S": text} for name, text in profile.items()})
        row = {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in secret.items()}
        ready.tables.put_item(TableName="jwt_secrets", Item=row)
        return ready

    return set_for


@pytest.mark.parametrize("name", BY_NAME)
def test_a_case_is_answered_as_it_wants(of_cases: Callable[[Mapping[str, Any]], Stage], name: str) -> None:
    case = BY_NAME[name]
    status, words = re.fullmatch(r"(\d{3})(.*)", str(case["want"]), re.DOTALL).groups()  # type: ignore[union-attr]
    ready = of_cases(case)

    for event in events_of(case):
        answer = ready.ask(event)

        assert answer.status == int(status)
        assert answer.member("code") == {"200": 1, "401": -1, "403": -1, "400": None}[status]
        if "log line" in words:
            assert answer.record["call_id"] == f"ab{'c' * 126}"
            assert answer.record["call_id_altered"] is True
        else:
            assert words in ("", ", code -1")


# -- how long a body may be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bytes_of_token", "limit"), [(16384, 65536), (16385, 65537), (65536, 114688), (1024, 65536)])
def test_where_tokens_may_be_long_bodies_may(set_stage: SetStage, bytes_of_token: int, limit: int) -> None:
    ready = set_stage(MAX_TOKEN_BYTES=str(bytes_of_token))

    assert [ready.ask(event_of(padded(length))).status for length in (limit, limit + 1)] == [200, 413]


# -- domains ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "own", "is_good"),
    [
        ("KPN.example", "kpn.EXAMPLE", True),
        ("\u212apn.example", "kpn.example", False),
        ("kpn.example", "\u212apn.example", False),
        ("\u212apn.example", "\u212aPN.example", True),
        ("MÜLLER.example", "mÜller.example", True),
        ("MÜLLER.example", "müller.example", False),
        ("\u0130.example", "i\u0307.example", False),
        ("\u017f.example", "s.example", False),
    ],
)
def test_domains_are_folded_in_ascii_alone(set_stage: SetStage, asked: str, own: str, is_good: bool) -> None:
    ready = set_stage()
    ready.tables.update_item(
        TableName="jwt_profiles",
        Key={"tag": {"S": "alice-web"}},
        UpdateExpression="SET sip_domain = :own",
        ExpressionAttributeValues={":own": {"S": own}},
    )
    hook = {"method": "INVITE", "jwt_token": TOKEN, "username": "alice", "realm": asked}

    by_http = ready.ask(event_of(json.dumps({"jwt_token": TOKEN, "from_domain": asked})))
    by_jambonz = ready.ask(event_of(json.dumps(hook), path="/frontends/jambonz"))
    by_sdk = ready.ask({"jwt_token": TOKEN, "from_domain": asked})

    assert by_http.status == (200 if is_good else 403)
    assert by_jambonz.member("code") == by_sdk.member("code") == (1 if is_good else -1)
