"""The bodies of answers. An answer that does not fit its model is a fault, so no unforeseen member gets out."""

from typing import Any, Final, Self

from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from admin_api.problems import PROBLEM_JSON
from auth_jwt.errors import Flaw, Reason
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.fetching.lookup import Published
from auth_jwt.issuers.models import Issuer
from auth_jwt.provisioning.deleting import Restored
from auth_jwt.provisioning.endings import Ending, EndingKind
from auth_jwt.provisioning.explanation import Explanation, StepOutcome
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.issuers import IssuerRecord, describe_key
from auth_jwt.provisioning.pasted import Pasted
from auth_jwt.provisioning.profiles import Created, ProfileRecord
from auth_jwt.provisioning.rendering import (
    ending_json,
    explanation_json,
    issuer_json,
    key_json,
    profile_json,
    revocation_json,
    secret_json,
    tombstone_json,
)
from auth_jwt.provisioning.revocations import Revocation
from auth_jwt.provisioning.secrets import Added, Rotated
from auth_jwt.provisioning.tombstones import Tombstone
from auth_jwt.refreshing.models import Refreshed, RefreshOutcome

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


class EndingOut(Out):
    """An instant at which no secret of a tag is open any more: from then on, every login with it is denied."""

    tag: str
    id: str = Field(description="The id of the secret that ends last")
    kind: EndingKind = Field(description="`ends_soon`: that instant is to come; `ended`: it is past")
    end_ts: int | float = Field(description="That instant, in UNIX seconds")
    opens_again_ts: int | float | None = Field(
        description="When the next secret opens after a gap, in UNIX seconds; null if none ever does"
    )
    command: str = Field(description="A command that mends it, for a shell")

    @classmethod
    def of(cls, ending: Ending | None) -> Self | None:
        """Make it of an ending, if there is one."""
        return None if ending is None else cls.model_validate(ending_json(ending))


class SecretsOut(Out):
    """All secrets of a tag, the newest window first."""

    secrets: list[SecretOut]
    ending: EndingOut | None = Field(
        description="When the last of them ends without a successor, if that is within 30 days, or was; null otherwise"
    )


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


class DeletedProfileOut(Out):
    """A deleted profile that can be restored: everything except its rows."""

    model_config = _example(
        tag="alice-web",
        deleted_at=1795402396,
        deleted_by="arn:aws:iam::123456789012:user/olivia",
        kept_until=1797994396,
        profile=True,
        secrets=2,
    )

    tag: str
    deleted_at: int = Field(description="When it was deleted, in UNIX seconds")
    deleted_by: str
    kept_until: int = Field(description="From when on it can be restored no more, in UNIX seconds")
    profile: bool = Field(description="Whether there was a profile; false when there were secrets only")
    secrets: int = Field(description="How many secrets were deleted with it")

    @classmethod
    def of(cls, tombstone: Tombstone) -> Self:
        """Make it of a tombstone."""
        return cls.model_validate(tombstone_json(tombstone))


class DeletedProfilesOut(Out):
    """One page of deleted profiles, the latest deletion first."""

    deleted_profiles: list[DeletedProfileOut]
    next: str | None = Field(description=NEXT)


class RestoredOut(Out):
    """What was restored."""

    model_config = _example(tag="alice-web", profile=True, secrets=["1", "2026-11"])

    tag: str
    profile: bool = Field(description="Whether a profile was restored; false when there were secrets only")
    secrets: list[str] = Field(description="The ids of the restored secrets")

    @classmethod
    def of(cls, restored: Restored) -> Self:
        """Make it of what was restored."""
        return cls(tag=restored.tag, profile=restored.has_profile, secrets=list(restored.secrets))


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


class StepOut(Out):
    """One rule of a decision."""

    name: str = Field(description="The rule, or the claim or setting that it is about")
    outcome: StepOutcome
    reason: Reason | None = Field(description="The reason of the denial; null if this rule does not deny the token")
    text: str = Field(description="The explanation, for people")


