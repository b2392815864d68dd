"""Issuers: whose published keys verify tokens, and which SIP users those tokens speak for.

An issuer has four kinds of rows, written together: its configuration, the status of its fetches, its line in the
registry and, when a claim names its users, the claim of its SIP domain. Refreshing adds its keys. docs/issuers.md
has the rows, attribute by attribute.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from auth_jwt.errors import Conflict, Invalid, NotFound, Outdated
from auth_jwt.issuers.models import (
    CONFIGURATION,
    DOMAIN_OF,
    DOMAIN_ROW,
    KEYS,
    KEYS_ROW,
    KEYS_URL,
    MEMBERS,
    NEXT_FETCH_AT,
    REGISTRY_TAG,
    STATUS_ROW,
    VERSION,
    Issuer,
    IssuerKey,
    KeySet,
    check_identifier,
    domain_tag,
    holds_issuer,
    id_of,
    is_kept_for_issuers,
)
from auth_jwt.issuers.status import (
    ETAG,
    FAILURE,
    FAILURES,
    MOVED_TO,
    NEXT_DISCOVERY_AT,
    FetchStatus,
)
from auth_jwt.jose.tokens import is_allowed
from auth_jwt.models import SECRET_ID, Row, disables, fold_domain
from auth_jwt.provisioning.changes import (
    ABSENT,
    ANYTHING,
    MISSING,
    PRESENT,
    Change,
    Delete,
    Expected,
    Key,
    Overtaken,
    Put,
    Table,
    Update,
)
from auth_jwt.provisioning.inspection import kind_of
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.statements import in_order
from auth_jwt.strict_json import strict_json_object

MAX_PAGE: Final = 100
MAX_CONFIGURATION_BYTES: Final = 8192
MAX_DOMAIN_CHARACTERS: Final = 253  # RFC 1035, section 2.3.4, without the root

EDITABLE_CLAIMS: Final = frozenset(
    {*("email", "preferred_username", "nickname", "name", "upn", "unique_name", "cognito:username", "phone_number")}
)
"""Claims that users may edit themselves at common providers. Whoever edits it becomes another SIP user."""

_ATTEMPTS: Final = 5
_FETCHED_ANEW: Final = (ETAG, FAILURES, FAILURE, NEXT_FETCH_AT, NEXT_DISCOVERY_AT, MOVED_TO)
"""What the status row says of an address of keys, and of no other."""


_Make = Callable[[dict[str, Any], Sequence[IssuerKey]], dict[str, Any]]
"""Makes the members of a new configuration of the present ones and of the keys as last fetched."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key of an issuer, as last fetched.

    Attributes:
        kid: its `kid`; None without one.
        kind: what it is, in words.
        algorithms: what it verifies for this issuer.
        thumbprint: its RFC 7638 thumbprint, by which it is blocked. It names a public key and may be shown.
        blocked: whether an operator has blocked it.
    """

    kid: str | None
    kind: str
    algorithms: tuple[str, ...]
    thumbprint: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """An issuer as operators see it.

    Attributes:
        identifier: the issuer, exactly as in `iss`.
        id: its id in paths of APIs.
        issuer: its configuration; None when that cannot be used, or is gone.
        problem: why it cannot be used; None when it can.
        disabled: whether every token of it is denied.
        status: how the fetches of its keys went; None when the row is gone.
        keys: its keys as last fetched; none that came from another address than the configured one.
        version: the version of its configuration, even of one that cannot be used; 0 without one.
    """

    identifier: str
    id: str
    issuer: Issuer | None
    problem: str | None
    disabled: bool
    status: FetchStatus | None
    keys: tuple[PublishedKey, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class IssuerPage:
    """One page of issuers; *next* is the identifier after which the next page starts, None on the last page."""

    issuers: tuple[IssuerRecord, ...]
    next: str | None


class Issuers:
    """The operations on issuers. None of them fetches anything: `auth_jwt.refreshing` does."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._columns = registry.columns

    def add(self, identifier: str, members: Mapping[str, Any], *, trusts_claim: bool = False) -> IssuerRecord:
        """Add an issuer. Its keys count once they have been fetched.

        A second call with the same values changes nothing and returns the same issuer.

        Args:
            identifier: the issuer, exactly as in `iss`.
            members: the members of its configuration.
            trusts_claim: whether the operator states that users cannot change the claim that names them.

        Raises:
            Invalid: a value would not work, or users may edit the claim.
            Conflict: the issuer is there already with other values, the tag has a profile or secrets, or another issuer
                has its SIP domain.
        """
        issuer = self.check(identifier, members, trusts_claim=trusts_claim)
        if any(not is_kept_for_issuers(row, self._columns) for row in self._store.secrets(identifier)):
            raise Conflict(f"{identifier!r} has secrets, and a tag holds an issuer or secrets, never both")
        version = self._registry.now()
        text = issuer.to_json()
        changes = [
            Put(Key(Table.PROFILES, identifier), {CONFIGURATION: text, VERSION: version}, ABSENT),
            Put(_status_key(identifier), {VERSION: version}),
            Delete(Key(Table.SECRETS, identifier, KEYS_ROW)),
            Put(Key(Table.SECRETS, REGISTRY_TAG, identifier), {}),
            *self._claims_of(identifier, None, issuer.domain),
        ]
        try:
            self._registry.write("issuer.add", identifier, *changes, details=_details(issuer, version))
        except Overtaken as overtaken:
            _reject_domain(overtaken, issuer)
            row = self._store.profile(identifier)
            if row is None or row.get(CONFIGURATION) != text:
                what = "a profile" if row is not None and not holds_issuer(row) else "an issuer"
                raise Conflict(f"there is {what} {identifier!r} already") from None
        return self.show(identifier)

    def check(self, identifier: str, members: Mapping[str, Any], *, trusts_claim: bool = False) -> Issuer:
        """Return the issuer that `add` would write, and write nothing. The arguments are those of `add`.

        Raises:
            Invalid: a value would not work, or users may edit the claim.
        """
        issuer = self._check(identifier, members)
        _check_claim(issuer, trusts_claim=trusts_claim)
        return issuer

    def show(self, identifier: str) -> IssuerRecord:
        """Return an issuer.

        Raises:
            Invalid: no issuer can be named so.
            NotFound: there is no such issuer.
        """
        check_identifier(identifier)
        record = self._record(identifier)
        if record.status is None and record.issuer is None and record.problem is None:
            raise _no_issuer(identifier)
        return record

    def page(self, *, after: str | None = None, limit: int = MAX_PAGE) -> IssuerPage:
        """Return up to *limit* issuers (at most 100) that follow *after*, sorted by identifier. It scans no table.

        Raises:
            Invalid: the limit is out of range.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"a page has 1 to {MAX_PAGE} issuers, not {limit}")
        known = [identifier for identifier in self.identifiers() if after is None or identifier > after]
        some = known[:limit]
        return IssuerPage(tuple(map(self._record, some)), some[-1] if len(known) > limit else None)

    def identifiers(self) -> list[str]:
        """Return the identifiers of all issuers, sorted."""
        rows = self._store.secrets(REGISTRY_TAG, only=(self._columns.secret_tag, SECRET_ID))
        return sorted(str(row[SECRET_ID]) for row in rows)

    def domains(self) -> dict[str, str]:
        """Return the SIP domains, in lower case, whose users an issuer names by a claim, each with that issuer."""
        found: dict[str, str] = {}
        for identifier in self.identifiers():
            row = self._store.profile(identifier)
            issuer = None if row is None else self._read(row)[0]
            if issuer is not None and issuer.domain is not None:
                found.setdefault(fold_domain(issuer.domain), identifier)
        return found

    def find(self, issuer_id: str) -> str:
        """Return the identifier of the issuer with this id.

        Raises:
            NotFound: there is no such issuer.
        """
        for identifier in self.identifiers():
            if id_of(identifier) == issuer_id:
                return identifier
        raise NotFound(f"there is no issuer with the id {issuer_id!r}")

    def change(
        self,
        identifier: str,
        members: Mapping[str, Any],
        *,
        trusts_claim: bool = False,
        if_version: int | None = None,
    ) -> IssuerRecord:
        """Change the given members of an issuer's configuration, and leave all others.

        Another address of its keys makes its tokens wait until they have been fetched from there; so the address that
        the issuer has moved to is accepted.

        Args:
            identifier: the issuer.
            members: the members to change; None gives a member its default.
            trusts_claim: as of `add`; asked for only when another claim names the users.
            if_version: change it only if its configuration still has this version.

        Raises:
            Invalid: no change is given, a value would not work, or users may edit the claim.
            NotFound: there is no such issuer.
            Outdated: the configuration has another version.
            Conflict: another issuer has its SIP domain, or the configuration keeps changing.
        """
        if not members:
            raise Invalid("no change is given")
        if unknown := sorted(members.keys() - frozenset(MEMBERS)):
            raise Invalid(f"the member {unknown[0]!r} is unknown; known: {', '.join(MEMBERS)}")
        return self._change(
            "issuer.change",
            identifier,
            lambda known, _: {**known, **members},
            trusts_claim=trusts_claim,
            if_version=if_version,
        )

    def block_key(self, identifier: str, key: str) -> IssuerRecord:
        """Block a key of an issuer: it verifies nothing from now on, even if it is fetched again.

        Args:
            identifier: the issuer.
            key: the thumbprint of a key, or the `kid` of one key as last fetched.

        Raises:
            NotFound: there is no such issuer, or no such key of it.
            Conflict: several keys have the `kid`, or the configuration keeps changing.
        """

        def block(known: dict[str, Any], keys: Sequence[IssuerKey]) -> dict[str, Any]:
            blocked = known.get("blocked_keys", ())
            return {**known, "blocked_keys": sorted({*blocked, _thumbprint_of(key, keys, blocked)})}

        return self._change("issuer.block_key", identifier, block)

    def unblock_key(self, identifier: str, key: str) -> IssuerRecord:
        """Let a blocked key verify again; *key* as of `block_key`.

        Raises:
            NotFound: there is no such issuer, no such key of it, or the key is not blocked.
            Conflict: several keys have the `kid`, or the configuration keeps changing.
        """

        def unblock(known: dict[str, Any], keys: Sequence[IssuerKey]) -> dict[str, Any]:
            blocked = set(known.get("blocked_keys", ()))
            thumbprint = _thumbprint_of(key, keys, blocked)
            if thumbprint not in blocked:
                raise NotFound(f"the key {thumbprint} of {identifier!r} is not blocked")
            return {**known, "blocked_keys": sorted(blocked - {thumbprint})}

        return self._change("issuer.unblock_key", identifier, unblock)

    def disable(self, identifier: str) -> IssuerRecord:
        """Disable an issuer: every token of it is denied, once the service reads the row again (`CACHE_TTL_SECONDS`).

        Raises:
            NotFound: there is no such issuer.
            Conflict: the issuer keeps changing.
        """
        return self._switch("issuer.disable", identifier, {self._columns.disabled: True})

    def enable(self, identifier: str) -> IssuerRecord:
        """Enable a disabled issuer. Its keys were not fetched meanwhile, so the next fetch is due now.

        Raises:
            NotFound: there is no such issuer.
            Conflict: the issuer keeps changing.
        """
        due = (
            [Update(_status_key(identifier), {NEXT_FETCH_AT: MISSING})] if STATUS_ROW in self._rows(identifier) else []
        )
        return self._switch("issuer.enable", identifier, {self._columns.disabled: MISSING}, *due)

    def remove(self, identifier: str) -> None:
        """Delete all rows of an issuer, and the claim of its domain.

        The profiles of its users stay. No token speaks for them any more.

        Raises:
            NotFound: there is no such issuer.
            Conflict: somebody changed it meanwhile.
        """
        row = self._store.profile(identifier)
        if row is not None and not holds_issuer(row):
            raise _no_issuer(identifier)
        if row is None and identifier not in self.identifiers():
            raise _no_issuer(identifier)
        expected = ABSENT if row is None else _as_read(row)
        try:
            self._registry.write(
                "issuer.remove",
                identifier,
                Delete(Key(Table.PROFILES, identifier), expected),
                Delete(_status_key(identifier)),
                Delete(Key(Table.SECRETS, identifier, KEYS_ROW)),
                Delete(Key(Table.SECRETS, REGISTRY_TAG, identifier)),
                *self._claims_of(identifier, None if row is None else _domain_in(row), None),
            )
        except Overtaken:
            raise Conflict(f"somebody changed the issuer {identifier!r} meanwhile: look at it again") from None

    def _change(
        self,
        action: str,
        identifier: str,
        make: _Make,
        *,
        trusts_claim: bool = True,
        if_version: int | None = None,
    ) -> IssuerRecord:
        """Write the configuration that *make* makes of the present one, and its version into both rows."""
        for _ in range(_ATTEMPTS):
            row = self._read_existing(identifier)
            if if_version is not None and if_version != _version_of(row):
                raise Outdated(f"the configuration of {identifier!r} has another version: look at it again")
            before, _ = self._read(row)
            rows = self._rows(identifier)
            known = _members_of(row)
            members = make(known, _keys_of(rows, before))
            issuer = self._check(identifier, {name: value for name, value in members.items() if value is not None})
            if before is None or before.username_claim != issuer.username_claim:
                _check_claim(issuer, trusts_claim=trusts_claim)
            belongs = STATUS_ROW in rows and FetchStatus.from_row(rows[STATUS_ROW]).version == _version_of(row)
            if before is not None and issuer.to_json() == before.to_json() and belongs:
                break
            version = max(self._registry.now(), _version_of(row) + 1)
            status: dict[str, object] = {VERSION: version}
            if before is None or before.keys_url != issuer.keys_url:
                status |= dict.fromkeys(_FETCHED_ANEW, MISSING)
            expected_status = ANYTHING if STATUS_ROW not in rows else PRESENT
            changes: list[Change] = [
                Update(
                    Key(Table.PROFILES, identifier),
                    {CONFIGURATION: issuer.to_json(), VERSION: version},
                    _as_read(row),
                ),
                Update(_status_key(identifier), status, expected_status),
                *self._claims_of(identifier, _domain_in(row), issuer.domain),
            ]
            try:
                self._registry.write(
                    action, identifier, *changes, details=_details(issuer, version, _changed(known, members))
                )
            except Overtaken as overtaken:
                _reject_domain(overtaken, issuer)
                continue
            break
        else:
            raise Conflict(f"the issuer {identifier!r} keeps changing: try again")
        return self.show(identifier)

    def _switch(self, action: str, identifier: str, columns: Row, *more: Change) -> IssuerRecord:
        for _ in range(_ATTEMPTS):
            row = self._read_existing(identifier)
            update = Update(Key(Table.PROFILES, identifier), columns, _as_read(row))
            try:
                self._registry.write(action, identifier, update, *more)
            except Overtaken:
                continue
            return self.show(identifier)
        raise Conflict(f"the issuer {identifier!r} keeps changing: try again")

    def _claims_of(self, identifier: str, old: str | None, new: str | None) -> list[Change]:
        """Return the changes by which an issuer gives up the domain *old*, and claims *new*."""
        old_tag, new_tag = (None if domain is None else domain_tag(domain) for domain in (old, new))
        if old_tag == new_tag:
            return []
        own = Expected(True, {DOMAIN_OF: identifier})
        changes: list[Change] = []
        if old_tag is not None and self._has_domain(identifier, old_tag):
            changes.append(Delete(Key(Table.SECRETS, old_tag, DOMAIN_ROW), own))
        if new_tag is not None:
            expected = own if self._has_domain(identifier, new_tag) else ABSENT
            changes.append(Put(Key(Table.SECRETS, new_tag, DOMAIN_ROW), {DOMAIN_OF: identifier}, expected))
        return changes

    def _has_domain(self, identifier: str, tag: str) -> bool:
        return any(row.get(DOMAIN_OF) == identifier for row in self._store.secrets(tag))

    def _check(self, identifier: str, members: Mapping[str, Any]) -> Issuer:
        """Return the issuer with these members, if the service can use it."""
        try:
            text = json.dumps(dict(members))
        except (TypeError, ValueError, RecursionError):
            raise Invalid("the configuration holds something that JSON has no form for") from None
        issuer = Issuer.from_json(identifier, text)
        if issuer.domain is not None and len(issuer.domain) > MAX_DOMAIN_CHARACTERS:
            raise Invalid(f"a SIP domain has at most {MAX_DOMAIN_CHARACTERS} characters")
        size = len(issuer.to_json().encode())
        if size > MAX_CONFIGURATION_BYTES:
            raise Invalid(f"the configuration takes {size} bytes, more than the {MAX_CONFIGURATION_BYTES} that fit")
        return issuer

    def _read_existing(self, identifier: str) -> Row:
        row = self._store.profile(identifier) if identifier else None
        if row is None or not holds_issuer(row):
            raise _no_issuer(identifier)
        return row

    def _read(self, row: Row) -> tuple[Issuer | None, str | None]:
        try:
            return Issuer.from_row(row, self._columns), None
        except Invalid as problem:
            return None, str(problem)

    def _rows(self, identifier: str) -> dict[str, Row]:
        return {str(row[SECRET_ID]): row for row in self._store.secrets(identifier)}

    def _record(self, identifier: str) -> IssuerRecord:
        row = self._store.profile(identifier)
        if row is not None and not holds_issuer(row):
            raise _no_issuer(identifier)
        issuer, problem = (None, None) if row is None else self._read(row)
        rows = self._rows(identifier)
        status = rows.get(STATUS_ROW)
        return IssuerRecord(
            identifier,
            id_of(identifier),
            issuer,
            problem,
            row is not None and disables(row.get(self._columns.disabled, False)),
            None if status is None else FetchStatus.from_row(status),
            tuple(describe_key(key, issuer) for key in _keys_of(rows, issuer) if issuer is not None),
            0 if row is None else _version_of(row),
        )


def describe_key(key: IssuerKey, issuer: Issuer) -> PublishedKey:
    """Return a *key* as operators see it: what it is, and what it verifies for this issuer."""
    algorithms = frozenset() if key.key is None else key.key.algorithms
    return PublishedKey(
        key.kid,
        "unusable" if key.key is None else kind_of(key.key),
        in_order(name for name in algorithms if is_allowed(name, issuer.algorithms)),
        key.thumbprint,
        key.thumbprint in issuer.blocked_keys,
    )


def _status_key(identifier: str) -> Key:
    return Key(Table.SECRETS, identifier, STATUS_ROW)


def _as_read(row: Row) -> Expected:
    return Expected(True, {name: row.get(name, MISSING) for name in (CONFIGURATION, VERSION)})


def _version_of(row: Row) -> int:
    version = row.get(VERSION)
    return int(version) if isinstance(version, Decimal) and version.is_finite() else 0


def _members_of(row: Row) -> dict[str, Any]:
    """Return the members of the configuration in a *row*, even of one that cannot be used.

    Raises:
        Invalid: it is no JSON object.
    """
    try:
        return strict_json_object(str(row.get(CONFIGURATION)))
    except ValueError:
        raise Invalid("its configuration is no JSON object: remove the issuer, and add it again") from None


def _domain_in(row: Row) -> str | None:
    """Return the SIP domain of the configuration in a *row*, even of one that cannot be used."""
    try:
        domain = _members_of(row).get("sip_domain")
    except Invalid:
        return None
    return domain if isinstance(domain, str) and domain else None


def _keys_of(rows: Mapping[str, Row], issuer: Issuer | None) -> tuple[IssuerKey, ...]:
    """Return the keys that were fetched from the configured address."""
    row = rows.get(KEYS_ROW, {})
    text, url = row.get(KEYS), row.get(KEYS_URL)
    if issuer is None or not isinstance(text, str) or url != issuer.keys_url:
        return ()
    return KeySet(text, issuer.keys_url).keys


def _thumbprint_of(key: str, keys: Sequence[IssuerKey], blocked: Collection[str]) -> str:
    """Return the thumbprint of the key that an operator means by a thumbprint or a `kid`.

    Raises:
        NotFound: no key has it.
        Conflict: several keys have it.
    """
    known = {each.thumbprint for each in keys if each.thumbprint}
    if key and key in known | set(blocked):
        return key
    named = {each.thumbprint for each in keys if each.kid == key and each.thumbprint}
    if len(named) > 1:
        raise Conflict(f"{len(named)} keys have the kid {key!r}: name one by its thumbprint")
    if not named:
        raise NotFound(f"no key of the issuer has the kid or the thumbprint {key!r}")
    return named.pop()


def _check_claim(issuer: Issuer, *, trusts_claim: bool) -> None:
    """Check that users cannot make themselves another SIP user.

    Raises:
        Invalid: they may edit the claim that names them, and the operator does not state otherwise.
    """
    claim = issuer.username_claim
    if claim in EDITABLE_CLAIMS and not trusts_claim:
        raise Invalid(
            f"at common providers users may edit the claim {claim!r}, and with it become any SIP user: take another"
            " claim, or state that the users of this issuer cannot change it"
        )


def _details(issuer: Issuer, version: int, members: Sequence[str] | None = None) -> dict[str, object]:
    named = members if members is not None else sorted(json.loads(issuer.to_json()))
    return {"version": version, "members": list(named)}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {**before, **after} if before.get(name) != after.get(name))


def _reject_domain(overtaken: Overtaken, issuer: Issuer) -> None:
    """Raise the rejection of a SIP domain that is another's, if that is what stopped a write."""
    if overtaken.key.id == DOMAIN_ROW:
        raise Conflict(f"another issuer has the SIP domain {issuer.domain!r}: two may have users of the same name")


def _no_issuer(identifier: str) -> NotFound:
    return NotFound(f"there is no issuer {identifier!r}")
