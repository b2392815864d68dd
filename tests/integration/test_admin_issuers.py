"""Issuers in the admin API: the real handler, tables in memory, and a provider on loopback, by HTTPS.

Each answer is held against openapi-admin.json.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from auth_jwt.fetching.client import FETCH_SECONDS
from auth_jwt.issuers.models import DOMAIN_OF, DOMAIN_ROW, MEMBERS, domain_tag, id_of
from tests.certificates import Authority
from tests.factories import a_jwk
from tests.integration.admin_client import PROFILES, Operator, document
from tests.integration.conftest import SetStage
from tests.integration.test_refresh_keys import Provider
from tests.integration.test_secrecy import rest_event
from tests.issuers import KID, SUBJECT, a_login_token, item_of
from tests.unit.fetching.servers import AnIssuerServer, a_server
from tools.events.stage import REVOCATIONS, Answer, Stage, load_handler, template

ISSUERS = "/admin/issuers"
NEW = {"alg": "ES256", "key": "p256", "header": {"kid": "new"}}
DISCOVERY = "/sip/.well-known/openid-configuration"


@dataclass
class Lab:
    """An operator, the service on the same tables, and a provider.

    Attributes:
        operator: asks the admin API.
        service: the function that decides about logins.
        provider: what is published.
        server: where it is published.
        authority: vouches for it.
        answers: the text of all answers.
    """

    operator: Operator
    service: Stage
    provider: Provider
    server: AnIssuerServer
    authority: Authority
    answers: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    @property
    def issuer(self) -> str:
        return f"{self.host}/sip"

    @property
    def path(self) -> str:
        return f"{ISSUERS}/{id_of(self.issuer)}"

    def publish(self, *keys: object, path: str = "/sip/keys") -> None:
        """Publish *keys* at a path, and its address in the discovery document."""
        self.provider.documents[path] = _octets({"keys": keys})
        self.provider.documents[DISCOVERY] = _octets(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.host}{path}",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Answer:
        answer = self.operator.ask(method, path, body, **more)
        self.answers.append(json.dumps(answer.given))
        return answer

    def done(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = self.ask(method, path, body, **more)
        assert answer.status in (200, 201, 204), answer.body
        return answer.body

    def new(self, **members: Any) -> dict[str, Any]:
        """Return the body that adds the issuer."""
        configuration = {"audiences": ["sip"], **members}
        return {
            "issuer": self.issuer,
            "configuration": configuration,
            "confirmed_keys_url": members.get("keys_url", f"{self.issuer}/keys"),
        }

    def add(self, **members: Any) -> Any:
        return self.done("POST", ISSUERS, self.new(**members))["issuer"]

    def log_in(self, **claims: Any) -> Answer:
        token = a_login_token(now=int(time.time()), iss=self.issuer, **claims)
        return self.service.ask(rest_event({"jwt_token": token}))

    def make_discovery_due(self) -> None:
        self.service.tables.update_item(
            TableName="jwt_secrets",
            Key={"corresponding_tag": {"S": self.issuer}, "id": {"S": "issuer-status"}},
            UpdateExpression="REMOVE issuer_next_discovery_at",
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of both tables."""
        tables = self.service.tables
        return [row for name in ("jwt_profiles", "jwt_secrets") for row in tables.scan(TableName=name)["Items"]]


def _octets(published: object) -> bytes:
    return json.dumps(published).encode()


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).removeprefix("urn:auth-jwt:problem:")


@pytest.fixture(name="lab")
def _lab(set_stage: SetStage, tmp_path: Path) -> Iterator[Lab]:
    authority = Authority(tmp_path)
    provider = Provider()
    with a_server(authority.identity(), provider) as server:
        stage = set_stage(
            "provisioning",
            ISSUERS=f"https://127.0.0.1:{server.port}/*",
            CACHE_TTL_SECONDS="0",
            REVOCATIONS_TABLE=REVOCATIONS,
            KEYS_CA_BUNDLE=str(authority.certificate),
            KEYS_ACCEPTED_NETWORKS="127.0.0.0/8",
        )
        made = Lab(Operator(stage), Stage(load_handler(), stage.tables), provider, server, authority)
        made.publish(a_jwk(kid=KID))
        yield made
        _shows_no_key(made)


