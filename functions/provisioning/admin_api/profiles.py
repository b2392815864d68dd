"""`/admin/profiles`: which SIP user a tag stands for."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from admin_api.answers import CreatedProfileOut, DeletedOut, ProfileOut, ProfilesOut, describe_answers
from admin_api.bodies import ProfileChange, ProfileIn, decimals
from admin_api.conditions import cursor_of, entity_tag, key_of, quote_segment, unquote_segment, version_to_match
from admin_api.visit import new_router, provisioning_for, visit_of
from auth_jwt.http.wire import JSON, Malformed
from auth_jwt.provisioning.changes import MISSING
from auth_jwt.provisioning.finding import Finding, ProfileState, SipUser, Wanted
from auth_jwt.provisioning.profiles import MAX_PAGE

router = new_router()
_TAGS: Final = ["profiles"]
STALE: Final = "`If-Match` does not name the present version"
AN_ISSUER: Final = "The tag is an issuer's, which has routes of its own"

Tag = Annotated[
    str,
    BeforeValidator(unquote_segment),
    Path(description="The profile's tag, percent-encoded", openapi_examples={"usual": {"value": "alice-web"}}),
]
IfMatch = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1}),
    Header(
        alias="If-Match",
        description="Act only if the profile still has this version: an `ETag`, several, or `*`. Absent: always act",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="The greatest number of items on the page")]
Cursor = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1}),
    Query(description="The `next` of the previous page"),
]


_TEXT: Final = WithJsonSchema({"type": "string", "minLength": 1})
Username = Annotated[str | None, _TEXT, Query(description="Only those of this SIP username, exactly")]
UsernamePrefix = Annotated[str | None, _TEXT, Query(description="Only those whose SIP username begins so")]
Domain = Annotated[str | None, _TEXT, Query(description="Only those of this SIP domain, in any case")]
TagPrefix = Annotated[str | None, _TEXT, Query(description="Only those whose tag begins so")]
Attribute = Annotated[
    str | None,
    _TEXT,
    Query(description="Only those of which another column has a value: `NAME=VALUE`, of any type, by its text"),
]
State = Annotated[ProfileState | None, Query(description="Only those in this state")]


@router.get(
    "/admin/profiles",
    operation_id="list_profiles",
    tags=_TAGS,
    summary="List profiles, or find some",
    description="The order means nothing. A page may be empty although others follow: `next` is null on the last page. "
    "With conditions, it lists the profiles that meet all of them. By `username` it is quick where the table has the "
    "index `by_sip_user`; otherwise each page looks at some hundred thousand profiles.",
    responses=describe_answers((200, "A page of profiles")),
)
def list_profiles(
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
    username: Username = None,
    username_prefix: UsernamePrefix = None,
    domain: Domain = None,
    state: State = None,
    tag_prefix: TagPrefix = None,
    attribute: Attribute = None,
) -> Response[ProfilesOut]:
    """Return a page of profiles, or of those that meet the conditions."""
    wanted = Wanted(
        users=() if username is None else (SipUser(username, domain),),
        username_prefix=username_prefix,
        domain=domain,
        state=state,
        attributes=_attributes(attribute),
        tag_prefix=tag_prefix,
    )
    provisioning = provisioning_for(router)
    if wanted == Wanted():
        page = provisioning.profiles.page(after=key_of(cursor), limit=limit)
    else:
        page = Finding(provisioning.registry).page(wanted, after=key_of(cursor), limit=limit)
    body = ProfilesOut(profiles=[ProfileOut.of(one) for one in page.profiles], next=cursor_of(page.next))
    return Response(200, JSON, body)


def _attributes(condition: str | None) -> dict[str, str]:
    """Read the parameter `attribute`.

    Raises:
        Malformed: it is not `NAME=VALUE`.
    """
    if condition is None:
        return {}
    name, separator, value = condition.partition("=")
    if not (name and separator):
        raise Malformed("attribute is not NAME=VALUE")
    return {name: value}


@router.post(
    "/admin/profiles",
    operation_id="create_profile",
    tags=_TAGS,
    summary="Create a profile",
    description="With `secret`, it creates a first secret, too: both are written, or nothing. A repeated request with "
    "the same values and no secret changes nothing and answers 200.",
    responses=describe_answers(
        (201, "Created; `Location` is its path"),
        (200, "The same profile was there already"),
        conflict="Another profile or an issuer has the tag, another secret has the id, or an issuer has the SIP domain",
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
    status, headers = visit_of(router).created(f"/admin/profiles/{quote_segment(profile.tag)}")
    headers["ETag"] = entity_tag(created.profile.version)
    return Response(status, JSON, CreatedProfileOut.of_created(created), headers)


@router.get(
    "/admin/profiles/<tag>",
    operation_id="show_profile",
    tags=_TAGS,
    summary="Show a profile",
    responses=describe_answers(
        (200, "The profile; its version is the `ETag`"), not_found="There is no such profile", conflict=AN_ISSUER
    ),
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
    description='`{"disabled": true}` denies every login with it, `{"disabled": false}` allows them again.',
    responses=describe_answers(
        (200, "The profile as it is now"),
        not_found="There is no such profile",
        conflict=f"{AN_ISSUER}. Or an issuer has the SIP domain",
        stale=STALE,
    ),
)
def change_profile(
    tag: Tag, change: Annotated[ProfileChange, Body()], if_match: IfMatch = None
) -> Response[ProfileOut]:
    """Change a profile."""
    profiles = provisioning_for(router, tag).profiles
    removes_domain = "sip_domain" in change.model_fields_set and change.sip_domain is None
    kept = {name: value for name, value in change.attributes.items() if value is not None}
    profile = profiles.change(
        tag,
        username=change.sip_username,
        domain=MISSING if removes_domain else change.sip_domain,
        attributes={**dict.fromkeys(change.attributes), **decimals(kept)},
        disabled=change.disabled,
        if_version=version_to_match(if_match, lambda: profiles.show(tag).version),
    )
    return Response(200, JSON, ProfileOut.of(profile), {"ETag": entity_tag(profile.version)})


@router.post(
    "/admin/profiles/<tag>/disable",
    operation_id="disable_profile",
    tags=_TAGS,
    summary="Deny every login with a profile",
    description="It takes effect within `CACHE_TTL_SECONDS`, when the service reads the table again. It has a path of "
    "its own, so that people may be allowed to disable users but not to change them.",
    responses=describe_answers(
        (200, "The profile as it is now"), not_found="There is no such profile", conflict=AN_ISSUER, stale=STALE
    ),
)
def disable_profile(tag: Tag, if_match: IfMatch = None) -> Response[ProfileOut]:
    """Disable a profile."""
    return _switch(tag, if_match, disabled=True)


@router.post(
    "/admin/profiles/<tag>/enable",
    operation_id="enable_profile",
    tags=_TAGS,
    summary="Allow logins with a disabled profile again",
    responses=describe_answers(
        (200, "The profile as it is now"), not_found="There is no such profile", conflict=AN_ISSUER, stale=STALE
    ),
)
def enable_profile(tag: Tag, if_match: IfMatch = None) -> Response[ProfileOut]:
    """Enable a profile."""
    return _switch(tag, if_match, disabled=False)


@router.delete(
    "/admin/profiles/<tag>",
    operation_id="delete_profile",
    tags=_TAGS,
    summary="Delete a profile and its secrets",
    description="The profile is deleted first, which ends all logins. After an interruption, repeat the request: it "
    "deletes what is left. For 30 days, `restore` brings it back.",
    responses=describe_answers(
        (200, "Deleted"),
        not_found="Neither a profile nor a secret has the tag",
        conflict=f"{AN_ISSUER}. Or somebody created a profile with the tag meanwhile",
        stale=STALE,
    ),
)
def delete_profile(tag: Tag, if_match: IfMatch = None) -> Response[DeletedOut]:
    """Delete a profile."""
    profiles = provisioning_for(router, tag).profiles
    version = version_to_match(if_match, lambda: profiles.show(tag).version)
    return Response(200, JSON, DeletedOut(deleted_secrets=profiles.delete(tag, if_version=version)))


def _switch(tag: str, if_match: str | None, *, disabled: bool) -> Response[ProfileOut]:
    profiles = provisioning_for(router, tag).profiles
    version = version_to_match(if_match, lambda: profiles.show(tag).version)
    switch = profiles.disable if disabled else profiles.enable
    profile = switch(tag, if_version=version)
    return Response(200, JSON, ProfileOut.of(profile), {"ETag": entity_tag(profile.version)})
