"""Which variables mean boto3: those that would change what boto3 asks, and no other.

Each variable that botocore reads is decided here, and so is each one of the extensions that functions carry. Where the
express lane serves in spite of a variable, boto3's request is shown to be the same with it as without.
"""

import ast
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import botocore
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HTTPHeaders
from botocore.credentials import ContainerMetadataFetcher

from auth_jwt.aws.client import dynamodb_client
from auth_jwt.aws.express import reason_for_boto3
from auth_jwt.aws.failures import Refused
from tests.unit.aws.test_express import LAMBDA, SNAP_START

EXTENSIONS: Final[Mapping[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "extensions.json").read_text("utf-8")
)

LOOKED_AT: Final = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
}
"""What the express lane itself goes by."""

MEANT_FOR_BOTO3: Final = {
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_BEARER_TOKEN_DYNAMODB"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ACCOUNT_ID_ENDPOINT_MODE"),
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "AWS_DATA_PATH", "AWS_DEFAULTS_MODE"),
    *("AWS_ENDPOINT_DISCOVERY_ENABLED", "AWS_CSM_ENABLED"),
    *("AWS_AUTH_SCHEME_PREFERENCE", "AWS_SIGV4A_SIGNING_REGION_SET"),
    *("BOTO_CONFIG", "BOTOCORE_TCP_KEEPALIVE", "BOTOCORE_EXPERIMENTAL__PLUGINS", "BOTO_DISABLE_CRT"),
    *("BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER", "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE"),
}

HARMLESS: Final = {
    "AWS_REGION": "us-west-2",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
    "AWS_LAMBDA_FUNCTION_NAME": "another",
    "AWS_SDK_UA_APP_ID": "sip",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "AWS_RETRY_MODE": "adaptive",
    "AWS_MAX_ATTEMPTS": "7",
    "AWS_ROLE_SESSION_NAME": "session",
    "AWS_LOGIN_CACHE_DIRECTORY": "/nowhere",
    "AWS_CSM_CLIENT_ID": "client",
    "AWS_CSM_HOST": "127.0.0.1",
    "AWS_CSM_PORT": "31000",
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    "AWS_DISABLE_REQUEST_COMPRESSION": "true",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "1",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6",
    "AWS_EC2_METADATA_V1_DISABLED": "true",
    "AWS_IMDS_USE_IPV6": "true",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "9",
    "AWS_METADATA_SERVICE_TIMEOUT": "9",
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "true",
    "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS": "true",
    "AWS_S3_USE_ARN_REGION": "true",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "legacy",
}
"""What botocore reads, and what does not change its request, with a value that would if any did."""

OTHERS: Final = {
    "AWS_ENDPOINT_URL_S3": "https://other.example",
    "AWS_ENDPOINT_URL_STS": "https://other.example",
    "AWS_BEARER_TOKEN_BEDROCK": "token",
    "AWS_SAM_LOCAL": "true",
    "AWS_SOMETHING_TO_COME": "1",
}
"""What botocore reads for other services, or not at all."""

NOT_A_VARIABLE: Final = {"BOTOCORE_DEFAUT_SESSION_VARIABLES"}


def environments() -> dict[str, dict[str, str]]:
    """The recorded environments, and each harmless variable by itself."""
    alone = {name: {name: value} for name, value in {**HARMLESS, **OTHERS}.items()}
    return {name: recorded["variables"] for name, recorded in EXTENSIONS.items()} | alone