class ExplainedSecretOut(SecretOut):
    """A secret, and what the service does with it for this token."""

    model_config = _example(**_SECRET, passed_over=None, signed=True, misreading=None)

    passed_over: str | None = Field(description="Why the service does not try it; null when it does")
    signed: bool = Field(description="Whether its key made the signature, even if the service does not try it")
    misreading: str | None = Field(
        description="Another reading of its text that made the signature, in words; null if none did, or its key did"
    )


class ExplainedKeyOut(Out):
    """A key of an issuer, and what the service does with it for this token."""

    kid: str | None
    thumbprint: str
    blocked: bool
    named: bool = Field(description="Whether the token's `kid` names it; true for a token without one")
    signed: bool = Field(description="Whether it made the signature, even if the service does not try it")


class ExplanationOut(Out):
    """What the service would decide about a token, and why."""

    accepted: bool
    reason: Reason | None = Field(description="Why it is denied; null when it is not")
    fault: str | None = Field(description="Why nothing can be decided; null when something can")
    retry_after: int | None = Field(description="In how many seconds the key that signed it will have been fetched")
    remedy: str | None = Field(description="What to do about a denied token, in one sentence")
    removed: list[str] = Field(description="What was around the token as it was pasted, in words")
    spoils: list[str] = Field(description="Those of them with which the service denies it: `malformed_token`")
    issuer: str | None = Field(description="The issuer whose rules judge it; null where those of tags do")
    tag: str | None = Field(description="The tag in the token, unverified unless it is accepted")
    sip_username: str | None = Field(default=None, description="For whom it is accepted")
    expires_at: int | None = Field(default=None, description="Until when, in UNIX seconds")
    credentials: list[str] = Field(default=[], description="The names of the credentials that the answer returns")
    header: dict[str, JsonValue] | None = Field(description="Unverified unless the token is accepted")
    claims: dict[str, JsonValue] | None = Field(description="Unverified unless the token is accepted")
    steps: list[StepOut] = Field(description="The rules, in the service's order")
    secrets: list[ExplainedSecretOut]
    keys: list[ExplainedKeyOut]

    @classmethod
    def of(cls, explanation: Explanation, pasted: Pasted) -> Self:
        """Make it of an explanation of a token, and of how that was pasted."""
        told = {**explanation_json(explanation, with_claims=True), "removed": pasted.removed, "spoils": pasted.spoils}
        return cls.model_validate(told)


class TablesOut(Out):
    """The tables that the admin API writes."""

    profiles: str
    secrets: str
    revocations: str | None = Field(description="null: there is none, so only all tokens of a profile can be revoked")
    endpoint: str | None = Field(description="Where they are, if that is not DynamoDB in AWS, but a stand-in for it")
    region: str | None


class DeploymentOut(Out):
    """Which deployment answers, and to whom."""

    model_config = _example(
        stack="auth-jwt",
        account="123456789012",
        region="eu-central-1",
        stage="v1",
        caller="arn:aws:iam::123456789012:user/olivia",
        tables={
            "profiles": "jwt_profiles",
            "secrets": "jwt_secrets",
            "revocations": "jwt_revocations",
            "endpoint": None,
            "region": "eu-central-1",
        },
        cache_ttl_seconds=60,
        stale_if_error_seconds=300,
    )

    stack: str | None = Field(description="The name of the stack; null when the function does not know it")
    account: str | None = Field(
        description="The AWS account of the API; null when no IAM identified the caller, as under `make serve`"
    )
    region: str | None
    stage: str | None
    caller: str = Field(description="Who asks, as IAM knows them: the `actor` of their lines of audit")
    tables: TablesOut
    cache_ttl_seconds: int = Field(description="After how long the service notices what ends: `CACHE_TTL_SECONDS`")
    stale_if_error_seconds: int = Field(description="How much later in an outage: `STALE_IF_ERROR_SECONDS`")


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


