"""What a frontend and an operator see of the handler beyond the sample events: settings, writes, outages, faults."""

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.events.samples import token
from tools.events.stage import SAMPLES, Stage, read_json

SetStage = Callable[..., Stage]

BY_HEADER = read_json(SAMPLES / "authorize" / "rest-authorized-by-header.json")
WRONG_SECRET = read_json(SAMPLES / "authorize" / "rest-denied-wrong-secret.json")
UNKNOWN_TAG = read_json(SAMPLES / "authorize" / "rest-denied-unknown-tag.json")
HEALTH = read_json(SAMPLES / "authorize" / "rest-health.json")
FORGED_BY_ZEROS = f"eyJhbGciOiJFZERTQSJ9.eyJuIjoyfQ.AQ{'A' * 84}"
DIRECT = read_json(SAMPLES / "authorize" / "direct-authorized.json")


def with_id(jti: str) -> dict[str, Any]:
    """The request of `BY_HEADER` with a token of that `jti`."""
    bearer = {"Authorization": f"Bearer {token('alice-web', jti=jti).text}"}
    many = {name: [value] for name, value in bearer.items()}
    headers, values = BY_HEADER["headers"] | bearer, BY_HEADER["multiValueHeaders"] | many
    return {**BY_HEADER, "headers": headers, "multiValueHeaders": values}


def revoke(stage: Stage, jti: str) -> None:
    stage.tables.put_item(TableName="jwt_revocations", Item={"tag": {"S": "alice-web"}, "jti": {"S": jti}})


