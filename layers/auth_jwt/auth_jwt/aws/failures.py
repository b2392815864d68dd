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


class Refused(Exception):
    """The answer is an error of the service, or of a proxy on the way.

    Attributes:
        status: the HTTP status.
        code: the service's code for the error, or the status as text.
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
        Unreachable: the service does not answer now; the same request may succeed later.
        Fault: the service cannot be used until an operator acts.
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
