"""Revocations: of one token, or of all tokens of a profile that were issued before a time."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from auth_jwt.errors import Conflict, Invalid, NotFound
from auth_jwt.issuers.models import issuer_of_user
from auth_jwt.models import MAX_JTI_BYTES, REVOCATION_JTI, REVOCATION_TAG, Row
from auth_jwt.provisioning.changes import (
    ABSENT,
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
from auth_jwt.provisioning.pasted import is_token
from auth_jwt.provisioning.registry import MAX_TIME, Registry, check_profile_tag, check_text, check_time

MAX_PAGE: Final = 100
_EXPIRES: Final = "expires_at"
_REVOKED: Final = "revoked_at"
_MARGIN_SECONDS: Final = 86400
"""How long a revocation is kept after its token expires, because clocks differ."""
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked token.

    Attributes:
        tag: the tag in the token.
        jti: the token's id.
        revoked_at: when it was revoked, in UNIX seconds; None when the row does not say.
        expires_at: when DynamoDB may delete the revocation, in UNIX seconds; None for never.
    """

    tag: str
    jti: str
    revoked_at: int | None
    expires_at: int | None

    @classmethod
    def from_row(cls, row: Row) -> "Revocation":
        """Read a *row* of the table of revoked tokens."""
        return cls(
            str(row[REVOCATION_TAG]), str(row[REVOCATION_JTI]), _whole(row.get(_REVOKED)), _whole(row.get(_EXPIRES))
        )


@dataclass(frozen=True, slots=True)
class RevocationPage:
    """One page of revoked tokens; *next* is the `jti` after which the next page starts, None on the last page."""

    revocations: tuple[Revocation, ...]
    next: str | None


