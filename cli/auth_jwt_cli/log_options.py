"""The options of commands that read logs: which, and until when. The stack is an option of the connection."""

from pathlib import Path
from typing import Annotated

import typer

from auth_jwt_cli.times import parse_instant

Until = Annotated[
    int | None, typer.Option("--until", parser=parse_instant, metavar="TIME", help="Until when. [default: now]")
]
LogGroup = Annotated[
    list[str] | None, typer.Option("--log-group", metavar="NAME", help="Read this log group instead. May be repeated.")
]
LogFile = Annotated[
    Path | None,
    typer.Option("--log-file", metavar="FILE", help="Read a file of log lines (`-` is standard input) instead of AWS."),
]
