"""One GET from an issuer's server, in bounded time and size, over a connection to an address that was judged.

urllib3 speaks HTTP. What it lacks is here: a limit for all the time and all the bytes of an answer, an address that was
judged before, and errors that quote nothing of what was received. docs/decisions/0031 says why no other client serves.
"""

import logging
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from auth_jwt.errors import Fault
from auth_jwt.fetching.addresses import HOST, Location, Network, Resolver, locate, resolve
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.rules import MAX_RETRY_AFTER
from auth_jwt.ports import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS: Final = 2.0
FETCH_SECONDS: Final = 5.0
MAX_BODY_BYTES: Final = 256 * 1024

_MAX_RECEIVED: Final = 4
"""How many times the bytes of the longest body may come in all: headers, and the framing of small chunks."""

_PIECE_BYTES: Final = 16 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')  # RFC 9110, section 8.8.3, and shorter
_SECONDS = re.compile(r"[0-9]{1,9}")
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "close",
    "User-Agent": "auth-jwt",
}
_ERRORS: Final = (OSError, HTTPException, HTTPError, ValueError)
"""What urllib3 and what it stands on raise at a server that answers badly, or not at all."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered.

    Attributes:
        status: 200; or 304 when the document is still the one of the ETag that was sent.
        body: the document, decompressed; empty with 304.
        etag: the ETag to send next time; None when the server gives none.
        started_at: when the fetch began, in UNIX seconds.
    """

    status: int
    body: bytes = field(repr=False)
    etag: str | None
    started_at: float


