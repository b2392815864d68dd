"""An application under node asks the real handler by each way of frontends/aws; and both SDKs ask the built function.

Python's client has tests of its own, which need no node: tests/integration/test_aws_recipes.py.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from frontends.aws.python.authorize import Authorized, Denied, Fault, authorize, through_invocation
from tests.e2e.artifact.built import NATIVE, Artifact
from tests.e2e.artifact.deployed import deployed
from tests.e2e.artifact.emulator import Emulator, emulated
from tests.e2e.recipes.lambda_endpoints import ALIAS_ARN, FOLDER, FRONTEND, LOOPBACK, STRANGER, Keys, tables
from tests.e2e.recipes.service import (
    ANSWER,
    API_KEY,
    DECIDE_NOTHING,
    DEFER,
    EXPIRED,
    TOKEN,
    Service,
    busy_service,
    healthy_service,
    stuck_service,
)
from tests.e2e.recipes.signatures import Flaw
from tests.issuers import a_token_of_a_new_key
from tools.events.stage import REGION, SAMPLES, read_json

PROGRAM: Final = Path(__file__).parent / "aws" / "ask.mjs"
NODE_SECONDS: Final = 30
WAYS: Final = ("throughInvocation", "throughFunctionUrl", "throughApi")
SIGNED: Final = WAYS[:2]
SESSION_TOKEN: Final = "a-session-token-of-nobody"

ALICE: Final = {
    "authorized": True,
    "sipUsername": "alice",
    "decodedToken": '{"alg":"HS256","typ":"JWT"}.{"exp":4070908800,"iat":1735689600,"tag":"alice-web"}',
    "credentials": {"caller_name": "Alice Adams", "account_id": 1001, "video_allowed": True},
    "expiresAt": 4070908800,
}

Outcomes = list[Any]
Node = Callable[..., Outcomes]


def denied(status: int) -> dict[str, Any]:
    """Return what a denial is in node."""
    return {"authorized": False, "sipStatus": status}


@pytest.fixture(name="node", scope="session")
def _node() -> Node:
    """Run the client under node: orders in, outcomes out."""
    node = shutil.which("node")
    lacks = "no node" if node is None else None
    if not (FOLDER / "node" / "node_modules").exists():
        lacks = lacks or "no node_modules: `make e2e-recipes` installs them where there is npm"
    if node is None or lacks:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(lacks))

    def run(**orders: Any) -> Outcomes:
        variables = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "HOME": os.devnull}
        variables["NODE_NO_WARNINGS"] = "1"  # the SDK warns of old versions of node
        ran = subprocess.run(
            [node, PROGRAM],
            input=json.dumps(orders),
            env={**variables, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        outcomes: Outcomes = json.loads(ran.stdout)
        return outcomes

    return run


@pytest.fixture(name="db_url", scope="module")
def _db_url() -> Iterator[str]:
    """The sample rows."""
    with tables() as db_url:
        yield db_url


@pytest.fixture(name="running", scope="module")
def _running(db_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over the sample rows."""
    with healthy_service(tmp_path_factory.mktemp("api"), db_url) as running:
        yield running