def _shows_no_key(lab: Lab) -> None:
    """No test may make the API show a key, in an answer or in the log."""
    shown = "".join([*lab.answers, *lab.operator.lines])
    assert shown
    for name in ("rsa_2048", "p256"):
        key = a_jwk(name)
        assert str(key.get("n", key.get("x"))) not in shown


def test_an_issuer_lives_from_the_look_up_to_its_end(lab: Lab) -> None:
    rows = lab.rows
    lab.done("POST", PROFILES, {"tag": f"{lab.issuer}#{SUBJECT}", "sip_username": "alice"})
    assert lab.log_in().denial == "unknown_issuer"

    added = lab.ask("POST", ISSUERS, lab.new())
    assert (added.status, added.headers["location"]) == (201, f"/v1{lab.path}")
    assert (lab.log_in().status, lab.log_in().body["sip_username"]) == (200, "alice")

    lab.publish(a_jwk("p256", kid="new"), a_jwk(kid=KID))
    assert lab.log_in(**NEW).record["outcome"] == "deferred"
    assert lab.done("POST", f"{lab.path}/refresh")["refreshed"]["outcome"] == "replaced"
    assert lab.log_in(**NEW).status == 200

    (new,) = (key for key in lab.done("GET", lab.path)["keys"] if key["kid"] == "new")
    blocked = lab.done("POST", f"{lab.path}/blocked-keys/{new['thumbprint']}")
    assert [key["blocked"] for key in blocked["keys"] if key["kid"] == "new"] == [True]
    assert blocked["configuration"]["blocked_keys"] == [new["thumbprint"]]
    assert lab.log_in(**NEW).denial == "unknown_key"
    lab.done("DELETE", f"{lab.path}/blocked-keys/{new['thumbprint']}")
    assert lab.log_in(**NEW).status == 200

    assert lab.done("POST", f"{lab.path}/disable")["disabled"] is True
    assert lab.log_in().denial == "disabled_issuer"
    enabled = lab.done("POST", f"{lab.path}/enable")
    assert (enabled["disabled"], enabled["refreshed"]["outcome"]) == (False, "unchanged")
    assert lab.log_in().status == 200

    assert lab.ask("DELETE", lab.path).status == 204
    assert lab.log_in().denial == "unknown_issuer"
    assert lab.ask("GET", lab.path).status == 404
    user = [row for row in lab.rows if row.get("tag", {}).get("S", "").startswith(lab.issuer)]
    assert len(user) == 1
    assert [row for row in lab.rows if row not in user] == rows


def test_each_write_leaves_a_line_of_audit_and_names_the_caller(lab: Lab) -> None:
    lab.add()
    lab.done("PATCH", lab.path, {"configuration": {"longest_lifetime": 3600}})
    lab.ask("DELETE", lab.path)

    assert [line["audit"] for line in lab.operator.audit] == [
        "issuer.add", "issuer.refresh", "issuer.change", "issuer.remove",
    ]  # fmt: skip
    assert {line["tag"] for line in lab.operator.audit} == {lab.issuer}
    assert {line["actor"].partition(":user/")[1] for line in lab.operator.audit} == {":user/"}


def test_a_request_is_logged_by_its_operation_and_issuer(lab: Lab) -> None:
    lab.add()

    record = lab.ask("GET", lab.path).record

    assert (record["operation"], record["tag"], record["outcome"]) == ("show_issuer", lab.issuer, "done")


