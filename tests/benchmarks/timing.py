"""What the time of a denial tells: `make bench-timing`.

Every denial looks the same. Does it take the same time? Each question below is a pair of requests that are both
denied, and whose rows differ in one thing that a caller should not learn. Requests of all pairs take turns in random
order, over the real handler with DynamoDB in memory, or over HTTP to `make serve`. For each pair it prints the
difference of the medians with its 95 % interval (bootstrap), the share of cases in which a request of the second kind
takes longer (Mann-Whitney: 50 % is chance), Welch's t of the samples below their 75th percentile (dudect: beyond 4.5
the times differ), and how many requests tell the two apart beside so much jitter of the network.

Where tags are asked about for the first time, each is asked about once; else their rows are remembered.
"""

import argparse
import gc
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization

from tests.benchmarks.tables import database, service_environment, tables
from tests.benchmarks.warm import asking, output_to_a_file
from tests.e2e.serve.serving import serving
from tools.events.samples import END_2100, START_2024, START_2025, START_2099, Signer, Token, hmac_signer
from tools.events.stage import FALSE_CREDENTIALS, REGION, ROOT, LambdaContext, environment, load_handler, template

ROUNDS: Final = {"handler": 1000, "http": 1000}
JITTERS_MS: Final = (0.1, 1.0, 10.0)
"""Standard deviation of the network: another function of the region; a good line; the internet."""
SURE: Final = 1.96 + 1.645
"""Two-sided 5 % of false alarms, and 95 % of differences found, in standard deviations."""
RESAMPLES: Final = 400
CROP: Final = 0.75
"""Which part of the samples, the shortest of both kinds, the t-test looks at: what is beyond is the machine's noise."""
PATIENT: Final = {"STORE_TIMEOUT_MS": "20000"}
"""A busy machine may answer late. That would be a fault, which is no denial to be timed."""
BLOCK: Final = 10
"""Samples of each kind of a pair that follow each other in random order."""
KEY: Final = "secret-of-the-timing-benchmark-never-use"
OTHER_KEY: Final = "another-of-the-timing-benchmark-never-use"
PRIVATE_KEY: Final = ROOT / "tests" / "keys" / "rsa_2048.pem"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests that are denied alike.

    Attributes:
        question: what an attacker would like to know.
        first, second: the two kinds of request, in words.
        tokens: for the number of a sample, a token of each kind.
        remembered: whether the rows are, which they are not where each sample has a tag of its own.
    """

    question: str
    first: str
    second: str
    tokens: Callable[[int], tuple[str, str]]
    remembered: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What the samples of a pair say.

    Attributes:
        requests: by jitter in milliseconds, how many of each kind tell them apart; None where no difference was seen.
    """

    question: str
    first_us: float
    second_us: float
    difference_us: float
    low_us: float
    high_us: float
    longer: float
    t: float
    requests: Mapping[str, int | None]

    @property
    def seen(self) -> bool:
        """Say whether there is a difference: the interval is on one side of zero, and t is beyond dudect's bound."""
        return self.low_us * self.high_us > 0 and abs(self.t) > 4.5


def forged(tag: str, *, key: str = OTHER_KEY, kid: str | None = None) -> str:
    """Return a token for *tag* that *key* signed."""
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
    return Token({"tag": tag, "iat": START_2025, "exp": START_2099}, hmac_signer(key), header).text


def by_rsa(tag: str) -> str:
    """Return a token for *tag* with a signature that no key of RSA made."""
    return Token({"tag": tag, "iat": START_2025, "exp": START_2099}, Signer("RS256", lambda _: b"\1" * 256)).text


def with_signature(token: str, change: Callable[[str], str]) -> str:
    """Return *token* with a changed signature."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{change(signature)}"


def _another(letter: str) -> str:
    return "A" if letter != "A" else "B"


def pairs() -> tuple[Pair, ...]:
    """Return the questions. No two kinds of request share a tag, or one would profit from the other's reads."""
    right = [forged(f"timing-signature-{kind}", key=KEY) for kind in ("far", "near")]
    far = with_signature(right[0], lambda text: _another(text[0]) + text[1:])
    near = with_signature(right[1], lambda text: text[:-2] + _another(text[-2]) + text[-1])

    def always(first: str, second: str) -> Callable[[int], tuple[str, str]]:
        return lambda _: (first, second)

    return (
        Pair("nothing: two tags alike", "a tag", "another", always(forged("timing-a"), forged("timing-b"))),
        Pair("does a tag exist, asked for the first time", "unknown", "existing",
             lambda number: (forged(f"timing-unknown-{number}"), forged(f"timing-cold-{number}")), remembered=False),
        Pair("does a tag exist, asked again", "unknown", "existing", always(forged("timing-none"), forged("timing-1"))),
        Pair("is a user disabled", "enabled", "disabled", always(forged("timing-enabled"), forged("timing-disabled"))),
        Pair("how much of a signature is right", "its first character is wrong", "its last but one is",
             always(far, near)),
        Pair("how many secrets has a tag", "one", "ten", always(forged("timing-few"), forged("timing-many"))),
        Pair("which kind of key has a tag", "HMAC", "RSA", always(by_rsa("timing-hmac"), by_rsa("timing-rsa"))),
        Pair("does a key id exist", "unknown", "known",
             always(forged("timing-kid-1", kid="nowhere"), forged("timing-kid-2", kid="there"))),
    )  # fmt: skip


