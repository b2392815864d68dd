"""How long a search among a million users takes: `python -m tests.benchmarks.finding`. It needs loopback only.

Each user has a profile and two secrets with keys of their own; ten users share one. A server on loopback, in a process
of its own, answers as DynamoDB does: pages of as many rows as are 1 MB with what they hold, of which a Scan with a
filter gives those that fit. The client is boto3's, with all that guards it. So the time is that of the search itself,
without its pace: HTTP, JSON, rows, keys. DynamoDB's own time for a page comes on top, and a scan that takes 1,000 read
units a second takes at least as many seconds as it reads thousands of them.
"""

import argparse
import json
import multiprocessing
import resource
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, Final

from auth_jwt.models import Columns
from auth_jwt.provisioning.finding import Finding, ProfileState, SipUser, Wanted
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.secret_search import SecretSearch
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tests.contract.servers import a_dynamodb_that_reads
from tools.events.stage import REGION, environment

ROW_BYTES: Final = {"jwt_profiles": 104, "jwt_secrets": 124}
"""As docs/capacity has them."""
_PAGE_BYTES: Final = 2**20
_SECRETS_EACH: Final = 2
_USERS_A_DOMAIN: Final = 1000
_SHARING: Final = 10  # users with one key

Search = Callable[[Registry, Callable[[float, int], None], int], int]
"""Searches among so many users, and returns how many it found."""


