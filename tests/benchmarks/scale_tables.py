"""How long a decision takes by large tables and by small ones: a part of `python -m tests.benchmarks.scale`.

Both pairs of tables are in one dynalite, whose Query and GetItem seek in a LevelDB on disk. (moto's Query sorts the
whole table, so it is no yardstick.) Rows are loaded by BatchWriteItem, sent by hand since an SDK would spend more time
on signing than the server on writing. What is timed is the service's own wiring, with its own client.
"""

import argparse
import contextlib
import gc
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import get_context
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.runtime.settings import Settings
from auth_jwt.runtime.wiring import authorizer_of, choose_client
from tests.benchmarks.figures import Comparison, measured
from tests.benchmarks.tables import LOOPBACK, service_environment
from tools.events.samples import END_2100, START_2024, START_2025, START_2099, Token, hmac_signer
from tools.events.stage import ROOT, Json, environment

DYNALITE: Final = ROOT / "tests" / "benchmarks" / "peers" / "node_modules" / "dynalite" / "cli.js"
FEW: Final = 100
LOADERS: Final = 4
BATCH: Final = 25  # the most that BatchWriteItem takes
CHUNK: Final = 1000
TAGS_ASKED: Final = 1000
"""So many users, drawn at random, ask in turn when nothing is remembered."""
TAGS_REMEMBERED: Final = 100
"""So many ask when all of them are."""
CALLS: Final = 20  # of remembered rows, in one sample
START_SECONDS: Final = 20


class NoDynaliteError(Exception):
    """dynalite cannot be run here."""


# -- rows -------------------------------------------------------------------------------------------------------------


def tag_of(number: int) -> str:
    """Return the tag of a user."""
    return f"user-{number:08}"


def secret_of(number: int) -> str:
    """Return the user's HMAC secret."""
    return f"the-secret-of-{tag_of(number)}-never-use-it"


def token_of(number: int) -> str:
    """Return a good token of the user's."""
    payload = {"tag": tag_of(number), "iat": START_2025, "exp": START_2099}
    return Token(payload, hmac_signer(secret_of(number))).text


def table_names(rows: int) -> tuple[str, str]:
    """Return what the tables of so many users are called."""
    return f"profiles-{rows}", f"secrets-{rows}"


def batches(rows: int, numbers: Sequence[int]) -> Iterator[Json]:
    """Yield the questions by which BatchWriteItem writes these users into the tables of *rows* users."""
    for name, item in zip(table_names(rows), (profile_item, secret_item), strict=True):
        for first in range(0, len(numbers), BATCH):
            puts = [{"PutRequest": {"Item": item(number)}} for number in numbers[first : first + BATCH]]
            yield {"RequestItems": {name: puts}}


def profile_item(number: int) -> Json:
    """Return the user's row of the profiles table."""
    return {"tag": {"S": tag_of(number)}, "sip_username": {"S": f"alice-{number}"}}


def secret_item(number: int) -> Json:
    """Return the user's one row of the secrets table."""
    return {
        "corresponding_tag": {"S": tag_of(number)},
        "id": {"S": "1"},
        "secret": {"S": secret_of(number)},
        "start_ts": {"N": str(START_2024)},
        "end_ts": {"N": str(END_2100)},
    }


# -- dynalite ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def dynalite() -> Iterator[int]:
    """Run dynalite on loopback, its rows in a folder that is deleted afterwards, and give its port.

    Raises:
        NoDynaliteError: there is no node, dynalite is not installed, or it does not start.
    """
    node = shutil.which("node")
    if node is None or not DYNALITE.exists():
        raise NoDynaliteError("no node, or no dynalite: `npm ci` in tests/benchmarks/peers")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as held:
        held.bind((LOOPBACK, 0))
        port = held.getsockname()[1]
        held.close()
        command = [node, str(DYNALITE), "--host", LOOPBACK, "--port", str(port), "--path", f"{folder}/rows"]
        command += ["--createTableMs", "0"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(port, process)
                yield port
            finally:
                process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.05)
    raise NoDynaliteError("dynalite does not start; what it said stands above")


