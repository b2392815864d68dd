"""`/admin/profiles/TAG/revocations` and `/tokens_valid_after`: the revoked tokens of a tag."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BeforeValidator

from admin_api.answers import RevocationOut, RevocationsOut, ValidAfterOut, describe_answers
from admin_api.bodies import Revoking
from admin_api.conditions import cursor_of, key_of, quote_segment, unquote_segment
from admin_api.profiles import Cursor, Limit, Tag
from admin_api.visit import new_router, provisioning_for, visit_of
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.revocations import MAX_PAGE

router = new_router()
_TAGS: Final = ["revocations"]
_NO_TABLE: Final = "There is no table of revoked tokens (`REVOCATIONS_TABLE`)"

Jti = Annotated[str, BeforeValidator(unquote_segment), Path(description="The token's `jti`, percent-encoded")]


@router.get(
    "/admin/profiles/<tag>/revocations",
    operation_id="list_revocations",
    tags=_TAGS,
    summary="List the tokens revoked one by one",
    responses=describe_answers(
        (200, "A page of revocations"), not_found="There is no such profile", conflict=_NO_TABLE
    ),
)
def list_revocations(tag: Tag, limit: Limit = MAX_PAGE, cursor: Cursor = None) -> Response[RevocationsOut]:
    """Return a page of revocations."""
    page = provisioning_for(router, tag).revocations.page(tag, after=key_of(cursor), limit=limit)
    body = RevocationsOut(revocations=[RevocationOut.of(one) for one in page.revocations], next=cursor_of(page.next))
    return Response(200, JSON, body)


@router.post(
    "/admin/profiles/<tag>/revocations",
    operation_id="revoke",
    tags=_TAGS,
    summary="Revoke one token, or all issued before a time",
    description="It takes effect within `CACHE_TTL_SECONDS`, when the service reads the tables again. A repeated "
    "request changes nothing and answers 200.",
    responses=describe_answers(
        (201, "The token is revoked; `Location` is the path of the revocation"),
        (200, "The token was revoked already; or all tokens issued before `tokens_valid_after` are"),
        not_found="There is no such profile",
        conflict=_NO_TABLE + ", which one token needs; or the rows keep changing",
    ),
)
def revoke(tag: Tag, revoking: Annotated[Revoking, Body()]) -> Response[RevocationOut | ValidAfterOut]:
    """Revoke one token, or all tokens issued before a time."""
    revocations = provisioning_for(router, tag).revocations
    if revoking.jti is None:
        return Response(
            200, JSON, ValidAfterOut(tokens_valid_after=revocations.revoke_all(tag, before=revoking.before))
        )
    revocation = revocations.revoke(tag, revoking.jti, exp=revoking.exp)
    place = f"/admin/profiles/{quote_segment(tag)}/revocations/{quote_segment(revocation.jti)}"
    status, headers = visit_of(router).created(place)
    return Response(status, JSON, RevocationOut.of(revocation), headers)


@router.get(
    "/admin/profiles/<tag>/revocations/<jti>",
    operation_id="show_revocation",
    tags=_TAGS,
    summary="Show the revocation of one token",
    responses=describe_answers(
        (200, "The revocation"), not_found="The token has no revocation of its own", conflict=_NO_TABLE
    ),
)
def show_revocation(tag: Tag, jti: Jti) -> Response[RevocationOut]:
    """Return the revocation of a token."""
    return Response(200, JSON, RevocationOut.of(provisioning_for(router, tag).revocations.show(tag, jti)))


@router.delete(
    "/admin/profiles/<tag>/revocations/<jti>",
    operation_id="lift_revocation",
    tags=_TAGS,
    summary="Lift the revocation of one token",
    responses=describe_answers((204, "Lifted"), not_found="The token has no revocation of its own", conflict=_NO_TABLE),
)
def lift_revocation(tag: Tag, jti: Jti) -> Response[None]:
    """Lift the revocation of a token."""
    provisioning_for(router, tag).revocations.lift(tag, jti)
    return Response(204)


@router.delete(
    "/admin/profiles/<tag>/tokens_valid_after",
    operation_id="lift_tokens_valid_after",
    tags=_TAGS,
    summary="Lift the bound that revokes all tokens issued before it",
    description="Tokens that were revoked one by one stay revoked.",
    responses=describe_answers((204, "Lifted"), not_found="There is no such profile"),
)
def lift_tokens_valid_after(tag: Tag) -> Response[None]:
    """Lift the bound that revokes all tokens of a profile issued before it."""
    provisioning_for(router, tag).revocations.lift_all(tag)
    return Response(204)
