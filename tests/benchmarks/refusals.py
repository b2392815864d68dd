"""How long `auth-jwt refusals` takes over many lines: `python -m tests.benchmarks.refusals`. It needs loopback only.

A quarter of an hour of 1,000,000 users who log in once an hour is 250,000 lines, by lines that the real handler writes.
They are counted from a file; and, all of them denied, read by FilterLogEvents, page by page of 1 MB, by boto3's client
from a server on loopback. So the time is that of the command line itself; CloudWatch's own for a page comes on top.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import boto3

from auth_jwt_cli.logs.cloudwatch import CloudWatchLogs
from auth_jwt_cli.logs.files import lines_of_file
from auth_jwt_cli.logs.lines import LogLine
from auth_jwt_cli.logs.refusals import RefusalQuestion, Tally, filter_pattern
from tests.contract.servers import a_dynamodb
from tools.dashboard.recorded import AUTHORIZE, event
from tools.events.stage import REGION, SAMPLES, environment, read_json, stage

_PAGE: Final = 2**20  # bytes of lines on a page of FilterLogEvents
_ALL: Final = RefusalQuestion(since=0)
_EVERY: Final = 20  # in the file, one line of so many is a denial


def main() -> None:
    """Count lines from a file and from pages, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=250_000, help="how many lines there are (250000)")
    count = parser.parse_args().lines
    authorized, denied = _lines()
    print(f"a line is {len(authorized) + 1} bytes if authorized, {len(denied) + 1} if denied")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_text("".join(f"{authorized if number % _EVERY else denied}\n" for number in range(count)), "utf-8")
        _measure(f"a file of {path.stat().st_size / 1e6:.0f} MB, 5 % denied", lines_of_file(path), count)
    pages = -(-count * (len(denied) + 1) // _PAGE)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, denied, count), daemon=True)
    server.start()
    with environment(
        {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_ENDPOINT_URL": here.recv()}
    ):
        logs = CloudWatchLogs(boto3.Session(region_name=REGION), REGION)
        _measure(
            f"{pages} pages of FilterLogEvents, all denied",
            logs.lines("group", filter_pattern(_ALL), since=_ALL.since),
            count,
        )
    server.terminate()


def _lines() -> tuple[str, str]:
    settings = {**read_json(SAMPLES / "outcomes.json")["settings"], "AUTHORIZED_LOG": "lean"}
    with stage(settings) as made:
        made.ask(event("authorize", AUTHORIZE["authorized"]))
        asked = (made.ask(event("authorize", AUTHORIZE[kind])) for kind in ("authorized", "bad_signature"))
        authorized, denied = (answer.lines[-1] for answer in asked)
    return authorized, denied


def _measure(what: str, lines: Iterator[LogLine], count: int) -> None:
    tally = Tally(10)
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for line in lines:
        if _ALL.accepts(line):
            tally.add(line)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    refused = sum(each.times for each in tally.counts())
    print(f"{what}: {count:,} lines, {refused:,} refusals in {seconds:.1f} s, {processor:.1f} s of processor")


def _serve(ready: Connection, line: str, count: int) -> None:
    pages = _pages(line, count)
    with a_dynamodb(lambda _: (200, next(pages))) as endpoint:
        ready.send(endpoint)
        time.sleep(86400)


def _pages(line: str, count: int) -> Iterator[bytes]:
    on_page = _PAGE // (len(line) + 1)
    now = int(time.time() * 1000)
    for first in range(0, count, on_page):
        events = [
            {"eventId": str(number), "timestamp": now, "ingestionTime": now, "message": line, "logStreamName": "s"}
            for number in range(first, min(first + on_page, count))
        ]
        last = first + on_page >= count
        yield json.dumps({"events": events, **({} if last else {"nextToken": str(first)})}).encode()


if __name__ == "__main__":
    main()
