"""Tokens of issuers: which are accepted, for which reason the others are not, and what is read for each."""

import gc
import json
import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import Deferred, Denied, Fault, Reason, StaleKeys, Unreachable
from auth_jwt.issuers.authorizer import IssuerAuthorizer
from auth_jwt.issuers.memory import IssuerMemory, ProfileMemory
from auth_jwt.issuers.models import REGISTRY_TAG, IssuerPatterns, domain_tag
from auth_jwt.jose.asymmetric import thumbprint
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Authorized, Half, Policy, Report
from auth_jwt.ports import Deadline
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_jwk,
    a_jwks,
    a_private_key,
    a_profile,
    a_public_key,
    a_secret,
    a_token,
    public_pem,
    refusal,
    segment,
    verdict,
)
from tests.fakes import Clock, MemoryIssuers, MemoryStore
from tests.issuers import GONE, ISSUER, KEYS_URL, KID, SUBJECT, a_login_token, issuer_row, keys_rows

OTHER = "https://login.example.com/realms/other"
DAY = 86400
HOUR = 3600


@dataclass
class Login:
    """A service that knows one issuer and one of its users, and what may be changed about them."""

    store: MemoryIssuers
    statics: MemoryStore
    clock: Clock
    authorizer: Authorizer
    report: Report = field(default_factory=Report)

    def __call__(
        self, *, token: str | None = None, alg: str = "RS256", key: str = "rsa_2048", **asked: Any
    ) -> Authorized:
        """Log in with *token*, or with one of the issuer whose claims and header the members of *asked* change."""
        request = {name: asked.pop(name) for name in ("from_user", "from_domain", "knows_domain") if name in asked}
        self.report = Report()
        token = token or a_login_token(alg=alg, key=key, **asked)
        return self.authorizer.authorize(token, report=self.report, **request)

    def configure(self, **members: Any) -> None:
        row = next(row for row in self.store.profiles if row["tag"] == ISSUER)
        row["issuer_config"] = json.dumps({**json.loads(str(row["issuer_config"])), **members})

    def publish(self, *keys: object, fetched_at: float | None = None, url: str = KEYS_URL) -> None:
        at = self.clock.now if fetched_at is None else fetched_at
        self.store.secrets[:] = keys_rows(*keys, fetched_at=at, url=url)


def a_login(*, ttl: int = 60, revocations: bool = False, policy: Policy | None = None, **members: Any) -> Login:
    clock = Clock(NOW)
    policy = policy or Policy(credentials=parse_credentials("plan"))
    store = MemoryIssuers(credentials=policy.credentials)
    statics = MemoryStore([a_profile(tag="static", sip_username="bob")], [a_secret(corresponding_tag="static")])
    store.profiles.append(issuer_row(**members))
    store.profiles.append(
        {"tag": f"{ISSUER}#{SUBJECT}", "sip_username": "alice", "sip_domain": "example.com", "plan": "gold"}
    )
    memory: dict[str, Any] = {"ttl": ttl, "stale_for": 300, "timer": clock}
    listed = RevocationMemory(statics, **memory) if revocations else None
    issuers = IssuerAuthorizer(
        patterns=IssuerPatterns(frozenset({ISSUER}), ("https://login.example.com/realms/",)),
        issuers=IssuerMemory(store, **memory),
        profiles=ProfileMemory(store, **memory),
        policy=policy,
        keys_lifetime=26 * HOUR,
        revocations=listed,
    )
    authorizer = Authorizer(
        memory=RowMemory(statics, **memory),
        policy=policy,
        store_seconds=1,
        revocations=listed,
        clock=clock,
        issuers=issuers,
    )
    login = Login(store, statics, clock, authorizer)
    login.publish(a_jwk(kid=KID))
    return login


