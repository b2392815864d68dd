"""Every file of events/ is answered by the built functions as it is by the code in the tree."""

import pytest

from tests.e2e.artifact.conftest import Running
from tools.events.demo import Act, acts
from tools.events.outcomes import differences
from tools.events.stage import SAMPLES


@pytest.mark.parametrize("act", acts(), ids=lambda act: f"{act.function}-{act.name}")
def test_an_event_is_answered_as_its_outcome_says(running: Running, act: Act) -> None:
    event = (SAMPLES / act.function / f"{act.name}.json").read_bytes()

    answer = running(act.function, act.settings).ask(event)

    assert differences(act.event(), act.expected, answer) == []
