"""Public keys: how they are read, what they verify, and the two helpers that the module has for them."""

import base64
from typing import Any

import jwt.algorithms
import pytest
from cryptography.exceptions import UnsupportedAlgorithm

import auth_jwt
from auth_jwt.errors import InvalidKey, Reason
from auth_jwt.jose import asymmetric
from tests.factories import (
    a_private_key,
    a_public_key,
    a_secret,
    a_signature,
    a_token,
    an_authorizer,
    certificate_der,
    certificate_pem,
    octets_of,
    public_pem,
    refusal,
    segment,
)

SIGNERS = {
    **{f"{family}{size}": "rsa_2048" for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": "p256",
    "ES384": "p384",
    "ES512": "p521",
    "EdDSA": "ed25519",
}
CASES = [*SIGNERS.items(), ("EdDSA", "ed448")]


def signed_text(alg: str, name: str) -> bytes:
    return a_signature("text", a_private_key(name), alg)


# -- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alg", "name"), CASES)
def test_a_signature_is_verified_by_its_own_key_over_its_own_text(alg: str, name: str) -> None:
    key, signature = a_public_key(name), signed_text(alg, name)

    assert asymmetric.verifies(key, alg, b"text", signature) is True
    assert asymmetric.verifies(key, alg, b"texts", signature) is False


@pytest.mark.parametrize(
    ("alg", "other"),
    [
        ("RS256", "RS384"),
        ("RS384", "RS512"),
        ("RS512", "RS256"),
        ("PS256", "PS384"),
        ("PS384", "PS512"),
        ("PS512", "PS256"),
        ("RS256", "PS256"),
        ("PS512", "RS512"),
    ],
)
def test_one_algorithm_of_a_key_does_not_verify_what_another_signed(alg: str, other: str) -> None:
    assert asymmetric.verifies(a_public_key(), alg, b"text", signed_text(other, "rsa_2048")) is False


@pytest.mark.parametrize(("alg", "name"), CASES)
def test_a_signature_of_another_shape_is_a_wrong_one(alg: str, name: str) -> None:
    key, good = a_public_key(name), signed_text(alg, name)
    shapes = [b"", b"\0", good[:-1], good[1:], good + b"\0", b"\0" + good, bytes(len(good)), b"\xff" * len(good)]

    assert [asymmetric.verifies(key, alg, b"text", shape) for shape in shapes] == [False] * len(shapes)


# By RSASSA-PSS over b"text" with the key rsa_2048; its first octet is zero, as one in 256 is.
BEGINS_WITH_ZERO = octets_of(
    "ACkBc-b4RUW8CkRModlb9IK0ZMaNfKhIJ3Oygjb9Cteh4JtLx7wa3J59OrQ7VLVdAoVHC9_X3T12qbhziNukuv0Go_09fzYLkUc1"
    "LO45DqGEuDkF1pTq1_ENRgry9DqK7pjVICyFVnv1jxWAuIG-qrLJwVpurDVPEMgABe7AqLBqWq76aSRT03L1PGZaoD0_zhbZ1KtI"
    "ojmsNegrOhnxOyno0K5FfoTgfTrNA5t_iU9iDI1DkIMM_vOaVk8CJ3kzTmswDo9cfkHn1zsmS1-a8wSJ2QcswJ5a8Zb0WbueRsbd"
    "eggbiguhH_tarJLnRKMTDpO023LqeLHVGXoqmDFM-A"
)


def test_a_signature_has_the_length_of_its_key() -> None:
    """RFC 8017, section 8.1.2. Without its leading zero it would be a second spelling of a valid token."""
    key = a_public_key()

    assert asymmetric.verifies(key, "PS256", b"text", BEGINS_WITH_ZERO) is True
    assert asymmetric.verifies(key, "PS256", b"text", BEGINS_WITH_ZERO[1:]) is False


@pytest.mark.parametrize(("alg", "name"), [("ES256", "p384"), ("ES384", "p256"), ("ES512", "secp256k1")])
def test_an_algorithm_asked_of_a_key_on_another_curve_verifies_nothing(alg: str, name: str) -> None:
    signature = a_signature("text", a_private_key(SIGNERS[alg]), alg)

    assert asymmetric.verifies(a_public_key(name), alg, b"text", signature) is False


@pytest.mark.parametrize("error", [ValueError, UnsupportedAlgorithm])
def test_what_the_library_will_not_verify_is_not_verified(error: type[Exception]) -> None:
    """A build of OpenSSL may refuse a hash or a size at any time: that is no fault, and no yes."""

    class RefusedKey:
        def verify(self, *signature: object) -> None:
            raise error("disabled for this build")

    key: Any = RefusedKey()

    assert asymmetric.verifies(key, "RS256", b"text", signed_text("RS256", "rsa_2048")) is False


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("rsa_2048", 6, id="just large enough"),
        pytest.param("rsa_2047", 0, id="one bit too small"),
    ],
)
def test_rsa_has_at_least_2048_bits(name: str, count: int) -> None:
    if count:
        assert len(asymmetric.algorithms_of(a_public_key(name))) == count
    else:
        with pytest.raises(InvalidKey, match="RSA 2047"):
            asymmetric.algorithms_of(a_public_key(name))


