"""Settings -> provisioning. The only module of provisioning that names concrete classes."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.client import SdkClient
from auth_jwt.aws.dynamodb import DynamoDbRevocations, DynamoDbStore
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import TagRows
from auth_jwt.ports import Deadline, RowsStore
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import Audit, AuditTarget
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt.runtime.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_STORE_SECONDS = 20  # the client retries for about as long


def provisioning_of(
    settings: Settings,
    client: "DynamoDBClient",
    *,
    actor: str,
    audit: Audit,
    clock: Callable[[], float] = time.time,
    store: ProvisioningStore | None = None,
) -> Provisioning:
    """Wire provisioning over DynamoDB as the *settings* say.

    Args:
        settings: the service's own settings, so that provisioning rejects what the service would not accept.
        client: boto3's client for DynamoDB.
        actor: who writes, for the audit log.
        audit: receives an entry for every write.
        clock: returns the time in UNIX seconds.
        store: what reads and writes the tables, as for a rehearsal; None does that itself.
    """
    return Provisioning(
        Registry(
            store=tables_of(settings, client) if store is None else store,
            columns=settings.columns,
            policy=settings.policy,
            authorizer=_fresh_authorizer_of(settings, client, clock),
            audit=audit,
            actor=actor,
            clock=clock,
        )
    )


def target_of(settings: Settings, *, function_arn: str | None) -> AuditTarget:
    """Return where a function writes, for its lines of audit.

    Args:
        settings: they name the tables.
        function_arn: the ARN by which the function was called; None outside of Lambda.
    """
    names = (settings.profiles_table, settings.secrets_table, settings.revocations_table)
    tables = tuple(name for name in names if name is not None)
    return AuditTarget.of_function(function_arn, tables, settings.database.endpoint)


def tables_of(settings: Settings, client: "DynamoDBClient") -> DynamoDbTables:
    """Wire the tables that the *settings* name, read and written by boto3's *client* for DynamoDB."""
    return DynamoDbTables(
        client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        revocations_table=settings.revocations_table,
        columns=settings.columns,
    )


def _fresh_authorizer_of(settings: Settings, client: "DynamoDBClient", clock: Callable[[], float]) -> Authorizer:
    """Wire an authorizer that remembers nothing and sees every acknowledged write."""
    sdk = SdkClient(client)
    store = DynamoDbStore(
        lambda: sdk,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        columns=settings.columns,
        credentials=settings.policy.credentials,
    )
    revocations = None
    if settings.revocations_table is not None:
        listed = DynamoDbRevocations(lambda: sdk, table=settings.revocations_table)
        revocations = RevocationMemory(listed, ttl=0, stale_for=0)
    return Authorizer(
        memory=RowMemory(_ConsistentRows(store), ttl=0, stale_for=0),
        revocations=revocations,
        policy=settings.policy,
        store_seconds=_STORE_SECONDS,
        clock=clock,
    )


class _ConsistentRows:
    """A store of rows whose reads are all strongly consistent, so that they see every acknowledged write."""

    def __init__(self, store: RowsStore) -> None:
        self._store = store

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:  # noqa: ARG002 - always True
        return self._store.read(tag, consistent=True, deadline=deadline)
