"""The log bears the ids that a gateway gave a request, so that its own logs can be asked about it."""

import pytest

from tools.events.stage import OUTCOMES, SAMPLES, read_json, stage


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("authorize", "rest-authorized-by-header"),
        ("authorize", "rest-denied-expired"),
        ("authorize", "http-authorized-by-header"),
        ("authorize", "alb-authorized-by-header"),
        ("gateway_authorizer", "rest-request-allowed-by-header"),
        ("gateway_authorizer", "websocket-allowed-by-header"),
        ("gateway_authorizer", "rest-token-allowed"),
        ("provisioning", "list-profiles"),
    ],
)
def test_the_log_bears_the_ids_that_the_gateway_gave(function: str, name: str) -> None:
    """Callers may choose the first one, but not the extended one, which not every gateway gives."""
    event = read_json(SAMPLES / function / f"{name}.json")
    about = event.get("requestContext", {})

    with stage(read_json(SAMPLES / OUTCOMES[function])["settings"], function) as ready:
        record = ready.ask(event).record

    extended = about.get("extendedRequestId")
    is_lean = record["outcome"] == "authorized"  # and then one id is enough
    assert record.get("gateway_request_id") == (None if is_lean and extended else about.get("requestId"))
    assert record.get("gateway_extended_request_id") == extended
