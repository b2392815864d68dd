"""Settings -> authorizer. The only place that names concrete classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.client import Client, dynamodb_client
from auth_jwt.aws.dynamodb import DynamoDbRevocations, DynamoDbStore
from auth_jwt.aws.express import express_client, why_not
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.settings import DynamoDbClient, Settings, near_misses


@dataclass(frozen=True, slots=True)
class Service:
    """What stands between requests: made at the first, kept while the process lives.

    Attributes:
        settings: the environment, read and checked.
        authorizer: decides.
        make_client: makes what reads the tables, which has no connection and no credentials yet.
    """

    settings: Settings
    authorizer: Authorizer
    make_client: Callable[[], object] = object  # which does nothing

    def prepare(self) -> None:
        """Load what a first answer needs and every answer alike, asking nobody and reading no clock.

        Raises:
            Fault: no client for the tables can be made.
        """
        from auth_jwt.jose.asymmetric import load_the_rest

        load_the_rest()  # whichever keys the tables hold
        self.make_client()


def service_of(env: Mapping[str, str], journal: Journal) -> Service:
    """Wire the service as *env* says.

    The *journal* is told of variables that nearly spell a setting, and where the express lane has to stand aside.

    Raises:
        BadSetting: a variable cannot be.
    """
    settings = Settings.from_env(env)
    journal.warn_of_near_misses(near_misses(env))

    @cache
    def why_boto3() -> str | None:
        return _why_boto3(settings, env)

    @cache
    def client() -> Client:
        return _client(settings, env, why_boto3())

    @cache
    def client_to_read_by() -> Client:
        made, reason = client(), why_boto3()
        if reason is not None and settings.dynamodb_client is DynamoDbClient.EXPRESS:
            journal.warn_of_boto3(reason)  # not before a snapshot: each process that goes on from it is counted
        return made

    return Service(settings, authorizer_of(settings, client_to_read_by), client)


def authorizer_of(settings: Settings, client: Callable[[], Client]) -> Authorizer:
    """Wire an authorizer over DynamoDB as the *settings* say.

    Args:
        settings: the service's.
        client: makes the client, and is called when a table is first read.
    """
    store = DynamoDbStore(
        client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        columns=settings.columns,
        credentials=settings.policy.credentials,
    )
    memory = RowMemory(store, ttl=settings.cache_ttl, stale_for=settings.stale_if_error)
    revocations = None
    if settings.revocations_table is not None:
        listed = DynamoDbRevocations(client, table=settings.revocations_table)
        revocations = RevocationMemory(listed, ttl=settings.cache_ttl, stale_for=settings.stale_if_error)
    return Authorizer(
        memory=memory, revocations=revocations, policy=settings.policy, store_seconds=settings.store_timeout
    )


def client_of(settings: Settings, env: Mapping[str, str]) -> Client:
    """Make the client for DynamoDB: the express lane where it is wanted and serves, otherwise boto3.

    Raises:
        Fault: none can be made.
    """
    return _client(settings, env, _why_boto3(settings, env))


def _client(settings: Settings, env: Mapping[str, str], why_boto3: str | None) -> Client:
    region, endpoint = settings.database.region, settings.database.endpoint
    if why_boto3 is None:
        return express_client(env, region=region, endpoint=endpoint, timeout_seconds=settings.store_timeout)
    return dynamodb_client(region=region, endpoint=endpoint, timeout_seconds=settings.store_timeout)


def _why_boto3(settings: Settings, env: Mapping[str, str]) -> str | None:
    if settings.dynamodb_client is DynamoDbClient.BOTO3:
        return "a setting says so"
    region, endpoint = settings.database.region, settings.database.endpoint
    return why_not(env, region=region, endpoint=endpoint, tables=settings.tables)
