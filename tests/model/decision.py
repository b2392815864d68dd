"""The decision about one token: sections 3 and 4 of the contract, over rows as they are at one second."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from tests.model.keys import Usable, keys_of_row, signed_by
from tests.model.refusals import Refused
from tests.model.rendering import decoded_token
from tests.model.tokens import Token, read_json, read_tag, read_token

Row = Mapping[str, Any]
Rows = Mapping[str, Collection[Row]]

_ALGORITHMS = "HS256,HS384,HS512,RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA"
DEFAULTS: Mapping[str, str] = {
    "TAG_COLUMN": "tag",
    "USERNAME_COLUMN": "sip_username",
    "SECRET_TAG_COLUMN": "corresponding_tag",
    "SECRET_COLUMN": "secret",
    "START_TS_COLUMN": "start_ts",
    "END_TS_COLUMN": "end_ts",
    "TAG_CLAIM": "tag",
    "LOAD_CREDENTIALS": "",
    "ALG_COLUMN": "alg",
    "KID_COLUMN": "kid",
    "ALLOWED_ALGORITHMS": _ALGORITHMS,
    "ACCEPTED_TYPES": "JWT",
    "ENFORCE_TIME_CLAIMS": "true",
    "LEEWAY_SECONDS": "0",
    "REQUIRED_CLAIMS": "",
    "ISSUER": "",
    "AUDIENCE": "",
    "MAX_TOKEN_AGE_SECONDS": "",
    "REQUIRE_ALG_COLUMN": "false",
    "MAX_SECRETS_PER_TAG": "100",
    "MIN_HMAC_KEY_BYTES": "",
    "MAX_TOKEN_BYTES": "16384",
    "DOMAIN_COLUMN": "sip_domain",
    "DISABLED_COLUMN": "disabled",
    "VALID_AFTER_COLUMN": "tokens_valid_after",
    "REVOCATIONS_TABLE": "",
}
"""The settings that the decision reads, and what they are where they are not set: the table of section 1."""


@dataclass(frozen=True)
class Allowed:
    """The token speaks for a user."""

    sip_username: str
    decoded_token: str = field(repr=False)
    credentials: Mapping[str, Any] = field(repr=False)
    expires_at: int


@dataclass(frozen=True)
class Denied:
    """The token is refused, for one of the contract's reasons."""

    reason: str


@dataclass(frozen=True)
class Fault:
    """There is no decision: the tables cannot be read."""


Outcome = Allowed | Denied | Fault


@dataclass
class Tables:
    """The rows, as a store holds them: numbers as `int`, `float` or `Decimal`. None is a table that cannot be read.

    Attributes:
        profiles: one row for each tag.
        secrets: the rows of each tag.
        revocations: tags and `jti` of revoked tokens. They count where `REVOCATIONS_TABLE` is set.
    """

    profiles: Mapping[str, Row] | None
    secrets: Rows | None
    revocations: Collection[tuple[str, str]] | None = ()

    @classmethod
    def of(
        cls,
        profiles: Iterable[Row],
        secrets: Iterable[Row],
        revocations: Collection[tuple[str, str]] = (),
        settings: Mapping[str, str] | None = None,
    ) -> "Tables":
        """Sort rows by their tags."""
        read = _reader(settings or {})
        of_tags: dict[str, list[Row]] = {}
        for row in secrets:
            of_tags.setdefault(row[read("SECRET_TAG_COLUMN")], []).append(row)
        return cls({row[read("TAG_COLUMN")]: row for row in profiles}, of_tags, revocations)


def decide(
    settings: Mapping[str, str],
    tables: Tables,
    token: object,
    now: float,
    *,
    from_user: str | None = None,
    from_domain: str | None = None,
) -> list[Outcome]:
    """Return what may come of *token* at the UNIX second *now*: nearly always one outcome.

    It is more than one where the contract leaves it open: which of several secrets that signed counts (their windows
    may end at different times), whether a text in between words and a key is an HMAC secret (`tests.model.keys`), and
    what is said of bad tokens while the profiles cannot be read.

    Args:
        settings: the environment; a variable that is not in it has its default. `ISSUERS` must be empty.
        tables: the rows.
        token: what the caller gave.
        now: the clock of the request.
        from_user: the SIP user that the request acts as.
        from_domain: the SIP domain of that user.
    """
    decision = _Decision(settings, tables, Fraction(now))
    try:
        token_read, claims, tag = decision.read(token)
    except Refused as refused:
        return [Denied(refused.reason)]
    try:
        outcomes = decision.outcomes(token_read, claims, tag, from_user, from_domain)
    except Refused as refused:
        outcomes = [Denied(refused.reason)]
    except _CannotBeRead:
        return [Fault()]
    # Secrets that were read may say no without the profile; without a memory, a fault is as right.
    return outcomes if tables.profiles is not None else [*outcomes, Fault()]


