"""An HTTP server of tests, on this machine."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class LocalServer(ThreadingHTTPServer):
    """One that overlooks clients that went away, as some tests have them do.

    `socketserver` prints such an error when it comes, perhaps into the captured output of a later test.
    """

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what is no end of a connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
