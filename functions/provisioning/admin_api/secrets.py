"""`/admin/profiles/TAG/secrets` and `/rotate`: the keys of a tag."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BeforeValidator

from admin_api.answers import AddedSecretOut, EndingOut, RotatedOut, SecretOut, SecretsOut, describe_answers
from admin_api.bodies import Rotation, SecretClosing, SecretIn
from admin_api.conditions import quote_segment, unquote_segment
from admin_api.profiles import Tag
from admin_api.visit import new_router, provisioning_for, visit_of
from auth_jwt.http.wire import JSON
from auth_jwt.provisioning.endings import MONTH, ending_of_records

router = new_router()
_TAGS: Final = ["secrets"]

SecretId = Annotated[str, BeforeValidator(unquote_segment), Path(description="The secret's id, percent-encoded")]


@router.get(
    "/admin/profiles/<tag>/secrets",
    operation_id="list_secrets",
    tags=_TAGS,
    summary="List the secrets of a tag",
    description="Their values are never shown. `ending` says when the last of them ends without a successor.",
    responses=describe_answers(
        (200, "All of them, the newest window first"),
        not_found="There is no such profile",
        conflict="The tag is an issuer's, which has no secrets",
    ),
)
def list_secrets(tag: Tag) -> Response[SecretsOut]:
    """Return the secrets of a tag."""
    provisioning = provisioning_for(router, tag)
    secrets = provisioning.secrets.list(tag)
    ending = ending_of_records(tag, secrets, provisioning.registry.now(), MONTH)
    shown = [SecretOut.of(secret) for secret in secrets]
    return Response(200, JSON, SecretsOut(secrets=shown, ending=EndingOut.of(ending)))


@router.post(
    "/admin/profiles/<tag>/secrets",
    operation_id="add_secret",
    tags=_TAGS,
    summary="Add a secret",
    description="Gives a value, or has one generated: then the answer holds it as `value`, this one time. "
    "A repeated request with the same `id` and `value` changes nothing and answers 200.",
    responses=describe_answers(
        (201, "Added; `Location` is its path"),
        (200, "The same secret was there already"),
        not_found="There is no such profile",
        conflict="Another secret has the id, or an open secret holds the same key",
    ),
)
def add_secret(tag: Tag, secret: Annotated[SecretIn, Body()]) -> Response[AddedSecretOut]:
    """Add a secret."""
    added = provisioning_for(router, tag).secrets.add(tag, secret.to_new_secret())
    status, headers = visit_of(router).created(_path_of(tag, added.secret.id))
    return Response(status, JSON, AddedSecretOut.of_added(added), headers)


@router.get(
    "/admin/profiles/<tag>/secrets/<secret_id>",
    operation_id="show_secret",
    tags=_TAGS,
    summary="Show a secret",
    description="Its value is never shown.",
    responses=describe_answers((200, "The secret"), not_found="There is no such secret"),
)
def show_secret(tag: Tag, secret_id: SecretId) -> Response[SecretOut]:
    """Return a secret."""
    return Response(200, JSON, SecretOut.of(provisioning_for(router, tag).secrets.show(tag, secret_id)))


@router.patch(
    "/admin/profiles/<tag>/secrets/<secret_id>",
    operation_id="close_secret",
    tags=_TAGS,
    summary="Close a secret, now or at a time",
    description="It takes effect within `CACHE_TTL_SECONDS`, when the service reads the table again. A secret that "
    "ends earlier keeps its end: a closed secret never opens again.",
    responses=describe_answers(
        (200, "The secret as it is now"),
        not_found="There is no such secret",
        conflict="Its end is not a number, so a later end would open it: close it now. Or it keeps changing",
    ),
)
def close_secret(tag: Tag, secret_id: SecretId, closing: Annotated[SecretClosing, Body()]) -> Response[SecretOut]:
    """Close a secret."""
    at = None if closing.end_ts == "now" else closing.end_ts
    return Response(200, JSON, SecretOut.of(provisioning_for(router, tag).secrets.close(tag, secret_id, at=at)))


@router.delete(
    "/admin/profiles/<tag>/secrets/<secret_id>",
    operation_id="remove_secret",
    tags=_TAGS,
    summary="Delete a secret that is not open",
    responses=describe_answers(
        (204, "Deleted"),
        not_found="There is no such secret",
        conflict="It is open: close it first. Or somebody changed it meanwhile",
    ),
)
def remove_secret(tag: Tag, secret_id: SecretId) -> Response[None]:
    """Delete a secret."""
    provisioning_for(router, tag).secrets.remove(tag, secret_id)
    return Response(204)


@router.post(
    "/admin/profiles/<tag>/rotate",
    operation_id="rotate_secrets",
    tags=_TAGS,
    summary="Open a new secret now, and end the open ones after an overlap",
    description="All of it happens, or nothing. Of two simultaneous rotations one succeeds, and the other answers 409. "
    "A repeated request with the same `id` and `value` changes nothing and answers 200.",
    responses=describe_answers(
        (201, "Rotated; `Location` is the path of the new secret"),
        (200, "The same rotation was done already"),
        not_found="There is no such profile",
        conflict="Somebody else changed the secrets meanwhile, or another secret has the id",
    ),
)
def rotate_secrets(tag: Tag, rotation: Annotated[Rotation, Body()] = Rotation()) -> Response[RotatedOut]:  # noqa: B008
    """Rotate the secrets of a tag."""
    rotated = provisioning_for(router, tag).secrets.rotate(
        tag,
        rotation.to_new_secret(),
        overlap_seconds=rotation.overlap_seconds,
        replace_public_key=rotation.replace_public_key,
    )
    status, headers = visit_of(router).created(_path_of(tag, rotated.secret.id))
    return Response(status, JSON, RotatedOut.of(rotated), headers)


def _path_of(tag: str, secret_id: str) -> str:
    return f"/admin/profiles/{quote_segment(tag)}/secrets/{quote_segment(secret_id)}"
