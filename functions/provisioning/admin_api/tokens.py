"""`/admin/profiles/TAG/tokens` and `/admin/explain`: tokens that the keys of a tag sign, and decisions about tokens."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from admin_api.answers import ExplanationOut, TokenOut, describe_answers
from admin_api.bodies import Explaining, Minting
from admin_api.profiles import Tag
from admin_api.visit import deployment_for, new_router, provisioning_for
from auth_jwt.errors import Unreachable
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.issuer_explanation import explain
from auth_jwt.provisioning.pasted import read_pasted
from auth_jwt.provisioning.rendering import minted_json
from auth_jwt.provisioning.tokens import minting_entry

router = new_router()


@router.post(
    "/admin/profiles/<tag>/tokens",
    operation_id="mint_token",
    tags=["tokens"],
    summary="Sign a token with an open secret",
    description="The service's own rules accept the token at this moment. Nothing of it is stored. "
    "A line of audit says who got it: tag, `jti`, end, and the id of the secret.",
    responses=describe_answers(
        (200, "The token"),
        not_found="There is no such profile or secret",
        conflict="No open secret of the tag can sign",
    ),
)
def mint_token(tag: Tag, minting: Annotated[Minting, Body()] = Minting()) -> Response[TokenOut]:  # noqa: B008
    """Mint a token."""
    provisioning = provisioning_for(router, tag)
    minted = provisioning.tokens.mint(
        tag,
        lifetime_seconds=minting.lifetime_seconds,
        claims=minting.claims,
        jti=minting.jti,
        secret_id=minting.secret_id,
    )
    registry = provisioning.registry
    registry.audit(minting_entry(minted, actor=registry.actor, at=registry.now()))
    return Response(200, JSON, TokenOut.model_validate(minted_json(minted)))


@router.post(
    "/admin/explain",
    operation_id="explain_token",
    tags=["tokens"],
    summary="Explain what the service would decide about a token",
    description="Step by step, by the tables as they are now. The token may stand as it was copied, with its header or "
    "scheme in front. It is neither stored nor logged, and nothing is written. The operation has a path of its own, so "
    "that people may be allowed to explain tokens but not to mint them.",
    responses=describe_answers((200, "The decision, and each rule with its result")),
)
def explain_token(explaining: Annotated[Explaining, Body()]) -> Response[ExplanationOut]:
    """Explain the decision about a token.

    Raises:
        Unreachable: the tables do not answer.
    """
    registry, settings = provisioning_for(router).registry, deployment_for(router)[0].settings
    pasted = read_pasted(explaining.token)
    explanation = explain(
        pasted.token,
        patterns=settings.issuer_patterns,
        keys_lifetime=settings.keys_lifetime,
        store=registry.store,
        columns=registry.columns,
        policy=registry.policy,
        now=registry.clock(),
        from_user=explaining.from_user,
        from_domain=explaining.from_domain,
    )
    if isinstance(explanation.fault, Unreachable):
        raise explanation.fault
    return Response(200, JSON, ExplanationOut.of(explanation, pasted))
