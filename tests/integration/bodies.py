"""Requests to the real handler, in any form of an event."""

from typing import Any

from tools.events.authorize_events import FORMS
from tools.events.http_request import JSON_TYPE, Request
from tools.events.samples import ALICE


def event_of(
    body: str, *, form: str = "rest-", kind: str = JSON_TYPE, path: str = "/authorize", method: str = "POST"
) -> dict[str, Any]:
    event: dict[str, Any] = FORMS[form].event_of("a-name", Request(method, path, body=body, content_type=kind))
    return event


def in_json(token: str) -> str:
    """A body with *token* in it, as it stands there."""
    return f'{{"jwt_token":"{token}"}}'


def padded(length: int) -> str:
    """A body with a good token, and as many characters as that."""
    start = f'{{"jwt_token":"{ALICE.text}","x":"'
    return start + "x" * (length - len(start) - 2) + '"}'
