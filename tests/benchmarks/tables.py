"""DynamoDB for the benchmarks: moto's server in a process of its own, so that its weight is not in what is timed."""

import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.events.samples import END_2100, START_2024, START_2025, START_2099, Token, hmac_signer
from tools.events.stage import (
    REGION,
    ROOT,
    SAMPLES,
    Json,
    create_tables,
    environment,
    lambda_environment,
    read_json,
    template,
)

LOOPBACK: Final = "127.0.0.1"
NUMBERS_OF_SECRETS: Final = (1, 5, 10, 20)


def tag_with(secrets: int) -> str:
    """Return the tag that has so many open *secrets*; no tag of the sample rows begins like it."""
    return f"benchmark-{secrets:02}-secrets"


def _secret(tag: str, number: int) -> str:
    return f"secret-{number:02}-of-{tag}-never-use-it"


def token_with(secrets: int) -> str:
    """Return a token of `tag_with(secrets)` that the last of its secrets verifies, and no other."""
    tag = tag_with(secrets)
    payload = {"tag": tag, "iat": START_2025, "exp": START_2099}
    return Token(payload, hmac_signer(_secret(tag, secrets))).text


def _rows_with(secrets: int) -> dict[str, list[Json]]:
    tag = tag_with(secrets)
    profile = {"tag": {"S": tag}, "sip_username": {"S": "alice"}, "display_name": {"S": "Alice Adams"}}
    rows = [
        {
            "corresponding_tag": {"S": tag},
            "id": {"S": f"{number:02}"},
            "secret": {"S": _secret(tag, number)},
            "start_ts": {"N": str(START_2024)},
            "end_ts": {"N": str(END_2100)},
        }
        for number in range(1, secrets + 1)
    ]
    return {"jwt_profiles": _puts([profile]), "jwt_secrets": _puts(rows)}


def _puts(items: list[Json]) -> list[Json]:
    return [{"PutRequest": {"Item": item}} for item in items]


def fill(client: Any) -> None:
    """Make the template's tables, with the sample rows and those of many secrets."""
    create_tables(client, template())
    client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
    for secrets in NUMBERS_OF_SECRETS:
        client.batch_write_item(RequestItems=_rows_with(secrets))


@contextlib.contextmanager
def tables() -> Iterator[str]:
    """Serve filled tables on loopback, and give their address: http://127.0.0.1:PORT."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the tables do not start; what they said stands above")
        try:
            yield address
        finally:
            process.stdin.close()  # which ends them, as the end of this process would


def database(address: str) -> str:
    """Return DB_URL for the tables at *address*."""
    return f"dynamodb+{address}/{REGION}"


def service_environment(
    address: str, settings: Mapping[str, str] | None = None, function: str = "authorize"
) -> dict[str, str]:
    """Return the variables that *function* has in Lambda, its tables being those at *address*.

    Unlike tests, Lambda does not say where the SDK's files would be; there simply are none.
    """
    found = lambda_environment(template(), {"DB_URL": database(address), **(settings or {})}, function)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"):
        del found[name]
    return {**found, "HOME": "/nonexistent"}


def _serve_until_input_ends() -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it writes a line per request
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    try:
        address = f"http://{LOOPBACK}:{server.get_host_and_port()[1]}"
        with environment(lambda_environment(template(), {})):
            fill(boto3.client("dynamodb", endpoint_url=address))
        print(address, flush=True)
        sys.stdin.read()
    finally:
        server.stop()


if __name__ == "__main__":
    _serve_until_input_ends()
