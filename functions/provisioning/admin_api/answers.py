"""The bodies of answers. An answer that does not fit its model is a fault, so no unforeseen member gets out."""

from typing import Any, Final, Self

from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import BaseModel, ConfigDict, Field

from admin_api.problems import PROBLEM_JSON
from auth_jwt.errors import Flaw
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.profiles import Created, ProfileRecord
from auth_jwt.provisioning.rendering import profile_json, revocation_json, secret_json
from auth_jwt.provisioning.revocations import Revocation
from auth_jwt.provisioning.secrets import Added, Rotated

NEXT: Final = "The `cursor` of the next page; null on the last page"


class Out(BaseModel):
    """The body of an answer; it rejects members that it does not declare."""

    model_config = ConfigDict(extra="forbid")


def _example(**members: object) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [members]})  # type: ignore[list-item]


_SECRET: Final = {
    "tag": "alice-web",
    "id": "2026-11",
    "kind": "HMAC, 86 bytes",
    "algorithms": ["HS256"],
    "kid": None,
    "start_ts": 1795402396,
    "end_ts": 1826938396,
    "state": "open",
    "flaw": None,
    "unusable_because": None,
    "keys": [
        {"kind": "HMAC, 86 bytes", "algorithms": ["HS256"], "kid": None, "fingerprint": "scrypt:cmWR2jB_a_HsXPrD"}
    ],
}
_PROFILE: Final = {
    "tag": "alice-web",
    "sip_username": "alice",
    "sip_domain": "example.org",
    "disabled": False,
    "tokens_valid_after": None,
    "attributes": {"account_id": 4711, "caller_name": "Alice"},
}


class KeyOut(Out):
    """One key of a secret."""

    kind: str = Field(description="`HMAC, 64 bytes`, `RSA 2048`, `EC P-256`, `Ed25519` …")
    algorithms: list[str]
    kid: str | None = Field(description="The `kid` of a JWK; null for other keys")
    fingerprint: str = Field(
        description="Tells keys apart: `sha256:` (RFC 7638) for public keys, `scrypt:` for HMAC keys"
    )


class SecretOut(Out):
    """A secret: everything except its value."""

    model_config = _example(**_SECRET)

    tag: str
    id: str
    kind: str
    algorithms: list[str] = Field(description="The algorithms it may verify here")
    kid: str | None
    start_ts: int | float | None = Field(
        description="First second of its window; null when the row has no number there"
    )
    end_ts: int | float | None = Field(
        description="First second after its window; null when the row has no number there"
    )
    state: SecretState
    flaw: Flaw | None = Field(description="The stable name of the reason why it never verifies a token; null if it can")
    unusable_because: str | None = Field(description="The reason why it never verifies a token; null if it can")
    keys: list[KeyOut]

    @classmethod
    def of(cls, secret: SecretRecord) -> Self:
        """Make it of a record."""
        return cls.model_validate(secret_json(secret))


class AddedSecretOut(SecretOut):
    """A secret just added, with its value if that was generated."""

    model_config = _example(**_SECRET, value="shown-this-once-86-characters-of-base64url")

    value: str | None = Field(
        default=None,
        repr=False,
        description="The value that this request generated, shown this one time. Otherwise null",
    )

    @classmethod
    def of_added(cls, added: Added | Rotated) -> Self:
        """Make it of the result of adding or rotating."""
        return cls.model_validate({**secret_json(added.secret), "value": added.generated})


class SecretsOut(Out):
    """All secrets of a tag, the newest window first."""

    secrets: list[SecretOut]


class RotatedOut(Out):
    """A rotation: the new secret, and the old ones that end after the overlap."""

    secret: AddedSecretOut
    closing: list[SecretOut]

    @classmethod
    def of(cls, rotated: Rotated) -> Self:
        """Make it of the result of rotating."""
        return cls(secret=AddedSecretOut.of_added(rotated), closing=[SecretOut.of(old) for old in rotated.closing])


