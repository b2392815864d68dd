"""The nouns: what is asked, what the tables hold, and what is answered.

Rows come as mappings of column to natural Python values: text as `str`, numbers as `Decimal`, booleans as `bool`,
NULL as None, anything else as whatever it is. `from_row` is where a row becomes a noun, for every store alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Self

from auth_jwt.credentials import Credential, CredentialValue
from auth_jwt.errors import Flaw, InvalidKey
from auth_jwt.jose.keys import HMAC_ALGORITHMS, VerificationKey, unpublished, verification_keys
from auth_jwt.jose.tokens import ALGORITHMS, EDDSA_BY_CURVE, MAX_TOKEN_BYTES, HeaderRules

Row = Mapping[str, object]

SECRET_ID = "id"  # noqa: S105 - the sort key of the secrets table, the SQL schema's `id`

REVOCATION_TAG = "tag"  # the keys of the table of revoked tokens
REVOCATION_JTI = "jti"
MAX_JTI_BYTES = 1024
"""The longest `jti` that can be revoked, in UTF-8: DynamoDB takes no longer sort key."""

MAX_CALL_ID_CHARACTERS = 128
"""The most of a Call-ID that the log has."""

MAX_SECRETS_PER_TAG = 100
"""So many open secrets of a tag are tried, unless a setting says otherwise."""

_MAX_EXAMINED = 4096  # characters of a Call-ID
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of profiles and secrets are called; `requires_alg`: a secret without `alg` is unusable."""

    tag: str = "tag"
    username: str = "sip_username"
    domain: str = "sip_domain"
    disabled: str = "disabled"
    valid_after: str = "tokens_valid_after"
    secret_tag: str = "corresponding_tag"  # noqa: S105 - a column's name
    secret: str = "secret"  # noqa: S105
    start: str = "start_ts"
    end: str = "end_ts"
    alg: str = "alg"
    kid: str = "kid"
    requires_alg: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every rule of a decision that an operator can set. Durations are seconds, sizes bytes."""

    max_token_bytes: int = MAX_TOKEN_BYTES
    header: HeaderRules = field(default_factory=HeaderRules)
    tag_claim: str = "tag"
    enforce_time_claims: bool = True
    leeway_seconds: int = 0
    required_claims: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    max_token_age_seconds: int | None = None
    min_hmac_key_bytes: int | None = None
    max_secrets_per_tag: int = MAX_SECRETS_PER_TAG
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a row of secrets can verify nothing.

    Attributes:
        flaw: the reason, by its stable name.
        because: the same for people, without anything the row holds.
    """

    flaw: Flaw
    because: str

    def __str__(self) -> str:
        return f"{self.flaw}: {self.because}"


@dataclass(frozen=True)  # no slots: cached_property keeps the parsed keys in the instance
class Secret:
    """A row of the secrets table.

    Attributes:
        id: the row's sort key, fit for logs.
        stored: the text that the secret column holds; never shown. None when it holds none.
        start: first second of the window, None when the row has no numeric one.
        end: first second after the window, likewise.
        algorithms: the algorithms the row's `alg` names, None when it has none.
        kid: the row's key id.
        flaw: why the row verifies nothing whatever its key, if so.
    """

    id: str
    stored: str | None = field(repr=False)
    start: int | Decimal | None
    end: int | Decimal | None
    algorithms: frozenset[str] | None = None
    kid: str | None = None
    flaw: Unusable | None = None

    @classmethod
    def from_row(cls, row: Row, columns: Columns) -> Self:
        """Make a secret of a *row*, however odd: an unusable row is a secret that verifies nothing."""
        alg, kid, stored = row.get(columns.alg), row.get(columns.kid), row.get(columns.secret)
        algorithms = frozenset(name.strip() for name in alg.split(",")) if isinstance(alg, str) else None
        return cls(
            id=str(row.get(SECRET_ID, "")),
            stored=stored if isinstance(stored, str) else None,  # nothing else is worth remembering
            start=_instant(row.get(columns.start)),
            end=_instant(row.get(columns.end)),
            algorithms=algorithms,
            kid=kid if isinstance(kid, str) else None,
            flaw=_flaw_of(row, columns, algorithms),
        )

    def is_open(self, now: float) -> bool:
        """Tell whether *now* lies in the window `start <= now < end`; a missing bound is never open."""
        return self.start is not None and self.end is not None and self.start <= now < self.end

    @cached_property
    def keys(self) -> tuple[VerificationKey, ...]:
        """The keys in this secret, parsed once; none when `unusable` says why."""
        return self._reading[0]

    @cached_property
    def unusable(self) -> Unusable | None:
        """Why this secret can verify nothing, or None when it can."""
        return self.flaw or self._reading[1]

    @cached_property
    def _reading(self) -> tuple[tuple[VerificationKey, ...], Unusable | None]:
        try:
            return unpublished(verification_keys(self.stored, declared=self.algorithms)), None
        except InvalidKey as problem:
            return (), Unusable(problem.flaw, str(problem))


def disables(value: object) -> bool:
    """Tell whether a *value* of the column for disabled profiles disables: anything but false and 0, failing closed."""
    return not (isinstance(value, bool | Decimal) and value == 0)


