"""Which world the express lane serves, and which it leaves to boto3."""

import errno
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider

from auth_jwt.aws.client import SdkClient
from auth_jwt.aws.express import ExpressClient, endpoint_of, express_client, reason_for_boto3
from auth_jwt.errors import Fault
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.settings import Settings
from auth_jwt.runtime.wiring import choose_client, service_of
from tests.measured import UNMEASURED

LAYER = Path(__file__).parents[3] / "layers" / "auth_jwt"

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "authorize",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/authorize",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
    "LAMBDA_TASK_ROOT": "/var/task",
    "PATH": "/var/lang/bin",
    "TZ": ":UTC",
}
"""What Lambda sets, as its developer guide lists it."""

ON_DEMAND = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
SNAP_START = {
    **{name: value for name, value in LAMBDA.items() if name not in ON_DEMAND},
    "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9002/2021-04-23/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
}
SAM_LOCAL = {**LAMBDA, "AWS_SAM_LOCAL": "true", "AWS_ACCOUNT_ID": "123456789012"}


@pytest.fixture(autouse=True, name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files of AWS."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def reason(
    env: Mapping[str, str],
    *,
    region: str | None = None,
    endpoint: str | None = None,
    tables: tuple[str, ...] = ("a", "b"),
) -> str | None:
    return reason_for_boto3(env, region=region, endpoint=endpoint, tables=tables)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(LAMBDA, id="Lambda"),
        pytest.param(SNAP_START, id="Lambda with SnapStart"),
        pytest.param({**LAMBDA, "NO_PROXY": "*"}, id="a list of hosts without the proxy that there is not"),
        pytest.param({**LAMBDA, "HTTPS_PROXY": ""}, id="a proxy that is none"),
        pytest.param({**LAMBDA, "AWS_EC2_METADATA_DISABLED": "true"}, id="an instance nobody asks"),
        pytest.param({**LAMBDA, "AWS_CONFIG_FILE": "/dev/null"}, id="an empty file"),
        pytest.param({**LAMBDA, "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}, id="no file"),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "cn-north-1"}, id="China"),
        pytest.param({**LAMBDA, "AWS_LAMBDA_MAX_CONCURRENCY": "1"}, id="a variable of Lambda's to come"),
    ],
)
def test_this_is_served(env: Mapping[str, str]) -> None:
    assert reason(env) is None


def test_sam_local_is_served_with_an_endpoint() -> None:
    """It names an account, which matters only where the account's endpoint is asked."""
    assert reason(SAM_LOCAL, endpoint="http://127.0.0.1:8000") is None
    assert reason(SAM_LOCAL) == "the account has an endpoint of its own"


@pytest.mark.parametrize(
    "name",
    [
        *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "Https_Proxy"),
        *("REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "BOTO_CONFIG", "BOTO_OF_TOMORROW"),
    ],
)
def test_a_proxy_and_what_no_other_than_boto3_reads_mean_boto3(name: str) -> None:
    assert reason({**LAMBDA, name: "1"}) == f"{name} is set"


@pytest.mark.parametrize(
    ("env", "why"),
    [
        pytest.param(
            {**LAMBDA, "AWS_DEFAULT_REGION": ""}, "no region", id="an empty region"
        ),
        pytest.param(
            {name: LAMBDA[name] for name in LAMBDA if name != "AWS_DEFAULT_REGION"}, "no region", id="AWS_REGION alone"
        ),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "us-gov-west-1"}, "no region", id="another partition"),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "us-iso-east-1"}, "no region", id="yet another"),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "local"}, "no region", id="a region that is none"),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "eu-a.example/-1"}, "no region", id="a host in the region"),
        pytest.param({**LAMBDA, "AWS_DEFAULT_REGION": "eu-central-1\n"}, "no region", id="a region with a line break"),
        pytest.param({**LAMBDA, "AWS_SECRET_ACCESS_KEY": ""}, "credentials", id="half a key"),
        pytest.param({**LAMBDA, "AWS_ACCESS_KEY_ID": ""}, "credentials", id="no credentials"),
        pytest.param({**LAMBDA, "AWS_CONFIG_FILE": "~nobody/config"}, "is there", id="a file of another's"),
        pytest.param({**LAMBDA, "AWS_CONFIG_FILE": "$HOME/config"}, "is there", id="a file named by a variable"),
        pytest.param({**LAMBDA, "AWS_CONFIG_FILE": "/"}, "is there", id="a folder for a file"),
    ],
)  # fmt: skip
def test_this_is_left_to_boto3(env: Mapping[str, str], why: str) -> None:
    assert why in (reason(env) or "")


