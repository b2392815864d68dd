"""The nouns of a decision: the policy, the rows of the tables, what is authorized, and the report.

A store gives each row as a mapping of column to Python value: text as `str`, numbers as `Decimal`, booleans as `bool`,
NULL as None, any other type as it is. `from_row` makes a noun of such a row, whichever store it comes from.
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
from auth_jwt.jose.keys import VerificationKey, refuse_published, verification_keys
from auth_jwt.jose.tokens import ALGORITHMS, EDDSA_BY_CURVE, HMAC_ALGORITHMS, MAX_TOKEN_BYTES, HeaderRules

Row = Mapping[str, object]

SECRET_ID = "id"  # noqa: S105 - the sort key of the secrets table, the SQL schema's `id`

REVOCATION_TAG = "tag"  # the keys of the table of revoked tokens
REVOCATION_JTI = "jti"
MAX_JTI_BYTES = 1024
"""The longest `jti` that can be revoked, in bytes of UTF-8. DynamoDB accepts no longer sort key."""

MAX_CALL_ID_CHARACTERS = 128
"""How many characters of a Call-ID the log keeps."""

MAX_SECRETS_PER_TAG = 100
"""How many open secrets of a tag are tried, unless a setting says otherwise."""

_MAX_EXAMINED = 4096  # characters of a Call-ID
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How the rows of profiles and secrets are read: the names of their columns, and whether `alg` is needed.

    Attributes:
        requires_alg: whether only a secret is usable whose `alg` says what its key is (`REQUIRE_ALG_COLUMN`).
    """

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
    """Every rule of a decision that an operator can set. Durations are in seconds, sizes in bytes."""

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
    """Why a row of the secrets table can verify nothing.

    Attributes:
        flaw: the stable name of the reason.
        because: the explanation for people. It holds nothing of the row's values.
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
        stored: the text in the secret column, which is never shown. None when the column holds no text.
        start: the first second of the window, in UNIX seconds. None when the row has no number there.
        end: the first second after the window, likewise.
        algorithms: the algorithms that the row's `alg` names. None when the row has no such text.
        kid: the row's key id. None when the row has no such text.
        flaw: why the row verifies nothing, whatever its key is. None when only the key decides.
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
        """Make a secret of any *row*. A malformed row becomes a secret that verifies nothing."""
        alg, kid, stored = row.get(columns.alg), row.get(columns.kid), row.get(columns.secret)
        algorithms = frozenset(name.strip() for name in alg.split(",")) if isinstance(alg, str) else None
        return cls(
            id=str(row.get(SECRET_ID, "")),
            stored=stored if isinstance(stored, str) else None,  # other types verify nothing: memory need not hold them
            start=_read_bound(row.get(columns.start)),
            end=_read_bound(row.get(columns.end)),
            algorithms=algorithms,
            kid=kid if isinstance(kid, str) else None,
            flaw=_find_flaw(row, columns, algorithms),
        )

    def is_open(self, now: float | Decimal) -> bool:
        """Tell whether *now* lies in the window `start <= now < end`. A window without a bound is never open."""
        return self.start is not None and self.end is not None and self.start <= now < self.end

    @cached_property
    def keys(self) -> tuple[VerificationKey, ...]:
        """The keys in this secret, parsed on first use. If it holds no usable key, `unusable` says why."""
        return self._parsed[0]

    @cached_property
    def unusable(self) -> Unusable | None:
        """Why this secret can verify nothing, or None when it can."""
        return self.flaw or self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[tuple[VerificationKey, ...], Unusable | None]:
        """The keys, and why there are none. Parsing is slow beside all else, so it waits until somebody asks."""
        try:
            return refuse_published(verification_keys(self.stored, declared=self.algorithms)), None
        except InvalidKey as problem:
            return (), Unusable(problem.flaw, str(problem))


def disables(value: object) -> bool:
    """Tell whether *value*, from a profile's disabled column, disables the profile.

    The rule fails closed: every value but false and 0 disables it.
    """
    return not (isinstance(value, bool | Decimal) and value == 0)


def says_what_it_is(algorithms: frozenset[str] | None) -> bool:
    """Tell whether the *algorithms* in a row's `alg` say what its key is: all are for HMAC, or none is."""
    return algorithms is not None and (algorithms <= HMAC_ALGORITHMS or algorithms.isdisjoint(HMAC_ALGORITHMS))


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of the profiles table.

    Attributes:
        username: the SIP username. None when the column holds no text, or empty text.
        domain: the SIP domain of the username. None when the row has none.
        disabled: whether every token of the profile is denied.
        valid_after: the UNIX second before which issued tokens are revoked. None when the row has no such column. A
            value that is not a number revokes every token.
        attributes: the columns from which credentials are taken.
    """

    username: str | None
    domain: str | None = None
    disabled: bool = False
    valid_after: object = None
    attributes: Row = field(default_factory=dict, repr=False)

    @classmethod
    def from_row(cls, row: Row, columns: Columns, credentials: tuple[Credential, ...]) -> Self:
        """Make a profile of a *row*. Keep only the columns that the decision and the *credentials* need."""
        disabled = row.get(columns.disabled, False)
        valid_after = row.get(columns.valid_after, _ABSENT)
        if valid_after is None:
            valid_after = "NULL"  # present, and not a number
        return cls(
            username=_read_text(row.get(columns.username)),
            domain=_read_text(row.get(columns.domain)),
            disabled=disables(disabled),
            valid_after=None if valid_after is _ABSENT else valid_after,
            attributes={item.column: row[item.column] for item in credentials if item.column in row},
        )


def fold_domain(domain: str) -> str:
    """Return a SIP domain as it is compared: A to Z in lower case, and no other character changed.

    So U+212A, the Kelvin sign, does not become `k` (RFC 4343).
    """
    return domain.lower() if domain.isascii() else domain.translate(_TO_SMALL)


class Half(Enum):
    """Half of what the tables hold of a tag: its row in the profiles table, or its rows in the secrets table.

    One read asks both tables, and one of them may fail. So memory keeps the halves apart, and a reason to deny rests on
    one of them.
    """

    PROFILE = "profile"
    SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class TagRows:
    """The profile and the secrets of one tag."""

    profile: Profile | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def weight(self) -> int:
        """An upper estimate of the bytes that these rows occupy in memory, with their parsed keys.

        A JWK or JWKS weighs more for each character than other text, since every key in it becomes an object.
        """
        attributes = sum(len(str(value)) for value in self.profile.attributes.values()) if self.profile else 0
        return 1280 + sum(1024 + _estimate_bytes(secret.stored or "") for secret in self.secrets) + 4 * attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller says of the SIP request.

    Attributes:
        user: the SIP user it acts as; None when the caller does not say.
        domain: the SIP domain of that user; likewise.
        knows_domain: whether callers of this kind could say which domain it is.
    """

    user: str | None = None
    domain: str | None = None
    knows_domain: bool = True


