"""The credentials for AWS: from the environment, or from the container endpoint.

Nothing is read or fetched before the first request, so that no snapshot holds credentials. Lambda's SnapStart gives
credentials by the container endpoint. The rules are those of botocore's `EnvProvider`, `ContainerProvider`,
`ContainerMetadataFetcher` and `RefreshableCredentials`.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

from auth_jwt.aws.connections import Connections
from auth_jwt.aws.signature import AwsCredentials
from auth_jwt.errors import Fault, Unreachable

RENEW_SECONDS: Final = 15 * 60
"""How long before they expire credentials are renewed. When renewal fails, the old ones stay in use."""
RENEW_OR_FAIL_SECONDS: Final = 10 * 60
"""How long before they expire credentials are no longer used."""

_HOST_OF_RELATIVE_URIS: Final = "http://169.254.170.2"
_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
_TIMEOUT_SECONDS: Final = 2
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 1
_OK: Final = 200
_URL: Final = re.compile(r"https?://[!-~]+")
_HEADER_VALUE: Final = re.compile(r"[ -~]*")

AwsIdentity = Callable[[], AwsCredentials]


def identity_of(env: Mapping[str, str]) -> AwsIdentity | None:
    """Return the source of credentials that *env* names: *env* itself or the container endpoint.

    Return None when *env* names neither; then only boto3 can find credentials.
    """
    if env.get("AWS_ACCESS_KEY_ID"):
        return EnvironmentIdentity(env) if env.get("AWS_SECRET_ACCESS_KEY") else None
    if "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in env or "AWS_CONTAINER_CREDENTIALS_FULL_URI" in env:
        return ContainerIdentity(env)
    return None


class EnvironmentIdentity:
    """Gives the credentials in the environment *env*. They are valid as long as the process lives."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def __call__(self) -> AwsCredentials:
        """Return the credentials.

        Raises:
            Fault: a part is missing or cannot be sent in a header.
        """
        env = self._env
        token = env.get("AWS_SECURITY_TOKEN") or env.get("AWS_SESSION_TOKEN")
        return _credentials(env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY"), token)


class ContainerIdentity:
    """Gives credentials from the container endpoint. One thread at a time renews them before they expire.

    Args:
        env: the environment, which says where the endpoint is.
        clock: UNIX seconds.
        pause_seconds: the pause between two attempts to fetch.
    """

    def __init__(
        self, env: Mapping[str, str], *, clock: Callable[[], float] = time.time, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._env = env
        self._clock = clock
        self._pause = pause_seconds
        self._held: tuple[AwsCredentials, float] | None = None
        self._renewing = Lock()

    def __call__(self) -> AwsCredentials:
        """Return credentials that are valid for `RENEW_OR_FAIL_SECONDS` or longer, unless new ones expire sooner.

        Raises:
            Fault: no usable credentials are held, and none can be fetched.
        """
        held = self._valid_for(RENEW_SECONDS)
        if held is None:
            usable = self._valid_for(RENEW_OR_FAIL_SECONDS)
            # While the old credentials are usable, no thread waits for another that renews them.
            if self._renewing.acquire(blocking=usable is None):
                try:
                    held = self._renew(usable)
                finally:
                    self._renewing.release()
            else:
                held = usable
        if held is None:
            raise Fault("the container's credentials are expired")
        return held

    def _valid_for(self, seconds: float) -> AwsCredentials | None:
        """Return the held credentials if they are valid for so many *seconds*, otherwise None."""
        held = self._held
        return held[0] if held is not None and held[1] - self._clock() >= seconds else None

    def _renew(self, usable: AwsCredentials | None) -> AwsCredentials | None:
        """Fetch new credentials and return them, or return the *usable* old ones when that fails."""
        others = self._valid_for(RENEW_SECONDS if usable else RENEW_OR_FAIL_SECONDS)
        if others is not None:  # another thread renewed them while this one waited
            return others
        try:
            self._held = self._fetch()
        except Fault:
            if usable is None:
                raise
            return usable
        return self._valid_for(0)

    def _fetch(self) -> tuple[AwsCredentials, float]:
        """Return credentials from the endpoint, and when they expire, in UNIX seconds.

        Raises:
            Fault: no attempt gave any.
        """
        server, target = _endpoint(self._env)
        cause = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self._pause)
            try:
                answer = server.ask("GET", target, {"Host": server.host, **_headers(self._env)})
                if answer.status == _OK:
                    return _read(json.loads(answer.body))
                cause = f"status {answer.status}"
            except Unreachable as error:
                cause = str(error)
            except (ValueError, RecursionError):
                cause = "the answer is not JSON"
        raise Fault(f"the container's credentials cannot be fetched ({cause})")


def _endpoint(env: Mapping[str, str]) -> tuple[Connections, str]:
    """Return the server of the endpoint that *env* names, and the path and query string to ask for.

    Raises:
        Fault: the URL is neither https nor of a host that may give credentials.
    """
    relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] if relative is None else _HOST_OF_RELATIVE_URIS + relative
    try:
        parts = urlsplit(url if _URL.fullmatch(url) else "")
        allowed = parts.scheme == "https" or parts.hostname in _HOSTS or ip_address(parts.hostname or "").is_loopback
        server = Connections(url, wait_seconds=_TIMEOUT_SECONDS, answer_seconds=2 * _TIMEOUT_SECONDS)
    except ValueError:
        allowed = False
    if not allowed:
        raise Fault("the container's credentials are not fetched: the URL is neither https nor of an accepted host")
    return server, f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _headers(env: Mapping[str, str]) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    file = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if file is not None:
        try:
            with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - no need to load pathlib
                token = opened.read()
        except (OSError, ValueError) as error:
            raise Fault(f"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read ({type(error).__name__})") from None
    if token is not None:
        if not _HEADER_VALUE.fullmatch(token):
            raise Fault("the container's authorization token cannot be sent in a header")
        headers["Authorization"] = token
    return headers


def _read(answer: object) -> tuple[AwsCredentials, float]:
    """Return the credentials of an endpoint's answer, and when they expire, in UNIX seconds."""
    given = answer if isinstance(answer, dict) else {}
    try:
        expires = datetime.fromisoformat(given["Expiration"])
        credentials = _credentials(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    except (KeyError, TypeError, ValueError):
        raise Fault("the container's credentials lack a part, or do not say when they expire") from None
    return credentials, (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp()


def _credentials(access_key: object, secret_key: object, token: object) -> AwsCredentials:
    parts = [part for part in (access_key, secret_key, token or "") if isinstance(part, str)]
    if len(parts) < 3 or not access_key or not secret_key or not all(map(_HEADER_VALUE.fullmatch, parts)):
        raise Fault("the AWS credentials cannot be sent: a part is missing, or is not printable ASCII text")
    return AwsCredentials(*parts)
