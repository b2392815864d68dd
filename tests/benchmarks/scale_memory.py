"""What memory costs under floods of distinct tags: a part of `python -m tests.benchmarks.scale`.

Every flood has a process of its own. Tokens are really signed, and decided by the service's own `Authorizer`; the rows
are made when they are read, so there is no table whose client could grow.
"""

import argparse
import gc
import hashlib
import hmac
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from pathlib import Path
from threading import Barrier
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied
from auth_jwt.memory.rows import MAX_REMEMBERED_BYTES, RowMemory
from auth_jwt.models import Columns, Policy, Profile, Secret, TagRows
from auth_jwt.ports import Deadline
from auth_jwt.runtime.settings import Settings
from auth_jwt.runtime.wiring import Service
from tools.events.samples import (
    END_2100,
    START_2024,
    START_2025,
    START_2099,
    Signer,
    Token,
    hmac_signer,
    rsa_key,
    rsa_signer,
)
from tools.events.stage import (
    SAMPLES,
    Json,
    LambdaContext,
    environment,
    lambda_environment,
    load_handler,
    read_json,
    template,
)

POINTS: Final = 20
WARMING_TAGS: Final = 200
BURST: Final = 32
STORE_SECONDS: Final = 30.0

Ask = Callable[[str], bool]
"""Brings a token, and tells whether it was let in."""

TokenOf = Callable[[str], str]


# -- tokens and rows --------------------------------------------------------------------------------------------------


def secret_of(tag: str) -> str:
    """Return the HMAC secret of *tag*: 64 characters."""
    return f"secret-{hashlib.sha256(tag.encode()).hexdigest()[7:]}"


def token_of(tag: str, signer: Signer) -> str:
    """Return a token of *tag*."""
    return Token({"tag": tag, "iat": START_2025, "exp": START_2099}, signer).text


def hmac_token(tag: str) -> str:
    """Return a token that the tag's own secret signed."""
    return token_of(tag, hmac_signer(secret_of(tag)))


def forged_token(tag: str) -> str:
    """Return a token that somebody signed who has no secret of ours."""
    return token_of(tag, Signer("HS256", lambda data: hmac.digest(b"nobody knows this", data, "SHA256")))


class Users:
    """A `RowsStore` where every tag has a profile and one secret, made when it is read, as the table's client would.

    Args:
        secret: the text that the secret of a tag holds; None where no tag has one.
    """

    def __init__(self, secret: Callable[[str], str] | None) -> None:
        self._secret = secret
        self._columns = Columns()
        self.reads: Counter[bool] = Counter()

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """Return the rows of *tag*; see `auth_jwt.ports.RowsStore`."""
        self.reads[consistent] += 1
        if self._secret is None:
            return TagRows()
        profile = Profile.from_row({"tag": tag, "sip_username": f"alice-{tag}"}, self._columns, ())
        window = {"start_ts": Decimal(str(START_2024)), "end_ts": Decimal(str(END_2100))}
        row = {"corresponding_tag": tag, "id": "1", "secret": self._secret(tag), **window}
        return TagRows(profile, (Secret.from_row(row, self._columns),))


def fresh(text: str) -> str:
    """Return a copy of *text* that shares no memory with it."""
    return text.encode().decode()


