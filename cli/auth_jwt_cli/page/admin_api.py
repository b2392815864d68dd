"""The admin API of a stack: each request is signed by the operator's own AWS credentials."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from auth_jwt.aws.failures import translated_errors
from auth_jwt.errors import Unreachable
from auth_jwt_cli.output import Misused
from auth_jwt_cli.signing import Sign

if TYPE_CHECKING:
    import urllib3

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30  # the gateway waits 29
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_REGION: Final = re.compile(r".*\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_PATHS: Final = re.compile(r"/admin(?:/.*)?\Z")


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer of the admin API.

    Attributes:
        status: its HTTP status.
        headers: its headers, by name in lower case.
        body: its body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class AdminApi:
    """The admin API at an address.

    Args:
        base: its URL, without `/admin` and what follows.
        sign: signs its requests.
        pool: makes the connections. It follows no redirect and repeats nothing.
    """

    def __init__(self, base: str, sign: Sign, pool: "urllib3.PoolManager") -> None:
        self.base = base
        self._sign = sign
        self.pool = pool

    def ask(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> ApiAnswer:
        """Send a signed request for a *target*: a path from `/admin` on, and a query, in their canonical form.

        Raises:
            Unreachable: no whole answer came; the request may have been carried out.
            Fault: it was not sent: it could not be signed.
        """
        import urllib3

        url = f"{self.base}{target}"
        with translated_errors("signing a request to the admin API"):
            signed = self._sign(method, url, body, {"Accept": "application/json", **(headers or {})})
        try:
            answer = self.pool.request(method, url, body=body or None, headers=dict(signed), redirect=False)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"the admin API at {self.base} does not answer ({type(reason).__name__})") from None
        return ApiAnswer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)


def pool_of(ca_bundle: str | None, proxy: str | None) -> "urllib3.PoolManager":
    """Make what connects to the admin API.

    Args:
        ca_bundle: a file of certificates to trust; None trusts those of the system.
        proxy: the URL of a proxy on the way; None goes there directly.
    """
    import urllib3

    patience = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    if proxy is not None:
        return urllib3.ProxyManager(proxy, retries=False, timeout=patience, ca_certs=ca_bundle)
    return urllib3.PoolManager(retries=False, timeout=patience, ca_certs=ca_bundle)


def base_of(url: str) -> str:
    """Return the address of an admin API without `/admin` and what follows, as it is signed.

    Raises:
        Misused: it is no https address. Only on this machine may it be http.
    """
    parts = urlsplit(url)
    is_here = parts.hostname in _LOOPBACK
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Misused("--url is the output AdminApiUrl of the stack, which begins with https://")
    if parts.scheme == "http" and not is_here:
        raise Misused("--url begins with http://, by which anybody on the way could read secrets: https:// is needed")
    return f"{parts.scheme}://{parts.netloc}{_PATHS.sub('', parts.path).rstrip('/')}"


def region_in(base: str) -> str | None:
    """Return the region that the name of an API has; None for a domain of one's own."""
    found = _REGION.fullmatch(urlsplit(base).hostname or "")
    return found[1] if found else None
