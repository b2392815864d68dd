"""The page of the admin API, and what the API has for it. A browser looks at it in tests/e2e/admin."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from admin_api.page import MEDIA_TYPES
from auth_jwt_cli.page.guard import REQUESTS
from tests.integration.admin_client import FETCHED, PROFILES, Operator, policy_of
from tests.integration.conftest import SetStage
from tools.events.provisioning_events import Case, asking
from tools.events.stage import REVOCATIONS, ROOT

STATIC = ROOT / "functions" / "provisioning" / "admin_api" / "static"
ALICE = f"{PROFILES}/alice-web"
DAY = 86_400
SCRIPTS = sorted(path.name for path in STATIC.glob("*.js"))


@pytest.fixture(name="operator")
def _operator(set_stage: SetStage) -> Operator:
    return Operator(set_stage("provisioning", REVOCATIONS_TABLE=REVOCATIONS))


def path_of(name: str) -> str:
    return "/admin/page" if name == "page.html" else f"/admin/page/{name}"


# --- its files --------------------------------------------------------------------------------------------------------


def test_every_file_of_it_is_served() -> None:
    assert sorted(MEDIA_TYPES) == sorted(path.name for path in STATIC.iterdir())


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_a_file_is_given_under_a_policy_that_admits_nothing_else(set_stage: SetStage, name: str) -> None:
    stage = set_stage("provisioning")
    answer = stage.ask(Case("a-test", "", asking("GET", path_of(name)), 0).event())

    policy = policy_of(answer)
    assert answer.status == 200
    assert answer.given["body"] == (STATIC / name).read_text("utf-8")
    assert answer.headers["content-type"] == f"{MEDIA_TYPES[name]}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert {answer.headers[f"cross-origin-{of}-policy"] for of in ("opener", "resource")} == {"same-origin"}
    assert {policy[name] for name in FETCHED - {"default-src"}} == {"'self'"}
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")


def test_it_asks_iam_too(set_stage: SetStage) -> None:
    answer = set_stage("provisioning").ask(Case("a-test", "", asking("GET", "/admin/page", iam=False), 0).event())

    assert answer.status == 403


def test_its_markup_has_no_script_no_style_and_no_address_of_others() -> None:
    page = (STATIC / "page.html").read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\bstyle=|\bon\w+=", page) == []
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert {f"page/{name}" for name in ("script.js", "style.css", "icon.svg")} == set(named)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_makes_no_markup_keeps_nothing_and_asks_nobody_else(name: str) -> None:
    script = re.sub(r"//.*|/\*.*?\*/", "", (STATIC / name).read_text("utf-8"))

    for word in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "Function("),
        *("localStorage", "sessionStorage", "indexedDB", "cookie", "console.", "postMessage", "window.open"),
    ):
        assert word not in script, word
    assert re.findall(r"https?://", script) == []
    assert all((STATIC / wanted).is_file() for wanted in re.findall(r'from "\./([^"]+)"', script))
    assert ("fetch(" in script) is (name == "api.js")


# --- which deployment -------------------------------------------------------------------------------------------------


def test_a_deployment_says_what_it_is_and_who_asks(operator: Operator) -> None:
    body = operator.done("GET", "/admin/deployment")

    assert (body["stack"], body["account"], body["region"], body["stage"]) == (
        *("auth-jwt", "123456789012", "eu-central-1", "v1"),
    )
    assert body["caller"].startswith("arn:aws:iam::123456789012:user/")
    assert body["tables"] == {
        "profiles": "jwt_profiles",
        "secrets": "jwt_secrets",
        "revocations": REVOCATIONS,
        "endpoint": None,
        "region": "eu-central-1",
    }
    assert (body["cache_ttl_seconds"], body["stale_if_error_seconds"]) == (60, 300)


def test_tables_of_another_region_are_told_as_such(set_stage: SetStage) -> None:
    body = Operator(set_stage("provisioning", DB_URL="dynamodb://eu-west-1")).done("GET", "/admin/deployment")

    assert (body["region"], body["tables"]["region"]) == ("eu-central-1", "eu-west-1")


def test_without_a_signature_there_is_no_account(operator: Operator) -> None:
    """`make serve` makes one up; a page must not show it."""
    event = Case("a-test", "", asking("GET", "/admin/deployment"), 0).event()
    event["requestContext"]["identity"]["accessKey"] = None

    assert operator.stage.ask(event).body["account"] is None


# --- disable, enable --------------------------------------------------------------------------------------------------


def test_a_profile_is_disabled_and_enabled_by_paths_of_their_own(operator: Operator) -> None:
    disabled = operator.ask("POST", f"{ALICE}/disable")
    enabled = operator.ask("POST", f"{ALICE}/enable", headers=[("If-Match", disabled.headers["etag"])])

    assert (disabled.body["disabled"], enabled.body["disabled"]) == (True, False)
    assert [line["audit"] for line in operator.audit] == ["profile.disable", "profile.enable"]


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_a_profile_that_was_changed_meanwhile_is_left_alone(operator: Operator, verb: str) -> None:
    version = operator.ask("GET", ALICE).headers["etag"]
    operator.done("PATCH", ALICE, {"attributes": {"note": "changed"}})

    answer = operator.ask("POST", f"{ALICE}/{verb}", headers=[("If-Match", version)])

    assert answer.status == 412
    assert operator.done("GET", ALICE)["disabled"] is False


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_nobody_is_not_disabled(operator: Operator, verb: str) -> None:
    assert operator.ask("POST", f"{PROFILES}/nobody/{verb}").status == 404
    assert operator.audit == []


# --- secrets that end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "kind"),
    [([29 * DAY], "ends_soon"), ([31 * DAY], None), ([5 * DAY, 40 * DAY], None), ([3 * DAY, 5 * DAY], "ends_soon")],
    ids=["within 30 days", "later", "another follows", "the other ends, too"],
)
def test_a_list_of_secrets_says_when_the_last_ends(operator: Operator, ends: list[int], kind: str | None) -> None:
    now = int(time.time())
    operator.has("zoe", id="1", end_ts=now + ends[0])
    for number, seconds in enumerate(ends[1:], 2):
        operator.done("POST", f"{PROFILES}/zoe/secrets", {"id": str(number), "end_ts": now + seconds})

    ending = operator.done("GET", f"{PROFILES}/zoe/secrets")["ending"]

    assert (ending and ending["kind"]) == kind
    if kind:
        assert (ending["id"], ending["end_ts"]) == (str(len(ends)), now + ends[-1])
        assert ending["command"] == "auth-jwt secret rotate zoe --generate --out FILE"


def test_a_list_of_secrets_reads_them_once(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.has("zoe")
    original, asked = BaseClient._make_api_call, []  # type: ignore[attr-defined]

    def count(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        asked.append(name)
        return original(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", count)
    operator.done("GET", f"{PROFILES}/zoe/secrets")

    assert asked == ["Query"]


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_minted_token_leaves_a_line_of_audit_without_it(operator: Operator) -> None:
    minted = operator.done("POST", f"{ALICE}/tokens", {"lifetime_seconds": 60})

    (line,) = operator.audit
    assert (line["audit"], line["tag"], line["id"]) == ("token.mint", "alice-web", minted["jti"])
    assert (line["secret"], line["expires_at"]) == (minted["secret_id"], minted["expires_at"])
    assert line["actor"].startswith("arn:aws:iam::")
    assert minted["token"].rpartition(".")[2] not in "".join(operator.lines)


def test_a_token_is_explained(operator: Operator) -> None:
    token = operator.done("POST", f"{ALICE}/tokens")["token"]
    operator.lines.clear()

    told = operator.done("POST", "/admin/explain", {"token": f" Bearer {token}\n", "from_user": "bob"})

    assert (told["accepted"], told["reason"], told["tag"]) == (False, "username_mismatch", "alice-web")
    assert told["steps"][-1]["outcome"] == "refused"
    assert told["claims"]["tag"] == "alice-web"
    assert told["secrets"][0]["signed"] is True
    assert (told["removed"], told["spoils"]) == (["`Bearer`"], [])
    assert operator.audit == []
    for part in (*token.split("."), told["claims"]["jti"]):
        assert part not in "".join(operator.lines)


def test_a_token_is_explained_for_the_domain_that_is_asked(operator: Operator) -> None:
    operator.done("PATCH", ALICE, {"sip_domain": "sip.example.com"})
    token = operator.done("POST", f"{ALICE}/tokens")["token"]

    told = [
        operator.done("POST", "/admin/explain", {"token": token, "from_domain": domain})
        for domain in ("sip.example.com", "elsewhere.example.com")
    ]

    assert [each["reason"] for each in told] == [None, "domain_mismatch"]


def test_a_token_that_is_accepted_is_explained_with_its_user(operator: Operator) -> None:
    token = operator.done("POST", f"{ALICE}/tokens")["token"]

    told = operator.done("POST", "/admin/explain", {"token": token})

    assert (told["accepted"], told["sip_username"], told["reason"], told["remedy"]) == (True, "alice", None, None)


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "-----BEGIN PRIVATE KEY-----", '"' * 1000, "\u202e"])
def test_what_is_no_token_is_explained_without_being_repeated(operator: Operator, token: str) -> None:
    told = operator.done("POST", "/admin/explain", {"token": token})

    assert (told["accepted"], told["reason"]) == (False, "malformed_token")
    assert told["remedy"]


@pytest.mark.parametrize(("characters", "status"), [(100_000, 200), (100_001, 400)])
def test_what_is_explained_has_a_bound(operator: Operator, characters: int, status: int) -> None:
    assert operator.ask("POST", "/admin/explain", {"token": "x" * characters}).status == status
    assert "x" * 100 not in "".join(operator.lines)


def test_tables_that_do_not_answer_are_no_explanation(operator: Operator, outage: Callable[[], None]) -> None:
    token = operator.done("POST", f"{ALICE}/tokens")["token"]
    outage()

    answer = operator.ask("POST", "/admin/explain", {"token": token})

    assert (answer.status, answer.body["type"]) == (503, "urn:auth-jwt:problem:unavailable")


def test_the_documented_policy_allows_what_the_page_asks_and_nothing_more() -> None:
    """What `auth-jwt page` signs is in the policy, and the policy has nothing else."""
    page = Path(ROOT / "docs" / "admin-page.md").read_text("utf-8")
    (policy,) = re.findall(r'```json\n(\{\n  "Version".*?)```', page, re.DOTALL)
    allowed = {
        resource.partition("/STAGE/")[2]
        for statement in json.loads(policy)["Statement"]
        for resource in statement["Resource"]
    }

    asked = {f"{method}{path}" for method, path in REQUESTS} | {"GET/admin/page"}
    patterns = {pattern: re.compile(re.escape(pattern).replace(r"\*", ".*")) for pattern in allowed}
    assert {one for one in asked if not any(form.fullmatch(one) for form in patterns.values())} == set()
    assert {name for name, form in patterns.items() if not any(form.fullmatch(one) for one in asked)} == set()
    assert not any(name.startswith(("PATCH", "PUT", "*")) for name in allowed)