class IssuerKeyOut(Out):
    """A key that an issuer publishes: never the key itself."""

    kid: str | None
    kind: str = Field(description="`RSA 2048`, `EC P-256`, `Ed25519` …")
    algorithms: list[str] = Field(description="The algorithms it may verify for this issuer")
    thumbprint: str = Field(description="Its RFC 7638 thumbprint, by which it is blocked")
    blocked: bool = Field(description="Whether an operator has blocked it: then it verifies nothing")


class FetchStatusOut(Out):
    """How the fetches of an issuer's keys went. Times are UNIX seconds."""

    fetched_at: int | None = Field(description="When the last successful fetch began; null before the first")
    next_fetch_at: int | None = Field(description="When the next fetch is due; null: now")
    failures: int = Field(description="How many fetches have failed since the last successful one")
    failure: str | None = Field(description="The stable name of why the last of them failed")
    next_discovery_at: int | None = Field(description="When the discovery document is read again; null: now")
    moved_to: str | None = Field(
        description="The address of keys that the discovery document names, when it is not the configured one. It is "
        "not followed; send it as `keys_url` to accept it"
    )


_CONFIGURATION: Final = {
    "keys_url": "https://login.example.com/realms/sip/keys",
    "audiences": ["sip"],
    "required_claims": {"typ": "Bearer"},
    "access_claims": ["typ"],
}
_ISSUER_KEY: Final = {
    "kid": "2026-11",
    "kind": "RSA 2048",
    "algorithms": ["RS256"],
    "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    "blocked": False,
}
_ISSUER: Final = {
    "issuer": "https://login.example.com/realms/sip",
    "id": "0e3f7a42c9d15b86a1f04d7be8c2936f",
    "disabled": False,
    "tokens_valid_after": None,
    "version": 1795402396,
    "problem": None,
    "configuration": _CONFIGURATION,
    "status": {
        "fetched_at": 1795402396,
        "next_fetch_at": 1795402456,
        "failures": 0,
        "failure": None,
        "next_discovery_at": 1795488796,
        "moved_to": None,
    },
    "keys": [_ISSUER_KEY],
}
_REFRESHED: Final[dict[str, Any]] = {
    "outcome": "replaced",
    "failure": None,
    "detail": None,
    "keys": 1,
    "dropped": {},
    "has_nothing_in_common": False,
    "discovery_failure": None,
}


class IssuerOut(Out):
    """An issuer."""

    model_config = _example(**_ISSUER)

    issuer: str = Field(description="Its identifier, exactly as tokens name it in `iss`")
    id: str = Field(description="Its id in paths: a hash of the identifier")
    disabled: bool = Field(description="Whether every token of it is denied")
    tokens_valid_after: Any = Field(description="As of a profile, for all its users")
    version: int | None = Field(description="Of the configuration: a UNIX second. null when that cannot be used")
    problem: str | None = Field(description="Why the configuration cannot be used; null when it can, or is gone")
    configuration: dict[str, JsonValue] | None = Field(
        description="The members of `Configuration` that differ from their defaults"
    )
    status: FetchStatusOut | None
    keys: list[IssuerKeyOut] = Field(description="As last fetched from the configured address")

    @classmethod
    def of(cls, record: IssuerRecord) -> Self:
        """Make it of a record."""
        return cls.model_validate(issuer_json(record))


class IssuersOut(Out):
    """One page of issuers, sorted by identifier."""

    issuers: list[IssuerOut]
    next: str | None = Field(description=NEXT)


class RefreshedOut(Out):
    """What fetching the keys of an issuer did."""

    outcome: RefreshOutcome
    failure: FailureKind | None = Field(description="The stable name of why nothing usable was fetched")
    detail: str | None = Field(description="The same for people, or why the issuer's rows cannot be used")
    keys: int | None = Field(description="How many keys were written; null when they are as they were")
    dropped: dict[Flaw, int] = Field(description="For each flaw, how many keys were left out for it")
    has_nothing_in_common: bool = Field(description="Whether the new keys share none with those of before")
    discovery_failure: FailureKind | None = Field(
        description="The stable name of why the discovery document could not be read, when that was due"
    )

    @classmethod
    def of(cls, refreshed: Refreshed) -> Self:
        """Make it of what a refresh did."""
        problem, discovery = refreshed.problem, refreshed.discovery_problem
        return cls(
            outcome=refreshed.outcome,
            failure=problem.kind if isinstance(problem, FetchFailed) else None,
            detail=None if problem is None else str(problem),
            keys=refreshed.keys,
            dropped={Flaw(name): count for name, count in refreshed.dropped.items()},
            has_nothing_in_common=refreshed.has_nothing_in_common,
            discovery_failure=None if discovery is None else discovery.kind,
        )


