"""Count how the recogniser of HMAC secrets does: `python -m tests.lookalikes`, or `make lookalikes`.

Three figures, from a seed: of public texts all must be refused, of recorded rows none, and of made-up secrets fewer
than one in 100,000 of each kind. Exits with 1 when one of these does not hold.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pool
from random import Random

from auth_jwt.jose.lookalikes import what_else
from tests.lookalikes import made_up, public_texts
from tests.lookalikes.recorded import recorded_secrets

SEED = 20261128
MADE_UP = 100_000
PIECE = 5_000
KEYS = 1
PROCESSES = 2


@dataclass(slots=True)
class Count:
    """How many texts of a group were refused.

    Attributes:
        group: of which kind of figure, and what kind of text.
        texts: how many there were.
        refused: how many were refused.
        accepted: the forms of the first ones that were not.
        slowest: the longest time that one call took of the processor, in seconds.
    """

    group: tuple[str, str]
    texts: int = 0
    refused: int = 0
    accepted: list[str] = field(default_factory=list)
    slowest: float = 0

    def add(self, form: str, text: str) -> None:
        started = time.thread_time()
        refused = what_else(text) is not None
        self.slowest = max(self.slowest, time.thread_time() - started)
        self.texts += 1
        self.refused += refused
        if not refused and len(self.accepted) < 10:
            self.accepted.append(form)

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.group,
            self.texts + other.texts,
            self.refused + other.refused,
            (self.accepted + other.accepted)[:10],
            max(self.slowest, other.slowest),
        )


def count(group: tuple[str, str], texts: Iterable[tuple[str, str]]) -> Count:
    found = Count(group)
    for form, text in texts:
        found.add(form, text)
    return found


def count_public(key: public_texts.Key) -> Count:
    return count(("public texts", key.kind), public_texts.public_texts(key))


def count_references() -> Count:
    return count(("public texts", "references"), public_texts.references())


def count_recorded() -> Count:
    return count(("recorded rows", "OpenSIPS"), (("", secret) for secret in recorded_secrets()))


def count_made_up(kind: str, texts: int, seed: str) -> Count:
    chance = Random(seed)
    return count(("made-up secrets", kind), (("", made_up.KINDS[kind](chance)) for _ in range(texts)))


def counts(pool_size: int, keys: int, each: int, seed: int) -> Iterator[Count]:
    """Give the count of each piece of the work, as it is done."""
    with Pool(pool_size) as pool:
        work = [
            partial(count_made_up, kind, min(PIECE, each - at), f"{seed} {kind} {at}")
            for kind in made_up.KINDS
            for at in range(0, each, PIECE)
        ]
        work += [
            partial(count_public, public_texts.Key(kind, seed + number))
            for kind in public_texts.KINDS
            for number in range(keys)
        ]
        work += [partial(count_references), partial(count_recorded)]
        yield from pool.imap_unordered(call, work)


def call(work: "partial[Count]") -> Count:
    return work()


BOUNDS: dict[str, tuple[str, Callable[[Count], bool]]] = {
    "public texts": ("all of them refused", lambda found: found.refused == found.texts),
    "recorded rows": ("none refused", lambda found: not found.refused),
    "made-up secrets": ("fewer than 1 in 100,000 refused", lambda found: found.refused * 100_000 < found.texts),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lookalikes", description=__doc__)
    parser.add_argument("--each", type=int, default=MADE_UP, help="made-up secrets of each kind (%(default)s)")
    parser.add_argument("--keys", type=int, default=KEYS, help="keys of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of all chance (%(default)s)")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many at a time (%(default)s)")
    options = parser.parse_args()
    started = time.monotonic()
    groups: dict[tuple[str, str], Count] = {}
    for piece in counts(options.processes, options.keys, options.each, options.seed):
        groups[piece.group] = groups[piece.group] + piece if piece.group in groups else piece
    broken = Counter[str]()
    for figure, (bound, holds) in BOUNDS.items():
        print(f"{figure}: {bound}")
        for found in sorted((g for key, g in groups.items() if key[0] == figure), key=lambda g: g.group):
            verdict = "" if holds(found) else f"  BROKEN {'; '.join(filter(None, found.accepted))}"
            broken[figure] += bool(verdict)
            print(
                f"  {found.group[1]:40}{found.refused:>9} of {found.texts:>7}{found.slowest * 1000:>8.1f} ms{verdict}"
            )
    print(f"{sum(broken.values())} bounds broken, {time.monotonic() - started:.0f} s, seed {options.seed}")
    return 1 if broken.total() else 0


if __name__ == "__main__":
    sys.exit(main())
