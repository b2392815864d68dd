"""Every rule of `auth-jwt lint`: what falls under it and what just does not, and the page that lists them."""

import base64
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import Flaw
from auth_jwt.models import Columns, Policy
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.examination import RULES_OF_FLAWS, Examination
from auth_jwt_cli.migration.findings import RULES, Severity
from auth_jwt_cli.migration.ledger import Ledger
from auth_jwt_cli.migration.live_rules import LIVE_RULES
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_jwk,
    a_jwks,
    a_profile,
    a_secret,
    an_oct_jwk,
    certificate_pem,
    openssh_line,
    private_pem,
    public_der,
    public_pem,
    segment,
    without,
)
from tests.issuers import ISSUER
from tests.linted_rows import findings_of, row_of, rules_of

ROOT = Path(__file__).parents[4]
LONG_ENOUGH = HMAC_KEY
PRIVATE_JWK = json.dumps({**a_jwk("p256"), "d": "AQAB"})
PRIME_JWK = {"kty": "RSA", "e": "AQAB", "n": segment(PRIME_MODULUS.to_bytes(276, "big"))}
EVEN_JWK = json.dumps({**PRIME_JWK, "n": segment((2**2203).to_bytes(276, "big"))})
PRIME_PEM = public_key_pem(PRIME_MODULUS)
FROM_ONE_ROW = {
    *("malformed-row", "no-tag", "not-text", "cannot-be-stored"),  # test_migration_translation.py
    "duplicate-key",  # tests/integration/test_lint.py
}
FROM_TWO_ROWS = {"kept-closed"}  # tests/integration/test_import.py


def between(
    *rows: dict[str, object], tables: Sequence[Table] = (Table.PROFILES, Table.SECRETS)
) -> set[tuple[str, str]]:
    """The rules that rows fall under together, each with a tag."""
    policy = Policy(max_secrets_per_tag=3)
    examination = Examination(Columns(), policy, live=False, tables=tuple(tables), clock=lambda: NOW)
    with Ledger() as ledger:
        for columns in rows:
            row = row_of(columns)
            examined = examination.of(row)
            ledger.note(row, examined.shared, is_open=examined.is_open)
        return {(finding.rule.id, str(finding.tag)) for finding in examination.between(ledger)}