@pytest.fixture(autouse=True, name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine says about AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def why(env: Mapping[str, str]) -> str | None:
    return reason_for_boto3(env, region=None, endpoint=None, tables=("a", "b"))


@pytest.mark.parametrize("name", sorted(MEANT_FOR_BOTO3))
def test_a_variable_that_may_change_how_boto3_asks_means_boto3(name: str) -> None:
    assert why({**LAMBDA, name: "1"}) == f"{name} is set"


@pytest.mark.matrix
@pytest.mark.parametrize("variables", environments().values(), ids=list(environments()))
@pytest.mark.parametrize("start", [LAMBDA, SNAP_START], ids=["on demand", "SnapStart"])
def test_all_others_leave_the_express_lane(start: Mapping[str, str], variables: Mapping[str, str]) -> None:
    assert why({**start, **variables}) is None


def request_of_boto3(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """What boto3 would send for each of the two questions, less what differs from one request to the next.

    Each is answered by 500, so that a client that asks again would be seen.
    """
    requests: list[dict[str, Any]] = []

    def answer(request: AWSPreparedRequest, **_: object) -> Any:
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
            if name.lower() not in ("user-agent", "x-amz-date", "amz-sdk-invocation-id", "x-amzn-trace-id")
        }
        headers["authorization"] = re.sub(r"/\d{8}/|Signature=\w+", "", headers["authorization"])
        requests.append({"method": request.method, "url": request.url, "headers": headers, "body": request.body})
        raw = type("Raw", (), {"stream": lambda *_, **__: iter([b"{}"])})()
        return AWSResponse(request.url, 500, HTTPHeaders(), raw)

    with monkeypatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        client = dynamodb_client(region=None, endpoint=None, timeout_seconds=1)
        client._client.meta.events.register("before-send.dynamodb", answer)
        key = {"tag": {"S": "alice"}}
        with pytest.raises(Refused):
            client.get_item(TableName="profiles", Key=key, ConsistentRead=True)
        with pytest.raises(Refused):
            client.query(TableName="secrets", KeyConditionExpression="tag = :tag", ExpressionAttributeValues=key)
    return requests


@pytest.fixture(name="container")
def _container(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint of the container's credentials, without its socket."""
    given = {"AccessKeyId": "key", "SecretAccessKey": "secret", "Token": "token", "Expiration": "2999-01-01T00:00:00Z"}
    monkeypatch.setattr(ContainerMetadataFetcher, "retrieve_full_uri", lambda *_, **__: given)


@pytest.mark.matrix
@pytest.mark.usefixtures("container")
@pytest.mark.parametrize("variables", environments().values(), ids=list(environments()))
@pytest.mark.parametrize("start", [LAMBDA, SNAP_START], ids=["on demand", "SnapStart"])
def test_where_the_lane_serves_boto3s_request_is_the_same_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, start: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    bare = request_of_boto3(monkeypatch, start)

    assert request_of_boto3(monkeypatch, {**start, **variables}) == bare
    assert len(bare) == 2
    assert "Credential=key" in bare[0]["headers"]["authorization"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "https://other.example"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "https://other.example"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ],
)
def test_and_that_comparison_sees_a_variable_that_matters(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert request_of_boto3(monkeypatch, {**LAMBDA, name: value}) != request_of_boto3(monkeypatch, LAMBDA)


def names_in_botocore() -> set[str]:
    """Every text in botocore's and boto3's code that is spelt like a variable of theirs."""
    spelt = re.compile(r"(?:AWS|BOTO|BOTOCORE)_[A-Z0-9_]*[A-Z0-9]|SSLKEYLOGFILE|REQUESTS_CA_BUNDLE")
    files = [path for package in (botocore, boto3) for path in Path(str(package.__file__)).parent.rglob("*.py")]
    constants = (
        node.value
        for path in files
        if "docs" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {value for value in constants if spelt.fullmatch(value)}


def test_every_variable_that_botocore_reads_is_decided() -> None:
    """A version that reads another one fails here, and asks for a decision."""
    found = names_in_botocore() - NOT_A_VARIABLE

    assert {"AWS_PROFILE", "AWS_DATA_PATH", "SSLKEYLOGFILE"} <= found
    assert found <= LOOKED_AT | MEANT_FOR_BOTO3 | HARMLESS.keys()
    assert HARMLESS.keys() <= found


def test_every_recording_says_where_its_names_are_documented() -> None:
    assert all(recorded["documented"].startswith("https://") for recorded in EXTENSIONS.values())
    names = {name for recorded in EXTENSIONS.values() for name in recorded["variables"]}
    for beginning in ("AWS_APPCONFIG_EXTENSION_", "AWS_EMF_", "AWS_CODEGURU_", "AWS_LWA_", "AWS_XRAY_", "DD_", "OTEL_"):
        assert any(name.startswith(beginning) for name in names)