class TestAdd:
    def test_shows_what_was_found_and_writes_nothing_before_the_address_is_confirmed(self, lab: Lab) -> None:
        lab.publish(a_jwk(kid=KID), {"kty": "oct", "k": "AQAB"}, {"kty": "unheard-of"})
        rows = lab.rows

        answer = lab.ask("POST", ISSUERS, {**lab.new(), "confirmed_keys_url": None})

        found = answer.body["found"]
        (key,) = found.pop("keys")
        assert (key["kid"], key["kind"], key["algorithms"]) == (KID, "RSA 2048", ["RS256"])
        assert found == {
            "keys_url": f"{lab.issuer}/keys",
            "is_elsewhere": False,
            "algorithms": ["RS256"],
            "dropped": {"unsupported_key": 2},
        }
        assert {name: value for name, value in answer.body.items() if name != "found"} == {
            "configuration": {"keys_url": f"{lab.issuer}/keys", "audiences": ["sip"]},
            "is_set": True,
            "issuer": None,
        }
        assert (answer.status, lab.rows, lab.operator.audit) == (200, rows, [])

    def test_rejects_the_confirmation_of_an_address_that_is_another_now(self, lab: Lab) -> None:
        rows = lab.rows
        lab.publish(a_jwk(kid=KID), path="/sip/moved")

        answer = lab.ask("POST", ISSUERS, lab.new())

        assert (answer.status, kind_of(answer), lab.rows) == (409, "conflict", rows)

    def test_repeated_changes_nothing(self, lab: Lab) -> None:
        first, again = lab.ask("POST", ISSUERS, lab.new()), lab.ask("POST", ISSUERS, lab.new())

        assert (first.status, again.status) == (201, 200)
        assert [line["audit"] for line in lab.operator.audit] == ["issuer.add", "issuer.refresh"]
        assert again.body["issuer"]["version"] == first.body["issuer"]["version"]

    def test_with_another_configuration_is_a_conflict(self, lab: Lab) -> None:
        lab.add()

        assert kind_of(lab.ask("POST", ISSUERS, lab.new(audiences=["web"]))) == "conflict"

    def test_tells_that_the_keys_are_on_another_host(self, lab: Lab) -> None:
        with a_server(lab.authority.identity(), lab.provider) as other:
            url = f"https://127.0.0.1:{other.port}/sip/keys"
            lab.provider.documents[DISCOVERY] = _octets({"issuer": lab.issuer, "jwks_uri": url})

            found = lab.done("POST", ISSUERS, {**lab.new(), "confirmed_keys_url": None})["found"]

        assert (found["keys_url"], found["is_elsewhere"]) == (url, True)

    def test_asks_no_address_that_is_neither_public_nor_accepted(self, lab: Lab) -> None:
        lab.provider.documents[DISCOVERY] = _octets({"issuer": lab.issuer, "jwks_uri": "https://192.0.2.1/keys"})

        assert lab.ask("POST", ISSUERS, lab.new()).body["failure"] == "not_public"

    def test_tells_that_the_setting_does_not_name_the_issuer(self, lab: Lab) -> None:
        other = f"https://localhost:{lab.server.port}"
        body = {**lab.new(keys_url=f"{lab.issuer}/keys"), "issuer": other}

        answer = lab.ask("POST", ISSUERS, body)

        assert (answer.status, answer.body["is_set"]) == (201, False)
        assert answer.body["issuer"]["refreshed"]["outcome"] == "not_set"

    @pytest.mark.parametrize(
        ("published", "failure"),
        [
            (b"<html>", "not_json"),
            (_octets({"issuer": "https://other.example.com"}), "wrong_issuer"),
            (_octets({"issuer": "https://other.example.com", "jwks_uri": 1}), "wrong_issuer"),
        ],
    )
    def test_adds_nothing_that_cannot_be_fetched(self, lab: Lab, published: bytes, failure: str) -> None:
        rows = lab.rows
        lab.provider.documents[DISCOVERY] = published

        answer = lab.ask("POST", ISSUERS, lab.new())

        assert (answer.status, kind_of(answer), answer.body["failure"]) == (422, "fetch-failed", failure)
        assert "127.0.0.1" in answer.body["detail"]
        logged = [answer.record[name] for name in ("outcome", "reason", "failure", "tag")]
        assert logged == ["rejected", "fetch_failed", failure, lab.issuer]
        assert lab.rows == rows

    def test_takes_no_set_that_holds_a_private_key_and_never_shows_it(self, lab: Lab) -> None:
        lab.publish(a_jwk(kid=KID), {**a_jwk("p256", kid="2"), "d": "pRiVaTe"})

        answer = lab.ask("POST", ISSUERS, lab.new())

        assert answer.body["failure"] == "private_key_published"
        assert "pRiVaTe" not in "".join([*lab.answers, *lab.operator.lines])

    def test_takes_an_address_of_keys_in_place_of_discovery(self, lab: Lab) -> None:
        lab.provider.documents.pop(DISCOVERY)

        added = lab.ask("POST", ISSUERS, lab.new(keys_url=f"{lab.issuer}/keys")).body

        assert added["found"]["is_elsewhere"] is None
        assert added["issuer"]["configuration"]["discovery"] is False
        assert len(added["issuer"]["keys"]) == 1

    def test_takes_every_member_of_a_configuration(self, lab: Lab) -> None:
        configuration = {
            "keys_url": f"{lab.issuer}/keys",
            "discovery": False,
            "algorithms": ["EdDSA", "RS256"],
            "audiences": ["sip", "web"],
            "client_claim": "azp",
            "client_ids": ["phone"],
            "token_kind": "id",
            "access_audiences": ["web"],
            "required_claims": {"tid": 1, "typ": "Bearer", "verified": True},
            "access_claims": ["typ"],
            "longest_lifetime": 3600,
            "requires_jti": False,
            "mapping": "claim",
            "username_claim": "sip_user",
            "username_pattern": "[0-9]+",
            "sip_domain": "example.com",
            "permits_no_domain": True,
            "blocked_keys": ["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"],
        }

        assert lab.add(**configuration)["configuration"] == configuration
        assert configuration.keys() == set(MEMBERS)
        assert document()["components"]["schemas"]["Configuration"]["properties"].keys() == set(MEMBERS)

    def test_rejects_a_claim_that_users_may_edit_unless_the_operator_knows_better(self, lab: Lab) -> None:
        body = lab.new(mapping="claim", username_claim="email", sip_domain="example.com")

        answer = lab.ask("POST", ISSUERS, body)

        assert (answer.status, kind_of(answer)) == (400, "invalid-value")
        assert "users may edit the claim" in answer.body["detail"]
        assert lab.ask("POST", ISSUERS, {**body, "users_cannot_change_claim": True}).status == 201

    @pytest.mark.parametrize(
        ("configuration", "kind"),
        [
            ({}, "invalid-value"),  # no audience
            ({"audiences": ["sip"], "algorithms": ["HS256"]}, "invalid-value"),
            ({"audiences": "sip"}, "invalid-request"),
            ({"audiences": ["sip"], "unheard_of": 1}, "invalid-request"),
            ({"audiences": ["sip"], "keys_url": "http://127.0.0.1/keys"}, "fetch-failed"),
        ],
    )
    def test_rejects_what_would_not_work(self, lab: Lab, configuration: dict[str, Any], kind: str) -> None:
        rows = lab.rows

        answer = lab.ask("POST", ISSUERS, {**lab.new(), "configuration": configuration})

        assert (kind_of(answer), lab.rows) == (kind, rows)

    @pytest.mark.parametrize("issuer", ["http://127.0.0.1/sip", "alice-web", "https://127.0.0.1/sip#x"])
    def test_rejects_what_is_no_issuer_before_it_asks_anybody(self, lab: Lab, issuer: str) -> None:
        answer = lab.ask("POST", ISSUERS, {**lab.new(), "issuer": issuer})

        assert (kind_of(answer), lab.server.connections) == ("invalid-value", 0)

    def test_leaves_the_keys_to_the_next_minute_when_the_time_is_short(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The look-up may have taken ten seconds of the function's 25."""
        monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 14_999)

        added = lab.ask("POST", ISSUERS, lab.new())

        assert (added.status, added.body["issuer"]["refreshed"]) == (201, None)
        assert added.body["issuer"]["status"]["next_fetch_at"] is None  # so it is due

    def test_fetches_the_keys_when_there_is_just_enough_time(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 15_000)

        assert lab.done("POST", ISSUERS, lab.new())["issuer"]["refreshed"] is not None

    def test_both_together_end_within_the_functions_time(self) -> None:
        """A look-up fetches two documents."""
        from admin_api.issuers import SECONDS_FOR_REFRESH

        timeout = template()["Resources"]["ProvisioningFunction"]["Properties"]["Timeout"]
        assert 2 * FETCH_SECONDS <= SECONDS_FOR_REFRESH
        assert timeout >= 2 * FETCH_SECONDS + SECONDS_FOR_REFRESH

    def test_by_default_asks_no_address_that_is_not_public(self, set_stage: SetStage, tmp_path: Path) -> None:
        with a_server(Authority(tmp_path).identity(), Provider()) as server:
            operator = Operator(set_stage("provisioning", ISSUERS=f"https://127.0.0.1:{server.port}"))
            body = {"issuer": f"https://127.0.0.1:{server.port}", "configuration": {"audiences": ["sip"]}}

            assert operator.ask("POST", ISSUERS, body).body["failure"] == "not_public"
            assert server.connections == 0


