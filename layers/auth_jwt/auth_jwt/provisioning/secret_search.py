"""Searches among all secrets: those with a certain key, keys that several tags share, and tags that have a usable one.

Each reads the whole table, with the values of the secrets, and keeps none of them. Memory is bounded however many
secrets there are: a key or a tag is remembered by 8 bytes of a digest that is keyed anew for each search.
"""

import heapq
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from secrets import token_bytes
from typing import Final

from auth_jwt.errors import Invalid
from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import HMAC_ALGORITHMS, UnverifiedJws
from auth_jwt.models import SECRET_ID, Row, Secret
from auth_jwt.provisioning.changes import EVERY_ROW, RowFilter
from auth_jwt.provisioning.inspection import SecretRecord, SecretState, fingerprint_of, kind_of
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.tombstones import is_no_secret

Proceed = Callable[[float, int], None]
"""Called after each page with its read units, and with the rows so far. It may wait, or raise an error to give up."""

MAX_SHARED: Final = 100
"""How many keys `SecretSearch.shared_keys` describes, unless it is told otherwise."""
MAX_NAMED: Final = 10
"""How many tags of each it names."""

_FINGERPRINT: Final = re.compile(r"scrypt:[A-Za-z0-9_-]{16}|sha256:[A-Za-z0-9_-]{43}")
_NO_TEXT_OF_ANOTHER_KEY: Final = re.compile(r"(?!.*-----)[^{]+", re.DOTALL)  # neither PEM nor JSON of a JWK
_DIGEST_BYTES: Final = 8
_SHIFT: Final = 56  # the first byte of a digest names its bucket


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key that secrets of several tags hold.

    Attributes:
        fingerprint: the text that tells it from others: see `fingerprint_of`.
        kind: its kind in words. It is usual that many tags share an issuer's public key; they should not share an HMAC
            key, since whoever holds it can sign tokens of all of them.
        tags: how many tags share it.
        named: the first of them, `MAX_NAMED` at most.
    """

    fingerprint: str
    kind: str
    tags: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """The keys that several tags share, those of the most tags first, and how many more there are."""

    keys: tuple[SharedKey, ...]
    more: int


class SecretSearch:
    """Searches among the secrets of all tags. What issuers publish is no secret, and is left out.

    Args:
        registry: the tables, and the rules that judge secrets.
        proceed: called after each page.
    """

    def __init__(self, registry: Registry, *, proceed: Proceed = lambda _units, _rows: None) -> None:
        self._registry = registry
        self._proceed = proceed

    def by_fingerprint(self, fingerprint: str, *, tag_prefix: str | None = None) -> Iterator[SecretRecord]:
        """Give the secrets that hold the key with this *fingerprint*, as they are found.

        The fingerprint of an HMAC key is made slow on purpose, so each such secret takes about 30 ms.

        Args:
            fingerprint: as `secret show` prints it.
            tag_prefix: only secrets are looked at whose tags begin so.

        Raises:
            Invalid: nothing has such a fingerprint. It is raised before anything is read.
            Fault: the table could not be read to the end.
        """
        check_fingerprint(fingerprint)
        wants_hmac = fingerprint.startswith("scrypt:")

        def has_it(key: VerificationKey) -> bool:
            return isinstance(key.material, bytes) is wants_hmac and fingerprint_of(key) == fingerprint

        return self._with_key(has_it, tag_prefix)

    def by_value(self, value: str, *, tag_prefix: str | None = None) -> Iterator[SecretRecord]:
        """Give the secrets that hold a key that *value* holds, too. That is quick, whatever kind of key it is.

        Args:
            value: a text as a secret may have it.
            tag_prefix: only secrets are looked at whose tags begin so.

        Raises:
            Invalid: the text holds no usable key. It is raised before anything is read.
            Fault: the table could not be read to the end.
        """
        given = Secret("", value, None, None)
        identities = {_identity_of(key) for key in _keys_in(given)}
        if not identities:
            raise Invalid(f"the text holds no usable key: {given.unusable}")
        return self._with_key(lambda key: _identity_of(key) in identities, tag_prefix)

    def that_signed(self, jws: UnverifiedJws, *, tag_prefix: str | None = None) -> Iterator[SecretRecord]:
        """Give the secrets whose key signed a token, of whatever tag and in whatever window.

        Args:
            jws: the token.
            tag_prefix: only secrets are looked at whose tags begin so.

        Raises:
            Fault: the table could not be read to the end.
        """
        nameless = replace(jws, header=replace(jws.header, kid=None))
        return self._with_key(lambda key: is_signed_by(nameless, (key,), 1), tag_prefix)

    def shared_keys(self, *, most: int = MAX_SHARED, tag_prefix: str | None = None) -> SharedKeys:
        """Find the keys that secrets of several tags hold. The table is read twice.

        Args:
            most: how many keys are described, those of the most tags.
            tag_prefix: only secrets are looked at whose tags begin so.

        Raises:
            Fault: the table could not be read to the end.
        """
        seen = DigestBag()
        for _, keys in self._keys_by_tag(tag_prefix):
            for identity in keys:
                seen.add(identity)
        shared = seen.repeated(most)
        found: dict[int, _Sharing] = {}
        for tag, keys in self._keys_by_tag(tag_prefix):
            for identity, key in keys.items():
                digest = seen.digest_of(identity)
                if digest in shared.counts:
                    found.setdefault(digest, _Sharing(key)).add(tag)
        sharing = sorted((one for one in found.values() if len(one.named) > 1), key=lambda one: -one.tags)
        described = (
            SharedKey(fingerprint_of(one.key), kind_of(one.key), one.tags, tuple(sorted(one.named))) for one in sharing
        )
        return SharedKeys(tuple(described), shared.more)

    def tags_with_usable_secret(self, *, tag_prefix: str | None = None) -> "DigestBag":
        """Return the tags of which a secret is open now that can verify tokens.

        Raises:
            Fault: the table could not be read to the end.
        """
        columns, now = self._registry.columns, self._registry.clock()
        tags = DigestBag()
        for tag, rows in groupby(self._rows(tag_prefix), key=lambda row: str(row.get(columns.secret_tag, ""))):
            is_usable = (
                self._registry.inspect(row).state is SecretState.OPEN  # which is slow, since it reads the key
                for row in rows
                if Secret.from_row(row, columns).is_open(now)
            )
            if any(is_usable):
                tags.add(tag.encode())
        return tags

    def _with_key(self, has_it: Callable[[VerificationKey], bool], tag_prefix: str | None) -> Iterator[SecretRecord]:
        for row in self._rows(tag_prefix):
            if any(has_it(key) for key in _keys_in(Secret.from_row(row, self._registry.columns))):
                yield self._registry.inspect(row)

    def _keys_by_tag(self, tag_prefix: str | None) -> Iterator[tuple[str, dict[bytes, VerificationKey]]]:
        """Give each tag with its distinct keys. A tag whose rows come apart is given several times."""
        columns = self._registry.columns
        for tag, rows in groupby(self._rows(tag_prefix), key=lambda row: str(row.get(columns.secret_tag, ""))):
            keys = (key for row in rows for key in _keys_in(Secret.from_row(row, columns)))
            yield tag, {_identity_of(key): key for key in keys}

    def _rows(self, tag_prefix: str | None) -> Iterator[Row]:
        columns = self._registry.columns
        only = (
            *(columns.secret_tag, SECRET_ID, columns.secret),
            *(columns.start, columns.end, columns.alg, columns.kid),
        )
        where = EVERY_ROW if tag_prefix is None else RowFilter(beginnings={columns.secret_tag: tag_prefix})
        looked_at = 0
        for page in self._registry.store.scan_secrets(only=only, where=where):
            yield from (row for row in page.rows if not is_no_secret(row, columns))
            looked_at += page.looked_at
            self._proceed(page.read_units, looked_at)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The digests that a bag holds more than once, with their counts, and how many more there are."""

    counts: dict[int, int]
    more: int


