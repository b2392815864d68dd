"""What a client sends, and what AWS adds on the way to a function, whatever the form of the event."""

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tools.events.samples import Json, Token

STAGE: Final = "v1"
API_ID: Final = "a1b2c3d4e5"
URL_ID: Final = "abcdefghijklmnopqrstuvwxyz012345"
REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
API_HOST: Final = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
URL_HOST: Final = f"{URL_ID}.lambda-url.{REGION}.on.aws"
DOMAIN_HOST: Final = "auth.example.com"
ALB_HOST: Final = f"sip-auth-1234567890.{REGION}.elb.amazonaws.com"
PROXY_ADDRESS: Final = "203.0.113.17"
USER_AGENT: Final = "sip-proxy/1.0"
TIME: Final = "15/Jun/2025:10:30:00 +0000"
TIME_EPOCH: Final = 1749983400000
SAMPLE_ACCESS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
USER_ID: Final = "AIDASAMPLESAMPLESAMPL"
USER_ARN: Final = f"arn:aws:iam::{ACCOUNT}:user/sip-proxy"
CLIENT_CERTIFICATE: Final[Json] = {
    "clientCertPem": "CERT_CONTENT",
    "subjectDN": "CN=sip1.example.com",
    "issuerDN": "CN=Frontends of example.com",
    "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
    "validity": {"notBefore": "May 28 12:30:02 2025 GMT", "notAfter": "Aug  5 09:36:04 2027 GMT"},
}
"""As API Gateway's developer guide shows it, in "Create AWS Lambda proxy integrations for HTTP APIs"."""
JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"

WARMER: Final[Json] = {"warmer": True}
SCHEDULED: Final[Json] = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": ACCOUNT,
    "time": "2025-06-15T10:30:00Z",
    "region": REGION,
    "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/keep-warm"],
    "detail": {},
}
"""What keeps a function warm and asks nothing: as people write it, and as EventBridge sends it by itself."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends; each form makes a Lambda event of it."""

    method: str = "POST"
    path: str = "/authorize"
    headers: Pairs = ()
    query: Pairs = ()
    body: str | None = None
    content_type: str | None = None
    iam: bool = False
    mutual_tls: bool = False
    stage: str | None = None
    binary_media_types: bool = False
    user_agent: str = USER_AGENT


def bearer(*tokens: Token | str, scheme: str = "Bearer ", **more: Any) -> Request:  # noqa: ANN401
    """Ask with each token in an Authorization header of its own."""
    texts = (each.text if isinstance(each, Token) else each for each in tokens)
    return Request(headers=[("Authorization", (scheme + text).rstrip()) for text in texts], **more)


def json_body(value: object, **more: Any) -> Request:  # noqa: ANN401
    """Ask with a JSON body; a ``Token`` in it stands for its text."""
    text = json.dumps(value, default=lambda one: one.text, ensure_ascii=False)
    return Request(body=text, content_type=JSON_TYPE, **more)


def form_body(*fields: tuple[str, Token | str], **more: Any) -> Request:  # noqa: ANN401
    """Ask with a form body."""
    pairs = [(name, value.text if isinstance(value, Token) else value) for name, value in fields]
    return Request(body=urlencode(pairs), content_type=FORM_TYPE, **more)


def hex_of(name: str, length: int) -> str:
    """Return *length* hexadecimal digits, the same for a *name* every time."""
    return hashlib.sha256(name.encode()).hexdigest()[:length]


def uuid_of(name: str) -> str:
    """Return a UUID, the same for a *name* every time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:auth-jwt:event:{name}"))


def short_id_of(name: str) -> str:
    """Return an id as gateways give them, the same for a *name* every time."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:11]).decode()


def aws_headers(
    name: str, request: Request, host: str, length_too: bool, service: str = "execute-api"
) -> list[tuple[str, str]]:
    """Return the header fields of *request* with those that clients and AWS add; *service* is what they sign for."""
    headers = [("Accept", "*/*")]
    if request.content_type:
        headers.append(("Content-Type", request.content_type))
    if length_too:
        headers.append(("Content-Length", str(len((request.body or "").encode()))))
    if request.iam:
        signed = "content-type;host;x-amz-date"
        scope = f"{SAMPLE_ACCESS_KEY}/20250615/{REGION}/{service}/aws4_request"
        value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={hex_of(name, 64)}"
        headers += [("Authorization", value), ("X-Amz-Date", "20250615T103000Z")]
    return [
        *headers,
        *request.headers,
        ("Host", host),
        ("User-Agent", request.user_agent),
        ("X-Amzn-Trace-Id", f"Root=1-684e9fe8-{hex_of(name, 24)}"),
        ("X-Forwarded-For", PROXY_ADDRESS),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]


def last_values(pairs: Pairs) -> dict[str, str]:
    """Return of each name the last value."""
    return dict(pairs)


def all_values(pairs: Pairs) -> dict[str, list[str]]:
    """Return of each name all values."""
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    return many


def joined_values(pairs: Pairs) -> dict[str, str]:
    """Return of each name all values, joined by commas."""
    return {name: ",".join(values) for name, values in all_values(pairs).items()}


def lower_names(pairs: Pairs) -> list[tuple[str, str]]:
    """Return *pairs* with their names in lower case."""
    return [(name.lower(), value) for name, value in pairs]


def identity_of(request: Request) -> Json:
    """Return the ``identity`` of a request context."""
    empty = ["accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"]
    empty += ["cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"]
    identity: Json = dict.fromkeys(empty) | {"sourceIp": PROXY_ADDRESS, "userAgent": request.user_agent}
    return identity | ({"clientCert": CLIENT_CERTIFICATE} if request.mutual_tls else {})


def host_of(request: Request) -> tuple[str, str]:
    """Return host name and its first label, by which the request came: mutual TLS needs a domain."""
    return (DOMAIN_HOST, "auth") if request.mutual_tls else (API_HOST, API_ID)
