"""What is read of a discovery document, and which keys of a set are kept."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from auth_jwt.errors import Flaw, Invalid
from auth_jwt.fetching.documents import (
    Discovery,
    DroppedKey,
    FilteredKeySet,
    discovery_url,
    read_discovery,
    read_key_set,
)
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import KeySet
from auth_jwt.jose.asymmetric import thumbprint
from tests.factories import KEYS, a_jwk, a_jwks, a_private_key, a_public_key, an_oct_jwk, segment

ISSUER = "https://login.test"
URL = "https://keys.test/keys?appid=1"
CANARY = "what a hostile server says"


def a_discovery(**members: Any) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **members}).encode()


def filtered(*keys: object) -> FilteredKeySet:
    return read_key_set(a_jwks(*keys).encode(), URL)


def kinds_of(keys: FilteredKeySet) -> list[tuple[str | None, Flaw]]:
    return [(key.kid, key.flaw) for key in keys.dropped]


def stored(keys: FilteredKeySet) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads(keys.key_set.text)["keys"]
    return entries


def failure_of(*keys: object, body: bytes | None = None) -> FetchFailed:
    with pytest.raises(FetchFailed, match=r"keys\.test") as caught:
        read_key_set(a_jwks(*keys).encode() if body is None else body, URL)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


class TestDiscoveryUrl:
    @pytest.mark.parametrize(
        ("identifier", "url"),
        [
            (ISSUER, f"{ISSUER}/.well-known/openid-configuration"),
            pytest.param(f"{ISSUER}/", f"{ISSUER}/.well-known/openid-configuration", id="a final slash"),
            pytest.param(f"{ISSUER}//", f"{ISSUER}//.well-known/openid-configuration", id="of two, one"),
            pytest.param(f"{ISSUER}/r/a", f"{ISSUER}/r/a/.well-known/openid-configuration", id="a path"),
            pytest.param(f"{ISSUER}:8443", f"{ISSUER}:8443/.well-known/openid-configuration", id="a port"),
        ],
    )
    def test_it_is_the_identifier_less_one_final_slash_and_a_path(self, identifier: str, url: str) -> None:
        assert discovery_url(identifier) == url

    @pytest.mark.parametrize("identifier", ["http://login.test", "https://login.test?a", "https://login.test/{tenant}"])
    def test_what_can_be_no_issuer_has_none(self, identifier: str) -> None:
        with pytest.raises(Invalid):
            discovery_url(identifier)


class TestDiscovery:
    def test_it_says_where_the_keys_are_and_by_what_the_issuer_signs(self) -> None:
        found = read_discovery(a_discovery(id_token_signing_alg_values_supported=["RS256", "EdDSA"]), ISSUER)

        assert found == Discovery(f"{ISSUER}/keys", is_elsewhere=False, algorithms=("RS256", "EdDSA"))

    @pytest.mark.parametrize(
        ("url", "is_elsewhere"),
        [
            ("https://login.test/keys", False),
            pytest.param("https://login.test:443/keys", False, id="the usual port, written out"),
            pytest.param("https://LOGIN.test/keys", False, id="another case"),
            pytest.param("https://keys.test/keys", True, id="another host"),
            pytest.param("https://keys.login.test/", True, id="a host below"),
            pytest.param("https://login.test:8443/keys", True, id="another port"),
        ],
    )
    def test_another_host_is_allowed_and_told(self, url: str, is_elsewhere: bool) -> None:
        """Google's keys are at another host than its issuer, for one."""
        found = read_discovery(a_discovery(jwks_uri=url), ISSUER)

        assert (found.keys_url, found.is_elsewhere) == (url, is_elsewhere)

    @pytest.mark.parametrize(
        "issuer",
        [
            pytest.param(f"{ISSUER}/", id="with a slash"),
            pytest.param("https://LOGIN.test", id="in upper case"),
            pytest.param(f"{ISSUER}:443", id="with the port"),
            pytest.param("https://login.test/{tenantid}", id="a template"),
            pytest.param(None, id="null"),
            pytest.param([ISSUER], id="a list"),
            pytest.param("https://ot\u202eher.test", id="hidden characters"),
        ],
    )
    def test_the_document_of_an_issuer_that_is_written_differently_is_refused(self, issuer: object) -> None:
        with pytest.raises(FetchFailed, match=r"login\.test") as caught:
            read_discovery(a_discovery(issuer=issuer), ISSUER)

        assert caught.value.kind is FailureKind.WRONG_ISSUER
        assert str(caught.value).isascii()

    def test_the_operator_is_told_which_issuer_it_is(self) -> None:
        """Mostly it is a final slash, and then they know."""
        with pytest.raises(FetchFailed, match=r"is that of 'https://login\.test/', not of 'https://login\.test'"):
            read_discovery(a_discovery(issuer=f"{ISSUER}/"), ISSUER)

    @pytest.mark.parametrize("issuer", ["", "a" * 129, "\x1b[2J", "é"])
    def test_text_that_is_no_issuer_is_not_repeated(self, issuer: str) -> None:
        with pytest.raises(FetchFailed, match="that of another issuer, or of none") as caught:
            read_discovery(a_discovery(issuer=issuer), ISSUER)

        assert not issuer or issuer not in str(caught.value)

    def test_a_document_without_an_issuer_is_refused(self) -> None:
        with pytest.raises(FetchFailed) as caught:
            read_discovery(json.dumps({"jwks_uri": URL}).encode(), ISSUER)

        assert caught.value.kind is FailureKind.WRONG_ISSUER

    @pytest.mark.parametrize(
        "url",
        ["http://login.test/keys", "", None, 5, ["https://a/"], "https://a@b/", "https://a/#b", "file:///a", "/a"],
    )
    def test_an_address_that_cannot_be_one_of_keys_is_refused(self, url: object) -> None:
        with pytest.raises(FetchFailed, match=r"login\.test") as caught:
            read_discovery(a_discovery(jwks_uri=url), ISSUER)

        assert caught.value.kind is FailureKind.BAD_KEYS_URL

    def test_one_without_an_address_is_refused(self) -> None:
        with pytest.raises(FetchFailed, match="'jwks_uri' is missing") as caught:
            read_discovery(json.dumps({"issuer": ISSUER}).encode(), ISSUER)

        assert caught.value.kind is FailureKind.BAD_KEYS_URL

    @pytest.mark.parametrize(
        ("said", "read"),
        [
            (None, ()),
            ("RS256", ()),
            ({"RS256": 1}, ()),
            (["RS256", 5, None, "\x1b[2J", "a" * 200, "", "none", "HS256"], ("RS256", "none", "HS256")),
        ],
    )
    def test_of_the_algorithms_those_are_told_that_can_be_shown(self, said: object, read: tuple[str, ...]) -> None:
        found = read_discovery(a_discovery(id_token_signing_alg_values_supported=said), ISSUER)

        assert found.algorithms == read


