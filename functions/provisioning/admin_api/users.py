"""`/admin/issuers/ID/users`: the profiles of an issuer's users, without the issuer's identifier in the path."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BeforeValidator

from admin_api import deleted, profiles
from admin_api.answers import DeletedOut, ProfileOut, RestoredOut, describe_answers
from admin_api.bodies import ProfileChange
from admin_api.conditions import unquote_segment
from admin_api.issuers import IssuerId
from admin_api.profiles import STALE, IfMatch
from admin_api.visit import new_router, provisioning_for
from auth_jwt.issuers.models import user_tag

router = new_router()
_TAGS: Final = ["issuers"]
_NONE: Final = "There is no such issuer, or no profile of such a user"

Subject = Annotated[
    str, BeforeValidator(unquote_segment), Path(description="The user's `sub` at the issuer, percent-encoded")
]


@router.get(
    "/admin/issuers/<issuer_id>/users/<sub>",
    operation_id="show_user",
    tags=_TAGS,
    summary="Show the profile of an issuer's user",
    responses=describe_answers((200, "The profile; its version is the `ETag`"), not_found=_NONE),
)
def show_user(issuer_id: IssuerId, sub: Subject) -> Response[ProfileOut]:
    """Return the profile of a user."""
    return profiles.show_profile(_tag_of(issuer_id, sub))


@router.patch(
    "/admin/issuers/<issuer_id>/users/<sub>",
    operation_id="change_user",
    tags=_TAGS,
    summary="Change the profile of an issuer's user, disable or enable it",
    responses=describe_answers(
        (200, "The profile as it is now"),
        not_found=_NONE,
        conflict="An issuer has the SIP domain",
        stale=STALE,
    ),
)
def change_user(
    issuer_id: IssuerId, sub: Subject, change: Annotated[ProfileChange, Body()], if_match: IfMatch = None
) -> Response[ProfileOut]:
    """Change the profile of a user."""
    return profiles.change_profile(_tag_of(issuer_id, sub), change, if_match)


@router.delete(
    "/admin/issuers/<issuer_id>/users/<sub>",
    operation_id="delete_user",
    tags=_TAGS,
    summary="Delete the profile of an issuer's user",
    description="With the mapping `profile` that ends the user's logins. With the mapping `claim` it does not: disable "
    "the profile instead. For 30 days, `restore` brings it back.",
    responses=describe_answers(
        (200, "Deleted"),
        not_found=_NONE,
        conflict="Somebody created the profile anew meanwhile",
        stale=STALE,
    ),
)
def delete_user(issuer_id: IssuerId, sub: Subject, if_match: IfMatch = None) -> Response[DeletedOut]:
    """Delete the profile of a user."""
    return profiles.delete_profile(_tag_of(issuer_id, sub), if_match)


@router.post(
    "/admin/issuers/<issuer_id>/users/<sub>/restore",
    operation_id="restore_user",
    tags=_TAGS,
    summary="Restore the deleted profile of an issuer's user",
    responses=describe_answers(
        (200, "Restored"),
        not_found="There is no such issuer, or nothing of such a user is kept",
        conflict="A profile is in its place, or the SIP domain is an issuer's by now",
    ),
)
def restore_user(issuer_id: IssuerId, sub: Subject) -> Response[RestoredOut]:
    """Restore the profile of a user."""
    return deleted.restore_profile(_tag_of(issuer_id, sub))


@router.post(
    "/admin/issuers/<issuer_id>/users/<sub>/erase",
    operation_id="erase_user",
    tags=_TAGS,
    summary="Delete the profile of an issuer's user for good",
    description="Nothing is kept to restore it from, and what earlier deletions have kept is erased, too.",
    responses=describe_answers(
        (200, "Deleted, and nothing of it is kept"),
        not_found=f"{_NONE}, and nothing of one is kept",
        conflict="Somebody created the profile anew meanwhile",
        stale=STALE,
    ),
)
def erase_user(issuer_id: IssuerId, sub: Subject, if_match: IfMatch = None) -> Response[DeletedOut]:
    """Delete the profile of a user for good."""
    return deleted.erase_profile(_tag_of(issuer_id, sub), if_match)


def _tag_of(issuer_id: str, sub: str) -> str:
    """Return the tag of the profile of a user.

    Raises:
        NotFound: there is no such issuer.
    """
    return user_tag(provisioning_for(router).issuers.find(issuer_id), sub)
