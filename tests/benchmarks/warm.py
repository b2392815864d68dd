"""Warm: what a call takes once everything is loaded and the rows are remembered.

A REST API event in; the answer, its log line and its metrics out, standard output being a file. Beside it, in blocks
that take turns: a bare `jwt.decode` of the same token with a prepared key, the obvious implementation, and peers.
"""

import cProfile
import gc
import importlib.util
import io
import json
import os
import pstats
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import jwt

from tests.benchmarks.figures import ALGORITHMS, DECODE, OBVIOUS, ONE_SECRET, OURS, Comparison, measured
from tests.benchmarks.node import AwsJwtVerify, NoNodeError, aws_jwt_verify
from tests.benchmarks.tables import NUMBERS_OF_SECRETS, service_environment, token_with
from tools.events.stage import SAMPLES, Handler, Json, LambdaContext, environment, load_handler, read_json

CALLS: Final = 100  # in a block: some milliseconds, so that what disturbs one disturbs the others beside it
PRIMING_CALLS: Final = 5  # before the clock runs: collecting garbage leaves the processor's caches cold
WARMING_CALLS: Final = 200
PROCESSES: Final = 5
JOSERFC: Final = "joserfc"
AWS_JWT_VERIFY: Final = "aws-jwt-verify (node)"

EVENTS: Final = {
    "HS256": "rest-authorized-by-header",
    "RS256": "rest-authorized-by-public-key",
    "ES256": "rest-authorized-by-key-set-es256",
    "EdDSA": "rest-authorized-by-key-set-eddsa",
}
DENIALS: Final = {
    "bad signature": ("rest-denied-wrong-secret", jwt.InvalidSignatureError),
    "expired": ("rest-denied-expired", jwt.ExpiredSignatureError),
}
TOKEN_EVENT: Final = "rest-token-allowed"
OBVIOUS_APP: Final = Path(__file__).resolve().parent / "obvious" / "app.py"

Call = Callable[[], object]
Block = Callable[[], float]
"""Measures one sample: microseconds a call."""


# -- events and keys --------------------------------------------------------------------------------------------------


def rest_event(name: str) -> Json:
    """Return a sample event of `POST /authorize`."""
    return read_json(SAMPLES / "authorize" / f"{name}.json")


def token_of(event: Json) -> str:
    """Return the token in its Authorization header."""
    return str(event["headers"]["Authorization"]).split()[-1]


def asking(token: str) -> Json:
    """Return a REST API event with *token* in its header."""
    event = rest_event(EVENTS["HS256"])
    bearer = f"Bearer {token}"
    event["headers"]["Authorization"], event["multiValueHeaders"]["Authorization"] = bearer, [bearer]
    return event


def stored_secret(token: str) -> str:
    """Return the sample secret of the token's tag, as the table has it."""
    tag = jwt.decode(token, options={"verify_signature": False})["tag"]
    items = (row["PutRequest"]["Item"] for row in read_json(SAMPLES / "rows.json")["jwt_secrets"])
    return next(str(item["secret"]["S"]) for item in items if item["corresponding_tag"]["S"] == tag)


def prepared_key(token: str, algorithm: str) -> Any:
    """Return the sample key that verifies *token*, ready for PyJWT."""
    stored = stored_secret(token)
    if stored.startswith("{"):
        kid = jwt.get_unverified_header(token)["kid"]
        return next(key.key for key in jwt.PyJWKSet.from_json(stored).keys if key.key_id == kid)
    return jwt.get_algorithm_by_name(algorithm).prepare_key(stored)


# -- subjects ---------------------------------------------------------------------------------------------------------


def authorize(handler: Handler, event: Json, status: int = 200) -> Call:
    """Return a call of *handler* with *event*, after one that shows that its answer is *status*."""
    call = partial(handler, event, LambdaContext("00000000-0000-4000-8000-000000000001"))
    answer = call()
    if answer["statusCode"] != status:
        raise RuntimeError(f"the answer is {answer['statusCode']}, not {status}")
    return call


def decode(token: str, algorithm: str) -> Call:
    """Return a call of `jwt.decode`."""
    call = partial(jwt.decode, token, prepared_key(token, algorithm), algorithms=[algorithm])
    call()
    return call


