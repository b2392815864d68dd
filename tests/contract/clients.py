"""The two clients for DynamoDB, made as the service makes them, and their common environment."""

from typing import Final

from auth_jwt.aws.client import Client, dynamodb_client
from auth_jwt.aws.express import express_client

REGION: Final = "eu-central-1"
LANES: Final = ("boto3", "express")

ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def a_client(lane: str, endpoint: str, *, seconds: float = 5) -> Client:
    """The client of that *lane* for a DynamoDB at *endpoint*."""
    if lane == "express":
        return express_client(ENVIRONMENT, region=REGION, endpoint=endpoint, timeout_seconds=seconds)
    return dynamodb_client(region=REGION, endpoint=endpoint, timeout_seconds=seconds)
