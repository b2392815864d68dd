"""What AWS's errors mean, whichever client got them. The only module that reads botocore's errors.

Each client reports a failure as one of three errors: `Refused`, the answer is an error; `Unreachable`, no whole answer
came; `Fault`, no request can be sent. Their messages do not say what was asked: `translated_errors` adds that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from auth_jwt.errors import Fault, Throttled, Unreachable

_THROTTLED: Final = re.compile(r"Throttl|ThroughputExceeded|LimitExceeded|TooManyRequests")
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_SERVER_ERROR: Final = 500

_REMEDIES: Final = tuple(
    (re.compile(names), remedy)
    for names, remedy in (
        (
            r"SSO|TokenRetrieval|PendingAuthorization",
            "The login by SSO has expired, or there was none. Run `aws sso login`, for the same profile.",
        ),
        (
            r"NoCredentials|PartialCredentials|CredentialRetrieval|NoAuthToken|LoginRefresh",
            "AWS credentials are missing. Log in to AWS, or name the profile to use by --profile or AWS_PROFILE.",
        ),
        (
            r"ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|IncompleteSignature|MissingAuthe",
            "AWS does not accept the credentials. Log in to AWS again, or name another profile by --profile.",
        ),
        (r"NoRegion", "The region is missing. Name it by --region or AWS_DEFAULT_REGION."),
        (r"InvalidRegion", "The region is not a valid name. Correct --region or AWS_DEFAULT_REGION."),
        (r"ProfileNotFound", "Name a profile that the AWS configuration has, by --profile or AWS_PROFILE."),
        (
            r"EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|ProxyConnection",
            "Check the network, the region, and the endpoint in DB_URL if it is set. Then try again.",
        ),
        (r"SSLError", "Check the certificates and any proxy on the way: AWS_CA_BUNDLE names the roots to trust."),
        (
            r"ResourceNotFound",
            "It does not exist in this account and region. Check the name in the settings, --region and --profile.",
        ),
        (
            r"AccessDenied|UnauthorizedOperation",
            "Your AWS identity lacks this permission. Get it, or name another profile by --profile.",
        ),
    )
)
"""What an operator can do, by the name of an SDK's error or AWS's code."""


class Refused(Exception):
    """The answer is an error of AWS, or of a proxy on the way.

    Attributes:
        status: the HTTP status.
        code: AWS's code for the error, or the status as text.
        reasons: why a transaction was cancelled, for each of its actions; empty for other errors.
    """

    def __init__(self, status: int, code: str, reasons: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.reasons = reasons


@contextmanager
def translated_errors(action: str) -> Iterator[None]:
    """Turn a client's errors into ours, and put the *action* into their messages.

    Raises:
        Unreachable: AWS does not answer now; the same request may succeed later.
        Fault: AWS cannot be used until an operator acts.
    """
    try:
        yield
    except Refused as error:
        raise failure_of(action, error.status, error.code) from error
    except Unreachable as error:
        raise Unreachable(f"{action}: no answer ({error})") from error
    except Fault as error:
        raise Fault(f"{action} cannot be done: {error}") from error


def failure_of(action: str, status: int, code: str) -> Fault:
    """Return the fault that an AWS error means, by its HTTP *status* and its *code*."""
    if status == _TOO_MANY_REQUESTS or _THROTTLED.search(code):
        return Throttled(f"{action} is throttled ({code})")
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return Unreachable(f"{action} failed on the service's side ({code})")
    return Fault(f"{action} is refused: {code}")


def remedy_of(fault: Fault) -> str | None:
    """Return what an operator of the command line can do about a *fault*; None if its causes do not tell."""
    cause: BaseException | None = fault
    while cause is not None:
        name = cause.code if isinstance(cause, Refused) else type(cause).__name__
        for names, remedy in _REMEDIES:
            if names.search(name):
                return remedy
        cause = cause.__cause__
    return None


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Turn botocore's errors into `Refused`, `Unreachable` and `Fault`.

    The messages of botocore's errors may quote the request, so only the names of their types are kept.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    try:
        yield
    except ClientError as error:
        answer: Mapping[str, Any] = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise Refused(status, answer.get("Error", {}).get("Code", ""), answer.get("CancellationReasons", ())) from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise Unreachable(type(error).__name__) from error
    except BotoCoreError as error:
        raise Fault(type(error).__name__) from error


@contextmanager
def configuration_errors(consequence: str) -> Iterator[None]:
    """Turn the errors of making a session or a client into faults whose messages begin with the *consequence*.

    No request exists yet, so the SDK's message is kept: it names the profile or the setting.

    Raises:
        Fault: the SDK rejects its configuration.
    """
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise Fault(f"{consequence}: {error}") from error


def missing_credentials() -> Exception:
    """Make the error by which a provider of credentials tells botocore that it has found none."""
    from botocore.exceptions import NoCredentialsError

    made: Exception = NoCredentialsError()
    return made


def is_read_timeout(error: Exception) -> bool:
    """Tell whether the SDK had a connection, but no answer in time."""
    from botocore.exceptions import ReadTimeoutError

    return isinstance(error, ReadTimeoutError)
