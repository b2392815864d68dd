"""What reading items costs in DynamoDB's read units, by its own rules for sizes.

The rules are those of "DynamoDB item sizes and formats" and "Read/write capacity" in its developer guide. Emulators are
of no help here: they charge the same for every read.
"""

import math
from base64 import b64decode
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

UNIT_BYTES: Final = 4096
_CONTAINER_BYTES: Final = 3
_MEMBER_BYTES: Final = 1

AttributeValue = Mapping[str, Any]
"""As DynamoDB writes it: `{"S": "alice"}`, `{"N": "1"}`."""


def item_bytes(item: Mapping[str, AttributeValue]) -> int:
    """Return the size of *item*: the names of its attributes and their values.

    A projection does not make it smaller: the whole item is what is read. The hundred bytes that storage counts on top
    do not count here.

    Raises:
        ValueError: a value is of a type that DynamoDB does not have.
    """
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: AttributeValue) -> int:
    """Return the size of one attribute's *value*, without the name.

    Raises:
        ValueError: it is of a type that DynamoDB does not have.
    """
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_bytes(content)
        case "B":
            return len(content if isinstance(content, bytes) else b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "SS" | "NS" | "BS":
            return sum(value_bytes({kind[0]: member}) for member in content)
        case "L":
            return _CONTAINER_BYTES + sum(_MEMBER_BYTES + value_bytes(member) for member in content)
        case "M":
            return _CONTAINER_BYTES + _MEMBER_BYTES * len(content) + item_bytes(content)
    raise ValueError(f"no type of DynamoDB: {kind!r}")


def read_units(sizes: Iterable[float], *, consistent: bool) -> float:
    """Return the read units of one GetItem or one page of a Query.

    Args:
        sizes: bytes of each item that is read; none where there is no such item, which costs as much as a small one.
        consistent: whether the read is strongly consistent; an eventually consistent one costs half.
    """
    units = max(1, math.ceil(sum(sizes) / UNIT_BYTES))  # of a page, all items together are rounded up
    return units if consistent else units / 2


def _number_bytes(text: str) -> int:
    # About a byte for two significant digits, one more, and one for a minus sign.
    number = Decimal(text).normalize()
    return math.ceil(len(number.as_tuple().digits) / 2) + 1 + number.is_signed()
