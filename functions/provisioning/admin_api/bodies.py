"""The bodies of requests. These models check their form; `auth_jwt.provisioning` judges their values."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)

from auth_jwt.issuers.models import (
    ASYMMETRIC,
    DEFAULT_LONGEST_LIFETIME,
    DEFAULT_USERNAME_PATTERN,
    MAX_USERNAME_CHARACTERS,
    ClaimValue,
    Mapped,
    TokenKind,
)
from auth_jwt.jose.tokens import ALGORITHMS, MAX_TAG_CHARACTERS
from auth_jwt.models import MAX_JTI_BYTES
from auth_jwt.provisioning.profiles import AttributeValue
from auth_jwt.provisioning.registry import MAX_TIME
from auth_jwt.provisioning.secrets import GENERATED_BYTES, LIFETIME_SECONDS, OVERLAP_SECONDS, NewSecret
from auth_jwt.provisioning.tokens import TOKEN_SECONDS

MAX_EXPLAINED_CHARACTERS: Final = 100_000
_MAX_SECONDS: Final = 10**9
_GREATEST: Final = 9.9e125  # slightly within DynamoDB's range of numbers
_LEAST: Final = 1e-129


def _reject_null(value: object) -> object:
    if value is None:
        raise ValueError("null")
    return value


def _check_algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        raise ValueError("unknown")
    return name


def _check_range(number: float) -> float:
    if number and not _LEAST <= abs(number) <= _GREATEST:
        raise ValueError("out of range")
    return number


NOT_NULL: Final = BeforeValidator(_reject_null)
"""For a member that may be absent but not null: the code reads None as absent."""

Text = Annotated[str, Field(min_length=1)]
Instant = Annotated[int, Field(ge=0, le=MAX_TIME, description="UNIX seconds")]
_AN_INSTANT: Final = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_TIME})
Algorithm = Annotated[
    str, AfterValidator(_check_algorithm), WithJsonSchema({"type": "string", "enum": list(ALGORITHMS)})
]
Attribute = bool | int | Annotated[float, AfterValidator(_check_range)] | str
Attributes = dict[Annotated[str, Field(min_length=1, max_length=255)], Attribute]


class Body(BaseModel):
    """The body of a request. It rejects undeclared members, and values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def decimals(attributes: dict[str, Attribute]) -> dict[str, AttributeValue]:
    """Return *attributes* as the tables store them: a float becomes the decimal with its shortest digits."""
    return {name: Decimal(repr(value)) if isinstance(value, float) else value for name, value in attributes.items()}


class SecretIn(Body):
    """A secret to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "2026-11", "algorithms": ["HS256"]}]})

    value: str | None = Field(
        default=None,
        min_length=1,
        max_length=100_000,
        repr=False,
        description="HMAC text, PEM public key or certificate, JWK or JWKS. Without it, the service generates "
        f"{GENERATED_BYTES} random bytes and returns them once, in base64url",
    )
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="The row's sort key; without it, the next number. With an id, a retry does not add a second secret",
    )
    start_ts: Instant | None = Field(default=None, description="First second of its window; without it, now")
    end_ts: Instant | None = Field(
        default=None,
        description=f"First second after its window; without it, {LIFETIME_SECONDS // 86400} days after the start",
    )
    algorithms: list[Algorithm] | None = Field(
        default=None,
        min_length=1,
        max_length=len(ALGORITHMS),
        description="The algorithms it may verify; without it, all that fit its key. Without it, a `value` is rejected "
        "if it could be something else than an HMAC secret",
    )
    kid: str | None = Field(default=None, min_length=1, max_length=1024, description="Its key id")

    def to_new_secret(self) -> NewSecret:
        """Return the secret in the form that the operations take."""
        return NewSecret(
            value=self.value,
            id=self.id,
            start=self.start_ts,
            end=self.end_ts,
            algorithms=None if self.algorithms is None else tuple(self.algorithms),
            kid=self.kid,
        )


class ProfileIn(Body):
    """A profile to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tag": "olivia-app",
                    "sip_username": "olivia",
                    "sip_domain": "example.org",
                    "attributes": {"caller_name": "Olivia", "account_id": 4711},
                    "secret": {},
                }
            ]
        }
    )

    tag: str = Field(min_length=1, max_length=MAX_TAG_CHARACTERS, description="The tag that tokens carry")
    sip_username: str = Field(min_length=1, description="The SIP username that the tag stands for")
    sip_domain: str | None = Field(default=None, min_length=1, description="The SIP domain of the username")
    disabled: bool = Field(default=False, description="Whether every login with it is denied")
    attributes: Attributes = Field(default={}, description="Other columns; `LOAD_CREDENTIALS` picks from them")
    secret: SecretIn | None = Field(default=None, description="Its first secret; `{}` generates one")


