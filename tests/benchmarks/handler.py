"""How long the handler takes, cold and warm: `make bench`.

Figures are medians, and ratios to something measured in the same run, since machines differ:

- cold: a fresh process, from its start to the first answer, DynamoDB being a moto server on this machine; over a bare
  interpreter.
- warm: a REST API event in, the answer, its log line and its metrics out, rows remembered; over PyJWT's `jwt.decode`
  of the same token with the same key. Both in turn, in blocks, the log going to a file.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import boto3
import jwt
from moto.server import ThreadedMotoServer

from events.stage import (
    HERE,
    REGION,
    ROOT,
    LambdaContext,
    create_tables,
    environment,
    lambda_environment,
    load_handler,
    read_json,
    template,
)

EVENTS = {
    "HS256": "rest-authorized-by-header",
    "RS256": "rest-authorized-by-public-key",
    "ES256": "rest-authorized-by-key-set-es256",
    "EdDSA": "rest-authorized-by-key-set-eddsa",
}
FIRST_ANSWER = """
import json, sys
sys.path[:0] = ["functions/authorize", "layers/auth_jwt"]
import app
answer = app.lambda_handler(json.load(open(sys.argv[1], encoding="utf-8")), None)
assert answer["statusCode"] == 200, answer
"""


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long *work* takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def run(*arguments: str) -> None:
    """Run a fresh interpreter to its end."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def cold(event: str, rounds: int) -> dict[str, float]:
    """Return the median of a fresh process up to its first answer, and its ratio to a bare interpreter."""
    path = str(HERE / "authorize" / f"{event}.json")
    run("-c", FIRST_ANSWER, path)  # byte code is written
    pairs = [(milliseconds(lambda: run("-c", "pass")), milliseconds(lambda: run("-c", FIRST_ANSWER, path)))
             for _ in range(rounds)]  # fmt: skip
    return {
        "milliseconds": statistics.median(ours for _, ours in pairs),
        "ratio": statistics.median(ours / bare for bare, ours in pairs),
    }


def warm(event: str, algorithm: str, rounds: int) -> dict[str, float]:
    """Return the medians per call, and the ratio of the handler to a bare `jwt.decode`."""
    asked = read_json(HERE / "authorize" / f"{event}.json")
    token = next(value for name, value in asked["headers"].items() if name.lower() == "authorization").split()[-1]
    handler, context, key = load_handler(), LambdaContext("bench"), prepared_key(token, algorithm)

    def decide() -> Any:
        return handler(asked, context)

    def decode() -> Any:
        return jwt.decode(token, key, algorithms=[algorithm])

    with (ROOT / "build" / "bench.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        for work in (decide, decode):
            for _ in range(50):
                work()
        pairs = [(milliseconds(lambda: repeat(decode)), milliseconds(lambda: repeat(decide))) for _ in range(rounds)]
    return {
        "microseconds": statistics.median(ours for _, ours in pairs) * 1000 / REPEATS,
        "jwt_decode_microseconds": statistics.median(bare for bare, _ in pairs) * 1000 / REPEATS,
        "ratio": statistics.median(ours / bare for bare, ours in pairs),
    }


REPEATS = 100


def repeat(work: Callable[[], object]) -> None:
    """Do *work* often enough for the clock."""
    for _ in range(REPEATS):
        work()


def prepared_key(token: str, algorithm: str) -> Any:
    """Return the sample key that verifies *token*, ready for PyJWT."""
    claims = jwt.decode(token, options={"verify_signature": False})
    rows = (row["PutRequest"]["Item"] for row in read_json(HERE / "rows.json")["jwt_secrets"])
    stored = next(row["secret"]["S"] for row in rows if row["corresponding_tag"]["S"] == claims["tag"])
    if stored.startswith("{"):
        kid = jwt.get_unverified_header(token)["kid"]
        return next(key.key for key in jwt.PyJWKSet.from_json(stored).keys if key.key_id == kid)
    return jwt.get_algorithm_by_name(algorithm).prepare_key(stored)


def main() -> None:
    """Measure, and print for people or for machines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="paired rounds of each measurement (default: 15)")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for machines")
    chosen = parser.parse_args()
    (ROOT / "build").mkdir(exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it writes a line per request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        stack = template()
        settings = {"DB_URL": f"dynamodb+http://127.0.0.1:{port}/{REGION}"}
        with environment(lambda_environment(stack, settings)):
            client = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}")
            create_tables(client, stack)
            client.batch_write_item(RequestItems=read_json(HERE / "rows.json"))
            figures: dict[str, dict[str, dict[str, float]]] = {}
            for algorithm, event in EVENTS.items():
                figures[algorithm] = {
                    "cold": cold(event, chosen.rounds),
                    "warm": warm(event, algorithm, chosen.rounds),
                }
                if not chosen.json:
                    show(algorithm, figures[algorithm])
    finally:
        server.stop()
    if chosen.json:
        print(json.dumps({"python": sys.version.split()[0], "figures": figures}, indent=2))


def show(algorithm: str, figures: dict[str, dict[str, float]]) -> None:
    """Print one algorithm's figures in a line."""
    first, next_ones = figures["cold"], figures["warm"]
    print(
        f"{algorithm:6} cold {first['milliseconds']:6.0f} ms, {first['ratio']:4.1f} x a bare interpreter; "
        f"warm {next_ones['microseconds']:5.0f} us, {next_ones['ratio']:4.2f} x jwt.decode "
        f"({next_ones['jwt_decode_microseconds']:.0f} us)",
        flush=True,
    )


if __name__ == "__main__":
    main()
