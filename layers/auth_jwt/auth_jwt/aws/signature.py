"""AWS Signature Version 4 for the requests of the express lane: a POST of JSON to the root of an endpoint.

So the canonical request has the path `/` and no query string, and every header is signed. It is byte for byte the
canonical request that botocore's signer makes; a property test compares the two.
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

SERVICE: Final = "dynamodb"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """The credentials that requests are signed with. No part is ever shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def sign_headers(
    headers: Mapping[str, str], body: bytes, *, credentials: AwsCredentials, region: str, now: float
) -> dict[str, str]:
    """Return *headers* and the further headers that sign them and the *body*.

    Args:
        headers: the headers to send, `Host` included. Each name occurs once, in any case.
        body: the body to send.
        credentials: the credentials to sign with.
        region: the region of the endpoint.
        now: UNIX seconds.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    date = timestamp[:8]
    complete = {**headers, "X-Amz-Date": timestamp}
    if credentials.token:
        complete["X-Amz-Security-Token"] = credentials.token
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in complete.items())
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{date}/{region}/{SERVICE}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = _hmac(signing_key(credentials.secret_key, date, region, SERVICE), to_sign).hex()
    complete["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return complete


def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """Return the key that signs on one *date* (YYYYMMDD) in one *region* for one *service*."""
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