@pytest.mark.parametrize("file", [".aws/config", ".aws/credentials", ".boto", ".aws/models/dynamodb/service-2.json"])
@pytest.mark.parametrize("in_env", [True, False], ids=["HOME is given", "HOME is not"])
def test_a_file_that_botocore_would_read_means_boto3(home: Path, file: str, in_env: bool) -> None:
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    env = {**LAMBDA, "HOME": str(home)} if in_env else LAMBDA
    assert reason(env) is None or file.startswith(".aws/models")

    (home / file).write_text("[default]")

    assert "is there" in (reason(env) or "")


def test_a_table_of_an_account_is_left_to_boto3_unless_there_is_an_endpoint() -> None:
    tables = ("profiles", "arn:aws:dynamodb:eu-central-1:123456789012:table/secrets")

    assert reason(LAMBDA, tables=tables) == "the account has an endpoint of its own"
    assert reason(LAMBDA, tables=tables, endpoint="https://vpce.example:443") is None


def test_so_is_a_table_of_revoked_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table that the settings name is looked at, and only those."""
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    table = "arn:aws:dynamodb:eu-central-1:123456789012:table/revocations"
    made = [
        choose_client(Settings.from_env({**LAMBDA, "REVOCATIONS_TABLE": name}), LAMBDA)[0]
        for name in ("", "mine", table)
    ]

    assert [type(client) for client in made] == [ExpressClient, ExpressClient, SdkClient]


def test_the_region_of_the_settings_comes_first() -> None:
    assert reason(LAMBDA, region="us-gov-west-1") is not None
    assert reason({**LAMBDA, "AWS_DEFAULT_REGION": "local"}, region="eu-west-1") is None


def partitions() -> dict[str, str]:
    """Every region that botocore lists for DynamoDB, and the partition it is in."""
    session = botocore.session.Session()
    return {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition, allow_non_regional=True)
    }


PARTITIONS = partitions()


@cache
def botocores_endpoints() -> EndpointProvider:
    data = Path(botocore.__file__).parent / "data"
    rules = gzip.decompress((data / "dynamodb" / "2012-08-10" / "endpoint-rule-set-1.json.gz").read_bytes())
    return EndpointProvider(json.loads(rules), json.loads((data / "partitions.json").read_bytes()))


@pytest.mark.parametrize("region", PARTITIONS)
def test_a_regions_endpoint_is_botocores_or_boto3_is_asked(region: str) -> None:
    is_plain = PARTITIONS[region] in ("aws", "aws-cn") and not region.endswith("-fips") and region != "local"
    botocores = botocores_endpoints().resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False).url

    assert endpoint_of(region) == (botocores if is_plain else None)


def test_botocore_lists_regions_of_every_kind() -> None:
    assert {"aws", "aws-cn", "aws-us-gov", "aws-iso"} <= set(PARTITIONS.values())
    assert {"local", "us-east-1-fips"} <= PARTITIONS.keys()


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        pytest.param(LAMBDA, ExpressClient, id="served"),
        pytest.param({**LAMBDA, "DYNAMODB_CLIENT": "boto3"}, SdkClient, id="switched off"),
        pytest.param({**LAMBDA, "https_proxy": "http://127.0.0.1:3128"}, SdkClient, id="left to boto3"),
        pytest.param(
            {**LAMBDA, "AWS_DEFAULT_REGION": "", "DB_URL": "dynamodb://eu-west-1"}, ExpressClient, id="by its region"
        ),
        pytest.param({**LAMBDA, "DB_URL": "dynamodb://us-gov-west-1"}, SdkClient, id="left to boto3 by its region"),
        pytest.param({**SAM_LOCAL, "DB_URL": "dynamodb+http://127.0.0.1:8000"}, ExpressClient, id="by its endpoint"),
    ],
)
def test_the_wiring_takes_the_lane_that_serves(
    env: Mapping[str, str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    assert type(choose_client(Settings.from_env(env), env)[0]) is kind


def test_either_lane_asks_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    url = {"DB_URL": "dynamodb+http://127.0.0.1:8000/eu-west-1"}

    express, _ = choose_client(Settings.from_env(url), LAMBDA)
    boto3, _ = choose_client(Settings.from_env({**url, "DYNAMODB_CLIENT": "boto3"}), LAMBDA)

    assert isinstance(express, ExpressClient)
    assert isinstance(boto3, SdkClient)
    assert (express._region, express._connections.host) == ("eu-west-1", "127.0.0.1:8000")
    about = boto3._client.meta
    assert (about.region_name, about.endpoint_url) == ("eu-west-1", "http://127.0.0.1:8000")


@pytest.mark.parametrize("client", ["express", "boto3"])
def test_either_lane_waits_as_long_as_the_settings_say(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)

    made, _ = choose_client(Settings.from_env({"STORE_TIMEOUT_MS": "250", "DYNAMODB_CLIENT": client}), LAMBDA)

    if isinstance(made, ExpressClient):
        assert (made._connections._wait, made._connections._whole) == (0.25, 0.25)
    else:
        assert isinstance(made, SdkClient)
        config: Any = made._client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({}, [], id="served"),
        pytest.param({"DYNAMODB_CLIENT": "boto3"}, [], id="switched off, as everybody knows"),
        pytest.param(
            {"DYNAMODB_CLIENT": "boto3", "AWS_USE_FIPS_ENDPOINT": "false"}, [], id="left to boto3, and switched off"
        ),
        pytest.param({"AWS_USE_FIPS_ENDPOINT": "false"}, ["AWS_USE_FIPS_ENDPOINT is set"], id="left to boto3"),
    ],
)
def test_the_log_warns_and_counts_once_why_the_lane_stands_aside(
    more: Mapping[str, str], told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever wonders why cold starts take longer finds it there."""
    env = {**LAMBDA, **more}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    service = service_of(env, Journal("authorize", env))
    service.prepare()  # before a snapshot: the processes that go on from it tell it, each for itself
    assert capsys.readouterr().out == ""
    for _ in range(2):
        service.authorizer.memory._store._get_client()  # type: ignore[attr-defined]

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"].partition(": ")[2] for line in lines] == told
    assert all(line["level"] == "WARNING" and "outcome" not in line and line["Boto3Fallback"] == 1 for line in lines)


