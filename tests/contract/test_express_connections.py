"""What becomes of the express lane's connections: kept, closed by the other side, broken off, starved, flooded."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.httpsession import DEFAULT_CA_BUNDLE, get_cert_path
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from auth_jwt.aws import connections
from auth_jwt.aws.connections import AwsAnswer, Connections, LastUse, tls_context
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.errors import Fault, Unreachable
from auth_jwt.models import Columns
from auth_jwt.ports import Deadline
from tests.contract.clients import a_client
from tests.contract.servers import a_server, an_answer, answering, read_question
from tests.factories import KEYS, a_private_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CANARY = "a secret on the wire"


def some_connections(url: str, *, wait: float = 1, whole: float = 2, tls: ssl.SSLContext | None = None) -> Connections:
    return Connections(url, wait_seconds=wait, answer_seconds=whole, tls=tls)


def ask(server: Connections) -> AwsAnswer:
    return server.ask("POST", "/", {"Host": server.host, "X": CANARY, "Content-Length": "2"}, b"{}")


def cause_of_no_answer(server: Connections) -> str:
    """The word for it; and nothing that was sent or received hangs on to the error."""
    with pytest.raises(Unreachable) as caught:
        ask(server)
    chain, error = "", caught.value
    while error is not None:
        chain += f"{error!r} {error.args!r}"
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    assert CANARY not in chain
    return str(caught.value)


class Talk:
    """Gives each connection the next script, and counts connections and questions."""

    def __init__(self, *scripts: "Callable[[socket.socket], None]") -> None:
        self.scripts = scripts
        self.connections = 0

    def __call__(self, connection: socket.socket, number: int) -> None:
        self.connections += 1
        self.scripts[min(number, len(self.scripts) - 1)](connection)


def answers(*given: bytes) -> Callable[[socket.socket], None]:
    """Answer as many questions, and close; an answer that is empty closes without one."""

    def script(connection: socket.socket) -> None:
        for answer in given:
            read_question(connection)
            connection.sendall(answer)

    return script


GOOD = an_answer()
ALWAYS = (GOOD,) * 50


class TestKept:
    """A connection that outlives an answer."""

    def test_it_serves_the_next_question(self) -> None:
        talk = Talk(answers(*ALWAYS))
        with a_server(talk) as url:
            server = some_connections(url)
            assert [ask(server).status for _ in range(3)] == [200, 200, 200]

        assert talk.connections == 1

    def test_it_is_not_kept_when_the_server_says_so(self) -> None:
        talk = Talk(answers(an_answer(headers="Connection: close\r\n"), GOOD))
        with a_server(talk) as url:
            server = some_connections(url)
            ask(server)
            ask(server)

        assert talk.connections == 2

    @pytest.mark.parametrize(
        "last_words",
        [
            pytest.param(b"", id="closed"),
            pytest.param(an_answer(b"not asked for"), id="with an answer that was not asked for"),
        ],
    )
    def test_it_is_replaced_when_the_server_has_spoken_meanwhile(self, last_words: bytes) -> None:
        """As in a sandbox that was frozen for minutes: the good-bye is there before the question."""
        spoken = threading.Event()

        def script(connection: socket.socket) -> None:
            answers(GOOD)(connection)
            time.sleep(0.05)  # the answer has been read
            connection.sendall(last_words)
            connection.shutdown(socket.SHUT_WR)
            spoken.set()

        with a_server(Talk(script, answers(GOOD))) as url:
            server = some_connections(url)
            ask(server)
            spoken.wait(1)
            time.sleep(0.05)

            assert ask(server).body == b'{"Items": []}'

    def test_it_is_replaced_when_it_is_closed_instead_of_an_answer(self) -> None:
        """At once, and without anybody noticing: the question can be asked twice."""
        talk = Talk(answers(GOOD, b""), answers(GOOD))
        with a_server(talk) as url:
            server = some_connections(url)
            ask(server)

            assert ask(server).status == 200
        assert talk.connections == 2

    def test_it_is_replaced_by_a_new_one_and_not_by_another_kept_one(self) -> None:
        """Where one has died in its sleep, so may have the others."""
        both = threading.Barrier(2)

        def script(connection: socket.socket) -> None:
            read_question(connection)
            both.wait(5)
            connection.sendall(GOOD)
            read_question(connection)

        talk = Talk(script, script, answers(GOOD))
        with a_server(talk) as url, ThreadPoolExecutor(2) as threads:
            server = some_connections(url)
            assert [answer.status for answer in threads.map(lambda _: ask(server), range(2))] == [200, 200]

            assert ask(server).status == 200
        assert talk.connections == 3

    def test_a_new_one_that_is_closed_is_not_replaced(self) -> None:
        talk = Talk(answers(b""))
        with a_server(talk) as url:
            assert cause_of_no_answer(some_connections(url)) == "RemoteDisconnected"

        assert talk.connections == 1

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(b"HTTP", id="in the first line"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX: a secret on the wire", id="in the head"),
            pytest.param(GOOD[:-1], id="in the body"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\na secret on the wire", id="in a chunk"
            ),
        ],
    )
    def test_it_is_not_replaced_when_it_breaks_off_within_an_answer(self, broken: bytes) -> None:
        talk = Talk(answers(GOOD, broken), answers(GOOD))
        with a_server(talk) as url:
            server = some_connections(url)
            ask(server)
            cause_of_no_answer(server)

            assert talk.connections == 1
            assert ask(server).status == 200  # and not by the broken one
        assert talk.connections == 2

    def test_silence_on_it_is_not_asked_away(self) -> None:
        """That is a time-out: who has the deadline decides whether there is time for more."""

        def fall_silent(connection: socket.socket) -> None:
            answers(GOOD)(connection)
            time.sleep(30)

        talk = Talk(fall_silent, answers(GOOD))
        with a_server(talk) as url:
            server = some_connections(url, wait=0.5)
            ask(server)

            assert cause_of_no_answer(server) == "TimeoutError"
        assert talk.connections == 1

    def test_one_that_fell_silent_is_not_asked_again(self) -> None:
        """Its late answer would be taken for one to the next question."""

        def answer_late(connection: socket.socket) -> None:
            read_question(connection)
            read_question(connection)
            connection.sendall(an_answer(b"late"))

        talk = Talk(answer_late, answers(GOOD))
        with a_server(talk) as url:
            server = some_connections(url, wait=0.3)
            assert cause_of_no_answer(server) == "TimeoutError"

            assert ask(server).body == b'{"Items": []}'
        assert talk.connections == 2

    @pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux tells the dead from the slow")
    def test_one_whose_other_end_is_gone_is_replaced_while_there_is_time(self) -> None:
        """Here the other end's window stays shut; a machine that is gone acknowledges as little."""

        def shut(connection: socket.socket) -> None:
            answers(GOOD)(connection)
            time.sleep(30)

        with a_server(Talk(shut, answers(GOOD))) as url:
            server = some_connections(url, wait=6, whole=6)
            ask(server)
            begun = time.monotonic()
            long = b" " * 8_000_000
            headers = {"Host": server.host, "Content-Length": str(len(long))}

            assert server.ask("POST", "/", headers, long).status == 200
            assert 1 < time.monotonic() - begun < 6

    @pytest.mark.parametrize("clock", ["monotonic", "time"])
    @pytest.mark.parametrize(("seconds", "long_ago"), [(60, False), (60.1, True)])
    def test_either_clock_says_that_it_stood_idle(
        self, clock: str, seconds: float, long_ago: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While a sandbox is frozen, one of them may stand still, and the other be set back."""
        now = {"monotonic": 1000.0, "time": 2000.0}
        clocks = SimpleNamespace(monotonic=lambda: now["monotonic"], time=lambda: now["time"])
        monkeypatch.setattr(connections, "time", clocks)
        last_use = LastUse()

        now[clock] += seconds

        assert last_use.is_long_ago() is long_ago


class TestConnecting:
    """Of several addresses and slow ones."""

    def test_an_address_that_does_not_answer_leaves_time_for_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As when one of the zones behind an endpoint's name is gone."""
        waits: list[float] = []
        connect = socket.create_connection

        def connect_or_time_out(place: tuple[Any, int], timeout: float) -> socket.socket:
            waits.append(timeout)
            if place[0] == b"192.0.2.1":
                raise TimeoutError
            return connect(place, timeout=timeout)

        with a_server(Talk(answers(GOOD))) as url:
            port = int(url.rpartition(":")[2])
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("192.0.2.1", "127.0.0.1")]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            monkeypatch.setattr(socket, "create_connection", connect_or_time_out)

            assert ask(some_connections(url, wait=4, whole=4)).status == 200
        assert waits[0] <= 2 < waits[1]

    def test_a_handshake_may_take_all_the_time_that_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And not only the share of its address: that one has answered."""
        handshakes: list[float | None] = []

        class Tls:
            def wrap_socket(self, plain: socket.socket, **_: object) -> socket.socket:
                handshakes.append(plain.gettimeout())
                return plain

        tls: Any = Tls()
        with a_server(Talk(answers(GOOD))) as url:
            place = ("127.0.0.1", int(url.rpartition(":")[2]))
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)] * 2
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

            assert ask(some_connections(url.replace("http:", "https:"), wait=30, whole=30, tls=tls)).status == 200
        assert 15 < (handshakes[0] or 0) <= 30

    def test_connecting_and_answering_share_the_time(self) -> None:
        """A handshake that takes too long leaves less for the answer, and none in the end."""
        slow = threading.Event()

        def tarpit(connection: socket.socket, _: int) -> None:
            connection.recv(65536)
            while not slow.wait(0.05):
                connection.sendall(b"\x16")  # a record that never ends

        with a_server(tarpit) as url:
            begun = time.monotonic()
            server = some_connections(url.replace("http:", "https:"), wait=0.5, whole=0.5, tls=tls_context())
            cause_of_no_answer(server)
            slow.set()

            assert time.monotonic() - begun < 5


class TestAnswers:
    """Of which form, how long, how slow."""

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(GOOD, id="of stated length"),
            pytest.param(
                b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"It\r\n9\r\nems": []}\r\n0\r\n\r\n',
                id="in chunks",
            ),
            pytest.param(GOOD.replace(b"1.1", b"1.0"), id="of HTTP/1.0"),
            pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, id="after an interim one"),
        ],
    )
    def test_it_is_read_whole(self, answer: bytes) -> None:
        with a_server(Talk(answers(answer))) as url:
            assert ask(some_connections(url)).body == b'{"Items": []}'

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(b"a secret on the wire\r\n\r\n", id="another protocol"),
            pytest.param(b"HTTP/1.1 OK\r\n\r\n", id="no status"),
            pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another version"),
            pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", id="too many fields"),
            pytest.param(b"HTTP/1.1 200 " + b"x" * 70_000, id="a line without end"),
            pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"Items": []}', id="no length, so that it may lack something"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na secret on the wire\r\n", id="no chunk"
            ),
        ],
    )
    def test_what_is_no_http_is_no_answer(self, answer: bytes) -> None:
        with a_server(Talk(answers(answer))) as url:
            cause_of_no_answer(some_connections(url))

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(b"Content-Length: 100000000\r\n\r\n", id="of stated length"),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", id="in one chunk"),
            pytest.param(b"\r\n", id="until the end"),
        ],
    )
    def test_one_without_end_is_a_fault_as_soon_as_it_is_too_long(
        self, head: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "MAX_ANSWER_BYTES", 100_000)

        def endless(connection: socket.socket) -> None:
            read_question(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            while True:
                connection.sendall(b"x" * 10_000)

        with a_server(Talk(endless)) as url, pytest.raises(Fault, match="more than 100000 bytes") as caught:
            ask(some_connections(url))

        assert type(caught.value) is Fault

    @pytest.mark.parametrize("size", [b"-1", b"-5"])
    def test_a_chunk_of_negative_size_is_no_way_around_the_bound(
        self, size: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The library reads -1 as: whatever comes."""
        monkeypatch.setattr(connections, "MAX_ANSWER_BYTES", 100_000)
        sent = 0

        def endless(connection: socket.socket) -> None:
            nonlocal sent
            read_question(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n")
            with suppress(OSError):
                while True:
                    sent += connection.send(b"x" * 10_000)

        with a_server(Talk(endless)) as url:
            cause_of_no_answer(some_connections(url))

        assert sent < 20_000_000  # what the kernels' buffers take, and no more

    @pytest.mark.parametrize("size", [100_000, 100_001])
    def test_the_bound_is_the_last_that_fits(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "MAX_ANSWER_BYTES", 100_000)

        with a_server(Talk(answers(an_answer(b"x" * size)))) as url:
            if size <= 100_000:
                assert len(ask(some_connections(url)).body) == size
            else:
                with pytest.raises(Fault):
                    ask(some_connections(url))

    @pytest.mark.parametrize(
        "head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"], ids=["from the start", "in the body"]
    )
    def test_one_that_comes_drop_by_drop_is_given_up(self, head: bytes) -> None:
        """Each drop comes soon enough; together they would take forever."""

        def drip(connection: socket.socket) -> None:
            read_question(connection)
            connection.sendall(head)
            while True:
                connection.sendall(b"H")
                time.sleep(0.02)

        with a_server(Talk(drip)) as url:
            begun = time.monotonic()

            assert cause_of_no_answer(some_connections(url, wait=0.2, whole=0.4)) == "TimeoutError"
            assert 0.3 < time.monotonic() - begun < 10

    def test_a_wait_ends_with_the_time_for_the_whole_answer(self) -> None:
        with a_server(lambda *_: time.sleep(30)) as url:
            begun = time.monotonic()

            assert cause_of_no_answer(some_connections(url, wait=30, whole=0.2)) == "TimeoutError"
            assert time.monotonic() - begun < 10

    def test_a_redirect_is_not_followed(self) -> None:
        elsewhere = Talk(answers(GOOD))
        with a_server(elsewhere) as other:
            answer = an_answer(b"", status="307 Temporary Redirect", headers=f"Location: {other}/\r\n")
            with answering(answer) as url:
                assert ask(some_connections(url)).status == 307

        assert elsewhere.connections == 0


