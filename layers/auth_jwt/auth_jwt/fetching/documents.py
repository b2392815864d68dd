"""Reads what issuers publish: discovery documents and key sets. Nothing that a document says is believed unchecked.

JSON is read as strictly as a token's, and a key is judged by the rules for keys in rows. So whatever leaves this module
is a key that a login can verify by.
"""

import json
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from auth_jwt.errors import Flaw, Invalid, InvalidKey
from auth_jwt.fetching.addresses import HTTPS_PORT
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import KeySet, check_identifier, check_keys_url
from auth_jwt.jose.asymmetric import public_jwk, slow_weakness_of
from auth_jwt.jose.keys import holds_private_member, read_jwk, refuse_published
from auth_jwt.jose.tokens import MAX_TAG_CHARACTERS
from auth_jwt.strict_json import strict_json_object

MAX_KEYS: Final = 100
MAX_RSA_BITS: Final = 8192
"""A larger key would make each login slow."""

MAX_KEYS_EXAMINED: Final = 8
"""For how many keys of a set the check is made that takes up to half a second for each."""

_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_MAX_MODULUS_CHARACTERS: Final = 1366  # of base64url, for MAX_RSA_BITS


@dataclass(frozen=True, slots=True)
class Discovery:
    """What an issuer's discovery document says.

    Attributes:
        keys_url: the address of its key set.
        is_elsewhere: whether that is on another host or port than the issuer. It may be; operators confirm it.
        algorithms: the algorithms by which it says that it signs ID tokens. Access tokens may be signed by others.
    """

    keys_url: str
    is_elsewhere: bool
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DroppedKey:
    """A key that verifies nothing, and why.

    Attributes:
        kid: its `kid`; None when it has none that can be shown.
        flaw: why it verifies nothing.
    """

    kid: str | None
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class FilteredKeySet:
    """The keys of a published set by which tokens can be verified, and those that were dropped."""

    key_set: KeySet
    dropped: tuple[DroppedKey, ...]

    def count_flaws(self) -> Mapping[str, int]:
        """Return for each flaw how many keys were dropped for it."""
        return _count(self.dropped)


def discovery_url(identifier: str) -> str:
    """Return where the discovery document of an issuer is (OpenID Connect Discovery 1.0, section 4.1).

    Raises:
        Invalid: *identifier* can be no issuer's.
    """
    check_identifier(identifier)
    return identifier.removesuffix("/") + _DISCOVERY_PATH


def read_discovery(body: bytes, identifier: str) -> Discovery:
    """Read the discovery document of the issuer *identifier*.

    Raises:
        FetchFailed: `not_json`; `wrong_issuer`: it is another issuer's, or the identifier is written differently; or
            `bad_keys_url`.
    """
    host = urlsplit(identifier).netloc
    document = _read_object(body, host)
    if document.get("issuer") != identifier:
        raise FetchFailed(
            FailureKind.WRONG_ISSUER,
            f"the discovery document at {host} is that of {_quoted(document.get('issuer'))}, not of {identifier!r}."
            " Tokens name an issuer exactly, a final slash included: give the issuer as the document does, if it is"
            " the right one",
        )
    url = _keys_url_in(document, host)
    return Discovery(url, _origin(url) != _origin(identifier), tuple(_algorithms_in(document)))


def read_key_set(body: bytes, url: str, *, known: KeySet | None = None) -> FilteredKeySet:
    """Read the key set that was fetched from *url*, and drop each key that can verify nothing.

    The text of the set is the same for the same keys in whatever order they come, since the order says nothing (RFC
    7517, section 5): the keys are sorted, each once, and have the members that verification needs.

    Args:
        body: the document.
        url: its address.
        known: the set that was read there before. Its keys have passed the slow check, which is not made again.

    Raises:
        FetchFailed: `not_json`, `not_a_key_set`, `too_many_keys`; `private_key_published`: a private key was among
            them, so nothing that they sign can be believed; or `no_usable_key`.
    """
    host = urlsplit(url).netloc
    document = _read_object(body, host)
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise FetchFailed(
            FailureKind.NOT_A_KEY_SET,
            f"{host} answers with JSON that is no key set: it has no list `keys`. Check the address",
        )
    if len(entries) > MAX_KEYS:
        raise FetchFailed(
            FailureKind.TOO_MANY_KEYS, f"the key set at {host} has {len(entries)} keys, and at most {MAX_KEYS} are read"
        )
    if any(holds_private_member(each) for each in _objects_in(document)):
        raise FetchFailed(
            FailureKind.PRIVATE_KEY_PUBLISHED,
            f"the key set at {host} holds a private key: everybody can sign with it. None of its keys is taken. Tell"
            " who runs it, and disable the issuer until the key is replaced",
        )
    kept, dropped = _judge(entries, "" if known is None else known.text)
    if not kept:
        flaws = ", ".join(f"{flaw}: {count}" for flaw, count in _count(dropped).items())
        raise FetchFailed(
            FailureKind.NO_USABLE_KEY,
            f"none of the {len(entries)} keys at {host} can verify a token ({flaws or 'the set is empty'}). Check the"
            " address",
        )
    return FilteredKeySet(KeySet('{"keys":[' + ",".join(sorted(set(kept))) + "]}", url), tuple(dropped))