NOT_JSON = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"<html><body>Sign in</body></html>", id="HTML"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'{"keys": [], "keys": []}', id="a member twice"),
    pytest.param(b'{"keys": [{"kty": "RSA", "kty": "oct"}]}', id="a member of a key twice"),
    pytest.param(b'{"keys": [NaN]}', id="NaN"),
    pytest.param(b'{"keys": [1e999]}', id="a number without end"),
    pytest.param(b'{"keys": [99999999999999999999]}', id="a long number"),
    pytest.param(b'{"keys": ["\\ud800"]}', id="half of a surrogate pair"),
    pytest.param(b'{"keys": ["\\u0000"]}', id="NUL"),
    pytest.param(b'{"keys": ["\xff"]}', id="no UTF-8"),
    pytest.param('{"keys": []}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"keys": []} {}', id="text after it"),
    pytest.param(b'{"keys": []', id="half of it"),
    pytest.param(b'{"keys": ' + b"[" * 70 + b"]" * 70 + b"}", id="too deep"),
    pytest.param(b'{"keys": ' + b"[" * 100_000, id="far too deep"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf{}", id="two BOMs"),
    pytest.param(b"{\xef\xbb\xbf}", id="a BOM within"),
]


@pytest.mark.parametrize("body", NOT_JSON)
def test_a_document_is_read_as_strictly_as_a_token(body: bytes) -> None:
    with pytest.raises(FetchFailed, match=r"login\.test") as caught:
        read_discovery(body, ISSUER)

    assert caught.value.kind is FailureKind.NOT_JSON
    assert "html" not in str(caught.value)
    assert caught.value.__context__ is None
    assert failure_of(body=body).kind is FailureKind.NOT_JSON


