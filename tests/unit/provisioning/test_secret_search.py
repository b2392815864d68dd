"""Searches of all secrets: by a key, for keys that tags share, and what they leave out."""

import json
from collections.abc import Iterable

import pytest

from auth_jwt.errors import Fault, Invalid, Unreachable
from auth_jwt.issuers.models import DOMAIN_ROW, KEYS_ROW, domain_tag
from auth_jwt.jose.tokens import unverified_jws
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.inspection import SecretRecord
from auth_jwt.provisioning.secret_search import MAX_NAMED, DigestBag, SecretSearch, SharedKey, check_fingerprint
from tests.factories import HMAC_KEY, NOW, a_jwk, a_token, an_oct_jwk, public_pem
from tests.service import Service, a_service

OTHER_KEY = HMAC_KEY[::-1]


def search_of(service: Service) -> SecretSearch:
    return SecretSearch(service.provisioning.registry)


def rows_of(secrets: Iterable[SecretRecord]) -> list[tuple[str, str]]:
    return sorted((secret.tag, secret.id) for secret in secrets)


def fingerprint(service: Service, tag: str) -> str:
    return service.provisioning.secrets.list(tag)[0].keys[0].fingerprint


def test_a_key_is_found_by_its_fingerprint_in_every_form_and_state() -> None:
    service = a_service()
    service.has_secret("1", tag="pem", secret=public_pem())
    service.has_secret("2", tag="pem", secret=public_pem(), end_ts=NOW - 1)
    service.has_secret(tag="jwk", secret=json.dumps(a_jwk()))
    service.has_secret(tag="hmac", secret=HMAC_KEY)
    service.has_secret(tag="other", secret=OTHER_KEY)

    search = search_of(service)
    assert rows_of(search.by_fingerprint(fingerprint(service, "pem"))) == [("jwk", "1"), ("pem", "1"), ("pem", "2")]
    assert rows_of(search.by_fingerprint(fingerprint(service, "hmac"))) == [("hmac", "1")]
    assert rows_of(search.by_fingerprint(fingerprint(service, "pem"), tag_prefix="j")) == [("jwk", "1")]


def test_a_key_is_found_by_its_value() -> None:
    service = a_service()
    service.has_secret(tag="pem", secret=public_pem())
    service.has_secret(tag="jwk", secret=json.dumps(a_jwk()))
    service.has_secret(tag="hmac", secret=HMAC_KEY)

    assert rows_of(search_of(service).by_value(json.dumps(a_jwk()))) == [("jwk", "1"), ("pem", "1")]
    assert rows_of(search_of(service).by_value(HMAC_KEY)) == [("hmac", "1")]
    assert rows_of(search_of(service).by_value(OTHER_KEY)) == []


def test_a_key_is_found_where_the_row_lets_it_verify_nothing() -> None:
    """Who looks for a key that leaked wants every row that holds it."""
    service = a_service()
    service.has_secret("1", tag="a", alg="ES256")
    service.has_secret("2", tag="a", secret="short")
    service.has_secret("3", tag="a", secret=json.dumps({"kty": "oct", "k": "c2hvcnQ"}))

    assert rows_of(search_of(service).by_value(HMAC_KEY)) == [("a", "1")]
    assert rows_of(search_of(service).by_value("short")) == [("a", "2"), ("a", "3")]


def test_a_text_that_holds_no_key_finds_nothing_and_says_so() -> None:
    with pytest.raises(Invalid, match="holds no usable key"):
        search_of(a_service()).by_value("-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    "text", ["", "scrypt:", f"scrypt:{'a' * 15}", f"scrypt:{'a' * 17}", f"sha256:{'a' * 16}", "md5:a"]
)
def test_half_a_fingerprint_is_none(text: str) -> None:
    with pytest.raises(Invalid, match="a fingerprint is"):
        check_fingerprint(text)


def test_a_row_without_a_value_or_with_half_a_character_is_in_nobodys_way() -> None:
    service = a_service()
    service.has_secret(tag="c", secret="\ud800")
    service.tables.write_row(Key(Table.SECRETS, "a", "1"), {"start_ts": NOW, "end_ts": NOW + 9})
    service.has_secret(tag="b")

    assert rows_of(search_of(service).by_value(HMAC_KEY)) == [("b", "1")]


def test_half_a_fingerprint_is_not_looked_for() -> None:
    service = a_service()
    service.tables.failure = Unreachable("the table was read")

    with pytest.raises(Invalid, match="a fingerprint is"):
        search_of(service).by_fingerprint("scrypt:short")


def test_the_secret_that_signed_a_token_is_found_whatever_its_kid_its_window_and_its_size() -> None:
    service = a_service()
    service.has_secret(tag="a", secret=json.dumps(an_oct_jwk(b"k", kid="another")), end_ts=NOW)
    service.has_secret(tag="b", secret=OTHER_KEY)
    token = a_token(key=b"k", header={"kid": "of the token"})

    assert rows_of(search_of(service).that_signed(unverified_jws(token))) == [("a", "1")]
    assert rows_of(search_of(service).that_signed(unverified_jws(token), tag_prefix="b")) == []


def test_tags_with_a_usable_secret_are_told_from_those_without() -> None:
    service = a_service()
    service.has_secret("1", tag="one of two", end_ts=NOW)
    service.has_secret("2", tag="one of two")
    service.has_secret(tag="closed", end_ts=NOW)
    service.has_secret(tag="unusable", secret="short")

    usable = search_of(service).tags_with_usable_secret()

    assert [tag for tag in (b"one of two", b"closed", b"unusable", b"none") if tag in usable] == [b"one of two"]
    assert b"one of two" not in search_of(service).tags_with_usable_secret(tag_prefix="two")


