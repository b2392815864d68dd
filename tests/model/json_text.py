"""Strict JSON (RFC 8259, and section 3 of the contract), read one character after the other."""

import re
from typing import Any

MAX_DEPTH = 64
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_HEX = "0123456789abcdefABCDEF"


class NotStrict(ValueError):
    """The text is no JSON, or JSON that two readers could read differently."""


def read_object(octets: bytes) -> dict[str, Any]:
    """Read *octets* as one JSON object in UTF-8 and nothing else.

    Raises:
        NotStrict: they are not that.
    """
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("invalid UTF-8") from None
    reader = _Reader(text)
    reader.skip_blanks()
    if reader.peek() != "{":
        raise NotStrict("not an object")
    value: dict[str, Any] = reader.read_value(1)
    reader.skip_blanks()
    if reader.peek():
        raise NotStrict("text after the value")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise NotStrict("the text ends too early")
        self.at += 1
        return character

    def expect(self, character: str) -> None:
        if self.take() != character:
            raise NotStrict(f"{character!r} is missing")

    def skip_blanks(self) -> None:
        while self.peek() and self.peek() in " \t\n\r":
            self.at += 1

    def read_value(self, depth: int) -> Any:
        """Read a value. An object or an array here is at level *depth*."""
        first = self.peek()
        if first in ("{", "[") and depth > MAX_DEPTH:
            raise NotStrict("too deep")
        if first == "{":
            return self.read_members(depth)
        if first == "[":
            return self.read_items(depth)
        if first == '"':
            return self.read_string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self.read_number()

    def read_members(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self.expect("{")
        self.skip_blanks()
        if self.peek() == "}":
            self.at += 1
            return members
        while True:
            self.skip_blanks()
            name = self.read_string()
            if name in members:
                raise NotStrict("a name is given twice")
            self.skip_blanks()
            self.expect(":")
            self.skip_blanks()
            members[name] = self.read_value(depth + 1)
            self.skip_blanks()
            if self.peek() == "}":
                self.at += 1
                return members
            self.expect(",")

    def read_items(self, depth: int) -> list[Any]:
        items: list[Any] = []
        self.expect("[")
        self.skip_blanks()
        if self.peek() == "]":
            self.at += 1
            return items
        while True:
            self.skip_blanks()
            items.append(self.read_value(depth + 1))
            self.skip_blanks()
            if self.peek() == "]":
                self.at += 1
                return items
            self.expect(",")

    def read_string(self) -> str:
        self.expect('"')
        found: list[str] = []
        while (character := self.take()) != '"':
            if ord(character) < 0x20:
                raise NotStrict("a control character")
            found.append(self.read_escape() if character == "\\" else character)
        text = "".join(found)
        if "\0" in text:
            raise NotStrict("U+0000")
        return text

    def read_escape(self) -> str:
        kind = self.take()
        if kind != "u":
            if kind not in _ESCAPES:
                raise NotStrict("an unknown escape")
            return _ESCAPES[kind]
        unit = self.read_code_unit()
        if 0xDC00 <= unit <= 0xDFFF:
            raise NotStrict("a lone surrogate")
        if not 0xD800 <= unit <= 0xDBFF:
            return chr(unit)
        if not self.text.startswith("\\u", self.at):
            raise NotStrict("a lone surrogate")
        self.at += 2
        second = self.read_code_unit()
        if not 0xDC00 <= second <= 0xDFFF:
            raise NotStrict("a lone surrogate")
        return chr(0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00))

    def read_code_unit(self) -> int:
        digits = self.text[self.at : self.at + 4]
        if len(digits) != 4 or any(digit not in _HEX for digit in digits):
            raise NotStrict("four hex digits are missing")
        self.at += 4
        return int(digits, 16)

    def read_number(self) -> int | float:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise NotStrict("no value")
        self.at = match.end()
        if match[2] is None and match[3] is None:
            digits = match[1]
            if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
                raise NotStrict("an integer outside signed 64 bit")
            return int(digits)
        value = float(match[0])
        if value in (float("inf"), float("-inf")):
            raise NotStrict("a number that overflows a double")
        return value
