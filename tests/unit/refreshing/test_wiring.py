"""What a refresher is made of: settings, one clock for all of it, and the tables or what stands for them."""

from typing import Any

from auth_jwt.fetching.client import IssuerClient
from auth_jwt.issuers.models import REGISTRY_TAG
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.wiring import refresher_of
from auth_jwt.runtime.settings import RefreshSettings, Settings
from tests.fakes import Clock, MemoryTables
from tests.issuers import ISSUER

NO_CLIENT: Any = None


def a_refresher(tables: MemoryTables, *, clock: Clock, **env: str) -> Refresher:
    """A refresher of one issuer that has no client of DynamoDB."""
    settings, rules = Settings.from_env({"ISSUERS": ISSUER, **env}), RefreshSettings.from_env(env)
    audit = [].append  # type: ignore[var-annotated]
    return refresher_of(settings, rules, NO_CLIENT, actor="me", audit=audit, clock=clock, store=tables)


def test_a_rehearsal_reads_what_it_is_given_and_no_table() -> None:
    tables = MemoryTables()
    tables.write_row(Key(Table.SECRETS, REGISTRY_TAG, ISSUER), {})

    assert a_refresher(tables, clock=Clock()).store.identifiers() == [ISSUER]


def test_a_provider_that_names_a_date_is_asked_again_by_the_clock_of_the_refresher() -> None:
    clock = Clock()
    refresher = a_refresher(MemoryTables(), clock=clock)

    assert isinstance(refresher.fetcher, IssuerClient)
    assert refresher.fetcher.clock is refresher.clock is clock


def test_the_networks_of_the_settings_are_accepted() -> None:
    refresher = a_refresher(MemoryTables(), clock=Clock(), KEYS_ACCEPTED_NETWORKS="10.1.0.0/16")

    assert isinstance(refresher.fetcher, IssuerClient)
    assert [str(network) for network in refresher.fetcher.accepted] == ["10.1.0.0/16"]