class LimitedSocket(ssl.SSLSocket):
    """A TLS connection that yields so many bytes at most, until a deadline, however slowly each of them comes."""

    _deadline: Deadline
    _bytes_left: int

    def limit(self, deadline: Deadline, max_bytes: int) -> None:
        """Set both limits. Before, only the handshake is possible, which has a time limit of its own."""
        self._deadline = deadline
        self._bytes_left = max_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether more bytes came than may come."""
        return self._bytes_left < 0

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        """Receive bytes, as of `SSLSocket`.

        Raises:
            TimeoutError: no time is left.
            OSError: more bytes came than may come, among others.
        """
        self.settimeout(_seconds_left(self._deadline))
        count = super().recv_into(buffer, nbytes, flags)
        self._bytes_left -= count
        if self.is_exhausted:
            raise OSError("too much")
        return count


def tls_context(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """Return a context that checks certificate and host name, from TLS 1.2 on.

    Args:
        ca_bundle: a file with the certificates of the authorities to trust, in place of the system's.

    Raises:
        Fault: that file cannot be read, or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525, section 1.1: only alternative names count
    context.sslsocket_class = LimitedSocket
    if ca_bundle is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_bundle)
    except OSError:  # ssl.SSLError is one
        raise Fault(f"no certificates of authorities can be read from {ca_bundle}") from None
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerClient:
    """Fetches documents from issuers. It keeps no connection, no cookie and no state, and may serve many threads.

    Attributes:
        tls: how servers are authenticated; of `tls_context`.
        accepted: networks of the operator's whose addresses need not be public.
        connect_seconds: how long connecting may take, and the TLS handshake as well.
        fetch_seconds: how long a fetch may take in all: the name, both attempts, the whole body.
        max_body_bytes: the longest body accepted, decompressed.
        resolver: resolves names.
        timer: returns the time in seconds, by a monotonic clock.
        clock: returns the time in UNIX seconds.
    """

    tls: ssl.SSLContext = field(default_factory=tls_context, repr=False)
    accepted: Sequence[Network] = ()
    connect_seconds: float = CONNECT_SECONDS
    fetch_seconds: float = FETCH_SECONDS
    max_body_bytes: int = MAX_BODY_BYTES
    resolver: Resolver = socket.getaddrinfo
    timer: Callable[[], float] = time.monotonic
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Have urllib3 log no warning of a connection: it would quote malformed headers."""
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def fetch(self, url: str, *, etag: str | None = None) -> Fetched:
        """Return the document at *url*.

        A server that cannot be reached, breaks off or answers 5xx is asked once more, at another of its addresses if
        it has one; unless it says when to come again.

        Args:
            url: an https URL.
            etag: the ETag of the document as fetched before. The server may then answer 304.

        Raises:
            FetchFailed: there is no such document now. The message says why.
        """
        started_at = self.clock()
        deadline = Deadline(self.fetch_seconds, self.timer)
        location = locate(url)
        addresses = resolve(location, accepted=self.accepted, resolver=self.resolver, deadline=deadline)
        sent = etag if etag is not None and _ETAG.fullmatch(etag) else None
        headers = {"Host": location.authority, **_HEADERS, **({"If-None-Match": sent} if sent else {})}
        try:
            return self._ask(location, addresses[0], headers, deadline, started_at)
        except _PassingFailure:
            if deadline.seconds_left() == 0:
                raise
        return self._ask(location, _second_choice(addresses), headers, deadline, started_at)

    def _ask(
        self, location: Location, address: str, headers: Mapping[str, str], deadline: Deadline, started_at: float
    ) -> Fetched:
        """Ask the server at one *address*, once."""
        with closing(self._connect(location, address, deadline)) as connection:
            tls = cast("LimitedSocket", connection.sock)
            try:
                tls.limit(deadline, _MAX_RECEIVED * self.max_body_bytes)
                connection.timeout = _seconds_left(deadline)
                connection.request("GET", location.target, headers=headers, preload_content=False, decode_content=False)
                with closing(connection.getresponse()) as response:
                    return self._read_answer(response, location.host, headers.get("If-None-Match"), started_at)
            except _ERRORS as error:
                failure = self._explain_broken_answer(error, location.host, is_too_large=tls.is_exhausted)
        # Raised outside `except`: another error, whose text may quote what came, would become its context.
        raise failure

    def _connect(self, location: Location, address: str, deadline: Deadline) -> HTTPSConnection:
        """Connect to one *address*. Only a server with a certificate for the host's name is the right one."""
        try:
            seconds = min(self.connect_seconds, _seconds_left(deadline) / 2)  # for TCP, and again for TLS
            connection = HTTPSConnection(
                address, location.port, timeout=seconds, ssl_context=self.tls, server_hostname=location.host
            )
            connection.connect()
        except _ERRORS as error:
            failure = _explain_no_connection(error, location)
        else:
            return connection
        raise failure

    def _read_answer(self, response: BaseHTTPResponse, host: str, sent: str | None, started_at: float) -> Fetched:
        etag = response.headers.get("ETag")
        if etag is not None and not _ETAG.fullmatch(etag):
            etag = None
        if response.status == HTTPStatus.OK:
            return Fetched(HTTPStatus.OK, self._read_body(response, host), etag, started_at)
        if response.status == HTTPStatus.NOT_MODIFIED and sent is not None:
            return Fetched(HTTPStatus.NOT_MODIFIED, b"", etag or sent, started_at)
        raise _explain_status(response, host, self.clock())

    def _read_body(self, response: BaseHTTPResponse, host: str) -> bytes:
        """Read the body piece by piece, and no more than it may hold.

        A body without a stated length ends with the connection. Whether it is whole, its JSON tells: an object ends.
        """
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise FetchFailed(
                FailureKind.BAD_ENCODING,
                f"{host} answers in another encoding than gzip, though it was asked for none: its server, or a proxy"
                " before it, must heed Accept-Encoding",
            )
        gzip = None if encoding == "identity" else zlib.decompressobj(_GZIP)
        body = bytearray()
        for piece in response.stream(_PIECE_BYTES, decode_content=False):
            try:
                body += piece if gzip is None else gzip.decompress(piece, self.max_body_bytes + 1 - len(body))
            except zlib.error:
                raise _damaged_gzip(host) from None
            if len(body) > self.max_body_bytes:
                raise self._too_large(host)
        if gzip is not None and (not gzip.eof or gzip.unused_data):
            raise _damaged_gzip(host)
        if not body:  # as well when the headers are broken off before they say how long it is
            raise _PassingFailure(FailureKind.BROKEN_ANSWER, f"{host} gives an empty answer. Ask again later")
        return bytes(body)

    def _too_large(self, host: str) -> FetchFailed:
        return FetchFailed(
            FailureKind.TOO_LARGE,
            f"{host} answers with more than {self.max_body_bytes} bytes: no key set is as large. Check the address",
        )

    def _explain_broken_answer(self, error: Exception, host: str, *, is_too_large: bool) -> FetchFailed:
        if is_too_large:
            return self._too_large(host)
        if isinstance(_cause_of(error), TimeoutError):
            return FetchFailed(
                FailureKind.TIMEOUT,
                f"{host} gave no whole answer within {self.fetch_seconds:g} s. Ask again later, or ask who runs it",
            )
        return _PassingFailure(
            FailureKind.BROKEN_ANSWER,
            f"{host} broke its answer off, or it is not HTTP ({type(error).__name__}). Ask again later, or ask who"
            " runs it",
        )