def a_store(endpoint: str, *, seconds: float) -> DynamoDbStore:
    client = a_client("express", endpoint, seconds=seconds)
    return DynamoDbStore(lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns())


def readers() -> int:
    return sum(thread.name == "dynamodb" for thread in threading.enumerate())


def nobody_reads_any_more() -> bool:
    """Whether the last of the threads ends, by and by."""
    ends = time.monotonic() + 30
    while readers() and time.monotonic() < ends:
        time.sleep(0.05)
    return not readers()


class TestThreads:
    """Many at once, and those that hang."""

    def test_everybody_gets_their_own_rows(self, dynamodb: "DynamoDBClient", moto_endpoint: str) -> None:
        """32 threads, over and over, through one store."""
        for table, *names in (("profiles", "tag"), ("secrets", "corresponding_tag", "id")):
            dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                KeySchema=[{"AttributeName": name, "KeyType": "RANGE" if name == "id" else "HASH"} for name in names],
                BillingMode="PAY_PER_REQUEST",
            )
        tags = [f"tag {number}" for number in range(32)]
        for tag in tags:
            dynamodb.put_item(TableName="profiles", Item={"tag": {"S": tag}, "sip_username": {"S": f"user of {tag}"}})
            dynamodb.put_item(
                TableName="secrets",
                Item={"corresponding_tag": {"S": tag}, "id": {"S": tag}, "secret": {"S": f"of {tag}"}},
            )
        store = a_store(moto_endpoint, seconds=30)

        def rows_of(tag: str) -> tuple[str | None, list[str]]:
            rows = store.read(tag, consistent=False, deadline=Deadline(30))
            assert rows.profile is not None
            return rows.profile.username, [secret.id for secret in rows.secrets]

        with ThreadPoolExecutor(32) as threads:
            read = list(threads.map(rows_of, tags * 3))

        assert read == [(f"user of {tag}", [tag]) for tag in tags] * 3

    def test_tables_that_hang_hold_no_more_than_sixteen_threads_and_only_for_a_while(self) -> None:
        with a_server(lambda *_: time.sleep(30)) as url:
            store = a_store(url, seconds=2)

            def read(_: int) -> float:
                begun = time.monotonic()
                with pytest.raises(Unreachable):
                    store.read("alice", consistent=False, deadline=Deadline(0.2))
                return time.monotonic() - begun

            with ThreadPoolExecutor(20) as threads:
                longest = max(threads.map(read, range(20)))
            hanging = readers()

            assert longest < 1.8
            assert hanging == 16
            assert nobody_reads_any_more()

    def test_a_server_that_drips_is_given_up_by_the_deadline_and_its_threads_end(self) -> None:
        def drip(connection: socket.socket, _: int) -> None:
            read_question(connection)
            while True:
                connection.sendall(b"H")
                time.sleep(0.02)

        with a_server(drip) as url:
            store, begun = a_store(url, seconds=2), time.monotonic()
            with pytest.raises(Unreachable):
                store.read("alice", consistent=False, deadline=Deadline(0.2))

            assert time.monotonic() - begun < 1.8
            assert nobody_reads_any_more()


