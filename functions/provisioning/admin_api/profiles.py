"""`/admin/profiles`: who a tag speaks for."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from admin_api.answers import CreatedProfileOut, DeletedOut, ProfileOut, ProfilesOut, describing
from admin_api.bodies import ProfileChange, ProfileIn, decimals
from admin_api.conditions import cursor_of, entity_tag, key_of, quoted, unquoted, version_to_match
from admin_api.visit import new_router, provisioning_for, visit_of
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.changes import MISSING
from auth_jwt.provisioning.profiles import MAX_PAGE

router = new_router()
_TAGS: Final = ["profiles"]

Tag = Annotated[
    str,
    BeforeValidator(unquoted),
    Path(description="The profile's tag, percent-encoded", openapi_examples={"usual": {"value": "alice-web"}}),
]
IfMatch = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1}),
    Header(
        alias="If-Match",
        description="Only if the profile is still this version: an `ETag`, several, or `*`. Without it, any will do",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most")]
Cursor = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1}),
    Query(description="`next` of the page before"),
]


@router.get(
    "/admin/profiles",
    operation_id="list_profiles",
    tags=_TAGS,
    summary="List profiles",
    description="In the table's order, which is any. A page may be empty and still not the last: `next` tells.",
    responses=describing((200, "A page of profiles")),
)
def list_profiles(limit: Limit = MAX_PAGE, cursor: Cursor = None) -> Response[ProfilesOut]:
    """Return a page of profiles."""
    page = provisioning_for(router).profiles.page(after=key_of(cursor), limit=limit)
    body = ProfilesOut(profiles=[ProfileOut.of(one) for one in page.profiles], next=cursor_of(page.next))
    return Response(200, JSON, body)


@router.post(
    "/admin/profiles",
    operation_id="create_profile",
    tags=_TAGS,
    summary="Create a profile",
    description="With a first secret, if `secret` is there: both are written, or nothing. Asked again with the same "
    "values and no secret, it finds its own work and answers 200.",
    responses=describing(
        (201, "Created; `Location` says where"),
        (200, "It was there already, just so"),
        conflict="There is another profile of that tag, or a secret of that id",
    ),
)
def create_profile(profile: Annotated[ProfileIn, Body()]) -> Response[CreatedProfileOut]:
    """Create a profile."""
    created = provisioning_for(router, profile.tag).profiles.create(
        profile.tag,
        profile.sip_username,
        domain=profile.sip_domain,
        disabled=profile.disabled,
        attributes=decimals(profile.attributes),
        secret=None if profile.secret is None else profile.secret.to_new_secret(),
    )
    status, headers = visit_of(router).created(f"/admin/profiles/{quoted(profile.tag)}")
    headers["ETag"] = entity_tag(created.profile.version)
    return Response(status, JSON, CreatedProfileOut.of_created(created), headers)


@router.get(
    "/admin/profiles/<tag>",
    operation_id="show_profile",
    tags=_TAGS,
    summary="Show a profile",
    responses=describing((200, "The profile; its version is the `ETag`"), not_found="There is none"),
)
def show_profile(tag: Tag) -> Response[ProfileOut]:
    """Return a profile."""
    profile = provisioning_for(router, tag).profiles.show(tag)
    return Response(200, JSON, ProfileOut.of(profile), {"ETag": entity_tag(profile.version)})


@router.patch(
    "/admin/profiles/<tag>",
    operation_id="change_profile",
    tags=_TAGS,
    summary="Change a profile, disable or enable it",
    description='`{"disabled": true}` lets nobody use it any more, `{"disabled": false}` lets it be used again.',
    responses=describing(
        (200, "As it is now"), not_found="There is none", stale="It is none of the versions that `If-Match` names"
    ),
)
def change_profile(
    tag: Tag, change: Annotated[ProfileChange, Body()], if_match: IfMatch = None
) -> Response[ProfileOut]:
    """Change a profile."""
    profiles = provisioning_for(router, tag).profiles
    domain_goes = "sip_domain" in change.model_fields_set and change.sip_domain is None
    kept = {name: value for name, value in change.attributes.items() if value is not None}
    profile = profiles.change(
        tag,
        username=change.sip_username,
        domain=MISSING if domain_goes else change.sip_domain,
        attributes={**dict.fromkeys(change.attributes), **decimals(kept)},
        disabled=change.disabled,
        if_version=version_to_match(if_match, lambda: profiles.show(tag).version),
    )
    return Response(200, JSON, ProfileOut.of(profile), {"ETag": entity_tag(profile.version)})


@router.delete(
    "/admin/profiles/<tag>",
    operation_id="delete_profile",
    tags=_TAGS,
    summary="Delete a profile and its secrets",
    description="The profile goes first, which ends all logins. What an interruption leaves, the next attempt deletes.",
    responses=describing(
        (200, "Deleted"),
        not_found="There is neither a profile nor a secret",
        stale="It is none of the versions that `If-Match` names",
    ),
)
def delete_profile(tag: Tag, if_match: IfMatch = None) -> Response[DeletedOut]:
    """Delete a profile."""
    profiles = provisioning_for(router, tag).profiles
    version = version_to_match(if_match, lambda: profiles.show(tag).version)
    return Response(200, JSON, DeletedOut(deleted_secrets=profiles.delete(tag, if_version=version)))
