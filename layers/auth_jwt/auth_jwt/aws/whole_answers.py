"""What a whole answer of DynamoDB or Secrets Manager holds, whichever client got it. Anything less is no answer.

Half an answer of DynamoDB can look like an empty one, and a client that takes it for one denies users who are in the
table. So each request asks for the consumed capacity, which every whole answer then holds. An answer without it counts
as an outage. DynamoDB also sends a checksum of the bytes, which is compared. Secrets Manager names the secret in each
answer.
"""

import binascii
import json
import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Unreachable

if TYPE_CHECKING:
    from email.message import Message

COST_WANTED: Final = {"ReturnConsumedCapacity": "TOTAL"}
"""Makes an answer hold the consumed capacity. It needs no permission."""

FIRST_ERROR: Final = 300
"""The lowest HTTP status that botocore takes for an error."""

_OK: Final = 200
_BAD_REQUEST: Final = 400
"""The HTTP status of all DynamoDB errors that are not on the side of the service."""
_ERROR_CODE: Final = re.compile(r"\w{1,100}", re.ASCII)
_COST: Final = "ConsumedCapacity"
_NEEDED: Final[Mapping[str, Mapping[str, type]]] = {
    "GetItem": {_COST: dict},
    "Query": {_COST: dict, "Items": list},
    "Scan": {_COST: dict, "Items": list},
    "BatchGetItem": {_COST: list, "Responses": dict},
    "TransactWriteItems": {_COST: list},
    "UpdateItem": {_COST: dict},
    "DescribeTable": {"Table": dict},
    "DescribeContinuousBackups": {"ContinuousBackupsDescription": dict},
    "DescribeTimeToLive": {"TimeToLiveDescription": dict},
    "DescribeSecret": {"ARN": str},
    "GetSecretValue": {"ARN": str, "VersionId": str},
    "PutSecretValue": {"ARN": str, "VersionId": str},
    "UpdateSecretVersionStage": {"ARN": str},
}
"""The members of a whole answer and their JSON types, for each operation that our code calls."""


class NoWholeAnswer(Unreachable):
    """An answer came, but not all of it, or not from AWS. A write that was asked for may have happened."""


def known_operations() -> frozenset[str]:
    """Return the operations whose whole answers are known."""
    return frozenset(_NEEDED)


def says_its_cost(operation: str) -> bool:
    """Tell whether the answer to an *operation* can hold the consumed capacity."""
    return _COST in _NEEDED.get(operation, {})


def check_transfer(status: int, headers: "Message | Mapping[str, str]", body: bytes) -> None:
    """Check that an answer arrived as it was sent.

    Args:
        status: the HTTP status, any.
        headers: the headers; names in any case.
        body: the body as it was sent, not decoded in any way.

    Raises:
        NoWholeAnswer: the body does not have the stated length or checksum, or the answer is half an error.
    """
    length, total = headers.get("content-length"), headers.get("x-amz-crc32")
    if length is not None and length.strip() != str(len(body)):
        raise NoWholeAnswer("IncompleteRead")
    if total is not None and total.strip() != str(zlib.crc32(body)):
        raise NoWholeAnswer("x-amz-crc32 differs")
    is_dynamodbs = headers.get("content-type", "").startswith("application/x-amz-json")
    if status == _BAD_REQUEST and is_dynamodbs and error_code_of(body) is None:
        raise NoWholeAnswer("an error that does not say which")


def error_code_of(body: bytes) -> str | None:
    """Return DynamoDB's code for an error, as botocore's parser finds it; None when *body* has none."""
    try:
        kind = json.loads(body.decode())["__type"]
        code = kind.split(":")[0].rpartition("#")[2]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return code if _ERROR_CODE.fullmatch(code) else None


def whole_answer(operation: str, status: int, body: bytes) -> Mapping[str, Any]:
    """Return the answer in *body*: JSON, with bytes for binary attribute values.

    Args:
        operation: AWS's name of the operation.
        status: the HTTP status, which is not an error.
        body: the body as it was sent, not decoded in any way.

    Raises:
        NoWholeAnswer: the body is not a whole answer of the service.
    """
    answer: Any
    try:
        answer = json.loads(body.decode(), object_hook=_with_binary_values)
    except (ValueError, TypeError, RecursionError):
        answer = None
    if status == _OK and _is_whole(operation, answer):
        return answer  # type: ignore[no-any-return]
    # Raised outside `except`: another error, whose text may quote the answer, would become its context.
    raise NoWholeAnswer("what came is not AWS's, or not all of it")


def _is_whole(operation: str, answer: object) -> bool:
    """Tell whether an *answer* has all its members, and each item is an object whose values have one type each."""
    if not isinstance(answer, dict):
        return False
    if not all(isinstance(answer.get(member), kind) for member, kind in _NEEDED.get(operation, {}).items()):
        return False
    items, responses = answer.get("Items", []), answer.get("Responses", {})
    if not (isinstance(items, list) and isinstance(responses, dict)):
        return False
    batches = list(responses.values())
    if not all(isinstance(batch, list) for batch in batches):
        return False
    items = [*items, *(item for batch in batches for item in batch)]
    items += [answer[member] for member in ("Item", "LastEvaluatedKey") if member in answer]
    return all(
        isinstance(item, dict) and all(isinstance(value, dict) and len(value) == 1 for value in item.values())
        for item in items
    )


def _with_binary_values(value: dict[str, Any]) -> dict[str, Any]:
    """Turn the base64 text of a binary attribute value into bytes.

    An attribute whose name is B or BS holds an object, so it is not mistaken for one.
    """
    if len(value) == 1:
        if isinstance(text := value.get("B"), str):
            return {"B": binascii.a2b_base64(text)}
        if isinstance(texts := value.get("BS"), list):
            return {"BS": [binascii.a2b_base64(text) for text in texts]}
    return value
