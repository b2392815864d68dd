"""What is known of common identity providers: the form of their access tokens, and traps. Data, and no rule.

The facts are from the providers' documentation. None of them was tried at the real service; `auth-jwt issuer test`
tells whether a token of yours is accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class AudienceForm(StrEnum):
    """How the tokens of a provider name whom they are for."""

    AUDIENCE = "an audience"  # one that ID tokens may have as well
    ACCESS_AUDIENCE = "an audience that only access tokens have"
    CLIENT = "the client, and no audience"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A provider.

    Attributes:
        example: an identifier, as the provider's tokens name it in `iss`.
        form: how its tokens name whom they are for.
        audience: what the operator gives for that.
        members: members of the configuration that fit all issuers of the provider.
        traps: what goes wrong there, each as a sentence.
    """

    example: str
    form: AudienceForm
    audience: str
    members: Mapping[str, Any] = field(default_factory=dict)
    traps: tuple[str, ...] = ()


PRESETS: Final[Mapping[str, Preset]] = {
    "keycloak": Preset(
        example="https://login.example.com/realms/sip",
        form=AudienceForm.AUDIENCE,
        audience="a client id that an audience mapper puts into `aud`",
        members={"required_claims": {"typ": "Bearer"}, "access_claims": ["typ"]},
        traps=(
            "`aud` is `account` or absent until the client scope has an audience mapper.",
            "Asked by another host name, a realm has another issuer: set the host name of the server.",
            "A new key signs at once, so some users wait up to a minute after a rotation.",
        ),
    ),
    "entra": Preset(
        example="https://login.microsoftonline.com/TENANT-ID/v2.0",
        form=AudienceForm.ACCESS_AUDIENCE,
        audience="the application id of an API of its own, whose tokens have version 2",
        members={"algorithms": ["RS256"], "requires_jti": False},
        traps=(
            "Name one tenant: the issuer of `common` is no issuer of any token.",
            "The API and the client are two registrations: an ID token has the client's id as its audience.",
            "Tokens have `uti` and no `jti`, so single tokens cannot be revoked here.",
            "`sub` differs from application to application; `oid` together with `tid` does not.",
            "`email`, `upn`, `unique_name` and `preferred_username` can change hands.",
        ),
    ),
    "auth0": Preset(
        example="https://TENANT.eu.auth0.com/",
        form=AudienceForm.ACCESS_AUDIENCE,
        audience="the identifier of an API, which the client asks for as `audience`",
        members={"algorithms": ["RS256"], "requires_jti": False},
        traps=(
            "The issuer ends with a slash.",
            "Without `audience` in the request, the access token is opaque.",
            "An API with the token profile RFC 9068 gives `jti`: then set --jti.",
        ),
    ),
    "cognito": Preset(
        example="https://cognito-idp.eu-central-1.amazonaws.com/POOL-ID",
        form=AudienceForm.CLIENT,
        audience="the id of an app client",
        members={
            "algorithms": ["RS256"],
            "client_claim": "client_id",
            "required_claims": {"token_use": "access"},
            "access_claims": ["token_use"],
        },
        traps=(
            "Access tokens have `client_id` and no `aud`.",
            "Users may edit their attributes unless the app client restricts what can be written.",
        ),
    ),
    "okta": Preset(
        example="https://ORG.okta.com/oauth2/default",
        form=AudienceForm.ACCESS_AUDIENCE,
        audience="the audience of a custom authorization server, such as `api://default`",
        members={"algorithms": ["RS256"]},
        traps=("Tokens of the org authorization server (without `/oauth2/ID`) are not for others to verify.",),
    ),
    "google": Preset(
        example="https://accounts.google.com",
        form=AudienceForm.AUDIENCE,
        audience="the client id",
        members={"algorithms": ["RS256"], "token_kind": "id", "requires_jti": False},
        traps=(
            "Access tokens are opaque, so ID tokens log in.",
            "Everybody has an account: map by profile, or require `hd`, the domain of your Workspace.",
            "The keys are on another host, www.googleapis.com.",
        ),
    ),
    "zitadel": Preset(
        example="https://INSTANCE.zitadel.cloud",
        form=AudienceForm.AUDIENCE,
        audience="the id of the project or of the application",
        traps=(
            "Choose JWT as the type of the application's access tokens: they are opaque otherwise.",
            "ID tokens may have the same audience: have an action add a claim to access tokens, and give it with "
            "--require and --access-claim.",
        ),
    ),
    "authentik": Preset(
        example="https://sso.example.com/application/o/sip/",
        form=AudienceForm.AUDIENCE,
        audience="the client id",
        traps=(
            "The issuer ends with a slash, and names the application.",
            "If its tokens have no `jti`, set --no-jti.",
            "ID tokens have the same audience: have a scope mapping add a claim to access tokens, and give it with "
            "--require and --access-claim.",
        ),
    ),
}


def members_of(preset: Preset, named: list[str]) -> dict[str, Any]:
    """Return the members of a configuration by a *preset*, for the audiences or clients *named* by the operator."""
    members = dict(preset.members)
    if preset.form is AudienceForm.CLIENT:
        return {**members, "client_ids": named}
    members["audiences"] = named
    if preset.form is AudienceForm.ACCESS_AUDIENCE:
        members["access_audiences"] = named
    return members
