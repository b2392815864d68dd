"""Profiles: which SIP user a tag stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final

from auth_jwt.errors import Conflict, Invalid, NotFound, Outdated
from auth_jwt.issuers.models import CONFIGURATION, DOMAIN_OF, VERSION, domain_tag, holds_issuer, issuer_of_user
from auth_jwt.models import SECRET_ID, Columns, Row, disables
from auth_jwt.provisioning.changes import (
    ABSENT,
    MISSING,
    Change,
    Expected,
    Key,
    Missing,
    Overtaken,
    Page,
    Put,
    Table,
    Update,
)
from auth_jwt.provisioning.deleting import Restored, delete, list_tombstones, restore
from auth_jwt.provisioning.registry import (
    IS_PROFILE,
    MAX_KEY_BYTES,
    Registry,
    check_key,
    check_no_issuer,
    check_profile_tag,
    check_text,
    version_of,
)
from auth_jwt.provisioning.renaming import Renamed, rename
from auth_jwt.provisioning.secrets import Added, NewSecret, PreparedSecret, prepare_secret, report_added
from auth_jwt.provisioning.tombstones import Tombstone

MAX_PAGE: Final = 100
MAX_LISTED: Final = 1000
"""How many profiles one read may give to a program that goes through all of them. The admin API gives `MAX_PAGE`."""
_MAX_COLUMN_BYTES: Final = 255
_MAX_ROW_BYTES: Final = 350_000  # DynamoDB's limit is 400 kB, names and overhead included

_MAX_DIGITS: Final = 38  # DynamoDB's limits for a number
_MAX_EXPONENT: Final = 125
_MANY_DIGITS: Final = 10_000

AttributeValue = str | int | Decimal | bool


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """A profile as operators see it.

    Attributes:
        tag: the tag, as tokens carry it.
        sip_username: the SIP username; None when the row has no text there.
        sip_domain: the SIP domain of the username; None when the row has no text there.
        disabled: whether every login with this profile is denied.
        tokens_valid_after: UNIX seconds; tokens issued earlier are revoked. None when there is no such bound.
        attributes: all other columns; `LOAD_CREDENTIALS` picks from them.
        version: a text that changes whenever a column changes.
    """

    tag: str
    sip_username: str | None
    sip_domain: str | None
    disabled: bool
    tokens_valid_after: object
    attributes: Row = field(repr=False)
    version: str

    @classmethod
    def from_row(cls, row: Row, columns: Columns) -> "ProfileRecord":
        """Make a record of a *row*, even if its columns hold unexpected types."""
        username, domain = row.get(columns.username), row.get(columns.domain)
        disabled = row.get(columns.disabled, False)
        return cls(
            tag=str(row[columns.tag]),
            sip_username=username if isinstance(username, str) and username else None,
            sip_domain=domain if isinstance(domain, str) and domain else None,
            disabled=disables(disabled),
            tokens_valid_after=row.get(columns.valid_after),
            attributes={name: value for name, value in row.items() if name not in own_columns(columns)},
            version=version_of(row),
        )


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """One page of profiles; *next* is the tag after which the next page starts, None on the last page."""

    profiles: tuple[ProfileRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Created:
    """A profile that was created, and its first secret if the operator wanted one."""

    profile: ProfileRecord
    secret: Added | None = None


class Profiles:
    """The operations on profiles."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._columns = registry.columns

    def create(
        self,
        tag: str,
        username: str,
        *,
        domain: str | None = None,
        disabled: bool = False,
        attributes: Mapping[str, AttributeValue] | None = None,
        secret: NewSecret | None = None,
    ) -> Created:
        """Create a profile and, if *secret* is given, its first secret: both or neither.

        A second call with the same values changes nothing and returns the same result.

        Raises:
            Invalid: a value would not work.
            Conflict: another profile or an issuer has the tag already, another secret has the id, or an issuer has the
                domain.
        """
        check_profile_tag(tag)
        row = self._row(username, domain, disabled, attributes or {})
        if domain is not None:
            self._check_domain(tag, domain)
        changes: list[Change] = [Put(Key(Table.PROFILES, tag), row, ABSENT)]
        details: dict[str, object] = {"columns": sorted(row)}
        first, new = None, None
        if secret is not None:
            new = prepare_secret(self._registry, tag, secret, others=())
            changes.append(Put(Key(Table.SECRETS, tag, new.id), new.columns, ABSENT))
            details["secrets"] = [new.id]
            first = report_added(new, secret)
        try:
            self._registry.write("profile.create", tag, *changes, details=details)
        except Overtaken as overtaken:
            if overtaken.key.table is Table.SECRETS:
                raise Conflict(f"{tag!r} has a secret {overtaken.key.id!r} already") from None
            existing = self._store.profile(tag)
            check_no_issuer(tag, existing)
            if not _is_same(existing, {self._columns.tag: tag, **row}) or not self._has(tag, new):
                raise Conflict(f"there is a profile {tag!r} already") from None
        return Created(self.show(tag), first)

    def show(self, tag: str) -> ProfileRecord:
        """Return the profile of *tag*.

        Raises:
            Invalid: no token may carry the tag.
            NotFound: there is no such profile.
            Conflict: the tag is an issuer's.
        """
        return ProfileRecord.from_row(self._read_existing(tag), self._columns)

    def page(self, *, after: str | None = None, limit: int = MAX_PAGE) -> ProfilePage:
        """Return up to *limit* profiles (at most `MAX_LISTED`) that follow the tag *after*, in the table's order.

        Issuers are left out, so a page may have fewer, though others follow.

        Raises:
            Invalid: the limit is out of range, or no row may have the tag *after*.
        """
        if not 1 <= limit <= MAX_LISTED:
            raise Invalid(f"a page has 1 to {MAX_LISTED} profiles, not {limit}")
        if after is not None and len(check_text("the tag to continue after", after).encode()) > MAX_KEY_BYTES:
            raise Invalid(f"the tag to continue after has at most {MAX_KEY_BYTES} bytes")
        page: Page = self._store.profiles(after=after, limit=limit)
        profiles = (ProfileRecord.from_row(row, self._columns) for row in page.rows if not holds_issuer(row))
        return ProfilePage(tuple(profiles), page.next)

    def change(
        self,
        tag: str,
        *,
        username: str | None = None,
        domain: str | Missing | None = None,
        attributes: Mapping[str, AttributeValue | None] | None = None,
        disabled: bool | None = None,
        if_version: str | None = None,
    ) -> ProfileRecord:
        """Change the given columns of a profile, and leave all others.

        Args:
            tag: the profile's tag.
            username: the new SIP username.
            domain: the new SIP domain; `MISSING` removes it.
            attributes: other columns; None as a value removes the column.
            disabled: whether every login with the profile is denied from now on.
            if_version: change the profile only if it still has this version.

        Raises:
            Invalid: nothing is given, or a value would not work.
            NotFound: there is no such profile.
            Conflict: the tag is an issuer's, or an issuer has the domain.
            Outdated: the profile has another version by now.
        """
        columns: dict[str, object] = {}
        if username is not None:
            columns[self._columns.username] = check_text("the username", username)
        if domain is not None:
            columns[self._columns.domain] = MISSING if domain is MISSING else check_text("the domain", domain)
        if disabled is not None:
            columns[self._columns.disabled] = True if disabled else MISSING
        for name, value in self._check_attributes(attributes or {}).items():
            columns[name] = MISSING if value is None else value
        if not columns:
            raise Invalid("no change is given")
        if isinstance(domain, str):
            self._check_domain(check_profile_tag(tag), domain)
        self._update("profile.change", tag, columns, if_version)
        return self.show(tag)

    def disable(self, tag: str, *, if_version: str | None = None) -> ProfileRecord:
        """Disable a profile: every login with it is denied, once the service reads the row again (`CACHE_TTL_SECONDS`).

        Raises:
            NotFound: there is no such profile.
            Outdated: with *if_version*, the profile has another version by now.
        """
        self._update("profile.disable", tag, {self._columns.disabled: True}, if_version)
        return self.show(tag)

    def enable(self, tag: str, *, if_version: str | None = None) -> ProfileRecord:
        """Enable a disabled profile.

        Raises:
            NotFound: there is no such profile.
            Outdated: with *if_version*, the profile has another version by now.
        """
        self._update("profile.enable", tag, {self._columns.disabled: MISSING}, if_version)
        return self.show(tag)

    def switch(self, tag: str, *, disabled: bool) -> bool:
        """Disable or enable a profile, unless it is so already; return whether that changed it.

        Raises:
            NotFound: there is no such profile.
            Conflict: the tag is an issuer's.
        """
        present = self._read_existing(tag)
        if disables(present.get(self._columns.disabled, False)) is disabled:
            return False
        action = "profile.disable" if disabled else "profile.enable"
        self._update(action, tag, {self._columns.disabled: True if disabled else MISSING}, None, present)
        return True

    def delete(self, tag: str, *, if_version: str | None = None, forever: bool = False) -> int:
        """Delete a profile and all its secrets; see `auth_jwt.provisioning.deleting`."""
        return delete(self._registry, tag, if_version=if_version, forever=forever)

    def deleted(self) -> list[Tombstone]:
        """Return the deleted profiles that can be restored, the latest first."""
        return list_tombstones(self._registry)

    def restore(self, tag: str) -> Restored:
        """Restore the profile of *tag* that was deleted last; see `auth_jwt.provisioning.deleting`.

        Raises:
            NotFound: nothing of the tag is kept.
            Conflict: a profile or a secret is in its place, or an issuer has the tag or the domain by now.
        """

        def check(row: Row) -> None:
            if isinstance(domain := row.get(self._columns.domain), str):
                self._check_domain(tag, domain)

        return restore(self._registry, tag, check=check)

    def rename(self, tag: str, new_tag: str) -> Renamed:
        """Move a profile and its secrets to another tag; see `auth_jwt.provisioning.renaming`."""
        return rename(self._registry, tag, new_tag)

    def secret_count(self, tag: str) -> int:
        """Return how many secrets `delete` would delete with the profile."""
        return len(self._store.secrets(check_key(tag)))

    def _has(self, tag: str, new: PreparedSecret | None) -> bool:
        """Tell whether the tables hold the secret *new* already, as after a lost answer; True without a secret."""
        rows = {} if new is None else {str(row[SECRET_ID]): row for row in self._store.secrets(tag)}
        return new is None or dict(rows.get(new.id, {})).get(self._columns.secret) == new.value

    def _read_existing(self, tag: str) -> Row:
        row = self._store.profile(check_profile_tag(tag))
        if row is None:
            raise NotFound(f"there is no profile {tag!r}")
        check_no_issuer(tag, row)
        return row

    def _check_domain(self, tag: str, domain: str) -> None:
        """Check that no issuer has the SIP *domain*, whose users it names by a claim, but for an issuer's own users.

        The row that claims it is read before the profile is written, and not as a condition of the write: profiles of
        one domain are often created many at a time, and conditions on one row would make them wait for each other.

        Raises:
            Conflict: an issuer has it.
        """
        claimed = domain_tag(domain)
        if len(claimed.encode()) > MAX_KEY_BYTES:  # so long that no issuer can have it
            return
        for row in self._store.secrets(claimed):
            issuer = row.get(DOMAIN_OF)
            if issuer != issuer_of_user(tag):
                raise Conflict(f"the SIP domain {domain!r} is that of the issuer {issuer!r}, who names its users")

    def _update(self, action: str, tag: str, columns: Row, if_version: str | None, present: Row | None = None) -> None:
        present = self._read_existing(tag) if present is None else present
        _check_size({**present, **{name: value for name, value in columns.items() if value is not MISSING}})
        expected = IS_PROFILE if if_version is None else self._as_read(tag, present, if_version)
        try:
            self._registry.write(
                action,
                tag,
                Update(Key(Table.PROFILES, tag), columns, expected),
                details={"columns": sorted(columns)} if action == "profile.change" else None,
            )
        except Overtaken:
            if if_version is None or self._store.profile(tag) is None:
                raise NotFound(f"there is no profile {tag!r}") from None
            raise _outdated(tag) from None

    def _as_read(self, tag: str, row: Row, version: str) -> Expected:
        """Return the condition that the row still is what it was at this *version*."""
        if version_of(row) != version:
            raise _outdated(tag)
        return self._registry.as_read(Table.PROFILES, row)

    def _row(
        self, username: str, domain: str | None, disabled: bool, attributes: Mapping[str, AttributeValue]
    ) -> dict[str, object]:
        row: dict[str, object] = dict(self._check_attributes(attributes))
        row[self._columns.username] = check_text("the username", username)
        if domain is not None:
            row[self._columns.domain] = check_text("the domain", domain)
        if disabled:
            row[self._columns.disabled] = True
        _check_size(row)
        return row

    def _check_attributes(self, attributes: Mapping[str, AttributeValue | None]) -> Mapping[str, AttributeValue | None]:
        for name, value in attributes.items():
            check_text("the name of a column", name)
            if len(name.encode()) > _MAX_COLUMN_BYTES:
                raise Invalid(f"the name of a column has at most {_MAX_COLUMN_BYTES} bytes")
            if name in (CONFIGURATION, VERSION):
                raise Invalid(f"the column {name!r} is that of issuers: see `auth-jwt issuer`")
            if name in own_columns(self._columns):
                raise Invalid(f"the column {name!r} is not an attribute: it has an option of its own")
            if value == "":
                raise Invalid(f"the column {name!r} is empty: leave it out")
            if isinstance(value, str):
                check_text(f"the column {name!r}", value)
            elif not isinstance(value, bool | int | Decimal | None):
                raise Invalid(f"the column {name!r} is neither text nor a number, true or false")
            elif value is not None and not is_storable(Decimal(value)):
                raise Invalid(
                    f"the column {name!r} is a number that DynamoDB cannot store: it stores 38 digits, up to 1E+125"
                )
        return attributes


def own_columns(columns: Columns) -> frozenset[str]:
    """Return the names of the profile columns that the decision itself reads."""
    return frozenset({columns.tag, columns.username, columns.domain, columns.disabled, columns.valid_after})


def _check_size(row: Row) -> None:
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in row.items())
    if size > _MAX_ROW_BYTES:
        raise Invalid(f"the columns of the profile take {size} bytes, more than the {_MAX_ROW_BYTES} that fit")


def _is_same(row: Row | None, other: Row) -> bool:
    """Tell whether two rows are equal; unlike in Python, True is not 1."""
    return row == other and all(isinstance(row[name], bool) is isinstance(other[name], bool) for name in other)


def is_storable(number: Decimal) -> bool:
    """Tell whether DynamoDB can store a *number*: it stores 38 digits, up to 1E+125."""
    if not number.is_finite():
        return False
    digits = number.normalize(Context(prec=_MANY_DIGITS)).as_tuple().digits
    return len(digits) <= _MAX_DIGITS and (not number or abs(number.adjusted()) <= _MAX_EXPONENT)


def _outdated(tag: str) -> Outdated:
    return Outdated(f"somebody changed the profile {tag!r} meanwhile: look at it again")
