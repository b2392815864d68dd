"""Deleted profiles: which can be restored, restoring one, and erasing one for good.

Erasing has a path of its own: IAM judges paths, so people may be allowed to delete what can be restored, and no more.
"""

from typing import Final

from aws_lambda_powertools.event_handler import Response

from admin_api.answers import DeletedOut, DeletedProfileOut, DeletedProfilesOut, RestoredOut, describe_answers
from admin_api.conditions import cursor_of, key_of, version_to_match
from admin_api.profiles import AN_ISSUER, STALE, Cursor, IfMatch, Limit, Tag
from admin_api.visit import new_router, provisioning_for
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.profiles import MAX_PAGE

router = new_router()
_TAGS: Final = ["profiles"]


@router.get(
    "/admin/deleted-profiles",
    operation_id="list_deleted_profiles",
    tags=_TAGS,
    summary="List the deleted profiles that can be restored",
    description="The latest deletion first. No value of a secret is read.",
    responses=describe_answers((200, "A page of deleted profiles")),
)
def list_deleted_profiles(limit: Limit = MAX_PAGE, cursor: Cursor = None) -> Response[DeletedProfilesOut]:
    """Return a page of deleted profiles."""
    last = key_of(cursor)
    left = [each for each in provisioning_for(router).profiles.deleted() if last is None or each.id < last]
    page = left[:limit]
    following = page[-1].id if len(left) > limit else None
    body = DeletedProfilesOut(deleted_profiles=[DeletedProfileOut.of(each) for each in page], next=cursor_of(following))
    return Response(200, JSON, body)


@router.post(
    "/admin/profiles/<tag>/restore",
    operation_id="restore_profile",
    tags=_TAGS,
    summary="Restore a deleted profile with its secrets",
    description="Of several that had the tag, the one deleted last. All is as it was: ended secrets stay ended, and "
    "revoked tokens stay revoked. It works at once. After an interruption, repeat the request: it restores what is "
    "missing.",
    responses=describe_answers(
        (200, "Restored"),
        not_found="Nothing of the tag is kept, or it was restored already",
        conflict="A profile or another secret is in its place, or the tag or the SIP domain is an issuer's by now",
    ),
)
def restore_profile(tag: Tag) -> Response[RestoredOut]:
    """Restore a profile."""
    restored = provisioning_for(router, tag).profiles.restore(tag)
    return Response(200, JSON, RestoredOut.of(restored))


@router.post(
    "/admin/profiles/<tag>/erase",
    operation_id="erase_profile",
    tags=_TAGS,
    summary="Delete a profile and its secrets for good",
    description="Nothing is kept to restore it from, and what earlier deletions of the tag have kept is erased, too. "
    "Of a profile that was deleted before, it erases what is kept. It has a path of its own, so that people may be "
    "allowed to delete but not to erase.",
    responses=describe_answers(
        (200, "Deleted, and nothing of it is kept"),
        not_found="Neither a profile nor a secret has the tag, and nothing of it is kept",
        conflict=f"{AN_ISSUER}. Or somebody created a profile with the tag meanwhile",
        stale=STALE,
    ),
)
def erase_profile(tag: Tag, if_match: IfMatch = None) -> Response[DeletedOut]:
    """Delete a profile for good."""
    profiles = provisioning_for(router, tag).profiles
    version = version_to_match(if_match, lambda: profiles.show(tag).version)
    return Response(200, JSON, DeletedOut(deleted_secrets=profiles.delete(tag, if_version=version, forever=True)))
