"""DynamoDB in memory, behind a real socket."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from tools.serve.moto_tables import keep_every_write


@contextmanager
def a_moto_server() -> Iterator[str]:
    """Run moto on a free port of this machine, without a table; its address.

    The tables are the process's: whatever an earlier server left is gone before, and what is left here, afterwards.
    """
    keep_every_write()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it reports each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        forget_all(address)
        yield address
        forget_all(address)
    finally:
        server.stop()


def forget_all(address: str) -> None:
    """Empty the account behind the *address* of a server."""
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
