"""What boto3 does not do by itself: it takes half an answer for an empty one, and any connection for a live one.

botocore's parser takes what is no JSON, a page of HTML for one, for an answer without members. Its `standard` retries
look at the sum of an answer only to ask again: the last attempt's counts, whatever its sum is, and a client that asks
once compares none. All of this is mended by handlers of the client's own events.
"""

import json
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.aws.connections import LastUse
from auth_jwt.aws.whole_answers import (
    COST_WANTED,
    FIRST_ERROR,
    NoWholeAnswer,
    check_transfer,
    says_its_cost,
    whole_answer,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAUSE_SECONDS: Final = 0.1
_CAUSE: Final = "auth_jwt.no_whole_answer"
"""Where the parsed answer says why it is none, from the parser's event to those of the retries and the call."""


def guard(client: "DynamoDBClient") -> None:
    """Let boto3's *client* believe whole answers only, and trust no connection that stood idle.

    What is no whole answer is asked for again as often as the client's retries say, with the same token where the
    question has one, and then raises `NoWholeAnswer`. To guard a client twice changes nothing.
    """
    config: Any = client.meta.config
    attempts = (config.retries or {}).get("total_max_attempts", 1)
    freshness = _Freshness(client)
    handlers: dict[str, Any] = {
        "provide-client-params": _ask_for_the_cost,
        "before-call": freshness.check,
        "after-call-error": freshness.forget,
        "before-parse": _check_answer,
        "needs-retry": _Again(attempts).pause,
        "after-call": _raise_if_not_whole,
    }
    for event, handler in handlers.items():
        client.meta.events.register(f"{event}.dynamodb", handler, unique_id=f"auth_jwt-{event}")


def _ask_for_the_cost(params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:  # noqa: ANN401
    return {**params, **COST_WANTED} if says_its_cost(model.name) else None


def _check_answer(
    operation_model: Any,  # noqa: ANN401 - botocore's
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    """Note why an answer is not whole, before botocore's parser makes of it what it can."""
    status, body = response_dict["status_code"], response_dict["body"]
    try:
        check_transfer(status, response_dict["headers"], body)
        if status < FIRST_ERROR:
            whole_answer(operation_model.name, status, body)
    except NoWholeAnswer as error:
        customized_response_dict[_CAUSE] = str(error)
        response_dict["headers"].pop("x-amz-crc32", None)  # botocore fails on one that is no number
    if _CAUSE in customized_response_dict or not _is_an_object(body):
        response_dict["body"] = b"{}"  # the parser fails on other JSON, and on what is no UTF-8


def _is_an_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return False


class _Again:
    """Lets an answer that is not whole be asked for again."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def pause(self, response: tuple[object, dict[str, Any]] | None, attempts: int, **_: object) -> float | None:
        """Return how long to wait before the next attempt; None leaves it to others."""
        if response is None or _CAUSE not in response[1] or attempts >= self._attempts:
            return None
        return _PAUSE_SECONDS * attempts


def _raise_if_not_whole(parsed: dict[str, Any], **_: object) -> None:
    if _CAUSE in parsed:
        raise NoWholeAnswer(parsed[_CAUSE])


class _Freshness:
    """Closes a client's connections when they stood idle for too long, or one fell silent: it goes on with new ones."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._last_use = LastUse()
        self._lock = Lock()

    def check(self, **_: object) -> None:
        with self._lock:  # or another thread would be given a pool that is being closed
            if self._last_use.is_long_ago():
                self._client.close()
            self._last_use = LastUse()

    def forget(self, exception: Exception, **_: object) -> None:
        from botocore.exceptions import ReadTimeoutError

        if isinstance(exception, ReadTimeoutError):
            with self._lock:
                self._client.close()
