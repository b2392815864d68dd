"""docs/providers: the commands of each page are run, and tokens in the form of that provider judged by what they wrote.

The documents are those of tests/providers in place of the internet; how documents are fetched has tests of its own.
"""

import json
import re
import shlex
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.client import dynamodb_client
from auth_jwt.errors import Reason
from auth_jwt.fetching.client import Fetched, IssuerClient
from auth_jwt.fetching.documents import discovery_url
from auth_jwt.issuers.models import check_identifier
from auth_jwt.runtime.settings import Settings
from auth_jwt.runtime.wiring import authorizer_of
from auth_jwt_cli.main import app
from auth_jwt_cli.presets import PRESETS
from tests.command_line import environment_of, sample_tables
from tests.factories import a_jwk, a_private_key, a_token, verdict
from tools.events.stage import REGION, environment

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "docs" / "providers"


@cache
def page_of(name: str) -> str:
    return (PAGES / f"{name}.md").read_text("utf-8")


@cache
def recorded(name: str) -> dict[str, Any]:
    """What tests/providers has of a provider: documents, and the form of its tokens."""
    found: dict[str, Any] = json.loads((ROOT / "tests" / "providers" / f"{name}.json").read_text("utf-8"))
    return found


def commands_of(name: str) -> list[str]:
    (block,) = re.findall(r"^```sh\n(.*?)^```", page_of(name), re.MULTILINE | re.DOTALL)
    return str(block).splitlines()


def key_set(name: str) -> bytes:
    keys = [a_jwk(key["key"], **{member: key[member] for member in key if member != "key"}) for key in keys_of(name)]
    return json.dumps({"keys": keys}).encode()


def keys_of(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = recorded(name)["keys"]
    return found


def token_of(name: str, form: dict[str, Any]) -> str:
    """Sign a token of that *form*, issued just now. A negative number is a time before that, in seconds."""
    now = int(time.time())
    claims = {
        claim: now + value if type(value) is int and value < 0 else value for claim, value in form["claims"].items()
    }
    payload = {
        "iss": form.get("issuer", recorded(name)["issuer"]),
        "sub": recorded(name)["subject"],
        "iat": now - 1,
        "exp": now + 3600,
        **claims,
    }
    key, header = a_private_key(form.get("key", "rsa_2048")), form["header"]
    return a_token(key=key, alg=header["alg"], header=json.dumps(header).encode(), payload=payload)


@pytest.fixture(name="endpoint")
def _endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield endpoint


@pytest.fixture(name="authorizer", params=PRESETS)
def _authorizer(
    request: pytest.FixtureRequest, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Authorizer]:
    """The name of a provider, and a service over the tables that the commands of its page have written."""
    name: str = request.param
    issuer = recorded(name)["issuer"]
    documents = {
        discovery_url(issuer): json.dumps(recorded(name)["discovery"]).encode(),
        recorded(name)["discovery"]["jwks_uri"]: key_set(name),
    }

    def fetch(_client: IssuerClient, url: str, *, etag: str | None = None) -> Fetched:
        return Fetched(200, documents[url], None, time.time())

    monkeypatch.setattr(IssuerClient, "fetch", fetch)
    variables = {**environment_of(endpoint, tmp_path), "ISSUERS": issuer}
    with environment(variables):
        for command in commands_of(name):
            result = CliRunner().invoke(app, shlex.split(command)[1:], env=variables)
            assert result.exit_code == 0, result.output
    settings = Settings.from_env({"DB_URL": f"dynamodb+http://{endpoint}/{REGION}", "ISSUERS": issuer})
    for variable, value in variables.items():
        if variable.startswith("AWS_"):
            monkeypatch.setenv(variable, value)
    client = dynamodb_client(region=REGION, endpoint=f"http://{endpoint}", timeout_seconds=5)
    return name, authorizer_of(settings, lambda: client)


def test_the_tokens_of_a_provider_are_judged_as_its_page_says(authorizer: tuple[str, Authorizer]) -> None:
    name, service = authorizer
    told = re.findall(r"^\| (.+?) \| `(\w+)` \|$", page_of(name).partition("## What was tried")[2], re.MULTILINE)

    admitted = service.authorize(token_of(name, recorded(name)["access"]), from_user="alice", from_domain="example.com")
    judged = [
        (form["what"], verdict(lambda form=form: service.authorize(token_of(name, form))))  # type: ignore[misc]
        for form in recorded(name)["refused"]
    ]

    assert admitted.sip_username == "alice"
    assert judged == [(what, Reason(reason)) for what, reason in told]


@pytest.mark.parametrize("name", PRESETS)
def test_a_page_tells_what_the_preset_sets_and_all_its_traps(name: str) -> None:
    page, preset = page_of(name), PRESETS[name]
    told = dict(re.findall(r"^\| `(\w+)` \| `(.+)` \|$", page.partition("## What the preset sets")[2], re.MULTILINE))

    assert {member: json.loads(value) for member, value in told.items()} == dict(preset.members)
    traps = page.partition("## Traps\n\n")[2].partition("\n\n")[0]
    assert [line.removeprefix("- ") for line in traps.splitlines()] == list(preset.traps)


def test_every_preset_has_its_page_and_there_is_no_other() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_example_of_a_preset_can_be_an_issuer_and_its_traps_are_sentences(name: str) -> None:
    check_identifier(PRESETS[name].example)

    assert all(trap[0].isupper() or trap[0] == "`" for trap in PRESETS[name].traps)
    assert all(trap.endswith(".") for trap in PRESETS[name].traps)
