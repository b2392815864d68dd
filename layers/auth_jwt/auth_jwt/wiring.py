"""Settings -> authorizer. The only place that names concrete classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from auth_jwt.authorizer import Authorizer
from auth_jwt.cache import RowMemory
from auth_jwt.observability import Journal
from auth_jwt.settings import Settings, near_misses
from auth_jwt.stores import DynamoDbStore, dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Service:
    """What stands between requests: made at the first, kept while the process lives."""

    settings: Settings
    authorizer: Authorizer


def service_of(env: Mapping[str, str], journal: Journal) -> Service:
    """Wire the service as *env* says, and tell the *journal* of variables that nearly spell a setting.

    Raises:
        BadSetting: a variable cannot be.
    """
    settings = Settings.from_env(env)
    journal.warn_of_near_misses(near_misses(env))
    return Service(settings, authorizer_of(settings))


def authorizer_of(settings: Settings) -> Authorizer:
    """Wire an authorizer over DynamoDB as the *settings* say; the client is made when a table is first read."""

    @cache
    def client() -> "DynamoDBClient":
        return dynamodb_client(
            region=settings.database.region,
            endpoint=settings.database.endpoint,
            timeout_seconds=settings.store_timeout,
        )

    store = DynamoDbStore(
        client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        columns=settings.columns,
        credentials=settings.policy.credentials,
    )
    memory = RowMemory(store, ttl=settings.cache_ttl, stale_for=settings.stale_if_error)
    return Authorizer(memory=memory, policy=settings.policy, store_seconds=settings.store_timeout)