class TestWhoIsIn:
    def test_a_user_of_an_issuer_gets_the_name_and_the_credentials_of_their_profile(self) -> None:
        login = a_login()

        answer = login(from_user="alice", from_domain="EXAMPLE.com")

        assert (answer.sip_username, answer.credentials, answer.expires_at) == ("alice", {"plan": "gold"}, NOW + 300)
        assert answer.decoded_token.startswith('{"alg":"RS256"')
        assert (login.report.issuer, login.report.kid, login.report.tag) == (ISSUER, KID, f"{ISSUER}#{SUBJECT}")

    @pytest.mark.parametrize(
        ("alg", "key"), [("RS256", "rsa_2048"), ("PS512", "rsa_2048"), ("ES256", "p256"), ("EdDSA", "ed25519")]
    )
    def test_every_asymmetric_algorithm_that_the_issuer_names_is_accepted(self, alg: str, key: str) -> None:
        login = a_login(algorithms=[alg])
        login.publish(a_jwk(key, kid=KID))

        assert login(alg=alg, key=key).sip_username == "alice"

    def test_tokens_of_other_issuers_are_judged_by_the_rules_of_tags(self) -> None:
        login = a_login()

        answer = login(token=a_token(tag="static", iss="https://elsewhere.example.org"))

        assert (answer.sip_username, login.report.issuer, login.store.reads) == ("bob", None, [])

    @pytest.mark.parametrize("issuer", [None, 1, ["https://login.example.com/realms/sip"], "http://login.example.com"])
    def test_an_iss_that_is_no_such_text_selects_no_issuer(self, issuer: object) -> None:
        assert a_login()(token=a_token(tag="static", iss=issuer)).sip_username == "bob"

    @pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "AT+JWT"])
    def test_the_types_of_access_tokens_are_of_issuers_only(self, kind: str) -> None:
        login = a_login()

        assert login(header={"typ": kind}).sip_username == "alice"
        assert refusal(lambda: login(token=a_token(tag="static", header={"typ": kind}))) is Reason.UNSUPPORTED_TYPE

    def test_accepted_types_do_not_hold_for_issuers(self) -> None:
        login = a_login(access_audiences=["sip"])

        assert login(header={"typ": "JWT"}).sip_username == "alice"
        assert refusal(lambda: login(header={"typ": "dpop+jwt"})) is Reason.UNSUPPORTED_TYPE

    def test_a_type_that_only_a_setting_accepts_is_not_of_issuers(self) -> None:
        login = a_login(policy=Policy(header=HeaderRules(types=frozenset({"jwt", "sip+jwt"}))))

        assert refusal(lambda: login(header={"typ": "sip+jwt"})) is Reason.UNSUPPORTED_TYPE
        assert login(token=a_token(tag="static", header={"typ": "sip+jwt"})).sip_username == "bob"

    def test_a_malformed_token_is_denied_for_the_reason_that_it_had_without_issuers(self) -> None:
        login = a_login()
        broken = a_token(header={"typ": "at+jwt"}, payload=b"[]")

        assert refusal(lambda: login(token=broken)) is Reason.UNSUPPORTED_TYPE

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            pytest.param({"crit": ["exp"]}, Reason.UNSUPPORTED_CRITICAL_HEADER, id="crit"),
            pytest.param({"b64": False}, Reason.UNSUPPORTED_CRITICAL_HEADER, id="b64"),
            pytest.param({"kid": 1}, Reason.MALFORMED_TOKEN, id="kid no text"),
            pytest.param({"alg": "none"}, Reason.UNSUPPORTED_ALGORITHM, id="no signature"),
        ],
    )
    def test_the_header_of_an_issuers_token_is_denied_for_what_is_wrong_with_it(
        self, header: dict[str, Any], reason: Reason
    ) -> None:
        """And not for its type, which only tokens of tags may not have."""
        login = a_login()

        assert refusal(lambda: login(header=header)) is reason
        assert login.store.reads == []


class TestTagsThatNameIssuers:
    """Tokens of tags, whose tag is that of rows that issuers need: all rows are in the same tables."""

    @pytest.mark.parametrize(
        ("tag", "reason"),
        [
            pytest.param(ISSUER, Reason.NO_ACTIVE_SECRET, id="an issuer"),
            pytest.param(f"{ISSUER}#{SUBJECT}", Reason.UNKNOWN_TAG, id="a user of an issuer"),
            pytest.param(REGISTRY_TAG, Reason.MISSING_TAG, id="the registry"),
            pytest.param(domain_tag(""), Reason.MISSING_TAG, id="the domain of an issuer"),
        ],
    )
    @pytest.mark.parametrize("key", ["the key set", "the key", "another"])
    def test_none_of_their_rows_verifies_one(self, tag: str, key: str, reason: Reason) -> None:
        login = a_login()
        login.statics.profiles[:] = login.store.profiles
        login.statics.secrets[:] = [
            *login.store.secrets,
            {"corresponding_tag": REGISTRY_TAG, "id": ISSUER},
            {"corresponding_tag": domain_tag(""), "id": "issuer-domain", "issuer_domain_of": ISSUER},
        ]
        if key == "the key":
            token = a_token(tag=tag, key=a_private_key(), alg="RS256", header={"alg": "RS256", "kid": KID})
        else:
            text = a_jwks(a_jwk(kid=KID)) if key == "the key set" else HMAC_KEY
            token = a_token(tag=tag, key=text, header={"kid": KID})

        assert refusal(lambda: login(token=token)) is reason

    def test_a_token_of_an_issuer_has_no_tag(self) -> None:
        login = a_login()

        assert login(tag="static").sip_username == "alice"
        assert refusal(lambda: login(tag="static", sub="nobody")) is Reason.UNKNOWN_PROFILE
        assert login.statics.reads == []


class TestIssuer:
    @pytest.mark.parametrize(
        "iss",
        [
            pytest.param(OTHER, id="one without a row"),
            pytest.param(f"{ISSUER}/", id="one more slash"),
            pytest.param(f"{ISSUER}#{SUBJECT}", id="the tag of a user"),
            pytest.param(f"https://login.example.com/realms/{'x' * 128}", id="longer than a tag"),
        ],
    )
    def test_an_issuer_is_compared_exactly(self, iss: str) -> None:
        assert refusal(lambda: a_login()(iss=iss)) is Reason.UNKNOWN_ISSUER

    @pytest.mark.parametrize("iss", [f"{ISSUER}#{SUBJECT}", f"{ISSUER}/{'x' * 128}"], ids=["of a user", "too long"])
    def test_an_iss_that_no_row_can_be_of_is_not_looked_up(self, iss: str) -> None:
        login = a_login()

        assert refusal(lambda: login(iss=iss)) is Reason.UNKNOWN_ISSUER
        assert login.store.reads == []

    def test_an_issuer_added_just_now_is_known_at_once(self) -> None:
        login = a_login()
        row = login.store.profiles.pop(0)
        assert refusal(login) is Reason.UNKNOWN_ISSUER
        login.store.profiles.append(row)
        login.clock.pass_by(1)

        assert login().sip_username == "alice"

    def test_a_disabled_issuer_lets_nobody_in(self) -> None:
        login = a_login()
        login.store.profiles[0]["disabled"] = True

        assert refusal(login) is Reason.DISABLED_ISSUER

    def test_a_row_of_a_profile_is_no_issuer(self) -> None:
        login = a_login()
        login.store.profiles.append(a_profile(tag=OTHER))

        assert refusal(lambda: login(iss=OTHER)) is Reason.UNKNOWN_ISSUER

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"keys_url": 1}', '{"unheard_of": 1}'])
    def test_a_configuration_that_cannot_be_used_is_a_fault(self, text: str) -> None:
        login = a_login()
        login.store.profiles[0]["issuer_config"] = text

        with pytest.raises(Fault, match="configuration of this issuer cannot be used"):
            login()