class Sender:
    """Sends DynamoDB's questions as they are; dynalite wants to see a signature and does not check it."""

    _HEADERS: Final[Mapping[str, str]] = {
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20250101/eu-central-1/dynamodb/aws4_request,"
        " SignedHeaders=host, Signature=0",
        "X-Amz-Date": "20250101T000000Z",
    }

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)

    def ask(self, action: str, question: Json) -> Json:
        """Return the answer to *question*.

        Raises:
            NoDynaliteError: it is an error.
        """
        target = {"X-Amz-Target": f"DynamoDB_20120810.{action}"}
        self._connection.request("POST", "/", json.dumps(question), {**self._HEADERS, **target})
        response = self._connection.getresponse()
        answer: Json = json.loads(response.read())
        if response.status != http.client.OK or answer.get("UnprocessedItems"):
            raise NoDynaliteError(f"{action} is answered {response.status}: {answer}")
        return answer


def create(port: int, rows: int) -> None:
    """Make the tables for so many users."""
    sender = Sender(port)
    for name, keys in zip(table_names(rows), (("tag",), ("corresponding_tag", "id")), strict=True):
        question = {
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "KeySchema": [
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            "BillingMode": "PAY_PER_REQUEST",
        }
        sender.ask("CreateTable", question)
        while sender.ask("DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
            time.sleep(0.05)


def fill(port: int, rows: int) -> None:
    """Load so many users, by several processes."""
    create(port, rows)
    chunks = [(port, rows, begin, min(begin + CHUNK, rows)) for begin in range(0, rows, CHUNK)]
    started = time.monotonic()
    with get_context("spawn").Pool(min(LOADERS, len(chunks))) as loaders:
        for done, _ in enumerate(loaders.imap_unordered(_load, chunks), start=1):
            if done % 50 == 0 or done == len(chunks):
                _say(f"  {min(done * CHUNK, rows):,} of {rows:,} users loaded, {time.monotonic() - started:.0f} s")


def _load(chunk: tuple[int, int, int, int]) -> None:
    port, rows, begin, end = chunk
    sender = Sender(port)
    for question in batches(rows, range(begin, end)):
        sender.ask("BatchWriteItem", question)


# -- decisions --------------------------------------------------------------------------------------------------------


def authorizer(port: int, rows: int, ttl: int) -> Authorizer:
    """Wire the service over the tables of so many users."""
    profiles, secrets = table_names(rows)
    own = {"PROFILES_TABLE": profiles, "SECRETS_TABLE": secrets, "CACHE_TTL_SECONDS": str(ttl)}
    env = service_environment(f"http://{LOOPBACK}:{port}", {**own, "STORE_TIMEOUT_MS": "10000"})
    settings = Settings.from_env(env)
    with environment(env):  # which is where boto3 would look
        client = choose_client(settings, env)[0]
    return authorizer_of(settings, lambda: client)


def microseconds(decide: Callable[[str], object], tokens: Sequence[str]) -> float:
    """Return what a decision takes, by one after the other of these tokens."""
    started = time.perf_counter()
    for token in tokens:
        decide(token)
    return (time.perf_counter() - started) * 1e6 / len(tokens)


def compared(port: int, rows: int, rounds: int, *, remembered: bool) -> Comparison:
    """Compare decisions by the tables of *rows* users with those by the tables of a FEW."""
    chance = random.Random(7)
    subjects: dict[str, Callable[[], float]] = {}
    for users in (FEW, rows):
        decide = authorizer(port, users, 3600 if remembered else 0).authorize
        asked = TAGS_REMEMBERED if remembered else TAGS_ASKED
        tokens = [token_of(chance.randrange(users)) for _ in range(asked)]
        microseconds(decide, tokens)  # both sides are warm, and so are rows that are to be remembered
        subjects[f"{users:,} users"] = _sample(decide, tokens, CALLS if remembered else 1, chance)
    gc.collect()
    gc.freeze()
    samples = measured(subjects, rounds)
    title = "rows remembered" if remembered else "rows just read"
    return Comparison.of(title, "microseconds", f"{FEW:,} users", samples)


def _sample(
    decide: Callable[[str], object], tokens: Sequence[str], calls: int, chance: random.Random
) -> Callable[[], float]:
    return lambda: microseconds(decide, chance.choices(tokens, k=calls))


def main(arguments: Sequence[str] | None = None) -> None:
    """Load the tables, measure, and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale_tables", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="users in the large tables (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1500, help="paired samples (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    try:
        with dynalite() as port:
            for rows in (FEW, chosen.rows):
                fill(port, rows)
            for kind, remembered in (("miss", False), ("hit", True)):
                _say(f"  decisions, {kind}")
                figures[kind] = compared(port, chosen.rows, chosen.rounds, remembered=remembered).to_json()
    except NoDynaliteError as problem:
        _say(f"  not measured: {problem}")
    print(json.dumps(figures))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
