"""Reads the values of options as Typer does, without Pydantic, which takes longer to load than Typer itself.

Typer gives every value to an adapter of Pydantic. For text, paths, and values that a function of ours reads, nothing is
left for it to do. Whatever is not plainly right goes to Typer all the same: the errors are its own.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final


def quicken(parameters: Iterable[Any]) -> None:
    """Let each of Typer's *parameters* read its values here, where it can."""
    for parameter in parameters:
        if not hasattr(parameter, "type_descriptor") or not hasattr(parameter, "get_runtime_param"):
            return  # another version of Typer, which reads them all
        parameter._runtime_param = _QuickValue(parameter)  # noqa: SLF001 - where Typer keeps what reads the values


class _QuickValue:
    """Reads the values of one parameter; Typer calls `coerce`."""

    def __init__(self, parameter: Any) -> None:  # noqa: ANN401
        described = parameter.type_descriptor
        self._read: Callable[[Any], Any] | None = described.parameter_info.parser or _READERS.get(described.annotation)

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401
        """Return the value of a parameter, from what the command line, a variable or its default says."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self._read is not None:
            try:
                return self._read(value)
            except Exception:  # noqa: BLE001, S110 - Typer tells what is wrong with it
                pass
        param._runtime_param = None  # noqa: SLF001 - it makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_text(one) for one in value]


def _number(value: object) -> int:
    """Return a default as it is."""
    if type(value) is not int:
        raise TypeError
    return value


def _path(value: object) -> Path:
    path = Path(_text(value))
    if path.exists() and not os.access(path, os.R_OK):
        raise PermissionError
    return path


_READERS: Final[dict[Any, Callable[[Any], Any]]] = {str: _text, list[str]: _texts, Path: _path, int: _number}