def test_blocks_are_found_in_their_order_and_others_passed_over() -> None:
    keys = asymmetric.public_keys_in_pem(public_pem("p256") + public_pem("x25519") + certificate_pem("ed25519"))

    assert keys == [a_public_key("p256"), a_public_key("ed25519")]


def test_of_a_private_jwk_only_the_public_part_is_read() -> None:
    private = jwt.algorithms.OKPAlgorithm.to_jwk(a_private_key("ed25519"), as_dict=True)

    assert asymmetric.public_key_of_jwk(private) == a_public_key("ed25519")


def test_text_without_a_block_holds_no_key() -> None:
    assert asymmetric.public_keys_in_pem("-----BEGIN") == []


# -- the module's helpers ---------------------------------------------------------------------------------------------

SMALLEST = 2**511 + 111  # of 512 bits, and odd


def number(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def test_the_key_of_a_certificate_is_given_as_pem() -> None:
    assert auth_jwt.extract_pub_key_from_cert(certificate_pem("p256")) == public_pem("p256")


@pytest.mark.parametrize("name", ["rsa_2047", "dsa", "x25519"])
def test_the_helper_for_certificates_asks_nothing_of_the_key(name: str) -> None:
    assert auth_jwt.extract_pub_key_from_cert(certificate_pem(name)) == public_pem(name)


@pytest.mark.parametrize("text", ["", "x", public_pem(), certificate_pem()[:200], "-----BEGIN CERTIFICATE-----\ud800"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey, match=r"^no certificate with a readable public key$"):
        auth_jwt.extract_pub_key_from_cert(text)


@pytest.mark.parametrize("certificate", [None, 1, b"x", ["x"]], ids=lambda value: type(value).__name__)
def test_a_certificate_is_text(certificate: Any) -> None:
    with pytest.raises(InvalidKey):
        auth_jwt.extract_pub_key_from_cert(certificate)


def test_exponent_and_modulus_make_a_key() -> None:
    numbers = a_public_key().public_numbers()

    assert auth_jwt.extract_pub_key_from_exp_mod(number(numbers.e), number(numbers.n)) == public_pem()


@pytest.mark.parametrize("left_over", ["", "A", "_"])
def test_a_dangling_last_character_is_ignored(left_over: str) -> None:
    """`AQAB` and the modulus are whole groups of four; one character more carries no whole byte."""
    modulus = a_public_key().public_numbers().n.to_bytes(258, "big")  # 344 characters

    assert auth_jwt.extract_pub_key_from_exp_mod("AQAB" + left_over, segment(modulus) + left_over) == public_pem()


@pytest.mark.parametrize(
    ("modulus", "usable"),
    [
        pytest.param(SMALLEST, True, id="512 bits"),
        pytest.param(2**511 - 1, False, id="511 bits"),
    ],
)
def test_a_modulus_has_at_least_512_bits(modulus: int, usable: bool) -> None:
    def extract() -> str:
        return auth_jwt.extract_pub_key_from_exp_mod("AQAB", number(modulus))

    if usable:
        assert extract().startswith("-----BEGIN PUBLIC KEY-----\n")
    else:
        with pytest.raises(InvalidKey, match="512 bits"):
            extract()


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536], ids=["0", "1", "2", "even"])
def test_an_exponent_is_odd_and_at_least_three(exponent: int) -> None:
    with pytest.raises(InvalidKey):
        auth_jwt.extract_pub_key_from_exp_mod(segment(exponent.to_bytes(3, "big")), number(SMALLEST))