class ProfileOut(Out):
    """A profile. Its version is the answer's `ETag`."""

    model_config = _example(**_PROFILE)

    tag: str
    sip_username: str | None = Field(description="null when the row has no text there")
    sip_domain: str | None
    disabled: bool
    tokens_valid_after: Any = Field(description="UNIX seconds: tokens issued earlier are revoked. null: no such bound")
    attributes: dict[str, Any] = Field(description="All other columns")

    @classmethod
    def of(cls, profile: ProfileRecord) -> Self:
        """Make it of a record."""
        return cls.model_validate(profile_json(profile))


class CreatedProfileOut(ProfileOut):
    """A profile just created, with its first secret if the request had one."""

    model_config = _example(**_PROFILE, secret=None)

    secret: AddedSecretOut | None = None

    @classmethod
    def of_created(cls, created: Created) -> Self:
        """Make it of the result of creating."""
        secret = None if created.secret is None else AddedSecretOut.of_added(created.secret)
        return cls.model_validate({**profile_json(created.profile), "secret": secret})


class ProfilesOut(Out):
    """One page of profiles. The order means nothing."""

    profiles: list[ProfileOut]
    next: str | None = Field(description=NEXT)


class DeletedOut(Out):
    """The number of secrets that were deleted with a profile."""

    deleted_secrets: int


class TokenOut(Out):
    """A token that the service accepts at this moment."""

    model_config = _example(
        token="HEADER.PAYLOAD.SIGNATURE",  # noqa: S106 - none
        tag="alice-web",
        sip_username="alice",
        secret_id="2026-11",  # noqa: S106 - a row's id
        jti="c842754c-2c03-4471-ada8-6ca2c9e3e3f9",
        expires_at=1795402696,
    )

    token: str = Field(repr=False)
    tag: str
    sip_username: str
    secret_id: str
    jti: str
    expires_at: int = Field(description="UNIX seconds")


class RevocationOut(Out):
    """A revoked token."""

    model_config = _example(tag="alice-web", jti="c0ffee", revoked_at=1795402396, expires_at=1795489096)

    tag: str
    jti: str
    revoked_at: int | None = Field(description="UNIX seconds")
    expires_at: int | None = Field(description="When the revocation may be deleted, in UNIX seconds; null: never")

    @classmethod
    def of(cls, revocation: Revocation) -> Self:
        """Make it of a record."""
        return cls.model_validate(revocation_json(revocation))


class RevocationsOut(Out):
    """One page of revoked tokens."""

    revocations: list[RevocationOut]
    next: str | None = Field(description=NEXT)


class ValidAfterOut(Out):
    """The bound of a profile's tokens: those issued earlier are revoked."""

    tokens_valid_after: int = Field(description="UNIX seconds")


class BrokenRule(Out):
    """A rule that a request breaks, and where."""

    field: str = Field(
        description="The place: `body.secret.end_ts`, `query.limit` …; an unknown name is shown as `an unknown member` "
        "or `an unknown parameter`"
    )
    rule: str = Field(description="The rule in one word, such as `missing`, `extra_forbidden`, `string_type`")


class Problem(Out):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    instance: str = Field(description="`urn:request:` and the id of the request, as in the log")
    detail: str | None = Field(
        default=None, description="A text for people; it never repeats a value that may be a key"
    )
    errors: list[BrokenRule] | None = None


def describe_answers(*answers: tuple[int, str], **problems: str) -> dict[int, OpenAPIResponse]:
    """Describe the answers of an operation: the successes, and its own problems (`not_found`, `conflict`, `stale`).

    `admin_api.document` adds the problems that every operation may give.
    """
    statuses = {"not_found": 404, "conflict": 409, "stale": 412}
    described: dict[int, OpenAPIResponse] = {status: {"description": text} for status, text in answers}
    for name, text in problems.items():
        described[statuses[name]] = {"description": text, "content": {PROBLEM_JSON: {"model": Problem}}}
    return described
