"""The function that fetches keys: real HTTPS on loopback, tables in memory, and then a login by what it wrote."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from auth_jwt.errors import Unreachable
from auth_jwt.issuers.models import FETCHED_AT, NEXT_FETCH_AT, REGISTRY_TAG
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.store import IssuerTables
from tests.certificates import Authority
from tests.factories import a_jwk
from tests.integration.test_secrecy import rest_event
from tests.issuers import KID, SUBJECT, a_login_token, issuer_row, item_of
from tests.unit.fetching.servers import AnIssuerServer, a_server, answer
from tools.events.stage import Answer, Stage, load_handler

SetStage = Callable[..., Stage]
SCHEDULED: dict[str, Any] = {}


@dataclass
class Provider:
    """What an identity provider publishes, by HTTPS."""

    documents: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, connection: Any, question: bytes) -> None:
        path = question.split(b" ", 2)[1].decode()
        found = self.documents.get(path)
        connection.sendall(answer(b"", "404 Not Found") if found is None else answer(found))


@dataclass
class Login:
    """A stack with an issuer whose server runs here."""

    refresh: Stage
    authorize: Stage
    provider: Provider
    server: AnIssuerServer

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def publish(self, *keys: object) -> None:
        self.provider.documents["/keys"] = json.dumps({"keys": keys}).encode()

    def add(self, identifier: str | None = None, **members: Any) -> None:
        identifier = identifier or self.issuer
        row = issuer_row(identifier, **{"keys_url": f"{self.issuer}/keys", **members})
        self._write("jwt_profiles", row, {"tag": f"{identifier}#{SUBJECT}", "sip_username": "alice"})
        self._write(
            "jwt_secrets",
            {"corresponding_tag": identifier, "id": "issuer-status", "issuer_version": 1},
            {"corresponding_tag": REGISTRY_TAG, "id": identifier},
        )

    def _write(self, table: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            self.refresh.tables.put_item(TableName=table, Item=item_of(row))

    def set_status(self, column: str, value: int) -> None:
        """Put a number into the row that says how the fetches went."""
        self.refresh.tables.update_item(
            TableName="jwt_secrets",
            Key=item_of({"corresponding_tag": self.issuer, "id": "issuer-status"}),
            UpdateExpression=f"SET {column} = :value",
            ExpressionAttributeValues={":value": {"N": str(value)}},
        )

    def log_in(self, **claims: Any) -> Answer:
        token = a_login_token(now=int(time.time()), iss=self.issuer, **claims)
        return self.authorize.ask(rest_event({"jwt_token": token}))


@pytest.fixture(name="login")
def _login(set_stage: SetStage, tmp_path: Path) -> Iterator[Login]:
    authority = Authority(tmp_path)
    provider = Provider()
    with a_server(authority.identity(), provider) as server:
        issuers = f"https://127.0.0.1:{server.port},https://127.0.0.1:{server.port}/*"
        own = {"KEYS_CA_BUNDLE": str(authority.certificate), "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8"}
        refresh = set_stage("refresh_keys", ISSUERS=issuers, CACHE_TTL_SECONDS="0", **own)
        made = Login(refresh, Stage(load_handler(), refresh.tables), provider, server)
        made.add()
        made.publish(a_jwk(kid=KID))
        document = {"issuer": made.issuer, "jwks_uri": f"{made.issuer}/keys"}
        provider.documents["/.well-known/openid-configuration"] = json.dumps(document).encode()
        yield made


def warnings_of(answer: Answer) -> list[dict[str, Any]]:
    return [record for line in answer.lines if (record := json.loads(line)).get("level") == "WARNING"]


def metrics_of(answer: Answer) -> dict[str, int]:
    (directive,) = answer.record["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: answer.record[metric["Name"]] for metric in directive["Metrics"]}


def test_a_round_makes_the_keys_count_at_the_next_login(login: Login) -> None:
    before = login.log_in()

    refreshed = login.refresh.ask(SCHEDULED)
    after = login.log_in()

    assert (before.status, before.record["outcome"]) == (503, "deferred")
    assert refreshed.given == {"replaced": 1}
    assert (after.status, after.body["sip_username"]) == (200, "alice")
    assert (refreshed.record["outcome"], refreshed.record["service"]) == ("done", "refresh_keys")
    assert metrics_of(refreshed) == {"Done": 1}


def test_a_rotation_is_followed_and_a_removed_key_is_refused(login: Login) -> None:
    login.refresh.ask(SCHEDULED)
    login.publish(a_jwk("p256", kid="new"))
    login.set_status(NEXT_FETCH_AT, 1)  # as if a minute had passed

    refreshed = login.refresh.ask(SCHEDULED)

    new = {"alg": "ES256", "key": "p256", "header": {"kid": "new"}}
    assert login.log_in(**new).status == 200
    assert login.log_in(iat=int(time.time()) - 3600).denial == "unknown_key"
    assert metrics_of(refreshed) == {"Done": 1, "KeysReplaced": 1}
    assert refreshed.record["replaced"] == [login.issuer]
    assert [(each["reason"], each["issuer"]) for each in warnings_of(refreshed)] == [("keys_replaced", login.issuer)]


def test_keys_that_are_replaced_leave_a_line_of_audit(login: Login) -> None:
    answer = login.refresh.ask(SCHEDULED)

    (line,) = (json.loads(line) for line in answer.lines if '"audit"' in line)
    assert (line["audit"], line["actor"], line["tag"]) == ("issuer.refresh", "refresh_keys", login.issuer)
    assert (line["target"]["account"], line["target"]["region"]) == ("123456789012", "eu-central-1")
    assert a_jwk()["n"] not in "".join(answer.lines)


def test_what_is_not_due_is_left_alone(login: Login) -> None:
    login.refresh.ask(SCHEDULED)
    asked = login.server.connections

    assert login.refresh.ask(SCHEDULED).given == {"not_due": 1}
    assert login.server.connections == asked


def test_a_failure_is_warned_of_and_changes_nothing(login: Login) -> None:
    login.provider.documents["/keys"] = b"<html>"

    answer = login.refresh.ask(SCHEDULED)

    assert answer.given == {"failed": 1}
    (warning,) = warnings_of(answer)
    assert (warning["reason"], warning["issuer"], warning["failures"]) == ("not_json", login.issuer, 1)
    assert answer.record["outcome"] == "done"


def test_keys_that_verify_nothing_are_left_out_and_counted(login: Login) -> None:
    login.publish(a_jwk(kid=KID), {"kty": "oct", "k": "AAAA"}, {"kty": "oct", "k": "BBBB"})

    (warning,) = warnings_of(login.refresh.ask(SCHEDULED))

    assert (warning["reason"], warning["issuer"]) == ("keys_dropped", login.issuer)
    assert warning["dropped"] == {"unsupported_key": 2}

    login.set_status(NEXT_FETCH_AT, 1)
    again = login.refresh.ask(SCHEDULED)

    assert (again.given, warnings_of(again)) == ({"unchanged": 1}, [])


def test_keys_that_will_be_too_old_are_counted_and_named(login: Login) -> None:
    """After three quarters of their 26 hours, while nobody is refused yet."""
    login.refresh.ask(SCHEDULED)
    login.set_status(FETCHED_AT, int(time.time()) - 20 * 3600)

    answer = login.refresh.ask(SCHEDULED)

    assert metrics_of(answer)["StaleKeysSoon"] == 1
    assert answer.record["stale_soon"] == [login.issuer]


def test_a_discovery_document_that_is_not_read_is_warned_of_and_the_keys_are_taken(login: Login) -> None:
    login.provider.documents["/.well-known/openid-configuration"] = b"<html>"

    answer = login.refresh.ask(SCHEDULED)

    assert answer.given == {"replaced": 1}
    assert [(each["reason"], each["issuer"]) for each in warnings_of(answer)] == [("not_json", login.issuer)]


def test_rows_that_cannot_be_used_are_warned_of_and_a_line_names_some_of_them(login: Login) -> None:
    """The metric has them all, and each has a line of its own."""
    broken = [f"{login.issuer}/{number:02}" for number in range(21)]
    for issuer in broken:
        login.add(issuer, algorithms=["HS256"])

    answer = login.refresh.ask(SCHEDULED)

    assert sorted((each["reason"], each["issuer"]) for each in warnings_of(answer)) == [
        ("unusable", issuer) for issuer in broken
    ]
    assert metrics_of(answer)["RefreshFailed"] == 21
    assert answer.record["failing"] == broken[:20]


def test_an_address_that_has_moved_is_reported_until_an_operator_accepts_it(login: Login) -> None:
    document = {"issuer": login.issuer, "jwks_uri": f"{login.issuer}/other"}
    login.provider.documents["/.well-known/openid-configuration"] = json.dumps(document).encode()

    answers = [login.refresh.ask(SCHEDULED) for _ in range(2)]

    assert [metrics_of(answer)["JwksUriChanged"] for answer in answers] == [1, 1]
    assert [answer.record["moved"] for answer in answers] == [[login.issuer]] * 2


def test_a_private_key_is_reported_and_none_of_its_set_is_taken(login: Login) -> None:
    login.publish(a_jwk(kid=KID), {**a_jwk("p256", kid="2"), "d": "AQAB"})

    answer = login.refresh.ask(SCHEDULED)

    assert metrics_of(answer)["PrivateKeyPublished"] == 1
    assert answer.record["private_key_published"] == [login.issuer]
    assert login.log_in().record["outcome"] == "deferred"


def test_one_broken_issuer_holds_up_no_other(login: Login) -> None:
    login.add(f"{login.issuer}/broken", keys_url=f"{login.issuer}/nowhere", discovery=False)
    login.add(f"{login.issuer}/unreadable", algorithms=["HS256"])
    login.add("https://not-in-the-setting.example.com", keys_url="https://192.0.2.1/keys")

    answer = login.refresh.ask(SCHEDULED)

    assert answer.given == {"failed": 1, "not_set": 1, "replaced": 1, "unusable": 1}
    assert metrics_of(answer)["RefreshFailed"] == 2  # the unreadable one, and one whose first keys are overdue
    assert answer.record["failing"] == sorted([f"{login.issuer}/broken", f"{login.issuer}/unreadable"])


def test_an_issuer_whose_rows_cannot_be_read_silences_no_alarm_of_the_others(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private key that is published, or a whole new set, is seen in one round only."""
    login.add(f"{login.issuer}/unread")
    login.publish(a_jwk(kid=KID), {**a_jwk("p256", kid="2"), "d": "AQAB"})
    read = IssuerTables.read

    def read_or_fail(tables: IssuerTables, identifier: str) -> Any:
        if identifier.endswith("/unread"):
            raise Unreachable("no answer")
        return read(tables, identifier)

    monkeypatch.setattr(IssuerTables, "read", read_or_fail)

    answer = login.refresh.ask(SCHEDULED)

    assert (answer.raised or "").startswith("Fault: 1 of the issuers")
    assert metrics_of(answer) == {"Fault": 1, "PrivateKeyPublished": 1, "RefreshFailed": 1}
    assert answer.record["issuers"] == {"failed": 1, "fault": 1}


