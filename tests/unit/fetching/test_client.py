"""One GET from a server that answers or misbehaves: time, size, address, certificate, status and encoding."""

import gzip
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError

from auth_jwt.errors import Fault
from auth_jwt.fetching.client import Fetched, IssuerClient, tls_context
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from tests.certificates import Authority
from tests.unit.fetching.servers import (
    HOST,
    LOOPBACK,
    AResolver,
    Script,
    a_server,
    answer,
    answers,
    drips,
    stalls,
)

NOW = 1_800_000_000
BODY = b'{"keys": []}'
CANARY = b"what a hostile server says"
LIMIT = 4096

MakeClient = Callable[..., IssuerClient]


@pytest.fixture
def make(trusting: ssl.SSLContext) -> MakeClient:
    """Make a client with short limits, whose names all lead to this machine."""

    def client(**fields: Any) -> IssuerClient:
        given = {
            "tls": trusting,
            "accepted": LOOPBACK,
            "connect_seconds": 0.3,
            "fetch_seconds": 0.4,
            "max_body_bytes": LIMIT,
            "resolver": AResolver(),
            "clock": lambda: NOW,
        }
        return IssuerClient(**{**given, **fields})

    return client


@pytest.fixture
def ask(make: MakeClient, identity: ssl.SSLContext) -> Callable[..., Fetched]:
    """Fetch from a server that plays the scripts."""

    def fetch(*scripts: Script, etag: str | None = None, **fields: Any) -> Fetched:
        fields.setdefault("fetch_seconds", 5.0)  # where time is not the point, a busy machine makes no difference
        fields.setdefault("connect_seconds", 2.0)
        with a_server(identity, *scripts) as server:
            return make(**fields).fetch(server.url(), etag=etag)

    return fetch


Ask = Callable[..., Fetched]


def failure_of(call: Callable[[], object]) -> FetchFailed:
    """The failure, which names the host, and to which nothing that was received hangs on."""
    with pytest.raises(FetchFailed) as caught:
        call()
    chain, error = "", caught.value
    while error is not None:
        chain += f"{error!r} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    assert CANARY.decode() not in chain
    assert HOST in str(caught.value)
    return caught.value


def elapsed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


class TestAnswer:
    def test_a_document_comes_with_its_etag_and_the_time_the_fetch_began(self, ask: Ask) -> None:
        fetched = ask(answers(answer(BODY, ETag='"v1"')))

        assert fetched == Fetched(200, BODY, '"v1"', NOW)

    def test_the_body_is_not_in_its_repr(self, ask: Ask) -> None:
        assert "keys" not in repr(ask(answers(answer(BODY))))

    def test_the_clock_is_read_before_anything_is_asked(self, ask: Ask) -> None:
        """What was changed after that may be missing in the answer."""
        times = iter([NOW, NOW + 100])

        assert ask(answers(answer(BODY)), clock=lambda: next(times)).started_at == NOW

    @pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", ""])
    def test_any_content_type_will_do(self, ask: Ask, kind: str) -> None:
        """Providers serve key sets as whatever their web server makes of the file's name."""
        assert ask(answers(answer(BODY, Content_Type=kind))).body == BODY

    def test_an_answer_in_chunks_is_put_together(self, ask: Ask) -> None:
        chunked = answer(b'5\r\n{"key\r\n7;ext\r\ns": []}\r\n0\r\n\r\n', Content_Length="", Transfer_Encoding="chunked")

        assert ask(answers(chunked)).body == BODY

    def test_an_answer_without_a_length_ends_with_the_connection(self, ask: Ask) -> None:
        assert ask(answers(answer(BODY, Content_Length=""))).body == BODY

    def test_an_answer_may_come_in_small_pieces_as_long_as_it_comes_in_time(self, ask: Ask) -> None:
        whole = answer(BODY)

        assert ask(answers(*(whole[at : at + 3] for at in range(0, len(whole), 3)))).body == BODY