class TestRows:
    def test_both_tables_are_read_once_and_then_remembered(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage()
        calls.clear()

        answers = [stage.ask(BY_HEADER) for _ in range(3)]

        assert [answer.record["rows"] for answer in answers] == ["table", "memory", "memory"]
        assert sorted(calls) == ["GetItem jwt_profiles eventual", "Query jwt_secrets eventual"]

    def test_a_new_secret_works_at_once(self, set_stage: SetStage) -> None:
        """The rows are remembered; the refusal they lead to is checked against the tables."""
        stage = set_stage()
        key = {"corresponding_tag": {"S": "alice-web"}, "id": {"S": "1"}}
        row = stage.tables.get_item(TableName="jwt_secrets", Key=key)["Item"]
        stage.tables.delete_item(TableName="jwt_secrets", Key=key)
        assert stage.ask(BY_HEADER).denial == "unknown_tag"

        stage.tables.put_item(TableName="jwt_secrets", Item=row)

        assert stage.ask(BY_HEADER).status == 200

    def test_a_forger_costs_one_look_at_the_tables_a_second(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage()
        stage.ask(WRONG_SECRET)
        calls.clear()

        assert {stage.ask(WRONG_SECRET).denial for _ in range(20)} == {"bad_signature"}

        looks = calls.count("Query jwt_secrets consistent")
        assert 1 <= looks <= 2  # twenty refusals take less than a second, but may lie across its end
        assert sorted(calls) == sorted(["GetItem jwt_profiles consistent", "Query jwt_secrets consistent"] * looks)

    def test_a_new_profile_works_at_once(self, set_stage: SetStage, calls: list[str]) -> None:
        """What the profile's own read of the second look finds decides, so it has to see every write."""
        stage = set_stage()
        key = {"tag": {"S": "alice-web"}}
        row = stage.tables.get_item(TableName="jwt_profiles", Key=key)["Item"]
        stage.tables.delete_item(TableName="jwt_profiles", Key=key)
        assert stage.ask(BY_HEADER).denial == "unknown_profile"
        stage.tables.put_item(TableName="jwt_profiles", Item=row)
        calls.clear()

        assert stage.ask(BY_HEADER).status == 200
        assert sorted(calls) == ["GetItem jwt_profiles consistent", "Query jwt_secrets consistent"]

    def test_health_reads_no_table(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage()
        calls.clear()

        assert stage.ask(HEALTH).status == 200
        assert calls == []

    @pytest.mark.parametrize("event", [BY_HEADER, DIRECT], ids=["HTTP", "direct"])
    def test_the_line_of_a_login_says_whose_it_was(self, set_stage: SetStage, event: dict[str, Any]) -> None:
        record = set_stage().ask(event).record

        assert (record["service"], record["outcome"], record["tag"]) == ("authorize", "authorized", "alice-web")

    def test_script_authorize_reads_no_table(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage()
        calls.clear()

        answer = stage.ask(read_json(SAMPLES / "authorize" / "rest-script-authorize-validated.json"))

        assert answer.member("code") == 1
        assert answer.record["outcome"] == "validated"
        assert calls == []

    @pytest.mark.parametrize("form", ["JWK", "JWKS", "PEM"])
    def test_script_authorize_takes_no_key_that_anybody_can_sign_by(self, set_stage: SetStage, form: str) -> None:
        """An Ed25519 key of zeros, and a token forged by it; `degenerate_key` in a row."""
        zeros = Ed25519PublicKey.from_public_bytes(bytes(32))
        jwk = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43})
        pem = zeros.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        event = read_json(SAMPLES / "authorize" / "rest-script-authorize-validated.json")
        key = {"JWK": jwk, "JWKS": f'{{"keys": [{jwk}]}}', "PEM": pem}[form]
        event["body"] = json.dumps({"jwt_token": FORGED_BY_ZEROS, "key": key})

        signing_input, _, signature = FORGED_BY_ZEROS.rpartition(".")
        zeros.verify(base64.urlsafe_b64decode(f"{signature}=="), signing_input.encode())
        answer = set_stage().ask(event)
        assert (answer.status, answer.member("code")) == (200, -1)
        assert answer.record["outcome"] == "not_validated"

    def test_without_memory_every_request_reads(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage(CACHE_TTL_SECONDS="0")
        calls.clear()

        assert [stage.ask(BY_HEADER).record["rows"] for _ in range(2)] == ["table", "table"]
        assert len(calls) == 4


class TestRevocations:
    """With REVOCATIONS_TABLE, a single token can be revoked."""

    def test_a_token_that_is_listed_is_refused_and_no_other(self, set_stage: SetStage) -> None:
        stage = set_stage(REVOCATIONS_TABLE="jwt_revocations")
        revoke(stage, "stolen")

        stolen, other = stage.ask(with_id("stolen")), stage.ask(with_id("other"))

        assert (stolen.status, stolen.member("code"), stolen.denial) == (401, -1, "revoked_token")
        assert (stolen.record["tag"], stolen.record["secret_id"]) == ("alice-web", "1")
        assert (other.status, other.member("sip_username")) == (200, "alice")

    def test_the_table_is_read_last_strongly_consistent_and_then_remembered(
        self, set_stage: SetStage, calls: list[str]
    ) -> None:
        stage = set_stage(REVOCATIONS_TABLE="jwt_revocations")
        calls.clear()

        for jti in ("a", "a", "b"):
            stage.ask(with_id(jti))

        assert sorted(calls[:2]) == ["GetItem jwt_profiles eventual", "Query jwt_secrets eventual"]
        assert calls[2:] == ["GetItem jwt_revocations consistent"] * 2

    def test_one_revoked_a_moment_ago_is_refused_at_once_where_it_is_not_remembered(self, set_stage: SetStage) -> None:
        stage = set_stage(REVOCATIONS_TABLE="jwt_revocations", CACHE_TTL_SECONDS="1")
        assert [stage.ask(with_id(jti)).status for jti in ("seen", "another")] == [200, 200]

        revoke(stage, "seen")
        revoke(stage, "never seen")

        assert stage.ask(with_id("never seen")).denial == "revoked_token"
        assert stage.ask(with_id("seen")).status == 200
        time.sleep(1.05)
        assert stage.ask(with_id("seen")).denial == "revoked_token"

    def test_without_memory_every_request_reads_it(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage(REVOCATIONS_TABLE="jwt_revocations", CACHE_TTL_SECONDS="0")
        stage.ask(with_id("a"))
        revoke(stage, "a")

        assert stage.ask(with_id("a")).denial == "revoked_token"
        assert calls.count("GetItem jwt_revocations consistent") == 2

    def test_a_token_without_an_id_is_refused(self, set_stage: SetStage) -> None:
        assert set_stage(REVOCATIONS_TABLE="jwt_revocations").ask(BY_HEADER).denial == "missing_claim"

    def test_by_default_nobody_looks_at_the_table(self, set_stage: SetStage, calls: list[str]) -> None:
        stage = set_stage()
        revoke(stage, "stolen")

        assert stage.ask(with_id("stolen")).status == 200
        assert "jwt_revocations" not in " ".join(calls[-2:])

    def test_a_missing_table_is_a_fault_and_lets_nobody_in(self, set_stage: SetStage) -> None:
        answer = set_stage(REVOCATIONS_TABLE="no_such_table").ask(with_id("a"))

        assert (answer.status, answer.member("code")) == (500, None)
        assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "unusable_store")
        assert "dynamodb:GetItem on table 'no_such_table'" in answer.record["causes"][0]["message"]

    def test_so_is_a_table_with_other_keys(self, set_stage: SetStage) -> None:
        assert set_stage(REVOCATIONS_TABLE="jwt_secrets").ask(with_id("a")).status == 500

    def test_in_an_outage_those_remembered_get_in_and_others_get_a_503(
        self, set_stage: SetStage, outage: Callable[[], None]
    ) -> None:
        stage = set_stage(REVOCATIONS_TABLE="jwt_revocations", CACHE_TTL_SECONDS="1")
        stage.ask(with_id("seen"))
        outage()
        time.sleep(1.05)

        seen, other = stage.ask(with_id("seen")), stage.ask(with_id("never seen"))

        assert (seen.status, seen.record["rows"]) == (200, "stale")
        assert (other.status, other.record["reason"]) == (503, "unreachable")

    @pytest.mark.parametrize(("table", "status"), [("jwt_revocations", 401), ("no_such_table", 500)])
    def test_an_id_is_in_no_log_line(self, set_stage: SetStage, table: str, status: int) -> None:
        stage = set_stage(REVOCATIONS_TABLE=table, POWERTOOLS_LOG_LEVEL="DEBUG")
        revoke(stage, "sToLeN-id")

        answer = stage.ask(with_id("sToLeN-id"))

        assert answer.status == status
        assert answer.lines
        assert not [line for line in answer.lines if "sToLeN" in line]

    def test_the_authorizer_of_other_apis_refuses_it_too(self, set_stage: SetStage) -> None:
        stage = set_stage("gateway_authorizer", REVOCATIONS_TABLE="jwt_revocations")
        revoke(stage, "stolen")
        event = read_json(SAMPLES / "gateway_authorizer" / "rest-token-allowed.json")

        stolen, other = (
            stage.ask({**event, "authorizationToken": token("alice-web", jti=jti).text}) for jti in ("stolen", "other")
        )

        assert (stolen.raised, stolen.denial) == ("Unauthorized: Unauthorized", "revoked_token")
        assert other.is_good


class TestNumbers:
    @pytest.mark.parametrize(
        "digits", ["12345678901234567890123456789012345678", "0.1", "-1.5", "3.14159265358979323846"]
    )
    def test_a_number_keeps_the_digits_of_the_table(self, set_stage: SetStage, digits: str) -> None:
        stage = set_stage()
        stage.tables.update_item(
            TableName="jwt_profiles",
            Key={"tag": {"S": "alice-web"}},
            UpdateExpression="SET account_id = :digits",
            ExpressionAttributeValues={":digits": {"N": digits}},
        )

        by_http, by_sdk = stage.ask(BY_HEADER), stage.ask(DIRECT)

        assert f'"account_id":{digits}' in by_http.given["body"]
        assert Decimal(str(by_sdk.member("credentials")["account_id"])) == Decimal(digits)


class TestSettings:
    def test_a_wrong_value_is_a_fault_to_http_callers_and_says_nothing(self, set_stage: SetStage) -> None:
        stage = set_stage(LEEWAY_SECONDS="ten")

        answer = stage.ask(BY_HEADER)

        assert answer.status == 500
        assert (answer.member("type"), answer.member("code")) == ("urn:auth-jwt:problem:fault", None)
        assert "LEEWAY" not in json.dumps(answer.given)
        assert answer.record["reason"] == "bad_setting"
        assert "LEEWAY_SECONDS='ten' is refused" in answer.record["causes"][0]["message"]

    def test_it_is_an_exception_that_names_it_in_direct_invocation(self, set_stage: SetStage) -> None:
        answer = set_stage(LEEWAY_SECONDS="ten").ask(DIRECT)

        assert answer.raised is not None
        assert answer.raised.startswith("BadSetting: LEEWAY_SECONDS='ten' is refused")

    def test_health_tells_of_it(self, set_stage: SetStage) -> None:
        assert set_stage(LEEWAY_SECONDS="ten").ask(HEALTH).status == 500

    def test_a_near_miss_is_warned_of_once(self, set_stage: SetStage) -> None:
        stage = set_stage(TAG_COLUM="x")

        first, second = stage.ask(BY_HEADER), stage.ask(BY_HEADER)

        warnings = [json.loads(line) for line in first.lines if '"WARNING"' in line]
        assert [warning["meant"] for warning in warnings] == ["TAG_COLUMN"]
        assert '"WARNING"' not in "".join(second.lines)

    def test_challenges_say_what_the_settings_say(self, set_stage: SetStage) -> None:
        stage = set_stage(CHALLENGE_REALM='a "b"', AUTHZ_SERVER="https://login.example.org/")

        challenge = stage.ask(WRONG_SECRET).headers["www-authenticate"]

        assert challenge == (
            r'Bearer realm="a \"b\"", authz_server="https://login.example.org/", error="invalid_token"'
        )


@contextmanager
def a_port(*, listening: bool) -> Iterator[int]:
    """A port of this machine where nobody listens, or where connections are taken and never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if listening:
            listener.listen(16)
        yield listener.getsockname()[1]


class TestOutage:
    @pytest.mark.parametrize("listening", [False, True], ids=["connection refused", "no answer"])
    def test_tables_that_cannot_be_reached_are_a_503_in_time(self, set_stage: SetStage, listening: bool) -> None:
        with a_port(listening=listening) as port:
            stage = set_stage(DB_URL=f"dynamodb+http://127.0.0.1:{port}/eu-central-1", STORE_TIMEOUT_MS="300")
            stage.ask(HEALTH)
            started = time.monotonic()

            answer = stage.ask(BY_HEADER)

            assert time.monotonic() - started < 10  # far from the minute a client waits by default
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.member("code") is None
            assert answer.member("retry_after") == 1
            assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "unreachable")
            assert answer.record["status"] == 503

    def test_it_raises_in_direct_invocation(self, set_stage: SetStage) -> None:
        with a_port(listening=False) as port:
            stage = set_stage(DB_URL=f"dynamodb+http://127.0.0.1:{port}/eu-central-1", STORE_TIMEOUT_MS="300")

            answer = stage.ask(DIRECT)

            assert answer.raised is not None
            assert answer.raised.startswith("Unreachable:")

    def test_remembered_rows_serve_on_and_a_refusal_by_them_is_a_fault(
        self, set_stage: SetStage, outage: Callable[[], None]
    ) -> None:
        stage = set_stage(CACHE_TTL_SECONDS="1")
        stage.ask(BY_HEADER)
        outage()
        time.sleep(1.05)

        assert stage.ask(BY_HEADER).record["rows"] == "stale"
        assert stage.ask(BY_HEADER).status == 200
        assert stage.ask(WRONG_SECRET).status == 503

    def test_a_missing_table_is_a_fault_and_names_it_in_the_log_only(self, set_stage: SetStage) -> None:
        answer = set_stage(SECRETS_TABLE="no_such_table").ask(BY_HEADER)

        assert answer.status == 500
        assert "no_such_table" not in json.dumps(answer.given)
        assert "no_such_table" in answer.record["causes"][0]["message"]
        assert "ResourceNotFoundException" in answer.record["causes"][0]["message"]