@pytest.mark.parametrize(
    ("secret", "rules"),
    [
        pytest.param(LONG_ENOUGH, set(), id="a good HMAC secret"),
        pytest.param("", {"empty-secret"}, id="empty"),
        pytest.param(None, {"empty-secret"}, id="NULL"),
        pytest.param("\0" + LONG_ENOUGH, {"empty-secret"}, id="beginning with a NUL"),
        pytest.param(" ", {"short-secret"}, id="a blank"),
        pytest.param(HMAC_KEY[:31], {"short-secret"}, id="31 bytes"),
        pytest.param(HMAC_KEY[:32], {"short-for-some-algorithms"}, id="32 bytes"),
        pytest.param(HMAC_KEY[:63], {"short-for-some-algorithms"}, id="63 bytes"),
        pytest.param(f"é{HMAC_KEY}", {"secret-not-ascii"}, id="not ASCII"),
        pytest.param(LONG_ENOUGH + "\0more", {"nul-in-secret"}, id="a NUL further on"),
        pytest.param(public_pem(), {"public-key-as-hmac"}, id="a public key"),
        pytest.param(certificate_pem(), {"public-key-as-hmac"}, id="a certificate"),
        pytest.param(public_pem("rsa_2047"), {"public-key-as-hmac", "unusable-key"}, id="a public key too small"),
        pytest.param(openssh_line(), {"unread-key-material"}, id="an OpenSSH line"),
        pytest.param(base64.b64encode(public_der()).decode(), {"unread-key-material"}, id="base64 of DER"),
        pytest.param(f"[{json.dumps(a_jwk())}]", {"unread-key-material"}, id="a JWK in a list"),
        pytest.param(private_pem(), {"private-key"}, id="a private key"),
        pytest.param(public_pem() + private_pem(), {"private-key"}, id="a private key beside its public one"),
        pytest.param("-----BEGIN OPENSSH PRIVATE KEY-----\n", {"private-key"}, id="a private key of OpenSSH's"),
        pytest.param("PuTTY-User-Key-File-3: ssh-rsa", {"private-key"}, id="a private key of PuTTY's"),
        pytest.param(PRIVATE_JWK, {"private-key"}, id="a private JWK"),
        pytest.param(a_jwks(a_jwk(), json.loads(PRIVATE_JWK)), {"private-key", "jwk-secret"}, id="one in a JWKS"),
        pytest.param(json.dumps(a_jwk()), {"public-key-as-hmac"}, id="a public JWK"),
        pytest.param(a_jwks(a_jwk(), a_jwk("p256")), {"public-key-as-hmac"}, id="a JWKS of public keys"),
        pytest.param(
            json.dumps(a_jwk("rsa_2047")), {"public-key-as-hmac", "unusable-key"}, id="a public JWK that is too small"
        ),
        pytest.param(a_jwks(a_jwk(), an_oct_jwk()), {"jwk-secret"}, id="a JWKS that nobody else knows"),
        pytest.param('{"keys": []}', {"unreadable-key"}, id="a JWKS of nothing"),
        pytest.param(json.dumps(a_jwk(n="A=")), {"public-key-as-hmac", "unreadable-key"}, id="a JWK that is padded"),
        pytest.param(
            public_pem().replace("\n", "\\n"), {"public-key-as-hmac", "unreadable-key"}, id="PEM with literal breaks"
        ),
        pytest.param(PRIME_PEM, {"public-key-as-hmac", "degenerate-key"}, id="a key whose modulus is a prime"),
        pytest.param(a_jwks(PRIME_JWK), {"public-key-as-hmac", "degenerate-key"}, id="the same in a JWKS"),
        pytest.param(EVEN_JWK, {"public-key-as-hmac", "degenerate-key"}, id="a key that is bad at first sight"),
        pytest.param(" " * 64, {"blank-key"}, id="blanks"),
        pytest.param("\u200b" * 30, {"blank-key"}, id="zero-width spaces"),
        pytest.param("x" * 64, {"weak-words"}, id="one character"),
        pytest.param("changeme" * 8, {"weak-words"}, id="one word"),
        pytest.param(
            json.dumps(an_oct_jwk(b"your-256-bit-secret" * 4)), {"jwk-secret", "weak-words"}, id="words in an oct JWK"
        ),
        pytest.param(json.dumps(an_oct_jwk()), {"jwk-secret"}, id="a JWK of an HMAC key"),
        pytest.param(Decimal(123456789012345678), {"not-text"}, id="a number"),
        pytest.param({"B": b"x" * 64}, {"not-text"}, id="bytes"),
        pytest.param(a_jwks(an_oct_jwk()), {"jwk-secret"}, id="a JWKS"),
        pytest.param(json.dumps(an_oct_jwk(b"short")), {"jwk-secret", "short-secret"}, id="a JWK too short"),
        pytest.param(
            '{"a": "JSON that is no JWK, and long enough to be a secret of sixty-four"}', set(), id="other JSON"
        ),
        pytest.param("arn:aws:ssm:eu-central-1:1:parameter/x", {"reference"}, id="an ARN"),
        pytest.param("https://example.com/jwks.json", {"reference"}, id="a URL"),
        pytest.param("\ud800" + LONG_ENOUGH, {"unusable-key"}, id="no Unicode"),
    ],
)
def test_what_a_secret_may_hold(secret: object, rules: set[str]) -> None:
    assert rules_of(a_secret(secret)) == rules


@pytest.mark.parametrize(
    ("secret", "rules"),
    [
        pytest.param(public_pem(), set(), id="a public key is what it should be"),
        pytest.param(json.dumps(a_jwk()), set(), id="so is a JWK"),
        pytest.param({"B": b"x" * 64}, {"not-text"}, id="bytes are no text here either"),
        pytest.param(f"é{HMAC_KEY}", set(), id="so is any character"),
        pytest.param(LONG_ENOUGH + "\0more", set(), id="so is a NUL"),
        pytest.param("", {"empty-secret"}, id="but not an empty secret"),
        pytest.param(private_pem(), {"private-key"}, id="nor a private key"),
    ],
)
def test_in_our_own_tables_nothing_is_as_opensips_takes_it(secret: object, rules: set[str]) -> None:
    assert rules_of(a_secret(secret), live=True) - {"no-alg"} == rules


