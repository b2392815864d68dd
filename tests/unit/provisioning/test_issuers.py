"""Issuers: added, changed, disabled and removed in one write each; keys are blocked, and domains claimed."""

import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Invalid, NotFound, Outdated, Unreachable
from auth_jwt.issuers.models import DOMAIN_ROW, REGISTRY_TAG, KeySet, Mapped, domain_tag, id_of
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.issuers import EDITABLE_CLAIMS, MAX_CONFIGURATION_BYTES, Issuers
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.refreshing.models import RefreshRows
from auth_jwt.refreshing.store import IssuerTables
from tests.factories import HMAC_KEY, NOW, TAG, a_jwk, a_jwks
from tests.issuers import ISSUER, KEYS_URL, SUBJECT
from tests.service import Service, a_service

OTHER = "https://id.example.org/"
MEMBERS: dict[str, Any] = {"keys_url": KEYS_URL, "audiences": ["sip"]}
BY_CLAIM: dict[str, Any] = {"mapping": "claim", "username_claim": "sip_user", "sip_domain": "example.com"}
CONFIGURATION = Key(Table.PROFILES, ISSUER)
STATUS = Key(Table.SECRETS, ISSUER, "issuer-status")
KEYS = Key(Table.SECRETS, ISSUER, "issuer-keys")
REGISTERED = Key(Table.SECRETS, REGISTRY_TAG, ISSUER)
CLAIMED = Key(Table.SECRETS, domain_tag("example.com"), DOMAIN_ROW)


def a_service_with_an_issuer(**members: Any) -> Service:
    service = a_service()
    service.provisioning.issuers.add(ISSUER, {**MEMBERS, **members})
    return service


def fetched(service: Service, *keys: object, url: str = KEYS_URL) -> None:
    """Write the keys of the issuer as a refresh does."""
    store = IssuerTables(service.tables, service.tables.columns)
    before = store.read(ISSUER).status
    assert before is not None
    status = FetchStatus(
        version=before.version, fetched_at=NOW, next_fetch_at=NOW + 60, etag='"1"', moved_to="https://m"
    )
    assert store.write_keys(ISSUER, KeySet(a_jwks(*keys), url), status, before=before)


def refreshing_reads(service: Service) -> RefreshRows:
    return IssuerTables(service.tables, service.tables.columns).read(ISSUER)


def issuers_of(service: Service) -> Issuers:
    return service.provisioning.issuers


def disable(service: Service) -> None:
    issuers_of(service).disable(ISSUER)


def shorten(service: Service) -> None:
    """Change the issuer, as somebody else does meanwhile."""
    issuers_of(service).change(ISSUER, {"longest_lifetime": 60})