def public_key() -> str:
    """Return the public key of `timing-rsa`, as PEM."""
    private = serialization.load_pem_private_key(PRIVATE_KEY.read_bytes(), password=None)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, info).decode()


def fill(address: str, rounds: int) -> None:
    """Write the rows that the pairs need."""
    import boto3

    with environment(FALSE_CREDENTIALS):
        resource = boto3.resource("dynamodb", endpoint_url=address, region_name=REGION)
        plain = ("a", "b", "1", "enabled", "disabled", "signature-far", "signature-near", "few", "hmac")
        secrets: dict[str, list[dict[str, Any]]] = {
            **{f"timing-{name}": [{"secret": KEY}] for name in plain},
            "timing-many": [{"secret": f"{KEY}-{number}"} for number in range(10)],
            "timing-rsa": [{"secret": public_key()}],
            **{f"timing-kid-{number}": [{"secret": KEY, "kid": "there"}] for number in (1, 2)},
            **{f"timing-cold-{number}": [{"secret": KEY}] for number in range(rounds)},
        }
        with resource.Table("jwt_profiles").batch_writer() as batch:
            for tag in secrets:
                disabled = {"disabled": True} if tag == "timing-disabled" else {}
                batch.put_item(Item={"tag": tag, "sip_username": tag, **disabled})
        with resource.Table("jwt_secrets").batch_writer() as batch:
            for tag, rows in secrets.items():
                for number, row in enumerate(rows):
                    window = {"start_ts": START_2024, "end_ts": END_2100}
                    batch.put_item(Item={"corresponding_tag": tag, "id": str(number), **window, **row})


Ask = Callable[[str], int | None]
"""Asks about a token, and returns how many nanoseconds the denial took; None for a fault: a busy machine has some."""


@contextmanager
def by_the_handler(address: str) -> Iterator[Ask]:
    """Ask the function, with no network at all."""
    with environment(service_environment(address, PATIENT)), output_to_a_file():
        handler = load_handler()
        context = LambdaContext("00000000-0000-4000-8000-000000000001")

        def ask(token: str) -> int | None:
            event = asking(token)
            begun = time.perf_counter_ns()
            answer = handler(event, context)
            took = time.perf_counter_ns() - begun
            return took if _is_denial(answer["statusCode"]) else None

        yield ask