def test_one_bom_at_its_beginning_is_allowed() -> None:
    assert read_discovery(b"\xef\xbb\xbf" + a_discovery(), ISSUER).keys_url == f"{ISSUER}/keys"
    assert len(read_key_set(b"\xef\xbb\xbf" + a_jwks(a_jwk()).encode(), URL).key_set.keys) == 1


class TestKeptKeys:
    @pytest.mark.parametrize("name", ["rsa_2048", "p256", "p384", "p521", "ed25519", "ed448"])
    def test_a_key_is_kept_as_logins_read_it(self, name: str) -> None:
        kept = filtered(a_jwk(name, kid="k1"))

        (key,) = kept.key_set.keys
        assert (key.kid, key.thumbprint, kept.dropped) == ("k1", thumbprint(a_public_key(name)), ())
        assert kept.key_set.url == URL

    def test_only_the_members_that_verification_needs_are_kept(self) -> None:
        """So certificates and comments do not fill the row, and nobody reads in them what was not checked."""
        rsa_key = a_jwk(
            kid="k1", alg="RS256", use="sig", key_ops=["verify"], x5c=["MII"], x5t="a", x="y", crv="z", issuer="i"
        )
        kept = filtered(rsa_key, a_jwk("p256", kid="k2", n="AQAB", e="AQAB"), a_jwk("ed25519", y="AQAB", ext=True))

        assert sorted(map(sorted, stored(kept))) == sorted(
            [["alg", "e", "kid", "kty", "n"], ["crv", "kid", "kty", "x", "y"], ["crv", "kty", "x"]]
        )

    def test_a_member_that_is_null_counts_as_absent(self) -> None:
        assert stored(filtered(a_jwk(kid=None, alg=None, use=None, key_ops=None))) == [a_jwk()]

    def test_the_alg_of_a_key_narrows_what_it_verifies(self) -> None:
        (key,) = filtered(a_jwk(alg="PS384")).key_set.keys

        assert key.key is not None
        assert key.key.algorithms == {"PS384"}

    def test_the_text_is_the_same_in_whatever_order_the_keys_come(self) -> None:
        """It says nothing (RFC 7517, section 5), and an unchanged set must not look changed."""
        one, two, three = a_jwk(kid="a"), a_jwk("p256", kid="b"), a_jwk("ed25519", kid="a")

        assert filtered(one, two, three).key_set == filtered(three, one, two).key_set

    def test_nor_does_it_matter_how_the_document_is_written(self) -> None:
        key = a_jwk(kid="a")
        shuffled = json.dumps({"x": 1, "keys": [dict(reversed(key.items()))]}, indent=4).encode()

        assert read_key_set(shuffled, URL).key_set == filtered(key).key_set

    def test_leading_zeros_make_no_other_key(self) -> None:
        padded = a_jwk(e=segment(bytes(2) + b"\x01\x00\x01"))

        assert filtered(padded).key_set == filtered(a_jwk()).key_set

    def test_a_coordinate_keeps_its_leading_zeros(self) -> None:
        """A key of an elliptic curve is refused without them."""
        while True:
            private = ec.generate_private_key(ec.SECP256R1())
            if private.public_key().public_numbers().x < 2**248:
                break
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)

        (key,) = filtered({name: jwk[name] for name in ("kty", "crv", "x", "y")}).key_set.keys
        assert key.thumbprint == thumbprint(private.public_key())

    def test_the_largest_rsa_key_is_kept(self) -> None:
        largest = {"kty": "RSA", "e": "AQAB", "n": segment((2**8192 - 1).to_bytes(1024, "big"))}

        assert stored(filtered(largest)) == [largest]

    def test_a_key_that_is_given_twice_is_kept_once(self) -> None:
        assert stored(filtered(a_jwk(kid="a"), a_jwk(kid="a"), a_jwk(kid="b"))) == [a_jwk(kid="a"), a_jwk(kid="b")]

    def test_two_keys_may_have_one_kid(self) -> None:
        assert len(filtered(a_jwk(kid="a"), a_jwk("rsa_2048_other", kid="a")).key_set.keys) == 2

    def test_text_beyond_ascii_stays_short(self) -> None:
        assert "ключ" in filtered(a_jwk(kid="ключ")).key_set.text

    def test_a_hundred_keys_are_read_and_not_one_more(self) -> None:
        keys = [a_jwk("ed25519", kid=str(number)) for number in range(101)]

        assert len(filtered(*keys[:100]).key_set.keys) == 100
        assert failure_of(*keys).kind is FailureKind.TOO_MANY_KEYS

    def test_keys_that_are_dropped_count_among_the_hundred(self) -> None:
        assert failure_of(a_jwk(), *[{}] * 100).kind is FailureKind.TOO_MANY_KEYS

    def test_the_keys_are_not_in_a_repr(self) -> None:
        assert a_jwk()["n"] not in repr(filtered(a_jwk(), an_oct_jwk()))


