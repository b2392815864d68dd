"""`auth-jwt`: operators manage profiles, secrets, tokens and revocations from a terminal or a script."""

import io
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from auth_jwt.errors import AuthJwtError
from auth_jwt_cli.commands import ENTRIES, SECTIONS, Catalogue
from auth_jwt_cli.help_pages import HelpedGroup
from auth_jwt_cli.output import (
    EXIT_CODES,
    FAULT,
    INTERRUPTED,
    REFUSED,
    UNREAD,
    UNSHOWN,
    USAGE,
    Misused,
    NotShown,
    Output,
    code_of,
    complain,
    message_of,
)


class Commands(HelpedGroup):
    """The group of all commands. It turns every error into a message and an exit code, never into a traceback.

    Only the command that runs is imported: see `auth_jwt_cli.commands`.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as Typer declares it
        super().__init__(**{**settings, "commands": Catalogue(ENTRIES)})

    def sections(self) -> Mapping[str, Mapping[str, str]]:
        """Return the first paragraph of each command's help, by title and name, without importing the commands."""
        return {title: {entry.name: entry.help for entry in entries} for title, entries in SECTIONS.items()}

    def exit_codes(self) -> Mapping[int, str]:
        """Return the meaning of each exit code."""
        return EXIT_CODES

    def main(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ANN401 - as Typer declares it
        """Run a command and end the process with its exit code."""
        sys.exit(self._run(*args, **{**options, "standalone_mode": False}))

    def _run(self, *args: Any, **options: Any) -> int:  # noqa: ANN401
        try:
            return super().main(*args, **options) or 0
        except AuthJwtError as error:
            complain(message_of(error))
            return code_of(error)
        except typer.TyperException as error:
            complain(_safe_message(error))
            return USAGE
        except typer.Abort as abort:  # Typer raises it at a question, for Ctrl-C and for the end of the input
            complain("nothing was done")
            return INTERRUPTED if isinstance(abort.__context__, KeyboardInterrupt) else REFUSED
        except NotShown as problem:
            if problem.is_unread:
                return UNREAD
            complain(f"the result could not be shown ({problem.reason})")
            return UNSHOWN
        except ModuleNotFoundError:  # a command is imported when it runs: `__main__` says what to install
            raise
        except Exception as error:  # noqa: BLE001 - the text of any error may hold a secret, so it is not shown
            complain(f"an error in this program: {_place_of(error)}")
            return FAULT


app = typer.Typer(
    cls=Commands,
    help="Profiles, secrets, tokens and revocations of the auth_jwt service.\n\n"
    "Secrets and tokens are read from a prompt, a file or standard input, never from an argument.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --version: as JSON, with those of Python and of the AWS SDK.")
    ] = False,
) -> None:
    if version:
        _show_version(Output(as_json=as_json))
        raise typer.Exit
    if as_json:
        raise Misused("--json goes after the command, or with --version")
    if context.invoked_subcommand is None:
        raise Misused("a command is missing")


def _show_version(output: Output) -> None:
    from importlib import metadata

    versions = {"auth-jwt": metadata.version("auth-jwt-serverless")}
    if output.as_json:
        versions |= {"python": platform.python_version(), "boto3": metadata.version("boto3")}
    output.show(versions, f"auth-jwt {versions['auth-jwt']}")


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the locale lacks must not end a command
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="auth-jwt")


_PLAINER: Final = (
    (re.compile(r"Input should be greater than or equal to (-?\d+)"), r"it must be at least \1"),
    (re.compile(r"Input should be less than or equal to (-?\d+)"), r"it must be at most \1"),
    (re.compile(r"Input should be a valid integer.*"), "it must be a whole number"),
    (re.compile(r"(?<=: )Value error, "), ""),
)
"""What Pydantic says of a value, by which Typer reads it, and what an operator is told."""


def _safe_message(error: typer.TyperException) -> str:
    """Return Typer's message about a command line, without words that could be a misplaced secret.

    What is like a command or an option is named by what there is, never by what was typed.
    """
    message = error.format_message()
    for pattern, words in _PLAINER:
        message = pattern.sub(words, message)
    likely = getattr(error, "possibilities", None) or re.findall(r"'([^']+)'", message.partition("Did you mean")[2])
    for beginning in ("Got unexpected extra argument", "No such command", "No such option"):
        if message.startswith(beginning):
            if likely:
                message = f"{beginning}. Did you mean {' or '.join(map(repr, sorted(likely)))}?"
            else:
                message = f"{beginning}; secrets and tokens are read from a prompt, a file or standard input only"
    return f"{message}{'' if message.endswith('?') else '.'} See --help.".replace("..", ".")


def _place_of(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = f" at {Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else ""
    return f"{type(error).__name__}{where}"
