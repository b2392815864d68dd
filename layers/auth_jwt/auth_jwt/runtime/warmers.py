"""Events that ask nothing and only keep a process warm."""

from collections.abc import Mapping
from typing import Any, Final

PONG: Final[Mapping[str, str]] = {"ping": "pong"}
"""What they are answered. It is no answer to any question: neither a `code` nor a policy is in it."""

_SCHEDULERS: Final = ("aws.events", "aws.scheduler")
_PLUGIN: Final = "serverless-plugin-warmup"
# What requests are known by. Gateways write these members themselves, and a direct invocation has its token in one.
_OF_REQUESTS: Final = frozenset(
    {"requestContext", "httpMethod", "headers", "body", "type", "methodArn", "routeArn", "authorizationToken"}
    | {"identitySource", "jwt_token", "from_user", "from_domain", "call_id"}
)


def is_ping(event: object) -> bool:
    """Tell whether an *event* is a warmer's, and can be nothing else.

    Known are `{"warmer": true}`, as `lambda-warmer` sends it and schedules usually do; what EventBridge's rules and
    EventBridge Scheduler send by themselves; and the event of `serverless-plugin-warmup`. Whatever has a member of a
    request is a request.
    """
    if not isinstance(event, dict) or not _OF_REQUESTS.isdisjoint(event):
        return False
    return event.get("warmer") is True or _is_scheduled(event)


def _is_scheduled(event: Mapping[str, Any]) -> bool:
    source = event.get("source")
    return source == _PLUGIN or (source in _SCHEDULERS and event.get("detail-type") == "Scheduled Event")