@pytest.mark.parametrize(
    ("window", "rules"),
    [
        ({"start_ts": NOW - 1, "end_ts": NOW + 1}, set()),
        ({"start_ts": NOW + 1, "end_ts": NOW + 2}, set()),
        ({"start_ts": NOW - 2, "end_ts": NOW}, {"expired"}),
        ({"start_ts": 5, "end_ts": 5}, {"never-opens"}),
        ({"start_ts": 6, "end_ts": 5}, {"never-opens"}),
        ({"start_ts": "today"}, {"bound-not-a-number"}),
        ({"end_ts": None}, {"bound-not-a-number"}),
        ({"end_ts": ""}, {"bound-not-a-number"}),
        ({"end_ts": NOW * 1000}, {"window-in-milliseconds"}),
        ({"start_ts": NOW * 1000, "end_ts": NOW * 1000 + 1}, {"window-in-milliseconds"}),
        ({"start_ts": 10**12, "end_ts": 10**15}, {"window-in-milliseconds"}),
        ({"start_ts": 10**11 - 1, "end_ts": 10**14}, set()),
        ({"start_ts": 10**11, "end_ts": 10**14}, {"never-opens"}),
        ({"start_ts": 10**12 - 1, "end_ts": 10**14}, {"never-opens"}),
        ({"start_ts": NOW * 10**6, "end_ts": (NOW + 9) * 10**6}, {"never-opens"}),
        ({"end_ts": 253402300799}, set()),  # the end of the year 9999
    ],
)
def test_windows(window: dict[str, object], rules: set[str]) -> None:
    assert rules_of(a_secret(LONG_ENOUGH, **window)) == rules


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        ({"alg": "HS256"}, set()),
        ({"alg": "HS256, HS384", "kid": "1"}, set()),
        ({"alg": "md5"}, {"alg-or-kid-unusable"}),
        ({"alg": 7}, {"alg-or-kid-unusable"}),
        ({"kid": 7}, {"alg-or-kid-unusable"}),
        ({"alg": "RS256"}, {"alg-disagrees"}),
    ],
)
def test_columns_for_algorithms_and_key_ids(columns: dict[str, object], rules: set[str]) -> None:
    assert rules_of(a_secret(LONG_ENOUGH, **columns)) == rules


def test_a_shorter_secret_is_fine_where_the_settings_say_so() -> None:
    assert rules_of(a_secret("hunter23"), min_hmac_key_bytes=8) == set()
    assert rules_of(a_secret("hunter2"), min_hmac_key_bytes=8) == {"short-secret"}


@pytest.mark.parametrize(
    ("columns", "rules", "strict_rules"),
    [
        pytest.param({}, {"no-alg"}, {"alg-required"}, id="none"),
        pytest.param({"secret": public_pem()}, {"no-alg"}, {"alg-required"}, id="none, of a public key"),
        pytest.param({"alg": "HS256,RS256"}, {"no-alg"}, {"alg-required"}, id="one that says nothing"),
        pytest.param({"alg": "HS256"}, set(), set(), id="one that says it"),
        pytest.param({"alg": "RS256"}, {"alg-disagrees"}, {"alg-disagrees"}, id="one that is wrong"),
        pytest.param({"alg": "md5"}, {"alg-or-kid-unusable"}, {"alg-or-kid-unusable"}, id="one that there is not"),
        pytest.param({"secret": ""}, {"empty-secret"}, {"alg-required", "empty-secret"}, id="none, of nothing"),
    ],
)
def test_live_rows_without_alg(columns: dict[str, object], rules: set[str], strict_rules: set[str]) -> None:
    assert rules_of(a_secret(**{"secret": LONG_ENOUGH, **columns}), live=True) == rules
    assert rules_of(a_secret(**{"secret": LONG_ENOUGH, **columns}), live=True, required=True) == strict_rules


def test_rows_to_be_imported_get_their_alg_so_none_is_missing() -> None:
    assert rules_of(a_secret(LONG_ENOUGH), required=True) == set()


def test_a_text_in_doubt_is_named_unless_its_row_or_somebody_says_what_it_is() -> None:
    assert rules_of(a_secret(DOUBTFUL)) == {"in-doubt"}
    assert rules_of(a_secret(DOUBTFUL), live=True) == {"in-doubt"}
    assert rules_of(a_secret(DOUBTFUL), hmac=True) == set()
    assert rules_of(a_secret(DOUBTFUL, alg="HS256")) == set()


def test_every_flaw_has_its_rule() -> None:
    assert set(RULES_OF_FLAWS) == set(Flaw)
    assert set(RULES_OF_FLAWS.values()) <= set(RULES)


def test_a_published_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth_jwt.jose.keys.is_published", lambda _: True)

    assert rules_of(a_secret(LONG_ENOUGH)) == {"published-key"}
    assert "published-key" in rules_of(a_secret(public_pem()))