@dataclass(slots=True)  # not frozen: one is made for every request, and that would take four times as long
class Authorized:
    """What an authorized token gives its bearer.

    Attributes:
        sip_username: the SIP user that the token speaks for.
        decoded_token: the header and payload, as the OpenSIPS module renders them.
        credentials: the credentials that `LOAD_CREDENTIALS` names, by name.
        expires_at: when the authorization ends, in UNIX seconds. No registration should outlive it.
        sip_domain: the SIP domain that the username is of, where an issuer maps its users by a claim; otherwise None.
    """

    sip_username: str
    decoded_token: str = field(repr=False)
    credentials: Mapping[str, CredentialValue] = field(repr=False)
    expires_at: int
    sip_domain: str | None = None


@dataclass(slots=True)
class Report:
    """What a decision saw, for logs and metrics. Callers never see it.

    Attributes:
        tag: the tag that the token names.
        algorithm: the token's `alg`.
        origin: where the rows came from: `memory`, `stale` memory in an outage, or the `table`.
        secret_id: the `id` of the secret that verified the token.
        unusable_secrets: for the `id` of each open secret that can verify nothing, its `flaw: reason`.
        left_out: the `id` of each open secret that was not tried, because the tag has too many.
        unusable_credentials: the names of credentials that were left out because of their attribute's type.
        call_id: the SIP Call-ID from the frontend, cleaned for the log.
        call_id_altered: whether the frontend's Call-ID was another text.
        issuer: the issuer whose rules judge the token; None where the rules of tags do.
        kid: the key id that such a token names, cleaned for the log.
        issuer_origin: where the issuer's rows came from, likewise; `origin` then says it of the user's profile.
    """

    tag: str | None = None
    algorithm: str | None = None
    origin: str | None = None
    secret_id: str | None = None
    unusable_secrets: Mapping[str, str] = field(default_factory=lambda: _NONE)  # Python 3.11: no unhashable defaults
    left_out: Sequence[str] = ()
    unusable_credentials: tuple[str, ...] = ()
    call_id: str | None = None
    call_id_altered: bool = False
    issuer: str | None = None
    kid: str | None = None
    issuer_origin: str | None = None

    def note_issuer(self, issuer: str, kid: str | None) -> None:
        """Keep the issuer and the key id that a token names: at most 128 printable characters of each."""
        self.issuer, self.kid = _printable(issuer), None if kid is None else _printable(kid)

    def note_call_id(self, given: object) -> None:
        """Keep at most 128 printable characters of the Call-ID that a frontend has *given*.

        Only the log uses the Call-ID, so no value of it, of any type, makes a request fail.
        """
        if given is None:
            return
        text = given if isinstance(given, str) else str(given) if isinstance(given, int | float) else ""
        text = _printable(text)
        self.call_id, self.call_id_altered = text or None, text != given

    def start_over(self, origin: str) -> None:
        """Forget what the first rows showed, and record the *origin* of the second rows."""
        self.origin, self.secret_id, self.unusable_secrets, self.left_out = origin, None, _NONE, ()