def test_a_round_ends_in_time_whatever_hangs(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda would stop it, and nobody would learn what was found of the other issuers."""
    login.add(f"{login.issuer}/hangs")
    login.publish(a_jwk(kid=KID), {**a_jwk("p256", kid="2"), "d": "AQAB"})
    read, begun, over = IssuerTables.read, Event(), Event()

    def read_or_hang(tables: IssuerTables, identifier: str) -> Any:
        if identifier.endswith("/hangs"):
            begun.set()
            over.wait(30)
        else:
            begun.wait(30)
        return read(tables, identifier)

    monkeypatch.setattr(IssuerTables, "read", read_or_hang)
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 15_500)
    monkeypatch.setitem(login.refresh.handler.__globals__, "SECONDS_FOR_THE_LINE", 15)

    try:
        answer = login.refresh.ask(SCHEDULED)
    finally:
        over.set()

    assert (answer.raised or "").startswith("Fault: 1 of the issuers")
    assert answer.record["issuers"] == {"failed": 1, "fault": 1}
    assert answer.record["causes"][1]["message"] == "the refresh of an issuer did not end in time"
    assert metrics_of(answer)["PrivateKeyPublished"] == 1


def test_issuers_that_wait_for_one_that_hangs_are_left_to_the_next_round(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    login.add(f"{login.issuer}/hangs")
    over = Event()
    monkeypatch.setattr(IssuerTables, "read", lambda *_: over.wait(30))
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 15_200)
    monkeypatch.setitem(login.refresh.handler.__globals__, "SECONDS_FOR_THE_LINE", 15)
    monkeypatch.setitem(login.refresh.handler.__globals__, "WORKERS", 1)

    try:
        answer = login.refresh.ask(SCHEDULED)
    finally:
        over.set()

    assert answer.record["issuers"] == {"fault": 1, "left": 1}
    assert metrics_of(answer) == {"Fault": 1, "IssuersLeft": 1}


def test_a_round_without_time_leaves_the_rest_to_the_next(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 14_999)

    answer = login.refresh.ask(SCHEDULED)

    assert answer.given == {"left": 1}
    assert metrics_of(answer) == {"Done": 1, "IssuersLeft": 1}
    assert login.server.connections == 0


def test_with_just_enough_time_an_issuer_is_refreshed(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 15_000)

    assert login.refresh.ask(SCHEDULED).given == {"replaced": 1}


def test_without_a_context_that_tells_the_time_there_is_enough(login: Login) -> None:
    assert login.refresh.handler(SCHEDULED, None) == {"replaced": 1}


def test_issuers_come_in_an_order_by_chance(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that, of more than a round has time for, none is always the last."""
    last = f"{login.issuer}/last"
    login.add(last)
    asked: list[str] = []
    refresh = Refresher.refresh

    def note(refresher: Refresher, identifier: str, **more: Any) -> Any:
        asked.append(identifier)
        return refresh(refresher, identifier, **more)

    monkeypatch.setattr(Refresher, "refresh", note)
    monkeypatch.setitem(login.refresh.handler.__globals__, "WORKERS", 1)
    monkeypatch.setattr("random.shuffle", lambda issuers: issuers.sort(reverse=True))

    login.refresh.ask(SCHEDULED)

    assert asked == [last, login.issuer]


@pytest.mark.parametrize("event", [{"source": "aws.scheduler"}, {"source": "aws.events", "detail": {}}])
def test_the_event_of_a_schedule_begins_a_round(login: Login, event: dict[str, Any]) -> None:
    assert login.refresh.ask(event).given == {"replaced": 1}


def test_tables_that_do_not_answer_are_a_fault(login: Login, outage: Callable[[], None]) -> None:
    outage()

    answer = login.refresh.ask(SCHEDULED)

    assert (answer.raised or "").startswith("Unreachable: ")
    assert answer.record["outcome"] == "fault"


@pytest.mark.parametrize(
    "event", [{"issuer": "https://evil.example.com"}, [], "x", {"jwt_token": "x"}, {"source": "aws.s3"}]
)
def test_an_event_of_anything_but_a_schedule_is_a_fault_and_asks_nobody(login: Login, event: Any) -> None:
    answer = login.refresh.ask(event)

    assert (answer.raised or "").startswith("UnknownEvent: ")
    assert login.server.connections == 0


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("KEYS_CA_BUNDLE", "/nowhere/ca.pem", "there is no such file"),
        ("KEYS_ACCEPTED_NETWORKS", "10.0.0.1/8", "a comma list of networks"),
        ("ISSUERS", "login.example.com", "https URLs"),
    ],
)
def test_an_invalid_setting_is_a_fault_that_names_it(
    set_stage: SetStage, variable: str, value: str, accepted: str
) -> None:
    answer = set_stage("refresh_keys", **{variable: value}).ask(SCHEDULED)

    assert (answer.raised or "").startswith(f"BadSetting: {variable}={value!r} is refused")
    assert accepted in (answer.raised or "")


def test_by_default_no_address_of_a_private_network_is_asked(set_stage: SetStage, tmp_path: Path) -> None:
    with a_server(Authority(tmp_path).identity(), Provider()) as server:
        issuer = f"https://127.0.0.1:{server.port}"
        refresh = set_stage("refresh_keys", ISSUERS=issuer)
        login = Login(refresh, refresh, Provider(), server)
        login.add()
        answer = login.refresh.ask(SCHEDULED)

        assert {warning["reason"] for warning in warnings_of(answer)} == {"not_public"}
        assert server.connections == 0
