"""What callers send, checked by form. Whether it would work is for `auth_jwt.provisioning` to say."""

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

from auth_jwt.jose.tokens import ALGORITHMS, MAX_TAG_CHARACTERS
from auth_jwt.models import MAX_JTI_BYTES
from auth_jwt.provisioning.profiles import AttributeValue
from auth_jwt.provisioning.registry import MAX_TIME
from auth_jwt.provisioning.secrets import GENERATED_BYTES, LIFETIME_SECONDS, OVERLAP_SECONDS, NewSecret
from auth_jwt.provisioning.tokens import TOKEN_SECONDS

_MAX_SECONDS: Final = 10**9
_GREATEST: Final = 9.9e125  # DynamoDB's numbers go little farther
_LEAST: Final = 1e-129


def _given(value: object) -> object:
    if value is None:
        raise ValueError("null")
    return value


def _known_algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        raise ValueError("unknown")
    return name


def _kept_by_dynamodb(number: float) -> float:
    if number and not _LEAST <= abs(number) <= _GREATEST:
        raise ValueError("out of range")
    return number


NOT_NULL: Final = BeforeValidator(_given)
"""What may be left out, and is no null: None is how the code sees that it was left out."""

Text = Annotated[str, Field(min_length=1)]
Instant = Annotated[int, Field(ge=0, le=MAX_TIME, description="UNIX seconds")]
_AN_INSTANT: Final = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_TIME})
Algorithm = Annotated[
    str, AfterValidator(_known_algorithm), WithJsonSchema({"type": "string", "enum": list(ALGORITHMS)})
]
Attribute = bool | int | Annotated[float, AfterValidator(_kept_by_dynamodb)] | str
Attributes = dict[Annotated[str, Field(min_length=1, max_length=255)], Attribute]


class Body(BaseModel):
    """The body of a request: every member is one of these, and of the very type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def decimals(attributes: dict[str, Attribute]) -> dict[str, AttributeValue]:
    """Return *attributes* as the tables keep them: a fraction by its shortest digits."""
    return {name: Decimal(repr(value)) if isinstance(value, float) else value for name, value in attributes.items()}


class SecretIn(Body):
    """A secret to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "2026-11", "algorithms": ["HS256"]}]})

    value: str | None = Field(
        default=None,
        min_length=1,
        max_length=100_000,
        repr=False,
        description="HMAC text, PEM public key or certificate, JWK or JWKS. Without it, "
        f"{GENERATED_BYTES} random bytes are made here and returned once, in base64url",
    )
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="The row's sort key. Without it, the next number. With it, a retry is told from a second secret",
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
        description="What it may verify; without it, what its key is. A `value` that may be something else than an "
        "HMAC secret is refused without it",
    )
    kid: str | None = Field(default=None, min_length=1, max_length=1024, description="Its key id")

    def to_new_secret(self) -> NewSecret:
        """Return the noun that the operations take."""
        return NewSecret(
            value=self.value,
            id=self.id,
            start=self.start_ts,
            end=self.end_ts,
            algorithms=None if self.algorithms is None else tuple(self.algorithms),
            kid=self.kid,
        )


class ProfileIn(Body):
    """A profile to be."""

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

    tag: str = Field(min_length=1, max_length=MAX_TAG_CHARACTERS, description="What tokens name it by")
    sip_username: str = Field(min_length=1, description="Whom it speaks for")
    sip_domain: str | None = Field(default=None, min_length=1, description="The SIP domain of the username")
    disabled: bool = Field(default=False, description="Whether nobody may use it")
    attributes: Attributes = Field(default={}, description="Other columns, which credentials are picked from")
    secret: SecretIn | None = Field(default=None, description="Its first secret; `{}` has one made")


class ProfileChange(Body):
    """What is to be changed of a profile. What is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"disabled": True}, {"sip_domain": None, "attributes": {"account_id": 12}}]}
    )

    sip_username: Annotated[Text | None, NOT_NULL, WithJsonSchema({"type": "string", "minLength": 1})] = None
    sip_domain: str | None = Field(default=None, min_length=1, description="null takes it away")
    disabled: Annotated[bool | None, NOT_NULL, WithJsonSchema({"type": "boolean"})] = Field(
        default=None, description="Whether nobody may use it"
    )
    attributes: dict[Annotated[str, Field(min_length=1, max_length=255)], Attribute | None] = Field(
        default={}, description="Other columns; null takes one away"
    )


class SecretClosing(Body):
    """When a secret ends."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"end_ts": 2000000000}, {"end_ts": "now"}]})

    end_ts: Instant | Literal["now"] = Field(description="UNIX seconds, or `now` by the service's clock")


class Rotation(Body):
    """The secret that takes over, and for how long those before it go on. All of it may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "2026-12", "overlap_seconds": 86400}]})

    overlap_seconds: int = Field(
        default=OVERLAP_SECONDS,
        ge=0,
        le=_MAX_SECONDS,
        description="How long the open secrets go on verifying: at least as long as their tokens live",
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

    def to_new_secret(self) -> NewSecret:
        """Return the noun that the operations take; its window starts now."""
        return NewSecret(
            value=self.value,
            id=self.id,
            end=self.end_ts,
            algorithms=None if self.algorithms is None else tuple(self.algorithms),
            kid=self.kid,
        )


class Minting(Body):
    """The token to sign. All of it may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lifetime_seconds": 600, "claims": {"scope": "calls"}}]})

    lifetime_seconds: int = Field(default=TOKEN_SECONDS, ge=1, le=_MAX_SECONDS)
    claims: dict[str, JsonValue] = Field(
        default={}, description="Put over the usual ones, `exp` and all; never the tag"
    )
    jti: str | None = Field(default=None, min_length=1, max_length=MAX_JTI_BYTES, description="Without it, a UUID")
    secret_id: str | None = Field(
        default=None, min_length=1, max_length=1024, description="Who signs; without it, the secret open longest"
    )


class Revoking(Body):
    """What to revoke: one token by its `jti`, or those issued before a time, or all until now."""

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
            description="The token's own `exp`: the revocation may be forgotten then. "
            f"Without it, or beyond {MAX_TIME}, never",
        )
    )
    before: Annotated[Instant | None, NOT_NULL, _AN_INSTANT] = Field(
        default=None, description="Tokens issued earlier are revoked; it is never moved back"
    )
    all: Annotated[Literal[True] | None, NOT_NULL, WithJsonSchema({"const": True})] = Field(
        default=None, description="Tokens issued until now are revoked"
    )

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        ways: list[Any] = [self.jti, self.before, self.all]
        if sum(way is not None for way in ways) != 1 or (self.exp is not None and self.jti is None):
            raise ValueError("one of jti, before, all")
        return self


MEMBERS: Final = frozenset(name for body in Body.__subclasses__() for name in body.model_fields)
"""What members are called, so that no other word of a caller's is repeated."""