def test_three_is_an_exponent() -> None:
    assert auth_jwt.extract_pub_key_from_exp_mod(number(3), number(SMALLEST)).startswith("-----BEGIN PUBLIC KEY-----\n")


GOOD_N = number(SMALLEST)


@pytest.mark.parametrize(
    ("e", "n"),
    [
        pytest.param("", GOOD_N, id="e is empty"),
        pytest.param("AQAB", "", id="n is empty"),
        pytest.param("A", GOOD_N, id="e is one character"),
        pytest.param("AQAB==", GOOD_N, id="e has padding"),
        pytest.param("AQAB\n", GOOD_N, id="e has a newline behind"),
        pytest.param("AQAB", " " + GOOD_N, id="n has a blank in front"),
        pytest.param("AQAB", GOOD_N[:-4] + "+/+/", id="n has the other alphabet"),
        pytest.param(None, GOOD_N, id="e is none"),
        pytest.param("AQAB", 3, id="n is a number"),
        pytest.param(b"AQAB", GOOD_N, id="e is bytes"),
    ],
)
def test_exponent_and_modulus_are_unpadded_base64url(e: Any, n: Any) -> None:
    with pytest.raises(InvalidKey):
        auth_jwt.extract_pub_key_from_exp_mod(e, n)


def test_neither_helper_quotes_what_it_was_given() -> None:
    body = base64.b64encode(b"hunter2").decode()
    with pytest.raises(InvalidKey) as of_certificate:
        auth_jwt.extract_pub_key_from_cert(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    with pytest.raises(InvalidKey) as of_numbers:
        auth_jwt.extract_pub_key_from_exp_mod("AQAB", "hunter2!")

    assert not {"hunter2", "hunter2!", body} & {*map(str, of_certificate.value.args), *map(str, of_numbers.value.args)}
    assert of_certificate.value.__suppress_context__


def of_an_unknown_version() -> str:
    """A certificate of a version that `cryptography` answers with an exception of no kind of ours."""
    octets = bytearray(certificate_der())
    octets[octets.index(b"\xa0\x03\x02\x01\x02") + 4] = 9
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(octets).decode()}\n-----END CERTIFICATE-----\n"


def test_whatever_a_parser_says_of_hostile_text_it_is_no_key() -> None:
    with pytest.raises(InvalidKey):
        auth_jwt.extract_pub_key_from_cert(of_an_unknown_version())
    assert refusal(lambda: auth_jwt.verify_jws(a_token(), of_an_unknown_version())) is Reason.BAD_SIGNATURE


def test_a_row_with_such_a_certificate_does_not_spoil_the_others() -> None:
    authorizer = an_authorizer(a_secret(of_an_unknown_version(), id="0"), a_secret(id="1"))

    assert authorizer.authorize(a_token()).sip_username == "alice"
    assert authorizer.script_authorize(a_token(), of_an_unknown_version())[0] == -1