def test_the_reason_is_told_and_not_only_the_rule() -> None:
    (finding,) = [found for found in findings_of(a_secret(PRIME_PEM)) if found.rule.id == "degenerate-key"]

    assert "modulus is a prime" in finding.why


@pytest.mark.parametrize(
    ("profile", "rules"),
    [
        pytest.param(a_profile(), set(), id="a good profile"),
        pytest.param(a_profile(sip_username=""), {"no-username"}, id="an empty username"),
        pytest.param(without(a_profile(), "sip_username"), {"no-username"}, id="none"),
        pytest.param(a_profile(sip_username=15), {"no-username"}, id="a number for a username"),
        pytest.param(a_profile(sip_username="a b@" + "x" * 60), set(), id="printable ASCII, 64 of it"),
        pytest.param(a_profile(sip_username="x" * 65), {"username-not-registrable"}, id="65 of it"),
        pytest.param(a_profile(sip_username="m\u00fcller"), {"username-not-registrable"}, id="a letter beyond ASCII"),
        pytest.param(a_profile(sip_username="a\x7f"), {"username-not-registrable"}, id="one that shows nothing"),
        pytest.param(a_profile(disabled=0), set(), id="not disabled"),
        pytest.param(a_profile(disabled=False), set(), id="nor so"),
        pytest.param(a_profile(disabled="0"), {"disabled-profile"}, id="disabled by text"),
        pytest.param(a_profile(disabled=1), {"disabled-profile"}, id="disabled"),
        pytest.param(a_profile(tokens_valid_after=NOW), set(), id="a revocation"),
        pytest.param(a_profile(tokens_valid_after="x"), {"valid-after-not-a-number"}, id="an odd one"),
        pytest.param(
            a_profile(tokens_valid_after=NOW * 1000), {"valid-after-in-milliseconds"}, id="one in milliseconds"
        ),
        pytest.param(a_profile(tokens_valid_after=NOW + 60), set(), id="one to come"),
        pytest.param(a_profile(tag="x" * 128), set(), id="128 characters"),
        pytest.param(a_profile(tag="x" * 129), {"tag-too-long"}, id="129 characters"),
        pytest.param(a_profile(tag="t1 "), {"blank-around-tag"}, id="a blank at the end"),
        pytest.param(a_profile(tag="\tt1"), {"blank-around-tag"}, id="a tab at the beginning"),
        pytest.param(a_profile(tag="t 1"), set(), id="a blank within"),
        pytest.param(a_profile(tag="t\0001"), {"nul-in-tag"}, id="a NUL"),
    ],
)
def test_profiles(profile: dict[str, object], rules: set[str]) -> None:
    assert rules_of(profile) == rules


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("Alice", set()),
        (7, set()),
        (False, set()),
        ("", {"credential-missing"}),
        (None, {"credential-missing"}),
        ({"B": b"\xff"}, {"credential-of-another-type"}),
    ],
)
def test_credentials(value: object, rules: set[str]) -> None:
    credentials = parse_credentials("$avp(name)=display_name;display_name")

    found = findings_of(a_profile(display_name=value), credentials=credentials)

    assert {finding.rule.id for finding in found} == rules
    assert all("'display_name'" in finding.why for finding in found)
    assert len(found) == len(rules)


def test_a_column_that_credentials_need_and_no_row_has() -> None:
    assert rules_of(a_profile(), credentials=parse_credentials("display_name")) == {"credential-missing"}


def test_rows_that_fit_together_are_not_named() -> None:
    assert between(a_profile(), a_secret(), a_profile(tag="t2"), a_secret("y" * 64, corresponding_tag="t2")) == set()


@pytest.mark.parametrize("other", ["T1", "t1 ", "t1  ", "\u0074\u030a1".replace("\u030a", "\u0301")])
def test_tags_that_mysql_took_for_one(other: str) -> None:
    found = between(a_profile(), a_secret(corresponding_tag=other))

    assert found == {("folded-tags", "t1"), ("folded-tags", other)}


@pytest.mark.parametrize("other", [" t1", "t 1", "t1\t", "tl"])
def test_tags_that_mysql_told_apart(other: str) -> None:
    assert {rule for rule, _ in between(a_profile(), a_secret(corresponding_tag=other))} == {
        "secret-without-profile",
        "profile-without-secret",
    }


def test_tables_that_are_not_looked_at_have_no_orphans() -> None:
    assert between(a_secret(), tables=[Table.SECRETS]) == set()
    assert between(a_secret()) == {("secret-without-profile", "t1")}


