"""Reads the tags of a bulk operation: one a line, or the lines of a list as JSON."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from auth_jwt.provisioning.pasted import is_token
from auth_jwt_cli.inputs import STDIN
from auth_jwt_cli.output import Misused


def read_tags(path: Path) -> list[str]:
    """Return the tags in a file, each once, in the order of the file.

    A line is a tag, or an object with the member `tag`, as `auth-jwt profile list --json` writes them. Empty lines do
    not count.

    Args:
        path: the file; `-` is standard input.

    Raises:
        Misused: the file cannot be read, a line is not UTF-8 or holds no tag, or there is none.
    """
    try:
        if path == STDIN:
            tags = _tags_in(sys.stdin.buffer)
        else:
            with path.open("rb") as file:
                tags = _tags_in(file)
    except OSError as error:
        raise Misused(f"the file of tags cannot be read: {error.strerror}") from None
    if not tags:
        raise Misused("the file of tags is empty")
    return list(tags)


def _tags_in(lines: Iterable[bytes]) -> dict[str, None]:
    tags: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise Misused(f"line {number} of the file of tags is not UTF-8 text") from None
        text = text.removeprefix("\ufeff") if number == 1 else text
        if text:
            tags.setdefault(_tag_in(text, number))
    return tags


def _tag_in(text: str, number: int) -> str:
    if is_token(text):
        raise Misused(f"line {number} of the file of tags holds a token, and no tag")
    if not text.startswith("{"):
        return text
    try:
        tag = json.loads(text)["tag"]
    except (ValueError, KeyError, RecursionError):
        tag = None
    if not isinstance(tag, str) or not tag:
        raise Misused(f"line {number} of the file of tags begins like an object of JSON, and has no member `tag`")
    return tag