class _PassingFailure(FetchFailed):
    """A failure that may have passed at a second attempt."""


def _second_choice(addresses: Sequence[str]) -> str:
    """Return the address for the second attempt, of the other family if there is one: often only one is routed."""
    first, *rest = addresses
    others = [address for address in rest if (":" in address) != (":" in first)]
    return next(iter((*others, *rest)), first)


def _seconds_left(deadline: Deadline) -> float:
    """Return the seconds until the deadline.

    Raises:
        TimeoutError: none are left. As the timeout of a socket, 0 would mean not to wait, and not to fail either.
    """
    seconds = deadline.seconds_left()
    if seconds == 0:
        raise TimeoutError
    return seconds


def _explain_no_connection(error: Exception, location: Location) -> FetchFailed:
    where = location.authority
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchFailed(
            FailureKind.TLS,
            f"the certificate of {where} is not accepted: {error.verify_message}. If it comes from an authority of"
            " your own, give its certificate as the bundle",
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):  # at which it has hung up
        return FetchFailed(
            FailureKind.TLS,
            f"{where} makes no TLS connection ({error.reason}): TLS 1.2 or newer is needed. Check the port",
        )
    cause = _cause_of(error)
    if isinstance(cause, TimeoutError):
        return _PassingFailure(
            FailureKind.TIMEOUT, f"{where} accepts no connection in time: a firewall may drop what is sent to it"
        )
    said = getattr(cause, "strerror", None) or type(cause).__name__
    return _PassingFailure(
        FailureKind.UNREACHABLE, f"{where} accepts no connection ({said}): check the address, and whether it runs"
    )


def _cause_of(error: Exception) -> BaseException:
    """Return what urllib3 wraps in *error*, or the error itself."""
    return error.__cause__ or error


def _explain_status(response: BaseHTTPResponse, host: str, now: float) -> FetchFailed:
    status = response.status
    if 300 <= status < 400 and status != HTTPStatus.NOT_MODIFIED:
        return FetchFailed(
            FailureKind.REDIRECTED,
            f"{host} answers {status}{_pointed_to(response.headers.get('Location', ''))}, and no redirect is followed."
            " Give the address that it leads to, if you trust it",
        )
    retry_after = None
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        retry_after = _read_retry_after(response.headers.get("Retry-After", ""), now)
    kind = _PassingFailure if status >= 500 and retry_after is None else FetchFailed
    return kind(
        FailureKind.BAD_STATUS,
        f"{host} answers {status}, and not 200. Check the address; if it is right, ask who runs the server",
        retry_after=retry_after,
    )


def _pointed_to(location: str) -> str:
    """Say to which host a redirect points, if that can be read; nothing else that a server says is repeated."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return ""
    return f" and points to {host}" if HOST.fullmatch(host) else ""


def _read_retry_after(value: str, now: float) -> int | None:
    """Read seconds or a date (RFC 9110, section 10.2.3) as seconds from *now*, `MAX_RETRY_AFTER` at most."""
    if _SECONDS.fullmatch(value):
        return min(int(value), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return ceil(min(max(seconds, 0), MAX_RETRY_AFTER))


def _damaged_gzip(host: str) -> FetchFailed:
    return FetchFailed(
        FailureKind.BAD_ENCODING, f"{host} answers with gzip that is damaged or incomplete. Ask who runs the server"
    )
