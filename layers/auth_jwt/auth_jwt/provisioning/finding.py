"""Finding profiles: by SIP user, domain, state, attribute, the beginning of a tag, or the fingerprint of a secret.

A SIP user is found by the index of usernames where the table has one. Everything else, and a table without the index,
is searched by a scan: DynamoDB leaves out most rows, and the rules here judge the others. docs/decisions/0040 says why
there is no other index.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import groupby
from typing import Final, Self

from auth_jwt.errors import Conflict, Invalid
from auth_jwt.issuers.models import holds_issuer, issuer_of_user
from auth_jwt.models import Columns, Row, disables, fold_domain
from auth_jwt.provisioning.changes import NoIndex, RowFilter
from auth_jwt.provisioning.inspection import SecretState
from auth_jwt.provisioning.profiles import (
    MAX_PAGE,
    AttributeValue,
    ProfilePage,
    ProfileRecord,
    is_storable,
    own_columns,
)
from auth_jwt.provisioning.registry import MAX_KEY_BYTES, Registry, check_text
from auth_jwt.provisioning.secret_search import DigestBag, Proceed, SecretSearch, check_fingerprint

SEGMENTS: Final = 4
"""How many parts of the table a scan reads at the same time. They lie on different partitions, as logins' reads do."""

MAX_PAGES: Final = 10
"""How many pages of 1 MB one call of `Finding.page` scans: about 1,300 read units, and some seconds."""

JUDGED_AT_ONCE: Final = 500
"""For how many profiles one call of `Finding.page` reads the secrets, with a query for each: some seconds, too."""

_INDEX_PAGE: Final = 1000
_SCHEMES: Final = ("sip:", "sips:")
_BY_INDEX, _BY_SCAN = "index", "scan"


class ProfileState(StrEnum):
    """What the profile of a user may be found by. Only `disabled` and `enabled` exclude each other."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    TOKENS_REVOKED = "tokens-revoked"  # `tokens_valid_after` denies the tokens issued before
    NO_USABLE_SECRET = "no-usable-secret"  # noqa: S105 - no secret is open that can verify a token


@dataclass(frozen=True, slots=True)
class SipUser:
    """A SIP user.

    Attributes:
        username: the name, which is compared exactly.
        domain: the domain, which is compared without regard to ASCII case; None accepts any, and none.
    """

    username: str
    domain: str | None = None

    @classmethod
    def readings(cls, text: str) -> tuple[Self, ...]:
        """Return what a *text* may mean that somebody copied: `alice`, `alice@example.org`, or `sip:` before it.

        The text after the last `@` is a domain; but the username of a profile may hold an `@` itself.
        """
        scheme = next((scheme for scheme in _SCHEMES if text.lower().startswith(scheme)), "")
        text = text[len(scheme) :]
        username, _, domain = text.rpartition("@")
        return (cls(username, domain), cls(text)) if username and domain else (cls(text),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for: profiles of which all conditions hold.

    Attributes:
        users: the profile speaks for one of these; empty accepts all.
        username_prefix: how its username begins.
        domain: its SIP domain, without regard to ASCII case.
        state: its state.
        attributes: its other columns, each as a text; a number, true or false is found by its text, too.
        tag_prefix: how its tag begins.
        fingerprint: a secret of its tag holds the key with this fingerprint.
    """

    users: tuple[SipUser, ...] = ()
    username_prefix: str | None = None
    domain: str | None = None
    state: ProfileState | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    tag_prefix: str | None = None
    fingerprint: str | None = None

    def check(self, columns: Columns) -> None:
        """Check the conditions.

        Raises:
            Invalid: no profile could meet one, or it has another name.
        """
        for user in self.users:
            check_text("the username", user.username)
        texts = (
            ("the beginning of the username", self.username_prefix),
            ("the domain", self.domain),
            ("the beginning of the tag", self.tag_prefix),
        )
        for name, text in (*texts, *((f"the column {name!r}", text) for name, text in self.attributes.items())):
            if text is not None:
                check_text(name, text)
        for name in self.attributes:
            check_text("the name of a column", name)
            if name in own_columns(columns):
                raise Invalid(f"the column {name!r} is not an attribute: it is found by a condition of its own")
        if self.fingerprint is not None:
            check_fingerprint(self.fingerprint)


