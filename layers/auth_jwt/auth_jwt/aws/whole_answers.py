"""What a whole answer of DynamoDB holds, whichever client got it: less is no answer, and no empty table either.

Half an answer looks like an empty one: a client that takes it for the latter refuses users who are in the table. So
each question asks for something that every whole answer holds, what it cost, and whatever comes without it is an
outage. DynamoDB gives a sum over the bytes that it sends besides.
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
"""What makes an answer say what it cost; it needs no permission."""

FIRST_ERROR: Final = 300
"""The first status of HTTP that botocore takes for an error."""

_OK: Final = 200
_BAD_REQUEST: Final = 400
"""The status of DynamoDB's own errors, but for those on its side."""
_ERROR_CODE: Final = re.compile(r"\w{1,100}", re.ASCII)
_COST: Final = "ConsumedCapacity"
_NEEDED: Final[Mapping[str, Mapping[str, type]]] = {
    "GetItem": {_COST: dict},
    "Query": {_COST: dict, "Items": list},
    "Scan": {_COST: dict, "Items": list},
    "BatchGetItem": {_COST: list, "Responses": dict},
    "TransactWriteItems": {_COST: list},
    "DescribeTable": {"Table": dict},
    "DescribeContinuousBackups": {"ContinuousBackupsDescription": dict},
    "DescribeTimeToLive": {"TimeToLiveDescription": dict},
}
"""What a whole answer has, for each operation that anything of ours asks for: members and their types in JSON."""


class NoWholeAnswer(Unreachable):
    """An answer came, but not all of it, or not from DynamoDB: whatever was asked may have happened."""


def known_operations() -> frozenset[str]:
    """Return the operations of which it is known what a whole answer holds."""
    return frozenset(_NEEDED)


def says_its_cost(operation: str) -> bool:
    """Tell whether an answer can be asked to say what it cost."""
    return _COST in _NEEDED.get(operation, {})


def check_transfer(status: int, headers: "Message | Mapping[str, str]", body: bytes) -> None:
    """See that an answer of any *status* arrived as it was sent.

    Args:
        status: of HTTP.
        headers: names in any case.
        body: as it was sent, undone of nothing.

    Raises:
        NoWholeAnswer: it has not the length or the sum that it states, or it is half an error.
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
    """Return DynamoDB's word for an error, as botocore's parser finds it; None when *body* has none."""
    try:
        kind = json.loads(body.decode())["__type"]
        code = kind.split(":")[0].rpartition("#")[2]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return code if _ERROR_CODE.fullmatch(code) else None


def whole_answer(operation: str, status: int, body: bytes) -> Mapping[str, Any]:
    """Return what *body* says in answer to an *operation*: JSON, with bytes where attribute values are binary.

    Args:
        operation: as DynamoDB calls it.
        status: of HTTP, none that stands for an error.
        body: as it was sent, undone of nothing.

    Raises:
        NoWholeAnswer: it is not a whole answer of DynamoDB's.
    """
    answer: Any
    try:
        answer = json.loads(body.decode(), object_hook=_with_binary_values)
    except (ValueError, TypeError, RecursionError):
        answer = None
    if status == _OK and _is_whole(operation, answer):
        return answer  # type: ignore[no-any-return]
    # Here, so that no other error hangs on to it, whose text may quote the answer.
    raise NoWholeAnswer("what came is not DynamoDB's, or not all of it")


def _is_whole(operation: str, answer: object) -> bool:
    """Tell whether an *answer* has all its members, and items where items belong: attribute values of one type each."""
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
    """Turn the base64 text of a binary attribute value into bytes. An attribute called B or BS holds an object."""
    if len(value) == 1:
        if isinstance(text := value.get("B"), str):
            return {"B": binascii.a2b_base64(text)}
        if isinstance(texts := value.get("BS"), list):
            return {"BS": [binascii.a2b_base64(text) for text in texts]}
    return value
