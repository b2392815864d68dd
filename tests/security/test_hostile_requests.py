"""Attacks on the admin API, by whoever may call it: ids in paths, spellings of a tag, cursors, conditions, files.

The form of bodies, methods and queries, and `?dry_run=true` on every write, are held in
tests/integration/test_admin_requests.py.
"""

import base64
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.integration.admin_client import PROFILES, Operator, cursor_of
from tests.integration.test_admin_requests import EVERY_OPERATION
from tools.events.provisioning_events import Case, asking
from tools.events.stage import REVOCATIONS, Answer, stage

ALICE: Final = f"{PROFILES}/alice-web"
TABLES: Final = ("jwt_profiles", "jwt_secrets", REVOCATIONS)
INVISIBLE: Final = "\0\x07\x1b\x7f\x85\x9b\u200b\u2028\u2029\u202e\u2066\ufeff"


@pytest.fixture(name="operator", scope="module")
def _operator() -> Iterator[Operator]:
    with stage({"REVOCATIONS_TABLE": REVOCATIONS}, "provisioning") as ready:
        yield Operator(ready)


def rows(operator: Operator) -> list[Any]:
    return [operator.stage.tables.scan(TableName=table)["Items"] for table in TABLES]


@pytest.fixture(autouse=True)
def _writes_nothing_and_shows_no_secret(operator: Operator) -> Iterator[None]:
    operator.lines.clear()
    before = rows(operator)
    yield
    assert rows(operator) == before
    shown = "".join(operator.lines)
    assert [hex(ord(character)) for character in INVISIBLE if character in shown] == []
    assert "Traceback" not in shown
    values = [row["secret"]["S"] for row in before[1] if len(row.get("secret", {}).get("S", "")) >= 8]
    assert values
    assert [len(value) for value in values if value in shown] == []


def ask(operator: Operator, method: str, path: str, body: object, **more: Any) -> Answer:
    """Ask without holding the answer against the document: most paths here are none of it."""
    answer = operator.stage.ask(Case("an-attack", "", asking(method, path, body, **more), 0).event())
    operator.lines += [*answer.lines, json.dumps(answer.given)]
    assert answer.raised is None
    return answer


NAMES: Final = {
    "CVE-2026-25554: a union": "x' UNION SELECT 'admin','attacker-secret' -- ",
    "CVE-2026-25554: a quote": "alice-web' OR '1'='1",
    "CVE-2026-25554: a condition of DynamoDB": "alice-web) OR (tag = :t",
    "own tags: a hash": "#",
    "own tags: a NUL": "alice-web\0",
    "own tags: 129 characters": "a" * 129,
    "own tags: 2 KB": "a" * 2048,
    "own tags: half a character": "\ud800",
    "own tags: capitals": "ALICE-WEB",
    "own tags: a blank behind": "alice-web ",
    "own tags: full-width letters": "\uff41lice-web",
    "own tags: a Cyrillic letter": "\u0430lice-web",
    "own tags: the Kelvin sign": "\u212a",
    "own tags: decomposed": "e\u0301",
    "seen tags: what moves a terminal's cursor": f"\x1b[2J{INVISIBLE}",
    "own: a path within": "../deployment",
    "own: a path encoded twice": "..%2fdeployment",
    "own: markup": "<script>alert(1)</script>",
    "own: another line": "a\r\nX-Evil: 1",
    "own: a lookup": "${jndi:ldap://169.254.169.254/a}",
    "own: a row of an issuer": "issuer-keys",
    "own: the registry of issuers": "issuers",
    "own: an issuer": "https://login.example.com/realms/sip",
    "own: a user of one": "https://login.example.com/realms/sip#5f0c",
}
"""Names of no profile and no secret, in place of one."""

NAMED: Final = [
    (method, path, body) for method, path, body in EVERY_OPERATION if "alice-web" in path or path.endswith("/1")
]


@pytest.mark.matrix(kinds=lambda what, **_: [what.partition(":")[0]])
@pytest.mark.parametrize("what", NAMES)
def test_a_name_of_nothing_is_a_name_and_no_more_to_every_operation(operator: Operator, what: str) -> None:
    """Not found, or no name at all; never somebody else's, an error of the function, or a line break in the log."""
    octets = NAMES[what].encode("utf-8", "surrogatepass")
    spelled = "".join(f"%{octet:02x}" for octet in octets)
    for method, path, body in NAMED:
        for name in {"alice-web", "1"}.intersection(path.split("/")):
            answer = ask(operator, method, path.replace(f"/{name}", f"/{spelled}"), body)
            assert answer.status in (400, 404), (method, path)


