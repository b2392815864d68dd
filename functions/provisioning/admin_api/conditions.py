"""The parts of requests and answers outside the body: segments of paths, entity tags, cursors."""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

from auth_jwt.errors import Outdated
from auth_jwt.http.wire import Malformed

_ENTITY_TAGS: Final = re.compile(r'(?:[ \t,]*(?:W/)?"[^"]*")+[ \t,]*')
_STRONG: Final = re.compile(r'(W/)?"([^"]*)"')


def unquote_segment(segment: object) -> str:
    """Decode a percent-encoded *segment* of a path. A REST API passes paths on as they were sent.

    Raises:
        ValueError: its octets are not UTF-8.
    """
    try:
        return unquote(str(segment), errors="strict")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def quote_segment(text: str) -> str:
    """Percent-encode *text* as a segment of a path, also `.` and `..`, which would lead to another path."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def entity_tag(version: str) -> str:
    """Return the strong entity tag (RFC 9110, section 8.8.3) of a *version*."""
    return f'"{version}"'


def version_to_match(if_match: str | None, current: Callable[[], str]) -> str | None:
    """Return the version that `If-Match` demands, or None if it accepts any (RFC 9110, section 13.1.1).

    Args:
        if_match: the field's value; None when the request has none.
        current: reads the present version; raises `NotFound` if there is no resource, because then no condition holds.

    Raises:
        Malformed: the value is not a list of entity tags.
        Outdated: it names other versions only. A weak tag never matches.
    """
    if if_match is None:
        return None
    version = current()
    if if_match.strip() == "*":
        return None
    if not _ENTITY_TAGS.fullmatch(if_match):
        raise Malformed('If-Match is neither "*" nor a list of entity tags in double quotes')
    if ("", version) not in _STRONG.findall(if_match):
        raise Outdated("If-Match does not name the present version: look again")
    return version


def cursor_of(key: str | None) -> str | None:
    """Return the cursor that continues after *key*: opaque to callers, and valid in a query string."""
    return None if key is None else base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str | None:
    """Return the key in a *cursor*.

    Raises:
        Malformed: this API did not make the cursor.
    """
    if cursor is None:
        return None
    try:
        key = base64.urlsafe_b64decode(cursor.encode("ascii") + b"==").decode()
    except ValueError:
        key = ""
    if not key or cursor_of(key) != cursor:
        raise Malformed("cursor is not the `next` of an earlier page")
    return key
