"""What is said of a resource around its body: parts of paths, entity tags, cursors."""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

from auth_jwt.errors import Stale
from auth_jwt.http.wire import NotWellFormed

_ENTITY_TAGS: Final = re.compile(r'(?:[ \t,]*(?:W/)?"[^"]*")+[ \t,]*')
_STRONG: Final = re.compile(r'(W/)?"([^"]*)"')


def unquoted(segment: object) -> str:
    """Return the text that a *segment* of a path stands for. A REST API hands paths on as they were sent.

    Raises:
        ValueError: its octets are no UTF-8.
    """
    try:
        return unquote(str(segment), errors="strict")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def quoted(text: str) -> str:
    """Return *text* as a segment of a path, the other way round; never as one of the two that lead elsewhere."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def entity_tag(version: str) -> str:
    """Return the strong entity tag (RFC 9110, section 8.8.3) of a *version*."""
    return f'"{version}"'


def version_to_match(if_match: str | None, current: Callable[[], str]) -> str | None:
    """Return the version that an `If-Match` demands, None when any will do (RFC 9110, section 13.1.1).

    Args:
        if_match: the field's value, None when the request has none.
        current: reads the version there is; raises `NotFound` where there is nothing, which no condition matches.

    Raises:
        NotWellFormed: it is no list of entity tags.
        Stale: it names other versions only. A weak tag never matches.
    """
    if if_match is None:
        return None
    version = current()
    if if_match.strip() == "*":
        return None
    if not _ENTITY_TAGS.fullmatch(if_match):
        raise NotWellFormed('If-Match is neither "*" nor a list of entity tags in double quotes')
    if ("", version) not in _STRONG.findall(if_match):
        raise Stale("it is none of the versions that If-Match names: look at it again")
    return version


def cursor_of(key: str | None) -> str | None:
    """Return the cursor after *key*: opaque to callers, and fit for a query string."""
    return None if key is None else base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str | None:
    """Return the key that a *cursor* stands for.

    Raises:
        NotWellFormed: it is none that this API gave.
    """
    if cursor is None:
        return None
    try:
        key = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:
        key = ""
    if not key or cursor_of(key) != cursor:
        raise NotWellFormed("cursor is none that this API gave")
    return key
