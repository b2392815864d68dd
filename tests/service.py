"""The service and its provisioning over tables in memory: the clock stands still, and a test can read the audit."""

from dataclasses import dataclass, field
from typing import Any

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Reason
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Columns, Policy
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.registry import Registry
from tests.factories import HMAC_KEY, NOW, TAG, verdict
from tests.fakes import Clock, MemoryTables


@dataclass
class Service:
    """The service, and the provisioning that its operators do: on the same tables, by the same clock."""

    provisioning: Provisioning
    tables: MemoryTables
    clock: Clock
    audit: list[AuditEntry] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [entry.action for entry in self.audit]

    def has(self, *, tag: str = TAG, **columns: object) -> None:
        """Put a profile there that somebody else made."""
        self.tables.write_row(Key(Table.PROFILES, tag), {"sip_username": "alice", **columns})

    def has_secret(self, secret_id: str = "1", *, tag: str = TAG, **columns: object) -> None:
        """Put a secret there likewise, open unless *columns* say otherwise."""
        row = {"secret": HMAC_KEY, "start_ts": NOW - 60, "end_ts": NOW + 10**6, **columns}
        self.tables.write_row(Key(Table.SECRETS, tag, secret_id), row)

    def secret(self, secret_id: str, *, tag: str = TAG) -> dict[str, object]:
        return self.tables.rows[Key(Table.SECRETS, tag, secret_id)]

    def verdict(self, token: str) -> Reason | None:
        """Why the service would refuse a token now; None when it would not."""
        return verdict(lambda: self.provisioning.registry.authorizer.authorize(token))


def a_service(*, columns: Columns | None = None, revocations: bool = True, **rules: Any) -> Service:
    """Provisioning by the *rules* of a `Policy`, over empty tables."""
    tables, clock, policy = MemoryTables(columns or Columns(), revocations), Clock(NOW), Policy(**rules)
    authorizer = Authorizer(
        memory=RowMemory(tables, ttl=0, stale_for=0),
        revocations=RevocationMemory(tables, ttl=0, stale_for=0) if revocations else None,
        policy=policy,
        store_seconds=5,
        clock=clock,
    )
    audit: list[AuditEntry] = []
    registry = Registry(
        store=tables,
        columns=tables.columns,
        policy=policy,
        authorizer=authorizer,
        audit=audit.append,
        actor="operator",
        clock=clock,
    )
    return Service(Provisioning(registry), tables, clock, audit)
