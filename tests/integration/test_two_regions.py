"""Writes in two regions at once: which of them DynamoDB's replication loses, and who notices.

Each region judges the conditions of a write by its own rows. Rows that changed in both regions are then of the later
write, whole: AWS calls it last writer wins. docs/regions.md says what follows; here it is seen.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from auth_jwt.errors import Conflict, Reason
from auth_jwt.issuers.models import IssuerPatterns
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.refreshing.models import RefreshOutcome
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.store import IssuerTables
from tests.factories import HMAC_KEY, NOW, TAG, a_jwk, a_token
from tests.issuers import ISSUER, KEYS_URL
from tests.service import Service, a_service
from tests.unit.refreshing.test_refresher import KEYS, STATUS, Provider

Rows = dict[Key, dict[str, object]]
CONFIGURATION = {"keys_url": KEYS_URL, "audiences": ["api"]}


@dataclass
class TwoRegions:
    """A service in each of two regions, and what both had when they last agreed."""

    here: Service = field(default_factory=a_service)
    there: Service = field(default_factory=a_service)
    agreed: Rows = field(default_factory=dict)

    def replicate(self, *, later: Service | None = None) -> None:
        """Let both have the rows of both; of what changed in both, those of the *later*."""
        later = later or self.there
        first = self.here if later is self.there else self.there
        for key in {*self.here.tables.rows, *self.there.tables.rows, *self.agreed}:
            changed = later.tables.rows.get(key) != self.agreed.get(key)
            self._put(key, (later if changed else first).tables.rows.get(key))
        self.agreed = deepcopy(self.here.tables.rows)

    def _put(self, key: Key, row: Mapping[str, object] | None) -> None:
        for region in (self.here, self.there):
            if row is None:
                region.tables.rows.pop(key, None)
            else:
                region.tables.rows[key] = deepcopy(dict(row))


@pytest.fixture(name="regions")
def _regions() -> TwoRegions:
    regions = TwoRegions()
    regions.here.has()
    regions.here.has_secret()
    regions.replicate()
    return regions


def a_login(key: str = HMAC_KEY, jti: str = "mine") -> str:
    return a_token(key=key, jti=jti, iat=NOW)


def verdicts(regions: TwoRegions, token: str) -> list[Reason | None]:
    return [region.verdict(token) for region in (regions.here, regions.there)]


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_of_two_rotations_at_once_one_secret_is_lost_and_its_issuer_is_locked_out(regions: TwoRegions) -> None:
    """In one region the slower operator gets an error instead. Here nobody is told."""
    lost = regions.here.provisioning.secrets.rotate(TAG, NewSecret())
    kept = regions.there.provisioning.secrets.rotate(TAG, NewSecret())
    regions.replicate()

    assert lost.secret.id == kept.secret.id == "2"
    assert verdicts(regions, a_login(key=str(kept.generated))) == [None, None]
    assert verdicts(regions, a_login(key=str(lost.generated))) == [Reason.BAD_SIGNATURE] * 2


def test_of_two_rotations_in_one_region_the_slower_one_is_told(regions: TwoRegions) -> None:
    service = regions.here
    service.tables.before_write = lambda: service.provisioning.secrets.rotate(TAG, NewSecret())

    with pytest.raises(Conflict):
        service.provisioning.secrets.rotate(TAG, NewSecret())


def test_rotations_one_after_the_other_lose_nothing(regions: TwoRegions) -> None:
    first = regions.here.provisioning.secrets.rotate(TAG, NewSecret())
    regions.replicate()
    second = regions.there.provisioning.secrets.rotate(TAG, NewSecret())
    regions.replicate()

    assert [verdicts(regions, a_login(key=str(each.generated))) for each in (first, second)] == [[None, None]] * 2


def test_a_secret_closed_while_another_region_changes_it_may_stay_open(regions: TwoRegions) -> None:
    regions.here.provisioning.secrets.close(TAG, "1")
    regions.there.provisioning.secrets.close(TAG, "1", at=NOW + 3600)
    regions.replicate(later=regions.there)

    assert verdicts(regions, a_login()) == [None, None]


def test_a_row_arrives_without_the_others_of_its_transaction(regions: TwoRegions) -> None:
    """Replication carries row by row. A new secret is there before the old one ends: nobody is refused by that."""
    added = regions.here.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=0)
    new = Key(Table.SECRETS, TAG, "2")
    regions.there.tables.rows[new] = deepcopy(regions.here.tables.rows[new])

    assert regions.there.verdict(a_login(key=str(added.generated))) is None
    assert regions.there.verdict(a_login()) is None  # which closes when its row arrives


# -- profiles and revocations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "verdict"), [("here", Reason.DISABLED_PROFILE), ("there", None)])
def test_a_profile_disabled_here_and_changed_there_is_as_the_later_write_left_it(
    regions: TwoRegions, later: str, verdict: Reason | None
) -> None:
    """Rows are replicated whole, so the change of another column undoes it."""
    regions.here.provisioning.profiles.disable(TAG)
    regions.there.provisioning.revocations.revoke_all(TAG, before=NOW - 3600)
    regions.replicate(later=getattr(regions, later))

    assert verdicts(regions, a_login()) == [verdict, verdict]


@pytest.mark.parametrize("later", ["here", "there"])
def test_a_token_that_both_regions_revoke_is_revoked(regions: TwoRegions, later: str) -> None:
    for region in (regions.here, regions.there):
        region.provisioning.revocations.revoke(TAG, "stolen")
    regions.replicate(later=getattr(regions, later))

    assert verdicts(regions, a_login(jti="stolen")) == [Reason.REVOKED_TOKEN] * 2


def test_a_revocation_is_a_row_of_its_own_and_loses_to_nothing_but_its_lifting(regions: TwoRegions) -> None:
    regions.here.provisioning.revocations.revoke(TAG, "stolen")
    regions.there.provisioning.profiles.change(TAG, username="alice2")
    regions.there.provisioning.secrets.rotate(TAG, NewSecret())
    regions.replicate()

    assert verdicts(regions, a_login(jti="stolen")) == [Reason.REVOKED_TOKEN] * 2


# -- issuers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(name="issuer")
def _issuer(regions: TwoRegions) -> TwoRegions:
    regions.here.provisioning.issuers.add(ISSUER, CONFIGURATION)
    regions.replicate()
    return regions


def a_refresher(region: Service, provider: Provider) -> Refresher:
    """What `refresh_keys` does in a region; each has its own memory of what it judged."""
    return Refresher(
        store=IssuerTables(region.tables, Columns()),
        fetcher=provider,
        patterns=IssuerPatterns(frozenset({ISSUER})),
        audit=lambda _: None,
        actor="refresh_keys",
        clock=region.clock,
    )


def publishing(*kids: str) -> Provider:
    provider = Provider()
    provider.describe()
    provider.publish(*(a_jwk(kid=kid) for kid in kids), etag="/".join(kids))
    return provider


def minutes_later(regions: TwoRegions, minutes: int = 1) -> None:
    for region in (regions.here, regions.there):
        region.clock.now += 60 * minutes


def test_a_configuration_changed_during_a_refresh_elsewhere_is_unusable_until_set_anew(issuer: TwoRegions) -> None:
    """The change of an operator writes configuration and status; the refresh elsewhere writes the status later."""
    here, there = (a_refresher(region, publishing("1")) for region in (issuer.here, issuer.there))
    here.refresh(ISSUER)
    issuer.replicate(later=issuer.here)
    minutes_later(issuer)

    issuer.here.provisioning.issuers.change(ISSUER, {"audiences": ["api", "portal"]})
    there.refresh(ISSUER)
    issuer.replicate(later=issuer.there)
    minutes_later(issuer)
    after = [here.refresh(ISSUER), there.refresh(ISSUER)]

    assert [each.outcome for each in after] == [RefreshOutcome.UNUSABLE] * 2  # RefreshFailedAlarm sounds
    assert "`auth-jwt issuer set` writes it anew" in str(after[0].problem).replace("\n", " ")
    issuer.here.provisioning.issuers.change(ISSUER, {"audiences": ["api", "portal"]})
    issuer.replicate(later=issuer.here)
    assert here.refresh(ISSUER).outcome in (RefreshOutcome.UNCHANGED, RefreshOutcome.REPLACED)


def test_a_key_that_was_removed_may_come_back_for_a_minute(issuer: TwoRegions) -> None:
    """One region fetched just before the issuer removed the key, and writes after the other region."""
    old, new = publishing("1", "2"), publishing("2")
    here, there = a_refresher(issuer.here, old), a_refresher(issuer.there, new)
    there.refresh(ISSUER)
    here.refresh(ISSUER)
    issuer.replicate(later=issuer.here)
    back = issuer.here.tables.rows[KEYS]["issuer_keys"]
    old.publish(a_jwk(kid="2"), etag="2")
    minutes_later(issuer)

    there.refresh(ISSUER)  # it judged the set without the key, finds another one, and so fetches anew
    issuer.replicate(later=issuer.there)

    assert '"kid":"1"' in str(back).replace(" ", "")
    assert '"kid":"1"' not in str(issuer.here.tables.rows[KEYS]["issuer_keys"]).replace(" ", "")


def test_what_disables_an_issuer_is_undone_by_no_refresh(issuer: TwoRegions) -> None:
    """Refreshing writes no row of the profiles."""
    there = a_refresher(issuer.there, publishing("1"))

    issuer.here.provisioning.issuers.disable(ISSUER)
    there.refresh(ISSUER)
    issuer.replicate(later=issuer.there)

    assert there.refresh(ISSUER).outcome is RefreshOutcome.DISABLED


def test_a_removed_issuer_leaves_rows_that_nobody_reads(issuer: TwoRegions) -> None:
    there = a_refresher(issuer.there, publishing("1"))

    issuer.here.provisioning.issuers.remove(ISSUER)
    there.refresh(ISSUER)
    issuer.replicate(later=issuer.there)

    assert STATUS in issuer.here.tables.rows  # the refresh elsewhere wrote it again
    assert issuer.here.provisioning.issuers.identifiers() == []
    assert there.refresh(ISSUER).outcome is RefreshOutcome.GONE


def test_two_issuers_added_at_once_may_have_one_domain(regions: TwoRegions) -> None:
    domain = {**CONFIGURATION, "mapping": "claim", "username_claim": "extension", "sip_domain": "sip.example.com"}
    other = "https://other.example.com"

    regions.here.provisioning.issuers.add(ISSUER, domain)
    regions.there.provisioning.issuers.add(other, domain)
    regions.replicate()

    assert sorted(regions.here.provisioning.issuers.identifiers()) == sorted([ISSUER, other])
    with pytest.raises(Conflict):
        regions.here.provisioning.issuers.add("https://third.example.com", domain)
