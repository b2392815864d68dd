"""Looks an issuer up: its discovery document, and then its keys, as a refresh would fetch them. Nothing is written."""

from dataclasses import dataclass

from auth_jwt.fetching.client import IssuerClient
from auth_jwt.fetching.documents import Discovery, FilteredKeySet, discovery_url, read_discovery, read_key_set


@dataclass(frozen=True, slots=True)
class Published:
    """What an issuer publishes.

    Attributes:
        keys_url: the address of its keys.
        discovery: what its discovery document says; None when the address was given.
        filtered: its keys, and those that were dropped.
    """

    keys_url: str
    discovery: Discovery | None
    filtered: FilteredKeySet


def look_up(client: IssuerClient, identifier: str, *, keys_url: str | None = None) -> Published:
    """Return what an issuer publishes.

    Args:
        client: fetches the documents.
        identifier: the issuer.
        keys_url: the address of its keys; None reads it from the discovery document.

    Raises:
        Invalid: no issuer can be named so.
        FetchFailed: a document could not be fetched, or cannot be used.
    """
    discovery = None
    if keys_url is None:
        discovery = read_discovery(client.fetch(discovery_url(identifier)).body, identifier)
        keys_url = discovery.keys_url
    return Published(keys_url, discovery, read_key_set(client.fetch(keys_url).body, keys_url))
