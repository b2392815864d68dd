"""How long the built functions take from nothing to their first answer."""

from statistics import median

import pytest

from events.stage import HERE, OUTCOMES, read_json
from tests.e2e.artifact.conftest import Run, Tell

STARTS = 3
INIT_LIMIT_SECONDS = 10  # of Lambda: who takes longer is started anew

FIRST_EVENTS = {"authorize": "rest-authorized-by-header", "gateway_authorizer": "rest-token-allowed"}


@pytest.mark.parametrize("function", OUTCOMES)
def test_a_function_is_ready_long_before_lambda_gives_up(run: Run, tell: Tell, function: str) -> None:
    settings = read_json(HERE / OUTCOMES[function])["settings"]
    event = (HERE / function / f"{FIRST_EVENTS[function]}.json").read_bytes()
    inits, firsts, seconds = [], [], []
    for _ in range(STARTS):
        with run(function, settings) as emulator:
            answers = [emulator.ask(event) for _ in range(2)]
            assert all(answer.is_good for answer in answers)
            inits.append(emulator.init_milliseconds)
            first, second = emulator.answer_milliseconds
            firsts.append(first)
            seconds.append(second)

    tell(
        f"{function}: init {median(inits):.0f} ms ({', '.join(f'{init:.0f}' for init in inits)}), "
        f"first answer {median(firsts):.0f} ms, second {median(seconds):.1f} ms; medians of {STARTS} starts"
    )
    assert max(inits) < INIT_LIMIT_SECONDS * 1000 / 2