@pytest.fixture(name="stuck", scope="module")
def _stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over tables that never answer."""
    with stuck_service(tmp_path_factory.mktemp("stuck")) as stuck:
        yield stuck


def way(service: Service, name: str, keys: Keys = FRONTEND, api_key: str | None = API_KEY, **more: Any) -> Any:
    """Return the orders that make the transport of that name to *service*, with options of its own."""
    credentials = {"accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": SESSION_TOKEN}
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "throughInvocation": (ALIAS_ARN, {"credentials": credentials, "endpoint": service.lambda_url}),
        "throughFunctionUrl": (service.function_url, {"credentials": credentials, "region": REGION}),
        "throughApi": (service.api_url, {"apiKey": api_key}),
    }
    url, options = ways[name]
    return {"way": name, "url": url, "options": options | more}


# --- What the answers are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WAYS)
def test_node_is_told_by_every_way_when_to_ask_again_for_a_key_that_is_not_fetched_yet(
    node: Node, running: Service, name: str
) -> None:
    running.know_the_issuer()
    token = a_token_of_a_new_key(now=int(time.time()))

    (outcome,) = node(**way(running, name), questions=[(token, "alice")])

    assert 30 <= outcome["deferred"] <= 62
    assert token not in outcome["seen"]


def test_node_takes_what_says_when_to_ask_again_for_that(node: Node) -> None:
    replies = [{"status": status, "body": json.dumps(body)} for status, body, _ in (case.values for case in DEFER)]

    outcomes = node(replies=replies)

    assert [outcome.get("deferred") for outcome in outcomes] == [case.values[2] for case in DEFER]


@pytest.mark.parametrize("name", WAYS)
def test_node_hears_the_decision_by_every_way(node: Node, running: Service, name: str) -> None:
    mismatch = 401 if name == "throughInvocation" else 403
    asked = {
        (TOKEN, "alice"): ALICE,
        (EXPIRED, "alice"): denied(401),
        (TOKEN[:-2], "alice"): denied(401),
        ("x" * 20_000, "alice"): denied(401),
        ("", "alice"): denied(401),
        ("a b.c.d", "alice"): denied(401),
        ("\0.b.c", "alice"): denied(401),
        ("\ud800.b.c", "alice"): denied(401),
        (TOKEN, "bob"): denied(mismatch),
        (TOKEN, ""): denied(mismatch),
    }
    questions: list[Any] = [*asked, (TOKEN, "alice", {"fromDomain": "other.example"})]
    before = len(running.wire(_short(name)).connections)

    outcomes = node(**way(running, name), questions=[*questions, (TOKEN, "alice", {"callId": "x" * 129})])

    assert outcomes == [*asked.values(), denied(mismatch), ALICE]
    connections = len(running.wire(_short(name)).connections) - before
    assert connections <= 2, "connections are kept; but fetch may begin a second one just before the first is free"


def _short(name: str) -> str:
    return "api" if name == "throughApi" else "lambda"


@pytest.mark.parametrize("question", [(TOKEN,), (TOKEN, None), (TOKEN, 5), (None, "alice")], ids=repr)
def test_node_asks_nothing_without_token_and_user(node: Node, running: Service, question: tuple[Any, ...]) -> None:
    """JSON leaves out what is undefined, and the service would take it for a question about the token alone."""
    (outcome,) = node(**way(running, "throughInvocation"), questions=[question])

    assert outcome["error"] == "TypeError"


def test_node_takes_no_other_answer_for_a_decision(node: Node) -> None:
    bodies = [(case.values[0], json.dumps(case.values[1])) for case in DECIDE_NOTHING]
    replies = [*bodies, (200, ""), (200, "<html>"), (200, '{"code": 1')]

    outcomes = node(replies=[{"status": status, "body": body} for status, body in replies])

    assert [outcome.get("fault") for outcome in outcomes] == [
        f"an answer that decides nothing, HTTP status {status}" for status, _ in replies
    ]


def test_node_takes_a_decision_for_one(node: Node) -> None:
    """Or the test above could not fail."""
    denial = {"code": -1}
    replies = [(200, ANSWER), (401, denial), (403, denial), (200, denial)]

    outcomes = node(replies=[{"status": status, "body": json.dumps(body)} for status, body in replies])

    assert [outcome.get("sipUsername", outcome.get("sipStatus")) for outcome in outcomes] == ["alice", 401, 403, 401]


def test_the_sip_application_shown_answers_as_the_table_says(node: Node, running: Service) -> None:
    """The block of the readme, with another `via`, and node's own loader."""
    (shown,) = re.findall(r"^```js\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    asked = [[TOKEN, "alice", 600], [EXPIRED, "alice", 600], [TOKEN, "bob", 600]]
    challenge = {"WWW-Authenticate": 'Bearer realm="sip.example.com", error="invalid_token"'}

    answers = node(application=shown, **way(running, "throughApi"), registrations=asked)

    assert answers == [[200, {"Expires": "600"}], [401, challenge], [403, {}]]


def test_the_sip_application_shown_passes_the_time_on(node: Node, running: Service) -> None:
    (shown,) = re.findall(r"^```js\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    running.know_the_issuer()
    token = a_token_of_a_new_key(now=int(time.time()))

    ((status, headers),) = node(application=shown, **way(running, "throughApi"), registrations=[[token, "alice", 600]])

    assert (status, headers.keys()) == (503, {"Retry-After"})
    assert 30 <= int(headers["Retry-After"]) <= 62


def test_the_sip_application_shown_knows_faults(node: Node, stuck: Service) -> None:
    (shown,) = re.findall(r"^```js\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)

    answers = node(application=shown, **way(stuck, "throughApi"), registrations=[[TOKEN, "alice", 600]])

    assert answers == [[503, {"Retry-After": "5"}]]


# --- Faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("throughInvocation", "the function failed: Unreachable"),
        ("throughFunctionUrl", "an answer that decides nothing, HTTP status 503"),
        ("throughApi", "an answer that decides nothing, HTTP status 503"),
    ],
)
def test_node_knows_tables_that_cannot_be_reached_for_a_fault(
    node: Node, stuck: Service, name: str, message: str
) -> None:
    (outcome,) = node(**way(stuck, name), questions=[(TOKEN, "alice")])

    assert outcome["fault"] == message


@pytest.mark.parametrize("name", WAYS)
def test_node_waits_no_longer_than_it_says(node: Node, stuck: Service, name: str) -> None:
    (outcome,) = node(**way(stuck, name, answerMilliseconds=150), questions=[(TOKEN, "alice")])

    assert outcome["fault"].endswith(": TimeoutError")
    time.sleep(0.5)  # until the environments are idle again


@pytest.mark.parametrize(
    ("name", "message"),
    [("throughInvocation", "TooManyRequestsException"), ("throughFunctionUrl", "HTTP status 429")],
)
def test_node_knows_throttling_for_a_fault(node: Node, name: str, message: str) -> None:
    with busy_service() as busy:
        (outcome,) = node(**way(busy, name), questions=[(TOKEN, "alice")])

    assert message in outcome["fault"]


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize(
    ("keys", "what_lambda_says"),
    [
        pytest.param(Keys(FRONTEND.id, "another"), Flaw.WRONG.value, id="wrong secret"),
        pytest.param(Keys("AKIDNOBODY", "x"), Flaw.UNKNOWN.value, id="unknown key"),
        pytest.param(STRANGER, "AccessDeniedException", id="no permission"),
    ],
)
def test_node_knows_wrong_aws_credentials_for_a_fault(
    node: Node, running: Service, name: str, keys: Keys, what_lambda_says: str
) -> None:
    (outcome,) = node(**way(running, name, keys), questions=[(TOKEN, "alice")])

    assert (what_lambda_says if name == "throughInvocation" else "HTTP status 403") in outcome["fault"]


@pytest.mark.parametrize("name", SIGNED)
def test_node_without_aws_credentials_is_a_fault(node: Node, running: Service, name: str) -> None:
    orders = way(running, name)
    del orders["options"]["credentials"]

    (outcome,) = node(**orders, questions=[(TOKEN, "alice")])

    assert outcome["fault"].endswith("CredentialsProviderError")


def test_node_unsigned_or_with_a_wrong_key_is_a_fault(node: Node, running: Service) -> None:
    for url in (running.function_url, running.api_url):
        (outcome,) = node(way="throughApi", url=url, options={"apiKey": "another"}, questions=[(TOKEN, "alice")])
        assert outcome["fault"] == "an answer that decides nothing, HTTP status 403"


@pytest.mark.parametrize("name", WAYS)
def test_node_finds_nobody_there_which_is_a_fault(node: Node, running: Service, name: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    orders = way(running, name)
    gone = json.loads(
        json.dumps(orders)
        .replace(f":{running.lambda_wire.port}", f":{port}")
        .replace(f":{running.api_wire.port}", f":{port}")
    )

    (outcome,) = node(**gone, questions=[(TOKEN, "alice")])

    assert outcome["fault"].startswith("no answer")


@pytest.mark.parametrize("name", WAYS)
def test_node_asks_twice_and_no_more(node: Node, running: Service, name: str) -> None:
    wire = running.wire(_short(name))
    wire.cuts = 1
    (saved,) = node(**way(running, name), questions=[(TOKEN, "alice")])
    before, wire.cuts = len(wire.connections), 10
    (lost,) = node(**way(running, name), questions=[(TOKEN, "alice")])

    assert saved == ALICE
    assert lost["fault"].startswith("no answer")
    assert (len(wire.connections) - before, wire.cuts) == (2, 8)
    wire.cuts = 0


# --- On the wire ------------------------------------------------------------------------------------------------------


def test_node_names_the_api_behind_the_endpoint(node: Node, running: Service) -> None:
    node(**way(running, "throughApi", apiId="a1b2c3d4e5"), questions=[(TOKEN, "alice")])

    headers = running.api_wire.headers()
    assert headers["x-apigw-api-id"] == "a1b2c3d4e5"
    assert headers["host"] == f"{LOOPBACK}:{running.api_wire.port}"


@pytest.mark.parametrize("name", WAYS)
def test_node_sends_the_token_in_the_body_alone(node: Node, running: Service, name: str) -> None:
    node(**way(running, name), questions=[(TOKEN, "alice")])

    head, _, body = bytes(running.wire(_short(name)).connections[-1]).partition(b"\r\n\r\n")
    assert TOKEN.encode() not in head
    assert json.loads(body) == {"jwt_token": TOKEN, "from_user": "alice"}


@pytest.mark.parametrize("name", ["throughFunctionUrl", "throughApi"])
def test_node_sends_nothing_in_clear(node: Node, running: Service, name: str) -> None:
    (outcome,) = node(**{**way(running, name), "url": "http://api.example/authorize"}, questions=[(TOKEN, "alice")])

    assert outcome["error"] == "TypeError"


@pytest.mark.parametrize("name", WAYS)
def test_no_fault_of_node_holds_a_secret(node: Node, running: Service, stuck: Service, name: str) -> None:
    """However deep one looks into it."""
    wrong = Keys(FRONTEND.id, "another-secret")
    seen = [
        outcome["seen"]
        for service, options in (
            (running, {"keys": wrong, "api_key": "another-key"}),
            (stuck, {}),
            (stuck, {"answerMilliseconds": 100}),
        )
        for outcome in node(**way(service, name, **options), questions=[(TOKEN, "alice")])
    ]

    assert len(seen) == 3
    for secret in (TOKEN, FRONTEND.secret, "another-secret", SESSION_TOKEN, API_KEY, "another-key"):
        assert not [text for text in seen if secret in text]


# --- The built function under AWS's emulator --------------------------------------------------------------------------


@pytest.fixture(name="emulator", scope="module")
def _emulator(db_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """What `sam build` built, with the sample rows; it serves the Invoke API, for one at a time and without a gate."""
    if NATIVE is None:
        pytest.skip("AWS's emulator runs on Linux on x86-64 or arm64, and this machine is neither")
    artifact = Artifact(NATIVE)
    if not artifact.template.exists():
        pytest.fail(f"nothing in {artifact.folder}: `make build` builds it", pytrace=False)
    settings = read_json(SAMPLES / "outcomes.json")["settings"]
    function = deployed(artifact, "authorize", {**settings, "DB_URL": db_url})
    with emulated(function, tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


def test_boto3_invokes_the_built_function(emulator: Emulator) -> None:
    session = boto3.Session(FRONTEND.id, FRONTEND.secret, region_name=REGION)
    via = through_invocation("function", session=session, endpoint_url=f"http://{LOOPBACK}:{emulator.port}")

    answer = authorize(via, TOKEN, "alice")

    assert isinstance(answer, Authorized)
    assert answer.credentials == ALICE["credentials"]
    assert authorize(via, EXPIRED, "alice") == authorize(via, TOKEN, "bob") == Denied(401)


def test_nodes_sdk_invokes_the_built_function(node: Node, emulator: Emulator) -> None:
    options = {
        "credentials": {"accessKeyId": FRONTEND.id, "secretAccessKey": FRONTEND.secret},
        "endpoint": f"http://{LOOPBACK}:{emulator.port}",
        "region": REGION,
    }
    questions = [(TOKEN, "alice"), (EXPIRED, "alice"), (TOKEN, "bob")]

    outcomes = node(way="throughInvocation", url="function", options=options, questions=questions)

    assert outcomes == [ALICE, denied(401), denied(401)]


def test_the_built_function_that_fails_is_a_fault(node: Node, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The emulator tells an error of the function by the answer alone, and not as Lambda does by a header, too."""
    request.getfixturevalue("emulator")  # or the reason why there is none
    with socket.create_server((LOOPBACK, 0)) as closed:
        nobody = f"dynamodb+http://{LOOPBACK}:{closed.getsockname()[1]}/{REGION}"
    assert NATIVE is not None
    with emulated(deployed(Artifact(NATIVE), "authorize", {"DB_URL": nobody}), tmp_path) as emulator:
        endpoint = f"http://{LOOPBACK}:{emulator.port}"
        session = boto3.Session(FRONTEND.id, FRONTEND.secret, region_name=REGION)
        with pytest.raises(Fault, match="decides nothing"):
            authorize(through_invocation("function", session=session, endpoint_url=endpoint), TOKEN, "alice")
        credentials = {"accessKeyId": FRONTEND.id, "secretAccessKey": FRONTEND.secret}
        options = {"credentials": credentials, "endpoint": endpoint, "region": REGION}
        (outcome,) = node(way="throughInvocation", url="function", options=options, questions=[(TOKEN, "alice")])

    assert "decides nothing" in outcome["fault"]
