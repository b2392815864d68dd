"""`auth-jwt doctor`: says what is wrong with a deployed stack, and what to do about it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.doctor.deployed import USUAL_NAME, deployed_stack
from auth_jwt_cli.doctor.examination import StackExamination
from auth_jwt_cli.doctor.models import Verdict
from auth_jwt_cli.logs.groups import LOGIN_FUNCTIONS
from auth_jwt_cli.options import reads_stack
from auth_jwt_cli.output import REFUSED, Misused, marked

MARKS: Final = {
    Verdict.OK: ("ok", "green"),
    Verdict.SKIPPED: ("-", "dim"),
    Verdict.WARNING: ("warning", "yellow"),
    Verdict.PROBLEM: ("PROBLEM", "bold red"),
}


@reads_stack
def doctor(
    connection: Connection,
    canary: Annotated[
        str | None,
        typer.Option(
            "--canary", help="The tag that is let in end to end. [default: the stack's CanaryTag]", metavar="TAG"
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="A client certificate (PEM), for mutual TLS.", metavar="FILE"),
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option("--certificate-key", help="Its private key (PEM, not encrypted).", metavar="FILE")
    ] = None,
) -> None:
    """Examine a deployed stack: one line for each thing looked at, and what to do next. Nothing is written.

    It asks /health of the entry, checks that the canary is let in and a forged token is denied, compares the
    settings with the tables, and looks at functions, versions, alarms and logs, all with your permissions.

    Exit code 0: all is well; 1: something is not, or there is no such stack; 4: AWS cannot be asked.

    Example: auth-jwt doctor --stack auth-jwt --canary canary
    """
    if (certificate is None) != (certificate_key is None):
        raise Misused("--certificate and --certificate-key belong together")
    for file in (certificate, certificate_key):
        if file is not None and not file.is_file():
            raise Misused(f"there is no file {str(file)!r}")
    shown = None if certificate is None else (str(certificate), str(certificate_key))
    name = connection.where.stack or USUAL_NAME
    deployed = deployed_stack(connection.client_of("cloudformation"), name)
    function = deployed.outputs.get(LOGIN_FUNCTIONS[0])
    tables = connection.of_function(function) if function else connection
    tag = canary or deployed.parameters.get("CanaryTag") or None
    lines = list(StackExamination(tables, deployed, tag, shown).lines())
    counts = {verdict: sum(line.verdict is verdict for line in lines) for verdict in Verdict}
    documents = [
        {"verdict": line.verdict, "about": line.about, "text": line.text, "remedy": line.remedy} for line in lines
    ]
    rows = [
        (MARKS[line.verdict], line.about, f"{line.text}. Next: {line.remedy}." if line.remedy else line.text)
        for line in lines
    ]
    summary = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    connection.output.show({"stack": name, "lines": documents}, marked(rows), summary)
    if any(line.is_finding for line in lines):
        raise typer.Exit(REFUSED)
