"""`auth-jwt context`: the named contexts, in a file of the user."""

from pathlib import Path
from typing import Annotated

import typer

from auth_jwt_cli.connection import Connection, Where
from auth_jwt_cli.contexts import Context
from auth_jwt_cli.options import writes_output
from auth_jwt_cli.output import Misused, Output, table
from auth_jwt_cli.sources import SETTINGS, pair_of

app = typer.Typer(help="Named contexts: which function, account and region a word stands for.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the context.")]


@app.command("list")
@writes_output
def list_(output: Output) -> None:
    """List the contexts of your file; `*` marks the one that counts when nothing else says what to act on.

    Example: auth-jwt context list
    """
    contexts = Connection(Where(), output).contexts
    found = [contexts.get(name) for name in contexts.names]
    rows = [
        (
            "*" if context.name == contexts.default else "",
            context.name,
            context.function or context.env_file,
            context.region,
            context.profile,
            "yes" if context.protected else "",
        )
        for context in found
    ]
    document = {
        "file": str(contexts.path),
        "default": contexts.default,
        "contexts": [context.as_json() for context in found],
    }
    if found:
        output.show(document, table(("", "NAME", "SETTINGS OF", "REGION", "PROFILE", "PROTECTED"), rows))
    else:
        output.show(document)
        output.note(f"{contexts.path} has no context: `auth-jwt context add` writes one.")


@app.command("add")
@writes_output
def add(
    output: Output,
    name: Name,
    function: Annotated[
        str | None, typer.Option("--function", help="Settings of this deployed Lambda function.", metavar="NAME")
    ] = None,
    env_file: Annotated[Path | None, typer.Option("--env-file", help="Settings in a file.", metavar="FILE")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: PROFILES_TABLE=users.", metavar="NAME=VALUE"),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="AWS region.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="Profile of the AWS configuration.")] = None,
    stack: Annotated[str | None, typer.Option("--stack", help="The deployed stack.", metavar="NAME")] = None,
    audit_log: Annotated[Path | None, typer.Option("--audit-log", help="The audit file.", metavar="FILE")] = None,
    protected: Annotated[
        bool, typer.Option("--protected", help="Where a command asks, want the name of the context.")
    ] = False,
) -> None:
    """Write a context into your file. The AWS profile may not exist yet.

    Example: auth-jwt context add production --function auth-jwt-authorize --profile production --protected
    """
    if function is not None and env_file is not None:
        raise Misused("--function and --env-file name two sources of settings: one is needed")
    for pair in given or ():
        if pair_of(pair)[0] not in SETTINGS:
            raise Misused("--set names no setting of the service")
    context = Context(
        name=name,
        function=function,
        env_file=None if env_file is None else env_file.absolute(),
        given=tuple(given or ()),
        region=region,
        profile=profile,
        stack=stack,
        audit_log=audit_log if audit_log is None or str(audit_log) == "-" else audit_log.absolute(),
        protected=protected,
    )
    contexts = Connection(Where(), output).contexts
    contexts.add(context)
    output.show(context.as_json(), f"{contexts.path} now has the context {name!r}.")
    output.note(f"See what it means: auth-jwt target --context {name}")


@app.command("use")
@writes_output
def use(
    output: Output,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The context; without one, give --none.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Clear the default.")] = False,
) -> None:
    """Choose the context that counts when neither an option nor the environment says what to act on.

    Example: auth-jwt context use staging
    """
    if (name is None) is not none:
        raise Misused("give a NAME, or --none")
    contexts = Connection(Where(), output).contexts
    contexts.use(name)
    told = "There is no default now." if name is None else f"{name!r} is the default now."
    output.show({"file": str(contexts.path), "default": name}, told)


@app.command("rm")
@writes_output
def remove(output: Output, name: Name) -> None:
    """Remove a context from your file. Nothing else changes.

    Example: auth-jwt context rm staging
    """
    contexts = Connection(Where(), output).contexts
    contexts.remove(name)
    output.show({"file": str(contexts.path), "removed": name}, f"{contexts.path} has no context {name!r} now.")
