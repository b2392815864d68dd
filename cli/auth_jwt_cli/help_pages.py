"""The help of commands: plain text, wrapped to the terminal. The manual page is made from the same pages.

Typer's own help pages need Rich, which takes longer to load than all else that `--help` does.
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import CompletionItem, TyperCommand, TyperGroup  # type: ignore[attr-defined]

from auth_jwt_cli.output import USAGE
from auth_jwt_cli.quick_values import quicken
from auth_jwt_cli.terminal import UNBOUNDED, columns_of, has_styles, styled

Rows = Sequence[tuple[str, str]]
"""Names, each with its text."""

_USUAL: Final = 80
_NARROWEST: Final = 40
_WIDEST: Final = 100  # longer lines are hard to read
_NARROW: Final = 60  # columns of a terminal on which each text is below its name
_TYPES: Final = {"<str>": "TEXT", "<list[str]>": "TEXT", "<int>": "N", "<int range>": "N"}
"""Typer's words for the value of an option that has no name, and ours."""
_AT_LEAST: Final = re.compile(r"x>=([0-9]+)(?=[];])")  # Typer's word for the least number
_BETWEEN: Final = re.compile(r"([0-9]+)<=x<=([0-9]+)(?=[];])")  # and for the least and the greatest
_INDENT: Final = "  "
_NAMES_AT_MOST: Final = 30  # columns; a longer name has its text below it


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help of a command or a group.

    Attributes:
        usage: how it is called.
        paragraphs: what it does; the first one is a summary.
        lists: arguments and options, by the title under which they stand.
        commands: the commands of a group, each with its summary, by the title under which they stand.
        examples: command lines.
        exit_codes: what each exit code means here, where that is told.
    """

    usage: str
    paragraphs: Sequence[str]
    lists: Mapping[str, Rows]
    commands: Mapping[str, Rows]
    examples: Sequence[str]
    exit_codes: Rows

    def text(self, width: int) -> str:
        """Return the page as text, wrapped to so many columns."""
        return "\n\n".join(self._sections(width))

    def _sections(self, width: int) -> Iterator[str]:
        yield _wrapped(self.usage, width, first="Usage: ", further=" " * len("Usage: "))
        for paragraph in self.paragraphs:
            yield _wrapped(paragraph, width)
        for title, rows in self.lists.items():
            yield _list(title, rows, width)
        names = _name_width([row for rows in self.commands.values() for row in rows])
        for title, rows in self.commands.items():
            yield _list(title, rows, width, names=names)
        if self.examples:
            title = _title("Example" if len(self.examples) == 1 else "Examples", width)
            yield "\n".join([title, *(_continued(example, width) for example in self.examples)])
        if self.exit_codes:
            yield _list("Exit codes", self.exit_codes, width)


class HelpedCommand(TyperCommand):
    """A command whose help is plain text, and whose values are read without Pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's context
        """Read the arguments and options."""
        quicken(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401
        """Return the help."""
        return self.page(ctx).text(_width())

    def page(self, ctx: Any) -> HelpPage:  # noqa: ANN401
        """Return the help as a page."""
        return _page_of(self, ctx)


class HelpedGroup(TyperGroup):
    """A group of commands whose help is plain text."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the options of a group. Without a command, show the help on standard error: nobody has asked for it."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(self.get_help(ctx), err=True)
            raise typer.Exit(USAGE)
        quicken(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401
        """Return the help."""
        return self.page(ctx).text(_width())

    def page(self, ctx: Any) -> HelpPage:  # noqa: ANN401
        """Return the help as a page."""
        return _page_of(self, ctx, commands=self.sections(), exit_codes=self.exit_codes())

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401
        """Return what completes a word, without importing any command for it."""
        options = super(TyperGroup, self).shell_complete(ctx, incomplete)
        return [
            *(
                CompletionItem(name, help=text)
                for summaries in self.sections().values()
                for name, text in summaries.items()
                if name.startswith(incomplete)
            ),
            *options,
        ]

    def sections(self) -> Mapping[str, Mapping[str, str]]:
        """Return the first paragraph of each command's help, by the command's title and name."""
        return {"Commands": {name: _paragraphs(command.help or "")[0] for name, command in self.commands.items()}}

    def exit_codes(self) -> Mapping[int, str]:
        """Return the meaning of each exit code, where the help of the group is to tell it."""
        return {}


def _page_of(
    command: Any,  # noqa: ANN401 - Typer's command
    ctx: Any,  # noqa: ANN401
    *,
    commands: Mapping[str, Mapping[str, str]] | None = None,
    exit_codes: Mapping[int, str] | None = None,
) -> HelpPage:
    """Return the help page of a *command*, from its docstring and what it takes."""
    pieces = (re.sub(r"[{}]|(?<=\[)\[|\](?=\])", "", piece) for piece in command.collect_usage_pieces(ctx))
    paragraphs, examples = [], []
    codes = [(str(code), meaning) for code, meaning in (exit_codes or {}).items()]
    for paragraph in _paragraphs(command.help or ""):
        if example := re.fullmatch(r"Example: (.*)", paragraph):
            examples.append(example[1])
        elif listed := re.fullmatch(r"Exit codes?:? (\d.*?)\.?", paragraph):
            codes += re.findall(r"(\d+):? (.*?)(?:; (?=\d+:? )|$)", listed[1])
        else:
            paragraphs.append(paragraph)
    return HelpPage(
        " ".join([ctx.command_path, *pieces]),
        paragraphs,
        _parameters(command, ctx),
        {title: list(summaries.items()) for title, summaries in (commands or {}).items()},
        examples,
        codes,
    )


def _parameters(command: Any, ctx: Any) -> dict[str, Rows]:  # noqa: ANN401
    """Return arguments and options with their texts, by the title under which they stand."""
    lists: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        is_argument = parameter.param_type_name == "argument"
        name = parameter.metavar if is_argument and parameter.metavar else record[0]
        title = parameter.rich_help_panel or ("Arguments" if is_argument else "Options")
        rows = lists.setdefault(title, [])
        text = _BETWEEN.sub(r"\1 to \2", _AT_LEAST.sub(r"at least \1", " ".join(record[1].split())))
        for typers, ours in _TYPES.items():
            name = name.replace(typers, ours)
        rows.append((name, text))
    return {title: rows for title, rows in lists.items() if rows}


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n")]


def _width() -> int:
    columns = columns_of(sys.stdout)
    return _USUAL if columns == UNBOUNDED else min(max(columns, _NARROWEST), _WIDEST)


def _name_width(rows: Rows) -> int:
    """Return the columns for the names of a list."""
    return max((len(name) for name, _ in rows if len(name) <= _NAMES_AT_MOST), default=0)


def _list(title: str, rows: Rows, width: int, *, names: int = 0) -> str:
    """Return a section of names with their texts: beside them, or below where there is no room."""
    names = names or _name_width(rows)
    below = width < _NARROW
    margin = _INDENT * 3 if below else _INDENT + " " * (names + 2)
    lines = [_title(title, width)]
    for name, text in rows:
        texts = _wrapped(text, width - len(margin)).split("\n") if text else []
        if texts and not below and len(name) <= names:
            lines.append(f"{_INDENT}{name.ljust(names + 2)}{texts.pop(0)}")
        else:
            lines.append(_wrapped(name, width, first=_INDENT, further=_INDENT * 2))
        lines += [f"{margin}{line}" for line in texts]
    return "\n".join(lines)


def _title(title: str, width: int) -> str:
    lines = _wrapped(f"{title}:", width).split("\n")
    return "\n".join(styled(line, "bold") if has_styles(sys.stdout) else line for line in lines)


def _continued(command: str, width: int) -> str:
    """Return a command on as many lines as it needs; a shell reads them as one."""
    lines = _wrapped(command, width - len(" \\"), first=_INDENT, further=_INDENT * 3)
    return lines.replace("\n", " \\\n")


def _wrapped(text: str, width: int, *, first: str = "", further: str = "") -> str:
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )
