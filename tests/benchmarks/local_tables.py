"""How many requests a second the tables of `make serve` answer, and what one costs the process that answers.

`python -m tests.benchmarks.local_tables` (half a minute); `--bare` measures moto as it is, which loses writes.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final

from tools.events.stage import REGION, template
from tools.serve import tables

SECONDS: Final = 3
CLIENTS: Final = (1, 4)
ROWS: Final = 1_000
PROFILES, SECRETS = "jwt_profiles", "jwt_secrets"
_BATCH: Final = 25
_SPAWN: Final = get_context("spawn")


def read(client: Any, name: str) -> None:
    """Read a row."""
    client.get_item(TableName=PROFILES, Key={"tag": {"S": name}})


def add(client: Any, name: str) -> None:
    """Add to one row, which all clients add to."""
    client.update_item(
        TableName=PROFILES,
        Key={"tag": {"S": "counter"}},
        UpdateExpression="ADD times_seen :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def create(client: Any, name: str) -> None:
    """Create a profile and its secret in one transaction, as the command line does."""
    secret = {"corresponding_tag": {"S": name}, "id": {"S": "1"}, "secret": {"S": "none"}}
    parts = [{"Put": {"TableName": PROFILES, "Item": profile(name)}}, {"Put": {"TableName": SECRETS, "Item": secret}}]
    client.transact_write_items(TransactItems=parts)


REQUESTS: Final[dict[str, Callable[[Any, str], None]]] = {"read": read, "add": add, "create": create}


def profile(name: str) -> dict[str, Any]:
    """Return a row."""
    return {"tag": {"S": name}, "sip_username": {"S": name}}


def client_of(endpoint: str) -> Any:
    """Return a client without retries, for tables in memory."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _serve(pipe: Connection, bare: bool) -> None:
    """Answer; whenever asked, say how many seconds of processor that took so far."""
    if bare:
        from tools.serve import moto_tables

        moto_tables.keep_every_write = lambda: None
        logging.disable()
    with tables.in_memory(template()) as endpoint:
        pipe.send(endpoint)
        while pipe.recv() == "used":
            pipe.send(time.process_time())


def _ask(pipe: Connection, endpoint: str, kind: str, number: int) -> None:
    """Ask for some seconds from the word on; tell how many were answered, and how many failed."""
    client, done, failed = client_of(endpoint), 0, 0
    read(client, "row-0")
    pipe.send("ready")
    pipe.recv()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            REQUESTS[kind](client, f"new-{number}-{done + failed}")
            done += 1
        except Exception:  # noqa: BLE001 - of moto as it is
            failed += 1
    pipe.send((done, failed))


def measured(server: Connection, endpoint: str, kind: str, clients: int) -> str:
    """Return a line of figures."""
    pipes = []
    for number in range(clients):
        here, there = _SPAWN.Pipe()
        _SPAWN.Process(target=_ask, args=(there, endpoint, kind, number), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    before = _used(server)
    for pipe in pipes:
        pipe.send("go")
    counts = [pipe.recv() for pipe in pipes]
    done, failed = (sum(of) for of in zip(*counts, strict=True))
    milliseconds = (_used(server) - before) * 1000 / (done + failed)
    return f"{kind:8}{clients:8}{done / SECONDS:14.0f}{milliseconds:14.2f}{failed:10}"


def _used(server: Connection) -> float:
    server.send("used")
    return float(server.recv())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.local_tables", description=__doc__)
    parser.add_argument("--bare", action="store_true", help="moto as it is")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"that are there (default: {ROWS})")
    given = parser.parse_args(arguments)
    here, there = _SPAWN.Pipe()
    server = _SPAWN.Process(target=_serve, args=(there, given.bare))
    server.start()
    endpoint = here.recv()
    client = client_of(endpoint)
    for first in range(0, given.rows, _BATCH):
        rows = [{"PutRequest": {"Item": profile(f"row-{first + number}")}} for number in range(_BATCH)]
        client.batch_write_item(RequestItems={PROFILES: rows})
    print(f"{'request':8}{'clients':>8}{'a second':>14}{'ms processor':>14}{'failed':>10}")
    for kind in REQUESTS:
        for clients in CLIENTS:
            print(measured(here, endpoint, kind, clients), flush=True)
    here.send("end")
    server.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