class TestChange:
    def test_changes_what_is_given_and_null_gives_a_default(self, lab: Lab) -> None:
        lab.add(requires_jti=False, longest_lifetime=3600)

        answer = lab.ask("PATCH", lab.path, {"configuration": {"audiences": ["web"], "longest_lifetime": None}})

        assert answer.body["configuration"] == {
            "keys_url": f"{lab.issuer}/keys", "audiences": ["web"], "requires_jti": False,
        }  # fmt: skip
        assert answer.body["refreshed"] is None
        assert answer.headers["etag"] == f'"{answer.body["version"]}"'
        assert lab.log_in().denial == "wrong_audience"

    def test_does_so_only_at_the_version_that_is_named(self, lab: Lab) -> None:
        lab.add()
        known = lab.ask("GET", lab.path).headers["etag"]
        change = {"configuration": {"longest_lifetime": 3600}}

        done = lab.ask("PATCH", lab.path, change, headers=[("If-Match", known)])
        stale = lab.ask("PATCH", lab.path, change, headers=[("If-Match", known)])

        assert (done.status, stale.status, kind_of(stale)) == (200, 412, "stale")
        assert lab.ask("PATCH", lab.path, change, headers=[("If-Match", done.headers["etag"])]).status == 200

    def test_a_fetch_does_not_change_the_version(self, lab: Lab) -> None:
        lab.add()
        known = lab.ask("GET", lab.path).headers["etag"]
        lab.publish(a_jwk("p256", kid="new"))
        lab.done("POST", f"{lab.path}/refresh")

        assert lab.ask("GET", lab.path).headers["etag"] == known

    def test_takes_the_address_that_the_issuer_has_moved_to(self, lab: Lab) -> None:
        lab.add()
        lab.publish(a_jwk("p256", kid="new"), path="/sip/moved")
        lab.make_discovery_due()
        moved_to = lab.done("POST", f"{lab.path}/refresh")["status"]["moved_to"]
        assert [key["kid"] for key in lab.done("GET", lab.path)["keys"]] == [KID]  # it is not followed

        changed = lab.done("PATCH", lab.path, {"configuration": {"keys_url": moved_to}})

        assert changed["configuration"]["keys_url"] == moved_to == f"{lab.issuer}/moved"
        assert (changed["refreshed"]["outcome"], changed["status"]["moved_to"]) == ("replaced", None)
        assert [key["kid"] for key in changed["keys"]] == ["new"]

    def test_leaves_an_address_where_no_keys_are(self, lab: Lab) -> None:
        before = lab.add()

        answer = lab.ask("PATCH", lab.path, {"configuration": {"keys_url": f"{lab.issuer}/nowhere"}})

        assert (answer.status, answer.body["failure"]) == (422, "bad_status")
        assert lab.done("GET", lab.path)["configuration"] == before["configuration"]

    @pytest.mark.parametrize("members", [{}, {"audiences": []}, {"sip_domain": "example.com"}, {"blocked_keys": [""]}])
    def test_rejects_what_would_not_work(self, lab: Lab, members: dict[str, Any]) -> None:
        before = lab.add()["configuration"]

        assert lab.ask("PATCH", lab.path, {"configuration": members}).status == 400
        assert lab.done("GET", lab.path)["configuration"] == before