class Revocations:
    """The operations that revoke issued tokens.

    They take effect once the service reads the tables again: see `CACHE_TTL_SECONDS`.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._valid_after = registry.columns.valid_after

    def revoke(self, tag: str, jti: str, *, exp: int | None = None) -> Revocation:
        """Revoke one token. A second call changes nothing, or keeps the token revoked for longer.

        Args:
            tag: the tag in the token; of an issuer's token the issuer, whoever its user is.
            jti: the token's id.
            exp: when the token expires, in UNIX seconds: the revocation is not needed after that. None keeps it for
                ever.

        Raises:
            Invalid: a value would not work, such as the tag of an issuer's user: no login looks there.
            NotFound: neither a profile nor a secret has the tag.
            Conflict: there is no table of revoked tokens, or the row keeps changing.
        """
        self._check(tag, jti)
        key = Key(Table.REVOCATIONS, tag, jti)
        expires = self._kept_until(exp)
        for _ in range(_ATTEMPTS):
            row = self._store.revocation(tag, jti)
            if row is not None and _is_kept(row, expires):
                return Revocation.from_row(row)
            until = MISSING if expires is None else Decimal(expires)
            if row is None:
                written = {_REVOKED: Decimal(self._registry.now())} | ({} if until is MISSING else {_EXPIRES: until})
                change: Change = Put(key, written, ABSENT)
            else:
                change = Update(key, {_EXPIRES: until}, Expected(True, {_EXPIRES: row.get(_EXPIRES, MISSING)}))
            try:
                self._registry.write("token.revoke", tag, change, id=jti)
            except Overtaken:
                continue
            return self.show(tag, jti)
        raise Conflict(f"the revocation of {jti!r} keeps changing: try again")

    def revoke_all(self, tag: str, *, before: int | None = None) -> int:
        """Revoke all tokens of *tag* issued before a time, and return that time in UNIX seconds. It never moves back.

        A profile may hold a bound that is not a time: that revokes every token. This call replaces it by a time. All
        tokens issued until now stay revoked, and tokens issued later work again.

        Args:
            tag: the profile's tag.
            before: UNIX seconds; None means the next second, so that tokens of the current second are revoked, too.

        Raises:
            Invalid: the time is negative or in milliseconds.
            NotFound: there is no such profile.
            Conflict: the profile keeps changing.
        """
        check_profile_tag(tag)
        soon = self._registry.now() + 1
        given = soon if before is None else check_time("the time", before)
        for _ in range(_ATTEMPTS):
            row = self._store.profile(tag)
            if row is None:
                raise NotFound(f"there is no profile {tag!r}")
            present = row.get(self._valid_after, MISSING)
            is_time = isinstance(present, Decimal) and present <= MAX_TIME
            if isinstance(present, Decimal) and is_time and present >= given:
                return int(present)
            # A bound that is not a time revokes every token there is: those tokens must stay revoked.
            bound = given if present is MISSING or is_time else max(given, soon)
            expected = Expected(True, {self._valid_after: present})
            update = Update(Key(Table.PROFILES, tag), {self._valid_after: Decimal(bound)}, expected)
            try:
                self._registry.write("token.revoke_all", tag, update, details={"before": bound})
            except Overtaken:
                continue
            return bound
        raise Conflict(f"the profile {tag!r} keeps changing: try again")

    def lift(self, tag: str, jti: str) -> None:
        """Lift the revocation of one token.

        Raises:
            NotFound: the token has no revocation of its own.
            Conflict: there is no table of revoked tokens.
        """
        self._check_table()
        self._check_listable(tag, jti)
        try:
            delete = Delete(Key(Table.REVOCATIONS, check_profile_tag(tag), jti), PRESENT)
            self._registry.write("token.lift", tag, delete, id=jti)
        except Overtaken:
            raise _not_revoked(tag, jti) from None

    def lift_all(self, tag: str) -> None:
        """Lift the bound that revokes all tokens of a profile issued before it. Single revocations stay.

        Raises:
            NotFound: there is no such profile.
        """
        try:
            update = Update(Key(Table.PROFILES, check_profile_tag(tag)), {self._valid_after: MISSING})
            self._registry.write("token.lift_all", tag, update)
        except Overtaken:
            raise NotFound(f"there is no profile {tag!r}") from None

    def show(self, tag: str, jti: str) -> Revocation:
        """Return the revocation of one token.

        Raises:
            NotFound: the token has no revocation of its own.
            Conflict: there is no table of revoked tokens.
        """
        self._check_table()
        self._check_listable(tag, jti)
        row = self._store.revocation(check_profile_tag(tag), jti)
        if row is None:
            raise _not_revoked(tag, jti)
        return Revocation.from_row(row)

    def page(self, tag: str, *, after: str | None = None, limit: int = MAX_PAGE) -> RevocationPage:
        """Return up to *limit* revoked tokens of *tag* (at most 100) that follow the `jti` *after*.

        Raises:
            Invalid: the limit is out of range, or no row may have the `jti` *after*.
            NotFound: neither a profile nor a secret has the tag.
            Conflict: there is no table of revoked tokens.
        """
        self._check_table()
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"a page has 1 to {MAX_PAGE} revocations, not {limit}")
        if after is not None and len(check_text("the jti to continue after", after).encode()) > MAX_JTI_BYTES:
            raise Invalid(f"the jti to continue after has at most {MAX_JTI_BYTES} bytes")
        page = self._store.revocations(check_profile_tag(tag), after=after, limit=limit)
        if not page.rows and after is None:
            self._check_known(tag)
        return RevocationPage(tuple(map(Revocation.from_row, page.rows)), page.next)

    def _check(self, tag: str, jti: str) -> None:
        self._check_table()
        check_text("the jti", jti)
        if len(jti.encode()) > MAX_JTI_BYTES:
            raise Invalid(f"a jti that can be revoked has at most {MAX_JTI_BYTES} bytes")
        if is_token(jti):  # it would be shown, logged and written, and the token would go on logging in
            raise Invalid(
                "this is a whole token, and not the `jti` in it: `auth-jwt revoke --token-file` revokes a token"
            )
        if (issuer := issuer_of_user(tag)) is not None and not self._store.secrets(tag):
            raise Invalid(f"one token of an issuer's user is revoked under the issuer: give {issuer!r} as the tag")
        self._check_known(tag)

    def _check_known(self, tag: str) -> None:
        if self._store.profile(check_profile_tag(tag)) is None and not self._store.secrets(tag):
            raise NotFound(f"there is no profile {tag!r}")

    @staticmethod
    def _check_listable(tag: str, jti: str) -> None:
        if len(check_text("the jti", jti).encode()) > MAX_JTI_BYTES:
            raise _not_revoked(tag, jti)

    def _check_table(self) -> None:
        if not self._store.keeps_revocations:
            raise Conflict(
                "there is no table of revoked tokens: set REVOCATIONS_TABLE, or revoke all tokens of the profile"
            )

    def _kept_until(self, exp: int | None) -> int | None:
        policy = self._registry.policy
        if exp is not None and exp > MAX_TIME:  # in milliseconds, or meant as never
            exp = None
        if exp is None or not policy.enforce_time_claims:  # without enforcement a token outlives its exp
            return None
        return max(exp, self._registry.now()) + policy.leeway_seconds + _MARGIN_SECONDS


def _not_revoked(tag: str, jti: str) -> NotFound:
    return NotFound(f"the token {jti!r} of {tag!r} is not revoked by itself")


def _is_kept(row: Row, until: int | None) -> bool:
    own = row.get(_EXPIRES)
    return own is None or (until is not None and isinstance(own, Decimal) and own >= until)


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else None
