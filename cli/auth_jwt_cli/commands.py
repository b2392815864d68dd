"""The commands of `auth-jwt`, in the order of its help. A module is imported when its command is looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
import typer.main

from auth_jwt_cli.help_pages import HelpedCommand, HelpedGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, or a group of commands.

    Attributes:
        name: its name on the command line.
        module: its module in this package.
        attribute: what it is in that module: a function, or a `typer.Typer` that holds a group's commands.
        help: the first paragraph of its help. The help of `auth-jwt` shows it, without the module.
    """

    name: str
    module: str
    attribute: str
    help: str


SECTIONS: Final[Mapping[str, tuple[Entry, ...]]] = {
    "Users and their keys": (
        Entry("profile", "profile_commands", "app", "Profiles: which SIP user a tag stands for."),
        Entry("secret", "secret_commands", "app", "Secrets: the keys of a tag. Their values are never shown."),
        Entry("token", "token_commands", "app", "Sign tokens, and explain decisions about them."),
        Entry(
            "revoke",
            "revoke_command",
            "revoke",
            "Revoke one token, by its id or by the token itself, or all tokens of a profile.",
        ),
        Entry("find", "find_command", "find", "Find profiles by SIP user, domain, state, attribute, tag or key."),
        Entry("issuer", "issuer_commands", "app", "Identity providers whose published keys verify tokens."),
        Entry("key", "key_commands", "app", "Convert keys, and tell them apart."),
        Entry(
            "page",
            "page_command",
            "page",
            "Serve the admin page of a stack to a browser of this machine, and sign what it asks. Ctrl-C ends it.",
        ),
    ),
    "Why somebody is refused": (
        Entry(
            "why",
            "why_command",
            "why",
            "Say why a SIP user is refused, by tables, log, audit and a token, and what to do next.",
        ),
        Entry(
            "refusals",
            "refusals_command",
            "refusals",
            "Show why tokens were denied and requests failed: reasons, counts, since when, and what to do about each.",
        ),
        Entry(
            "audit",
            "audit_command",
            "audit",
            "Show who wrote what and when: by this command line, the admin API, rotation and the refresh of keys"
            " alike.",
        ),
    ),
    "Whether all is well": (
        Entry(
            "doctor",
            "doctor_command",
            "doctor",
            "Examine a deployed stack: one line for each thing looked at, and what to do next. Nothing is written.",
        ),
        Entry("config", "config_commands", "app", "Check the service's settings against its tables."),
        Entry(
            "lint",
            "lint_command",
            "lint",
            "List rows that would let the wrong people in, or that behave differently here, each with its remedy.",
        ),
    ),
    "Many at once": (
        Entry("bulk", "bulk_commands", "app", "One operation for each tag of a file: disable, enable, rotate, revoke."),
        Entry(
            "export",
            "export_command",
            "export",
            "Write all profiles and secrets as JSON Lines, without the values of secrets.",
        ),
        Entry(
            "diff",
            "sync_commands",
            "diff",
            "Show how a stack differs from SOURCE: what `sync` would add (+), change (~) or remove (-).",
        ),
        Entry(
            "sync",
            "sync_commands",
            "sync",
            "Make the target stack match SOURCE: add and change profiles and secrets, and with --delete remove others.",
        ),
        Entry(
            "import",
            "import_command",
            "import_rows",
            "Import the tables of an OpenSIPS auth_jwt: profiles, and their secrets.",
        ),
    ),
    "Where a command acts": (
        Entry(
            "target",
            "target_command",
            "target",
            "Show what a command would act on, where each part comes from, and who you are. Nothing is written.",
        ),
        Entry(
            "context",
            "context_commands",
            "app",
            "Named contexts: which function, account and region a word stands for.",
        ),
    ),
}
"""All commands, by the title under which the help of `auth-jwt` shows them.

A test holds each help text to the one of the command itself.
"""
ENTRIES: Final = tuple(entry for entries in SECTIONS.values() for entry in entries)


class Catalogue(Mapping[str, Any]):
    """The commands of a table, by name; each is imported and made when it is looked up.

    Args:
        entries: the table.
    """

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command of Typer
        """Return a command."""
        if name not in self._made:
            self._made[name] = _command_of(self._entries[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a command of that *name*, without importing it."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Yield the names, without importing anything."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of commands."""
        return len(self._entries)


def _command_of(entry: Entry) -> Any:  # noqa: ANN401 - a command of Typer
    """Import and make a command or a group, with the help pages of this program."""
    found = getattr(import_module(f"auth_jwt_cli.{entry.module}"), entry.attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(entry.name, cls=HelpedCommand)(found)
        return typer.main.get_command(alone)
    found.info.cls = HelpedGroup
    found.rich_markup_mode = None
    for command in found.registered_commands:
        command.cls = HelpedCommand
    return typer.main.get_group(found)
