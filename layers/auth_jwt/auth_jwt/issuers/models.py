"""The nouns of issuers: the configuration, the fetched keys, and the rows of both.

An issuer's tag is its identifier, exactly as tokens name it in `iss`. Its configuration is a row of the profiles table.
Its keys, and when they were fetched, are two rows of the secrets table that have no window: no other token can ever be
verified by them. docs/issuers.md has the rows, attribute by attribute.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Self
from urllib.parse import urlsplit

from auth_jwt.errors import Invalid, InvalidKey
from auth_jwt.jose.keys import VerificationKey, read_jwk, refuse_published
from auth_jwt.jose.tokens import ALGORITHMS, HMAC_ALGORITHMS, MAX_TAG_CHARACTERS
from auth_jwt.models import SECRET_ID, Columns, Row, disables, fold_domain
from auth_jwt.strict_json import strict_json_object

CONFIGURATION: Final = "issuer_config"
"""The attribute of the profiles table that holds an issuer's configuration, as JSON text."""

VERSION: Final = "issuer_version"
"""The attribute beside it that counts the changes of the configuration."""

KEYS_ROW: Final = "issuer-keys"
STATUS_ROW: Final = "issuer-status"
"""The sort keys of an issuer's two rows in the secrets table."""

KEYS: Final = "issuer_keys"
KEYS_URL: Final = "issuer_keys_url"
FETCHED_AT: Final = "issuer_fetched_at"
NEXT_FETCH_AT: Final = "issuer_next_fetch_at"

REGISTRY_TAG: Final = (
    "The issuers whose keys are fetched, one in each row. This text is longer than any tag that a token may name, so no"
    " login ever reads these rows."
)
"""The partition of the secrets table that lists the issuers. Its rows' sort keys are their identifiers."""

DOMAIN_TAG: Final = (
    "A SIP domain whose users one issuer names by a claim. This text is longer than any tag that a token may name, so"
    " no login ever reads this row: "
)
"""How the tag of a row begins that claims a domain in the secrets table. The domain follows, in lower case."""

DOMAIN_ROW: Final = "issuer-domain"
"""The sort key of such a row. Its attribute `DOMAIN_OF` is the issuer."""

DOMAIN_OF: Final = "issuer_domain_of"

USER_SEPARATOR: Final = "#"
"""Between an issuer and a `sub` in the tag of a user's profile. No issuer holds it: it would begin a fragment."""

MAX_SUBJECT_BYTES: Final = 255
MAX_URL_CHARACTERS: Final = 2048
MAX_KEYS_TRIED: Final = 4
DEFAULT_ALGORITHMS: Final = ("RS256", "ES256")
DEFAULT_USERNAME_PATTERN: Final = "[A-Za-z0-9._+-]{1,64}"
DEFAULT_LONGEST_LIFETIME: Final = 86400
MAX_USERNAME_CHARACTERS: Final = 255
MAX_REPETITIONS: Final = 3
"""How many repetitions a pattern of usernames may have. The time to match it grows by a power of their number."""