# -- floods -----------------------------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """Return what of this process is in memory now; where only the most there ever was is known, that."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def flood(ask: Ask, token: TokenOf, tags: int, *, let_in: bool) -> list[list[int]]:
    """Ask for so many distinct *tags*.

    Args:
        ask: brings a token.
        token: signs one for a tag.
        tags: how many.
        let_in: whether all are to be let in, or none.

    Returns:
        Pairs of how many were asked for, and of the bytes in memory then.

    Raises:
        RuntimeError: a token was not answered as it should be.
    """
    for number in range(WARMING_TAGS):
        ask(token(f"warming-{number}"))
    gc.collect()
    series = [[0, resident_bytes()]]
    every, started = max(1, tags // POINTS), time.monotonic()
    for number in range(1, tags + 1):
        if ask(token(f"tag-{number:09}")) is not let_in:
            raise RuntimeError("a token was not answered as it should be")
        if number % every == 0:
            series.append([number, resident_bytes()])
            _say(f"  {number:,} of {tags:,} tags, {time.monotonic() - started:.0f} s, {series[-1][1] >> 20} MiB")
    return series


def deciding_by(store: Users) -> Authorizer:
    """Return the service's own decision, over *store* and a memory of the usual size."""
    memory = RowMemory(store, ttl=60, stale_for=300)
    return Authorizer(memory=memory, policy=Policy(), store_seconds=STORE_SECONDS)


def asking(authorizer: Authorizer) -> Ask:
    """Return how to bring *authorizer* a token."""

    def ask(token: str) -> bool:
        try:
            authorizer.authorize(token)
        except Denied:
            return False
        return True

    return ask


@contextmanager
def handling_by(store: Users) -> Iterator[Ask]:
    """Give the real handler, decisions being made over *store*; what it logs goes nowhere."""
    variables = lambda_environment(template(), {})
    event = read_json(SAMPLES / "authorize" / "rest-authorized-by-header.json")
    with environment(variables), Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        handler = load_handler()
        service = Service(Settings.from_env(variables), deciding_by(store), make_client=lambda: None)
        sys.modules[handler.__module__].service = lambda: service  # type: ignore[attr-defined]

        def ask(token: str) -> bool:
            headers = {"Authorization": f"Bearer {token}"}
            many = {name: [value] for name, value in headers.items()}
            asked = {**event, "headers": headers, "multiValueHeaders": many, "body": None}
            status = handler(asked, LambdaContext("flood"))["statusCode"]
            if status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED):
                raise RuntimeError(f"a token is answered {status}")
            return bool(status == HTTPStatus.OK)

        yield ask


def flooded(kind: str, tags: int) -> Json:
    """Return what a flood of that *kind* did to the memory of this process."""
    signer = rsa_signer(rsa_key("sample-rsa.pem"))
    public = _public_pem("sample-rsa.pem")
    floods: dict[str, tuple[Callable[[str], str] | None, TokenOf]] = {
        "forged": (None, forged_token),
        "valid": (secret_of, hmac_token),
        "rsa": (lambda _: fresh(public), partial(token_of, signer=signer)),
    }
    kind, _, entry = kind.partition("-")
    secret, token = floods[kind]
    store, let_in = Users(secret), secret is not None
    if entry == "handler":
        with handling_by(store) as ask:
            return {"series": flood(ask, token, tags, let_in=let_in), "reads": store.reads.total()}
    authorizer = deciding_by(store)
    series = flood(asking(authorizer), token, tags, let_in=let_in)
    memory = authorizer.memory
    return {
        "series": series,
        "reads": store.reads.total(),
        "remembered_tags": len(memory._known) + len(memory._unknown),
        "counted_bytes": memory._bytes,
        "most_counted_bytes": MAX_REMEMBERED_BYTES,
    }


def _public_pem(name: str) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    octets = rsa_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return octets.decode("ascii")


# -- bursts -----------------------------------------------------------------------------------------------------------


def burst(threads: int, secret: Callable[[str], str] | None, token: str) -> Json:
    """Let so many *threads* bring one *token*, whose tag is cold, at the same time; return the reads it costs."""
    store, start = Users(secret), Barrier(threads)
    ask = asking(deciding_by(store))

    def come(_: int) -> bool:
        start.wait(STORE_SECONDS)
        return ask(token)

    with ThreadPoolExecutor(threads) as pool:
        let_in = sum(pool.map(come, range(threads)))
    return {"threads": threads, "let_in": let_in, "reads": store.reads[False], "second_looks": store.reads[True]}


def bursts() -> Json:
    """Return what bursts of a good token, and of a forged one with a tag of ours, cost."""
    return {
        "good": burst(BURST, secret_of, hmac_token("cold")),
        "forged": burst(BURST, secret_of, forged_token("cold")),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one thing, and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale_memory", description=__doc__)
    parser.add_argument("what", choices=["forged", "valid", "rsa", "forged-handler", "valid-handler", "burst"])
    parser.add_argument("--tags", type=int, default=1_000_000, help="distinct tags (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    figures: Any = bursts() if chosen.what == "burst" else flooded(chosen.what, chosen.tags)
    print(json.dumps(figures))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
