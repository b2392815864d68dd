"""Pings: events that only keep a process warm."""

from collections.abc import Mapping
from typing import Any, Final

PONG: Final[Mapping[str, str]] = {"ping": "pong"}
"""The answer to a ping. It holds neither a `code` nor a policy, so nobody can take it for a decision."""

_SCHEDULERS: Final = ("aws.events", "aws.scheduler")
_PLUGIN: Final = "serverless-plugin-warmup"
# The members that mark a request: gateways write them, and a direct invocation has its token in one of them.
_OF_REQUESTS: Final = frozenset(
    {"requestContext", "httpMethod", "headers", "body", "type", "methodArn", "routeArn", "authorizationToken"}
    | {"identitySource", "jwt_token", "from_user", "from_domain", "call_id"}
)


def is_ping(event: object) -> bool:
    """Tell whether an *event* is a ping and nothing else.

    The known pings are `{"warmer": true}`, which `lambda-warmer` and most schedules send; the default events of
    EventBridge rules and EventBridge Scheduler; and the event of `serverless-plugin-warmup`. An event that has any
    member of a request is a request.
    """
    if not isinstance(event, dict) or not _OF_REQUESTS.isdisjoint(event):
        return False
    return event.get("warmer") is True or _is_scheduled(event)


def _is_scheduled(event: Mapping[str, Any]) -> bool:
    source = event.get("source")
    return source == _PLUGIN or (source in _SCHEDULERS and event.get("detail-type") == "Scheduled Event")