class Finding:
    """Finds profiles. Issuers are no profiles; the profiles of their users are.

    Args:
        registry: the tables, and the rules that judge secrets.
        proceed: called after each page of a scan. It may wait, or raise an error to give up.
        tell_no_index: called before the scan for a SIP user, with the reason why no index is asked.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        proceed: Proceed = lambda _units, _rows: None,
        tell_no_index: Callable[[NoIndex], None] = lambda _reason: None,
    ) -> None:
        self._registry = registry
        self._store = registry.store
        self._columns = registry.columns
        self._proceed = proceed
        self._tell_no_index = tell_no_index

    def find(self, wanted: Wanted) -> Iterator[ProfileRecord]:
        """Give the profiles that are *wanted*, one by one, as they are found. The order means nothing.

        A profile that an index gives is read again before, so it is as every acknowledged write left it. What was
        written within the last second may be missing.

        Raises:
            Invalid: a condition is one that nothing meets. It is raised before anything is read.
            Conflict: the index was deleted meanwhile.
            Fault: the tables could not be read to the end.
        """
        wanted.check(self._columns)
        if wanted.fingerprint is not None:
            return self._by_fingerprint(wanted, wanted.fingerprint)
        if wanted.users:
            return self._by_user(wanted)
        return self._by_scan(wanted)

    def page(self, wanted: Wanted, *, after: str | None = None, limit: int = MAX_PAGE) -> ProfilePage:
        """Return some of the profiles that are *wanted*, *limit* at most: for callers that cannot wait for all.

        A page may be empty although others follow: `next` is None on the last page.

        Args:
            wanted: the conditions. Fingerprints are left to `find`.
            after: the `next` of the page before; None begins.
            limit: the greatest number of profiles, at most 100.

        Raises:
            Invalid: a condition, the limit or *after* is not valid.
            Conflict: the index was deleted since the page before.
            Fault: the tables could not be read.
        """
        wanted.check(self._columns)
        if wanted.fingerprint is not None:
            raise Invalid("a page is not found by a fingerprint: that takes a scan of all secrets")
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"a page has 1 to {MAX_PAGE} profiles, not {limit}")
        kind, user, tag = _place_of(after, len(wanted.users))
        if kind != _BY_SCAN and wanted.users:
            try:
                return self._index_page(wanted, user, tag, limit)
            except NoIndex as reason:
                if after is not None:
                    raise _index_went() from reason
                self._tell_no_index(reason)
        return self._scan_page(wanted, tag, limit)

    def _by_user(self, wanted: Wanted) -> Iterator[ProfileRecord]:
        first, *others = wanted.users
        tags = self._tags_of(first)
        try:
            known = next(tags, None)
        except NoIndex as reason:
            self._tell_no_index(reason)
            yield from self._by_scan(wanted)
            return
        if known is not None:
            yield from self._records((known,), wanted)
            yield from self._records(tags, wanted)
        try:
            for user in others:
                yield from self._records(self._tags_of(user), wanted)
        except NoIndex as reason:
            raise _index_went() from reason

    def _tags_of(self, user: SipUser) -> Iterator[str]:
        """Give the tags of a SIP user, by the index."""
        after: str | None = None
        while True:
            page = self._store.profiles_of(user.username, after=after, limit=_INDEX_PAGE)
            yield from (str(row[self._columns.tag]) for row in page.rows if self._may_be_in(user.domain, row))
            after = page.next
            if after is None:
                return

    def _may_be_in(self, domain: str | None, row: Row) -> bool:
        """Tell whether a row of the index may be that of a user of *domain*. An index may not hold the domains."""
        held = row.get(self._columns.domain)
        return domain is None or not isinstance(held, str) or fold_domain(held) == fold_domain(domain)

    def _records(self, tags: Iterator[str] | tuple[str, ...], wanted: Wanted) -> Iterator[ProfileRecord]:
        for tag in tags:
            row = self._store.profile(tag)
            if row is not None and self._meets(row, wanted) and self._is_without_secret(row, wanted):
                yield ProfileRecord.from_row(row, self._columns)

    def _by_fingerprint(self, wanted: Wanted, fingerprint: str) -> Iterator[ProfileRecord]:
        search = SecretSearch(self._registry, proceed=self._proceed)
        secrets = search.by_fingerprint(fingerprint, tag_prefix=wanted.tag_prefix)
        return self._records((tag for tag, _ in groupby(secret.tag for secret in secrets)), wanted)

    def _by_scan(self, wanted: Wanted) -> Iterator[ProfileRecord]:
        usable: DigestBag | None = None
        if wanted.state is ProfileState.NO_USABLE_SECRET:
            search = SecretSearch(self._registry, proceed=self._proceed)
            usable = search.tags_with_usable_secret(tag_prefix=wanted.tag_prefix)
        looked_at = 0
        for page in self._store.scan_profiles(where=self._filter_of(wanted), segments=SEGMENTS):
            looked_at += page.looked_at
            for row in page.rows:
                if not self._meets(row, wanted):
                    continue
                if usable is not None and str(row[self._columns.tag]).encode() in usable:
                    continue
                if self._is_without_secret(row, wanted):
                    yield ProfileRecord.from_row(row, self._columns)
            self._proceed(page.read_units, looked_at)

    def _index_page(self, wanted: Wanted, number: int, after: str | None, limit: int) -> ProfilePage:
        user = wanted.users[number]
        page = self._store.profiles_of(user.username, after=after, limit=limit)
        tags = (str(row[self._columns.tag]) for row in page.rows if self._may_be_in(user.domain, row))
        records = tuple(self._records(tags, wanted))
        if page.next is not None:
            return ProfilePage(records, f"{_BY_INDEX}:{number}:{page.next}")
        if number + 1 < len(wanted.users):
            return ProfilePage(records, f"{_BY_INDEX}:{number + 1}:")
        return ProfilePage(records, None)

    def _scan_page(self, wanted: Wanted, after: str | None, limit: int) -> ProfilePage:
        found: list[ProfileRecord] = []
        looked_at = judged = 0
        last: str | None = None
        judges = wanted.state is ProfileState.NO_USABLE_SECRET
        for number, page in enumerate(self._store.scan_profiles(where=self._filter_of(wanted), after=after), 1):
            looked_at += page.looked_at
            for row in page.rows:
                if not self._meets(row, wanted):
                    continue
                if len(found) == limit or (judges and judged == JUDGED_AT_ONCE):
                    return ProfilePage(tuple(found), f"{_BY_SCAN}:0:{last}")
                judged, last = judged + 1, str(row[self._columns.tag])
                if self._is_without_secret(row, wanted):
                    found.append(ProfileRecord.from_row(row, self._columns))
            self._proceed(page.read_units, looked_at)
            if number == MAX_PAGES:
                return ProfilePage(tuple(found), None if page.next is None else f"{_BY_SCAN}:0:{page.next}")
        return ProfilePage(tuple(found), None)

    def _filter_of(self, wanted: Wanted) -> RowFilter:
        """Return what DynamoDB can judge of the conditions: the rows that it leaves out meet them in no case."""
        columns = self._columns
        one_of: dict[str, tuple[object, ...]] = {name: _values_of(text) for name, text in wanted.attributes.items()}
        if wanted.users:
            one_of[columns.username] = tuple(dict.fromkeys(user.username for user in wanted.users))
        beginnings = ((columns.username, wanted.username_prefix), (columns.tag, wanted.tag_prefix))
        present = []
        if wanted.domain is not None:
            present.append(columns.domain)
        if wanted.state is ProfileState.DISABLED:
            present.append(columns.disabled)
        if wanted.state is ProfileState.TOKENS_REVOKED:
            present.append(columns.valid_after)
        return RowFilter(
            one_of=one_of,
            beginnings={name: text for name, text in beginnings if text is not None},
            present=tuple(present),
        )

    def _meets(self, row: Row, wanted: Wanted) -> bool:
        """Tell whether a *row* meets all conditions, except for those on its secrets."""
        columns = self._columns
        username, domain = row.get(columns.username), row.get(columns.domain)
        return (
            not holds_issuer(row)
            and (not wanted.users or any(_is_user(user, username, domain) for user in wanted.users))
            and _begins(username, wanted.username_prefix)
            and _is_domain(domain, wanted.domain)
            and self._is_in_state(row, wanted.state)
            and all(_is_value(row.get(name), text) for name, text in wanted.attributes.items())
            and _begins(row[columns.tag], wanted.tag_prefix)
        )

    def _is_in_state(self, row: Row, state: ProfileState | None) -> bool:
        if state is ProfileState.TOKENS_REVOKED:
            return self._columns.valid_after in row
        if state in (ProfileState.ENABLED, ProfileState.DISABLED):
            return disables(row.get(self._columns.disabled, False)) is (state is ProfileState.DISABLED)
        return True

    def _is_without_secret(self, row: Row, wanted: Wanted) -> bool:
        """Tell whether no secret of the row's tag is usable now, if that is wanted.

        The users of an issuer have none, and need none: the issuer's keys verify their tokens.
        """
        if wanted.state is not ProfileState.NO_USABLE_SECRET:
            return True
        tag = str(row[self._columns.tag])
        if issuer_of_user(tag) is not None:
            return False
        secrets = map(self._registry.inspect, self._registry.secrets(tag))
        return all(secret.state is not SecretState.OPEN for secret in secrets)


def _place_of(after: str | None, users: int) -> tuple[str | None, int, str | None]:
    """Read where a page begins: how the one before was found, the number of the SIP user, and a tag."""
    if after is None:
        return None, 0, None
    kind, _, rest = after.partition(":")
    number, separator, tag = rest.partition(":")
    is_place = kind in (_BY_INDEX, _BY_SCAN) and bool(separator) and number.isascii() and number.isdigit()
    is_user = is_place and len(number) == 1 and (int(number) < users or kind == _BY_SCAN)
    if not is_user or len(tag.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES or (kind == _BY_SCAN and not tag):
        raise Invalid("that is not the `next` of an earlier page of the same search")
    return kind, int(number), tag or None


def _index_went() -> Conflict:
    return Conflict("the index of usernames went away meanwhile: search again from the beginning")


def _values_of(text: str) -> tuple[AttributeValue, ...]:
    """Return the values of a column that are found by a *text*."""
    values: list[AttributeValue] = [text]
    try:
        number = Decimal(text)
        if is_storable(number):
            values.append(number)
    except InvalidOperation:
        pass
    if text in ("true", "false"):
        values.append(text == "true")
    return tuple(values)


def _is_value(value: object, text: str) -> bool:
    return any(type(value) is type(one) and value == one for one in _values_of(text))


def _is_user(user: SipUser, username: object, domain: object) -> bool:
    return username == user.username and _is_domain(domain, user.domain)


def _is_domain(domain: object, wanted: str | None) -> bool:
    return wanted is None or (isinstance(domain, str) and fold_domain(domain) == fold_domain(wanted))


def _begins(value: object, beginning: str | None) -> bool:
    return beginning is None or (isinstance(value, str) and value.startswith(beginning))