def find_user(registry: Registry, proceed: Callable[[float, int], None], users: int) -> int:
    """Find the profile of one SIP user."""
    return len(list(Finding(registry, proceed=proceed).find(Wanted(users=(SipUser(username_of(users // 2)),)))))


def find_domain(registry: Registry, proceed: Callable[[float, int], None], users: int) -> int:
    """Find the users of one domain, for which every row comes here."""
    domain = domain_of(users // 2)
    return sum(1 for _ in Finding(registry, proceed=proceed).find(Wanted(domain=domain)))


def find_without_secret(registry: Registry, proceed: Callable[[float, int], None], users: int) -> int:
    """Find the users who have no usable secret: nobody."""
    del users
    return sum(1 for _ in Finding(registry, proceed=proceed).find(Wanted(state=ProfileState.NO_USABLE_SECRET)))


def find_shared(registry: Registry, proceed: Callable[[float, int], None], users: int) -> int:
    """Find the keys that several tags share: one."""
    del users
    return len(SecretSearch(registry, proceed=proceed).shared_keys().keys)


@dataclass(frozen=True, slots=True)
class Case:
    """One search, and whether the table has the index of usernames."""

    search: Search
    has_index: bool = False


CASES: Final = {
    "a SIP user, by the index": Case(find_user, has_index=True),
    "a SIP user, by a scan": Case(find_user),
    "a domain, by a scan": Case(find_domain),
    "users without a usable secret": Case(find_without_secret),
    "keys that tags share": Case(find_shared),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one search took.

    Attributes:
        found: how many it found.
        rows: how many rows were looked at.
        read_units: what they cost, pages and single rows together.
        requests: how many there were.
        seconds: from the beginning to the end.
        processor: of that, seconds of a processor, without the server's.
        before: megabytes of memory before.
        peak: megabytes of memory at most.
    """

    found: int
    rows: int
    read_units: float
    requests: int
    seconds: float
    processor: float
    before: float
    peak: float


def main() -> None:
    """Measure each search, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users there are (1000000)")
    parser.add_argument("--only", choices=CASES, action="append", help="measure this one, and others given likewise")
    options = parser.parse_args()
    print(f"{options.users:,} users, {_SECRETS_EACH * options.users:,} secrets")
    for name in options.only or CASES:
        took = measure(name, options.users)
        print(
            f"{name}: found {took.found:,}; {took.seconds:.2f} s, {took.processor:.2f} s of processor,"
            f" {took.peak:.0f} MB at most, {took.before:.0f} MB before;"
            f" {took.requests:,} requests, {took.rows:,} rows looked at, {took.read_units:,.0f} read units"
        )


def measure(name: str, users: int) -> Measured:
    """Measure one search, in a process of its own, so that the peak of its memory is its own."""
    here, there = multiprocessing.Pipe()
    measuring = multiprocessing.get_context("spawn").Process(target=_measure, args=(there, name, users))
    measuring.start()
    there.close()  # or a process that fails would be waited for without end
    took: Measured = here.recv()
    measuring.join()
    return took


def _measure(answer: Connection, name: str, users: int) -> None:
    case = CASES[name]
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, case.has_index, users))
    server.start()
    fake = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
    rows: list[int] = []
    try:
        with environment(fake):
            registry = _registry(here.recv())
            before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            found = case.search(registry, lambda _units, looked_at: rows.append(looked_at), users)
            seconds = time.perf_counter() - begun
            after = resource.getrusage(resource.RUSAGE_SELF)
        here.send(None)
        requests, units = here.recv()
    finally:
        server.terminate()
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    looked_at = sum(number for number, next_ in pairwise([*rows, 0]) if next_ < number)
    memory = before.ru_maxrss / 1024, after.ru_maxrss / 1024
    answer.send(Measured(found, looked_at, units, requests, seconds, processor, *memory))


def _registry(endpoint: str) -> Registry:
    from auth_jwt.provisioning.tables import provisioning_client

    client = provisioning_client(region=REGION, endpoint=endpoint)
    return provisioning_of(Settings.from_env({}), client, actor="benchmark", audit=print).registry


# -- the server -------------------------------------------------------------------------------------------------------


def _serve(ready: Connection, has_index: bool, users: int) -> None:
    asked: list[float] = []
    columns = Columns()

    def reply(operation: str, question: bytes) -> tuple[int, bytes]:
        asks = json.loads(question)
        if operation == "Scan":
            answer = _scan(asks, users)
        elif operation == "GetItem":
            number = int(asks["Key"][columns.tag]["S"].removeprefix("user-"))
            answer = {"Item": profile(number), "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}
        elif "IndexName" not in asks:
            tag = asks["ExpressionAttributeValues"][":tag"]["S"]
            items = secrets_of(int(tag.removeprefix("user-")))
            answer = {"Items": items, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}
        elif not has_index:
            return 400, json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ValidationException"}).encode()
        else:
            name = asks["ExpressionAttributeValues"][":username"]["S"]
            items = [{"tag": {"S": f"user-{name.removeprefix('sip-')}"}, "sip_username": {"S": name}}]
            answer = {"Items": items, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}}
        asked.append(answer["ConsumedCapacity"]["CapacityUnits"])
        return 200, json.dumps(answer).encode()

    with a_dynamodb_that_reads(reply) as endpoint:
        ready.send(endpoint)
        ready.recv()
        ready.send((len(asked), sum(asked)))
        time.sleep(86400)


def _scan(asks: dict[str, Any], users: int) -> dict[str, Any]:
    """Answer a Scan of one segment, from where the last one ended, with 1 MB of rows at most."""
    table = asks["TableName"]
    is_secrets = table == "jwt_secrets"
    of_a_page = _PAGE_BYTES // ROW_BYTES[table] // (_SECRETS_EACH if is_secrets else 1)
    segment, segments = asks.get("Segment", 0), asks.get("TotalSegments", 1)
    first, end = users * segment // segments, users * (segment + 1) // segments
    start = asks.get("ExclusiveStartKey")
    if start is not None:
        first = int(start["corresponding_tag" if is_secrets else "tag"]["S"].removeprefix("user-")) + 1
    last = min(first + of_a_page, end)
    numbers = range(first, last)
    items: list[Any]
    if is_secrets:
        items = [row for number in numbers for row in secrets_of(number)]
    else:
        wanted = asks.get("ExpressionAttributeValues", {}).get(":f0", {}).get("S")
        fitting = numbers if wanted is None else [n for n in numbers if username_of(n) == wanted]
        items = [profile(number) for number in fitting]
    count = len(numbers) * (_SECRETS_EACH if is_secrets else 1)
    cost = {"TableName": table, "CapacityUnits": -(-count * ROW_BYTES[table] // 4096) / 2}
    answer = {"Items": items, "Count": len(items), "ScannedCount": count, "ConsumedCapacity": cost}
    if last < end:
        key = {"corresponding_tag": {"S": tag_of(last - 1)}, "id": {"S": "2"}}
        answer["LastEvaluatedKey"] = key if is_secrets else {"tag": {"S": tag_of(last - 1)}}
    return answer


def tag_of(number: int) -> str:
    """The tag of a user."""
    return f"user-{number:07}"


def username_of(number: int) -> str:
    """The SIP username of a user."""
    return f"sip-{number:07}"


def domain_of(number: int) -> str:
    """The SIP domain of a user."""
    return f"d{number // _USERS_A_DOMAIN}.example.org"


def profile(number: int) -> dict[str, Any]:
    """The profile of a user."""
    return {
        "tag": {"S": tag_of(number)},
        "sip_username": {"S": username_of(number)},
        "sip_domain": {"S": domain_of(number)},
    }


def secrets_of(number: int) -> list[dict[str, Any]]:
    """The two secrets of a user: the first ten users have one key in common."""
    now = int(time.time())
    return [
        {
            "corresponding_tag": {"S": tag_of(number)},
            "id": {"S": str(which)},
            "secret": {"S": _key_of(0 if number < _SHARING and which == 1 else 2 * number + which)},
            "start_ts": {"N": str(now - 86400)},
            "end_ts": {"N": str(now + 86400 * which)},
            "alg": {"S": "HS256"},
        }
        for which in range(1, _SECRETS_EACH + 1)
    ]


def _key_of(number: int) -> str:
    return urlsafe_b64encode(sha256(str(number).encode()).digest()).decode()


if __name__ == "__main__":
    main()
