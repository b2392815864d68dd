"""AWS Signature Version 4 for what the express lane sends: one POST of JSON to the root of an endpoint.

The canonical request is fixed by that: no path, no query string, every header signed. It is byte for byte what
botocore's signer makes of the same request; a property test holds the two together.
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
    """In whose name requests are signed; none of it is ever shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def signed(
    headers: Mapping[str, str], body: bytes, *, credentials: AwsCredentials, region: str, now: float
) -> dict[str, str]:
    """Return *headers* with those that sign them and the *body*.

    Args:
        headers: what is sent, `Host` included; a name occurs once, in whatever case.
        body: what is sent.
        credentials: in whose name.
        region: of the endpoint.
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