class TestKeys:
    def test_an_algorithm_that_the_issuer_does_not_name_is_denied(self) -> None:
        assert refusal(lambda: a_login()(alg="RS512")) is Reason.UNSUPPORTED_ALGORITHM

    def test_an_hmac_token_is_denied_whatever_its_key(self) -> None:
        """The public key as an HMAC key: the oldest of all attacks."""
        head = json.dumps({"alg": "HS256", "kid": KID, "typ": "at+jwt"}).encode()
        token = a_token(key=a_jwks(a_jwk(kid=KID)), header=head, payload={"iss": ISSUER, "sub": SUBJECT})

        assert refusal(lambda: a_login()(token=token)) is Reason.UNSUPPORTED_ALGORITHM

    def test_a_token_signed_by_another_key_is_denied(self) -> None:
        assert refusal(lambda: a_login()(key="rsa_2048_other")) is Reason.BAD_SIGNATURE

    def test_another_issuers_key_of_the_same_kid_verifies_nothing(self) -> None:
        login = a_login()
        login.store.secrets.append(
            {"corresponding_tag": OTHER, "id": "issuer-keys", "issuer_keys": a_jwks(a_jwk("rsa_2048_other", kid=KID))}
        )

        assert refusal(lambda: login(key="rsa_2048_other")) is Reason.BAD_SIGNATURE

    def test_a_token_that_names_another_issuer_than_its_own_is_denied(self) -> None:
        """Both issuers are known, and both have a key of that `kid`."""
        login = a_login()
        login.store.profiles.append(issuer_row(OTHER, keys_url=f"{OTHER}/keys"))
        login.store.profiles.append({"tag": f"{OTHER}#{SUBJECT}", "sip_username": "mallory"})
        of_other = keys_rows(a_jwk("rsa_2048_other", kid=KID), identifier=OTHER, url=f"{OTHER}/keys")
        login.store.secrets.extend(of_other)

        assert login(iss=OTHER, key="rsa_2048_other").sip_username == "mallory"
        assert refusal(lambda: login(iss=OTHER)) is Reason.BAD_SIGNATURE
        assert refusal(lambda: login(key="rsa_2048_other")) is Reason.BAD_SIGNATURE

    def test_a_token_without_kid_needs_the_one_key_that_fits(self) -> None:
        login = a_login()
        login.publish(a_jwk(kid=KID), a_jwk("p256", kid="ec"))
        assert login(header={"kid": GONE}).sip_username == "alice"

        login.clock.pass_by(60)
        login.publish(a_jwk(kid=KID), a_jwk("rsa_2048_other", kid="other"))

        assert refusal(lambda: login(header={"kid": GONE})) is Reason.UNKNOWN_KEY

    def test_of_many_keys_with_one_kid_four_are_tried(self) -> None:
        login = a_login()
        login.publish(*[a_jwk("rsa_2048_other", kid=KID)] * 3, a_jwk(kid=KID))
        assert login().sip_username == "alice"
        login.clock.pass_by(60)
        login.publish(*[a_jwk("rsa_2048_other", kid=KID)] * 4, a_jwk(kid=KID))

        assert refusal(login) is Reason.BAD_SIGNATURE

    def test_a_key_that_names_its_algorithm_verifies_no_other(self) -> None:
        login = a_login(algorithms=["RS256", "PS256"])
        login.publish(a_jwk(kid=KID, alg="RS256"))

        assert refusal(lambda: login(alg="PS256")) is Reason.BAD_SIGNATURE

    def test_a_blocked_key_verifies_nothing_however_new_the_token(self) -> None:
        login = a_login(blocked_keys=[thumbprint(a_public_key())])

        assert refusal(lambda: login(iat=NOW)) is Reason.UNKNOWN_KEY

    @pytest.mark.parametrize("jwk", [{"kty": "RSA", "kid": KID}, {"kty": "oct", "k": segment(b"x" * 64), "kid": KID}])
    def test_a_row_that_holds_no_usable_key_verifies_nothing(self, jwk: dict[str, Any]) -> None:
        login = a_login()
        login.publish(jwk)

        assert refusal(login) is Reason.UNKNOWN_KEY

    def test_a_new_key_works_at_once_when_its_row_is_there(self) -> None:
        login = a_login()
        login()
        login.publish(a_jwk("rsa_2048_other", kid="new"))

        assert login(key="rsa_2048_other", header={"kid": "new"}).sip_username == "alice"

    def test_a_key_that_replaced_another_of_the_same_kid_works_at_once(self) -> None:
        login = a_login()
        login()
        login.publish(a_jwk("rsa_2048_other", kid=KID))

        assert login(key="rsa_2048_other").sip_username == "alice"

    @pytest.mark.parametrize("kid", [public_pem("p256").replace("\n", " "), "-----BEGIN", '","keys":['])
    def test_a_kid_is_never_read_as_a_key(self, kid: str) -> None:
        login = a_login(algorithms=["RS256", "ES256"])
        login.publish(a_jwk(kid=kid))

        assert login(header={"kid": kid}).sip_username == "alice"
        assert refusal(lambda: login(header={"kid": kid}, alg="ES256", key="p256")) is Reason.BAD_SIGNATURE

    def test_a_published_key_verifies_nothing(self) -> None:
        """Everybody has the private half of the key that is printed in RFC 7515, appendix A.3."""
        login = a_login()
        point = {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
        login.publish({"kty": "EC", "crv": "P-256", **point, "kid": KID})

        assert refusal(lambda: login(alg="ES256", key="p256")) is Reason.UNKNOWN_KEY

    def test_a_key_that_was_removed_is_refused_after_the_time_of_memory(self) -> None:
        login = a_login()
        login()
        login.publish(a_jwk("rsa_2048_other", kid="new"))
        login.clock.pass_by(60)
        login.publish(a_jwk("rsa_2048_other", kid="new"), fetched_at=NOW + 120)

        assert refusal(lambda: login(iat=NOW + 60 - 1)) is Reason.UNKNOWN_KEY


class TestKeysNotFetchedYet:
    @pytest.mark.parametrize(
        ("iat", "is_deferred"),
        [
            pytest.param(NOW - 100 - 60, False, id="issued a minute before the fetch"),
            pytest.param(NOW - 100 - 59, True, id="issued less than a minute before the fetch"),
            pytest.param(NOW, True, id="issued after the fetch"),
            pytest.param(NOW + 60, True, id="issued by a clock that is a minute ahead"),
            pytest.param(NOW + 61, False, id="issued in the future"),
            pytest.param("soon", False, id="issued nobody knows when"),
            pytest.param(True, False, id="issued at a boolean"),
            pytest.param(GONE, False, id="without a time of issue"),
        ],
    )
    def test_a_token_with_an_unknown_kid_is_deferred_if_it_may_be_newer_than_the_keys(
        self, iat: object, is_deferred: bool
    ) -> None:
        login = a_login()
        login.publish(a_jwk(kid=KID), fetched_at=NOW - 100)

        with pytest.raises(Deferred if is_deferred else Denied):
            login(header={"kid": "new"}, iat=iat)

    @pytest.mark.parametrize(
        ("fetched_at", "seconds"),
        [(NOW - 50, 12), (NOW - 59.5, 3), (NOW - 60, 10), (NOW - 100, 10)],
        ids=["soon", "at once", "now", "overdue"],
    )
    def test_the_caller_is_told_to_wait_for_the_next_fetch_and_two_seconds_more(
        self, fetched_at: float, seconds: int
    ) -> None:
        login = a_login()
        login.publish(a_jwk(kid=KID), fetched_at=fetched_at)

        with pytest.raises(Deferred) as deferred:
            login(header={"kid": "new"})

        assert deferred.value.retry_after == seconds

    def test_the_caller_is_never_told_to_wait_for_longer_than_a_fetch_is_put_off(self) -> None:
        login = a_login()
        login.store.secrets[1]["issuer_next_fetch_at"] = NOW + DAY

        with pytest.raises(Deferred) as deferred:
            login(header={"kid": "new"})

        assert deferred.value.retry_after == 900

    def test_it_is_deferred_until_the_first_fetch_and_after_a_change_of_the_address(self) -> None:
        login = a_login()
        login.publish(a_jwk(kid=KID), url="https://old.example.com/keys")
        with pytest.raises(Deferred):
            login()
        login.clock.pass_by(60)
        login.store.secrets.clear()

        with pytest.raises(Deferred):
            login()

    @pytest.mark.parametrize("row", [0, 1], ids=["the keys", "when they were fetched"])
    def test_keys_count_with_the_time_of_their_fetch_only(self, row: int) -> None:
        """As after one of the two rows was restored: the next fetch writes both."""
        login = a_login()
        del login.store.secrets[row]

        with pytest.raises(Deferred):
            login()

    def test_forged_kids_read_the_rows_of_the_issuer_once_a_second_at_most(self) -> None:
        login = a_login()
        for number in range(100):
            with pytest.raises(Deferred):
                login(header={"kid": f"forged {number}"})

        assert login.store.reads == [(ISSUER, False), (ISSUER, True)]
        login.clock.pass_by(1)
        with pytest.raises(Deferred):
            login(header={"kid": "forged again"})

        assert login.store.reads == [(ISSUER, False), (ISSUER, True), (ISSUER, True)]

    def test_ten_thousand_invented_kids_cost_one_more_read_no_memory_and_no_other_user_anything(self) -> None:
        login = a_login()
        login()
        reads = len(login.store.reads)
        _, payload, signature = a_login_token().split(".")

        def flood(begin: int, end: int) -> None:
            for number in range(begin, end):
                header = segment(f'{{"alg":"RS256","kid":"invented {number}"}}'.encode())
                with pytest.raises(Deferred):
                    login(token=f"{header}.{payload}.{signature}")

        tracemalloc.start()
        try:
            flood(0, 5000)  # what is kept of headers, for one, is full by then
            gc.collect()  # raised errors and their frames refer to each other until then
            before, _ = tracemalloc.get_traced_memory()
            flood(5000, 10_000)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert after - before < 256 * 1024
        assert login.store.reads[reads:] == [(ISSUER, True)]
        login()
        assert (login.report.issuer_origin, login.report.origin) == ("memory", "memory")
        assert login.store.reads[reads:] == [(ISSUER, True)]

    @pytest.mark.parametrize(
        ("age", "error"), [(26 * HOUR, None), (26 * HOUR + 1, StaleKeys)], ids=["to the last second", "a second later"]
    )
    def test_keys_count_for_their_lifetime_and_beyond_it_is_a_fault(
        self, age: float, error: type[Exception] | None
    ) -> None:
        login = a_login()
        login.publish(a_jwk(kid=KID), fetched_at=NOW - age)

        if error is None:
            assert login().sip_username == "alice"
        else:
            with pytest.raises(error, match="26 hours ago"):
                login()

    def test_keys_of_another_address_are_a_fault_as_well_when_they_are_as_old(self) -> None:
        """Nobody is told to wait for ever for a fetch that fails since the address was changed."""
        login = a_login()
        login.publish(a_jwk(kid=KID), fetched_at=NOW - 27 * HOUR, url="https://old.example.com/keys")

        with pytest.raises(StaleKeys):
            login()

    def test_keys_that_were_fetched_anew_count_though_memory_holds_the_old_time(self) -> None:
        login = a_login(ttl=30 * HOUR)
        login()
        login.clock.pass_by(27 * HOUR)
        login.publish(a_jwk(kid=KID))
        now = int(login.clock.now)

        assert login(iat=now - 1, exp=now + 60).sip_username == "alice"


class TestClaims:
    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            pytest.param({"exp": GONE}, Reason.MISSING_CLAIM, id="no exp"),
            pytest.param({"iat": GONE}, Reason.MISSING_CLAIM, id="no iat"),
            pytest.param({"sub": GONE}, Reason.MISSING_CLAIM, id="no sub"),
            pytest.param({"jti": GONE}, Reason.MISSING_CLAIM, id="no jti"),
            pytest.param({"aud": GONE}, Reason.MISSING_CLAIM, id="no aud"),
            pytest.param({"sub": 1}, Reason.MALFORMED_CLAIM, id="sub no text"),
            pytest.param({"sub": ""}, Reason.MALFORMED_CLAIM, id="sub empty"),
            pytest.param({"sub": "ö" * 128}, Reason.MALFORMED_CLAIM, id="sub of 256 bytes"),
            pytest.param({"exp": NOW}, Reason.TOKEN_EXPIRED, id="just expired"),
            pytest.param({"iat": NOW + 1}, Reason.TOKEN_NOT_YET_VALID, id="issued in a second"),
            pytest.param({"exp": NOW - 10 + DAY + 1}, Reason.TOKEN_TOO_OLD, id="valid for longer than a day"),
            pytest.param({"aud": "other"}, Reason.WRONG_AUDIENCE, id="for somebody else"),
            pytest.param({"aud": [1]}, Reason.MALFORMED_CLAIM, id="aud no text"),
        ],
    )
    def test_a_claim_that_is_not_as_required_gives_the_reason(self, claims: dict[str, Any], reason: Reason) -> None:
        login = a_login()

        assert refusal(lambda: login(**claims)) is reason
        assert [tag for tag, _ in login.store.reads] == [ISSUER], "a denied token reads no profile"

    @pytest.mark.parametrize("subject", ["s" * 255, "ö" * 127 + "s", "s"], ids=["255 bytes", "beyond ASCII", "short"])
    def test_a_sub_may_have_255_bytes(self, subject: str) -> None:
        login = a_login()
        login.store.profiles.append({"tag": f"{ISSUER}#{subject}", "sip_username": "carol"})

        assert login(sub=subject).sip_username == "carol"

    def test_the_leeway_counts_for_issuers(self) -> None:
        login = a_login(policy=Policy(leeway_seconds=30))

        assert login(exp=NOW - 29).expires_at == NOW + 1
        assert refusal(lambda: login(exp=NOW - 30)) is Reason.TOKEN_EXPIRED

    def test_the_longest_lifetime_is_accepted(self) -> None:
        assert a_login(longest_lifetime=600)(iat=NOW - 10, exp=NOW + 590).expires_at == NOW + 590

    def test_a_jti_may_be_optional(self) -> None:
        assert a_login(requires_jti=False)(jti=GONE).sip_username == "alice"

    @pytest.mark.parametrize(
        ("client", "reason"),
        [
            pytest.param("phone", None, id="one of the clients"),
            pytest.param("web", Reason.WRONG_AUDIENCE, id="another client"),
            pytest.param(GONE, Reason.MISSING_CLAIM, id="no client"),
            pytest.param(["phone"], Reason.MALFORMED_CLAIM, id="a list"),
        ],
    )
    def test_the_client_stands_in_for_an_audience(self, client: object, reason: Reason | None) -> None:
        """As Cognito's access tokens need it."""
        login = a_login(
            audiences=[],
            client_claim="client_id",
            client_ids=["phone"],
            required_claims={"token_use": "access"},
            access_claims=["token_use"],
        )

        assert verdict(lambda: login(aud=GONE, client_id=client, token_use="access", header={"typ": GONE})) is reason


