"""Requests to the service over sockets of their own, the ways of bad clients included."""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Final

HOST: Final = "127.0.0.1"
PATIENCE_SECONDS: Final = 60
JSON_BODY: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


class ServiceEnded(Exception):
    """`make serve` does not run, or does not do what every run begins with."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back, and when both went: UNIX seconds."""

    sent: float
    answered: float
    status: int | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Wire:
    """The way to the service on a *port* of loopback."""

    port: int

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        pieces: int = 1,
        pause: float = 0,
    ) -> Answered:
        """Send a request and read its answer.

        Args:
            method: of HTTP.
            path: what is asked for.
            body: what is sent.
            headers: besides those that every request has.
            pieces: in how many parts it is sent.
            pause: seconds between two parts.
        """
        whole = self.octets(method, path, body, headers)
        sent = time.time()
        try:
            with closing(socket.create_connection((HOST, self.port), PATIENCE_SECONDS)) as connection:
                size = -(-len(whole) // pieces)
                for start in range(0, len(whole), size):
                    if start:
                        time.sleep(pause)
                    connection.sendall(whole[start : start + size])
                answer = HTTPResponse(connection, method=method)
                answer.begin()
                octets = answer.read()
                return Answered(sent, time.time(), answer.status, octets)
        except (OSError, HTTPException):
            return Answered(sent, time.time(), None)

    def octets(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Return a request as it goes over the wire."""
        usual = {"Host": f"{HOST}:{self.port}", "Content-Length": str(len(body)), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**usual, **(headers or {})}.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def ask_json(self, method: str, path: str, body: object = None) -> Answered:
        """Send JSON, or nothing."""
        if body is None:
            return self.request(method, path)
        return self.request(method, path, json.dumps(body).encode(), JSON_BODY)

    def begin_and_leave(self, octets: bytes, held: float = 0) -> Answered:
        """Send *octets*, hold the connection for so many seconds, and close it without a look at the answer."""
        sent = time.time()
        try:
            with closing(socket.create_connection((HOST, self.port), PATIENCE_SECONDS)) as connection:
                connection.sendall(octets)
                time.sleep(held)
        except OSError:
            pass  # the service was first
        return Answered(sent, time.time(), None)
