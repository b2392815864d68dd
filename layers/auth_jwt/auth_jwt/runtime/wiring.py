"""Settings -> authorizer. The only place that names concrete classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.client import Client, dynamodb_client
from auth_jwt.aws.dynamodb import DynamoDbRevocations, DynamoDbStore
from auth_jwt.aws.express import express_client, reason_for_boto3
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.settings import DynamoDbClient, LogSettings, Settings, near_misses

if TYPE_CHECKING:
    from auth_jwt.issuers.authorizer import IssuerAuthorizer


@dataclass(frozen=True, slots=True)
class Service:
    """What all requests share: made at the first request, kept while the process lives.

    Attributes:
        settings: the environment, read and checked.
        authorizer: decides about tokens.
        make_client: makes the client that reads the tables, once. It has no connection and no credentials yet.
    """

    settings: Settings
    authorizer: Authorizer
    make_client: Callable[[], object]

    def prepare(self) -> None:
        """Load what the first answer needs. Nothing is asked over the network, and no clock is read.

        Raises:
            Fault: no client for the tables can be made.
        """
        from auth_jwt.jose.asymmetric import load_the_rest

        load_the_rest()  # whichever keys the tables hold
        self.make_client()


def service_of(env: Mapping[str, str], journal: Journal) -> Service:
    """Wire the service as *env* says.

    The *journal* learns what its lines hold of authorized requests. It gets a warning for each variable that nearly
    spells a setting, and one when boto3 has to replace the express lane (see `choose_client`).

    Raises:
        BadSetting: a variable has an invalid value.
    """
    settings = Settings.from_env(env)
    journal.log_authorized_as(LogSettings.from_env(env))
    journal.warn_of_near_misses(near_misses(env))

    @cache
    def make_client() -> tuple[Client, str | None]:
        return choose_client(settings, env)

    @cache
    def client_for_reads() -> Client:
        client, why_boto3 = make_client()
        if why_boto3 is not None and settings.dynamodb_client is DynamoDbClient.EXPRESS:
            journal.warn_of_boto3(why_boto3)  # at the first read: each process that starts from a snapshot is counted
        return client

    return Service(settings, authorizer_of(settings, client_for_reads), make_client)


def authorizer_of(settings: Settings, get_client: Callable[[], Client]) -> Authorizer:
    """Wire an authorizer over DynamoDB as the *settings* say.

    Args:
        settings: the settings of the service.
        get_client: returns the client that asks DynamoDB. It is called at every read, so it must keep what it made.
    """
    store = DynamoDbStore(
        get_client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        columns=settings.columns,
        credentials=settings.policy.credentials,
    )
    memory = RowMemory(store, ttl=settings.cache_ttl, stale_for=settings.stale_if_error)
    revocations = None
    if settings.revocations_table is not None:
        listed = DynamoDbRevocations(get_client, table=settings.revocations_table)
        revocations = RevocationMemory(listed, ttl=settings.cache_ttl, stale_for=settings.stale_if_error)
    return Authorizer(
        memory=memory,
        revocations=revocations,
        policy=settings.policy,
        store_seconds=settings.store_timeout,
        issuers=_issuer_authorizer(settings, get_client, store, revocations),
    )


def _issuer_authorizer(
    settings: Settings, get_client: Callable[[], Client], profiles: DynamoDbStore, revocations: RevocationMemory | None
) -> "IssuerAuthorizer | None":
    if settings.issuer_patterns is None:
        return None
    # Here, so that who has no issuers loads none of it.
    from auth_jwt.aws.issuers import DynamoDbIssuers
    from auth_jwt.issuers.authorizer import IssuerAuthorizer
    from auth_jwt.issuers.memory import IssuerMemory, ProfileMemory

    store = DynamoDbIssuers(
        get_client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        columns=settings.columns,
    )
    return IssuerAuthorizer(
        patterns=settings.issuer_patterns,
        issuers=IssuerMemory(store, ttl=settings.cache_ttl, stale_for=settings.stale_if_error),
        profiles=ProfileMemory(profiles, ttl=settings.cache_ttl, stale_for=settings.stale_if_error),
        policy=settings.policy,
        keys_lifetime=settings.keys_lifetime,
        revocations=revocations,
    )


def choose_client(settings: Settings, env: Mapping[str, str]) -> tuple[Client, str | None]:
    """Make the client that asks DynamoDB, and say why it is boto3's; None when it is not.

    The express lane (`auth_jwt.aws.express`) asks without boto3, which takes longer to load than all the rest. It
    serves where the settings and the environment ask for nothing that only boto3 does (docs/decisions/0014).

    Raises:
        Fault: no client can be made.
    """
    region, endpoint, seconds = settings.database.region, settings.database.endpoint, settings.store_timeout
    if settings.dynamodb_client is DynamoDbClient.BOTO3:
        why_boto3: str | None = "a setting says so"
    else:
        why_boto3 = reason_for_boto3(env, region=region, endpoint=endpoint, tables=settings.tables)
    if why_boto3 is None:
        return express_client(env, region=region, endpoint=endpoint, timeout_seconds=seconds), None
    return dynamodb_client(region=region, endpoint=endpoint, timeout_seconds=seconds), why_boto3