_REPETITION: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|([*+{])", re.DOTALL)
_ID_DIGITS: Final = 32
_SLASHES_BEFORE_A_PATH: Final = 3  # https://host/
_IN_BRACKETS: Final = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")

ASYMMETRIC: Final = tuple(name for name in ALGORITHMS if name not in HMAC_ALGORITHMS)

ClaimValue = str | bool | int


class TokenKind(StrEnum):
    """Which tokens of an issuer may log in."""

    ACCESS = "access"
    ID = "id"


class Mapped(StrEnum):
    """Where the SIP user of a token comes from: the user's profile, or a claim."""

    BY_PROFILE = "profile"
    BY_CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class IssuerPatterns:
    """The setting `ISSUERS`: whose tokens the rules of issuers judge.

    Attributes:
        exact: whole identifiers.
        beginnings: beginnings of identifiers.
    """

    exact: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Self:
        """Read identifiers. One that ends with `*` stands for every issuer that begins like it.

        A `*` may only follow a whole `https://host/`, so that nobody can register a host that begins likewise.

        Raises:
            Invalid: one is no identifier or no such beginning, or is given twice. The message says why.
        """
        if len(set(texts)) != len(texts):
            raise Invalid("one is given twice")
        beginnings = tuple(text[:-1] for text in texts if text.endswith("*"))
        exact = frozenset(text for text in texts if not text.endswith("*"))
        for text in (*beginnings, *exact):
            check_identifier(text)
            if "*" in text:
                raise Invalid("a `*` stands at the end only")
        if any(text.count("/") < _SLASHES_BEFORE_A_PATH for text in beginnings):
            raise Invalid("a `*` follows `https://host/` or a longer beginning")
        return cls(exact, beginnings)

    def match(self, issuer: object) -> bool:
        """Tell whether a token's `iss`, of any type, is of such an issuer."""
        return isinstance(issuer, str) and (issuer in self.exact or issuer.startswith(self.beginnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The configuration of an issuer: which of its tokens are accepted, and which SIP user they speak for.

    Attributes:
        identifier: the issuer, exactly as in `iss`.
        keys_url: the address of the key set.
        discovers: whether the issuer has a discovery document, which is read daily to learn whether that address moved.
        algorithms: the accepted `alg` values, asymmetric ones only.
        audiences: the accepted values of `aud`; with `client_ids`, may be empty.
        client_claim: the claim that names the client, for issuers whose tokens have no audience.
        client_ids: the accepted values of that claim.
        kind: which tokens are accepted.
        access_audiences: audiences that only access tokens have.
        required_claims: claims that a token must have, with their values.
        access_claims: the names of those required claims whose value only access tokens have.
        longest_lifetime: the most seconds from `iat` to `exp`.
        requires_jti: whether a token must have a `jti`.
        mapped: where the SIP user comes from.
        username_claim: the claim that holds the SIP username, when mapped by claim.
        username_pattern: the regular expression that the whole value must match, with the flag ASCII.
        domain: the SIP domain of those users, when mapped by claim.
        permits_no_domain: whether API Gateway's authorizer, which knows no domain, may admit those users.
        disabled: whether every token is denied.
        blocked_keys: RFC 7638 thumbprints of keys that verify nothing.
        valid_after: as of a profile: the UNIX second before which issued tokens are revoked.
        version: how often the configuration has been written.
    """

    identifier: str
    keys_url: str
    discovers: bool = True
    algorithms: frozenset[str] = frozenset(DEFAULT_ALGORITHMS)
    audiences: tuple[str, ...] = ()
    client_claim: str | None = None
    client_ids: tuple[str, ...] = ()
    kind: TokenKind = TokenKind.ACCESS
    access_audiences: tuple[str, ...] = ()
    required_claims: Mapping[str, ClaimValue] = field(default_factory=dict)
    access_claims: tuple[str, ...] = ()
    longest_lifetime: int = DEFAULT_LONGEST_LIFETIME
    requires_jti: bool = True
    mapped: Mapped = Mapped.BY_PROFILE
    username_claim: str | None = None
    username_pattern: str = DEFAULT_USERNAME_PATTERN
    domain: str | None = None
    permits_no_domain: bool = False
    disabled: bool = False
    blocked_keys: frozenset[str] = frozenset()
    valid_after: object = None
    version: int = 0

    @classmethod
    def from_row(cls, row: Row, columns: Columns) -> Self | None:
        """Make an issuer of its *row* in the profiles table, or return None when the row is no issuer's.

        Raises:
            Invalid: the row is not one that `auth-jwt issuer` writes. The message says why.
        """
        identifier, text, version = row.get(columns.tag), row.get(CONFIGURATION), row.get(VERSION)
        if CONFIGURATION not in row:
            return None
        if not isinstance(identifier, str) or not isinstance(text, str):
            raise Invalid(f"its {CONFIGURATION!r} is no text")
        valid_after = row.get(columns.valid_after) if columns.valid_after in row else None
        if columns.valid_after in row and valid_after is None:
            valid_after = "NULL"  # present, and not a number
        return cls.from_json(
            identifier,
            text,
            disabled=disables(row.get(columns.disabled, False)),
            valid_after=valid_after,
            version=int(version) if isinstance(version, Decimal) else 0,
        )

    @classmethod
    def from_json(
        cls, identifier: str, text: str, *, disabled: bool = False, valid_after: object = None, version: int = 0
    ) -> Self:
        """Make an issuer of its configuration's JSON *text*. Members that are missing have their defaults.

        Raises:
            Invalid: a member is unknown, or its value is not accepted. The message names the member.
        """
        check_identifier(identifier)
        try:
            members = strict_json_object(text)
        except ValueError as error:
            raise Invalid(f"its {CONFIGURATION!r} is not one strict JSON object: {error}") from None
        unknown = sorted(members.keys() - _MEMBERS.keys())
        if unknown:
            raise Invalid(f"the member {unknown[0]!r} is unknown; known: {', '.join(_MEMBERS)}")
        read = {_MEMBERS[name][0]: _MEMBERS[name][1](name, value) for name, value in members.items()}
        if "keys_url" not in read:
            raise Invalid("the member 'keys_url' is missing: the https address of the key set")
        issuer = cls(identifier=identifier, disabled=disabled, valid_after=valid_after, version=version, **read)
        _check_whole(issuer)
        return issuer

    def to_json(self) -> str:
        """Return the configuration as JSON text: the members that differ from their defaults, in a fixed order."""
        plain = Issuer(identifier=self.identifier, keys_url="")
        members: dict[str, Any] = {}
        for name, (attribute, _) in _MEMBERS.items():
            value = getattr(self, attribute)
            if value != getattr(plain, attribute):
                members[name] = sorted(value) if isinstance(value, frozenset) else value
        return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


class IssuerKey:
    """One key of a fetched set; parsed when a token first needs it. Its `repr` never shows the key."""

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        self._jwk = jwk
        kid = jwk.get("kid")
        self.kid = kid if isinstance(kid, str) else None

    def __repr__(self) -> str:
        return f"IssuerKey(kid={self.kid!r})"

    @cached_property
    def key(self) -> VerificationKey | None:
        """The key, parsed; None when it can verify nothing, as no key of HMAC can."""
        try:
            key = refuse_published((read_jwk(self._jwk),))[0]
        except InvalidKey:
            return None
        return None if isinstance(key.material, bytes) else key

    @cached_property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the key; empty when it can verify nothing."""
        if self.key is None or isinstance(self.key.material, bytes):
            return ""
        from auth_jwt.jose.asymmetric import thumbprint

        return thumbprint(self.key.material)


@dataclass(frozen=True)  # no slots: cached_property keeps the keys in the instance
class KeySet:
    """A fetched key set as its row holds it.

    Attributes:
        text: a JWKS with the members that verification needs.
        url: the address it came from. It counts only while this is the configured one.
    """

    text: str = field(repr=False)
    url: str

    @cached_property
    def keys(self) -> tuple[IssuerKey, ...]:
        """The keys, in the set's order."""
        try:
            entries = strict_json_object(self.text).get("keys")
        except ValueError:
            return ()
        return (
            tuple(IssuerKey(entry) for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
        )


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """The keys of an issuer and when they were fetched.

    Attributes:
        key_set: the keys; None before the first fetch.
        fetched_at: when the last successful fetch began, in UNIX seconds; None before the first.
        next_fetch_at: when the next fetch is due, in UNIX seconds; None when no fetch was tried yet.
    """

    key_set: KeySet | None = None
    fetched_at: float | None = None
    next_fetch_at: float | None = None

    @classmethod
    def from_rows(cls, rows: Sequence[Row], sort_key: str) -> Self:
        """Make them of an issuer's rows in the secrets table. Rows of other kinds are nothing to it."""
        by_id = {str(row.get(sort_key)): row for row in rows}
        keys, status = by_id.get(KEYS_ROW, {}), by_id.get(STATUS_ROW, {})
        text, url = keys.get(KEYS), keys.get(KEYS_URL)
        return cls(
            KeySet(text, url) if isinstance(text, str) and isinstance(url, str) else None,
            _second(status.get(FETCHED_AT)),
            _second(status.get(NEXT_FETCH_AT)),
        )

    def with_key_set(self, key_set: KeySet) -> Self:
        """Return the same with an equal *key_set* whose keys are parsed already."""
        return replace(self, key_set=key_set)


@dataclass(frozen=True, slots=True)
class IssuerRows:
    """What the tables hold of an issuer.

    Attributes:
        issuer: its configuration; why that cannot be used; or None when there is no such issuer.
        fetched: its keys.
    """

    issuer: Issuer | Invalid | None = None
    fetched: FetchedKeys = field(default_factory=FetchedKeys)


def check_identifier(identifier: str) -> None:
    """Check that *identifier* can be an issuer: OpenID Connect Core 1.0, section 2, and shorter.

    Raises:
        Invalid: it cannot. The message says why.
    """
    if len(identifier) > MAX_TAG_CHARACTERS:
        raise Invalid(f"an issuer has at most {MAX_TAG_CHARACTERS} characters, this one {len(identifier)}")
    if not identifier.isascii() or not identifier.isprintable() or re.search(r"""[\s{}"'<>\\^`|]""", identifier):
        raise Invalid("an issuer holds printable ASCII only: no blanks, quotes, brackets or `{...}` to fill in")
    try:
        parts = urlsplit(identifier)
        port = parts.port
    except ValueError:
        raise Invalid("an issuer is an https URL, and this is none") from None
    if not identifier.startswith("https://") or not parts.hostname or port == 0:
        raise Invalid("an issuer is an https URL with a host")
    if "@" in parts.netloc:
        raise Invalid("an issuer holds no user and no password")
    _check_brackets(parts.netloc)
    if "?" in identifier or "#" in identifier:
        raise Invalid("an issuer holds no query and no fragment (OpenID Connect Discovery 1.0, section 3)")


def check_keys_url(url: str) -> None:
    """Check that *url* can be the address of a key set: https, with a host, without user info and fragment.

    Its length is limited, since an issuer's discovery document may name one, which is stored at every fetch.

    Raises:
        Invalid: it cannot. The message says why.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("the address of the keys is no URL") from None
    if not url.startswith("https://") or not parts.hostname or port == 0 or "#" in url:
        raise Invalid("the address of the keys is an https URL with a host and without a fragment")
    if len(url) > MAX_URL_CHARACTERS:
        raise Invalid(f"the address of the keys has at most {MAX_URL_CHARACTERS} characters")
    if "@" in parts.netloc:
        raise Invalid("the address of the keys holds no user and no password: keys are public")
    if not url.isascii() or not url.isprintable() or " " in url or "{" in url:
        raise Invalid("the address of the keys holds printable ASCII only, and nothing to fill in")
    _check_brackets(parts.netloc)


def _check_brackets(netloc: str) -> None:
    """Check that what brackets hold is the whole host, and an IPv6 address (RFC 3986, section 3.2.2).

    `urlsplit` drops what stands beside them: whoever reads `https://[2606:4700::1]login.example.com` sees another host.

    Raises:
        Invalid: there is more, or something else.
    """
    if "[" in netloc and not _IN_BRACKETS.fullmatch(netloc):
        raise Invalid("the host in the address is neither a name nor an IP address")


def id_of(tag: str) -> str:
    """Return the id by which paths of APIs name an issuer or one of its users: a hash of the *tag*, 32 hex digits."""
    return sha256(tag.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]


def domain_tag(domain: str) -> str:
    """Return the tag of the row that claims *domain*. Domains are equal without regard to ASCII case (RFC 4343)."""
    return DOMAIN_TAG + fold_domain(domain)


def holds_issuer(row: Row) -> bool:
    """Tell whether a row of the profiles table is the configuration of an issuer, and so no profile."""
    return CONFIGURATION in row


def is_kept_for_issuers(row: Row, columns: Columns) -> bool:
    """Tell whether a row of the secrets table is one of those that issuers need, and so no secret.

    A row that holds a secret is one, whatever else is in it: nobody can hide it by a name.
    """
    tag = str(row.get(columns.secret_tag, ""))
    is_named_so = tag == REGISTRY_TAG or tag.startswith(DOMAIN_TAG) or row.get(SECRET_ID) in (KEYS_ROW, STATUS_ROW)
    return is_named_so and columns.secret not in row


def user_tag(identifier: str, subject: str) -> str:
    """Return the tag of the profile of an issuer's user."""
    return f"{identifier}{USER_SEPARATOR}{subject}"


def issuer_of_user(tag: str) -> str | None:
    """Return the issuer whose user has the profile with this tag; None when the tag is no such user's."""
    identifier, _, subject = tag.partition(USER_SEPARATOR)
    if not 0 < len(subject.encode("utf-8", "surrogatepass")) <= MAX_SUBJECT_BYTES:
        return None
    try:
        check_identifier(identifier)
    except Invalid:
        return None
    return identifier


def _second(value: object) -> float | None:
    return float(value) if isinstance(value, Decimal) else None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"the member {name!r} is not a non-empty string")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise Invalid(f"the member {name!r} is not a list of non-empty strings")
    return tuple(dict.fromkeys(value))


def _url(name: str, value: object) -> str:
    url = _text(name, value)
    check_keys_url(url)
    return url


def _algorithms(name: str, value: object) -> frozenset[str]:
    named = _texts(name, value)
    for algorithm in named:
        if algorithm not in ASYMMETRIC:
            raise Invalid(f"the member {name!r} names {algorithm!r}; accepted: {', '.join(ASYMMETRIC)}")
    if not named:
        raise Invalid(f"the member {name!r} names no algorithm")
    return frozenset(named)


def _thumbprints(name: str, value: object) -> frozenset[str]:
    return frozenset(_texts(name, value))


def _kind(name: str, value: object) -> TokenKind:
    if value not in list(TokenKind):
        raise Invalid(f"the member {name!r} is neither 'access' nor 'id'")
    return TokenKind(str(value))


def _mapped(name: str, value: object) -> Mapped:
    if value not in list(Mapped):
        raise Invalid(f"the member {name!r} is neither 'profile' nor 'claim'")
    return Mapped(str(value))


def _claims(name: str, value: object) -> dict[str, ClaimValue]:
    if not isinstance(value, dict) or not all(
        key and isinstance(item, str | bool | int) for key, item in value.items()
    ):
        raise Invalid(f"the member {name!r} is not an object of claims with texts, whole numbers or booleans")
    return dict(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"the member {name!r} is neither true nor false")
    return value


def _seconds(name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= 10**9:
        raise Invalid(f"the member {name!r} is not a whole number of seconds, 1 or more")
    return value


def _pattern(name: str, value: object) -> str:
    pattern = _text(name, value)
    if "(" in pattern or len(pattern) > MAX_USERNAME_CHARACTERS:
        raise Invalid(f"the member {name!r} has a group, or more than {MAX_USERNAME_CHARACTERS} characters")
    if sum(map(bool, _REPETITION.findall(pattern))) > MAX_REPETITIONS:
        raise Invalid(
            f"the member {name!r} has more than {MAX_REPETITIONS} repetitions: with few of them and without groups, a"
            " pattern is matched in a short time, whatever the value"
        )
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError):  # the second for a number of repetitions without end
        raise Invalid(f"the member {name!r} is no regular expression") from None
    return pattern


_MEMBERS: Final[Mapping[str, tuple[str, Any]]] = {
    "keys_url": ("keys_url", _url),
    "discovery": ("discovers", _flag),
    "algorithms": ("algorithms", _algorithms),
    "audiences": ("audiences", _texts),
    "client_claim": ("client_claim", _text),
    "client_ids": ("client_ids", _texts),
    "token_kind": ("kind", _kind),
    "access_audiences": ("access_audiences", _texts),
    "required_claims": ("required_claims", _claims),
    "access_claims": ("access_claims", _texts),
    "longest_lifetime": ("longest_lifetime", _seconds),
    "requires_jti": ("requires_jti", _flag),
    "mapping": ("mapped", _mapped),
    "username_claim": ("username_claim", _text),
    "username_pattern": ("username_pattern", _pattern),
    "sip_domain": ("domain", _text),
    "permits_no_domain": ("permits_no_domain", _flag),
    "blocked_keys": ("blocked_keys", _thumbprints),
}
"""The members of the configuration, each with the attribute it sets and what reads it."""

MEMBERS: Final = tuple(_MEMBERS)
"""The names of the members of the configuration."""


def _check_whole(issuer: Issuer) -> None:
    """Check the members against each other.

    Raises:
        Invalid: two members do not go together. The message says which.
    """
    if not issuer.audiences and not (issuer.client_ids and issuer.client_claim and issuer.required_claims):
        raise Invalid(
            "an issuer has 'audiences', or else 'client_claim' and 'client_ids' together with a required claim"
        )
    if bool(issuer.client_claim) != bool(issuer.client_ids):
        raise Invalid("'client_claim' and 'client_ids' go together")
    if not frozenset(issuer.access_audiences) <= frozenset(issuer.audiences):
        raise Invalid("each of 'access_audiences' is one of 'audiences'")
    if not frozenset(issuer.access_claims) <= issuer.required_claims.keys():
        raise Invalid("each of 'access_claims' is one of 'required_claims'")
    by_claim = issuer.mapped is Mapped.BY_CLAIM
    if by_claim and not (issuer.username_claim and issuer.domain):
        raise Invalid("an issuer that maps by claim has 'username_claim' and 'sip_domain'")
    if not by_claim and (issuer.username_claim or issuer.domain or issuer.permits_no_domain):
        raise Invalid("'username_claim', 'sip_domain' and 'permits_no_domain' go with the mapping 'claim'")