class TestAdding:
    def test_writes_what_refreshing_and_logins_read(self) -> None:
        service = a_service_with_an_issuer()

        assert service.tables.rows == {
            CONFIGURATION: {"issuer_config": json.dumps(MEMBERS, separators=(",", ":")), "issuer_version": NOW},
            STATUS: {"issuer_version": NOW},
            REGISTERED: {},
        }
        assert IssuerTables(service.tables, service.tables.columns).identifiers() == [ISSUER]
        assert refreshing_reads(service).status == FetchStatus(version=NOW)

    def test_leaves_one_line_of_audit_that_names_members_and_no_value(self) -> None:
        service = a_service_with_an_issuer()

        (entry,) = service.audit
        assert (entry.action, entry.tag) == ("issuer.add", ISSUER)
        assert entry.details == {"version": NOW, "members": ["audiences", "keys_url"]}

    def test_happens_once_however_often_it_is_asked_for(self) -> None:
        service = a_service_with_an_issuer()

        again = issuers_of(service).add(ISSUER, MEMBERS)

        assert again == issuers_of(service).show(ISSUER)
        assert service.actions == ["issuer.add"]

    def test_changes_no_issuer_that_is_there(self) -> None:
        service = a_service_with_an_issuer()

        with pytest.raises(Conflict, match="there is an issuer"):
            issuers_of(service).add(ISSUER, {**MEMBERS, "audiences": ["other"]})

    @pytest.mark.parametrize(
        ("identifier", "members", "why"),
        [
            ("http://login.example.com", MEMBERS, "https"),
            ("", MEMBERS, "https"),
            (f"{ISSUER}?a=b", MEMBERS, "no query"),
            (ISSUER, {"audiences": ["sip"]}, "'keys_url' is missing"),
            (ISSUER, {"keys_url": KEYS_URL}, "'audiences'"),
            (ISSUER, {**MEMBERS, "algorithms": ["HS256"]}, "HS256"),
            (ISSUER, {**MEMBERS, "nonsense": 1}, "'nonsense' is unknown"),
            (ISSUER, {**MEMBERS, "audiences": [object()]}, "JSON has no form"),
            (ISSUER, {**MEMBERS, "audiences": ["x" * MAX_CONFIGURATION_BYTES]}, "more than the 8192"),
            (ISSUER, {**MEMBERS, **BY_CLAIM, "sip_domain": None}, "'sip_domain'"),
            (ISSUER, {**MEMBERS, **BY_CLAIM, "sip_domain": "x" * 254}, "at most 253"),
        ],
    )
    def test_rejects_what_would_not_work(self, identifier: str, members: dict[str, Any], why: str) -> None:
        service = a_service()

        with pytest.raises(Invalid, match=why):
            issuers_of(service).add(identifier, members)
        assert (service.tables.rows, service.audit) == ({}, [])

    @pytest.mark.parametrize("size", [MAX_CONFIGURATION_BYTES, MAX_CONFIGURATION_BYTES + 1])
    def test_takes_a_configuration_up_to_the_size_that_fits(self, size: int) -> None:
        service = a_service()
        rest = len(json.dumps({**MEMBERS, "audiences": [""]}, separators=(",", ":")))
        members = {**MEMBERS, "audiences": ["x" * (size - rest)]}

        if size > MAX_CONFIGURATION_BYTES:
            with pytest.raises(Invalid, match=f"takes {size} bytes"):
                issuers_of(service).add(ISSUER, members)
        else:
            issuers_of(service).add(ISSUER, members)
            assert len(str(service.tables.rows[CONFIGURATION]["issuer_config"])) == size

    def test_takes_a_domain_as_long_as_dns_has_them(self) -> None:
        issuer = a_service_with_an_issuer(**{**BY_CLAIM, "sip_domain": "x" * 253})

        assert [len(domain) for domain in issuers_of(issuer).domains()] == [253]

    def test_takes_nothing_that_is_nested_without_end(self) -> None:
        circle: list[object] = []
        circle.append(circle)
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]

        for audiences in (circle, deep):
            with pytest.raises(Invalid, match="JSON has no form"):
                issuers_of(a_service()).add(ISSUER, {**MEMBERS, "audiences": audiences})

    def test_does_not_overwrite_an_issuer_that_is_gone_when_it_is_read_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = a_service_with_an_issuer()
        monkeypatch.setattr(service.tables, "profile", lambda *_, **__: None)

        with pytest.raises(Conflict, match=f"there is an issuer '{ISSUER}' already"):
            issuers_of(service).add(ISSUER, {**MEMBERS, "audiences": ["other"]})