def _judge(entries: list[Any], known: str) -> tuple[list[str], list[DroppedKey]]:
    """Return the JSON of each key that can verify something, and why the others cannot."""
    kept, dropped = list[str](), list[DroppedKey]()
    for entry in entries:
        try:
            kept.append(_canonical_jwk(entry, known, examine=len(kept) < MAX_KEYS_EXAMINED))
        except InvalidKey as problem:
            dropped.append(DroppedKey(_kid_of(entry), problem.flaw))
    return kept, dropped


def _canonical_jwk(entry: Any, known: str, *, examine: bool) -> str:  # noqa: ANN401 - any JSON value
    """Return the one JSON text of a key by which an issuer's tokens can be verified.

    Raises:
        InvalidKey: it can verify none.
    """
    key = read_jwk(entry)
    if isinstance(key.material, bytes):
        raise InvalidKey(Flaw.UNSUPPORTED_KEY, "a symmetric key, which verifies no issuer's tokens")
    refuse_published((key,))
    jwk = public_jwk(key.material)
    if len(jwk.get("n", "")) > _MAX_MODULUS_CHARACTERS:
        raise InvalidKey(Flaw.UNSUPPORTED_KEY, f"an RSA key of more than {MAX_RSA_BITS} bits")
    for name in ("kid", "alg"):
        if entry.get(name) is not None:
            jwk[name] = entry[name]
    text = json.dumps(jwk, separators=(",", ":"), ensure_ascii=False)
    if examine and text not in known and (weakness := slow_weakness_of(key.material)):
        raise InvalidKey(Flaw.DEGENERATE_KEY, weakness)
    return text


def _kid_of(entry: Any) -> str | None:  # noqa: ANN401 - any JSON value
    kid = entry.get("kid") if isinstance(entry, dict) else None
    return kid if isinstance(kid, str) and _can_be_shown(kid) else None


def _count(dropped: Iterable[DroppedKey]) -> dict[str, int]:
    return dict(Counter(key.flaw.value for key in dropped))


def _read_object(body: bytes, host: str) -> dict[str, Any]:
    """Read *body* as one JSON object, as strictly as a token's payload. One leading BOM is allowed.

    Raises:
        FetchFailed: `not_json`.
    """
    try:
        return strict_json_object(body.removeprefix(BOM_UTF8).decode("utf-8"))
    except ValueError as error:
        # Of these errors, only the text is free of what was read.
        why = str(error) if type(error) is ValueError else type(error).__name__
    raise FetchFailed(
        FailureKind.NOT_JSON,
        f"{host} answers with something else than one strict JSON object ({why}). Check the address: it may be that of"
        " a page for people",
    )


def _objects_in(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Yield every object in *document*, at any depth."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _keys_url_in(document: Mapping[str, Any], host: str) -> str:
    """Return the address of the keys that a discovery document names.

    Raises:
        FetchFailed: `bad_keys_url`.
    """
    url = document.get("jwks_uri")
    problem = "its member 'jwks_uri' is missing or no string"
    if isinstance(url, str):
        try:
            check_keys_url(url)
        except Invalid as error:
            problem = str(error)
        else:
            return url
    raise FetchFailed(
        FailureKind.BAD_KEYS_URL,
        f"the discovery document at {host} names no address of keys that can be used: {problem}. If you know the"
        " address, give it yourself",
    )


def _algorithms_in(document: Mapping[str, Any]) -> Iterator[str]:
    named = document.get("id_token_signing_alg_values_supported")
    for name in named if isinstance(named, list) else ():
        if isinstance(name, str) and _can_be_shown(name):
            yield name


def _origin(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or HTTPS_PORT


def _quoted(value: object) -> str:
    return repr(value) if isinstance(value, str) and _can_be_shown(value) else "another issuer, or of none"


def _can_be_shown(text: str) -> bool:
    """Tell whether foreign text may stand in a message: short, and without anything that moves a terminal's cursor."""
    return text.isascii() and text.isprintable() and 0 < len(text) <= MAX_TAG_CHARACTERS