class ProfileChange(Body):
    """Changes to a profile. Absent members stay as they are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"disabled": True}, {"sip_domain": None, "attributes": {"account_id": 12}}]}
    )

    sip_username: Annotated[Text | None, NOT_NULL, WithJsonSchema({"type": "string", "minLength": 1})] = None
    sip_domain: str | None = Field(default=None, min_length=1, description="null removes it")
    disabled: Annotated[bool | None, NOT_NULL, WithJsonSchema({"type": "boolean"})] = Field(
        default=None, description="Whether every login with it is denied"
    )
    attributes: dict[Annotated[str, Field(min_length=1, max_length=255)], Attribute | None] = Field(
        default={}, description="Other columns; null removes one"
    )


class SecretClosing(Body):
    """When a secret ends."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"end_ts": 2000000000}, {"end_ts": "now"}]})

    end_ts: Instant | Literal["now"] = Field(description="UNIX seconds, or `now` by the service's clock")


class Rotation(Body):
    """The new secret, and how long the old ones keep verifying. All members are optional."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "2026-12", "overlap_seconds": 86400}]})

    overlap_seconds: int = Field(
        default=OVERLAP_SECONDS,
        ge=0,
        le=_MAX_SECONDS,
        description="How many seconds the open secrets keep verifying: at least as long as their tokens live",
    )
    value: str | None = Field(
        default=None, min_length=1, max_length=100_000, repr=False, description="As of a new secret"
    )
    id: str | None = Field(default=None, min_length=1, max_length=1024, description="As of a new secret")
    end_ts: Instant | None = Field(default=None, description="As of a new secret")
    algorithms: list[Algorithm] | None = Field(
        default=None, min_length=1, max_length=len(ALGORITHMS), description="As of a new secret"
    )
    kid: str | None = Field(default=None, min_length=1, max_length=1024, description="As of a new secret")

    replace_public_key: bool = Field(
        default=False,
        description="Whether an HMAC secret may take the place of a public key; its issuer is then locked out",
    )

    def to_new_secret(self) -> NewSecret:
        """Return the new secret in the form that the operations take; its window starts now."""
        return NewSecret(
            value=self.value,
            id=self.id,
            end=self.end_ts,
            algorithms=None if self.algorithms is None else tuple(self.algorithms),
            kid=self.kid,
        )


class Minting(Body):
    """The token to sign. All members are optional."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lifetime_seconds": 600, "claims": {"scope": "calls"}}]})

    lifetime_seconds: int = Field(default=TOKEN_SECONDS, ge=1, le=_MAX_SECONDS)
    claims: dict[str, JsonValue] = Field(
        default={}, description="Claims that replace or extend the usual ones, even `exp`, but never the tag"
    )
    jti: str | None = Field(default=None, min_length=1, max_length=MAX_JTI_BYTES, description="Without it, a UUID")
    secret_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="The secret that signs; without it, the one that stays open longest",
    )


class Explaining(Body):
    """The token to explain, and what the SIP request says of its user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "HEADER.PAYLOAD.SIGNATURE"}]})

    token: str = Field(
        max_length=MAX_EXPLAINED_CHARACTERS, repr=False, description="The token as the service got it; never logged"
    )
    from_user: str | None = Field(default=None, max_length=1024, description="The SIP user that the request acts as")
    from_domain: str | None = Field(default=None, max_length=1024, description="The SIP domain of that user")


class Revoking(Body):
    """What to revoke: one token by its `jti`, all tokens issued before a time, or all tokens issued until now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"jti": "c0ffee", "exp": 1795402396}, {"before": 1795402396}, {"all": True}],
            "oneOf": [{"required": ["jti"]}, {"required": ["before"]}, {"required": ["all"]}],
            "dependentRequired": {"exp": ["jti"]},
        }
    )

    jti: Annotated[
        Annotated[Text, Field(max_length=MAX_JTI_BYTES)] | None,
        NOT_NULL,
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_JTI_BYTES}),
    ] = Field(default=None, description="The token's id")
    exp: Annotated[Annotated[int, Field(ge=0)] | None, NOT_NULL, WithJsonSchema({"type": "integer", "minimum": 0})] = (
        Field(
            default=None,
            description="The token's own `exp`: after it, the revocation may be deleted. "
            f"Without it, or beyond {MAX_TIME}, it stays for ever",
        )
    )
    before: Annotated[Instant | None, NOT_NULL, _AN_INSTANT] = Field(
        default=None, description="Tokens issued earlier are revoked; the time never moves back"
    )
    all: Annotated[Literal[True] | None, NOT_NULL, WithJsonSchema({"const": True})] = Field(
        default=None, description="All tokens issued until now are revoked"
    )

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        ways: list[Any] = [self.jti, self.before, self.all]
        if sum(way is not None for way in ways) != 1 or (self.exp is not None and self.jti is None):
            raise ValueError("one of jti, before, all")
        return self


