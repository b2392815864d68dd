"""The express lane: DynamoDB's GetItem and Query with the standard library alone, for a fast cold start.

Loading boto3 takes more of a cold start than everything else together. This client has the same two calls, which return
the same plain data, for the usual case: one region of AWS or a configured endpoint, credentials from the environment or
the container endpoint, no proxy, no configuration files. In every other case boto3 is used: `reason_for_boto3` tells.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from errno import EMFILE, ENFILE
from posixpath import expanduser
from typing import Any, Final

from auth_jwt.aws.connections import Connections
from auth_jwt.aws.failures import Refused
from auth_jwt.aws.identity import AwsIdentity, identity_of
from auth_jwt.aws.signature import sign_headers
from auth_jwt.aws.whole_answers import COST_WANTED, FIRST_ERROR, check_transfer, error_code_of, whole_answer
from auth_jwt.errors import Fault

_SUFFIXES: Final = {
    re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+"): "amazonaws.com",
    re.compile(r"cn-[a-z]+-[0-9]+"): "amazonaws.com.cn",
}
"""The regions whose names determine their endpoints, as in botocore's partitions."""

_MEANT_FOR_BOTO3: Final = frozenset(
    {
        *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
        *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ACCOUNT_ID_ENDPOINT_MODE"),
        *("AWS_ENDPOINT_DISCOVERY_ENABLED", "AWS_CA_BUNDLE", "AWS_DATA_PATH", "AWS_DEFAULTS_MODE", "AWS_CSM_ENABLED"),
        *("AWS_AUTH_SCHEME_PREFERENCE", "AWS_SIGV4A_SIGNING_REGION_SET", "AWS_BEARER_TOKEN_DYNAMODB"),
        *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE"),
    }
)
"""The `AWS_...` variables that change what boto3 does and that this module does not implement.

All others are harmless: they belong to an extension or to another service, say. A test goes through all variables that
botocore reads.
"""
_MEANT_FOR_BOTO3_IF_NOT_EMPTY: Final = re.compile(
    r"(?:HTTPS?|ALL)_PROXY|REQUESTS_CA_BUNDLE|SSLKEYLOGFILE|BOTO.*", re.IGNORECASE
)

_TARGET: Final = "DynamoDB_20120810"


def reason_for_boto3(
    env: Mapping[str, str], *, region: str | None, endpoint: str | None, tables: tuple[str, ...]
) -> str | None:
    """Return in a few words why boto3 must be used instead; None when the express lane can be used.

    Args:
        env: the environment. Nothing of it is kept.
        region: the region of the settings; None takes the environment's.
        endpoint: the endpoint URL of the settings; None takes the region's.
        tables: the names of the tables.
    """
    for name, value in env.items():
        if name in _MEANT_FOR_BOTO3 or (value and _MEANT_FOR_BOTO3_IF_NOT_EMPTY.fullmatch(name)):
            return f"{name} is set"
    if endpoint_of(region or env.get("AWS_DEFAULT_REGION", "")) is None:
        return "no region, or its name does not determine the endpoint"
    if endpoint is None and ("AWS_ACCOUNT_ID" in env or any(table.startswith("arn:") for table in tables)):
        return "the account has an endpoint of its own"
    if identity_of(env) is None:
        return "the credentials are neither in the environment nor at a container endpoint"
    return next((f"{path} is there" for path in _configuration_files(env) if _has_content(path)), None)


def express_client(
    env: Mapping[str, str], *, region: str | None, endpoint: str | None, timeout_seconds: float
) -> "ExpressClient":
    """Make a client, where `reason_for_boto3` returns None. It opens no connection and reads no credentials yet.

    Args:
        env: the environment; credentials are read from it when they are needed.
        region: AWS region; None takes the environment's.
        endpoint: URL of the endpoint; None takes the region's.
        timeout_seconds: how long one call may take, from connecting to the end of the answer.

    Raises:
        Fault: the region or the credentials are missing.
    """
    region = region or env.get("AWS_DEFAULT_REGION", "")
    url, identity = endpoint or endpoint_of(region), identity_of(env)
    if url is None or identity is None:
        raise Fault("no region or no credentials for a DynamoDB client")
    connections = Connections(url, wait_seconds=timeout_seconds, answer_seconds=timeout_seconds)
    return ExpressClient(identity, region, connections)


class ExpressClient:
    """Two calls of boto3's client, with the same arguments and the same answers, but without `ResponseMetadata`.

    Args:
        identity: returns the credentials; called for each request.
        region: the region that requests are signed for.
        connections: the connections to DynamoDB.
        clock: UNIX seconds, for the signatures.
    """

    def __init__(
        self,
        identity: AwsIdentity,
        region: str,
        connections: Connections,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._identity = identity
        self._region = region
        self._connections = connections
        self._clock = clock

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401 - DynamoDB's own
        """Call DynamoDB's GetItem; see `auth_jwt.aws.client.Client`."""
        return self._call("GetItem", question)

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Call DynamoDB's Query; see `auth_jwt.aws.client.Client`."""
        return self._call("Query", question)

    def _call(self, operation: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps({**question, **COST_WANTED}).encode("ascii")
        headers = {
            "Host": self._connections.host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{_TARGET}.{operation}",
        }
        headers = sign_headers(headers, body, credentials=self._identity(), region=self._region, now=self._clock())
        headers |= {"Content-Length": str(len(body)), "Accept-Encoding": "identity", "User-Agent": "auth_jwt"}
        answer = self._connections.ask("POST", "/", headers, body)
        check_transfer(answer.status, answer.headers, answer.body)
        if answer.status >= FIRST_ERROR:
            raise Refused(answer.status, error_code_of(answer.body) or str(answer.status))
        return whole_answer(operation, answer.status, answer.body)


def endpoint_of(region: str) -> str | None:
    """Return the URL of DynamoDB in *region*; None when the name of the region does not determine it."""
    for pattern, suffix in _SUFFIXES.items():
        if pattern.fullmatch(region):
            return f"https://dynamodb.{region}.{suffix}"
    return None


def _configuration_files(env: Mapping[str, str]) -> list[str]:
    """Return the paths of the configuration files and folders that botocore would read."""
    home = env.get("HOME") or expanduser("~")
    return [
        env.get("AWS_CONFIG_FILE", f"{home}/.aws/config"),
        env.get("AWS_SHARED_CREDENTIALS_FILE", f"{home}/.aws/credentials"),
        *(f"{home}/.boto", "/etc/boto.cfg", f"{home}/.aws/models"),
    ]


def _has_content(path: str) -> bool:
    """Tell whether *path* is a file that is not empty, or is something that cannot be read as a plain file.

    Raises:
        OSError: no file descriptor is left, so nothing is known of the file.
    """
    if "~" in path or "$" in path:  # botocore would expand them
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no need to load pathlib
            return bool(file.read(1))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno in (EMFILE, ENFILE):
            raise
        return True
