"""`/admin/deployment`: which deployment answers, and to whom."""

from aws_lambda_powertools.event_handler import Response

from admin_api.answers import DeploymentOut, TablesOut, describe_answers
from admin_api.visit import deployment_for, new_router
from auth_jwt.http.wire import JSON

router = new_router()


@router.get(
    "/admin/deployment",
    operation_id="show_deployment",
    tags=["deployment"],
    summary="Tell which deployment answers, and who asks",
    description="It reads no table. People who act on the wrong deployment see it here before they do.",
    responses=describe_answers((200, "The deployment")),
)
def show_deployment() -> Response[DeploymentOut]:
    """Return which deployment answers."""
    deployment, caller = deployment_for(router)
    settings = deployment.settings
    tables = TablesOut(
        profiles=settings.profiles_table,
        secrets=settings.secrets_table,
        revocations=settings.revocations_table,
        endpoint=settings.database.endpoint,
        region=settings.database.region or deployment.region,
    )
    body = DeploymentOut(
        stack=deployment.stack,
        account=deployment.account,
        region=deployment.region,
        stage=deployment.stage,
        caller=caller,
        tables=tables,
        cache_ttl_seconds=settings.cache_ttl,
        stale_if_error_seconds=settings.stale_if_error,
    )
    return Response(200, JSON, body)