class RefreshedIssuerOut(IssuerOut):
    """An issuer, and what fetching its keys did in this request."""

    model_config = _example(**_ISSUER, refreshed=_REFRESHED)

    refreshed: RefreshedOut | None = Field(
        default=None,
        description="null when this request fetched no keys. Those that are due are fetched within a minute",
    )

    @classmethod
    def of_refreshed(cls, record: IssuerRecord, refreshed: Refreshed | None) -> Self:
        """Make it of a record and what a refresh did."""
        done = None if refreshed is None else RefreshedOut.of(refreshed)
        return cls.model_validate({**issuer_json(record), "refreshed": done})


class FoundOut(Out):
    """What an issuer publishes at this moment."""

    keys_url: str = Field(description="The address of its keys: to add the issuer, send it as `confirmed_keys_url`")
    is_elsewhere: bool | None = Field(
        description="Whether that is on another host or port than the issuer; null when no discovery document was read"
    )
    algorithms: list[str] | None = Field(
        description="By which it says that it signs ID tokens; null when no discovery document was read"
    )
    keys: list[IssuerKeyOut] = Field(description="The keys that can be used")
    dropped: dict[Flaw, int] = Field(description="For each flaw, how many keys cannot be used because of it")

    @classmethod
    def of(cls, found: Published, issuer: Issuer) -> Self:
        """Make it of a look-up, for the configuration of an *issuer*."""
        discovery, filtered = found.discovery, found.filtered
        return cls(
            keys_url=found.keys_url,
            is_elsewhere=None if discovery is None else discovery.is_elsewhere,
            algorithms=None if discovery is None else list(discovery.algorithms),
            keys=[IssuerKeyOut.model_validate(key_json(describe_key(key, issuer))) for key in filtered.key_set.keys],
            dropped={Flaw(name): count for name, count in filtered.count_flaws().items()},
        )


class AddedIssuerOut(Out):
    """What was found at an issuer, and the issuer if it was added."""

    model_config = _example(
        found={
            "keys_url": _CONFIGURATION["keys_url"],
            "is_elsewhere": False,
            "algorithms": ["RS256"],
            "keys": [_ISSUER_KEY],
            "dropped": {},
        },
        configuration=_CONFIGURATION,
        is_set=True,
        issuer=None,
    )

    found: FoundOut
    configuration: dict[str, JsonValue] = Field(description="The configuration that is written, or would be")
    is_set: bool = Field(
        description="Whether the setting `ISSUERS` names the issuer: otherwise no token is judged by it, and its keys "
        "are not fetched"
    )
    issuer: RefreshedIssuerOut | None = Field(description="The issuer as it is now; null: nothing was written")


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
    failure: FailureKind | None = Field(
        default=None, description="Of `fetch-failed`: the stable name of what went wrong; `detail` explains it"
    )


def describe_answers(*answers: tuple[int, str], **problems: str) -> dict[int, OpenAPIResponse]:
    """Describe the answers of an operation: the successes, and its own problems.

    Those are `not_found`, `conflict`, `stale` and `fetch_failed`. `admin_api.document` adds the problems that every
    operation may give.
    """
    statuses = {"not_found": 404, "conflict": 409, "stale": 412, "fetch_failed": 422}
    described: dict[int, OpenAPIResponse] = {status: {"description": text} for status, text in answers}
    for name, text in problems.items():
        described[statuses[name]] = {"description": text, "content": {PROBLEM_JSON: {"model": Problem}}}
    return described