class DigestBag:
    """A bag of texts, of each of which it keeps 8 bytes of a digest.

    By chance two of 1,000,000 texts are the same to it: in one bag of 37 million.
    """

    def __init__(self) -> None:
        self._key = token_bytes(16)
        self._buckets = [array("Q") for _ in range(256)]
        self._is_sorted = True

    def add(self, text: bytes) -> None:
        """Put *text* into the bag."""
        digest = self.digest_of(text)
        self._buckets[digest >> _SHIFT].append(digest)
        self._is_sorted = False

    def __contains__(self, text: bytes) -> bool:
        """Tell whether *text* is in the bag."""
        self._sort()
        digest = self.digest_of(text)
        bucket = self._buckets[digest >> _SHIFT]
        place = bisect_left(bucket, digest)
        return place < len(bucket) and bucket[place] == digest

    def digest_of(self, text: bytes) -> int:
        """Return the digest by which the bag knows *text*."""
        return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).digest())

    def repeated(self, most: int) -> Repeated:
        """Return the digests that are in the bag more than once, *most* of them at most: those that are oftenest."""
        self._sort()
        oftenest: list[tuple[int, int]] = []
        number = 0
        for digest, count in _runs(self._buckets):
            if count > 1:
                number += 1
                heapq.heappush(oftenest, (count, digest))
                if len(oftenest) > most:
                    heapq.heappop(oftenest)
        return Repeated({digest: count for count, digest in oftenest}, number - len(oftenest))

    def _sort(self) -> None:
        if not self._is_sorted:  # one bucket after the other, so that few digests are Python numbers at a time
            self._buckets = [array("Q", sorted(bucket)) for bucket in self._buckets]
            self._is_sorted = True


def check_fingerprint(text: str) -> None:
    """Check that a key may have the fingerprint *text*.

    Raises:
        Invalid: it is none, or only a part of one.
    """
    if not _FINGERPRINT.fullmatch(text):
        raise Invalid(
            "a fingerprint is `scrypt:` and 16 characters, or `sha256:` and 43, as `auth-jwt secret show` prints it"
        )


class _Sharing:
    """Which tags share a key, as they are found."""

    def __init__(self, key: VerificationKey) -> None:
        self.key = key
        self.tags = 0
        self.named: list[str] = []

    def add(self, tag: str) -> None:
        self.tags += 1
        if len(self.named) < MAX_NAMED and tag not in self.named:
            self.named.append(tag)


def _runs(buckets: Iterable["array[int]"]) -> Iterator[tuple[int, int]]:
    for bucket in buckets:
        for digest, run in groupby(bucket):
            yield digest, sum(1 for _ in run)


def _keys_in(secret: Secret) -> tuple[VerificationKey, ...]:
    """Return the keys in a *secret*, whatever they may verify.

    A text that can only be an HMAC key or nothing is taken for one. To judge whether it may be one takes four times as
    long as all else that a search does with a row, and who looks for a key wants to find it in any case.
    """
    stored = secret.stored
    if stored and _NO_TEXT_OF_ANOTHER_KEY.fullmatch(stored):
        return (VerificationKey(HMAC_ALGORITHMS, stored.encode("utf-8", "surrogatepass")),)
    return secret.keys


def _identity_of(key: VerificationKey) -> bytes:
    """Return bytes that tell *key* from others. They may be the key itself, so they must not be kept."""
    if isinstance(key.material, bytes):
        return b"hmac:" + key.material
    return fingerprint_of(key).encode()
