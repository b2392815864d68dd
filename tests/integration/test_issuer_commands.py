"""`auth-jwt issuer` over tables in memory and a provider on loopback, by HTTPS: what it finds, writes and says."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auth_jwt_cli.presets import PRESETS
from tests.certificates import Authority
from tests.command_line import CommandLine
from tests.factories import a_jwk
from tests.integration.test_refresh_keys import Provider
from tests.integration.test_secrecy import rest_event
from tests.issuers import KID, SUBJECT, a_login_token
from tests.unit.fetching.servers import AnIssuerServer, a_server
from tools.events.stage import Answer, Stage

SetStage = Callable[..., Stage]
NEW: dict[str, Any] = {"alg": "ES256", "key": "p256", "header": {"kid": "new"}}


@dataclass
class Lab:
    """A shell, the service on the same tables, and a provider.

    Attributes:
        auth_jwt: the shell.
        service: the function that decides about logins.
        provider: what is published.
        server: where it is published.
        authority: vouches for it.
    """

    auth_jwt: CommandLine
    service: Stage
    provider: Provider
    server: AnIssuerServer
    authority: Authority

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.server.port}/sip"

    def publish(self, *keys: object, keys_url: str | None = None) -> None:
        """Publish *keys* at an address, and that address in the discovery document."""
        url = keys_url or f"{self.issuer}/keys"
        self.provider.documents[url.removeprefix(f"https://127.0.0.1:{self.server.port}")] = _octets({"keys": keys})
        self.provider.documents["/sip/.well-known/openid-configuration"] = _octets(
            {"issuer": self.issuer, "jwks_uri": url, "id_token_signing_alg_values_supported": ["RS256"]}
        )

    def add(self, *arguments: str, **more: Any) -> Any:
        return self.auth_jwt("issuer", "add", self.issuer, "--audience", "sip", *arguments, "--yes", **more)

    def show(self) -> Any:
        return self.auth_jwt.json("issuer", "show", self.issuer)

    def log_in(self, **claims: Any) -> Answer:
        token = a_login_token(now=int(time.time()), iss=self.issuer, **claims)
        return self.service.ask(rest_event({"jwt_token": token}))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of both tables."""
        tables = self.service.tables
        return [row for name in ("jwt_profiles", "jwt_secrets") for row in tables.scan(TableName=name)["Items"]]


