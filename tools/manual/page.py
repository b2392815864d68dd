"""The manual page of `auth-jwt`, in the macros of man(7), from the help pages of its commands."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import typer.main

from auth_jwt_cli.help_pages import HelpPage, Rows
from auth_jwt_cli.main import app

NAME: Final = "auth-jwt"
_COLUMNS: Final = 78  # of the source
_ESCAPES: Final[Mapping[str, str]] = {
    "\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti",
    "\u201c": "\\(lq", "\u201d": "\\(rq",
}  # fmt: skip
_LIST: Final = ("Arguments", "Options")

_VARIABLES: Final[Rows] = (
    ("AUTH_JWT_AUDIT_LOG", "The audit file, where --audit-log does not name one."),
    ("COLUMNS", "The columns of the output, instead of the terminal's."),
    ("NO_COLOR", "Any value: the output has no styles."),
    (
        "AWS_PROFILE, AWS_DEFAULT_REGION, ...",
        "The variables of the AWS SDK, which finds credentials and region as it does for aws(1).",
    ),
)
"""Variables that no option stands for, except the service's own settings."""
_FILES: Final[Rows] = (
    ("$XDG_STATE_HOME/auth-jwt/audit.log", "A line for each write; without that variable, below ~/.local/state."),
)


def manual_page(version: str, date: str) -> str:
    """Return the manual page of the command line, as source for man(1).

    Args:
        version: the release.
        date: when it was released; the same release always has the same page.
    """
    return "\n".join(_lines(version, date)) + "\n"


def pages() -> dict[str, HelpPage]:
    """Return the help page of every command and group, by the words that name it."""
    group = typer.main.get_command(app)
    return dict(_pages_below(group, NAME, None))


def _pages_below(command: Any, name: str, parent: Any) -> Iterator[tuple[str, HelpPage]]:  # noqa: ANN401 - Typer's
    context = command.make_context(name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    yield name, command.page(context)
    for below, one in getattr(command, "commands", {}).items():
        yield from _pages_below(one, f"{name} {below}", context)


def _lines(version: str, date: str) -> Iterator[str]:
    all_pages = pages()
    root = all_pages.pop(NAME)
    shared = _shared_lists(all_pages.values())
    yield f'.TH AUTH\\-JWT 1 "{date}" "auth\\-jwt {_escaped(version)}" "User Commands"'
    yield from (".SH NAME", f"auth\\-jwt \\- {_escaped(root.paragraphs[0][0].lower() + root.paragraphs[0][1:-1])}")
    yield from (".SH SYNOPSIS", _escaped(root.usage))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(root.paragraphs, after_heading=True)
    yield ".SH OPTIONS"
    yield from _list(root.lists["Options"])
    yield ".SH COMMANDS"
    for page in all_pages.values():
        yield from _command(page)
    yield ".SH OPTIONS OF SEVERAL COMMANDS"
    for title, rows in shared.items():
        yield f".SS {_escaped(title)}"
        yield from _list(rows)
    yield ".SH EXIT STATUS"
    yield from _list(root.exit_codes)
    yield ".SH ENVIRONMENT"
    yield from _list([*_variables([root, *all_pages.values()]), *_VARIABLES])
    yield ".SH FILES"
    yield from _list(_FILES)
    yield ".SH SEE ALSO"
    yield ".BR aws (1)"


def _command(page: HelpPage) -> Iterator[str]:
    yield f".SS {_escaped(page.usage)}"
    yield from _paragraphs(page.paragraphs, after_heading=True)
    if page.commands:
        return  # each has a section of its own
    for title in _LIST:
        yield from _list([row for row in page.lists.get(title, ()) if not row[0].startswith("-h, ")])
    shared = [f"\u201c{title}\u201d" for title in page.lists if title not in _LIST]
    if shared:
        yield from _paragraphs([f"Further options: see {' and '.join(shared)} below."])
    if page.examples:
        yield from (*_paragraphs(["Example:" if len(page.examples) == 1 else "Examples:"]), ".PP", ".nf", ".RS 4")
        yield from map(_escaped, page.examples)
        yield from (".RE", ".fi")
    if page.exit_codes:
        yield from _paragraphs(["Exit status:"])
        yield from _list(page.exit_codes)


def _shared_lists(all_pages: Iterable[HelpPage]) -> dict[str, Rows]:
    """Return the lists of options that have a title of their own, each once."""
    found: dict[str, dict[str, str]] = {}
    for page in all_pages:
        for title, rows in page.lists.items():
            if title not in _LIST:
                found.setdefault(title, {}).update(rows)
    return {title: list(rows.items()) for title, rows in found.items()}


def _variables(all_pages: Iterable[HelpPage]) -> Rows:
    """Return the variables that stand for options, each with its option."""
    found: dict[str, str] = {}
    for page in all_pages:
        for name, text in (row for rows in page.lists.values() for row in rows):
            if variable := re.search(r"\[env var: ([A-Z_]+)", text):
                found[variable[1]] = f"Where {name.split()[0]} is not given."
    return list(found.items())


def _paragraphs(texts: Sequence[str], *, after_heading: bool = False) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number or not after_heading:
            yield ".PP"
        yield from _text(text)


def _list(rows: Rows) -> Iterator[str]:
    for name, text in rows:
        words = (f"\\fB{_escaped(word)}\\fR" if word.startswith("-") else _escaped(word) for word in name.split())
        yield from (".TP", " ".join(words))
        yield from _text(text)


def _text(text: str) -> Iterator[str]:
    """Yield lines of source for a text, none of which begins like a macro."""
    for line in textwrap.wrap(_escaped(text), _COLUMNS, break_long_words=False, break_on_hyphens=False) or [""]:
        yield f"\\&{line}" if line.startswith((".", "'")) or not line else line


def _escaped(text: str) -> str:
    """Return *text* as it is to be read: hyphens and quotes that can be copied, and no escape."""
    return "".join(_ESCAPES.get(character, character) for character in text)
