"""What refreshing needs from outside: a client that fetches. The tables have the port of provisioning."""

from typing import Protocol

from auth_jwt.fetching.client import Fetched


class Fetcher(Protocol):
    """Fetches one document; see `auth_jwt.fetching.client.IssuerClient`."""

    def fetch(self, url: str, *, etag: str | None = None) -> Fetched:
        """Return the document at *url*, or 304 when it still is the one with this *etag*.

        Raises:
            FetchFailed: there is no such document now.
        """
        ...
