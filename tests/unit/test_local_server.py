"""The HTTP server of tests prints what went wrong in it, and nothing of clients that went away."""

import socket
from http.server import BaseHTTPRequestHandler
from threading import Event, Thread

import pytest

from tests.local_server import LocalServer


@pytest.mark.parametrize(("flaw", "printed"), [(None, False), (ValueError("a flaw of the handler"), True)])
def test_only_a_client_that_went_away_is_overlooked(
    capsys: pytest.CaptureFixture[str], flaw: Exception | None, printed: bool
) -> None:
    begun, gone = Event(), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            begun.set()
            assert gone.wait(30)
            if flaw is not None:
                raise flaw
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x" * 65536)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with LocalServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # so that closing waits for the request
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert begun.wait(30)
        gone.set()
        server.shutdown()

    told = capsys.readouterr().err
    assert ("a flaw of the handler" in told, told != "") == (printed, printed)