def test_keys_that_several_tags_share_are_described_the_most_shared_first() -> None:
    service = a_service()
    for tag in ("a", "b"):
        service.has_secret(tag=tag, secret=HMAC_KEY)
    for tag in ("c", "d", "e"):
        service.has_secret(tag=tag, secret=public_pem())
    service.has_secret(tag="alone", secret=OTHER_KEY)

    shared = search_of(service).shared_keys()

    assert shared.keys == (
        SharedKey(fingerprint(service, "c"), "RSA 2048", 3, ("c", "d", "e")),
        SharedKey(fingerprint(service, "a"), "HMAC, 64 bytes", 2, ("a", "b")),
    )
    assert shared.more == 0


def test_one_tag_that_holds_a_key_twice_shares_it_with_nobody() -> None:
    service = a_service()
    service.has_secret("1", tag="a", end_ts=NOW)
    service.has_secret("2", tag="a")

    assert search_of(service).shared_keys().keys == ()


def test_rows_of_a_tag_that_come_apart_are_no_sharing() -> None:
    service = a_service()
    service.has_secret("1", tag="a")
    service.has_secret("1", tag="b", secret=OTHER_KEY)
    service.has_secret("2", tag="a")

    assert search_of(service).shared_keys().keys == ()


def test_only_the_most_shared_are_described_and_the_others_counted() -> None:
    service = a_service()
    for key in range(4):
        for tag in range(2 + key):
            service.has_secret(tag=f"{key}-{tag}", secret=f"{HMAC_KEY}{key}")

    shared = search_of(service).shared_keys(most=2)

    assert ([key.tags for key in shared.keys], shared.more) == ([5, 4], 2)


def test_of_a_key_that_all_share_some_tags_are_named_and_all_counted() -> None:
    service = a_service()
    for number in range(50):
        service.has_secret(tag=f"t{number:02}")

    (key,) = search_of(service).shared_keys().keys

    assert (key.tags, len(key.named)) == (50, MAX_NAMED)


def test_what_issuers_publish_is_left_out() -> None:
    service = a_service()
    issuer = "https://issuer.example.org"
    service.tables.write_row(Key(Table.SECRETS, issuer, KEYS_ROW), {"issuer_keys": "{}"})
    service.tables.write_row(Key(Table.SECRETS, domain_tag("example.org"), DOMAIN_ROW), {"issuer_domain_of": issuer})
    service.has_secret(tag="a", secret=public_pem())

    assert rows_of(search_of(service).by_value(public_pem())) == [("a", "1")]
    assert search_of(service).shared_keys().keys == ()


def test_a_search_of_a_tables_own_columns() -> None:
    service = a_service(columns=Columns(secret_tag="etikett", secret="schloss", start="ab", end="bis"))
    row = {"schloss": HMAC_KEY, "ab": NOW, "bis": NOW + 9}
    service.tables.write_row(Key(Table.SECRETS, "a", "1"), row)
    service.tables.write_row(Key(Table.SECRETS, "b", "1"), row)

    assert rows_of(search_of(service).by_value(HMAC_KEY)) == [("a", "1"), ("b", "1")]


def test_a_search_tells_how_far_it_is() -> None:
    service = a_service()
    service.tables.rows_a_page = 2
    for tag in ("a", "b", "c"):
        service.has_secret(tag=tag)
    told: list[tuple[float, int]] = []
    search = SecretSearch(service.provisioning.registry, proceed=lambda units, rows: told.append((units, rows)))

    list(search.by_value(HMAC_KEY))

    assert told == [(0.5, 2), (0.5, 3)]


def test_a_search_that_is_given_up_is_no_result() -> None:
    service = a_service()
    service.has_secret()

    def give_up(_units: float, _rows: int) -> None:
        raise Fault("no time left")

    with pytest.raises(Fault, match="no time left"):
        SecretSearch(service.provisioning.registry, proceed=give_up).shared_keys()


def test_no_record_shows_a_value() -> None:
    service = a_service()
    service.has_secret(tag="a")
    service.has_secret(tag="b")

    assert HMAC_KEY not in repr(list(search_of(service).by_value(HMAC_KEY)))
    assert HMAC_KEY not in repr(search_of(service).shared_keys())


def test_a_bag_of_digests_holds_what_was_put_in_and_counts_it() -> None:
    bag = DigestBag()
    texts = [str(number).encode() for number in range(2000)]
    for text in (*texts, texts[7], texts[7], texts[9]):
        bag.add(text)

    assert all(text in bag for text in texts)
    assert not any(f"{text!r} is not in".encode() in bag for text in texts)
    assert bag.repeated(5).counts == {bag.digest_of(texts[7]): 3, bag.digest_of(texts[9]): 2}
    assert (bag.repeated(1).counts, bag.repeated(1).more) == ({bag.digest_of(texts[7]): 3}, 1)


def test_a_bag_counts_what_comes_back_after_much_else() -> None:
    bag = DigestBag()
    texts = [str(number).encode() for number in range(2000)]
    for text in (*texts, *texts):
        bag.add(text)

    assert set(bag.repeated(2000).counts.values()) == {2}
    assert (len(bag.repeated(2000).counts), bag.repeated(1999).more) == (2000, 1)


def test_two_bags_know_a_text_by_different_digests() -> None:
    """Nobody who sees one can tell the key."""
    assert DigestBag().digest_of(b"key") != DigestBag().digest_of(b"key")