class TestKind:
    @pytest.mark.parametrize(
        ("header", "claims", "is_accepted"),
        [
            pytest.param({}, {}, True, id="at+jwt"),
            pytest.param({"typ": "JWT"}, {}, False, id="nothing says that it is an access token"),
            pytest.param({"typ": GONE}, {}, False, id="no type"),
            pytest.param({}, {"nonce": "1"}, False, id="a nonce"),
            pytest.param({}, {"at_hash": "1"}, False, id="an at_hash"),
            pytest.param({}, {"c_hash": "1"}, False, id="a c_hash"),
            pytest.param({}, {"events": {}}, False, id="a logout token"),
            pytest.param({}, {"typ": "ID"}, False, id="Keycloak's ID token"),
            pytest.param({}, {"typ": "Refresh"}, False, id="Keycloak's refresh token"),
            pytest.param({}, {"typ": "Offline"}, False, id="Keycloak's offline token"),
            pytest.param({}, {"typ": "Logout"}, False, id="Keycloak's logout token"),
            pytest.param({}, {"token_use": "id"}, False, id="Cognito's ID token"),
        ],
    )
    def test_an_access_token_shows_what_it_is(
        self, header: dict[str, Any], claims: dict[str, Any], is_accepted: bool
    ) -> None:
        reason = verdict(lambda: a_login()(header=header, **claims))

        assert reason is (None if is_accepted else Reason.WRONG_TOKEN_KIND)

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            pytest.param({"typ": "Bearer"}, None, id="as required"),
            pytest.param({"typ": "Bearer", "nonce": "1"}, None, id="with a nonce, as Keycloak writes"),
            pytest.param({"typ": "ID"}, Reason.WRONG_TOKEN_KIND, id="another value"),
            pytest.param({}, Reason.MISSING_CLAIM, id="missing"),
        ],
    )
    def test_a_required_claim_can_say_so(self, claims: dict[str, Any], reason: Reason | None) -> None:
        login = a_login(required_claims={"typ": "Bearer"}, access_claims=["typ"])

        assert verdict(lambda: login(header={"typ": "JWT"}, **claims)) is reason

    def test_an_audience_can_say_so(self) -> None:
        login = a_login(access_audiences=["sip"])

        assert login(header={"typ": "JWT"}).sip_username == "alice"
        assert refusal(lambda: login(header={"typ": "JWT"}, aud="web")) is Reason.WRONG_TOKEN_KIND

    @pytest.mark.parametrize(
        ("wanted", "given", "is_accepted"),
        [
            pytest.param({"tid": "a"}, {"tid": "a"}, True, id="the same text"),
            pytest.param({"tid": "a"}, {"tid": "A"}, False, id="another case"),
            pytest.param({"ok": True}, {"ok": 1}, False, id="1 is not true"),
            pytest.param({"level": 2}, {"level": 2}, True, id="a number"),
            pytest.param({"groups": "sip"}, {"groups": ["web", "sip"]}, True, id="one of a list"),
            pytest.param({"scope": "sip"}, {"scope": "openid sip"}, True, id="one of the words of a scope"),
            pytest.param({"scope": "sip"}, {"scope": "openid sips"}, False, id="a part of a word"),
        ],
    )
    def test_a_required_claim_has_its_value(
        self, wanted: dict[str, Any], given: dict[str, Any], is_accepted: bool
    ) -> None:
        reason = verdict(lambda: a_login(required_claims=wanted)(**given))

        assert reason is (None if is_accepted else Reason.WRONG_TOKEN_KIND)

    @pytest.mark.parametrize(
        ("header", "claims", "reason"),
        [
            pytest.param({"typ": "JWT"}, {"nonce": "1", "at_hash": "2"}, None, id="as it comes"),
            pytest.param({"typ": "JWT"}, {"typ": "ID", "token_use": "id"}, None, id="said twice"),
            pytest.param({}, {}, Reason.WRONG_TOKEN_KIND, id="an access token by its header"),
            pytest.param({"typ": "JWT"}, {"typ": "Bearer"}, Reason.WRONG_TOKEN_KIND, id="Keycloak's access token"),
            *(
                pytest.param({"typ": "JWT"}, {"typ": kind}, Reason.WRONG_TOKEN_KIND, id=f"Keycloak's {kind} token")
                for kind in ("Refresh", "Offline", "Logout")
            ),
            pytest.param({"typ": "JWT"}, {"token_use": "access"}, Reason.WRONG_TOKEN_KIND, id="Cognito's access token"),
            pytest.param({"typ": "JWT"}, {"events": {}}, Reason.WRONG_TOKEN_KIND, id="a logout token"),
            pytest.param({"typ": "JWT"}, {"aud": ["web"]}, None, id="one, no azp"),
            pytest.param({"typ": "JWT"}, {"aud": ["web", "x"]}, Reason.WRONG_TOKEN_KIND, id="several, no azp"),
            pytest.param({"typ": "JWT"}, {"aud": ["web", "x"], "azp": "x"}, Reason.WRONG_TOKEN_KIND, id="for another"),
            pytest.param({"typ": "JWT"}, {"aud": ["web", "x"], "azp": "web"}, None, id="several, for this one"),
        ],
    )
    def test_an_id_token_logs_in_where_the_issuer_says_so(
        self, header: dict[str, Any], claims: dict[str, Any], reason: Reason | None
    ) -> None:
        assert verdict(lambda: a_login(token_kind="id")(header=header, **claims)) is reason