class TestRefresh:
    def test_a_failed_fetch_is_a_problem_of_its_own_and_the_keys_stay(self, lab: Lab) -> None:
        lab.add()
        lab.provider.documents["/sip/keys"] = b"<html>"

        answer = lab.ask("POST", f"{lab.path}/refresh")

        assert (answer.status, kind_of(answer), answer.body["failure"]) == (422, "fetch-failed", "not_json")
        shown = lab.done("GET", lab.path)
        assert (shown["status"]["failures"], shown["status"]["failure"]) == (1, "not_json")
        assert [key["kid"] for key in shown["keys"]] == [KID]

    def test_says_that_no_key_is_left_of_those_before(self, lab: Lab) -> None:
        lab.add()
        lab.publish(a_jwk("p256", kid="new"), {"kty": "oct", "k": "AQAB"})

        refreshed = lab.done("POST", f"{lab.path}/refresh")["refreshed"]

        assert (refreshed["has_nothing_in_common"], refreshed["dropped"]) == (True, {"unsupported_key": 1})

    def test_of_a_disabled_issuer_is_a_conflict_and_asks_nobody(self, lab: Lab) -> None:
        lab.add()
        lab.done("POST", f"{lab.path}/disable")
        asked = lab.server.connections

        answer = lab.ask("POST", f"{lab.path}/refresh")

        assert (kind_of(answer), lab.server.connections) == ("conflict", asked)
        assert answer.body["detail"] == "the keys were not fetched, because the issuer is disabled"

    def test_enabling_succeeds_even_if_nothing_can_be_fetched(self, lab: Lab) -> None:
        lab.add()
        lab.done("POST", f"{lab.path}/disable")
        lab.provider.documents["/sip/keys"] = b"<html>"

        refreshed = lab.done("POST", f"{lab.path}/enable")["refreshed"]

        assert (refreshed["outcome"], refreshed["failure"]) == ("failed", "not_json")
        assert "127.0.0.1" in refreshed["detail"]


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/refresh"),
        ("POST", "/disable"),
        ("POST", "/enable"),
        ("POST", "/blocked-keys/x"),
        ("DELETE", "/blocked-keys/x"),
    ],
)
@pytest.mark.parametrize("issuer_id", ["0" * 32, "alice-web", "https%3A%2F%2F127.0.0.1"])
def test_an_unknown_id_is_not_found(lab: Lab, method: str, rest: str, issuer_id: str) -> None:
    body = {"configuration": {"audiences": ["sip"]}} if method == "PATCH" else None

    answer = lab.ask(method, f"{ISSUERS}/{issuer_id}{rest}", body)

    assert (answer.status, kind_of(answer)) == (404, "not-found")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_unknown_key_is_not_found(lab: Lab, method: str) -> None:
    lab.add()

    assert lab.ask(method, f"{lab.path}/blocked-keys/{'x' * 43}").status == 404