class _CannotBeRead(Exception):
    """A table that the decision needs."""


class _Decision:
    def __init__(self, settings: Mapping[str, str], tables: Tables, now: Fraction) -> None:
        self.setting = _reader(settings)
        self.tables = tables
        self.now = now
        self.leeway = int(self.setting("LEEWAY_SECONDS"))

    def words(self, name: str) -> list[str]:
        """The items of a comma list."""
        text = self.setting(name)
        return [word.strip() for word in text.split(",")] if text.strip() else []

    def is_set(self, name: str) -> bool:
        return str(self.setting(name)).strip().lower() == "true"

    def number(self, name: str) -> int | None:
        text = self.setting(name).strip()
        return int(text) if text else None

    def read(self, text: object) -> tuple[Token, dict[str, Any], str]:
        token = read_token(
            text,
            int(self.setting("MAX_TOKEN_BYTES")),
            set(self.words("ALLOWED_ALGORITHMS")),
            {word.lower() for word in self.words("ACCEPTED_TYPES")},
        )
        claims = read_json(token.payload)
        return token, claims, read_tag(claims, self.setting("TAG_CLAIM"))

    def outcomes(
        self, token: Token, claims: dict[str, Any], tag: str, from_user: str | None, from_domain: str | None
    ) -> list[Outcome]:
        if self.tables.secrets is None:
            raise _CannotBeRead
        signing = self.signing_secrets(token, list(self.tables.secrets.get(tag, ())))
        unsigned: list[Outcome] = [] if Usable.YES in signing.values() else [Denied("bad_signature")]
        if not signing:
            return unsigned
        try:
            ends = self.check_claims(claims)
            profile = self.usable_profile(tag)
            self.check_revocation(profile, claims, tag)
            self.check_identity(profile, from_user, from_domain)
        except Refused as refused:
            return [*unsigned, Denied(refused.reason)]
        except _CannotBeRead:
            return [*unsigned, Fault()]
        user, shown = profile[self.setting("USERNAME_COLUMN")], decoded_token(token.header, claims)
        credentials = load_credentials(self.setting("LOAD_CREDENTIALS"), profile)
        return [*unsigned, *(Allowed(user, shown, credentials, floor(min([end, *ends]))) for end in signing)]

    # -- secrets ------------------------------------------------------------------------------------------------------

    def signing_secrets(self, token: Token, rows: list[Row]) -> dict[Fraction, Usable]:
        """Return the ends of the windows of the rows that signed, and whether that is sure."""
        if not rows:
            raise Refused("unknown_tag")
        open_rows = [row for row in rows if self.is_open(row)]
        if not open_rows:
            raise Refused("no_active_secret")
        most = int(self.setting("MAX_SECRETS_PER_TAG"))
        open_rows.sort(key=lambda row: (number_of(row[self.setting("START_TS_COLUMN")]) or 0, str(row["id"])))
        signing: dict[Fraction, Usable] = {}
        for row in open_rows[-most:]:
            usable = self.signed_by_row(row, token)
            if usable is not Usable.NO:
                end = number_of(row[self.setting("END_TS_COLUMN")])
                assert end is not None
                signing[end] = Usable.YES if Usable.YES in (usable, signing.get(end)) else Usable.UNSURE
        return signing

    def is_open(self, row: Row) -> bool:
        start = number_of(row.get(self.setting("START_TS_COLUMN")))
        end = number_of(row.get(self.setting("END_TS_COLUMN")))
        return start is not None and end is not None and start <= self.now < end

    def signed_by_row(self, row: Row, token: Token) -> Usable:
        alg, kid = self.setting("ALG_COLUMN"), self.setting("KID_COLUMN")
        if (alg in row and not isinstance(row[alg], str)) or (kid in row and not isinstance(row[kid], str)):
            return Usable.NO
        if kid in row and token.kid is not None and token.kid != row[kid]:
            return Usable.NO
        named = {name.strip() for name in row[alg].split(",")} if alg in row else None
        keys = keys_of_row(
            row.get(self.setting("SECRET_COLUMN")), named, requires_alg=self.is_set("REQUIRE_ALG_COLUMN")
        )
        found = {signed_by(key, token, self.number("MIN_HMAC_KEY_BYTES")) for key in keys}
        return next((usable for usable in (Usable.YES, Usable.UNSURE) if usable in found), Usable.NO)

    # -- claims -------------------------------------------------------------------------------------------------------

    def check_claims(self, claims: Mapping[str, Any]) -> list[Fraction]:
        """Check the claims in the order of the contract, and return the seconds at which they stop to hold."""
        for name in self.words("REQUIRED_CLAIMS"):
            required(claims, name)
        ends = self.check_times(claims) if self.is_set("ENFORCE_TIME_CLAIMS") else []
        age = self.number("MAX_TOKEN_AGE_SECONDS")
        if age is not None:
            issued = _claimed_number(required(claims, "iat"))
            if self.now - issued > age + self.leeway:
                raise Refused("token_too_old")
            ends.append(issued + age + self.leeway)
        if issuers := self.words("ISSUER"):
            issuer = required(claims, "iss")
            if not isinstance(issuer, str):
                raise Refused("malformed_claim")
            if issuer not in issuers:
                raise Refused("wrong_issuer")
        if audiences := self.words("AUDIENCE"):
            named = required(claims, "aud")
            named = [named] if isinstance(named, str) else named
            if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
                raise Refused("malformed_claim")
            if not any(name in audiences for name in named):
                raise Refused("wrong_audience")
        return ends

    def check_times(self, claims: Mapping[str, Any]) -> list[Fraction]:
        times = {name: _claimed_number(claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
        if "exp" in times and self.now >= times["exp"] + self.leeway:
            raise Refused("token_expired")
        for name in ("nbf", "iat"):
            if name in times and self.now < times[name] - self.leeway:
                raise Refused("token_not_yet_valid")
        return [times["exp"] + self.leeway] if "exp" in times else []

    # -- the profile --------------------------------------------------------------------------------------------------

    def usable_profile(self, tag: str) -> Row:
        if self.tables.profiles is None:  # only now: secrets that were read count, even if they only say no
            raise _CannotBeRead
        profile = self.tables.profiles.get(tag)
        if profile is None:
            raise Refused("unknown_profile")
        username = profile.get(self.setting("USERNAME_COLUMN"))
        if not isinstance(username, str) or not username:
            raise Refused("incomplete_profile")
        disabled = profile.get(self.setting("DISABLED_COLUMN"), False)
        if disabled is not False and number_of(disabled) != 0:
            raise Refused("disabled_profile")
        return profile

    def check_revocation(self, profile: Row, claims: Mapping[str, Any], tag: str) -> None:
        column = self.setting("VALID_AFTER_COLUMN")
        if column in profile:
            after, issued = number_of(profile[column]), number_of(claims.get("iat"))
            if after is None or issued is None or after > issued:
                raise Refused("revoked_token")
        if not self.setting("REVOCATIONS_TABLE").strip():
            return
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise Refused("missing_claim")
        if len(jti.encode()) > 1024:  # no row of DynamoDB can list it, so nobody could revoke the token
            raise Refused("malformed_claim")
        if self.tables.revocations is None:
            raise _CannotBeRead
        if (tag, jti) in self.tables.revocations:
            raise Refused("revoked_token")

    def check_identity(self, profile: Row, from_user: str | None, from_domain: str | None) -> None:
        if from_user is not None and from_user != profile[self.setting("USERNAME_COLUMN")]:
            raise Refused("username_mismatch")
        if from_domain is not None and not same_domain(profile.get(self.setting("DOMAIN_COLUMN")), from_domain):
            raise Refused("domain_mismatch")


def load_credentials(setting: str, profile: Row) -> dict[str, Any]:
    """Return what `LOAD_CREDENTIALS` names, of the columns that hold a number, a boolean or some text."""
    loaded = {}
    for part in setting.split(";"):
        if not part.strip():
            continue
        left, _, right = part.rpartition("=")
        column = right.strip()
        name = left.strip().removeprefix("$avp(").removesuffix(")").strip() if left else column
        value = profile.get(column)
        if isinstance(value, bool | int | float | Decimal) or (isinstance(value, str) and value):
            loaded[name] = value
    return loaded


def _reader(settings: Mapping[str, str]) -> Any:
    return lambda name: settings.get(name, DEFAULTS[name])


def number_of(value: object) -> Fraction | None:
    """Return the number that a column or a claim holds; None for booleans, text and all else."""
    return Fraction(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else None


def _claimed_number(value: object) -> Fraction:
    number = number_of(value)
    if number is None:
        raise Refused("malformed_claim")
    return number


def required(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim that there has to be."""
    if name not in claims:
        raise Refused("missing_claim")
    return claims[name]


def same_domain(own: object, asked: str) -> bool:
    """Tell whether a column holds the domain, without regard to ASCII case."""
    return isinstance(own, str) and own != "" and _folded(own) == _folded(asked)


def _folded(domain: str) -> str:
    """A to Z in small letters, and nothing else changed."""
    return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in domain)