class TestUser:
    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            pytest.param({"disabled": True}, Reason.DISABLED_PROFILE, id="disabled"),
            pytest.param({"sip_username": ""}, Reason.INCOMPLETE_PROFILE, id="no username"),
            pytest.param({"tokens_valid_after": NOW}, Reason.REVOKED_TOKEN, id="issued before"),
            pytest.param({"tokens_valid_after": "soon"}, Reason.REVOKED_TOKEN, id="issued before nobody knows"),
        ],
    )
    def test_the_profile_of_the_user_decides(self, columns: dict[str, Any], reason: Reason) -> None:
        login = a_login()
        login.store.profiles[1].update(columns)

        assert refusal(login) is reason

    def test_the_issuer_can_revoke_all_that_it_issued(self) -> None:
        login = a_login()
        login.store.profiles[0]["tokens_valid_after"] = NOW

        assert refusal(login) is Reason.REVOKED_TOKEN
        assert login(iat=NOW).sip_username == "alice"

    @pytest.mark.parametrize("bound", [None, "soon"])
    def test_a_bound_of_the_issuer_that_is_no_number_revokes_all(self, bound: object) -> None:
        login = a_login()
        login.store.profiles[0]["tokens_valid_after"] = bound

        assert refusal(lambda: login(iat=NOW)) is Reason.REVOKED_TOKEN

    def test_a_user_without_a_profile_is_unknown_until_it_is_written(self) -> None:
        login = a_login()
        row = login.store.profiles.pop()
        assert refusal(login) is Reason.UNKNOWN_PROFILE
        login.store.profiles.append(row)
        login.clock.pass_by(1)

        assert login().sip_username == "alice"

    def test_a_profile_that_got_its_username_just_now_works_at_once(self) -> None:
        login = a_login()
        username = login.store.profiles[1].pop("sip_username")
        assert refusal(login) is Reason.INCOMPLETE_PROFILE
        login.store.profiles[1]["sip_username"] = username
        login.clock.pass_by(1)

        assert login().sip_username == "alice"

    def test_a_token_is_revoked_by_issuer_and_jti(self) -> None:
        login = a_login(revocations=True)
        login.statics.revocations.append({"tag": ISSUER, "jti": "1"})

        assert refusal(login) is Reason.REVOKED_TOKEN
        assert login(jti="2").sip_username == "alice"

    def test_a_token_without_an_optional_jti_is_not_looked_up(self) -> None:
        login = a_login(revocations=True, requires_jti=False)

        assert login(jti=GONE).sip_username == "alice"
        assert login.statics.lookups == []

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"from_user": "bob"}, Reason.USERNAME_MISMATCH),
            ({"from_user": "Alice"}, Reason.USERNAME_MISMATCH),
            ({"from_domain": "example.org"}, Reason.DOMAIN_MISMATCH),
        ],
    )
    def test_the_request_acts_as_that_user(self, asked: dict[str, str], reason: Reason) -> None:
        assert refusal(lambda: a_login()(**asked)) is reason


