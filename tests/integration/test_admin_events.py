"""Every file of events/provisioning through the real handler, as its outcome says and openapi-admin.json describes."""

from collections.abc import Iterator

import pytest

from tests.integration.admin_client import misfits, operation_of
from tools.events.demo import Act, acts
from tools.events.outcomes import differences
from tools.events.stage import Stage, stage

ACTS = [act for act in acts() if act.function == "provisioning"]


@pytest.fixture(name="on_stage", scope="module")
def _on_stage() -> Iterator[Stage]:
    with stage(ACTS[0].settings, "provisioning") as ready:
        yield ready


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_an_event_is_answered_as_its_outcome_and_the_document_say(on_stage: Stage, act: Act) -> None:
    event = act.event()

    answer = on_stage.ask(event)

    assert differences(event, act.expected, answer) == []
    assert misfits(answer, operation_of(event["httpMethod"], event["path"])) == []