class Configuration(Body):
    """The configuration of an issuer. A member that is absent or null has its default."""

    keys_url: Text | None = Field(default=None, description="The https address of its key set")
    discovery: bool | None = Field(
        default=None,
        description="Whether its discovery document is read daily, to learn whether that address has moved. Default: "
        "true; false for a new issuer whose `keys_url` is given",
    )
    algorithms: list[Annotated[str, WithJsonSchema({"type": "string", "enum": list(ASYMMETRIC)})]] | None = Field(
        default=None, description="The `alg` values that are accepted. Default: RS256 and ES256"
    )
    audiences: list[Text] | None = Field(default=None, description="The values of `aud` that are accepted")
    client_claim: Text | None = Field(
        default=None, description="The claim that names the client, for issuers whose tokens have no audience"
    )
    client_ids: list[Text] | None = Field(default=None, description="The values of that claim that are accepted")
    token_kind: Literal["access", "id"] | None = Field(
        default=None, description=f"Which tokens may log in. Default: `{TokenKind.ACCESS}`"
    )
    access_audiences: list[Text] | None = Field(default=None, description="Audiences that only access tokens have")
    required_claims: dict[Text, ClaimValue] | None = Field(
        default=None, description="Claims that a token must have, each with its value"
    )
    access_claims: list[Text] | None = Field(
        default=None, description="The names of those claims whose value only access tokens have"
    )
    longest_lifetime: int | None = Field(
        default=None,
        ge=1,
        le=_MAX_SECONDS,
        description=f"The most seconds from `iat` to `exp`. Default: {DEFAULT_LONGEST_LIFETIME}",
    )
    requires_jti: bool | None = Field(default=None, description="Whether a token must have a `jti`. Default: true")
    mapping: Literal["profile", "claim"] | None = Field(
        default=None,
        description=f"Where the SIP user comes from: the user's profile, or a claim. Default: `{Mapped.BY_PROFILE}`",
    )
    username_claim: Text | None = Field(default=None, description="With the mapping `claim`: the claim")
    username_pattern: Annotated[str, Field(min_length=1, max_length=MAX_USERNAME_CHARACTERS)] | None = Field(
        default=None,
        description=f"The regular expression that its whole value must match. Default: `{DEFAULT_USERNAME_PATTERN}`",
    )
    sip_domain: Text | None = Field(
        default=None, description="With the mapping `claim`: the SIP domain of the users, which is the issuer's alone"
    )
    permits_no_domain: bool | None = Field(
        default=None,
        description="Whether the authorizer of API Gateway, which knows no domain, may admit them. Default: false",
    )
    blocked_keys: list[Text] | None = Field(
        default=None, description="RFC 7638 thumbprints of keys that verify nothing, whether they are published or not"
    )

    def to_members(self) -> dict[str, Any]:
        """Return the members that the request has; None for null."""
        return self.model_dump(exclude_unset=True)


_TRUSTS_CLAIM: Final = Field(
    default=False,
    description="The operator states that users cannot change `username_claim`, which at common providers they can. "
    "Whoever changes it becomes another SIP user",
)


class IssuerIn(Body):
    """An issuer to look up, or to add."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "issuer": "https://login.example.com/realms/sip",
                    "configuration": {
                        "audiences": ["sip"],
                        "required_claims": {"typ": "Bearer"},
                        "access_claims": ["typ"],
                    },
                    "confirmed_keys_url": "https://login.example.com/realms/sip/keys",
                }
            ]
        }
    )

    issuer: str = Field(
        min_length=1, max_length=MAX_TAG_CHARACTERS, description="Its identifier, exactly as tokens name it in `iss`"
    )
    configuration: Configuration = Field(
        description="Without `keys_url`, the issuer's discovery document names the address of its keys"
    )
    confirmed_keys_url: Text | None = Field(
        default=None,
        description="The `keys_url` that an earlier answer found. Without it, the issuer is looked up and nothing is "
        "written",
    )
    users_cannot_change_claim: bool = _TRUSTS_CLAIM


class IssuerChange(Body):
    """Changes to an issuer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"configuration": {"audiences": ["sip", "web"], "longest_lifetime": None}},
                {"configuration": {"keys_url": "https://keys.example.com/sip"}},
            ]
        }
    )

    configuration: Configuration = Field(description="Absent members stay as they are; null gives a member its default")
    users_cannot_change_claim: bool = _TRUSTS_CLAIM


MEMBERS: Final = frozenset(name for body in Body.__subclasses__() for name in body.model_fields)
"""The names of all members. Problems repeat these names only, because other names come from the caller."""