class TestMappingByClaim:
    @staticmethod
    def by_claim(**members: Any) -> Login:
        login = a_login(mapping="claim", username_claim="sip_user", sip_domain="example.com", **members)
        login.store.profiles.pop()
        return login

    def test_the_claim_is_the_username_within_the_domain_of_the_issuer(self) -> None:
        answer = self.by_claim()(sip_user="carol", from_user="carol", from_domain="Example.com")

        assert (answer.sip_username, answer.sip_domain, answer.credentials) == ("carol", "example.com", {})

    @pytest.mark.parametrize("domain", [None, "", "example.org"])
    def test_the_domain_must_be_told(self, domain: str | None) -> None:
        login = self.by_claim()

        assert refusal(lambda: login(sip_user="carol", from_domain=domain)) is Reason.DOMAIN_MISMATCH

    def test_a_caller_who_knows_no_domain_is_admitted_only_where_the_issuer_permits_it(self) -> None:
        refused, permitted = self.by_claim(), self.by_claim(permits_no_domain=True)

        assert refusal(lambda: refused(sip_user="carol", knows_domain=False)) is Reason.DOMAIN_MISMATCH
        assert refusal(lambda: permitted(sip_user="carol")) is Reason.DOMAIN_MISMATCH
        assert permitted(sip_user="carol", knows_domain=False).sip_domain == "example.com"

    @pytest.mark.parametrize("name", ["", "a b", "carol\n", "ünal", "x" * 65, 7, None, ["carol"]])
    def test_a_username_that_does_not_match_whole_is_refused(self, name: object) -> None:
        login = self.by_claim()

        assert refusal(lambda: login(sip_user=name, from_domain="example.com")) is Reason.USERNAME_REFUSED

    def test_a_username_has_255_characters_at_most_whatever_the_pattern(self) -> None:
        login = self.by_claim(username_pattern="[a-z]+")

        assert login(sip_user="x" * 255, from_domain="example.com").sip_username == "x" * 255
        assert refusal(lambda: login(sip_user="x" * 256, from_domain="example.com")) is Reason.USERNAME_REFUSED

    @pytest.mark.parametrize("name", ["carol\r\nX: y", "carol\x85", "car\u202eol"])
    def test_a_username_that_cannot_be_printed_is_refused_whatever_the_pattern(self, name: str) -> None:
        login = self.by_claim(username_pattern="[^@]+")

        assert refusal(lambda: login(sip_user=name, from_domain="example.com")) is Reason.USERNAME_REFUSED

    @pytest.mark.parametrize("name", ["\u0441arol", "\uff43arol", "carol\xb2", "carol\u0663"])
    def test_no_other_alphabet_passes_for_ascii(self, name: str) -> None:
        login = self.by_claim(username_pattern=r"\w+")

        assert refusal(lambda: login(sip_user=name, from_domain="example.com")) is Reason.USERNAME_REFUSED
        assert login(sip_user="carol", from_domain="example.com").sip_username == "carol"

    def test_a_missing_claim_is_missing(self) -> None:
        assert refusal(lambda: self.by_claim()(from_domain="example.com")) is Reason.MISSING_CLAIM

    def test_a_row_of_the_user_still_disables_and_gives_credentials(self) -> None:
        login = self.by_claim()
        login.store.profiles.append({"tag": f"{ISSUER}#{SUBJECT}", "plan": "gold"})
        assert login(sip_user="carol", from_domain="example.com").credentials == {"plan": "gold"}
        login.store.profiles[-1]["disabled"] = True
        login.clock.pass_by(60)

        assert refusal(lambda: login(sip_user="carol", from_domain="example.com")) is Reason.DISABLED_PROFILE


