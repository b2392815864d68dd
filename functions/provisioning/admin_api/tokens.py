"""`/admin/profiles/TAG/tokens`: tokens that the keys of a tag sign."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from admin_api.answers import TokenOut, describe_answers
from admin_api.bodies import Minting
from admin_api.profiles import Tag
from admin_api.visit import new_router, provisioning_for
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.rendering import minted_json

router = new_router()


@router.post(
    "/admin/profiles/<tag>/tokens",
    operation_id="mint_token",
    tags=["tokens"],
    summary="Sign a token with an open secret",
    description="The service's own rules accept the token at this moment. Nothing of it is stored.",
    responses=describe_answers(
        (200, "The token"),
        not_found="There is no such profile or secret",
        conflict="No open secret of the tag can sign",
    ),
)
def mint_token(tag: Tag, minting: Annotated[Minting, Body()] = Minting()) -> Response[TokenOut]:  # noqa: B008
    """Mint a token."""
    minted = provisioning_for(router, tag).tokens.mint(
        tag,
        lifetime_seconds=minting.lifetime_seconds,
        claims=minting.claims,
        jti=minting.jti,
        secret_id=minting.secret_id,
    )
    return Response(200, JSON, TokenOut.model_validate(minted_json(minted)))