class TestQuestion:
    def test_it_asks_for_the_path_at_the_name(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            make(fetch_seconds=5).fetch(server.url("/keys?appid=1"))

        line, *headers = server.questions[0].decode().split("\r\n")
        assert line == "GET /keys?appid=1 HTTP/1.1"
        assert sorted(filter(None, headers)) == [
            "Accept-Encoding: gzip",
            "Accept: application/json",
            "Connection: close",
            f"Host: {HOST}:{server.port}",
            "User-Agent: auth-jwt",
        ]

    def test_the_etag_of_the_last_fetch_is_sent(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            make(fetch_seconds=5).fetch(server.url(), etag='W/"v1"')

        assert b'\r\nIf-None-Match: W/"v1"\r\n' in server.questions[0]

    @pytest.mark.parametrize("etag", ["v1", "", '"a"\r\nX: y', '"a', '"é"', '"' + "a" * 257 + '"', '"a", "b"', "*"])
    def test_what_is_no_etag_is_not_sent(self, make: MakeClient, identity: ssl.SSLContext, etag: str) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            make(fetch_seconds=5).fetch(server.url(), etag=etag)

        assert b"If-None-Match" not in server.questions[0]

    @pytest.mark.parametrize("etag", ["v1", '"a', '"é"', '"' + "a" * 257 + '"', '"a", "b"', '"a"\r\nETag: "b"'])
    def test_nor_is_it_kept(self, ask: Ask, etag: str) -> None:
        assert ask(answers(answer(BODY, ETag=etag))).etag is None

    def test_a_cookie_is_not_sent_back(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        client = make(fetch_seconds=5)
        with a_server(identity, answers(answer(b"", "500 Oops", Set_Cookie="a=b")), answers(answer(BODY))) as server:
            client.fetch(server.url())
            client.fetch(server.url())

        assert len(server.questions) == 3
        assert not any(b"cookie" in question.lower() for question in server.questions)

    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
    def test_a_proxy_in_the_environment_is_ignored(
        self, monkeypatch: pytest.MonkeyPatch, ask: Ask, variable: str
    ) -> None:
        """A proxy would resolve the name again, and where it connects to nobody checks."""
        with a_server(None, answers(b"")) as proxy:
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")

            assert ask(answers(answer(BODY))).body == BODY
        assert proxy.connections == 0


class TestNotModified:
    def test_a_document_that_has_not_changed_is_not_sent(self, ask: Ask) -> None:
        fetched = ask(answers(answer(b"", "304 Not Modified", Content_Length="")), etag='"v1"')

        assert fetched == Fetched(304, b"", '"v1"', NOW)

    def test_it_may_bring_another_etag(self, ask: Ask) -> None:
        assert ask(answers(answer(b"", "304 Not Modified", ETag='W/"v2"')), etag='"v1"').etag == 'W/"v2"'

    def test_one_that_brings_no_usable_etag_keeps_the_one_that_was_sent(self, ask: Ask) -> None:
        assert ask(answers(answer(b"", "304 Not Modified", ETag="v2")), etag='"v1"').etag == '"v1"'

    @pytest.mark.parametrize("status", ["302 Found", "404 Not Found", "429 Too Many Requests"])
    def test_no_other_status_says_so(self, ask: Ask, status: str) -> None:
        failure = failure_of(lambda: ask(answers(answer(b"", status)), etag='"v1"'))

        assert status[:3] in str(failure)

    def test_nobody_can_say_so_who_was_not_asked(self, ask: Ask) -> None:
        """There is no document that it could mean."""
        failure = failure_of(lambda: ask(answers(answer(b"", "304 Not Modified"))))

        assert (failure.kind, "304" in str(failure)) == (FailureKind.BAD_STATUS, True)


class TestStatus:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 399])
    def test_no_redirect_is_followed(self, make: MakeClient, identity: ssl.SSLContext, status: int) -> None:
        resolver = AResolver()
        with a_server(identity, answers(answer(BODY, f"{status} Go", Location="/elsewhere"))) as server:
            failure = failure_of(lambda: make(resolver=resolver, fetch_seconds=5).fetch(server.url()))

        assert failure.kind is FailureKind.REDIRECTED
        assert str(status) in str(failure)
        assert (server.connections, resolver.asked) == (1, [HOST])

    def test_the_host_that_a_redirect_leads_to_is_said(self, ask: Ask) -> None:
        failure = failure_of(lambda: ask(answers(answer(b"", "302 Found", Location="https://metadata.test/a?b"))))

        assert "points to metadata.test, " in str(failure)

    @pytest.mark.parametrize("location", [f"https://{CANARY.decode()}/", "https://[", "/keys", "https://a\x1b[2J/"])
    def test_nothing_else_that_a_redirect_says_is_repeated(self, ask: Ask, location: str) -> None:
        failure = failure_of(lambda: ask(answers(answer(b"", "302 Found", Location=location))))

        assert failure.kind is FailureKind.REDIRECTED
        assert "answers 302, and no redirect is followed" in str(failure)

    @pytest.mark.parametrize("status", [201, 204, 206, 400, 401, 403, 404, 410, 429])
    def test_another_status_is_a_failure_and_not_asked_again(
        self, make: MakeClient, identity: ssl.SSLContext, status: int
    ) -> None:
        with a_server(identity, answers(answer(CANARY, f"{status} So"))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert failure.kind is FailureKind.BAD_STATUS
        assert f"answers {status}," in str(failure)
        assert (server.connections, failure.retry_after) == (1, None)

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
    def test_a_servers_error_is_asked_about_once_more(
        self, make: MakeClient, identity: ssl.SSLContext, status: int
    ) -> None:
        with a_server(identity, answers(answer(b"", f"{status} Oops")), answers(answer(BODY))) as server:
            assert make(fetch_seconds=5).fetch(server.url()).body == BODY

        assert server.connections == 2

    def test_a_second_error_is_one_too_many(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        oops = answers(answer(b"", "503 Oops"))
        with a_server(identity, oops, oops, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.BAD_STATUS, 2)

    def test_when_no_time_is_left_the_first_failure_counts(self, make: MakeClient) -> None:
        """A second attempt could only say that there was no time for it."""
        times = iter([0.0, 0.0])  # when the name is resolved, and when the server is asked
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        client = make(fetch_seconds=9, timer=lambda: next(times, 10.0))

        assert failure_of(lambda: client.fetch(f"https://{HOST}:{port}/")).kind is FailureKind.UNREACHABLE


class TestRetryAfter:
    @pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("120", 120),
            ("0", 0),
            ("900", 900),
            pytest.param("901", 900, id="longer than anybody waits"),
            pytest.param("999999999", 900, id="years"),
            pytest.param(format_datetime(datetime.fromtimestamp(NOW + 60, UTC), usegmt=True), 60, id="a date"),
            pytest.param(format_datetime(datetime.fromtimestamp(NOW + 9999, UTC), usegmt=True), 900, id="a late date"),
            pytest.param(format_datetime(datetime.fromtimestamp(NOW - 60, UTC), usegmt=True), 0, id="a date gone by"),
        ],
    )
    def test_what_the_server_asks_for_is_told_and_heeded(
        self, make: MakeClient, identity: ssl.SSLContext, status: str, value: str, seconds: int
    ) -> None:
        with a_server(identity, answers(answer(b"", status, Retry_After=value))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert (failure.kind, failure.retry_after) == (FailureKind.BAD_STATUS, seconds)
        assert server.connections == 1

    @pytest.mark.parametrize(
        "value", ["", "soon", "-5", "1.5", "9" * 400, "٣", "Fri, 99 Foo 2027", "Mon, 32 Jan 2027 00:00:00 GMT"]
    )
    def test_what_says_no_time_says_nothing(self, ask: Ask, value: str) -> None:
        given = answer(b"", "429 So", Retry_After="").replace(b"\r\n\r\n", f"\r\nRetry-After: {value}\r\n\r\n".encode())

        assert failure_of(lambda: ask(answers(given))).retry_after is None

    @pytest.mark.parametrize("status", ["500 Oops", "404 No", "302 Found"])
    def test_only_429_and_503_can_ask_for_it(self, ask: Ask, status: str) -> None:
        assert failure_of(lambda: ask(answers(answer(b"", status, Retry_After="5")))).retry_after is None


class TestSize:
    def test_a_body_of_the_largest_size_is_taken(self, ask: Ask) -> None:
        assert len(ask(answers(answer(b"a" * LIMIT))).body) == LIMIT

    @pytest.mark.parametrize("headers", [{}, {"Content_Length": ""}], ids=["with its length", "without a length"])
    def test_one_byte_more_is_too_much(self, ask: Ask, headers: dict[str, str]) -> None:
        failure = failure_of(lambda: ask(answers(answer(b"a" * (LIMIT + 1), **headers))))

        assert (failure.kind, str(LIMIT) in str(failure)) == (FailureKind.TOO_LARGE, True)

    def test_a_body_without_end_is_not_read_to_its_end(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        sent = [0]

        def flood(connection: socket.socket, _question: bytes) -> None:
            connection.sendall(answer(b"", Content_Length=""))
            while True:
                connection.sendall(b"a" * LIMIT)
                sent[0] += LIMIT

        with a_server(identity, flood) as server:
            assert failure_of(lambda: make(fetch_seconds=5).fetch(server.url())).kind is FailureKind.TOO_LARGE
        assert server.connections == 1

    def test_a_body_in_one_chunk_without_end_is_not_either(self, ask: Ask) -> None:
        head = answer(b"", Content_Length="", Transfer_Encoding="chunked")

        failure = failure_of(lambda: ask(drips(head + b"ffffffff\r\n", b"a" * LIMIT, every=0)))

        assert failure.kind is FailureKind.TOO_LARGE

    def test_a_chunk_of_negative_size_is_no_way_around(self, ask: Ask) -> None:
        """The library reads until the end of the connection then."""
        head = answer(b"", Content_Length="", Transfer_Encoding="chunked")

        failure = failure_of(lambda: ask(drips(head + b"-1\r\n", b"a" * LIMIT, every=0)))

        assert failure.kind is FailureKind.TOO_LARGE

    def test_headers_count_too(self, ask: Ask) -> None:
        failure = failure_of(lambda: ask(drips(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 900 + b"\r\n", every=0)))

        assert failure.kind is FailureKind.TOO_LARGE

    def test_interim_answers_without_end_count_too(self, ask: Ask) -> None:
        failure = failure_of(lambda: ask(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, every=0)))

        assert failure.kind is FailureKind.TOO_LARGE

    def test_small_chunks_of_a_body_that_fits_are_taken(self, ask: Ask) -> None:
        """Each costs six bytes for its frame at least."""
        chunks = b"".join(b"8\r\n" + b"a" * 8 + b"\r\n" for _ in range(LIMIT // 8)) + b"0\r\n\r\n"

        fetched = ask(answers(answer(chunks, Content_Length="", Transfer_Encoding="chunked")))

        assert len(fetched.body) == LIMIT


class TestEncoding:
    @pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", " gzip "])
    def test_gzip_is_unpacked(self, ask: Ask, name: str) -> None:
        assert ask(answers(answer(gzip.compress(BODY), Content_Encoding=name))).body == BODY

    def test_gzip_in_many_pieces_is_unpacked(self, ask: Ask) -> None:
        packed = gzip.compress(bytes(range(256)) * 16, 0)

        pieces = [packed[at : at + 100] for at in range(0, len(packed), 100)]
        head = answer(b"", Content_Length=str(len(packed)), Content_Encoding="gzip")
        assert ask(answers(head, *pieces)).body == bytes(range(256)) * 16

    @pytest.mark.parametrize("name", ["identity", "Identity"])
    def test_identity_is_taken_as_it_is(self, ask: Ask, name: str) -> None:
        assert ask(answers(answer(BODY, Content_Encoding=name))).body == BODY

    @pytest.mark.parametrize("name", ["deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip", "aes128gcm"])
    def test_other_encodings_are_refused(self, ask: Ask, name: str) -> None:
        failure = failure_of(lambda: ask(answers(answer(gzip.compress(BODY), Content_Encoding=name))))

        assert failure.kind is FailureKind.BAD_ENCODING

    def test_a_second_header_of_encoding_is_not_overlooked(self, ask: Ask) -> None:
        twice = answer(gzip.compress(gzip.compress(BODY)), Content_Encoding="gzip\r\nContent-Encoding: gzip")

        assert failure_of(lambda: ask(answers(twice))).kind is FailureKind.BAD_ENCODING

    def test_unpacked_bytes_count(self, ask: Ask) -> None:
        assert len(ask(answers(answer(gzip.compress(b"a" * LIMIT), Content_Encoding="gzip"))).body) == LIMIT

        failure = failure_of(lambda: ask(answers(answer(gzip.compress(b"a" * (LIMIT + 1)), Content_Encoding="gzip"))))
        assert failure.kind is FailureKind.TOO_LARGE

    def test_a_bomb_is_not_unpacked_beyond_the_limit(self, ask: Ask) -> None:
        bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
        assert len(bomb) < 4 * 32768
        tracemalloc.start()
        try:
            failure = failure_of(lambda: ask(answers(answer(bomb, Content_Encoding="gzip")), max_body_bytes=32768))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert failure.kind is FailureKind.TOO_LARGE
        assert peak < 4 * 1024 * 1024

    @pytest.mark.parametrize(
        "packed",
        [
            pytest.param(gzip.compress(BODY)[:-1], id="a byte is missing"),
            pytest.param(gzip.compress(BODY)[:-8], id="its sum is missing"),
            pytest.param(gzip.compress(BODY) + b"a", id="a byte too many"),
            pytest.param(gzip.compress(BODY) + gzip.compress(BODY), id="twice"),
            pytest.param(gzip.compress(BODY)[:-8] + bytes(8), id="another sum"),
            pytest.param(BODY, id="not packed at all"),
            pytest.param(zlib.compress(BODY), id="packed as deflate is"),
            pytest.param(b"", id="nothing"),
        ],
    )
    def test_gzip_that_is_not_whole_is_refused(self, ask: Ask, packed: bytes) -> None:
        failure = failure_of(lambda: ask(answers(answer(packed, Content_Encoding="gzip"))))

        assert failure.kind is FailureKind.BAD_ENCODING


BROKEN = [
    pytest.param(answer(BODY, Content_Length="99"), id="a body shorter than its length"),
    pytest.param(answer(b"5\r\n{", Content_Length="", Transfer_Encoding="chunked"), id="half a chunk"),
    pytest.param(answer(b"1\r\n{\r\n", Content_Length="", Transfer_Encoding="chunked"), id="no last chunk"),
    pytest.param(answer(CANARY, Content_Length="", Transfer_Encoding="chunked"), id="no chunk"),
    pytest.param(answer(BODY, Content_Length="12, 13"), id="two lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a header"),
    pytest.param(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\n', id="half of the headers"),
    pytest.param(answer(b""), id="an empty body"),
    pytest.param(b"HTTP/1.1 2", id="half a status"),
    pytest.param(b"HTTP/1.1 9999 No\r\n\r\n", id="no status"),
    pytest.param(CANARY + b"\r\n\r\n", id="no HTTP"),
    pytest.param(b"", id="nothing"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", id="too many headers"),
    pytest.param(b"HTTP/1.1 200 " + b"a" * 70000 + b"\r\n\r\n", id="a long line"),
]


class TestBrokenAnswer:
    @pytest.mark.parametrize("given", BROKEN)
    def test_it_is_asked_for_once_more(self, make: MakeClient, identity: ssl.SSLContext, given: bytes) -> None:
        client = make(fetch_seconds=5, max_body_bytes=32768)
        with a_server(identity, answers(given), answers(answer(BODY))) as server:
            assert client.fetch(server.url()).body == BODY

        assert server.connections == 2

    @pytest.mark.parametrize("given", BROKEN)
    def test_a_second_one_is_a_failure(self, ask: Ask, given: bytes) -> None:
        failure = failure_of(lambda: ask(answers(given), max_body_bytes=32768))

        assert failure.kind is FailureKind.BROKEN_ANSWER

    def test_nothing_of_it_is_logged(self, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
        """A library's warning would quote it, beside the one line that a function logs."""
        failure_of(lambda: ask(answers(b"HTTP/1.1 200 OK\r\n" + CANARY + b"\r\n\r\n")))

        assert CANARY.decode() not in caplog.text


class TestTime:
    """Each limit is below half a second. A busy machine may take a little longer, a client without a limit for ever."""

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(drips(b""), id="nothing but blanks"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="slow headers"),
            pytest.param(drips(answer(b"", Content_Length="4000")), id="a slow body"),
            pytest.param(
                drips(answer(b"", Content_Length="", Transfer_Encoding="chunked"), b"1\r\na\r\n"), id="slow chunks"
            ),
            pytest.param(stalls(b""), id="silent"),
            pytest.param(stalls(answer(b"{", Content_Length="4000")), id="a body that stops"),
        ],
    )
    def test_a_slow_server_does_not_outlast_the_limit(
        self, make: MakeClient, identity: ssl.SSLContext, script: Script
    ) -> None:
        with a_server(identity, script) as server:
            seconds = elapsed(lambda: failures.append(failure_of(lambda: make().fetch(server.url()))))

        assert failures.pop().kind is FailureKind.TIMEOUT
        assert 0.35 < seconds < 2
        assert server.connections == 1

    def test_a_slow_handshake_does_not_either(self, make: MakeClient) -> None:
        """A record of TLS that announces many bytes, of which one comes now and again."""
        with a_server(None, drips(b"\x16\x03\x03\x40\x00", b"\x02")) as server:
            seconds = elapsed(lambda: failures.append(failure_of(lambda: make().fetch(server.url()))))

        assert failures.pop().kind is FailureKind.TIMEOUT
        assert seconds < 2

    def test_connecting_ends_with_the_fetch(self, make: MakeClient) -> None:
        with a_server(None, drips(b"\x16\x03\x03\x40\x00", b"\x02")) as server:
            client = make(connect_seconds=5, fetch_seconds=0.3)
            seconds = elapsed(lambda: failures.append(failure_of(lambda: client.fetch(server.url()))))

        assert failures.pop().kind is FailureKind.TIMEOUT
        assert seconds < 2
        assert server.connections == 2, "half of the time for one handshake, so some is left for another"

    def test_nothing_is_asked_when_connecting_took_all_the_time(
        self, make: MakeClient, identity: ssl.SSLContext
    ) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            client = make(fetch_seconds=9, timer=lambda: 10.0 if server.connections else 0.0)
            failure = failure_of(lambda: client.fetch(server.url()))

        assert failure.kind is FailureKind.TIMEOUT
        assert not any(server.questions)

    def test_both_attempts_together_do_not_either(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        def slowly(connection: socket.socket, _question: bytes) -> None:
            threading.Event().wait(0.25)
            connection.sendall(answer(b"", "500 Oops"))

        with a_server(identity, slowly) as server:
            failure = failure_of(lambda: make().fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.TIMEOUT, 2)

    def test_a_server_that_accepts_nothing_is_given_up_after_the_limit_for_connecting(self, make: MakeClient) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            client = make(connect_seconds=0.1, fetch_seconds=5)
            url = f"https://{HOST}:{full.getsockname()[1]}/"
            seconds = elapsed(lambda: failures.append(failure_of(lambda: client.fetch(url))))
            for each in waiting:
                each.close()

        assert failures.pop().kind is FailureKind.TIMEOUT
        assert 0.15 < seconds < 2, "two attempts"

    def test_resolving_the_name_counts(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        now = [0.0]

        def resolver(*place: Any, **options: Any) -> list[tuple[Any, ...]]:
            now[0] = 0.5
            return AResolver()(*place, **options)

        with a_server(identity, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(resolver=resolver, timer=lambda: now[0]).fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.TIMEOUT, 0)


failures: list[FetchFailed] = []
"""What the timed calls ended with."""


class TestAddress:
    def test_a_name_that_leads_to_this_machine_is_refused(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(accepted=()).fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.NOT_PUBLIC, 0)

    def test_so_is_one_of_whose_addresses_one_is_public(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            client = make(resolver=AResolver("93.184.215.14", "127.0.0.1"), accepted=())
            failure = failure_of(lambda: client.fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.NOT_PUBLIC, 0)

    def test_the_connection_goes_to_the_address_that_was_judged(
        self, make: MakeClient, identity: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name may lead elsewhere a moment later. So nobody asks for it a second time."""
        resolver = AResolver()

        def rebound(host: str, *place: Any, **options: Any) -> Any:
            assert host == "127.0.0.1", "a name was resolved again"
            return ask_system(host, *place, **options)

        ask_system = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        with a_server(identity, answers(answer(b"", "500 Oops")), answers(answer(BODY))) as server:
            make(resolver=resolver, fetch_seconds=5).fetch(server.url())

        assert resolver.asked == [HOST]
        assert server.connections == 2

    def test_the_second_attempt_goes_to_another_address(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            client = make(resolver=AResolver("127.0.0.9", "127.0.0.1"), fetch_seconds=5)

            assert client.fetch(server.url()).body == BODY

    def test_and_of_several_to_one_of_the_other_family(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        """Where IPv6 is not routed, a second address of it is as far away as the first."""
        with a_server(identity, answers(answer(BODY))) as server:
            client = make(
                resolver=AResolver("::1", "::1", "fd00::1", "127.0.0.1"),
                accepted=(*LOOPBACK, ip_network("::/0")),
                fetch_seconds=5,
            )

            assert client.fetch(server.url()).body == BODY

    def test_nobody_listens(self, make: MakeClient) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        failure = failure_of(lambda: make(fetch_seconds=5).fetch(f"https://{HOST}:{port}/"))

        assert (failure.kind, "Connection refused" in str(failure)) == (FailureKind.UNREACHABLE, True)

    def test_an_error_that_says_nothing_is_told_by_its_name(
        self, make: MakeClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: HTTPSConnection) -> None:
            raise HTTPError(CANARY.decode())

        monkeypatch.setattr(HTTPSConnection, "connect", fail)
        failure = failure_of(lambda: make().fetch(f"https://{HOST}/"))

        assert (failure.kind, "(HTTPError)" in str(failure)) == (FailureKind.UNREACHABLE, True)

    def test_a_url_that_is_none_is_refused_before_anything_is_asked(self, make: MakeClient) -> None:
        resolver = AResolver()
        with pytest.raises(FetchFailed) as caught:
            make(resolver=resolver).fetch("http://login.test/")

        assert (caught.value.kind, resolver.asked) == (FailureKind.BAD_URL, [])


class TestCertificate:
    @pytest.mark.parametrize(
        ("identity", "because"),
        [
            pytest.param(lambda authority, _: authority.identity(host="other.test"), "Hostname mismatch", id="a name"),
            pytest.param(lambda authority, _: authority.identity(host="127.0.0.1"), "Hostname mismatch", id="address"),
            pytest.param(lambda authority, _: authority.identity(host=HOST, ended=True), "has expired", id="expired"),
            pytest.param(
                lambda authority, _: authority.identity(host=HOST, self_signed=True), "self-signed", id="self-signed"
            ),
            pytest.param(
                lambda _, folder: Authority(folder / "stranger").identity(host=HOST), "local issuer", id="a stranger's"
            ),
        ],
    )
    def test_one_that_does_not_prove_the_name_is_refused(
        self,
        make: MakeClient,
        authority: Authority,
        tmp_path: Path,
        identity: Callable[[Authority, Path], ssl.SSLContext],
        because: str,
    ) -> None:
        with a_server(identity(authority, tmp_path), answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert (failure.kind, because in str(failure)) == (FailureKind.TLS, True), str(failure)
        assert (server.questions, server.connections) == ([], 1)

    def test_a_name_that_is_the_subjects_alone_proves_nothing(self, make: MakeClient, authority: Authority) -> None:
        """RFC 9525: only alternative names count."""
        with a_server(authority.identity(host=HOST, has_alternative_name=False), answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert failure.kind is FailureKind.TLS

    def test_the_certificate_of_a_wildcard_proves_a_name(self, make: MakeClient, authority: Authority) -> None:
        with a_server(authority.identity(host="*.issuers.test"), answers(answer(BODY))) as server:
            assert make(fetch_seconds=5).fetch(server.url(host="a.issuers.test")).body == BODY

    def test_an_address_in_a_url_is_proved_as_an_address(self, make: MakeClient, authority: Authority) -> None:
        with a_server(authority.identity(host="127.0.0.1"), answers(answer(BODY))) as server:
            client = make(resolver=socket.getaddrinfo, fetch_seconds=5)

            assert client.fetch(server.url(host="127.0.0.1")).body == BODY

    def test_without_a_bundle_the_systems_authorities_count(self, make: MakeClient, identity: ssl.SSLContext) -> None:
        with a_server(identity, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(tls=tls_context(), fetch_seconds=5).fetch(server.url()))

        assert failure.kind is FailureKind.TLS

    def test_the_systems_authorities_are_loaded_without_a_bundle_and_not_with_one(
        self, monkeypatch: pytest.MonkeyPatch, authority: Authority
    ) -> None:
        loaded = list[ssl.SSLContext]()
        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda context, *_: loaded.append(context))

        tls_context(authority.certificate)
        assert loaded == []
        assert [tls_context()] == loaded

    @pytest.mark.parametrize("content", [None, b"", b"no certificate"])
    def test_a_bundle_that_cannot_be_read_is_a_fault(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "bundle.pem"
        if content is not None:
            file.write_bytes(content)

        with pytest.raises(Fault, match=r"bundle\.pem"):
            tls_context(file)

    def test_a_server_that_speaks_tls_1_1_only_is_refused(self, make: MakeClient, authority: Authority) -> None:
        old = authority.identity(host=HOST)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with a_server(old, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert (failure.kind, "TLS 1.2" in str(failure)) == (FailureKind.TLS, True)

    def test_tls_1_2_is_the_oldest_version_accepted(self, make: MakeClient, authority: Authority) -> None:
        old = authority.identity(host=HOST)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with a_server(old, answers(answer(BODY))) as server:
            assert make(fetch_seconds=5).fetch(server.url()).body == BODY
        assert tls_context().minimum_version is ssl.TLSVersion.TLSv1_2

    def test_a_server_that_speaks_no_tls_is_refused(self, make: MakeClient) -> None:
        with a_server(None, answers(answer(BODY))) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert failure.kind is FailureKind.TLS

    @pytest.mark.parametrize("how", ["politely", "hard"])
    def test_a_server_that_hangs_up_before_it_has_shown_one_is_asked_once_more(
        self, make: MakeClient, how: str
    ) -> None:
        def hang_up(connection: socket.socket, _question: bytes) -> None:
            connection.recv(65536)
            if how == "hard":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with a_server(None, hang_up) as server:
            failure = failure_of(lambda: make(fetch_seconds=5).fetch(server.url()))

        assert (failure.kind, server.connections) == (FailureKind.UNREACHABLE, 2)


def test_the_limits_are_those_of_the_contract() -> None:
    client = IssuerClient()

    assert (client.connect_seconds, client.fetch_seconds, client.max_body_bytes) == (2, 5, 262144)
    assert client.accepted == ()


def test_many_threads_share_a_client(make: MakeClient, identity: ssl.SSLContext) -> None:
    client = make(fetch_seconds=5)
    bodies = list[bytes]()

    def body_of(number: int) -> Script:
        return answers(answer(b"%d" % number))

    with a_server(identity, *(body_of(number) for number in range(8))) as server:
        threads = [threading.Thread(target=lambda: bodies.append(client.fetch(server.url()).body)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(bodies) == [b"%d" % number for number in range(8)]