class TestMemory:
    def test_rows_are_read_once_and_then_remembered(self) -> None:
        login = a_login()
        login()
        assert (login.report.origin, login.report.issuer_origin) == ("table", "table")
        login()

        assert (login.report.origin, login.report.issuer_origin) == ("memory", "memory")
        assert login.store.reads == [(ISSUER, False), (f"{ISSUER}#{SUBJECT}", False)]

    def test_remembered_rows_serve_while_the_tables_are_away(self) -> None:
        login = a_login()
        login()
        login.clock.pass_by(60)
        login.store.failure = Unreachable("away")

        assert login().sip_username == "alice"
        assert (login.report.origin, login.report.issuer_origin) == ("stale", "stale")

    def test_without_anything_remembered_an_outage_is_a_fault(self) -> None:
        login = a_login()
        login.store.failure = Unreachable("away")

        with pytest.raises(Unreachable):
            login()

    def test_a_configuration_that_was_read_counts_though_the_keys_were_not(self) -> None:
        login = a_login()
        login()
        login.clock.pass_by(60)
        login.store.halves[Half.SECRETS] = Unreachable("away")
        assert login().sip_username == "alice"
        login.store.profiles[0]["disabled"] = True
        login.clock.pass_by(61)

        assert refusal(login) is Reason.DISABLED_ISSUER

    def test_keys_that_were_read_serve_no_issuer_whose_configuration_was_not(self) -> None:
        login = a_login()
        login.store.halves[Half.PROFILE] = Unreachable("away")

        with pytest.raises(Unreachable):
            login()

    def test_without_its_keys_an_issuer_that_was_read_gives_a_fault(self) -> None:
        login = a_login()
        login.store.halves[Half.SECRETS] = Unreachable("away")

        with pytest.raises(Unreachable):
            login()

    def test_a_new_kid_is_a_fault_while_the_keys_cannot_be_read_anew(self) -> None:
        """It is deferred only when a look at the rows has found no such key."""
        login = a_login()
        login()
        login.store.halves[Half.SECRETS] = Unreachable("away")

        with pytest.raises(Unreachable):
            login(header={"kid": "new"})

    def test_keys_that_did_not_change_are_parsed_once(self) -> None:
        login = a_login()
        login()
        issuers = login.authorizer.issuers
        assert issuers is not None
        before = issuers.issuers._known[ISSUER].recalled.found.fetched
        login.clock.pass_by(60)
        login.publish(a_jwk(kid=KID))
        login(iat=NOW + 59, exp=NOW + 300)
        after = issuers.issuers._known[ISSUER].recalled.found.fetched

        assert after.key_set is before.key_set
        assert (after.fetched_at, before.fetched_at) == (NOW + 60, NOW)

    def test_the_keys_of_issuers_take_no_more_room_than_they_may(self) -> None:
        """The issuer that was asked for longest ago makes room."""
        store = MemoryIssuers()
        memory = IssuerMemory(store, ttl=60, stale_for=0, timer=Clock(NOW), max_bytes=180_000)
        names = [f"{ISSUER}/{number}" for number in range(3)]
        for name in names:
            config = json.dumps({"keys_url": KEYS_URL, "audiences": ["sip"]})
            keys = {"issuer_keys": a_jwks(*[a_jwk()] * 5), "issuer_keys_url": KEYS_URL}
            store.profiles.append({"tag": name, "issuer_config": config})
            store.secrets.append({"corresponding_tag": name, "id": "issuer-keys", **keys})
        for name in names:
            memory.recall(name, Deadline(1))
        store.reads.clear()

        for name in (names[2], names[0]):
            memory.recall(name, Deadline(1))

        assert [name for name, _ in store.reads] == [names[0]]

    @pytest.mark.parametrize("of", ["tag", "plan"])
    def test_the_profiles_of_users_take_no_more_room_than_they_may(self, of: str) -> None:
        """Long tags and long credentials count: of three such profiles two are remembered."""
        store = MemoryIssuers(credentials=parse_credentials("plan"))
        memory = ProfileMemory(store, ttl=60, stale_for=0, timer=Clock(NOW), max_bytes=12_000)
        tags = [f"{number}{'x' * 1000}" if of == "tag" else f"{number}" for number in range(3)]
        store.profiles.extend(a_profile(tag=tag, plan="x" * 1000 if of == "plan" else "") for tag in tags)
        for tag in tags:
            memory.recall(tag, Deadline(1))
        store.reads.clear()

        for tag in (tags[2], tags[1], tags[0]):
            memory.recall(tag, Deadline(1))

        assert [tag for tag, _ in store.reads] == [tags[0]]

    def test_without_memory_every_login_reads(self) -> None:
        login = a_login(ttl=0)
        login()
        login()

        assert [tag for tag, _ in login.store.reads] == [ISSUER, f"{ISSUER}#{SUBJECT}"] * 2


def test_nothing_of_a_forged_token_reaches_the_log() -> None:
    """Neither a long kid nor one that would break a line."""
    login = a_login()
    with pytest.raises(Deferred):
        login(header={"kid": "a\nb" + "x" * 500})

    assert login.report.kid == "ab" + "x" * 126
    assert KID not in repr(login.store.read_issuer(ISSUER, consistent=True, deadline=Deadline(1)).fetched)