@contextmanager
def a_tls_server(certificate: bytes, folder: Path) -> Iterator[int]:
    """A server that shows *certificate* (of the key p256) and answers; its port."""
    chain = folder / "chain.pem"
    chain.write_bytes(certificate + (KEYS / "p256.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    def talk(connection: socket.socket, _: int) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            while read_question(secured):
                secured.sendall(GOOD)

    with a_server(talk) as url:
        yield int(url.rpartition(":")[2])


def a_certificate(
    *names: str, days: int = 1, issuer: str = "the CA of these tests", key: str = "p384", is_ca: bool = False
) -> bytes:
    """A certificate of the key p256 (a CA's: of its own) for *names*, which *issuer* signs and which lasts *days*."""
    now = datetime.now(UTC)
    owner = a_private_key(key if is_ca else "p256").public_key()
    authority = a_private_key(key).public_key()
    subject = issuer if is_ca else "a server"
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(owner)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(owner), critical=False)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
            ),
            critical=False,
        )
    return builder.sign(a_private_key(key), SHA256()).public_bytes(Encoding.PEM)


class TestTls:
    """Who is asked, is who should be."""

    @staticmethod
    def trusting(certificate: bytes) -> ssl.SSLContext:
        context = tls_context()
        context.load_verify_locations(cadata=certificate.decode())
        return context

    @pytest.mark.parametrize(
        ("certificate", "host", "good"),
        [
            pytest.param({"names": ["localhost"]}, "localhost", True, id="the right name"),
            pytest.param({"names": ["127.0.0.1"]}, "127.0.0.1", True, id="the right address"),
            pytest.param({"names": ["dynamodb.eu-central-1.amazonaws.com"]}, "localhost", False, id="another's name"),
            pytest.param({"names": ["localhost"]}, "127.0.0.1", False, id="a name for an address"),
            pytest.param({"names": ["localhost"], "days": -1}, "localhost", False, id="expired"),
            pytest.param(
                {"names": ["localhost"], "issuer": "somebody", "key": "p521"}, "localhost", False, id="another CA"
            ),
            pytest.param({"names": ["localhost"], "key": "p521"}, "localhost", False, id="another CA of the same name"),
        ],
    )
    def test_a_server_is_known_by_its_certificate(
        self, certificate: dict[str, object], host: str, good: bool, tmp_path: Path
    ) -> None:
        shown = a_certificate(*certificate.pop("names"), **certificate)  # type: ignore[arg-type,misc]
        tls = self.trusting(a_certificate(is_ca=True, days=10))
        with a_tls_server(shown, tmp_path) as port:
            server = some_connections(f"https://{host}:{port}", tls=tls)
            if good:
                assert ask(server).status == ask(server).status == 200
            else:
                assert cause_of_no_answer(server) == "SSLCertVerificationError"

    def test_a_ca_that_nobody_knows_is_refused(self, tmp_path: Path) -> None:
        with a_tls_server(a_certificate("localhost"), tmp_path) as port:
            server = some_connections(f"https://localhost:{port}", tls=tls_context())

            assert cause_of_no_answer(server) == "SSLCertVerificationError"

    def test_a_server_without_tls_is_refused(self) -> None:
        with answering(GOOD) as url:
            server = some_connections(url.replace("http:", "https:"), tls=tls_context())

            assert cause_of_no_answer(server) in ("SSLError", "SSLEOFError", "TimeoutError")

    def test_certificate_and_name_are_checked_and_old_versions_are_refused(self) -> None:
        context = tls_context()

        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_the_roots_are_those_that_botocore_trusts(self) -> None:
        botocores = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        botocores.load_verify_locations(cafile=get_cert_path(True))

        assert tls_context().get_ca_certs(binary_form=True) == botocores.get_ca_certs(binary_form=True)

    def test_without_certifi_they_are_botocores_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in the layer, which has no certifi."""
        monkeypatch.setattr(connections, "find_spec", lambda name: None if name == "certifi" else find_spec(name))
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        own.load_verify_locations(cafile=DEFAULT_CA_BUNDLE)

        assert tls_context().get_ca_certs(binary_form=True) == own.get_ca_certs(binary_form=True)

    def test_without_roots_there_is_no_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "find_spec", lambda _: None)

        with pytest.raises(Fault, match="certifi"):
            tls_context()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com"),
        ("https://Vpce.Example:443", "vpce.example"),
        ("https://vpce.example:80", "vpce.example:80"),
        ("http://localhost:80", "localhost"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_server_is_called_as_it_is_signed(url: str, host: str) -> None:
    assert some_connections(url).host == host


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        assert (
            cause_of_no_answer(some_connections(f"http://127.0.0.1:{unused.getsockname()[1]}"))
            == "ConnectionRefusedError"
        )