def test_issuers_are_listed_page_by_page(lab: Lab) -> None:
    names = sorted(f"{lab.host}/{number}" for number in range(3))
    for name in names:
        lab.done("POST", ISSUERS, {**lab.new(keys_url=f"{lab.issuer}/keys"), "issuer": name})

    first = lab.done("GET", ISSUERS, query=[("limit", "2")])
    second = lab.done("GET", ISSUERS, query=[("limit", "2"), ("cursor", first["next"])])

    assert [one["issuer"] for one in (*first["issuers"], *second["issuers"])] == names
    assert second["next"] is None
    assert [one["id"] for one in first["issuers"]] == list(map(id_of, names[:2]))


def test_damaged_rows_are_shown_with_their_problem_and_can_be_mended(lab: Lab) -> None:
    lab.add()
    lab.service.tables.update_item(
        TableName="jwt_profiles",
        Key={"tag": {"S": lab.issuer}},
        UpdateExpression="SET issuer_config = :broken",
        ExpressionAttributeValues={":broken": {"S": '{"keys_url": "x"}'}},
    )

    shown = lab.ask("GET", lab.path)
    assert (shown.body["configuration"], shown.body["version"]) == (None, None)
    assert "the address of the keys" in shown.body["problem"]
    assert kind_of(lab.ask("POST", f"{lab.path}/refresh")) == "conflict"

    members = {"keys_url": f"{lab.issuer}/keys", "audiences": ["sip"]}
    mended = lab.ask("PATCH", lab.path, {"configuration": members}, headers=[("If-Match", shown.headers["etag"])])
    assert (mended.status, mended.body["problem"]) == (200, None)


