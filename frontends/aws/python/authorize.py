"""Ask the service whose token it is, from a SIP application in AWS.

Three ways lead there, and all of them end in one decision of what an answer means:

    via = through_invocation(alias_arn)               # the SDK's direct invoke
    via = through_function_url(url, region="...")     # a Function URL, signed
    via = through_api(url)                            # a private API

    match authorize(via, token, from_user):           # Fault: no decision, and never the user's fault
        case Authorized() as user: ...
        case Denied() as denied: ...

Make the way once, when the application starts: it keeps its connections open, and any number of threads may use it.
Needs boto3 and what boto3 brings. This file stands alone: copy it into the application.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 3.0
"""How long to wait for an answer; the service itself gives the tables 1.5 seconds (STORE_TIMEOUT_MS)."""
ATTEMPTS: Final = 2
"""Asking again is safe, since it changes nothing. Together this ends long before SIP's own 32 seconds do."""
CONNECTIONS: Final = 50
"""How many requests of this process may be on their way at once before connections are made for one request only."""

MAX_RETRY_AFTER: Final = 900
DEFAULT_RETRY_AFTER: Final = 5
"""Seconds."""

_NOT_FETCHED_YET: Final = "urn:auth-jwt:problem:key-not-fetched-yet"
_TOKEN: Final = re.compile(r"[!-~]+")
_CALL_ID: Final = re.compile(r"[ -~]{1,128}")
_ERROR_TYPE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Fault(Exception):
    """There is no decision, and it is not the user's fault: SIP 503. The message says why and quotes nothing sent."""