def _octets(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.fixture(name="lab")
def _lab(set_stage: SetStage, tmp_path: Path) -> Iterator[Lab]:
    authority = Authority(tmp_path)
    provider = Provider()
    with a_server(authority.identity(), provider) as server:
        service = set_stage(
            ISSUERS=f"https://127.0.0.1:{server.port}/*",
            CACHE_TTL_SECONDS="0",
            KEYS_CA_BUNDLE=str(authority.certificate),
            KEYS_ACCEPTED_NETWORKS="127.0.0.0/8",
            XDG_STATE_HOME=str(tmp_path),
        )
        made = Lab(CommandLine(tmp_path, {}, tmp_path), service, provider, server, authority)
        made.publish(a_jwk(kid=KID))
        yield made
        _shows_no_key(made)


def _shows_no_key(lab: Lab) -> None:
    """No test may make a command show a key or a token."""
    shown = "".join(lab.auth_jwt.written)
    for name in ("rsa_2048", "p256"):
        key = a_jwk(name)
        assert str(key.get("n", key.get("x"))) not in shown
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.", shown)


def test_an_issuer_lives_from_add_to_rm(lab: Lab) -> None:
    rows = lab.rows
    lab.auth_jwt("profile", "add", f"{lab.issuer}#{SUBJECT}", "--username", "alice")
    assert lab.log_in().denial == "unknown_issuer"

    lab.add()
    assert (lab.log_in().status, lab.log_in().body["sip_username"]) == (200, "alice")

    lab.publish(a_jwk("p256", kid="new"), a_jwk(kid=KID))
    deferred = lab.log_in(**NEW)
    assert (deferred.status, deferred.record["outcome"]) == (503, "deferred")
    assert lab.auth_jwt.json("issuer", "refresh", lab.issuer)["outcome"] == "replaced"
    assert lab.log_in(**NEW).status == 200

    lab.auth_jwt("issuer", "block-key", lab.issuer, "new")
    assert lab.log_in(**NEW).denial == "unknown_key"
    assert lab.log_in().status == 200
    lab.auth_jwt("issuer", "refresh", lab.issuer)
    assert lab.log_in(**NEW).denial == "unknown_key"
    lab.auth_jwt("issuer", "unblock-key", lab.issuer, "new")
    assert lab.log_in(**NEW).status == 200

    lab.auth_jwt("issuer", "disable", lab.issuer)
    assert lab.log_in().denial == "disabled_issuer"
    lab.auth_jwt("issuer", "enable", lab.issuer)
    assert lab.log_in().status == 200

    lab.auth_jwt("issuer", "rm", lab.issuer, "--yes")
    assert lab.log_in().denial == "unknown_issuer"
    lab.auth_jwt("profile", "rm", f"{lab.issuer}#{SUBJECT}", "--forever", "--yes")
    assert lab.rows == rows


def test_each_write_leaves_a_line_of_audit(lab: Lab) -> None:
    lab.add()
    lab.auth_jwt("issuer", "set", lab.issuer, "--longest-lifetime", "1h")
    lab.auth_jwt("issuer", "rm", lab.issuer, "--yes")

    assert [line["audit"] for line in lab.auth_jwt.audit] == [
        "issuer.add", "issuer.refresh", "issuer.change", "issuer.remove",
    ]  # fmt: skip
    assert {line["tag"] for line in lab.auth_jwt.audit} == {lab.issuer}


class TestAdd:
    def test_shows_what_was_found_before_it_asks(self, lab: Lab) -> None:
        lab.publish(a_jwk(kid=KID), {"kty": "oct", "k": "AQAB"}, {"kty": "unheard-of"})

        result = lab.auth_jwt("issuer", "add", lab.issuer, "--audience", "sip", exit_code=2)

        assert f"keys address        {lab.issuer}/keys\n" in result.stderr
        assert re.search(r"usable keys +1\n", result.stderr)
        assert re.search(r"dropped keys +unsupported_key: 2\n", result.stderr)
        assert re.search(r"signs ID tokens by +RS256\n", result.stderr)
        assert "add --yes" in result.stderr
        assert not any("issuer_config" in row for row in lab.rows)

    def test_says_that_the_keys_are_on_another_host(self, lab: Lab) -> None:
        with a_server(lab.authority.identity(), lab.provider) as other:
            lab.publish(a_jwk(kid=KID), keys_url=f"https://127.0.0.1:{other.port}/keys")
            lab.provider.documents["/keys"] = lab.provider.documents["/sip/keys"]

            assert f":{other.port}/keys (on another host than the issuer)\n" in lab.add().stderr

    def test_asks_no_address_that_is_neither_public_nor_accepted(self, lab: Lab) -> None:
        lab.publish(keys_url="https://192.0.2.1/keys")

        assert "(not_public)" in lab.add(exit_code=1).stderr

    @pytest.mark.parametrize(
        ("document", "kind"),
        [(b"<html>", "not_json"), (_octets({"issuer": "https://other.example.com"}), "wrong_issuer")],
    )
    def test_adds_nothing_that_cannot_be_fetched(self, lab: Lab, document: bytes, kind: str) -> None:
        lab.provider.documents["/sip/.well-known/openid-configuration"] = document

        assert f"({kind})" in lab.add(exit_code=1).stderr
        assert not any("issuer_config" in row for row in lab.rows)

    def test_takes_an_address_of_keys_in_place_of_discovery(self, lab: Lab) -> None:
        lab.provider.documents.pop("/sip/.well-known/openid-configuration")

        lab.add("--keys-url", f"{lab.issuer}/keys")

        assert lab.show()["configuration"]["discovery"] is False
        assert len(lab.show()["keys"]) == 1

    def test_takes_every_member_of_a_configuration(self, lab: Lab) -> None:
        lab.add(
            *("--audience", "web", "--access-audience", "web", "--alg", "RS256,EdDSA", "--token-kind", "access"),
            *("--require", "tid=1", "--require", "typ=Bearer", "--access-claim", "typ", "--longest-lifetime", "1h"),
            *("--no-jti", "--username-claim", "sip_user", "--username-pattern", "[0-9]+", "--domain", "example.com"),
            *("--permit-no-domain", "--client-claim", "azp", "--client-id", "phone"),
        )

        assert lab.show()["configuration"] == {
            "keys_url": f"{lab.issuer}/keys",
            "algorithms": ["EdDSA", "RS256"],
            "audiences": ["sip", "web"],
            "client_claim": "azp",
            "client_ids": ["phone"],
            "access_audiences": ["web"],
            "required_claims": {"tid": 1, "typ": "Bearer"},
            "access_claims": ["typ"],
            "longest_lifetime": 3600,
            "requires_jti": False,
            "mapping": "claim",
            "username_claim": "sip_user",
            "username_pattern": "[0-9]+",
            "sip_domain": "example.com",
            "permits_no_domain": True,
        }

    def test_rejects_a_claim_that_users_may_edit_unless_the_operator_knows_better(self, lab: Lab) -> None:
        claim = ("--username-claim", "preferred_username", "--domain", "example.com")

        assert "users may edit the claim" in lab.add(*claim, exit_code=1).stderr
        lab.add(*claim, "--users-cannot-change-claim")

    def test_warns_when_the_setting_does_not_name_the_issuer(self, lab: Lab) -> None:
        result = lab.add("--set", "ISSUERS=https://login.example.com/")

        assert "ISSUERS does not name this issuer" in result.stderr
        assert lab.show()["status"]["fetched_at"] is None

    @pytest.mark.parametrize("preset", PRESETS)
    def test_starts_from_a_preset(self, lab: Lab, preset: str) -> None:
        named = "--client-id" if "client_claim" in PRESETS[preset].members else "--audience"

        lab.auth_jwt("issuer", "add", lab.issuer, "--preset", preset, exit_code=2)
        result = lab.auth_jwt("issuer", "add", lab.issuer, "--preset", preset, named, "sip", "--yes")

        configuration = lab.show()["configuration"]
        assert {name: configuration[name] for name in PRESETS[preset].members} == PRESETS[preset].members
        for trap in PRESETS[preset].traps:
            assert trap in result.stderr

    def test_adds_what_is_given_to_the_claims_of_a_preset(self, lab: Lab) -> None:
        lab.add("--preset", "keycloak", "--require", "tenant=a")

        assert lab.show()["configuration"]["required_claims"] == {"typ": "Bearer", "tenant": "a"}


class TestSet:
    def test_changes_what_is_given(self, lab: Lab) -> None:
        lab.add("--no-jti", "--longest-lifetime", "1h")

        lab.auth_jwt("issuer", "set", lab.issuer, "--audience", "web", "--default", "longest_lifetime")

        configuration = lab.show()["configuration"]
        assert configuration == {"keys_url": f"{lab.issuer}/keys", "audiences": ["web"], "requires_jti": False}
        assert lab.log_in().denial == "wrong_audience"

    def test_takes_the_address_that_the_issuer_has_moved_to(self, lab: Lab) -> None:
        lab.add()
        lab.publish(a_jwk("p256", kid="new"), keys_url=f"{lab.issuer}/moved")
        lab.auth_jwt("issuer", "set", lab.issuer, "--accept-moved", "--yes", exit_code=1)
        lab.auth_jwt("issuer", "refresh", lab.issuer)
        assert lab.show()["status"]["moved_to"] is None  # the document is read once a day
        lab.auth_jwt("issuer", "disable", lab.issuer)
        _make_discovery_due(lab)
        lab.auth_jwt("issuer", "enable", lab.issuer)
        assert lab.show()["status"]["moved_to"] == f"{lab.issuer}/moved"

        lab.auth_jwt("issuer", "set", lab.issuer, "--accept-moved", "--yes")

        shown = lab.show()
        assert (shown["configuration"]["keys_url"], shown["status"]["moved_to"]) == (f"{lab.issuer}/moved", None)
        assert [key["kid"] for key in shown["keys"]] == ["new"]

    def test_leaves_an_address_where_no_keys_are(self, lab: Lab) -> None:
        lab.add()

        lab.auth_jwt("issuer", "set", lab.issuer, "--keys-url", f"{lab.issuer}/nowhere", "--yes", exit_code=1)

        assert lab.show()["configuration"]["keys_url"] == f"{lab.issuer}/keys"

    @pytest.mark.parametrize(
        ("arguments", "exit_code"),
        [
            ((), 1),
            (("--default", "nonsense"), 1),
            (("--alg", "HS256"), 1),
            (("--keys-url", "https://x/", "--accept-moved"), 2),
            (("--require", "typ"), 2),
        ],
    )
    def test_rejects_what_would_not_work(self, lab: Lab, arguments: tuple[str, ...], exit_code: int) -> None:
        lab.add()
        before = lab.show()

        lab.auth_jwt("issuer", "set", lab.issuer, *arguments, exit_code=exit_code)

        assert lab.show() == before


def _make_discovery_due(lab: Lab) -> None:
    lab.service.tables.update_item(
        TableName="jwt_secrets",
        Key={"corresponding_tag": {"S": lab.issuer}, "id": {"S": "issuer-status"}},
        UpdateExpression="REMOVE issuer_next_discovery_at",
    )


class TestShow:
    def test_tells_how_the_fetches_went(self, lab: Lab) -> None:
        lab.add()
        lab.provider.documents["/sip/keys"] = b"<html>"
        lab.auth_jwt("issuer", "refresh", lab.issuer, exit_code=1)

        shown = lab.auth_jwt("issuer", "show", lab.issuer).stdout

        assert re.search(r"failures +1 since then, the last one: not_json\n", shown)
        assert re.search(rf"{re.escape(KID)} +RSA 2048 +RS256 +in use +[\w-]{{43}}\n", shown)
        document = lab.show()
        assert document["status"]["failures"] == 1
        assert document["keys"][0]["kid"] == KID

    def test_of_none_is_not_found(self, lab: Lab) -> None:
        for command in ("show", "refresh", "disable", "enable"):
            lab.auth_jwt("issuer", command, lab.issuer, exit_code=1)
        lab.auth_jwt("issuer", "rm", lab.issuer, "--yes", exit_code=1)
        lab.auth_jwt("issuer", "show", "alice-web", exit_code=1)


def test_issuers_are_listed_page_by_page(lab: Lab) -> None:
    lab.add()
    other = f"{lab.issuer}/other"
    lab.auth_jwt(
        *("issuer", "add", other, "--audience", "sip", "--keys-url", f"{lab.issuer}/keys", "--yes"),
    )

    first = lab.auth_jwt.lines("issuer", "list", "--limit", "1")
    rest = lab.auth_jwt.lines("issuer", "list", "--after", first[0]["issuer"])

    assert [page[0]["issuer"] for page in (first, rest)] == [lab.issuer, other]
    everything = lab.auth_jwt("issuer", "list", "--all").stdout
    assert [line.split()[:2] for line in everything.splitlines()[1:]] == [[lab.issuer, "1"], [other, "1"]]


def test_the_rows_of_issuers_are_neither_linted_nor_written_to(lab: Lab) -> None:
    """Nor do they count as secrets that nobody described."""
    before = lab.auth_jwt.json("lint", "--ignore", "credential-missing", exit_code=1)
    stated = lab.auth_jwt.json("secret", "set-alg", "--all", "--dry-run", exit_code=1)

    lab.add("--username-claim", "sip_user", "--domain", "pbx.example.com")
    lab.auth_jwt("profile", "add", f"{lab.issuer}#{'s' * 200}", "--username", "alice")

    after = lab.auth_jwt.json("lint", "--ignore", "credential-missing", exit_code=1)
    assert after["findings"] == before["findings"]
    assert after["rows"]["secrets"] == before["rows"]["secrets"]
    assert lab.auth_jwt.json("secret", "set-alg", "--all", "--dry-run", exit_code=1) == stated


def test_tokens_of_an_issuer_are_revoked_by_the_issuer(lab: Lab) -> None:
    lab.add()
    lab.auth_jwt("profile", "add", f"{lab.issuer}#{SUBJECT}", "--username", "alice")
    now = int(time.time())
    forged = lab.auth_jwt.file(a_login_token(now=now, iss=lab.issuer, key="rsa_2048_other"))
    token = lab.auth_jwt.file(a_login_token(now=now, iss=lab.issuer, jti="lost"), "lost")
    table = ("--set", "REVOCATIONS_TABLE=jwt_revocations")

    lab.auth_jwt("revoke", "--token-file", forged, *table, exit_code=1)
    revoked = lab.auth_jwt.json("revoke", "--token-file", token, *table)
    lab.auth_jwt("token", "explain", "--token-file", token, *table, exit_code=1)
    assert (revoked["tag"], revoked["jti"]) == (lab.issuer, "lost")

    assert lab.log_in(jti="other").status == 200
    lab.auth_jwt("revoke", lab.issuer, "--all", "--yes")
    assert lab.log_in(jti="other").denial == "revoked_token"
    lab.auth_jwt("revoke", lab.issuer, "--all", "--lift")
    assert lab.log_in(jti="other").status == 200


def test_two_issuers_never_share_a_domain(lab: Lab) -> None:
    claim = ("--username-claim", "sip_user", "--domain", "pbx.example.com")
    lab.add(*claim)
    other = ("issuer", "add", f"{lab.issuer}/other", "--audience", "sip", "--keys-url", f"{lab.issuer}/keys", "--yes")

    refused = lab.auth_jwt(*other, *claim, exit_code=3)
    lab.auth_jwt("profile", "add", "bob", "--username", "bob", "--domain", "PBX.example.com", exit_code=3)
    lab.auth_jwt("issuer", "set", lab.issuer, "--domain", "sip.example.com")
    lab.auth_jwt(*other, *claim)

    assert "another issuer has the SIP domain" in refused.stderr
    assert lab.log_in(sip_user="bob").denial == "domain_mismatch"


def test_the_check_of_settings_knows_issuers(lab: Lab) -> None:
    other = f"https://127.0.0.1:{lab.server.port}/other"
    before = lab.auth_jwt.json("config", "check")
    lab.add()

    setting = f"ISSUERS={lab.issuer},{other}"
    findings = lab.auth_jwt.json("config", "check", "--set", setting, exit_code=1)["findings"]

    assert [finding for finding in findings if finding not in before["findings"]] == [
        {
            "severity": "error",
            "about": "ISSUERS",
            "text": f"names {other!r}, and there is no such issuer: its tokens are denied",
            "remedy": f"add it: `auth-jwt issuer add {other}`, or remove it from the setting",
        }
    ]


def test_profiles_are_listed_without_issuers(lab: Lab) -> None:
    before = lab.auth_jwt.lines("profile", "list", "--all")

    lab.add()

    assert lab.auth_jwt.lines("profile", "list", "--all") == before
    assert "is an issuer" in lab.auth_jwt("profile", "show", lab.issuer, exit_code=3).stderr
    assert "is an issuer" in lab.auth_jwt("secret", "list", lab.issuer, exit_code=3).stderr


class TestTest:
    def test_tells_what_is_published_now_and_decides_about_a_token(self, lab: Lab) -> None:
        lab.add()
        lab.auth_jwt("profile", "add", f"{lab.issuer}#{SUBJECT}", "--username", "alice")
        lab.publish(a_jwk("p256", kid="new"), a_jwk(kid=KID))
        token = lab.auth_jwt.file(a_login_token(now=int(time.time()), iss=lab.issuer))

        document = lab.auth_jwt.json("issuer", "test", lab.issuer, "--token-file", token)

        assert (document["fetch"]["usable_keys"], document["fetch"]["not_fetched_yet"]) == (2, 1)
        assert (document["token"]["accepted"], document["token"]["sip_username"]) == (True, "alice")
        shown = lab.auth_jwt("issuer", "test", lab.issuer, "--token-file", token).stdout
        assert re.search(r"^not fetched yet +1$", shown, re.MULTILINE)
        assert re.search(r"^ok +signature +by the key [\w-]{43}$", shown, re.MULTILINE)
        assert "accepted, for alice" in shown
        assert lab.auth_jwt.json("token", "explain", "--token-file", token)["issuer"] == lab.issuer

    def test_ends_as_the_decision_does(self, lab: Lab) -> None:
        lab.add()
        now = int(time.time())
        tokens = {
            1: a_login_token(now=now, iss=lab.issuer, aud="other"),
            4: a_login_token(now=now, iss=lab.issuer, **NEW),
        }

        for exit_code, token in tokens.items():
            path = lab.auth_jwt.file(token)
            lab.auth_jwt("issuer", "test", lab.issuer, "--token-file", path, exit_code=exit_code)
            lab.auth_jwt("token", "explain", "--token-file", path, exit_code=exit_code)

    def test_of_a_token_of_another_issuer_fails(self, lab: Lab) -> None:
        lab.add()
        token = lab.auth_jwt.file(a_login_token(now=int(time.time())))

        result = lab.auth_jwt("issuer", "test", lab.issuer, "--token-file", token, exit_code=1)

        assert "the token names another issuer" in result.stderr

    def test_writes_nothing(self, lab: Lab) -> None:
        lab.add()
        rows, audit = lab.rows, lab.auth_jwt.audit
        lab.publish(a_jwk("p256", kid="new"))

        lab.auth_jwt("issuer", "test", lab.issuer)
        lab.provider.documents.clear()
        result = lab.auth_jwt("issuer", "test", lab.issuer, exit_code=1)

        assert "(bad_status)" in result.stdout
        assert (lab.rows, lab.auth_jwt.audit) == (rows, audit)
