"""What a terminal can show: its width, the width of text on it, and styles.

Only this module reads the variables that terminals go by: COLUMNS, NO_COLOR and TERM.
"""

import os
import re
from collections.abc import Iterator
from typing import IO, Final

UNBOUNDED: Final = 1_000_000
"""The columns of output that is no terminal: one line for each row, so that other programs can read it."""

_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_ZERO_WIDTH: Final = frozenset({"Mn", "Me", "Cf"})


def columns_of(stream: IO[str] | None) -> int:
    """Return the columns of a *stream*: what COLUMNS says, or the terminal's; without either, `UNBOUNDED`."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    if stream is None or not stream.isatty():
        return UNBOUNDED
    try:
        return os.get_terminal_size(stream.fileno()).columns or UNBOUNDED
    except OSError:  # a terminal that does not know its size
        return UNBOUNDED


def has_styles(stream: IO[str] | None) -> bool:
    """Tell whether *stream* is a terminal that shows styles, and whose user wants them: https://no-color.org."""
    return not os.environ.get("NO_COLOR") and has_cursor(stream)


def has_cursor(stream: IO[str] | None) -> bool:
    """Tell whether *stream* is a terminal on which a line can be written anew."""
    is_dumb = os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    return not is_dumb and stream is not None and stream.isatty()


def styled(text: str, style: str) -> str:
    """Return *text* in a *style*: words such as `bold red`; an empty one changes nothing."""
    if not style or not text:
        return text
    return f"\x1b[{';'.join(_STYLES[word] for word in style.split())}m{text}\x1b[0m"


def width_of(text: str) -> int:
    """Return how many columns a terminal needs for *text*, which has no control characters."""
    return len(text) if text.isascii() else sum(map(_width_of_character, text))


def wrapped(text: str, width: int) -> list[str]:
    """Return *text* in lines of at most *width* columns, each below where the text begins.

    A line ends at a blank, or between two wide characters. A longer word stays whole: it may have to be copied.
    """
    if width_of(text) <= width:
        return [text]
    margin = len(text) - len(text.lstrip(" "))
    margin += len("- ") if text.startswith("- ", margin) else 0
    lines, line, is_empty = [], text[:margin], True
    for word in _words(text[margin:]):
        if not is_empty and width_of((line + word).rstrip(" ")) > width:
            lines.append(line.rstrip(" "))
            line, is_empty = " " * margin, True
        line += word
        is_empty = False
    return [*lines, line.rstrip(" ")]


def _words(text: str) -> Iterator[str]:
    """Yield the parts of *text* after each of which a line may end."""
    for word in re.findall(r"\S+ *", text):
        if word.isascii():
            yield word
            continue
        part = ""
        for character in word:
            if part and character != " " and _width_of_character(part[-1]) == 2 == _width_of_character(character):
                yield part
                part = ""
            part += character
        yield part


def _width_of_character(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
