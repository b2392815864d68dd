"""`auth-jwt page` finds the admin API by the stack that has it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from auth_jwt_cli.connection import Connection, Where
from auth_jwt_cli.main import app
from auth_jwt_cli.output import Output
from auth_jwt_cli.page.admin_api import base_of, region_in
from auth_jwt_cli.page_command import admin_api_of


@pytest.fixture(name="in_memory")
def _in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """CloudFormation in memory; call it with outputs, and there is a stack `auth-jwt` that has them."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AUTH_JWT_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with mock_aws():

        def stack(**outputs: str) -> str:
            template = {
                "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
                "Outputs": {name: {"Value": value} for name, value in outputs.items()},
            }
            client = boto3.client("cloudformation", region_name="eu-central-1")
            client.create_stack(StackName="auth-jwt", TemplateBody=json.dumps(template))
            return "auth-jwt"

        yield stack


def test_a_stack_says_where_its_api_is(in_memory: Callable[..., str]) -> None:
    in_memory(AdminApiUrl="https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1/admin/profiles")

    api = admin_api_of(Connection(Where(), Output()), None)

    assert api.base == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [({"ApiUrl": "https://x"}, "has no admin API: deploy it with AdminApi=true"), (None, "there is no stack")],
)
def test_a_stack_without_an_api_is_said(
    in_memory: Callable[..., str], outputs: dict[str, str] | None, words: str
) -> None:
    if outputs is not None:
        in_memory(**outputs)

    ended = CliRunner().invoke(app, ["page", "--stack", "auth-jwt"])

    assert ended.exit_code == 1
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "proxy.example"),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".amazonaws.com"}, None),
    ],
)
def test_a_proxy_of_the_environment_is_used(
    in_memory: Callable[..., str], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    """As by everything else that asks AWS from here."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    api = admin_api_of(Connection(Where(), Output()), f"{EUROPE}/v1/admin/profiles")

    assert (None if api.pool.proxy is None else api.pool.proxy.host) == proxy


EUROPE = "https://a.execute-api.eu-west-1.amazonaws.com"
CHINA = "https://a.execute-api.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("url", "base", "region"),
    [
        (f"{EUROPE}/v1/admin/profiles", f"{EUROPE}/v1", "eu-west-1"),
        (f"{CHINA}/v1/", f"{CHINA}/v1", "cn-north-1"),
        ("https://admin.example.com/admin", "https://admin.example.com", None),
        ("https://admin.example.com/base/admin/profiles", "https://admin.example.com/base", None),
        (f"https://evil.example/{EUROPE[8:]}", f"https://evil.example/{EUROPE[8:]}", None),
    ],
)
def test_an_address_names_base_and_region(url: str, base: str, region: str | None) -> None:
    assert (base_of(url), region_in(base)) == (base, region)
