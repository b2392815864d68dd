"""The obvious implementation: what the service is measured against.

The same job with the same packages, as their documentation shows them: boto3's resource, PyJWT, and Powertools'
resolver, Logger and Metrics. It is meant to be good: clients stand outside the handler, keys are parsed once, rows
are remembered. It leaves out what this project is about besides speed: a second look after a write, strict JSON,
stale rows in an outage, bounds.
"""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

import boto3
import jwt
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.dynamodb.conditions import Key
from cryptography.hazmat.primitives.serialization import load_pem_public_key

HMAC = ["HS256", "HS384", "HS512"]
PUBLIC_KEY = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"]
SECONDS_REMEMBERED = 60
CREDENTIALS = {"caller_name": "display_name", "account_id": "account_id", "video_allowed": "video_allowed"}

app = APIGatewayRestResolver()
logger = Logger()
metrics = Metrics()
dynamodb = boto3.resource("dynamodb")
profiles = dynamodb.Table(os.environ["PROFILES_TABLE"])
secrets = dynamodb.Table(os.environ["SECRETS_TABLE"])


@dataclass
class Secret:
    """A row of the secrets table, its key parsed."""

    key: Any
    algorithms: list[str]
    start: int
    end: int


@dataclass
class Rows:
    """What the tables say of a tag."""

    profile: dict[str, Any] | None
    secrets: list[Secret]
    read_at: float


remembered: dict[str, Rows] = {}


class DeniedError(Exception):
    """The token is refused."""


def rows_of(tag: str) -> Rows:
    """Return the rows of *tag*, at most SECONDS_REMEMBERED old."""
    rows = remembered.get(tag)
    if rows is None or time.monotonic() - rows.read_at > SECONDS_REMEMBERED:
        items = secrets.query(KeyConditionExpression=Key("corresponding_tag").eq(tag))["Items"]
        profile = profiles.get_item(Key={"tag": tag}).get("Item")
        rows = Rows(profile, [secret for item in items for secret in secrets_in(item)], time.monotonic())
        remembered[tag] = rows
    return rows


def secrets_in(item: dict[str, Any]) -> list[Secret]:
    """Return what an item holds: an HMAC secret, a public key in PEM, or a key set."""
    text, start, end = item["secret"], int(item["start_ts"]), int(item["end_ts"])
    if text.startswith("-----BEGIN PUBLIC KEY"):
        return [Secret(load_pem_public_key(text.encode()), PUBLIC_KEY, start, end)]
    if text.startswith("{"):
        return [Secret(key.key, PUBLIC_KEY, start, end) for key in jwt.PyJWKSet.from_json(text).keys]
    return [Secret(text, HMAC, start, end)]


def verified(token: str, candidates: list[Secret]) -> tuple[dict[str, Any], Secret]:
    """Return the decoded token and the secret that verifies it; DeniedError when none does."""
    now = time.time()
    for secret in candidates:
        if not secret.start <= now < secret.end:
            continue
        try:
            return jwt.decode_complete(token, secret.key, algorithms=secret.algorithms), secret
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError, TypeError):
            continue  # TypeError: a key of another kind than the token's algorithm wants
        except jwt.InvalidTokenError as error:
            raise DeniedError(type(error).__name__) from error
    raise DeniedError("no secret verifies it")


def authorized(token: str) -> dict[str, Any]:
    """Return the answer to a good token; DeniedError for any other."""
    try:
        tag = jwt.decode(token, options={"verify_signature": False})["tag"]
    except (jwt.InvalidTokenError, KeyError) as error:
        raise DeniedError("malformed") from error
    logger.append_keys(tag=tag)
    rows = rows_of(tag)
    decoded, secret = verified(token, rows.secrets)
    if rows.profile is None or not rows.profile.get("sip_username"):
        raise DeniedError("no profile")
    return {
        "code": 1,
        "sip_username": rows.profile["sip_username"],
        "decoded_token": f"{compact(decoded['header'])}.{compact(decoded['payload'])}",
        "credentials": {
            name: value if isinstance(value, str | bool) else int(value)
            for name, column in CREDENTIALS.items()
            if (value := rows.profile.get(column)) not in (None, "")
        },
        "expires_at": min(secret.end, decoded["payload"].get("exp", secret.end)),
    }


def compact(value: dict[str, Any]) -> str:
    """Return *value* as OpenSIPS shows it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@app.post("/authorize")
def authorize() -> Response[str]:
    """Decide on the token in the Authorization header."""
    scheme, _, token = (app.current_event.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        metrics.add_metric(name="Challenged", unit=MetricUnit.Count, value=1)
        logger.info("challenged")
        return refusal({"title": "no token"})
    try:
        answer = authorized(token.strip())
    except DeniedError as denied:
        metrics.add_metric(name="Denied", unit=MetricUnit.Count, value=1)
        logger.info("denied", reason=str(denied))
        return refusal({"title": "token refused", "code": -1})
    metrics.add_metric(name="Authorized", unit=MetricUnit.Count, value=1)
    logger.info("authorized")
    return Response(200, content_types.APPLICATION_JSON, json.dumps(answer), {"Cache-Control": "no-store"})


def refusal(problem: dict[str, Any]) -> Response[str]:
    """Return a 401."""
    headers = {"Cache-Control": "no-store", "WWW-Authenticate": 'Bearer realm="sip"'}
    return Response(401, "application/problem+json", json.dumps({"status": 401, **problem}), headers)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an event of a REST API."""
    return app.resolve(event, context)
