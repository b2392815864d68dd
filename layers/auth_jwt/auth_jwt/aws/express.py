"""The express lane: DynamoDB's GetItem and Query by the standard library, for a fast cold start.

boto3 costs a cold start more than everything else together. This client answers the same two calls with the same
plain data, for the usual case: one region of AWS or an endpoint of one's own, credentials from the environment or the
container endpoint, no proxy, no configuration files. Whatever else boto3 knows, boto3 does: `why_not` tells.
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
from auth_jwt.aws.signature import signed
from auth_jwt.aws.whole_answers import COST_WANTED, FIRST_ERROR, check_transfer, error_code_of, whole_answer
from auth_jwt.errors import Fault

_SUFFIXES: Final = {
    re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+"): "amazonaws.com",
    re.compile(r"cn-[a-z]+-[0-9]+"): "amazonaws.com.cn",
}
"""The regions whose endpoints follow from their names, as botocore's partitions have them."""

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
"""The variables `AWS_...` that change how boto3 would ask, besides those that are looked at here.

All others are harmless: of an extension, say, or of another service. A test goes through what botocore reads.
"""
_MEANT_FOR_BOTO3_IF_NOT_EMPTY: Final = re.compile(
    r"(?:HTTPS?|ALL)_PROXY|REQUESTS_CA_BUNDLE|SSLKEYLOGFILE|BOTO.*", re.IGNORECASE
)

_TARGET: Final = "DynamoDB_20120810"


def why_not(env: Mapping[str, str], *, region: str | None, endpoint: str | None, tables: tuple[str, ...]) -> str | None:
    """Return why boto3 has to be asked instead, in a few words; None when the express lane serves.

    Args:
        env: the environment. Nothing of it is kept.
        region: of the settings; None leaves it to the environment.
        endpoint: of the settings; None is the region's own.
        tables: what the tables are called.
    """
    for name, value in env.items():
        if name in _MEANT_FOR_BOTO3 or (value and _MEANT_FOR_BOTO3_IF_NOT_EMPTY.fullmatch(name)):
            return f"{name} is set"
    if endpoint_of(region or env.get("AWS_DEFAULT_REGION", "")) is None:
        return "no region, or one whose endpoint does not follow from its name"
    if endpoint is None and ("AWS_ACCOUNT_ID" in env or any(table.startswith("arn:") for table in tables)):
        return "the account has an endpoint of its own"
    if identity_of(env) is None:
        return "the credentials are neither in the environment nor at a container endpoint"
    return next((f"{path} is there" for path in _configuration_files(env) if _has_content(path)), None)


def express_client(
    env: Mapping[str, str], *, region: str | None, endpoint: str | None, timeout_seconds: float
) -> "ExpressClient":
    """Make a client for what `why_not` says nothing against. It opens no connection and reads no credentials yet.

    Args:
        env: the environment; credentials are taken from it when they are needed.
        region: AWS region; None takes the environment's.
        endpoint: URL of the endpoint; None is the region's.
        timeout_seconds: what a request may spend, and so what one question may: connecting and the whole answer.

    Raises:
        Fault: it cannot be made.
    """
    region = region or env.get("AWS_DEFAULT_REGION", "")
    url, identity = endpoint or endpoint_of(region), identity_of(env)
    if url is None or identity is None:
        raise Fault("no region or no credentials for a DynamoDB client")
    connections = Connections(url, wait_seconds=timeout_seconds, answer_seconds=timeout_seconds)
    return ExpressClient(identity, region, connections)


class ExpressClient:
    """Two of the calls of boto3's client, with the same arguments and the same answers, less `ResponseMetadata`.

    Args:
        identity: gives the credentials, at each request.
        region: whom requests are signed for.
        connections: to DynamoDB.
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
        """Ask DynamoDB's GetItem; see `auth_jwt.aws.client.Client`."""
        return self._asked("GetItem", question)

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Ask DynamoDB's Query; see `auth_jwt.aws.client.Client`."""
        return self._asked("Query", question)

    def _asked(self, operation: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps({**question, **COST_WANTED}).encode("ascii")
        headers = {
            "Host": self._connections.host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{_TARGET}.{operation}",
        }
        headers = signed(headers, body, credentials=self._identity(), region=self._region, now=self._clock())
        headers |= {"Content-Length": str(len(body)), "Accept-Encoding": "identity", "User-Agent": "auth_jwt"}
        answer = self._connections.ask("POST", "/", headers, body)
        check_transfer(answer.status, answer.headers, answer.body)
        if answer.status >= FIRST_ERROR:
            raise Refused(answer.status, error_code_of(answer.body) or str(answer.status))
        return whole_answer(operation, answer.status, answer.body)


def endpoint_of(region: str) -> str | None:
    """Return the URL of DynamoDB in *region*; None when that does not follow from the region's name."""
    for pattern, suffix in _SUFFIXES.items():
        if pattern.fullmatch(region):
            return f"https://dynamodb.{region}.{suffix}"
    return None


def _configuration_files(env: Mapping[str, str]) -> list[str]:
    """Return what botocore would read."""
    home = env.get("HOME") or expanduser("~")
    return [
        env.get("AWS_CONFIG_FILE", f"{home}/.aws/config"),
        env.get("AWS_SHARED_CREDENTIALS_FILE", f"{home}/.aws/credentials"),
        *(f"{home}/.boto", "/etc/boto.cfg", f"{home}/.aws/models"),
    ]


def _has_content(path: str) -> bool:
    """Tell whether there is a file that is not empty, or what cannot be read just so.

    Raises:
        OSError: no descriptor is left to look, which says nothing of the file.
    """
    if "~" in path or "$" in path:  # botocore would put something in their place
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