def says_what_it_is(algorithms: frozenset[str] | None) -> bool:
    """Tell whether the *algorithms* of a row's `alg` say what its key is: HMAC, or a public key, and not both."""
    return algorithms is not None and (algorithms <= HMAC_ALGORITHMS or algorithms.isdisjoint(HMAC_ALGORITHMS))


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of the profiles table.

    Attributes:
        username: the SIP username; None when the row has no non-empty text there.
        domain: the SIP domain of the username; None when the row has none.
        disabled: whether the profile may not be used at all.
        valid_after: what the row says about tokens issued earlier; None when it says nothing, and anything that is
            not a number revokes every token.
        attributes: the columns that credentials are picked from.
    """

    username: str | None
    domain: str | None = None
    disabled: bool = False
    valid_after: object = None
    attributes: Row = field(default_factory=dict, repr=False)

    @classmethod
    def from_row(cls, row: Row, columns: Columns, credentials: tuple[Credential, ...]) -> Self:
        """Make a profile of a *row*, keeping what the decision and the *credentials* need."""
        disabled = row.get(columns.disabled, False)
        valid_after = row.get(columns.valid_after, _ABSENT)
        if valid_after is None:
            valid_after = "NULL"  # present, and not a number
        return cls(
            username=_text(row.get(columns.username)),
            domain=_text(row.get(columns.domain)),
            disabled=disables(disabled),
            valid_after=None if valid_after is _ABSENT else valid_after,
            attributes={item.column: row[item.column] for item in credentials if item.column in row},
        )


class Half(Enum):
    """The two tables that hold a tag's rows, and so the halves of a reading."""

    PROFILE = "profile"
    SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class TagRows:
    """All that the tables hold about one tag."""

    profile: Profile | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def weight(self) -> int:
        """About how many bytes these rows occupy when remembered, parsed keys included; rather more than fewer.

        Of the kinds of text that a secret may be, a key set takes most room for its length: a key, in an object.
        """
        attributes = sum(len(str(value)) for value in self.profile.attributes.values()) if self.profile else 0
        return 1280 + sum(1024 + _text_weight(secret.stored or "") for secret in self.secrets) + 4 * attributes


@dataclass(slots=True)  # not frozen: one is made for every request, and that would take four times as long
class Authorized:
    """The answer to a token that is good.

    Attributes:
        sip_username: whom the token speaks for.
        decoded_token: header and payload as the OpenSIPS module renders them.
        credentials: the credentials asked for, by name.
        expires_at: UNIX seconds; no registration should outlive it.
    """

    sip_username: str
    decoded_token: str = field(repr=False)
    credentials: Mapping[str, CredentialValue] = field(repr=False)
    expires_at: int


@dataclass(slots=True)
class Report:
    """What was seen on the way to a decision: for logs and metrics, never for callers.

    Attributes:
        tag: the tag looked up, as the token names it.
        algorithm: the token's `alg`.
        rows: where the rows came from: `memory`, `stale` memory in an outage, or the `table`.
        secret_id: the secret that verified the token.
        unusable_secrets: `id` and `flaw: reason` of each open secret passed over because it can verify nothing.
        left_out: `id` of each open secret that was not looked at, since the tag has too many.
        unusable_credentials: names of credentials left out because of their attribute's type.
        call_id: of the SIP Call-ID that the frontend gave along, what a log may have.
        call_id_altered: whether the frontend gave another.
    """

    tag: str | None = None
    algorithm: str | None = None
    rows: str | None = None
    secret_id: str | None = None
    unusable_secrets: Mapping[str, str] = field(default_factory=lambda: _NONE)  # as Python 3.11 wants it
    left_out: Sequence[str] = ()
    unusable_credentials: tuple[str, ...] = ()
    call_id: str | None = None
    call_id_altered: bool = False

    def note_call_id(self, given: object) -> None:
        """Keep the printable characters of a Call-ID, at most 128, whatever a frontend has *given* as one.

        It is good for nothing but the log, so none is a reason to refuse a request.
        """
        if given is None:
            return
        text = given if isinstance(given, str) else str(given) if isinstance(given, int | float) else ""
        if len(text) > MAX_CALL_ID_CHARACTERS or not text.isprintable():
            text = "".join(filter(str.isprintable, text[:_MAX_EXAMINED]))[:MAX_CALL_ID_CHARACTERS]
        self.call_id, self.call_id_altered = text or None, text != given

    def begin_anew(self, rows: str) -> None:
        """Forget what a first look at the rows showed, before a second one at others."""
        self.rows, self.secret_id, self.unusable_secrets, self.left_out = rows, None, _NONE, ()


_ABSENT = object()
_ALL_NAMES = frozenset(ALGORITHMS) | EDDSA_BY_CURVE
_FAR_AWAY = 2**63


def _flaw_of(row: Row, columns: Columns, algorithms: frozenset[str] | None) -> Unusable | None:
    if columns.kid in row and not isinstance(row[columns.kid], str):
        return Unusable(Flaw.MALFORMED_KID, f"its {columns.kid!r} is not text")
    if columns.alg in row and algorithms is None:
        return Unusable(Flaw.MALFORMED_ALG, f"its {columns.alg!r} is not text")
    if algorithms is not None and algorithms.isdisjoint(_ALL_NAMES):
        return Unusable(Flaw.MALFORMED_ALG, f"its {columns.alg!r} names no algorithm")
    if columns.requires_alg and not says_what_it_is(algorithms):
        what = "names HMAC and public-key algorithms" if columns.alg in row else "is missing"
        return Unusable(
            Flaw.NO_ALG, f"its {columns.alg!r} {what}, and REQUIRE_ALG_COLUMN wants it to say what the key is"
        )
    return None


def _text_weight(text: str) -> int:
    return (32 if text.lstrip().startswith("{") else 8) * len(text)


def _instant(value: object) -> int | Decimal | None:
    """Return a bound of a window; a whole number of seconds, as nearly all are, compares ten times faster as `int`."""
    if not isinstance(value, Decimal):
        return None
    return int(value) if abs(value) < _FAR_AWAY and value == value.to_integral_value() else value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
