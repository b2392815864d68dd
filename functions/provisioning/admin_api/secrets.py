"""`/admin/profiles/TAG/secrets` and `/rotate`: the keys of a tag."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BeforeValidator

from admin_api.answers import AddedSecretOut, RotatedOut, SecretOut, SecretsOut, describing
from admin_api.bodies import Rotation, SecretClosing, SecretIn
from admin_api.conditions import quoted, unquoted
from admin_api.profiles import Tag
from admin_api.visit import new_router, provisioning_for, visit_of
from auth_jwt.http.wire import JSON

router = new_router()
_TAGS: Final = ["secrets"]

SecretId = Annotated[str, BeforeValidator(unquoted), Path(description="The secret's id, percent-encoded")]


@router.get(
    "/admin/profiles/<tag>/secrets",
    operation_id="list_secrets",
    tags=_TAGS,
    summary="List the secrets of a tag",
    description="Never their values.",
    responses=describing((200, "All of them, the newest window first"), not_found="There is no such profile"),
)
def list_secrets(tag: Tag) -> Response[SecretsOut]:
    """Return the secrets of a tag."""
    secrets = provisioning_for(router, tag).secrets.list(tag)
    return Response(200, JSON, SecretsOut(secrets=[SecretOut.of(secret) for secret in secrets]))


@router.post(
    "/admin/profiles/<tag>/secrets",
    operation_id="add_secret",
    tags=_TAGS,
    summary="Add a secret",
    description="Given, or made here: then the answer holds its `value`, this once. Asked again with the same `id` and "
    "`value`, it finds its own work and answers 200.",
    responses=describing(
        (201, "Added; `Location` says where"),
        (200, "It was there already, just so"),
        not_found="There is no such profile",
        conflict="There is another secret of that id, or an open one holds the same key",
    ),
)
def add_secret(tag: Tag, secret: Annotated[SecretIn, Body()]) -> Response[AddedSecretOut]:
    """Add a secret."""
    added = provisioning_for(router, tag).secrets.add(tag, secret.to_new_secret())
    status, headers = visit_of(router).created(_place(tag, added.secret.id))
    return Response(status, JSON, AddedSecretOut.of_added(added), headers)


@router.get(
    "/admin/profiles/<tag>/secrets/<secret_id>",
    operation_id="show_secret",
    tags=_TAGS,
    summary="Show a secret",
    description="Never its value.",
    responses=describing((200, "The secret"), not_found="There is none"),
)
def show_secret(tag: Tag, secret_id: SecretId) -> Response[SecretOut]:
    """Return a secret."""
    return Response(200, JSON, SecretOut.of(provisioning_for(router, tag).secrets.show(tag, secret_id)))


@router.patch(
    "/admin/profiles/<tag>/secrets/<secret_id>",
    operation_id="close_secret",
    tags=_TAGS,
    summary="Close a secret, now or at a time",
    description="It works where the service reads the table anew: within `CACHE_TTL_SECONDS`. One that ends earlier "
    "keeps its end: none is ever opened again.",
    responses=describing(
        (200, "As it is now"),
        not_found="There is none",
        conflict="Its end is no number, so a later one would open it until then: close it now; or it keeps changing",
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
    summary="Take away a secret that is not open",
    responses=describing(
        (204, "Gone"), not_found="There is none", conflict="It is open: close it first; or it was changed meanwhile"
    ),
)
def remove_secret(tag: Tag, secret_id: SecretId) -> Response[None]:
    """Remove a secret."""
    provisioning_for(router, tag).secrets.remove(tag, secret_id)
    return Response(204)


@router.post(
    "/admin/profiles/<tag>/rotate",
    operation_id="rotate_secrets",
    tags=_TAGS,
    summary="Open a new secret now, and let the open ones end after an overlap",
    description="All of it happens, or nothing. Of two rotations at once one does, and the other is told so. Asked "
    "again with the same `id` and `value`, it finds its own work and answers 200.",
    responses=describing(
        (201, "Rotated; `Location` says where the new secret is"),
        (200, "It was done already, just so"),
        not_found="There is no such profile",
        conflict="Somebody else changed the secrets meanwhile, or there is another secret of that id",
    ),
)
def rotate_secrets(tag: Tag, rotation: Annotated[Rotation, Body()] = Rotation()) -> Response[RotatedOut]:  # noqa: B008
    """Rotate the secrets of a tag."""
    rotated = provisioning_for(router, tag).secrets.rotate(
        tag, rotation.to_new_secret(), overlap_seconds=rotation.overlap_seconds
    )
    status, headers = visit_of(router).created(_place(tag, rotated.secret.id))
    return Response(status, JSON, RotatedOut.of(rotated), headers)


def _place(tag: str, secret_id: str) -> str:
    return f"/admin/profiles/{quoted(tag)}/secrets/{quoted(secret_id)}"