class Deferred(Fault):
    """There is no decision yet, and nobody is at fault: the key of the token's issuer is not fetched yet.

    It is SIP 503 as well, so an application that knows only Fault refuses nobody. It is no error in a log.

    Attributes:
        retry_after: in how many seconds to ask again, for `Retry-After`.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"deferred: the key that signed the token is not fetched yet; ask again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Authorized:
    """The token is good.

    Attributes:
        sip_username: whom it speaks for; the same as `from_user`.
        decoded_token: its header and its payload, joined by a dot.
        credentials: columns of the profile, as LOAD_CREDENTIALS names them.
        expires_at: UNIX seconds; no registration should outlive it.
    """

    sip_username: str
    decoded_token: str = field(repr=False)
    credentials: Mapping[str, Any] = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The token is refused, or is not this user's.

    Attributes:
        sip_status: what to answer. 401 is a challenge, for which a proxy answers 407. 403: the token is good, and
            somebody else's. Direct invocation does not tell one from the other, and it is always 401.
    """

    sip_status: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, not yet understood: an HTTP status, and a body."""

    status: int
    body: bytes = field(repr=False)


Transport = Callable[[bytes], Reply]
"""Sends a JSON body, and returns the reply or raises Fault."""


def authorize(
    via: Transport, token: str, from_user: str, *, from_domain: str | None = None, call_id: str | None = None
) -> Authorized | Denied:
    """Ask whether *token* is good, and *from_user* its user.

    Args:
        via: how to ask.
        token: as it stood after `Bearer`.
        from_user: user whom the SIP request acts as: of To in a REGISTER, of From in any other request.
        from_domain: domain likewise, when profiles have one.
        call_id: for the service's log.

    Raises:
        Deferred: nobody knows yet; answer 503 with its `retry_after`, and log no error.
        Fault: nobody knows; answer 503.
        TypeError: *from_user* is no text. Without it nobody would look whose token it is.
    """
    if not isinstance(from_user, str):
        raise TypeError("from_user is not a string")
    if not _TOKEN.fullmatch(token):
        return Denied(HTTPStatus.UNAUTHORIZED)  # no JWT, and perhaps not even Unicode, which JSON would not carry
    question = {"jwt_token": token, "from_user": from_user}
    if from_domain is not None:
        question["from_domain"] = from_domain
    if call_id is not None and _CALL_ID.fullmatch(call_id):
        question["call_id"] = call_id
    answer = decision_of(via(json.dumps(question).encode()))
    if isinstance(answer, Authorized) and answer.sip_username != from_user:
        raise Fault("the answer is about another user")
    return answer


def decision_of(reply: Reply) -> Authorized | Denied:
    """Understand *reply*.

    Only 200 with `"code": 1` authorizes, and only `"code": -1` denies.

    Raises:
        Deferred: it is 200 with `"code": 0`, as direct invocation says it, or 503 with the problem of that name.
        Fault: it is anything else: the gateway's own answer, a function error, a page of some proxy.
    """
    try:
        members = json.loads(reply.body)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        members = {}
    code = members.get("code")
    if type(code) is int and code == -1:
        return Denied(HTTPStatus.FORBIDDEN if reply.status == HTTPStatus.FORBIDDEN else HTTPStatus.UNAUTHORIZED)
    if type(code) is int and code == 1 and reply.status == HTTPStatus.OK:
        match members:
            case {
                "sip_username": str(user),
                "decoded_token": str(decoded),
                "credentials": dict(credentials),
                "expires_at": int(expires_at),
            } if user:
                return Authorized(user, decoded, credentials, expires_at)
    says_later = type(code) is int and code == 0 and reply.status == HTTPStatus.OK
    if says_later or (reply.status == HTTPStatus.SERVICE_UNAVAILABLE and members.get("type") == _NOT_FETCHED_YET):
        raise Deferred(_retry_after(members.get("retry_after")))
    raise Fault(f"an answer that decides nothing, HTTP status {reply.status}")


def _retry_after(seconds: object) -> int:
    """Return what can be meant, and the default instead of anything else."""
    return seconds if type(seconds) is int and 1 <= seconds <= MAX_RETRY_AFTER else DEFAULT_RETRY_AFTER


def through_invocation(
    function: str,
    *,
    session: boto3.Session | None = None,
    endpoint_url: str | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Transport:
    """Invoke the function by the SDK.

    Args:
        function: ARN of its alias, the stack's output AuthorizeFunctionArn.
        session: whose credentials; by default those of the process.
        endpoint_url: of Lambda, for a VPC endpoint without private DNS.
        answer_seconds: how long to wait, each of the attempts.
    """
    _keep_tokens_out_of_debug_logs()
    client = (session or boto3.Session()).client(
        "lambda",
        region_name=function.split(":")[3] if function.startswith("arn:") else None,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=answer_seconds,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},  # of throttling, too, after a short wait
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
        ),
    )

    def ask(body: bytes) -> Reply:
        try:
            given = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=body)
            reply = Reply(given["StatusCode"], given["Payload"].read())
        except ClientError as exc:
            raise Fault(f"Lambda answers {_named(exc.response.get('Error', {}).get('Code'))}") from exc
        except (BotoCoreError, urllib3.exceptions.HTTPError) as exc:
            raise Fault(f"no answer: {type(exc).__name__}") from exc
        if "FunctionError" in given:
            raise Fault(f"the function failed: {_error_type_of(reply)}")
        return reply

    return ask


def through_function_url(
    url: str,
    *,
    region: str,
    session: boto3.Session | None = None,
    service: str = "lambda",
    answer_seconds: float = ANSWER_SECONDS,
) -> Transport:
    """Send signed requests (Signature Version 4) to a Function URL.

    The signature takes the header Authorization, so the token travels in the body.

    Args:
        url: the output AuthorizeUrl of function-url.yaml, `/authorize` included.
        region: of the function.
        session: whose credentials; by default those of the process.
        service: what is signed for. `execute-api` asks an API with Gate=iam in the same way.
        answer_seconds: how long to wait, each of the attempts.

    Raises:
        ValueError: *url* is not https.
    """
    _keep_tokens_out_of_debug_logs()
    session = session or boto3.Session()
    send = _sender(url, answer_seconds)

    def ask(body: bytes) -> Reply:
        try:
            credentials = session.get_credentials()  # each time: those of a role are renewed in the meantime
            if credentials is None:
                raise Fault("no AWS credentials")
            request = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=body)
            SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        except BotoCoreError as exc:
            raise Fault(f"no AWS credentials: {type(exc).__name__}") from exc
        return send(body, dict(request.headers.items()))

    return ask


def through_api(
    url: str, *, api_id: str | None = None, api_key: str | None = None, answer_seconds: float = ANSWER_SECONDS
) -> Transport:
    """Send requests to an API of API Gateway.

    Args:
        url: the stack's output ApiUrl, or that of a VPC endpoint.
        api_id: which API of the VPC endpoint is meant, when the host name of *url* does not say so.
        api_key: for an API with Gate=api-key; a private one needs none.
        answer_seconds: how long to wait, each of the attempts.

    Raises:
        ValueError: *url* is not https.
    """
    named = {"x-apigw-api-id": api_id, "x-api-key": api_key}
    headers = {"Content-Type": "application/json"} | {name: value for name, value in named.items() if value}
    send = _sender(url, answer_seconds)
    return lambda body: send(body, headers)


def _sender(url: str, answer_seconds: float) -> Callable[[bytes, Mapping[str, str]], Reply]:
    """Return what posts a body to *url*, by connections that stay open."""
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise ValueError("the URL is not https")
    pool = urllib3.PoolManager(
        maxsize=CONNECTIONS,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=answer_seconds),
        # Only where nothing came back. Any status is an answer, and asking a throttled gateway again makes it worse.
        retries=urllib3.Retry(
            ATTEMPTS - 1, status=0, redirect=0, allowed_methods=None, respect_retry_after_header=False
        ),
    )

    def send(body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            response = pool.request("POST", url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as exc:
            cause = exc.reason if isinstance(exc, urllib3.exceptions.MaxRetryError) else exc
            raise Fault(f"no answer: {type(cause).__name__}") from exc
        return Reply(response.status, response.data)

    return send


def _error_type_of(reply: Reply) -> str:
    """Return the type of a function's error; its message is for the function's own log."""
    try:
        members = json.loads(reply.body)
    except ValueError:
        members = None
    return _named(members.get("errorType") if isinstance(members, dict) else None)


def _named(name: object) -> str:
    return name if isinstance(name, str) and _ERROR_TYPE.fullmatch(name) else "an unknown error"


def _keep_tokens_out_of_debug_logs() -> None:
    """Silence botocore at DEBUG: it would write bodies and session tokens where an application logs everything."""
    logging.getLogger("botocore").setLevel(logging.INFO)
