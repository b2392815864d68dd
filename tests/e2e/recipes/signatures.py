"""Signature Version 4, checked: what AWS does with a request before anybody sees it.

Written from AWS's description ("Create a signed AWS API request") and the standard library alone, so it is a second
opinion about what botocore and the SDK for JavaScript sign.
"""

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, quote

TOLERATED_SECONDS: Final = 300
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Flaw(Enum):
    """Why a request is nobody's; the values are the types of Lambda's errors."""

    UNSIGNED = "MissingAuthenticationTokenException"
    UNKNOWN = "UnrecognizedClientException"
    WRONG = "InvalidSignatureException"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it arrived, header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: str = ""


def signer_of(request: Signed, keys: Mapping[str, str], *, region: str, service: str) -> str | Flaw:
    """Return whose access key signed *request*, or why none did.

    Args:
        request: what arrived.
        keys: secret keys by access key.
        region: that the signature must be for.
        service: likewise.
    """
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return Flaw.UNSIGNED
    key_id, day, *scope, names, signature = found.groups()
    if key_id not in keys:
        return Flaw.UNKNOWN
    stamp = request.headers.get("x-amz-date", "")
    signed = names.split(";")
    needed = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if scope != [region, service] or not stamp.startswith(day) or not needed <= set(signed) or not _is_recent(stamp):
        return Flaw.WRONG
    canonical = "\n".join(
        [
            request.method,
            quote(request.path, safe="/~"),  # encoded once more, as for all services but S3
            _canonical_query(request.query),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    within = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, within, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys[key_id]}".encode()
    for part in within.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    good = hmac.new(key, text.encode(), "sha256").hexdigest()
    return key_id if hmac.compare_digest(good, signature) else Flaw.WRONG


def _canonical_query(query: str) -> str:
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "&".join(f"{name}={value}" for name, value in pairs)


def _is_recent(stamp: str) -> bool:
    try:
        made = timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return False
    return abs(time.time() - made) < TOLERATED_SECONDS
