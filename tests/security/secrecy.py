"""What nobody may see: the token, its parts, and the text of every key that is stored or given."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tests.security.attacks import Attack
from tests.security.entries import Entry

_KEY_LIKE: Final = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_LEAST: Final = 8
"""Shorter texts are found in anything."""


def secrets_of(attack: Attack, entry: Entry | None = None) -> list[str]:
    """Return the texts of an attack that may not be in what *entry* shows, or in what anything else writes."""
    shows_claims = entry is not None and entry.shows_claims and attack.reason is None
    texts = [row.get("secret") for row in attack.rows]
    return [*_parts_of_keys(texts), *_parts_of_token(attack.token, shows_claims=shows_claims)]


def _parts_of_keys(texts: Iterable[object]) -> Iterator[str]:
    for text in texts:
        if isinstance(text, str):
            yield from _KEY_LIKE.findall(text)
            if len(text.strip()) >= _LEAST:
                yield text


def _parts_of_token(token: object, *, shows_claims: bool) -> Iterator[str]:
    if not isinstance(token, str):
        return
    segments = token.split(".")
    yield from (part for part in (segments[2:] if shows_claims else segments) if len(part) >= 2 * _LEAST)
    if len(token) >= 2 * _LEAST:
        yield token


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Return how long the *secrets* are that are in *text*: a report may not show them either."""
    return [f"{len(secret)} characters" for secret in secrets if secret in text]