class TestATagHoldsAnIssuerOrSecrets:
    def test_no_tag_with_a_profile_becomes_an_issuer(self) -> None:
        service = a_service()
        service.has(tag=ISSUER)

        with pytest.raises(Conflict, match=f"there is a profile '{ISSUER}' already"):
            issuers_of(service).add(ISSUER, MEMBERS)

    def test_no_tag_with_secrets_becomes_an_issuer(self) -> None:
        service = a_service()
        service.has_secret(tag=ISSUER)

        with pytest.raises(Conflict, match="has secrets"):
            issuers_of(service).add(ISSUER, MEMBERS)

    @pytest.mark.parametrize("name", ["issuer-keys", "issuer-status"])
    def test_no_secret_is_overwritten_whatever_its_id(self, name: str) -> None:
        service = a_service()
        row = Key(Table.SECRETS, ISSUER, name)
        service.tables.write_row(row, {"secret": HMAC_KEY})

        with pytest.raises(Conflict, match="has secrets"):
            issuers_of(service).add(ISSUER, MEMBERS)
        assert service.tables.rows[row] == {"secret": HMAC_KEY}

    def test_no_issuer_gets_a_secret_or_a_profile(self) -> None:
        service = a_service_with_an_issuer()
        service.has(tag=TAG)
        service.has_secret(tag="orphan")
        profiles, secrets = service.provisioning.profiles, service.provisioning.secrets

        for attempt in (
            lambda: secrets.add(ISSUER, NewSecret(value=HMAC_KEY)),
            lambda: secrets.rotate(ISSUER, NewSecret(value=HMAC_KEY)),
            lambda: secrets.list(ISSUER),
            lambda: profiles.create(ISSUER, "alice"),
            lambda: profiles.show(ISSUER),
            lambda: profiles.change(ISSUER, username="alice"),
            lambda: profiles.disable(ISSUER),
            lambda: profiles.enable(ISSUER),
            lambda: profiles.delete(ISSUER),
            lambda: profiles.rename(ISSUER, "new"),
            lambda: profiles.rename(TAG, ISSUER),
            lambda: profiles.rename("orphan", ISSUER),
        ):
            with pytest.raises(Conflict, match="is an issuer"):
                attempt()
        assert service.actions == ["issuer.add"]

    def test_its_rows_are_no_secrets(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        for row in ("issuer-keys", "issuer-status"):
            with pytest.raises(NotFound):
                service.provisioning.secrets.show(ISSUER, row)
            with pytest.raises(NotFound):
                service.provisioning.secrets.remove(ISSUER, row)
            with pytest.raises(NotFound):
                service.provisioning.secrets.change(ISSUER, row, end=NOW + 60)

    def test_no_attribute_of_a_profile_makes_it_an_issuer(self) -> None:
        service = a_service()
        service.has()

        for name in ("issuer_config", "issuer_version"):
            with pytest.raises(Invalid, match="that of issuers"):
                service.provisioning.profiles.change(TAG, attributes={name: "{}"})

    def test_a_page_of_profiles_has_no_issuers(self) -> None:
        service = a_service_with_an_issuer()
        service.has(tag=TAG)

        assert [profile.tag for profile in service.provisioning.profiles.page().profiles] == [TAG]


class TestUsersOfAnIssuer:
    def test_have_profiles_with_longer_tags_than_tokens_may_name(self) -> None:
        service = a_service_with_an_issuer()
        tag = f"{ISSUER}#{'s' * 255}"

        service.provisioning.profiles.create(tag, "alice")
        service.provisioning.profiles.disable(tag)
        service.provisioning.revocations.revoke_all(tag)

        assert service.provisioning.profiles.show(tag).disabled

    def test_have_no_list_of_revoked_tokens_because_logins_read_that_of_the_issuer(self) -> None:
        """Otherwise the revoked token would go on logging in."""
        service = a_service_with_an_issuer()
        service.provisioning.profiles.create(f"{ISSUER}#{SUBJECT}", "alice")

        with pytest.raises(Invalid, match=f"give '{ISSUER}' as the tag"):
            service.provisioning.revocations.revoke(f"{ISSUER}#{SUBJECT}", "1")
        assert service.provisioning.revocations.revoke(ISSUER, "1").tag == ISSUER

    def test_a_tag_with_secrets_has_such_a_list_even_if_it_looks_like_a_users(self) -> None:
        service = a_service()
        service.has_secret(tag=f"{ISSUER}#{SUBJECT}")

        assert service.provisioning.revocations.revoke(f"{ISSUER}#{SUBJECT}", "1").jti == "1"

    @pytest.mark.parametrize("tag", [f"{ISSUER}#{'s' * 256}", f"http://x#{'s' * 200}", "s" * 129, f"{'s' * 129}#"])
    def test_no_other_profile_has_such_a_tag(self, tag: str) -> None:
        with pytest.raises(Invalid, match="128 characters"):
            a_service().provisioning.profiles.create(tag, "alice")


class TestTheClaimOfADomain:
    def test_is_a_row_of_its_own(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)

        assert service.tables.rows[CLAIMED] == {"issuer_domain_of": ISSUER}

    def test_no_two_issuers_share_a_domain_in_whatever_case(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        rows = dict(service.tables.rows)

        with pytest.raises(Conflict, match="has the SIP domain"):
            issuers_of(service).add(OTHER, {**MEMBERS, **BY_CLAIM, "sip_domain": "EXAMPLE.com"})
        assert service.tables.rows == rows

    def test_no_profile_gets_the_domain(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        service.has(tag=TAG)
        profiles = service.provisioning.profiles

        with pytest.raises(Conflict, match="is that of the issuer"):
            profiles.create("bob", "bob", domain="Example.COM")
        with pytest.raises(Conflict, match="is that of the issuer"):
            profiles.change(TAG, domain="example.com")
        profiles.create("bob", "bob", domain="example.org")
        profiles.create(f"{ISSUER}#{SUBJECT}", "bob", domain="example.com")
        profiles.change(TAG, domain="long" * 1000)

    def test_moves_with_the_configuration(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)

        issuers_of(service).change(ISSUER, {"sip_domain": "example.org"})

        assert CLAIMED not in service.tables.rows
        assert Key(Table.SECRETS, domain_tag("example.org"), DOMAIN_ROW) in service.tables.rows

    def test_is_looked_for_where_there_is_a_domain_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        asked: list[str] = []
        read = service.tables.secrets

        def watched(tag: str, **how: Any) -> Any:
            asked.append(tag)
            return read(tag, **how)

        monkeypatch.setattr(service.tables, "secrets", watched)
        issuers_of(service).change(ISSUER, dict.fromkeys(BY_CLAIM))
        issuers_of(service).change(ISSUER, BY_CLAIM)

        assert set(asked) == {ISSUER, CLAIMED.tag}

    def test_is_not_moved_to_a_domain_of_another(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        issuers_of(service).add(OTHER, {**MEMBERS, **BY_CLAIM, "sip_domain": "example.org"})

        with pytest.raises(Conflict, match="has the SIP domain"):
            issuers_of(service).change(ISSUER, {"sip_domain": "example.org"})
        assert CLAIMED in service.tables.rows

    def test_ends_when_users_are_mapped_by_their_profiles_again(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)

        issuers_of(service).change(ISSUER, dict.fromkeys(BY_CLAIM))

        assert CLAIMED not in service.tables.rows

    @pytest.mark.parametrize(
        "change",
        [
            lambda issuers: issuers.remove(ISSUER),
            lambda issuers: issuers.change(ISSUER, {"algorithms": None, **dict.fromkeys(BY_CLAIM)}),
        ],
    )
    def test_ends_with_a_configuration_that_cannot_be_used(self, change: Callable[[Issuers], object]) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        broken = json.dumps({**MEMBERS, **BY_CLAIM, "algorithms": ["HS256"]})
        service.tables.rows[CONFIGURATION]["issuer_config"] = broken

        change(issuers_of(service))

        assert CLAIMED not in service.tables.rows

    def test_that_the_issuer_has_already_is_in_nobodys_way(self) -> None:
        service = a_service()
        service.tables.write_row(CLAIMED, {"issuer_domain_of": ISSUER})

        issuers_of(service).add(ISSUER, {**MEMBERS, **BY_CLAIM})

        assert service.tables.rows[CLAIMED] == {"issuer_domain_of": ISSUER}

    def test_of_another_issuer_is_left_alone(self) -> None:
        """A row that somebody wrote by hand may have the domain without the claim."""
        service = a_service_with_an_issuer(**BY_CLAIM)
        service.tables.rows[CLAIMED] = {"issuer_domain_of": OTHER}

        issuers_of(service).remove(ISSUER)

        assert service.tables.rows == {CLAIMED: {"issuer_domain_of": OTHER}}

    def test_is_listed_with_its_issuer_while_the_configuration_can_be_used(self) -> None:
        service = a_service_with_an_issuer(**{**BY_CLAIM, "sip_domain": "Example.COM"})
        issuers_of(service).add(OTHER, MEMBERS)

        assert issuers_of(service).domains() == {"example.com": ISSUER}
        service.tables.rows[CONFIGURATION]["issuer_config"] = "{"
        assert issuers_of(service).domains() == {}
        del service.tables.rows[CONFIGURATION]
        assert issuers_of(service).domains() == {}


class TestClaimsThatUsersMayEdit:
    def test_are_those_that_the_page_names(self) -> None:
        page = (Path(__file__).parents[3] / "docs" / "issuers.md").read_text("utf-8")

        (named,) = re.findall(r"`add` and `set` reject (.*?), which users may edit", page, re.DOTALL)
        assert set(re.findall(r"`([\w:]+)`", named)) == EDITABLE_CLAIMS

    @pytest.mark.parametrize("claim", sorted(EDITABLE_CLAIMS))
    def test_name_nobody(self, claim: str) -> None:
        service = a_service()

        for attempt in (issuers_of(service).add, issuers_of(service).check):
            with pytest.raises(Invalid, match="users may edit"):
                attempt(ISSUER, {**MEMBERS, **BY_CLAIM, "username_claim": claim})

    def test_name_somebody_where_the_operator_states_that_they_cannot(self) -> None:
        service = a_service()
        members = {**MEMBERS, **BY_CLAIM, "username_claim": "preferred_username"}

        issuers_of(service).add(ISSUER, members, trusts_claim=True)

        changed = issuers_of(service).change(ISSUER, {"requires_jti": False}).issuer
        assert changed is not None
        assert (changed.mapped, changed.username_claim) == (Mapped.BY_CLAIM, "preferred_username")

    def test_do_not_slip_in_by_a_change(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)

        with pytest.raises(Invalid, match="users may edit"):
            issuers_of(service).change(ISSUER, {"username_claim": "email"})


class TestChanging:
    def test_changes_what_is_given_and_the_version_in_both_rows(self) -> None:
        service = a_service_with_an_issuer(requires_jti=False)
        fetched(service, a_jwk(kid="1"))
        service.clock.pass_by(100)

        issuer = issuers_of(service).change(ISSUER, {"audiences": ["sip", "web"], "requires_jti": None}).issuer

        assert issuer is not None
        assert (issuer.audiences, issuer.requires_jti, issuer.version) == (("sip", "web"), True, NOW + 100)
        assert service.tables.rows[STATUS]["issuer_version"] == NOW + 100
        assert service.tables.rows[STATUS]["issuer_etag"] == '"1"'
        assert service.actions == ["issuer.add", "issuer.change"]
        assert service.audit[-1].details == {"version": NOW + 100, "members": ["audiences", "requires_jti"]}

    def test_versions_rise_within_a_second(self) -> None:
        service = a_service_with_an_issuer()

        versions = [
            record.issuer.version
            for name in ("a", "b")
            if (record := issuers_of(service).change(ISSUER, {"audiences": [name]})).issuer
        ]

        assert versions == [NOW + 1, NOW + 2]

    def test_overtakes_a_refresh_under_way(self) -> None:
        service = a_service_with_an_issuer()
        store = IssuerTables(service.tables, service.tables.columns)
        before = store.read(ISSUER).status
        assert before is not None

        issuers_of(service).change(ISSUER, {"audiences": ["web"]})

        assert not store.write_keys(ISSUER, KeySet(a_jwks(a_jwk()), KEYS_URL), before, before=before)

    def test_another_address_of_keys_is_fetched_from_now_and_not_by_the_old_etag(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        record = issuers_of(service).change(ISSUER, {"keys_url": "https://keys.example.com/"})

        assert record.status == FetchStatus(version=NOW + 1, fetched_at=NOW)
        assert record.keys == ()

    @pytest.mark.parametrize("restored", [{}, {"issuer_version": NOW - 60}], ids=["without version", "an older one"])
    def test_a_status_row_of_another_version_is_written_anew_by_the_same_values(
        self, restored: dict[str, object]
    ) -> None:
        """As after one of the tables was restored: no refresh writes it."""
        service = a_service_with_an_issuer()
        service.tables.write_row(STATUS, restored)
        assert not refreshing_reads(service).are_of_one_version

        issuers_of(service).change(ISSUER, {"keys_url": KEYS_URL})

        assert refreshing_reads(service).are_of_one_version

    def test_a_status_row_that_is_gone_is_written_anew(self) -> None:
        service = a_service_with_an_issuer()
        del service.tables.rows[STATUS]

        issuers_of(service).change(ISSUER, {"keys_url": KEYS_URL})

        assert service.tables.rows[STATUS] == {"issuer_version": NOW + 1}

    def test_what_changes_nothing_writes_nothing(self) -> None:
        service = a_service_with_an_issuer()

        issuers_of(service).change(ISSUER, {"requires_jti": True})

        assert service.actions == ["issuer.add"]
        with pytest.raises(Invalid, match="no change"):
            issuers_of(service).change(ISSUER, {})

    def test_happens_only_at_the_version_that_is_named_even_if_somebody_is_faster(self) -> None:
        service = a_service_with_an_issuer()
        change = {"audiences": ["web"]}

        with pytest.raises(Outdated):
            issuers_of(service).change(ISSUER, change, if_version=NOW - 1)
        service.tables.before_write = lambda: shorten(service)
        with pytest.raises(Outdated):
            issuers_of(service).change(ISSUER, change, if_version=NOW)

        assert issuers_of(service).show(ISSUER).version == NOW + 1
        assert issuers_of(service).change(ISSUER, change, if_version=NOW + 1).version == NOW + 2

    def test_a_simultaneous_change_is_kept(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.before_write = lambda: shorten(service)

        issuer = issuers_of(service).change(ISSUER, {"audiences": ["web"]}).issuer

        assert issuer is not None
        assert (issuer.audiences, issuer.longest_lifetime) == (("web",), 60)

    def test_gives_up_when_somebody_else_is_faster_each_time(self) -> None:
        service = a_service_with_an_issuer()
        lifetimes = count(60)

        def meanwhile() -> None:
            issuers_of(service).change(ISSUER, {"longest_lifetime": next(lifetimes)})
            service.tables.before_write = meanwhile

        for attempt in (lambda: issuers_of(service).change(ISSUER, {"audiences": ["web"]}), lambda: disable(service)):
            service.tables.before_write = meanwhile
            with pytest.raises(Conflict, match="keeps changing: try again"):
                attempt()
            service.tables.before_write = None
            record = issuers_of(service).show(ISSUER)
            assert record.issuer is not None
            assert (record.issuer.audiences, record.disabled) == (("sip",), False)

    def test_names_no_member_that_there_is_not(self) -> None:
        for value in (1, None):
            with pytest.raises(Invalid, match="the member 'nonsense' is unknown; known: keys_url, "):
                issuers_of(a_service_with_an_issuer()).change(ISSUER, {"nonsense": value})

    @pytest.mark.parametrize("text", ["{", "[]", None])
    def test_needs_a_configuration_that_is_an_object(self, text: object) -> None:
        service = a_service_with_an_issuer()
        service.tables.rows[CONFIGURATION]["issuer_config"] = text

        with pytest.raises(Invalid, match="no JSON object: remove the issuer, and add it again"):
            issuers_of(service).change(ISSUER, {"audiences": ["web"]})
        issuers_of(service).remove(ISSUER)
        assert service.tables.rows == {}

    def test_counts_from_the_clock_where_the_version_is_no_number(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.rows[CONFIGURATION]["issuer_version"] = "7"

        assert issuers_of(service).show(ISSUER).version == 0
        assert issuers_of(service).change(ISSUER, {"audiences": ["web"]}).version == NOW

    def test_mends_a_configuration_that_cannot_be_used(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.rows[CONFIGURATION]["issuer_config"] = json.dumps({**MEMBERS, "algorithms": ["HS256"]})
        assert "HS256" in str(issuers_of(service).show(ISSUER).problem)

        record = issuers_of(service).change(ISSUER, {"algorithms": None})

        assert record.problem is None

    def test_is_of_an_issuer_only(self) -> None:
        service = a_service()
        service.has(tag=TAG)

        for identifier in (TAG, ISSUER):
            with pytest.raises(NotFound):
                issuers_of(service).change(identifier, {"audiences": ["a"]})


class TestBlockingAKey:
    def test_names_it_by_its_kid_or_its_thumbprint(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"), a_jwk("p256", kid="2"))
        one, two = issuers_of(service).show(ISSUER).keys

        issuers_of(service).block_key(ISSUER, "1")
        record = issuers_of(service).block_key(ISSUER, two.thumbprint)

        assert [(key.kid, key.blocked) for key in record.keys] == [("1", True), ("2", True)]
        assert record.issuer is not None
        assert record.issuer.blocked_keys == {one.thumbprint, two.thumbprint}
        assert service.actions[-2:] == ["issuer.block_key", "issuer.block_key"]

    def test_is_undone_even_when_the_issuer_has_removed_the_key(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))
        (key,) = issuers_of(service).block_key(ISSUER, "1").keys
        del service.tables.rows[KEYS]

        record = issuers_of(service).unblock_key(ISSUER, key.thumbprint)

        assert record.issuer is not None
        assert not record.issuer.blocked_keys

    def test_an_unknown_key_is_rejected_so_that_nobody_believes_it_blocked(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        for attempt in (issuers_of(service).block_key, issuers_of(service).unblock_key):
            with pytest.raises(NotFound):
                attempt(ISSUER, "2")
        with pytest.raises(NotFound, match="is not blocked"):
            issuers_of(service).unblock_key(ISSUER, "1")

    def test_one_kid_of_several_keys_says_too_little(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"), a_jwk("p256", kid="1"))

        with pytest.raises(Conflict, match="thumbprint"):
            issuers_of(service).block_key(ISSUER, "1")

    def test_a_key_that_verifies_nothing_cannot_be_named(self) -> None:
        """It has no thumbprint. It is shown all the same."""
        service = a_service_with_an_issuer()
        fetched(service, {"kty": "EC", "crv": "P-1", "kid": "1"})
        (key,) = issuers_of(service).show(ISSUER).keys
        assert (key.kid, key.kind, key.algorithms, key.thumbprint, key.blocked) == ("1", "unusable", (), "", False)

        for name in ("1", ""):
            with pytest.raises(NotFound):
                issuers_of(service).block_key(ISSUER, name)

    def test_verifies_no_more_than_the_issuer_uses(self) -> None:
        service = a_service_with_an_issuer(algorithms=["RS512"])
        fetched(service, a_jwk(kid="1"), a_jwk("p256", kid="2"))

        assert [key.algorithms for key in issuers_of(service).show(ISSUER).keys] == [("RS512",), ()]

    def test_is_told_by_the_member_that_it_changes(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        issuers_of(service).block_key(ISSUER, "1")

        issuers_of(service).unblock_key(ISSUER, "1")

        assert service.actions[1:] == ["issuer.block_key", "issuer.unblock_key"]
        assert [entry.details["members"] for entry in service.audit[1:]] == [["blocked_keys"], ["blocked_keys"]]


class TestSwitchingOff:
    def test_is_a_column_of_its_own(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        assert issuers_of(service).disable(ISSUER).disabled
        assert service.tables.rows[CONFIGURATION]["disabled"] is True

        record = issuers_of(service).enable(ISSUER)
        assert not record.disabled
        assert record.status is not None
        assert record.status.next_fetch_at is None
        assert service.actions[1:] == ["issuer.disable", "issuer.enable"]

    def test_is_done_although_somebody_changes_the_issuer_meanwhile(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.before_write = lambda: shorten(service)

        record = issuers_of(service).disable(ISSUER)

        assert record.disabled
        assert record.issuer is not None
        assert record.issuer.longest_lifetime == 60

    def test_is_undone_without_a_row_of_status(self) -> None:
        service = a_service_with_an_issuer()
        issuers_of(service).disable(ISSUER)
        del service.tables.rows[STATUS]

        assert not issuers_of(service).enable(ISSUER).disabled

    def test_needs_an_issuer(self) -> None:
        service = a_service()
        service.has(tag=ISSUER)

        for attempt in (issuers_of(service).disable, issuers_of(service).enable, issuers_of(service).remove):
            with pytest.raises(NotFound):
                attempt(ISSUER)


class TestRemoving:
    def test_leaves_the_profiles_of_its_users_and_nothing_else(self) -> None:
        service = a_service_with_an_issuer(**BY_CLAIM)
        fetched(service, a_jwk(kid="1"))
        user = Key(Table.PROFILES, f"{ISSUER}#{SUBJECT}")
        service.has(tag=user.tag)

        issuers_of(service).remove(ISSUER)

        assert set(service.tables.rows) == {user}
        assert service.actions[-1] == "issuer.remove"

    def test_of_an_issuer_without_its_line_of_the_registry_works(self) -> None:
        service = a_service_with_an_issuer()
        del service.tables.rows[REGISTERED]

        issuers_of(service).remove(ISSUER)

        assert service.tables.rows == {}

    def test_of_one_that_there_is_not_writes_nothing(self) -> None:
        service = a_service_with_an_issuer()

        with pytest.raises(NotFound):
            issuers_of(service).remove(OTHER)
        assert service.actions == ["issuer.add"]

    def test_of_one_whose_domain_is_no_text_works(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.rows[CONFIGURATION]["issuer_config"] = json.dumps({**MEMBERS, **BY_CLAIM, "sip_domain": 7})

        issuers_of(service).remove(ISSUER)

        assert service.tables.rows == {}

    def test_of_a_line_of_the_registry_without_an_issuer_works(self) -> None:
        service = a_service_with_an_issuer()
        del service.tables.rows[CONFIGURATION]

        issuers_of(service).remove(ISSUER)

        assert service.tables.rows == {}

    def test_a_simultaneous_change_stops_it(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.before_write = lambda: shorten(service)

        with pytest.raises(Conflict, match="changed the issuer"):
            issuers_of(service).remove(ISSUER)

    def test_no_refresh_brings_it_back(self) -> None:
        service = a_service_with_an_issuer()
        store = IssuerTables(service.tables, service.tables.columns)
        before = store.read(ISSUER).status
        assert before is not None

        issuers_of(service).remove(ISSUER)

        assert not store.write_keys(ISSUER, KeySet(a_jwks(a_jwk()), KEYS_URL), before, before=before)
        assert not store.write_status(ISSUER, before, before=before)
        assert service.tables.rows == {}


class TestLooking:
    def test_shows_keys_by_what_may_be_shown(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))

        (key,) = issuers_of(service).show(ISSUER).keys

        assert (key.kid, key.kind, key.algorithms, key.blocked) == ("1", "RSA 2048", ("RS256",), False)
        assert a_jwk()["n"] not in repr(issuers_of(service).show(ISSUER))

    def test_pages_are_sorted_and_follow_each_other(self) -> None:
        service = a_service_with_an_issuer()
        issuers_of(service).add(OTHER, MEMBERS)

        first = issuers_of(service).page(limit=1)
        second = issuers_of(service).page(after=first.next, limit=1)

        assert [record.identifier for record in (*first.issuers, *second.issuers)] == [OTHER, ISSUER]
        assert (first.next, second.next) == (OTHER, None)

    def test_a_page_has_1_to_100_issuers(self) -> None:
        issuers = issuers_of(a_service_with_an_issuer())

        for limit in (0, 101):
            with pytest.raises(Invalid, match=f"a page has 1 to 100 issuers, not {limit}"):
                issuers.page(limit=limit)
        assert [record.identifier for record in issuers.page(limit=100).issuers] == [ISSUER]

    def test_one_that_cannot_be_used_is_shown_with_the_cause_although_it_has_no_status(self) -> None:
        service = a_service()
        service.tables.write_row(CONFIGURATION, {"issuer_config": "{"})

        record = issuers_of(service).show(ISSUER)

        assert (record.issuer, record.status, record.problem is None) == (None, None, False)

    def test_a_row_of_keys_without_keys_shows_none(self) -> None:
        service = a_service_with_an_issuer()
        service.tables.rows[KEYS] = {"issuer_keys_url": KEYS_URL}

        assert issuers_of(service).show(ISSUER).keys == ()

    def test_an_issuer_of_which_only_the_status_is_left_is_shown(self) -> None:
        service = a_service_with_an_issuer()
        fetched(service, a_jwk(kid="1"))
        del service.tables.rows[CONFIGURATION]

        record = issuers_of(service).show(ISSUER)

        assert record.status is not None
        assert (record.issuer, record.problem, record.disabled, record.keys, record.version) == (
            None,
            None,
            False,
            (),
            0,
        )

    def test_nothing_is_asked_for_what_can_name_no_issuer(self) -> None:
        service = a_service()
        service.tables.failure = Unreachable("the tables were read")

        with pytest.raises(Invalid):
            issuers_of(service).show("nonsense")
        with pytest.raises(NotFound):
            issuers_of(service).disable("")

    def test_an_id_of_paths_finds_the_issuer(self) -> None:
        service = a_service_with_an_issuer()

        assert issuers_of(service).find(id_of(ISSUER)) == ISSUER
        assert len(id_of(ISSUER)) == 32
        with pytest.raises(NotFound):
            issuers_of(service).find(id_of(OTHER))

    def test_what_is_no_issuer_is_not_found(self) -> None:
        service = a_service()
        service.has(tag=ISSUER)
        service.tables.write_row(STATUS, {"issuer_version": NOW})

        for identifier in (ISSUER, OTHER):
            with pytest.raises(NotFound):
                issuers_of(service).show(identifier)
