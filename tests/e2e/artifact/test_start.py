"""How long the built functions take from nothing to their first answer, and what their byte code is good for."""

from pathlib import Path
from statistics import median

import pytest

from tests.e2e.artifact.built import Artifact
from tests.e2e.artifact.conftest import Start, Tell
from tools.events.stage import OUTCOMES, SAMPLES, read_json

STARTS = 3
INIT_LIMIT_SECONDS = 10  # of Lambda: who takes longer is started anew

FIRST_EVENTS = {
    "authorize": "rest-authorized-by-header",
    "gateway_authorizer": "rest-token-allowed",
    "provisioning": "show-profile",
}


@pytest.mark.parametrize("function", OUTCOMES)
def test_a_function_is_ready_long_before_lambda_gives_up(
    start: Start, native: Artifact, tell: Tell, function: str, tmp_path: Path
) -> None:
    """And sooner with its byte code than without: what `sam build` writes is the same but for that."""
    settings = read_json(SAMPLES / OUTCOMES[function])["settings"]
    event = (SAMPLES / function / f"{FIRST_EVENTS[function]}.json").read_bytes()
    artifacts = {"with byte code": native, "without": native.without_byte_code(tmp_path)}
    inits: dict[str, list[float]] = {name: [] for name in artifacts}
    firsts: dict[str, list[float]] = {name: [] for name in artifacts}
    seconds: dict[str, list[float]] = {name: [] for name in artifacts}
    for _ in range(STARTS):
        for name, artifact in artifacts.items():
            with start(artifact, function, settings) as emulator:
                answers = [emulator.ask(event) for _ in range(2)]
                assert all(answer.is_good for answer in answers)
                inits[name].append(emulator.init_milliseconds)
                first, second = emulator.answer_milliseconds
                firsts[name].append(first)
                seconds[name].append(second)

    for name in artifacts:
        tell(
            f"{function}, {name}: init {median(inits[name]):.0f} ms"
            f" ({min(inits[name]):.0f} to {max(inits[name]):.0f}), first answer {median(firsts[name]):.0f} ms,"
            f" second {median(seconds[name]):.1f} ms; medians of {STARTS} starts, one after the other in turn"
        )
    assert max(inits["with byte code"]) < INIT_LIMIT_SECONDS * 1000 / 2
    soonest, soonest_without = (
        min(init + first for init, first in zip(inits[name], firsts[name], strict=True)) for name in artifacts
    )
    assert soonest < soonest_without
