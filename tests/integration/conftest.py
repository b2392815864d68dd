"""The real handlers over DynamoDB in memory, set up as the demo sets them up."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from tools.events.stage import SAMPLES, Stage, read_json, stage

SetStage = Callable[..., Stage]
A_BUSY_MACHINE = "20000"
"""Milliseconds for DynamoDB in memory, where a test is not about its being late."""


@pytest.fixture(name="set_stage")
def _set_stage() -> Iterator[SetStage]:
    """Set a stage with settings of one's own; the environment is put back afterwards."""
    with ExitStack() as stack:

        def set_stage(function: str = "authorize", **settings: str) -> Stage:
            usual = {**read_json(SAMPLES / "outcomes.json")["settings"], "STORE_TIMEOUT_MS": A_BUSY_MACHINE}
            return stack.enter_context(stage({**usual, **settings}, function))

        yield set_stage


@pytest.fixture(name="calls")
def _calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of DynamoDB, as it is asked."""
    calls: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        consistency = "consistent" if arguments.get("ConsistentRead") else "eventual"
        calls.append(f"{operation} {arguments.get('TableName')} {consistency}")
        return original(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return calls


@pytest.fixture(name="outage")
def _outage(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and DynamoDB is gone."""

    def refuse(*_: object) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.eu-central-1.amazonaws.com")

    return lambda: monkeypatch.setattr(BaseClient, "_make_api_call", refuse)


@pytest.fixture(name="note_places")
def _note_places(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, str]]]:
    """Call it for a list of the regions and endpoints that DynamoDB is asked at from then on. It does not answer."""

    def note() -> list[tuple[str, str]]:
        places: list[tuple[str, str]] = []
        original = BaseClient._make_api_call  # type: ignore[attr-defined]

        def refuse(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
            if client.meta.service_model.service_name != "dynamodb":
                return original(client, operation, arguments)
            places.append((client.meta.region_name, client.meta.endpoint_url))
            raise EndpointConnectionError(endpoint_url=client.meta.endpoint_url)

        monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
        return places

    return note
