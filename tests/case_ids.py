"""What a parametrized case is called where its test gives it no name: by its values, never by a number alone."""

from decimal import Decimal
from pathlib import PurePath
from typing import Final

MAX_CHARACTERS: Final = 70


def id_of(value: object, name: str) -> str | None:
    """Return the part of an id that says *value*, the parameter *name*; None leaves it to pytest.

    Short texts, classes and functions are left to pytest, which calls them by their name. So is what may be written
    otherwise in another process, since all workers must give a case the same id.
    """
    if value is None or isinstance(value, int | float | Decimal):
        return f"{name} {value}"
    if isinstance(value, str) and len(value) > MAX_CHARACTERS // 2:
        return _short(" ".join(value.split())) or None
    if isinstance(value, bytes) and value:
        return _short(repr(value)[2:-1])
    if isinstance(value, BaseException):
        return _short(f"{type(value).__name__} {value}")
    if isinstance(value, PurePath):
        return "/".join(value.parts[-2:])
    if isinstance(value, set | frozenset) and _is_plain([*value]):
        return _short(_said(sorted(value, key=repr), name))  # in an order that is everywhere the same
    if isinstance(value, list | tuple | dict) and _is_plain(value):
        return _short(_said(value, name))
    return None


def _said(value: object, name: str) -> str:
    if not value:
        return f"no {name}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    assert isinstance(value, list | tuple)
    return " ".join(map(str, value)) if all(isinstance(item, str) and item for item in value) else repr(value)


def _short(text: str) -> str:
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 3]}..."


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bytes | int | float | Decimal)