def test_a_tag_has_one_name_however_it_is_encoded(operator: Operator) -> None:
    """IAM sees other paths: docs/admin-api.md says to grant by method."""
    for spelled in ("alice-web", "%61lice-web", "%61%6C%69%63%65%2D%77%65%62", "%61%6c%69%63%65%2d%77%65%62"):
        assert ask(operator, "GET", f"{PROFILES}/{spelled}", None).body["tag"] == "alice-web"


LISTS: Final = (PROFILES, "/admin/deleted-profiles", f"{ALICE}/revocations", "/admin/issuers")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="nothing"),
        pytest.param("*", id="no base64"),
        pytest.param("YQ==", id="padded"),
        pytest.param("YR", id="bits that are unused"),
        pytest.param("_w", id="no UTF-8"),
        pytest.param("7aCA", id="half a character"),
        pytest.param(cursor_of("a" * 5000), id="longer than any key"),
        pytest.param(base64.urlsafe_b64encode(b'{"tag":{"S":"alice-web"}}').decode(), id="a key of DynamoDB"),
        pytest.param(cursor_of("\0"), id="a NUL"),
        pytest.param(cursor_of("x' OR 1=1 --"), id="a quote"),
        pytest.param(cursor_of("issuer-keys"), id="a row of an issuer"),
        pytest.param("A" * 100_000, id="a long text"),
    ],
)
def test_a_forged_cursor_shows_nothing_that_its_list_would_not(operator: Operator, path: str, cursor: str) -> None:
    """It is refused, or continues the same list after a key that there could be."""
    whole = json.dumps(ask(operator, "GET", path, None).body)

    answer = ask(operator, "GET", path, None, query=[("cursor", cursor)])

    assert answer.status in (200, 400)
    if answer.status == 200:
        (name,) = (member for member in answer.body if member != "next")
        assert all(json.dumps(item) in whole for item in answer.body[name])


@pytest.mark.parametrize(
    "condition",
    ["", "alice", '"', '""', "W/*", "*, *", '"a" "b', '"a"\x1b', "W/" * 4000, ", " * 5000 + "x", '"a"' * 2000 + "x"],
)
def test_a_condition_that_does_not_hold_changes_nothing(operator: Operator, condition: str) -> None:
    answer = ask(operator, "DELETE", ALICE, None, headers=[("If-Match", condition)])

    assert answer.status in (400, 412)


@pytest.mark.parametrize(
    "file",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "%2e%2e%2fvisit.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "static/page.html",
        "page.html%00.js",
        "page.html",
        "PAGE.JS",
        "script.js/",
        "script.js%0a",
        "script.js/../../../../etc/passwd",
        "....//app.py",
        "..\\app.py",
    ],
)
def test_the_page_has_its_own_files_and_no_others(operator: Operator, file: str) -> None:
    """A file is found by its whole name among those that there are, and never by a path."""
    assert ask(operator, "GET", f"/admin/page/{file}", None).status == 404


ODD: Final[dict[str, dict[str, Any]]] = {
    "no identity": {"requestContext": {}},
    "an identity that is text": {"requestContext": {"identity": "arn:aws:iam::1:user/admin"}},
    "an identity that is empty": {"requestContext": {"identity": {"userArn": ""}}},
    "an identity of another type": {"requestContext": {"identity": {"userArn": ["arn:aws:iam::1:user/admin"]}}},
    "an identity in a header": {
        "requestContext": {"identity": {}},
        "headers": {"userArn": "arn:aws:iam::1:user/admin", "X-Amzn-Caller-Identity": "admin"},
    },
}


@pytest.mark.parametrize("what", ODD)
def test_only_the_gateways_check_says_who_asks(operator: Operator, what: str) -> None:
    """Without an identity nobody is an operator, whatever the rest of the event says."""
    event = Case("an-attack", "", asking("DELETE", ALICE), 0).event()

    answer = operator.stage.ask({**event, **ODD[what]})

    assert (answer.status, answer.raised) == (403, None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{" + ",".join(f'"{number}":1' for number in range(90_000)) + "}", id="members"),
        pytest.param(json.dumps({"attributes": {str(number): [] for number in range(60_000)}}), id="columns"),
        pytest.param('{"disabled":[' + ",".join(["[]"] * 300_000) + "]}", id="lists"),
        pytest.param('{"disabled":' + "[" * 400_000 + "]" * 400_000 + "}", id="levels"),
        pytest.param('{"disabled":' + "1" * 900_000 + "}", id="digits"),
    ],
)
def test_a_body_takes_bounded_memory_however_it_is_filled(operator: Operator, body: str) -> None:
    """Seen: 300 MB for 200,000 wrong values, where the function has 512."""
    tracemalloc.start()
    try:
        answer = ask(operator, "PATCH", ALICE, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status == 400
    assert peak < 100 * len(body)
