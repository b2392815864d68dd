"""How long the check for secrets that end takes: `python -m tests.benchmarks.ending`. It needs loopback only.

A million users with two secrets each. A server on loopback, in a process of its own, answers each Scan with the next
page, of as many rows as DynamoDB puts into 1 MB. The client is boto3's, with all that guards it. So the time is that of
the check itself: HTTP, JSON, rows, windows. DynamoDB's own time for a page comes on top.
"""

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final

from auth_jwt.models import Columns
from auth_jwt.provisioning.endings import find_endings
from auth_jwt.provisioning.tables import DynamoDbTables, provisioning_client
from tests.contract.servers import COST, a_dynamodb
from tools.events.stage import REGION, environment

_DAY: Final = 86400
_ROW_BYTES: Final = 124  # as docs/capacity has it, with the value, which is not in the answer
_ROWS_A_PAGE: Final = 2**20 // _ROW_BYTES
_KINDS: Final = {
    "nothing ends": ((0, 100), (90, 465)),
    "everything ends": ((-300, 5), (-300, 10)),
}
"""The windows of each user's two secrets, in days from now."""


def main() -> None:
    """Check a table of each kind, and print how long it took and how much memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users there are (1000000)")
    options = parser.parse_args()
    print(f"{options.users:,} users, {2 * options.users:,} rows, {_ROWS_A_PAGE:,} rows a page")
    for kind in _KINDS:
        measuring = multiprocessing.get_context("spawn").Process(target=_measure, args=(kind, options.users))
        measuring.start()  # a process for each: the peak of its memory is its own
        measuring.join()


def _measure(kind: str, users: int) -> None:
    here, there = multiprocessing.Pipe()
    now = int(time.time())
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, kind, users, now), daemon=True)
    server.start()
    fake = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
    with environment(fake):
        client = provisioning_client(region=REGION, endpoint=here.recv())
        columns = Columns()
        store = DynamoDbTables(client, profiles_table="p", secrets_table="s", revocations_table=None, columns=columns)
        before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        pages: list[float] = []
        found = find_endings(
            store, columns, now=now, within=30 * _DAY, proceed=lambda units, _: pages.append(units) if units else None
        )
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_SELF)
    server.terminate()
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{kind}: {found.rows:,} rows on {len(pages)} pages in {seconds:.0f} s, {processor:.0f} s of processor,"
        f" {after.ru_maxrss / 1024:.0f} MB at most, {before.ru_maxrss / 1024:.0f} MB before;"
        f" found {len(found.soon)} and {found.more_soon:,} more"
    )


def _serve(ready: Connection, kind: str, users: int, now: int) -> None:
    pages = _pages(kind, users, now)

    def reply(operation: str) -> tuple[int, bytes]:
        if operation == "Scan":
            return 200, next(pages)
        if operation == "GetItem":
            return 200, json.dumps({**COST, "Item": {"tag": {"S": "t"}}}).encode()
        return 200, json.dumps({**COST, "Items": _rows(kind, 0, now)}).encode()

    with a_dynamodb(reply) as endpoint:
        ready.send(endpoint)
        time.sleep(86400)


def _pages(kind: str, users: int, now: int) -> Iterator[bytes]:
    items: list[object] = []
    for user in range(users):
        items += _rows(kind, user, now)
        if len(items) >= _ROWS_A_PAGE or user + 1 == users:
            page = {"Items": items, "ConsumedCapacity": {"TableName": "s", "CapacityUnits": len(items) * 124 / 8192}}
            last = {"LastEvaluatedKey": {"corresponding_tag": {"S": "t"}, "id": {"S": "1"}}}
            yield json.dumps(page if user + 1 == users else {**page, **last}).encode()
            items = []


def _rows(kind: str, user: int, now: int) -> list[object]:
    return [
        {
            "corresponding_tag": {"S": f"user-{user:07}"},
            "id": {"S": str(number)},
            "start_ts": {"N": str(now + start * _DAY)},
            "end_ts": {"N": str(now + end * _DAY)},
            "alg": {"S": "HS256"},
        }
        for number, (start, end) in enumerate(_KINDS[kind], 1)
    ]


if __name__ == "__main__":
    main()
