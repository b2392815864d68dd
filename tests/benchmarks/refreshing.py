"""How long a round of fetching takes: `python -m tests.benchmarks.refreshing`. It needs loopback only.

A thousand issuers, each with a key set of two keys, at one HTTPS server in a process of its own that answers after a
delay. The tables are in memory, so the time is that of the function's own work: TLS, HTTP, JSON, judging keys.
"""

import argparse
import json
import multiprocessing
import socket
import ssl
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from auth_jwt.fetching.client import IssuerClient, tls_context
from auth_jwt.issuers.models import REGISTRY_TAG, IssuerPatterns
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.store import IssuerTables
from tests.certificates import Authority
from tests.factories import a_jwk
from tests.fakes import MemoryTables
from tests.issuers import issuer_row
from tests.unit.fetching.servers import LOOPBACK, a_server, answer
from tools.events.stage import load_handler

_ROUNDS: Final = 3


def main() -> None:
    """Run some rounds, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issuers", type=int, default=1000, help="how many issuers there are (1000)")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds after which their server answers (0.1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        here, there = multiprocessing.Pipe()
        forked = multiprocessing.get_context("fork")  # the context of TLS goes with it
        server = forked.Process(target=_serve, args=(there, authority.identity(), options.delay), daemon=True)
        server.start()
        try:
            _measure(f"https://127.0.0.1:{here.recv()}", authority.certificate, options.issuers)
        finally:
            server.terminate()


def _serve(ready: Connection, tls: ssl.SSLContext, delay: float) -> None:
    document = json.dumps({"keys": [a_jwk(kid="1"), a_jwk("rsa_2048_other", kid="2")]}).encode()

    def script(connection: socket.socket, _question: bytes) -> None:
        time.sleep(delay)
        connection.sendall(answer(document))

    with a_server(tls, script, backlog=256) as server:
        ready.send(server.port)
        time.sleep(3600)


def _measure(origin: str, ca_bundle: Path, count: int) -> None:
    tables = MemoryTables()
    identifiers = [f"{origin}/{number}" for number in range(count)]
    for identifier in identifiers:
        row = issuer_row(identifier, keys_url=f"{origin}/keys?{identifier[-5:]}", discovery=False)
        tables.write_row(Key(Table.PROFILES, identifier), {name: row[name] for name in row if name != "tag"})
        tables.write_row(Key(Table.SECRETS, identifier, "issuer-status"), {"issuer_version": 1})
        tables.write_row(Key(Table.SECRETS, REGISTRY_TAG, identifier), {})
    clock = [time.time()]
    refresher = Refresher(
        store=IssuerTables(tables, Columns()),
        fetcher=IssuerClient(tls=tls_context(ca_bundle), accepted=LOOPBACK),
        patterns=IssuerPatterns(beginnings=(f"{origin}/",)),
        audit=lambda _: None,
        actor="refresh_keys",
        clock=lambda: clock[0],
    )
    load_handler("refresh_keys")
    from refresh_keys_app import refresh_all  # type: ignore[import-not-found]

    for number in range(_ROUNDS):
        begun, used = time.perf_counter(), time.process_time()
        outcome = refresh_all(refresher, seconds_left=lambda: 55.0).count()
        seconds, busy = time.perf_counter() - begun, time.process_time() - used
        print(f"round {number + 1}: {outcome}, {seconds:.1f} s, {busy:.1f} s of a processor", flush=True)
        clock[0] += 60


if __name__ == "__main__":
    main()