def refused_decode(token: str, error: type[Exception]) -> Call:
    """Return a call of `jwt.decode` that raises *error*, which is caught."""
    bare = partial(jwt.decode, token, prepared_key(token, "HS256"), algorithms=["HS256"])

    def call() -> None:
        with suppress(error):
            bare()
            raise RuntimeError("jwt.decode takes the token")

    return call


def joserfc_decode(token: str, algorithm: str) -> Call | None:
    """Return joserfc's decoding and checking of claims, with a key it has parsed; None where it is not installed."""
    try:
        from joserfc import jwk
        from joserfc import jwt as joserfc_jwt
    except ImportError:
        return None
    stored = stored_secret(token)
    key: Any
    if stored.startswith("{"):
        key = jwk.KeySet.import_key_set(json.loads(stored)).get_by_kid(jwt.get_unverified_header(token)["kid"])
    else:
        key = jwk.import_key(stored, "oct" if algorithm == "HS256" else "RSA")
    registry = joserfc_jwt.JWTClaimsRegistry()

    def call() -> None:
        registry.validate(joserfc_jwt.decode(token, key, algorithms=[algorithm]).claims)

    call()
    return call


def authorizer(address: str, event: Json) -> Call:
    """Return a call of the Lambda authorizer with *event*, which it allows."""
    with environment(service_environment(address, function="gateway_authorizer")):
        call = partial(load_handler("gateway_authorizer"), event, LambdaContext("00000000-0000-4000-8000-000000000001"))
        if "policyDocument" not in str(call()):
            raise RuntimeError("the authorizer gives no policy")
    return call


def obvious_handler(address: str, settings: Mapping[str, str] | None = None) -> Handler:
    """Load tests/benchmarks/obvious over the tables at *address*, with *settings* beside the defaults."""
    with environment({**obvious_environment(address), **(settings or {})}):
        spec = importlib.util.spec_from_file_location("obvious_app", OBVIOUS_APP)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {OBVIOUS_APP}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        handler: Handler = module.lambda_handler
        return handler


def obvious_environment(address: str) -> dict[str, str]:
    """Return the service's variables, with those that the obvious implementation has of its own."""
    return {
        **service_environment(address),
        "AWS_ENDPOINT_URL_DYNAMODB": address,
        "POWERTOOLS_SERVICE_NAME": "obvious",  # loggers of the same name would share what writes them
        "POWERTOOLS_METRICS_NAMESPACE": "Obvious",
    }


# -- blocks -----------------------------------------------------------------------------------------------------------


@contextmanager
def output_to_a_file() -> Iterator[None]:
    """Make standard output a file, for Python and for whoever writes to file descriptor 1."""
    sys.stdout.flush()
    before, python_before = os.dup(1), sys.stdout
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stdout = python_before
            os.dup2(before, 1)
            os.close(before)


def block_of(call: Call) -> Block:
    """Return what measures a block of *call*."""

    def block() -> float:
        sys.stdout.flush()
        os.lseek(1, 0, os.SEEK_SET)
        os.ftruncate(1, 0)
        gc.collect()
        for _ in repeat(None, PRIMING_CALLS):
            call()  # rows that are renewed once a second are renewed here, for one thing
        started = time.process_time()
        for _ in repeat(None, CALLS):
            call()
        return (time.process_time() - started) * 1e6 / CALLS

    return block


def blocks_of(calls: Mapping[str, Call | None]) -> dict[str, Block]:
    """Return the blocks of those *calls* that can be made, each warmed."""
    found = {name: call for name, call in calls.items() if call is not None}
    for call in found.values():
        for _ in repeat(None, WARMING_CALLS):
            call()
    return {name: block_of(call) for name, call in found.items()}


# -- the part ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """What was measured in one process: the samples of a comparison, by subject."""

    title: str
    base: str
    samples: dict[str, list[float]]