_ABSENT = object()
_ALL_NAMES = frozenset(ALGORITHMS) | EDDSA_BY_CURVE
_FAR_AWAY = 2**63
_TO_SMALL = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}


def _find_flaw(row: Row, columns: Columns, algorithms: frozenset[str] | None) -> Unusable | None:
    if columns.kid in row and not isinstance(row[columns.kid], str):
        return Unusable(Flaw.MALFORMED_KID, f"its {columns.kid!r} is not text")
    if columns.alg in row and algorithms is None:
        return Unusable(Flaw.MALFORMED_ALG, f"its {columns.alg!r} is not text")
    if algorithms is not None and algorithms.isdisjoint(_ALL_NAMES):
        return Unusable(Flaw.MALFORMED_ALG, f"its {columns.alg!r} names no algorithm")
    if columns.requires_alg and not says_what_it_is(algorithms):
        what = "names HMAC and public-key algorithms" if columns.alg in row else "is missing"
        return Unusable(
            Flaw.NO_ALG, f"its {columns.alg!r} {what}, but REQUIRE_ALG_COLUMN requires it to say what the key is"
        )
    return None


def _printable(text: str) -> str:
    if len(text) <= MAX_CALL_ID_CHARACTERS and text.isprintable():
        return text
    return "".join(filter(str.isprintable, text[:_MAX_EXAMINED]))[:MAX_CALL_ID_CHARACTERS]


def _estimate_bytes(text: str) -> int:
    return (32 if text.lstrip().startswith("{") else 8) * len(text)


def _read_bound(value: object) -> int | Decimal | None:
    """Return a bound of a window, or None if *value* is no number.

    Nearly all bounds are whole seconds. They become `int`, which compares ten times faster than `Decimal`.
    """
    if not isinstance(value, Decimal):
        return None
    return int(value) if abs(value) < _FAR_AWAY and value == value.to_integral_value() else value


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
