"""Sample tables: DynamoDB in memory, with the template's tables and the rows of events/rows.json."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Final
from urllib.request import Request, urlopen

from tools.events.stage import REGION, REVOCATIONS, SAMPLES, Json, create_tables, read_json

HOST: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.05


def load(endpoint: str, stack: Json) -> None:
    """Create the tables of the template at *endpoint*, and put the sample rows into them."""
    import boto3

    client = boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - any will do
    )
    create_tables(client, stack)
    client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))


@contextmanager
def in_memory(stack: Json) -> Iterator[str]:
    """Run DynamoDB in this process, on a free port of the loopback interface, and yield its endpoint.

    It keeps every write that it confirms, however many write at a time. The tables are the process's: they are
    forgotten in the end, so that it can begin again.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from tools.serve.moto_tables import keep_every_write

    keep_every_write()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it reports each request
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, 0, app, threaded=True, request_handler=MotoRequestHandler)
    # moto's own ThreadedMotoServer looks every half second whether it shall end.
    thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="tables", daemon=True)
    thread.start()
    try:
        endpoint = f"http://{HOST}:{server.port}"
        load(endpoint, stack)
        yield endpoint
        urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()  # noqa: S310 - our own server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def names_of_its_own(settings: Mapping[str, str], defaults: Mapping[str, str]) -> list[str]:
    """Return the settings that name other tables or columns than the samples have."""
    samples = {(name, default) for name, default in defaults.items()} | {("REVOCATIONS_TABLE", REVOCATIONS)}
    return [
        name
        for name, value in settings.items()
        if name.endswith(("_TABLE", "_COLUMN")) and (name, value.strip()) not in samples
    ]