def warm(address: str, rounds: int, say: Callable[[str], None]) -> dict[str, Comparison]:
    """Measure everything that is warm, and return the comparisons by key.

    The rounds are spread over several processes, one after the other: where a process happens to lie in memory and how
    it hashes favours one subject or another by some per cent, for as long as it lives.

    Args:
        address: of the tables.
        rounds: pairs of blocks in each comparison.
        say: is told what is done, and which peer is left out.
    """
    try:
        with aws_jwt_verify():
            with_node = True
    except NoNodeError as reason:
        say(f"aws-jwt-verify is LEFT OUT: {reason}")
        with_node = False
    if importlib.util.find_spec("joserfc") is None:
        say("joserfc is LEFT OUT: not installed")
    found: dict[str, Taken] = {}
    processes = min(PROCESSES, rounds)
    # A worker for each task, and a fresh interpreter for each worker.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for number in range(processes):
            share = rounds // processes + (number < rounds % processes)
            for key, taken in pool.submit(taken_in_one_process, address, share, with_node).result().items():
                kept = found.setdefault(key, Taken(taken.title, taken.base, {name: [] for name in taken.samples}))
                for name, samples in taken.samples.items():
                    kept.samples[name].extend(samples)
            say(f"warm: process {number + 1} of {processes} is done")
    compared = {key: Comparison.of(of.title, "microseconds", of.base, of.samples) for key, of in found.items()}
    for comparison in compared.values():
        ratios = [f"{name} {at.median:.2f} x" for name, at in comparison.ratios.items() if name != comparison.base]
        say(f"warm, {comparison.title}: {', '.join(ratios)} {comparison.base}")
    return compared


def taken_in_one_process(address: str, rounds: int, with_node: bool) -> dict[str, Taken]:
    """Measure in this process, and return what was measured by key; see `warm`."""
    warnings.filterwarnings("ignore", "EdDSA is deprecated")  # joserfc's word on the name, RFC 9864
    found = {}
    with ExitStack() as stack:
        node = stack.enter_context(aws_jwt_verify()) if with_node else None
        stack.enter_context(environment(service_environment(address)))
        stack.enter_context(output_to_a_file())
        for key, title, base, blocks in _comparisons(address, node):
            gc.collect()
            gc.freeze()  # what lives for ever is not looked at again before each block
            found[key] = Taken(title, base, measured(blocks, rounds))
    return found


def _comparisons(address: str, node: AwsJwtVerify | None) -> Iterator[tuple[str, str, str, dict[str, Block]]]:
    ours, obvious = load_handler(), obvious_handler(address)
    for algorithm in ALGORITHMS:
        event = rest_event(EVENTS[algorithm])
        token = token_of(event)
        calls = {
            DECODE: decode(token, algorithm),
            OURS: authorize(ours, event),
            OBVIOUS: authorize(obvious, event),
            JOSERFC: joserfc_decode(token, algorithm),
        }
        blocks = blocks_of(calls)
        if node is not None and algorithm != "HS256":
            node.prepare(algorithm)
            blocks[AWS_JWT_VERIFY] = partial(node.microseconds, CALLS)
        yield algorithm, algorithm, DECODE, blocks

    many = {
        ONE_SECRET if number == 1 else f"{number} secrets": authorize(ours, asking(token_with(number)))
        for number in NUMBERS_OF_SECRETS
    }
    yield "secrets", "HS256, the last of several open secrets right", ONE_SECRET, blocks_of(many)

    for reason, (name, error) in DENIALS.items():
        event = rest_event(name)
        calls = {
            DECODE: refused_decode(token_of(event), error),
            OURS: authorize(ours, event, 401),
            OBVIOUS: authorize(obvious, event, 401),
        }
        yield f"denied {reason}", f"HS256, denied: {reason}", DECODE, blocks_of(calls)

    event = read_json(SAMPLES / "gateway_authorizer" / f"{TOKEN_EVENT}.json")
    calls = {DECODE: decode(event["authorizationToken"].split()[-1], "HS256"), OURS: authorizer(address, event)}
    yield "gateway_authorizer", "HS256, the Lambda authorizer, REST TOKEN event", DECODE, blocks_of(calls)


# -- where the time goes ----------------------------------------------------------------------------------------------

PROFILED_CALLS: Final = 20_000
PROFILE_LINES: Final = 25


def profile(address: str) -> str:
    """Return where the time of a warm HS256 request goes: the functions that take most themselves."""
    with environment(service_environment(address)), output_to_a_file():
        call = authorize(load_handler(), rest_event(EVENTS["HS256"]))
        for _ in repeat(None, WARMING_CALLS):
            call()
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in repeat(None, PROFILED_CALLS):
            call()
        profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(PROFILE_LINES)
    return text.getvalue()
