"""`auth-jwt`: operators manage profiles, secrets, tokens and revocations from a terminal or a script."""

import io
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from auth_jwt.errors import AuthJwtError
from auth_jwt_cli import (
    config_commands,
    import_command,
    issuer_commands,
    key_commands,
    lint_command,
    profile_commands,
    revoke_command,
    secret_commands,
    token_commands,
)
from auth_jwt_cli.output import (
    EXIT_CODES,
    FAULT,
    INTERRUPTED,
    REFUSED,
    UNREAD,
    UNSHOWN,
    USAGE,
    NotShown,
    Output,
    code_of,
    complain,
    message_of,
)


class Commands(TyperGroup):
    """The group of all commands. It turns every error into a message and an exit code, never into a traceback."""

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
            told = error.format_message()
            if told:  # without a message, Typer has shown the help, because the command line had no command
                complain(_safe_message(told))
            return USAGE
        except typer.Abort as abort:  # Typer raises it at a question, for Ctrl-C and for the end of the input
            complain("nothing was done")
            return INTERRUPTED if isinstance(abort.__context__, KeyboardInterrupt) else REFUSED
        except NotShown as problem:
            if problem.is_unread:
                return UNREAD
            complain(f"the result could not be shown ({problem.reason})")
            return UNSHOWN
        except Exception as error:  # noqa: BLE001 - the text of any error may hold a secret, so it is not shown
            complain(f"an error in this program: {_place_of(error)}")
            return FAULT


app = typer.Typer(
    cls=Commands,
    help="Profiles, secrets, tokens and revocations of the auth_jwt service.\n\n"
    "Secrets and tokens are read from a prompt, a file or standard input, never from an argument.",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        Output().write(f"auth-jwt {metadata.version('auth-jwt-serverless')}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None: ...


app.add_typer(profile_commands.app, name="profile")
app.add_typer(secret_commands.app, name="secret")
app.add_typer(token_commands.app, name="token")
app.add_typer(issuer_commands.app, name="issuer")
app.command("revoke")(revoke_command.revoke)
app.add_typer(key_commands.app, name="key")
app.add_typer(config_commands.app, name="config")
app.command("import")(import_command.import_rows)
app.command("lint")(lint_command.lint)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the locale lacks must not end a command
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="auth-jwt")


def _safe_message(message: str) -> str:
    """Return Typer's *message* about a command line, without words that could be a misplaced secret."""
    for beginning in ("Got unexpected extra argument", "No such command"):
        if message.startswith(beginning):
            message = f"{beginning}; secrets and tokens are read from a prompt, a file or standard input only"
    return f"{message.rstrip('.')}. See --help."


def _place_of(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = f" at {Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else ""
    return f"{type(error).__name__}{where}"
