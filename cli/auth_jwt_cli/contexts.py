"""Named contexts: one word for all that says which tables a command acts on, as `kubectl` and `docker` know them.

They are in one file of TOML, a table for each:

    default = "staging"

    [staging]
    function = "auth-jwt-staging-authorize"
    profile = "staging"

    [production]
    function = "auth-jwt-authorize"
    region = "eu-central-1"
    profile = "production"
    set = { CACHE_TTL_SECONDS = 30 }
    protected = true

A mistake in the file is an error that names the file, the context and the key, never a context that is ignored: a
command must not act on other tables than the operator means.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from auth_jwt_cli.output import Misused

DEFAULT: Final = "default"
"""The key of the file that names the context to use when nothing else says what to act on."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEXTS: Final = ("function", "env_file", "region", "profile", "stack", "audit_log")
_KEYS: Final = (*_TEXTS, "set", "protected")
_DEFAULT_LINE: Final = re.compile(rf"^[ \t]*{DEFAULT}[ \t]*=.*\n?", re.MULTILINE)
_HEADING: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one name stands for. What is None is left to the environment.

    Attributes:
        name: the name.
        function: a deployed function; its settings are used.
        env_file: a file of settings to use.
        given: settings that override the others, each as `NAME=VALUE`.
        region: AWS region.
        profile: profile of the AWS configuration.
        stack: the deployed stack.
        audit_log: the audit file.
        protected: whether a command that asks wants the name typed.
    """

    name: str
    function: str | None = None
    env_file: Path | None = None
    given: tuple[str, ...] = ()
    region: str | None = None
    profile: str | None = None
    stack: str | None = None
    audit_log: Path | None = None
    protected: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, without what it leaves open."""
        members = {key: getattr(self, key) for key in _TEXTS}
        shown = {key: str(value) for key, value in members.items() if value is not None}
        given = dict(pair.split("=", 1) for pair in self.given)
        return {"name": self.name, **shown, **({"set": given} if given else {}), "protected": self.protected}