def test_without_a_descriptor_left_nothing_is_said_of_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked at for now would otherwise mean boto3 for as long as the process lives."""
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text("")
    monkeypatch.setattr("builtins.open", opened_by(OSError(errno.EMFILE, "Too many open files")))
    with pytest.raises(OSError, match="Too many open files"):
        reason(LAMBDA)

    monkeypatch.setattr("builtins.open", opened_by(PermissionError(errno.EACCES, "Permission denied")))
    assert "is there" in (reason(LAMBDA) or "")


def opened_by(error: OSError) -> Callable[..., Any]:
    """Stand for `open` where nothing can be opened."""

    def refuse(*_: object, **__: object) -> Any:
        raise error

    return refuse


@pytest.mark.parametrize("env", [{}, {"AWS_DEFAULT_REGION": "eu-central-1"}, {**LAMBDA, "AWS_DEFAULT_REGION": ""}])
def test_a_client_for_what_is_not_served_is_a_fault(env: Mapping[str, str]) -> None:
    with pytest.raises(Fault):
        express_client(env, region=None, endpoint=None, timeout_seconds=1)


def test_a_first_read_loads_no_sdk(home: Path) -> None:
    """Of what a cold start would pay for, it loads the standard library's part only."""
    program = f"""if True:
        import sys
        from auth_jwt import Unreachable
        from auth_jwt.models import Columns
        from auth_jwt.ports import Deadline
        from auth_jwt.runtime.settings import Settings
        from auth_jwt.aws.dynamodb import DynamoDbStore
        from auth_jwt.aws.express import express_client, reason_for_boto3

        env = {dict(LAMBDA, HOME=str(home))!r}
        settings = Settings.from_env(env | {{"DB_URL": "dynamodb+https://127.0.0.1:1"}})
        endpoint = settings.database.endpoint
        assert reason_for_boto3(env, region=None, endpoint=endpoint, tables=("a", "b")) is None
        client = express_client(env, region=None, endpoint=endpoint, timeout_seconds=1)
        store = DynamoDbStore(lambda: client, profiles_table="a", secrets_table="b", columns=Columns())
        try:
            store.read("alice", consistent=False, deadline=Deadline(5))
        except Unreachable:
            print(*sys.modules)  # so far
    """
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=LAYER, capture_output=True, text=True, check=True, env=UNMEASURED
    )

    loaded = set(run.stdout.split())
    assert "auth_jwt.aws.express" in loaded
    assert not {"boto3", "botocore", "cryptography", "aws_lambda_powertools", "urllib3"} & loaded
    assert not {"logging", "concurrent.futures", "encodings.idna", "pathlib"} & loaded