def test_tables_that_do_not_answer_are_unavailable(lab: Lab, outage: Any) -> None:
    lab.add()
    outage()

    answer = lab.ask("POST", f"{lab.path}/refresh")

    assert (answer.status, kind_of(answer)) == (503, "unavailable")


def test_an_invalid_setting_of_fetching_is_a_fault_of_what_fetches_alone(set_stage: SetStage) -> None:
    operator = Operator(set_stage("provisioning", KEYS_ACCEPTED_NETWORKS="10.0.0.1/8"))
    body = {"issuer": "https://login.example.com", "configuration": {"audiences": ["sip"]}}

    assert operator.ask("POST", ISSUERS, body).status == 500
    assert operator.ask("GET", ISSUERS).status == 200


def _examples(path: str, method: str) -> list[dict[str, Any]]:
    operation = document()["paths"][path][method]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    examples: list[dict[str, Any]] = document()["components"]["schemas"][schema]["examples"]
    return examples


def test_every_example_of_a_request_is_done(lab: Lab) -> None:
    """With the provider of this test in place of the example's."""

    def here(example: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(example).replace("https://login.example.com/realms", lab.host)
        replaced: dict[str, Any] = json.loads(text.replace("https://keys.example.com/sip", f"{lab.issuer}/keys"))
        return replaced

    for example in _examples(ISSUERS, "post"):
        assert lab.ask("POST", ISSUERS, here(example)).status == 201
    for example in _examples(f"{ISSUERS}/{{issuer_id}}", "patch"):
        assert lab.ask("PATCH", lab.path, here(example)).status == 200


class TestUsers:
    @pytest.fixture(name="user")
    @staticmethod
    def _user(lab: Lab) -> str:
        """The path of a user's profile."""
        lab.add()
        lab.done("POST", PROFILES, {"tag": f"{lab.issuer}#auth0|a/b", "sip_username": "alice"})
        return f"{lab.path}/users/auth0%7Ca%2Fb"

    def test_a_profile_is_named_by_the_issuers_id_and_the_sub(self, lab: Lab, user: str) -> None:
        shown = lab.ask("GET", user)
        assert (shown.body["tag"], shown.body["sip_username"]) == (f"{lab.issuer}#auth0|a/b", "alice")
        assert shown.record["tag"] == f"{lab.issuer}#auth0|a/b"

        stale = lab.ask("PATCH", user, {"disabled": True}, headers=[("If-Match", '"old"')])
        changed = lab.ask("PATCH", user, {"disabled": True}, headers=[("If-Match", shown.headers["etag"])])
        assert (stale.status, changed.status, changed.body["disabled"]) == (412, 200, True)
        assert lab.log_in(sub="auth0|a/b").denial == "disabled_profile"

        assert lab.done("DELETE", user) == {"deleted_secrets": 0}
        assert lab.ask("GET", user).status == 404

    def test_a_deleted_user_is_restored_or_erased(self, lab: Lab, user: str) -> None:
        tag = f"{lab.issuer}#auth0|a/b"
        lab.done("DELETE", user)

        assert lab.done("POST", f"{user}/restore") == {"tag": tag, "profile": True, "secrets": []}
        assert lab.done("GET", user)["sip_username"] == "alice"
        assert lab.done("POST", f"{user}/erase") == {"deleted_secrets": 0}
        assert lab.ask("POST", f"{user}/restore").status == 404

    def test_the_tag_in_a_path_names_the_same_profile(self, lab: Lab, user: str) -> None:
        """As any tag, percent-encoded: where no proxy in between decodes it."""
        assert lab.done("GET", f"{PROFILES}/{quote(f'{lab.issuer}#auth0|a/b', safe='')}") == lab.done("GET", user)

    def test_one_token_is_revoked_under_the_issuer_and_nowhere_else(self, lab: Lab, user: str) -> None:
        under_the_user, under_the_issuer = (
            lab.ask("POST", f"{PROFILES}/{quote(tag, safe='')}/revocations", {"jti": "1"})
            for tag in (f"{lab.issuer}#auth0|a/b", lab.issuer)
        )

        assert (kind_of(under_the_user), under_the_issuer.status) == ("invalid-value", 201)
        assert lab.log_in(sub="auth0|a/b").denial == "revoked_token"
        assert lab.log_in(sub="auth0|a/b", jti="2").status == 200
        assert lab.ask("GET", user).status == 200

    def test_all_tokens_of_one_are_revoked_under_the_tag(self, lab: Lab, user: str) -> None:
        lab.done("POST", f"{PROFILES}/{quote(f'{lab.issuer}#auth0|a/b', safe='')}/revocations", {"all": True})

        assert lab.done("GET", user)["tokens_valid_after"] > 0
        assert lab.log_in(sub="auth0|a/b").denial == "revoked_token"

    def test_of_an_unknown_issuer_are_not_found(self, lab: Lab, user: str) -> None:
        assert lab.ask("GET", user.replace(id_of(lab.issuer), "0" * 32)).status == 404

    def test_may_have_the_domain_of_their_issuer_and_of_no_other(self, lab: Lab, user: str) -> None:
        configuration = {"mapping": "claim", "username_claim": "sip_user", "sip_domain": "example.com"}
        lab.done("PATCH", lab.path, {"configuration": configuration})
        claim = {"corresponding_tag": domain_tag("example.org"), "id": DOMAIN_ROW, DOMAIN_OF: "https://id.example.org/"}
        lab.operator.stage.tables.put_item(TableName="jwt_secrets", Item=item_of(claim))

        assert lab.ask("PATCH", user, {"sip_domain": "example.com"}).status == 200
        assert lab.ask("PATCH", user, {"sip_domain": "example.org"}).status == 409


def _requests_of_a_tag() -> Iterator[tuple[str, str, object]]:
    """Every operation of a profile's path, each with its first example."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if "{tag}" in path:
                example = _examples(path, method)[0] if "requestBody" in operation else None
                yield method.upper(), path.replace("{secret_id}", "1").replace("{jti}", "1"), example


@pytest.mark.parametrize(("method", "path", "body"), [*_requests_of_a_tag()])
def test_the_routes_of_profiles_change_no_issuer(lab: Lab, method: str, path: str, body: object) -> None:
    """Except that they revoke its tokens: those of one `jti`, or those issued before a time."""
    lab.add()
    rows = lab.rows

    answer = lab.ask(method, path.replace("{tag}", quote(lab.issuer, safe="")), body)

    revokes = "revocations" in path or "tokens_valid_after" in path
    assert revokes or answer.status in (404, 409) or answer.body == {"secrets": []}
    assert lab.rows == rows or revokes
