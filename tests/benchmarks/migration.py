"""How long an import takes, and how much memory: `python -m tests.benchmarks.migration`.

Everything is real but DynamoDB, which is moto's server in a process of its own, with tables of its own for each
measurement; its transactions are made quick, since by large tables they would take hours. The import is the command, in
a process of its own, from a dump as mysqldump writes it (one INSERT for all rows of a table) and from an SQLite file.
Each row of the page is one run; moto keeps one core busy, so that what is measured is the lesser of the two.
"""

import argparse
import contextlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.benchmarks.tables import LOOPBACK, service_environment
from tools.events.samples import END_2100, START_2024
from tools.events.stage import ROOT, create_tables, environment, lambda_environment, template
from tools.serve.moto_tables import keep_every_write

SIZES: Final = (1_000, 10_000, 100_000)
COMMAND: Final = (sys.executable, "-m", "auth_jwt_cli")
_TABLES: Final = ("jwt_profiles", "jwt_secrets")


@dataclass(frozen=True, slots=True)
class Run:
    """One import.

    Attributes:
        source: the kind of source.
        again: whether all rows were there already.
        rows: in both tables together.
        seconds: from start to end of the process.
        peak_mb: the most memory it had, in 10**6 bytes.
    """

    source: str
    again: bool
    rows: int
    seconds: float
    peak_mb: float

    def __str__(self) -> str:
        """Return a line of a table."""
        kind = f"{self.source}, {'again' if self.again else 'first time'}"
        return f"{kind:22} {self.rows:8,} {self.seconds:8.1f} {self.rows / self.seconds:9,.0f} {self.peak_mb:9.1f}"


def rows_of(number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the profile and the secret of a user, as text."""
    tag = f"user-{number:08}"
    return (
        (str(number), tag, f"sip-{number:08}", f"Display name of {tag}"),
        (str(number), tag, f"the-secret-of-{tag}-never-use-it-{number:064}", str(START_2024), str(END_2100)),
    )


def write_sqlite(path: Path, users: int) -> None:
    """Write an SQLite file of so many users."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE jwt_profiles (id INTEGER PRIMARY KEY, tag TEXT, sip_username TEXT, name TEXT)")
        database.execute(
            "CREATE TABLE jwt_secrets"
            " (id INTEGER PRIMARY KEY, corresponding_tag TEXT, secret TEXT, start_ts INTEGER, end_ts INTEGER)"
        )
        database.executemany("INSERT INTO jwt_profiles VALUES (?, ?, ?, ?)", (rows_of(n)[0] for n in range(users)))
        database.executemany("INSERT INTO jwt_secrets VALUES (?, ?, ?, ?, ?)", (rows_of(n)[1] for n in range(users)))


def write_dump(path: Path, users: int) -> None:
    """Write a dump of so many users, each table's rows in one statement."""
    columns = {
        "jwt_profiles": "`id` int, `tag` char(128), `sip_username` char(128), `name` text",
        "jwt_secrets": "`id` int, `corresponding_tag` char(128), `secret` text, `start_ts` int, `end_ts` int",
    }
    with path.open("w", encoding="utf-8") as file:
        for index, table in enumerate(_TABLES):
            file.write(f"CREATE TABLE `{table}` ({columns[table]});\nINSERT INTO `{table}` VALUES ")
            for number in range(users):
                values = rows_of(number)[index]
                file.write(f"{',' if number else ''}({','.join(v if v.isdigit() else repr(v) for v in values)})")
            file.write(";\n")


@contextlib.contextmanager
def empty_tables() -> Iterator[str]:
    """Serve the template's tables on loopback, and give their address: http://127.0.0.1:PORT."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join()


def _serve(pipe: Connection) -> None:
    """Serve tables until the other end of the *pipe* is closed."""
    import boto3
    from moto.server import ThreadedMotoServer

    keep_every_write()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it writes a line per request
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    address = f"http://{LOOPBACK}:{server.get_host_and_port()[1]}"
    with environment(lambda_environment(template(), {})):
        create_tables(boto3.client("dynamodb", endpoint_url=address), template())
    pipe.send(address)
    with contextlib.suppress(EOFError):
        pipe.recv()
    server.stop()


def measured(source: str, path: Path, users: int, address: str, *, again: bool) -> Run:
    """Run one import in a process of its own.

    Raises:
        RuntimeError: it did not do what it should.
    """
    command = [*COMMAND, "import", str(path), "--json", "--audit-log", f"{path}.audit"]
    variables = {
        **os.environ,
        **service_environment(address),
        "PYTHONPATH": os.pathsep.join(("cli", "layers/auth_jwt", ".")),
    }
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        told = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    outcome = "unchanged" if again else "written"
    counts = json.loads(told)["tables"] if told else {}
    if process.returncode or any(counts[table][outcome] != users for table in ("profiles", "secrets")):
        raise RuntimeError(f"the import of {path.name} failed: {told}")
    return Run(source, again, 2 * users, seconds, usage.ru_maxrss * 1024 / 1e6)


def runs(sizes: tuple[int, ...]) -> Iterator[Run]:
    """Measure every source at every size, each with empty tables first and with full ones then."""
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            for source, write in (("dump", write_dump), ("SQLite", write_sqlite)):
                path = Path(folder, f"{source}-{rows}")
                write(path, rows // 2)
                with empty_tables() as address:
                    yield measured(source, path, rows // 2, address, again=False)
                    yield measured(source, path, rows // 2, address, again=True)


def main() -> None:
    """Measure, and print a table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="sizes, both tables together")
    arguments = parser.parse_args()
    print(f"{'source':22} {'rows':>8} {'seconds':>8} {'rows/s':>9} {'peak, MB':>9}")
    for run in runs(tuple(arguments.rows)):
        print(run, flush=True)


if __name__ == "__main__":
    main()
