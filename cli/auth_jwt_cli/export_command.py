"""`auth-jwt export`: writes profiles and secrets into a file, without the values of secrets, or with sealed ones."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from auth_jwt.errors import Invalid
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.options import reads_tables
from auth_jwt_cli.output import Misused, pluralize

_TOLD_EVERY: Final = 100


@reads_tables
def export(
    connection: Connection,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it to a new file (mode 0600), and not to standard output."),
    ] = None,
    with_values: Annotated[
        bool, typer.Option("--with-values", help="With the values of secrets, encrypted: needs --encrypt-to.")
    ] = False,
    encrypt_to: Annotated[
        Path | None,
        typer.Option(
            "--encrypt-to",
            metavar="FILE",
            help="The public key, in PEM, whose owner can read the values: RSA, X25519 or P-256.",
        ),
    ] = None,
    fingerprints: Annotated[
        bool,
        typer.Option(
            "--fingerprints/--no-fingerprints", help="Whether secrets have fingerprints: an HMAC one takes about 20 ms."
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Write all profiles and secrets as JSON Lines, without the values of secrets.

    The first line says from which tables they are, and when; the last one counts them, so that `diff` and `sync` notice
    a file that was cut off. The rows of issuers, revoked tokens and deleted profiles are not in it.

    Values are written only if --with-values asks for them, and then encrypted to the public key of --encrypt-to, each
    as a JSON Web Encryption (JWE).

    Example: auth-jwt export --out stack.jsonl

    Example: auth-jwt export --out stack.jsonl --with-values --encrypt-to backup-public.pem
    """
    from auth_jwt_cli.migration.progress import progress_on
    from auth_jwt_cli.transfer.export_files import end_of, header_of, line_of
    from auth_jwt_cli.transfer.sealing import Sealer
    from auth_jwt_cli.transfer.sides import StackSide, with_fingerprints

    if with_values is (encrypt_to is None):
        raise Misused("--with-values and --encrypt-to FILE go together: values are never written as they are")
    sealer = None if encrypt_to is None else Sealer(_octets(encrypt_to))
    counts: Counter[Table] = Counter()
    with ExitStack() as stack:
        progress = stack.enter_context(progress_on(quiet=quiet or (out is None and sys.stdout.isatty())))
        side = StackSide(connection, progress)
        write = _Writer(connection, None if out is None else stack.enter_context(_new_file(out)))

        def lines() -> Iterator[str]:
            header = header_of(
                connection.target.as_json(),
                side.columns,
                at=connection.reading.registry.now(),
                sealed=sealer is not None,
            )
            yield json.dumps(header)
            for table in (Table.PROFILES, Table.SECRETS):
                for each in side.rows(table):
                    known = with_fingerprints(each, side.columns) if fingerprints else each
                    yield json.dumps(line_of(known, side.columns, sealer))
                    counts[table] += 1
                    if counts.total() % _TOLD_EVERY == 0:
                        progress.update(None, f"{counts.total()} rows exported")
            yield json.dumps(end_of(counts))

        for line in lines():
            write(line)
        write.end()
    where = "" if out is None else f" to {out}, which only its owner may read"
    told = f"{pluralize(counts[Table.PROFILES], 'profile')} and {pluralize(counts[Table.SECRETS], 'secret')}"
    connection.output.note(f"Exported {told}{where}.")


class _Writer:
    """Writes lines, some at a time."""

    def __init__(self, connection: Connection, file: IO[str] | None) -> None:
        self._output = connection.output
        self._file = file
        self._pending: list[str] = []

    def __call__(self, line: str) -> None:
        """Write a *line*.

        Raises:
            NotShown: standard output cannot be written.
            Invalid: the file cannot be written.
        """
        self._pending.append(line)
        if len(self._pending) == _TOLD_EVERY:
            self._flush()

    def end(self) -> None:
        """Write what is pending."""
        self._flush()

    def _flush(self) -> None:
        text = "".join(f"{line}\n" for line in self._pending)
        self._pending.clear()
        if self._file is None:
            self._output.write(text)
            return
        self._file.write(text)
        self._file.flush()


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """Make the file of an export, and delete it if the export does not end: half of one is of no use.

    Raises:
        Invalid: the file exists already, or cannot be made or written.
    """
    from auth_jwt_cli.private_files import NewFile, describe_refusal

    try:
        file = NewFile(path)
    except OSError as error:
        raise Invalid(describe_refusal(path, error)) from None
    try:
        with file.open() as text:
            yield text
    except OSError as error:  # also of closing it, which tries once more to write what found no room
        file.forget()
        raise Invalid(f"the file of --out cannot be written ({error.strerror}): it is deleted") from None
    except BaseException:
        file.forget()
        raise


def _octets(path: Path) -> bytes:
    from auth_jwt_cli.inputs import octets_of

    return octets_of(path, "the key")