class Contexts:
    """The contexts of one file.

    Args:
        path: the file; without it, there is no context.

    Attributes:
        path: the file.
        default: the context to use when nothing else says what to act on; None if the file names none.

    Raises:
        Misused: the file cannot be read, is not TOML, or holds something that is no context.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = self._read()
        self._all, self.default = self._parse(self._text)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the file's order."""
        return tuple(self._all)

    def get(self, name: str) -> Context:
        """Return the context called *name*.

        Raises:
            Misused: there is none. The message does not repeat the name: it may be anything.
        """
        if name not in self._all:
            raise Misused(
                f"there is no such context in {self.path}{nearest(name, self._all) or '.'} {_remedy(self._all)}"
            )
        return self._all[name]

    def add(self, context: Context) -> None:
        """Write one more context into the file.

        Raises:
            Misused: there is one of that name, the name cannot be one, or the file cannot be written.
        """
        if context.name in self._all:
            raise Misused(f"there is a context {context.name!r} already, in {self.path}: remove it, or edit the file")
        if not _NAME.fullmatch(context.name) or context.name == DEFAULT:
            raise Misused(f"a context's name is 1 to 64 letters, digits, `-` or `_`, and not `{DEFAULT}`")
        gap = "\n" if self._text.strip() else ""
        self._write(f"{self._text.rstrip()}\n{gap}" * bool(self._text.strip()) + _table_of(context))

    def use(self, name: str | None) -> None:
        """Write which context is used when nothing else says what to act on; None means none.

        Raises:
            Misused: there is none of that name, or the file cannot be written.
        """
        line = "" if name is None else f"{DEFAULT} = {json.dumps(self.get(name).name)}\n"
        top, tables = self._split()
        self._write((f"{line}{_DEFAULT_LINE.sub('', top)}" if line else _DEFAULT_LINE.sub("", top)) + tables)

    def remove(self, name: str) -> None:
        """Remove a context from the file.

        Raises:
            Misused: there is none of that name, it is the default, or the file cannot be written.
        """
        self.get(name)
        if name == self.default:
            raise Misused(f"{name!r} is the default: choose another before, by `auth-jwt context use`")
        own = re.compile(
            rf"^[ \t]*\[\s*(?:{re.escape(name)}|\"{re.escape(name)}\")\s*(?:\.[^\]]*)?\][\s\S]*?(?=^[ \t]*\[|\Z)",
            re.MULTILINE,
        )
        self._write(own.sub("", self._text), without=name)

    def _split(self) -> tuple[str, str]:
        """Return the text before the first table, and the rest."""
        heading = _HEADING.search(self._text)
        at = heading.start() if heading else len(self._text)
        return self._text[:at], self._text[at:]

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Misused(f"the file of contexts {self.path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Misused(f"the file of contexts {self.path} is not UTF-8 text") from None

    def _document_of(self, text: str) -> dict[str, Any]:
        import tomllib

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Misused(f"the file of contexts {self.path} is not TOML: {error}") from None
        except (ValueError, RecursionError):  # a number of thousands of digits, or brackets within brackets
            raise Misused(f"the file of contexts {self.path} holds what no context needs, and cannot be read") from None

    def _parse(self, text: str) -> tuple[dict[str, Context], str | None]:
        """Return the contexts in the *text* of a file, and the name of its default."""
        document = self._document_of(text)
        default = document.pop(DEFAULT) if isinstance(document.get(DEFAULT), str) else None
        found = {}
        for name, table in document.items():
            if not isinstance(table, dict):
                raise Misused(f"{name!r} in {self.path} is neither a context, as [{name}] begins one, nor `{DEFAULT}`")
            found[name] = self._context(name, table)
        if default is not None and default not in found:
            likely = nearest(default, found) or "."
            raise Misused(f"the default in {self.path} is no context{likely} {_remedy(found)}")
        return found, default

    def _context(self, name: str, table: Mapping[str, Any]) -> Context:
        about = f"the context {name!r} in {self.path}"
        for key in table:
            if key not in _KEYS:
                raise Misused(
                    f"{about} has the unknown key {key!r}{nearest(key, _KEYS) or '.'} It may have: {', '.join(_KEYS)}"
                )
        for key in _TEXTS:
            if not isinstance(table.get(key, ""), str):
                raise Misused(f"{about}: {key} is not text")
        if not isinstance(table.get("protected", False), bool):
            raise Misused(f"{about}: protected is neither true nor false")
        if "function" in table and "env_file" in table:
            raise Misused(f"{about}: function and env_file name two sources of settings: one is needed")
        given = table.get("set", {})
        if not isinstance(given, dict) or not all(isinstance(value, str | int) for value in given.values()):
            raise Misused(f'{about}: set is not a table of settings, such as {{ PROFILES_TABLE = "users" }}')
        return Context(
            name=name,
            function=table.get("function"),
            env_file=self._path(table.get("env_file")),
            given=tuple(f"{setting}={_setting(value)}" for setting, value in given.items()),
            region=table.get("region"),
            profile=table.get("profile"),
            stack=table.get("stack"),
            audit_log=self._path(table.get("audit_log")),
            protected=table.get("protected", False),
        )

    def _path(self, text: str | None) -> Path | None:
        """Return a path of the file: `~` is the home, and what is relative begins at the file's folder."""
        if text is None or text == "-":
            return None if text is None else Path(text)
        return self.path.parent / Path(text).expanduser()

    def _write(self, text: str, *, without: str | None = None) -> None:
        """Replace the file in one step.

        Raises:
            Misused: the text would not hold what the file held, or the file cannot be written.
        """
        import tempfile

        kept = {name: context for name, context in self._all.items() if name != without}
        found, default = self._parse(text)
        if any(found.get(name) != context for name, context in kept.items()) or without in found:
            raise Misused(f"{self.path} is written in a way that this command cannot change: edit it by hand")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, beside = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(beside).replace(self.path)
        except OSError as error:
            raise Misused(f"the file of contexts {self.path} cannot be written: {error.strerror}") from None
        self._text, self._all, self.default = text, found, default


def usual_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the file: `$AUTH_JWT_CONTEXTS`, or by the XDG Base Directory Specification."""
    named = environment.get("AUTH_JWT_CONTEXTS")
    if named:
        return Path(named)
    config = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(config) if config.startswith("/") else Path(environment.get("HOME") or Path.home()) / ".config"
    return folder / "auth-jwt" / "contexts.toml"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `. Did you mean ...?` with the known words that are like *word*, which itself is not shown."""
    import difflib

    matches = difflib.get_close_matches(word, known, n=2, cutoff=0.6)
    return f". Did you mean {' or '.join(map(repr, matches))}?" if matches else ""


def _remedy(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f"It has: {names}" if names else "It has none: `auth-jwt context add` writes one"


def _setting(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table_of(context: Context) -> str:
    """Return the lines of TOML that make a *context*. JSON's strings are TOML's."""
    lines = [f"[{context.name}]"]
    for key in _TEXTS:
        value = getattr(context, key)
        if value is not None:
            lines.append(f"{key} = {json.dumps(str(value))}")
    if context.given:
        pairs = (pair.split("=", 1) for pair in context.given)
        lines.append(f"set = {{ {', '.join(f'{name} = {json.dumps(value)}' for name, value in pairs)} }}")
    if context.protected:
        lines.append("protected = true")
    return "\n".join(lines) + "\n"