@contextmanager
def by_http(address: str) -> Iterator[Ask]:
    """Ask `make serve` over one connection to loopback."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**FALSE_CREDENTIALS, "DB_URL": database(address), "WORKERS": "1", **PATIENT}
        with serving(Path(folder) / "log", **settings) as served:
            connection: HTTPConnection = served.connection()

            def ask(token: str) -> int | None:
                begun = time.perf_counter_ns()
                connection.request("POST", "/authorize", headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                answer.read()
                took = time.perf_counter_ns() - begun
                return took if _is_denial(answer.status) else None

            yield ask


def _is_denial(status: int) -> bool:
    if status not in (401, 503):
        raise RuntimeError(f"the answer is {status}, and a denial was to be timed")
    return status == 401


WAYS: Final = {"handler": by_the_handler, "http": by_http}


def sampled(ask: Ask, asked: Sequence[Pair], rounds: int, dice: random.Random) -> list[tuple[list[float], list[float]]]:
    """Return the microseconds of each kind of each pair.

    A denial by remembered rows is believed only after a second look, one a second for each tag. So a block of a pair
    begins with one request of each kind that is not counted, and what is counted are requests between second looks.
    """
    samples: list[tuple[list[float], list[float]]] = [([], []) for _ in asked]
    blocks = [at for at in range(len(asked)) for _ in range(rounds // BLOCK)]
    dice.shuffle(blocks)
    begun = dict.fromkeys(range(len(asked)), 0)
    for number, at in enumerate(blocks, 1):
        pair, numbers = asked[at], range(begun[at] * BLOCK, (begun[at] + 1) * BLOCK)
        begun[at] += 1
        gc.collect()
        if pair.remembered:
            for token in pair.tokens(0):
                ask(token)
        turns = [(kind, token) for one in numbers for kind, token in enumerate(pair.tokens(one))]
        dice.shuffle(turns)
        for kind, token in turns:
            if (took := ask(token)) is not None:
                samples[at][kind].append(took / 1000)
        if not number % 25:
            print(f"{number} of {len(blocks)} blocks ...", file=sys.stderr, flush=True)
    return samples


def judged(question: str, first: Sequence[float], second: Sequence[float], dice: random.Random) -> Finding:
    """Say what the samples of a pair tell."""
    medians = statistics.median(first), statistics.median(second)
    shifts = sorted(
        statistics.median(dice.choices(second, k=len(second))) - statistics.median(dice.choices(first, k=len(first)))
        for _ in range(RESAMPLES)
    )
    low, high = shifts[int(RESAMPLES * 0.025)], shifts[int(RESAMPLES * 0.975)]
    bound = sorted([*first, *second])[int((len(first) + len(second)) * CROP)]
    cropped = [[one for one in each if one <= bound] for each in (first, second)]
    variances = [statistics.variance(each) / len(each) for each in cropped]
    difference = statistics.mean(cropped[1]) - statistics.mean(cropped[0])
    t = difference / math.sqrt(sum(variances)) if sum(variances) else 0.0
    spread = statistics.pvariance(cropped[0] + cropped[1])
    found = Finding(question, *medians, medians[1] - medians[0], low, high, _share_longer(first, second), t, {})
    requests = {
        f"{jitter:g} ms": needed(difference, spread, jitter * 1000) if found.seen else None for jitter in JITTERS_MS
    }
    return Finding(**{**asdict(found), "requests": requests})


def needed(difference: float, variance: float, jitter: float) -> int:
    """Return how many requests of each kind tell apart two means that differ by *difference*, all in microseconds."""
    return math.ceil(2 * SURE**2 * (variance + jitter**2) / difference**2)


def _share_longer(first: Sequence[float], second: Sequence[float]) -> float:
    """Return in how many pairs of samples, of all, the second takes longer; ties count half."""
    order = sorted([(one, 0) for one in first] + [(one, 1) for one in second])
    ranks = 0.0
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and order[end][0] == order[at][0]:
            end += 1
        ranks += sum((at + 1 + end) / 2 for _, kind in order[at:end] if kind)
        at = end
    return (ranks - len(second) * (len(second) + 1) / 2) / (len(first) * len(second))


def table_of(findings: Sequence[Finding]) -> str:
    """Return the findings as a table in Markdown."""
    jitters = [f"{jitter:g} ms" for jitter in JITTERS_MS]
    lines = [
        f"| question | median | difference | 95 % interval | longer | t | requests at {' · '.join(jitters)} |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in findings:
        told = " · ".join(f"{one.requests[jitter]:,}" for jitter in jitters) if one.seen else "no difference seen"
        lines.append(
            f"| {one.question} | {one.first_us:,.0f} µs | {one.difference_us:+,.1f} µs "
            f"| {one.low_us:+,.1f} to {one.high_us:+,.1f} | {one.longer:.0%} | {one.t:+.1f} | {told} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print what time tells."""
    given = _parser().parse_args(arguments)
    throttle = template()["Parameters"]["ThrottleRate"]["Default"]
    results: dict[str, list[Finding]] = {}
    asked = [pair for pair in pairs() if pair.remembered or not given.remembered]
    for way in given.over or WAYS:
        rounds = given.rounds or ROUNDS[way]
        dice = random.Random(given.seed)  # for the order alone, so that a run can be repeated
        with tables() as address:
            fill(address, rounds)
            with WAYS[way](address) as ask:
                samples = sampled(ask, asked, rounds, dice)
        results[way] = [judged(pair.question, *kinds, dice) for pair, kinds in zip(asked, samples, strict=True)]
    if given.json:
        print(json.dumps({way: [asdict(one) for one in found] for way, found in results.items()}, indent=2))
        return 0
    for way, found in results.items():
        print(f"\nOver {way}:\n\n{table_of(found)}")
    print(f"\nThe gate lets {throttle} requests a second through (ThrottleRate), of all callers of a key together.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.timing",
        description=__doc__,
        epilog="Exit codes: 0 measured; 2 the command line is wrong.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--rounds", type=int, help="samples of each kind (1000)")
    parser.add_argument("--over", action="append", choices=list(WAYS), help="one way of asking; both unless given")
    parser.add_argument("--remembered", action="store_true", help="leave out the question that costs a read each time")
    parser.add_argument("--seed", type=int, default=1, help="of the random order (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for machines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
