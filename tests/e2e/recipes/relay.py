"""A wire between a client and a server on loopback, which remembers what went by."""

import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Relay:
    """A running wire.

    Attributes:
        port: where clients connect to.
        cuts: how many of the next connections are cut when the first octets come.
        connections: what each of them sent, in order.
    """

    port: int
    cuts: int = 0
    connections: list[bytearray] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many requests went by."""
        return sum(sent.count(b"POST ") for sent in self.connections)

    def headers(self) -> dict[str, str]:
        """Return the header fields of the last request, names in lower case."""
        head = bytes(self.connections[-1]).rpartition(b"POST ")[2].partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(": ") for line in head.split("\r\n")[1:])
        return {name.lower(): value for name, _, value in pairs}


@contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    """Pass everything on to *port*, and back."""

    class Wire(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sent = bytearray()
            relay.connections.append(sent)
            with socket.create_connection(("127.0.0.1", port)) as behind, selectors.DefaultSelector() as ready:
                ready.register(self.request, selectors.EVENT_READ, (self.request, behind, sent))
                ready.register(behind, selectors.EVENT_READ, (behind, self.request, bytearray()))
                while True:
                    for key, _ in ready.select():
                        this, other, kept = key.data
                        octets = this.recv(65536)
                        if not octets:
                            return
                        kept += octets
                        if relay.cuts:
                            relay.cuts -= 1
                            return
                        other.sendall(octets)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Wire) as server:
        relay = Relay(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
