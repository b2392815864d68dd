"""The log of the service, read while it is written: why tokens were denied, and that it shows no secret, no token."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

_REQUEST_ID: Final = re.compile(r'"request_id": ?"([^"]+)"')


_TOKEN: Final = re.compile(r"eyJ[\w-]{17}")
"""How JSON begins in base64: the header and the payload of each token. Ids of requests are shorter."""


class LogReader:
    """Reads what was added.

    Args:
        path: the file.
        secrets: returns the texts that nobody may see.

    Attributes:
        shown: where a line held one of them, or a token: the kind, and the name of the member, without the value.
        lines: how many there were.
        stale: how many requests were answered by rows that could not be read anew.
    """

    def __init__(self, path: Path, secrets: Callable[[], Iterable[str]]) -> None:
        self._path = path
        self._secrets = secrets
        self._read = 0
        self._reasons: dict[str, str] = {}
        self.shown: list[str] = []
        self.lines = 0
        self.stale = 0

    def read_on(self) -> None:
        """Read the whole lines that were added."""
        with self._path.open("rb") as log:
            log.seek(self._read)
            added = log.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        texts = [secret for secret in self._secrets() if len(secret) >= 8]
        for line in whole.decode("utf-8", "replace").splitlines():
            self.lines += 1
            self.stale += '"rows":"stale"' in line
            self.shown += [f"{kind} in {place}" for kind, place in _shown_in(line, texts)]
            found = _REQUEST_ID.search(line)
            if found and '"reason"' in line and '"denied"' in line:
                self._reasons[found[1]] = str(json.loads(line).get("reason"))

    def reason_of(self, request_id: str) -> str | None:
        """Return why a request was denied, once; None where the log says nothing of it."""
        return self._reasons.pop(request_id, None)


def _shown_in(line: str, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what a line shows that nobody may see, and in which member.

    The tag of a denial is whatever a caller chose, and the log has it by contract, so it may look like a token.
    """
    for place, text in _members_of(line):
        if place != "tag" and _TOKEN.search(text):
            yield "a token", place
        if any(secret in text for secret in secrets):
            yield "a secret", place


def _members_of(line: str) -> Iterator[tuple[str, str]]:
    """Yield the members of a line of JSON as text; of another line, the line."""
    try:
        members = json.loads(line)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        yield "a line that is no JSON", line
        return
    for name, value in members.items():
        yield name, json.dumps(value, ensure_ascii=False)
