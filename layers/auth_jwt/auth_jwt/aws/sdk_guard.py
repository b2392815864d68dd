"""Two checks that boto3 lacks: it takes half an answer for an empty one, and an idle connection for a live one.

botocore's parser reads a body that is not JSON, an HTML page, say, as an answer without members. Its `standard` retries
compare the checksum of an answer only to decide whether to ask again: the last answer counts whatever its checksum, and
a client that asks once compares none. Handlers of the client's events add the checks.
"""

import json
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.aws.connections import LastUse
from auth_jwt.aws.failures import is_read_timeout
from auth_jwt.aws.whole_answers import (
    COST_WANTED,
    FIRST_ERROR,
    NoWholeAnswer,
    check_transfer,
    says_its_cost,
    whole_answer,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient

_PAUSE_SECONDS: Final = 0.1
_CAUSE: Final = "auth_jwt.no_whole_answer"
"""The member of a parsed answer that says why it is not whole. The events of retries and of the call read it."""


def guard(client: "BaseClient") -> None:
    """Make boto3's *client* accept whole answers only, and close connections that were idle for long.

    When an answer is not whole, the client asks again as often as its retries say, with the same client token where
    the request has one. Then it raises `NoWholeAnswer`. Guarding a client twice changes nothing.

    Args:
        client: a client of DynamoDB or of Secrets Manager.
    """
    config: Any = client.meta.config
    attempts = (config.retries or {}).get("total_max_attempts", 1)
    freshness = _Freshness(client)
    handlers: dict[str, Any] = {
        "provide-client-params": _ask_for_the_cost,
        "before-call": freshness.check,
        "after-call-error": freshness.forget,
        "before-parse": _check_answer,
        "needs-retry": _Retries(attempts).pause,
        "after-call": _raise_if_not_whole,
    }
    service = client.meta.service_model.service_id.hyphenize()
    for event, handler in handlers.items():
        client.meta.events.register(f"{event}.{service}", handler, unique_id=f"auth_jwt-{event}")


def _ask_for_the_cost(params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:  # noqa: ANN401
    return {**params, **COST_WANTED} if says_its_cost(model.name) else None


def _check_answer(
    operation_model: Any,  # noqa: ANN401 - botocore's
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    """Note why an answer is not whole, before botocore's parser reads it."""
    status, body = response_dict["status_code"], response_dict["body"]
    try:
        check_transfer(status, response_dict["headers"], body)
        if status < FIRST_ERROR:
            whole_answer(operation_model.name, status, body)
    except NoWholeAnswer as error:
        customized_response_dict[_CAUSE] = str(error)
        response_dict["headers"].pop("x-amz-crc32", None)  # botocore fails when it is not a number
    if _CAUSE in customized_response_dict or not _is_json_object(body):
        response_dict["body"] = b"{}"  # the parser fails on other JSON values and on invalid UTF-8


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return False


class _Retries:
    """Makes the client ask again when an answer is not whole."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def pause(self, response: tuple[object, dict[str, Any]] | None, attempts: int, **_: object) -> float | None:
        """Return how many seconds to wait before the next attempt; None leaves the decision to other handlers."""
        if response is None or _CAUSE not in response[1] or attempts >= self._attempts:
            return None
        return _PAUSE_SECONDS * attempts


def _raise_if_not_whole(parsed: dict[str, Any], **_: object) -> None:
    if _CAUSE in parsed:
        raise NoWholeAnswer(parsed[_CAUSE])


class _Freshness:
    """Closes a client's connections when they were idle for too long or one timed out. The client opens new ones."""

    def __init__(self, client: "BaseClient") -> None:
        self._client = client
        self._last_use = LastUse()
        self._lock = Lock()

    def check(self, **_: object) -> None:
        with self._lock:  # otherwise another thread could get a pool that is being closed
            if self._last_use.is_long_ago():
                self._client.close()
            self._last_use = LastUse()

    def forget(self, exception: Exception, **_: object) -> None:
        if is_read_timeout(exception):
            with self._lock:
                self._client.close()
