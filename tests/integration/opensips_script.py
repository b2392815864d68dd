"""frontends/opensips/auth_jwt.cfg, taken apart: its code, routes, calls and variables."""

import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "frontends" / "opensips"
CFG = (FOLDER / "auth_jwt.cfg").read_text(encoding="utf-8")
README = (FOLDER / "README.md").read_text(encoding="utf-8")
STRING = r'"(?:[^"\\]|\\.)*"'


@cache
def documented() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "documented.toml").read_text(encoding="utf-8"))


def code() -> str:
    """The file without its comments."""
    return re.sub(rf"({STRING})|#[^\n]*", lambda found: found[1] or "", CFG)


def words() -> str:
    """The code with every string emptied."""
    return re.sub(STRING, '""', code())


def routes() -> dict[str, str]:
    """The body of every route."""
    pieces = re.split(r"^route\[(\w+)\] \{\n", code(), flags=re.MULTILINE)[1:]
    return {name: body[: body.index("\n}")] for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def variables() -> set[str]:
    """Every variable, as it is written, from inside strings, too."""
    return set(re.findall(r"\$\(?\w+(?:\([^()]*\))?", code().replace('[.]+[A-Za-z0-9_-]+$"', '"')))


def calls() -> list[tuple[str, list[str]]]:
    """Every call with its arguments."""
    found = []
    text = words()
    for match in re.finditer(r"(?<![\w$(])(\w+)\(|(?<=\()(?<!\$\()(\w+)\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append((match[1] or match[2], _arguments(text[match.end() : end - 1])))
    return found


def _arguments(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    depths = [0]
    for character in text:
        depths.append(depths[-1] + (character in "({[") - (character in ")}]"))
    commas = [at for at, character in enumerate(text) if character == "," and depths[at] == 0]
    found = [text[begin + 1 : end].strip() for begin, end in pairwise([-1, *commas, len(text)])]
    return [] if found == [""] else found