PUBLISHED = json.loads((KEYS / "published.json").read_text("utf-8"))["public_keys"][0]["jwk"]
EVEN = {"kty": "RSA", "e": "AQAB", "n": segment((2**2047 + 2).to_bytes(256, "big"))}
SQUARE = {"kty": "RSA", "e": "AQAB", "n": segment(((2**1024 - 105) ** 2).to_bytes(256, "big"))}
GENERATOR = {
    "kty": "EC",
    "crv": "P-256",
    "x": segment(bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")),
    "y": segment(bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")),
}


class TestDroppedKeys:
    @pytest.mark.parametrize(
        ("bad", "flaw"),
        [
            pytest.param(an_oct_jwk(kid="bad"), Flaw.UNSUPPORTED_KEY, id="oct"),
            pytest.param(an_oct_jwk(b"k", kid="bad"), Flaw.UNSUPPORTED_KEY, id="a short oct"),
            pytest.param({"kty": "oct", "kid": "bad"}, Flaw.MALFORMED_JWK, id="an oct without a key"),
            pytest.param(a_jwk(kid="bad", use="enc"), Flaw.NOT_FOR_VERIFYING, id="for encryption"),
            pytest.param(a_jwk(kid="bad", use="SIG"), Flaw.NOT_FOR_VERIFYING, id="use in upper case"),
            pytest.param(a_jwk(kid="bad", use=["sig"]), Flaw.MALFORMED_JWK, id="a use that is no text"),
            pytest.param(a_jwk(kid="bad", key_ops=["encrypt"]), Flaw.NOT_FOR_VERIFYING, id="operations without verify"),
            pytest.param(a_jwk(kid="bad", key_ops=[]), Flaw.NOT_FOR_VERIFYING, id="no operation"),
            pytest.param(a_jwk(kid="bad", key_ops="verify"), Flaw.NOT_FOR_VERIFYING, id="operations that are no list"),
            pytest.param(
                {"kty": "AKP", "kid": "bad", "alg": "ML-DSA-44", "pub": "AQ"}, Flaw.UNSUPPORTED_KEY, id="ML-DSA"
            ),
            pytest.param({"kid": "bad"}, Flaw.UNSUPPORTED_KEY, id="no type"),
            pytest.param({"kid": "bad", "kty": 5}, Flaw.MALFORMED_JWK, id="a type that is no text"),
            pytest.param({"kid": "bad", "keys": [a_jwk()]}, Flaw.UNSUPPORTED_KEY, id="a set within the set"),
            pytest.param(a_jwk("secp256k1", kid="bad"), Flaw.UNSUPPORTED_KEY, id="a curve that is not accepted"),
            pytest.param({"kty": "OKP", "crv": "X25519", "x": segment(bytes(32)), "kid": "bad"}, None, id="X25519"),
            pytest.param(a_jwk("rsa_2047", kid="bad"), Flaw.UNSUPPORTED_KEY, id="an RSA key that is too small"),
            pytest.param(
                {"kty": "RSA", "e": "AQAB", "n": segment((2**8192 + 1).to_bytes(1025, "big")), "kid": "bad"},
                Flaw.UNSUPPORTED_KEY,
                id="an RSA key that is too large",
            ),
            pytest.param(a_jwk(kid="bad", alg="RSA-OAEP"), Flaw.ALG_DISAGREES, id="alg of encryption"),
            pytest.param(a_jwk(kid="bad", alg="ES256"), Flaw.ALG_DISAGREES, id="alg of another kind of key"),
            pytest.param(a_jwk(kid="bad", alg="HS256"), Flaw.ALG_DISAGREES, id="alg of HMAC"),
            pytest.param(a_jwk(kid="bad", alg="none"), Flaw.ALG_DISAGREES, id="alg none"),
            pytest.param(a_jwk("p256", kid="bad", alg="ES384"), Flaw.ALG_DISAGREES, id="alg of another curve"),
            pytest.param(a_jwk(kid="bad", alg=5), Flaw.MALFORMED_JWK, id="an alg that is no text"),
            pytest.param(a_jwk(kid="bad", n="A+/="), Flaw.MALFORMED_JWK, id="standard base64"),
            pytest.param(a_jwk("p256", kid="bad", x="AQAB"), Flaw.MALFORMED_JWK, id="a coordinate of another length"),
            pytest.param(
                a_jwk("p256", kid="bad", y=segment(bytes(32))), Flaw.UNREADABLE_KEY, id="no point of the curve"
            ),
            pytest.param({**PUBLISHED, "kid": "bad"}, Flaw.PUBLISHED_KEY, id="a key of an RFC"),
            pytest.param({**EVEN, "kid": "bad"}, Flaw.DEGENERATE_KEY, id="an even modulus"),
            pytest.param({**SQUARE, "kid": "bad"}, Flaw.DEGENERATE_KEY, id="a modulus that is a square"),
            pytest.param(a_jwk(kid="bad", e="AQ"), None, id="exponent 1"),
            pytest.param({**GENERATOR, "kid": "bad"}, Flaw.DEGENERATE_KEY, id="the generator"),
            pytest.param(
                {"kty": "OKP", "crv": "Ed25519", "x": segment(b"\x01" + bytes(31)), "kid": "bad"},
                Flaw.DEGENERATE_KEY,
                id="a point of small order",
            ),
        ],
    )
    def test_one_bad_key_does_not_spoil_the_good_ones(self, bad: dict[str, Any], flaw: Flaw | None) -> None:
        kept = filtered(a_jwk(kid="a"), bad, a_jwk("p256", kid="b"))

        assert {key.kid for key in kept.key_set.keys} == {"a", "b"}
        assert len(kept.dropped) == 1
        assert kept.dropped[0].kid == "bad"
        assert flaw is None or kept.dropped[0].flaw is flaw

    @pytest.mark.parametrize("bad", [None, 5, "text", [], [a_jwk()], True, {}])
    def test_what_is_no_key_at_all_does_not_either(self, bad: object) -> None:
        kept = filtered(bad, a_jwk())

        assert (len(kept.key_set.keys), len(kept.dropped), kept.dropped[0].kid) == (1, 1, None)

    def test_a_kid_that_is_no_text_drops_its_key(self) -> None:
        assert kinds_of(filtered(a_jwk(), a_jwk("p256", kid=5))) == [(None, Flaw.MALFORMED_JWK)]

    def test_a_kid_of_128_characters_can_be_shown(self) -> None:
        kid = "a" * 128

        assert kinds_of(filtered(a_jwk(), a_jwk(use="enc", kid=kid))) == [(kid, Flaw.NOT_FOR_VERIFYING)]

    @pytest.mark.parametrize("kid", ["\x1b[2J", "a" * 129, "é", ""])
    def test_a_kid_that_cannot_be_shown_is_not(self, kid: str) -> None:
        assert kinds_of(filtered(a_jwk(), a_jwk(use="enc", kid=kid))) == [(None, Flaw.NOT_FOR_VERIFYING)]

    def test_dropped_keys_are_counted_by_flaw(self) -> None:
        kept = filtered(a_jwk(), a_jwk(use="enc"), an_oct_jwk(), a_jwk("p256", use="enc"))

        assert kept.count_flaws() == {"not_for_verifying": 2, "unsupported_key": 1}

    def test_the_slow_check_is_made_for_few_keys_only(self) -> None:
        """It takes up to half a second for each: a set of a hundred would take a minute of the processor."""
        seven = [a_jwk("p256", kid=str(number)) for number in range(7)]

        assert len(filtered(*seven, SQUARE).dropped) == 1
        assert len(filtered(*seven, a_jwk(), SQUARE).dropped) == 0

    def test_nor_again_for_a_key_that_is_known(self) -> None:
        body = a_jwks(SQUARE).encode()
        known = KeySet(
            read_key_set(a_jwks(a_jwk("p256"), *[a_jwk("p256")] * 7, SQUARE).encode(), URL).key_set.text, URL
        )

        assert len(read_key_set(body, URL, known=known).dropped) == 0
        assert failure_of(SQUARE).kind is FailureKind.NO_USABLE_KEY


class TestRefusedSets:
    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"])
    @pytest.mark.parametrize("key", [a_jwk(), an_oct_jwk(), {"kty": "AKP"}, a_jwk(use="enc"), {}], ids=str)
    def test_a_private_key_among_them_refuses_the_whole_set(self, key: dict[str, Any], member: str) -> None:
        failure = failure_of(a_jwk("p256"), {**key, member: CANARY})

        assert failure.kind is FailureKind.PRIVATE_KEY_PUBLISHED

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"keys": [a_jwk()], "d": CANARY}, id="beside the keys"),
            pytest.param({"keys": [a_jwk(jwk={"d": CANARY})]}, id="within a key"),
            pytest.param({"keys": [a_jwk(), [[{"d": CANARY}]]]}, id="in a list"),
            pytest.param({"keys": [a_jwk()], "more": {"keys": [{"oth": [CANARY]}]}}, id="in another set"),
        ],
    )
    def test_wherever_in_the_document_it_is(self, body: dict[str, Any]) -> None:
        assert failure_of(body=json.dumps(body).encode()).kind is FailureKind.PRIVATE_KEY_PUBLISHED

    def test_a_real_private_key_is_recognized(self) -> None:
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(a_private_key("p256"), as_dict=True)

        assert failure_of(a_jwk(), jwk).kind is FailureKind.PRIVATE_KEY_PUBLISHED

    @pytest.mark.parametrize("nothing", [None, "", []])
    def test_a_private_member_with_nothing_in_it_is_none(self, nothing: object) -> None:
        """Some servers write each member that they know."""
        assert len(filtered(a_jwk(d=nothing, oth=nothing)).key_set.keys) == 1

    def test_the_octets_of_a_symmetric_key_drop_that_key_only(self) -> None:
        assert len(filtered(a_jwk(), an_oct_jwk()).key_set.keys) == 1

    def test_a_set_without_a_usable_key_is_a_failure_that_says_why(self) -> None:
        failure = failure_of(a_jwk(use="enc"), an_oct_jwk(), a_jwk("p256", use="enc"))

        assert failure.kind is FailureKind.NO_USABLE_KEY
        assert "none of the 3 keys" in str(failure)
        assert "not_for_verifying: 2, unsupported_key: 1" in str(failure)

    def test_so_is_an_empty_one(self) -> None:
        failure = failure_of()

        assert (failure.kind, "the set is empty" in str(failure)) == (FailureKind.NO_USABLE_KEY, True)

    @pytest.mark.parametrize("body", [b"{}", b'{"keys": null}', b'{"keys": {}}', b'{"keys": "a"}', b'{"Keys": []}'])
    def test_an_object_without_a_list_of_keys_is_no_key_set(self, body: bytes) -> None:
        assert failure_of(body=body).kind is FailureKind.NOT_A_KEY_SET

    def test_a_single_key_is_no_key_set(self) -> None:
        assert failure_of(body=json.dumps(a_jwk()).encode()).kind is FailureKind.NOT_A_KEY_SET


def test_what_was_stored_reads_the_same_again() -> None:
    """A set that is filtered once more, by a later version for one, stays as it is."""
    kept = filtered(*(a_jwk(name, kid=name) for name in ("rsa_2048", "p256", "p521", "ed25519", "ed448")))

    assert read_key_set(kept.key_set.text.encode(), URL) == FilteredKeySet(KeySet(kept.key_set.text, URL), ())


def test_a_dropped_key_says_nothing_of_its_material() -> None:
    assert filtered(a_jwk(), an_oct_jwk(b"a secret of some octets", kid="k")).dropped == (
        DroppedKey("k", Flaw.UNSUPPORTED_KEY),
    )
