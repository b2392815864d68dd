"""Settings -> refreshing. The only module of refreshing that names concrete classes."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from auth_jwt.fetching.client import IssuerClient, tls_context
from auth_jwt.provisioning.audit import Audit
from auth_jwt.provisioning.changes import ProvisioningStore
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.store import IssuerTables
from auth_jwt.runtime.settings import RefreshSettings, Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client_of(rules: RefreshSettings, *, clock: Callable[[], float] = time.time) -> IssuerClient:
    """Return the client that asks issuers, as the settings of refreshing say.

    Raises:
        Fault: the bundle of certificates cannot be read.
    """
    return IssuerClient(tls=tls_context(rules.ca_bundle), accepted=rules.accepted_networks, clock=clock)


def refresher_of(
    settings: Settings,
    rules: RefreshSettings,
    client: "DynamoDBClient",
    *,
    actor: str,
    audit: Audit,
    clock: Callable[[], float] = time.time,
    store: ProvisioningStore | None = None,
) -> Refresher:
    """Wire a refresher over DynamoDB and the internet as the settings say.

    Args:
        settings: the service's own settings.
        rules: the settings of refreshing.
        client: boto3's client for DynamoDB.
        actor: who refreshes, for the audit log.
        audit: receives an entry for every change of keys.
        clock: returns the time in UNIX seconds.
        store: what reads and writes the tables, as for a rehearsal; None does that itself.

    Raises:
        Fault: the bundle of certificates cannot be read.
    """
    tables = store or DynamoDbTables(
        client,
        profiles_table=settings.profiles_table,
        secrets_table=settings.secrets_table,
        revocations_table=settings.revocations_table,
        columns=settings.columns,
    )
    return Refresher(
        store=IssuerTables(tables, settings.columns),
        fetcher=client_of(rules, clock=clock),
        patterns=settings.issuer_patterns,
        audit=audit,
        actor=actor,
        clock=clock,
    )
