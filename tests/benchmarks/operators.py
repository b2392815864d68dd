"""How much processor the commands for many profiles take: `python -m tests.benchmarks.operators`, on loopback only.

Each command is a process of its own, start-up included. A server on loopback, in another process, answers at once with
rows that it has made before: so the time is that of the command, and DynamoDB's own comes on top. The processor is that
of the command alone, which a busy machine does not change much; the time on the clock it does.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.prepared_command import INSTALLED
from tools.events.stage import REGION, Json

_ROWS_A_PAGE: Final = 5000  # about what DynamoDB puts into 1 MB
_LONGEST_TAG: Final = 128  # longer ones are no user's
_FAR: Final = 4_102_444_800
_SECRET: Final = "x7Jq9vKf2mWc4RzLp8TnYb6HdGs3QeUa" * 2


def main() -> None:
    """Run each command, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=10_000, help="how many profiles there are (10000)")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the commands that begin so, such as `bulk`")
    chosen = parser.parse_args()
    count = chosen.profiles
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        tags = home / "tags"
        tags.write_text("".join(f"{_tag(number)}\n" for number in range(count)))
        endpoint, server = _start(count)
        print(f"{count:,} profiles")
        for name, arguments in (
            ("start-up: --version", ["--version"]),
            ("profile list --all", ["profile", "list", "--all"]),
            ("profile list --all --json", ["profile", "list", "--all", "--json"]),
            ("export --no-fingerprints", ["export", "--no-fingerprints", "--out", str(home / "stack.jsonl")]),
            ("bulk disable --dry-run", ["bulk", "disable", str(tags), "--dry-run"]),
            ("bulk disable", ["bulk", "disable", str(tags), "--yes"]),
            ("bulk rotate", ["bulk", "rotate", str(tags), "--out", str(home / "secrets.jsonl"), "--yes"]),
        ):
            if name.startswith(chosen.only):
                print(f"{name:28}{_run(arguments, endpoint, home)}", flush=True)
        server.terminate()
        server.join()


def _run(arguments: Sequence[str], endpoint: str, home: Path) -> str:
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "DB_URL": f"dynamodb+{endpoint}/{REGION}",
    }
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    first = None
    with subprocess.Popen(
        [INSTALLED, *arguments], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in process.stdout:
            first = first or time.perf_counter() - begun
        said = process.stderr.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {said}")
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    shown = "" if first is None else f", first line after {first:.2f} s"
    memory = f"{after.ru_maxrss / 1024:.0f} MB at most so far"
    return f"{processor:6.2f} s of processor, {seconds:6.1f} s in all{shown}; {memory}"


def _start(count: int) -> tuple[str, multiprocessing.Process]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(there, count), daemon=True)
    server.start()
    return here.recv(), server  # type: ignore[return-value]


def _serve(ready: Connection, count: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # as DynamoDB: a connection serves many requests

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(_answer(self.headers["X-Amz-Target"].partition(".")[2], asked, count)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ready.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()


def _answer(operation: str, asked: Json, count: int) -> Json:
    """Return what DynamoDB would answer, where *count* users have a profile and a secret each."""
    if operation == "TransactWriteItems":
        names = {next(iter(item.values()))["TableName"] for item in asked["TransactItems"]}
        return {"ConsumedCapacity": [_cost(name) for name in names]}
    cost = {"ConsumedCapacity": _cost(asked["TableName"])}
    if operation == "GetItem":
        return {**cost, "Item": {**asked["Key"], "sip_username": {"S": "alice"}}}
    if operation == "Query":
        tag = asked["ExpressionAttributeValues"][":tag"]["S"]
        return {**cost, "Items": [] if len(tag) > _LONGEST_TAG else [_secret(tag)]}
    make, key = (_profile, "tag") if asked["TableName"] == "jwt_profiles" else (_secret, "corresponding_tag")
    begin = int(asked["ExclusiveStartKey"][key]["S"].rpartition("-")[2]) + 1 if "ExclusiveStartKey" in asked else 0
    end = min(begin + asked.get("Limit", _ROWS_A_PAGE), count)
    more = {"LastEvaluatedKey": {key: {"S": _tag(end - 1)}, "id": {"S": "1"}}} if end < count else {}
    return {**cost, "Items": [make(_tag(number)) for number in range(begin, end)], **more}


def _cost(name: str) -> Json:
    return {"TableName": name, "CapacityUnits": 1.0}


def _profile(tag: str) -> Json:
    texts = {"tag": tag, "sip_username": tag, "sip_domain": "sip.example.com", "tier": "gold"}
    return {**{name: {"S": text} for name, text in texts.items()}, "quota": {"N": "20"}}


def _secret(tag: str) -> Json:
    texts = {"corresponding_tag": tag, "id": "1", "secret": f"{_SECRET} of {tag}", "alg": "HS256,HS384,HS512"}
    window = {"start_ts": {"N": "1704067200"}, "end_ts": {"N": str(_FAR)}}
    return {**{name: {"S": text} for name, text in texts.items()}, **window}


def _tag(number: int) -> str:
    return f"user-{number:07}"


if __name__ == "__main__":
    main()
