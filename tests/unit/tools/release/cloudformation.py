"""CloudFormation as a stub: each answer has the shape of AWS's API, by botocore's model, and each question is known."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber

from tools.release.stacks import Stacks

RECORDED = Path(__file__).parent / "change_sets"
ACCOUNT = "arn:aws:cloudformation:eu-central-1:123456789012"
ROOT = f"{ACCOUNT}:stack/auth-jwt/11111111-0000-0000-0000-000000000000"


def a_client(service: Any = "cloudformation") -> Any:
    """Return a client that reaches nobody."""
    return boto3.client(
        service, "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing", aws_session_token="none"
    )


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the answers of a recorded change set: its pages, then those of nested stacks, in the order of asking."""
    pages: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    return pages


@contextmanager
def stacks(answers: Sequence[tuple[str, Any, Any]], said: list[str] | None = None) -> Iterator[Stacks]:
    """Give stacks whose client is answered by *answers*, in that order and no other.

    Each is an operation, its answer (a text is the code of an error, after it a colon and its message), and the
    parameters that are expected; None is any.
    """
    client = a_client()
    with Stubber(client) as stub:
        for operation, answer, expected in answers:
            if isinstance(answer, str):
                code, _, message = answer.partition(":")
                stub.add_client_error(operation, code, message, 400, expected_params=expected)
            else:
                stub.add_response(operation, answer or {}, expected)
        yield Stacks(client, sleep=lambda _: None, say=(said if said is not None else []).append)
        stub.assert_no_pending_responses()