def test_an_hmac_secret_of_two_tags_is_shared_and_a_public_key_is_not() -> None:
    two = (a_profile(), a_profile(tag="t2"))
    shared = between(*two, a_secret(), a_secret(corresponding_tag="t2"))

    assert shared == {("shared-secret", "t1"), ("shared-secret", "t2")}
    assert between(*two, a_secret(public_pem()), a_secret(public_pem(), corresponding_tag="t2")) == set()


def test_a_tag_of_too_many_open_secrets_is_named_once() -> None:
    three = [a_secret(f"{HMAC_KEY} {number}", id=str(number)) for number in range(3)]
    closed = [a_secret(f"{HMAC_KEY} {number}", id=str(number), end_ts=NOW) for number in range(3, 9)]

    assert between(a_profile(), *three, *closed) == set()
    assert between(a_profile(), *three, a_secret(id="4"), *closed[2:]) == {("too-many-secrets", "t1")}


def test_a_secret_twice_under_one_tag_is_not_shared() -> None:
    assert between(a_profile(), a_secret(), a_secret(id="2")) == set()


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"sip_domain": "Example.COM"}, True),
        ({"sip_domain": "example.org"}, False),
        ({"sip_domain": 7}, False),
        ({}, False),
        ({"sip_domain": "example.com", "tag": f"{ISSUER}#alice"}, False),
        ({"sip_domain": "example.com", "tag": "https://id.example.org#alice"}, True),
    ],
)
def test_a_domain_of_an_issuer_is_for_its_users_alone(columns: dict[str, object], *, live: bool, found: bool) -> None:
    rules = rules_of(a_profile(**columns), live=live, domains={"example.com": ISSUER})

    assert rules == ({"issuers-domain"} if found else set())


def test_the_profile_of_an_issuers_user_needs_no_secret_and_may_have_a_long_tag() -> None:
    tag = f"{ISSUER}#{'s' * 255}"

    assert rules_of(a_profile(tag=tag)) == set()
    assert between(a_profile(tag=tag)) == set()
    assert between(a_profile(tag=f"{ISSUER}#a"), a_profile(tag=f"{ISSUER}#A")) == set()


def test_no_finding_shows_a_secret() -> None:
    odd = [a_secret(secret) for secret in (HMAC_KEY[:20], HMAC_KEY + "\0", openssh_line(), private_pem(), PRIVATE_JWK)]

    for columns in odd:
        for finding in findings_of(columns, min_hmac_key_bytes=2000):
            assert str(columns["secret"])[:12] not in f"{finding!r}{finding.as_json()}"


def test_every_rule_is_tested() -> None:
    """One that no test here names, or leaves to another, is a rule that nobody has seen working."""
    here = Path(__file__).read_text(encoding="utf-8")

    assert {rule for rule in RULES if f'"{rule}"' not in here} == set()


def test_only_what_cannot_or_must_not_be_there_bars_a_row() -> None:
    assert {rule.id for rule in RULES.values() if rule.bars} == {
        *("empty-secret", "in-doubt", "degenerate-key", "issuers-domain"),
        *FROM_ONE_ROW,
    }


def listed_on(page: str) -> list[tuple[str, str, str, str]]:
    """The rules that a page of the documentation lists."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)


def test_the_page_lists_every_rule_as_it_is() -> None:
    listed = listed_on("migration.md")

    assert listed == [(rule.id, rule.severity.value, rule.why, rule.remedy) for rule in RULES.values()]


def test_the_page_of_the_live_tables_lists_every_rule_as_it_is_there() -> None:
    assert listed_on("live-tables.md") == [
        (rule.id, rule.severity.value, LIVE_RULES[rule.id].why or rule.why, LIVE_RULES[rule.id].remedy)
        for rule in RULES.values()
        if rule.id in LIVE_RULES
    ]


def test_the_live_tables_have_no_opensips_and_no_source() -> None:
    for rule, live in LIVE_RULES.items():
        assert "OpenSIPS" not in f"{live.why or RULES[rule].why} {live.remedy}"
        assert "import" not in live.remedy
        assert live.remedy.endswith(".")


def test_rules_are_told_in_sentences() -> None:
    for rule in RULES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert rule.why.endswith(".")
        assert rule.remedy.endswith(".")
    assert [rule.severity for rule in RULES.values()] == sorted(
        (rule.severity for rule in RULES.values()), key=list(Severity).index
    )
