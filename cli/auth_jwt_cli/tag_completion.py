"""Completes tags in the shell, where the tables answer at once. It never prints anything else, and never fails."""

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from auth_jwt_cli.connection import Connection

_SECONDS: Final = 0.3
_MOST: Final = 50
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:@/+=#-]+")
"""Tags that are one word in every shell. Others are left out: how to quote them differs from shell to shell."""

_WHERE: Final = ("context", "function", "env_file", "region")


def complete_tag(ctx: Any, incomplete: str) -> Sequence[str]:  # noqa: ANN401 - Typer's context
    """Return tags that begin with what was typed; none where the tables do not answer in time.

    They are those of the first megabyte of the table: in a larger one, some are missing. Whatever goes wrong, there is
    none: a shell would show a message amid the line that somebody types.

    Args:
        ctx: what was typed so far.
        incomplete: the beginning of a tag.
    """
    found: list[str] = []

    def look_up() -> None:
        with contextlib.suppress(Exception):
            found.extend(_tags(connection, incomplete))

    with contextlib.suppress(BaseException), contextlib.redirect_stderr(io.StringIO()):
        connection = _connected(ctx.params)  # it loads the SDK, which nobody can hurry
        looking_up = Thread(target=look_up, daemon=True)
        looking_up.start()
        looking_up.join(_SECONDS)
    return sorted(found)[:_MOST]


def _connected(params: Mapping[str, Any]) -> "Connection":
    """Return the connection that the options name. What needs no network is done here already."""
    import boto3  # noqa: F401 - loaded here, and not within the time limit

    from auth_jwt.provisioning import wiring  # noqa: F401
    from auth_jwt_cli.connection import Connection, Where
    from auth_jwt_cli.output import Output

    named = {name: params[name] for name in _WHERE if params.get(name) is not None}
    where = Where(given=tuple(params.get("given") or ()), profile=params.get("aws_profile"), **named)
    connection = Connection(where, Output())
    if connection.where.function is None:  # whatever names one: Lambda is asked within the time limit
        connection.client  # noqa: B018 - made once, on first use
    return connection


def _tags(connection: "Connection", incomplete: str) -> list[str]:
    from auth_jwt.issuers.models import holds_issuer
    from auth_jwt.provisioning.changes import EVERY_ROW, RowFilter
    from auth_jwt.provisioning.wiring import tables_of

    column = connection.settings.columns.tag
    store = tables_of(connection.settings, connection.client)
    where = RowFilter(beginnings={column: incomplete}) if incomplete else EVERY_ROW
    page = next(iter(store.scan_profiles(where=where)))
    tags = (str(row[column]) for row in page.rows if not holds_issuer(row))
    return [tag for tag in tags if tag.startswith(incomplete) and _PLAIN.fullmatch(tag)]
