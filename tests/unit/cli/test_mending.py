"""`auth-jwt key mend` and `from-jwk`: keys as people and servers really have them become PEM, and it says how."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)
from typer.testing import CliRunner, Result

from auth_jwt.errors import InvalidKey
from auth_jwt.jose.keys import verification_keys
from auth_jwt_cli.main import app
from tests.doubtful_keys import PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_jwks,
    a_private_key,
    an_oct_jwk,
    certificate_der,
    certificate_pem,
    encoded_key,
    octets_of,
    openssh_line,
    pkcs1_pem,
    private_pem,
    public_der,
    public_pem,
    segment,
)

SSH = ("rsa_2048", "p256", "ed25519")


def key(*arguments: str, given: str | bytes, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["key", *arguments], input=given)
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output
    return result


def mended(given: str | bytes, *arguments: str) -> Result:
    return key("mend", "-", *arguments, given=given)


def body_of(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if not line.startswith("-"))


def private_bytes(name: str, encoding: Encoding, form: PrivateFormat, password: bytes | None = None) -> bytes:
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    octets: bytes = a_private_key(name).private_bytes(encoding, form, how)
    return octets


def a_bag(*names: str) -> bytes:
    """PKCS#7 of certificates, binary."""
    return pkcs7.serialize_certificates(
        [x509.load_der_x509_certificate(certificate_der(n)) for n in names], Encoding.DER
    )


FORMS: dict[str, Callable[[], str | bytes]] = {
    "PEM as it should be": public_pem,
    "PKCS#1 PEM": pkcs1_pem,
    "a certificate": certificate_pem,
    "literal line breaks": lambda: public_pem().replace("\n", "\\n"),
    "literal breaks of Windows, quoted": lambda: f'"{public_pem()}"'.replace("\n", "\\r\\n"),
    "twice escaped": lambda: public_pem().replace("\n", "\\\\n"),
    "a JSON string": lambda: json.dumps(public_pem()),
    "on one line": lambda: public_pem().replace("\n", " "),
    "without any break": lambda: public_pem().replace("\n", ""),
    "without its end": lambda: public_pem().partition("-----END")[0],
    "with a dash lost": lambda: public_pem().replace("-----BEGIN", "----BEGIN").replace("KEY-----\nM", "KEY----\nM"),
    "indented, with blank lines": lambda: public_pem().replace("\n", "\n\n    "),
    "continued by backslashes": lambda: public_pem().replace("\n", "\\\n"),
    "zero-width spaces": lambda: public_pem().replace("\n", "\n\u200b"),
    "text before and behind": lambda: f"the key:\n{public_pem()}\nregards, Bob",
    "a byte order mark": lambda: b"\xef\xbb\xbf" + public_pem().encode(),
    "UTF-16": lambda: public_pem().encode("utf-16"),
    "UTF-16, big end first": lambda: b"\xfe\xff" + public_pem().encode("utf-16-be"),
    "UTF-16 without a mark": lambda: public_pem().encode("utf-16-le"),
    "DER": public_der,
    "DER of PKCS#1": lambda: encoded_key("rsa_2048", Encoding.DER, PublicFormat.PKCS1),
    "DER of a certificate": certificate_der,
    "PKCS#7": lambda: a_bag("rsa_2048"),
    "PKCS#7 as PEM": lambda: f"-----BEGIN PKCS7-----\n{b64encode(a_bag('rsa_2048')).decode()}\n-----END PKCS7-----\n",
    "base64 of DER": lambda: b64encode(public_der()),
    "base64url of DER, unpadded": lambda: segment(public_der()),
    "base64 on lines": lambda: body_of(public_pem())[:64] + "\n" + body_of(public_pem())[64:],
    "hex of DER": lambda: public_der().hex(),
    "hex with colons": lambda: public_der().hex(":").upper(),
    "hex behind 0x": lambda: f"0x{public_der().hex()}",
    "base64 of PEM": lambda: b64encode(public_pem().encode()),
    "base64 of base64": lambda: b64encode(b64encode(public_der())),
    "OpenSSH": openssh_line,
    "an authorized_keys line": lambda: f'from="10.0.0.1" {openssh_line()} bob@example.com\n',
    "RFC 4716": lambda: (
        f"---- BEGIN SSH2 PUBLIC KEY ----\nComment: bob\n{openssh_line().split()[1]}\n---- END SSH2 PUBLIC KEY ----\n"
    ),
    "a JWK": lambda: json.dumps(a_jwk()),
    "a JWKS": lambda: a_jwks(a_jwk()),
    "JWKs in a list": lambda: json.dumps([a_jwk()]),
    "base64 of a JWK": lambda: b64encode(json.dumps(a_jwk()).encode()),
    "a JSON map to PEM": lambda: json.dumps({"kid-1": certificate_pem()}),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_form_a_key_has_it_becomes_pem(form: str) -> None:
    result = mended(FORMS[form]())

    assert result.stdout == public_pem()
    assert verification_keys(result.stdout)


@pytest.mark.parametrize("name", SSH)
def test_of_each_kind_openssh_and_der_become_pem(name: str) -> None:
    assert mended(openssh_line(name)).stdout == public_pem(name)
    assert mended(public_der(name)).stdout == public_pem(name)


def an_encrypted_openssh_key() -> str:
    """As OpenSSH's PROTOCOL.key has it: the public key stands in the clear before what is encrypted."""
    parts = (b"aes256-ctr", b"bcrypt", b"\0\0\0\x10" + bytes(16) + b"\0\0\0\x10")
    public, encrypted = b64decode(openssh_line().split()[1]), bytes(256)
    octets = b"openssh-key-v1\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    octets += (1).to_bytes(4, "big") + b"".join(len(part).to_bytes(4, "big") + part for part in (public, encrypted))
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{b64encode(octets).decode()}\n-----END OPENSSH PRIVATE KEY-----\n"


PRIVATE: dict[str, Callable[[], str | bytes]] = {
    "PEM": private_pem,
    "DER of PKCS#8": lambda: private_bytes("rsa_2048", Encoding.DER, PrivateFormat.PKCS8),
    "DER of PKCS#1": lambda: private_bytes("rsa_2048", Encoding.DER, PrivateFormat.TraditionalOpenSSL),
    "PKCS#1": lambda: private_bytes("rsa_2048", Encoding.PEM, PrivateFormat.TraditionalOpenSSL),
    "literal breaks": lambda: private_pem().replace("\n", "\\n"),
    "OpenSSH": lambda: private_bytes("rsa_2048", Encoding.PEM, PrivateFormat.OpenSSH),
    "OpenSSH, encrypted": an_encrypted_openssh_key,
    "PuTTY": lambda: (
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: bob\nPublic-Lines: 2\n"
        f"{openssh_line().split()[1][:200]}\n{openssh_line().split()[1][200:]}\nPrivate-Lines: 1\nAAAA\n"
    ),
}


@pytest.mark.parametrize("form", PRIVATE)
def test_of_a_private_key_only_the_public_part_is_written_with_a_warning(form: str) -> None:
    given = PRIVATE[form]()
    result = mended(given)

    assert result.stdout == public_pem()
    assert "Warning: this key is private" in result.stderr


def test_an_encrypted_private_key_is_refused_with_the_true_cause() -> None:
    pem = private_bytes("rsa_2048", Encoding.PEM, PrivateFormat.PKCS8, b"secret")

    assert "an encrypted private key" in key("mend", "-", given=pem, exit_code=1).stderr


def test_of_a_map_of_key_ids_all_keys_are_written_or_the_one_named() -> None:
    given = json.dumps({"a": certificate_pem("p256"), "b": certificate_pem(), "c": "no key"}, indent=2)

    everything = mended(given)
    assert everything.stdout == public_pem("p256") + public_pem()
    assert "verifies the tokens of each" in everything.stderr
    assert mended(given, "--kid", "b").stdout == public_pem()
    assert "no such key" in key("mend", "-", "--kid", "d", given=given, exit_code=1).stderr
    document = json.loads(mended(given, "--json").stdout)
    assert [entry["kid"] for entry in document["keys"]] == ["a", "b"]


def test_several_certificates_give_several_keys() -> None:
    assert sorted(mended(a_bag("rsa_2048", "p256")).stdout.split("-----BEGIN")) == sorted(
        (public_pem() + public_pem("p256")).split("-----BEGIN")
    )


def test_the_same_key_twice_is_written_once() -> None:
    assert mended(public_pem() + certificate_pem()).stdout == public_pem()


def a_small_key() -> bytes:
    return dsa.generate_private_key(1024).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def a_koblitz_key() -> bytes:
    return (
        ec.generate_private_key(ec.SECP256K1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(HMAC_KEY, "an HMAC secret needs no mending", id="an HMAC secret"),
        pytest.param("", "there is no public key in it", id="nothing"),
        pytest.param(b"\xff\xfe\x00", "there is no public key in it", id="bytes"),
        pytest.param(b"\x30\x82\x01\x0a" + bytes(100), "there is no public key in it", id="DER of nothing"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key", id="empty PEM"),
        pytest.param(json.dumps(an_oct_jwk()), "has no public part", id="an oct JWK"),
        pytest.param(public_pem("rsa_2047"), "RSA 2047, which may verify nothing", id="too small"),
        pytest.param(a_small_key(), "a kind that verifies nothing here", id="DSA"),
        pytest.param(a_koblitz_key(), "verify nothing", id="another curve"),
        pytest.param('{"issuer": "https://idp.example.com", "jwks_uri": "x"}', "no public key", id="a discovery page"),
        pytest.param("[" * 5000, "there is no public key in it", id="depth"),
    ],
)
def test_what_holds_no_key_that_verifies_is_refused(given: str | bytes, said: str) -> None:
    assert said in key("mend", "-", given=given, exit_code=1).stderr


def test_a_modulus_that_falls_apart_is_refused() -> None:
    assert "modulus is a prime" in key("mend", "-", given=public_key_pem(PRIME_MODULUS), exit_code=1).stderr
    jwk = {"kty": "RSA", "e": "AQAB", "n": segment(PRIME_MODULUS.to_bytes(276, "big"))}
    assert "modulus is a prime" in key("from-jwk", "-", given=json.dumps(jwk), exit_code=1).stderr


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "key.der"
    file.write_bytes(public_der())

    assert key("mend", str(file), given="").stdout == public_pem()


@pytest.mark.parametrize("arguments", [("from-cert",), ("from-jwk",)])
def test_a_binary_file_where_text_is_meant_is_told_the_command(arguments: tuple[str, ...]) -> None:
    told = key(*arguments, "-", given=certificate_der(), exit_code=2).stderr

    assert "`auth-jwt key mend` writes it as PEM" in told


# -- JWK --------------------------------------------------------------------------------------------------------------


def an_ec_key(shortened: str) -> dict[str, Any]:
    """A public key of P-256 of which that coordinate begins with a zero, as a JWK."""
    while True:
        numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
        if getattr(numbers, shortened) < 2**248:
            return {
                "kty": "EC",
                "crv": "P-256",
                "x": segment(numbers.x.to_bytes(32, "big")),
                "y": segment(numbers.y.to_bytes(32, "big")),
            }


def padded(value: object) -> str:
    return str(value) + "=" * (-len(str(value)) % 4)


def standard(value: object) -> str:
    return str(value).replace("-", "+").replace("_", "/")


def from_jwk(*jwks: dict[str, Any]) -> Result:
    return key("from-jwk", "-", given=json.dumps(jwks[0]) if len(jwks) == 1 else a_jwks(*jwks))


@pytest.mark.parametrize("coordinate", ["x", "y"])
def test_a_shortened_coordinate_gets_its_zeros_back(coordinate: str) -> None:
    whole = an_ec_key(coordinate)
    short = {**whole, coordinate: segment(octets_of(whole[coordinate]).lstrip(b"\0"))}

    result = from_jwk(short)

    assert result.stdout == from_jwk(whole).stdout
    assert f"`{coordinate}` had 31 octets, and P-256 needs 32" in result.stderr


@pytest.mark.parametrize("name", ["p256", "p384", "p521", "ed25519", "ed448"])
def test_zeros_that_do_not_belong_there_go(name: str) -> None:
    jwk = a_jwk(name)
    result = from_jwk({**jwk, "x": segment(b"\0" + octets_of(jwk["x"]))})

    assert result.stdout == public_pem(name)
    assert "`x` began with zeros" in result.stderr


@pytest.mark.parametrize("name", ["rsa_2048", "p256", "ed25519"])
@pytest.mark.parametrize(
    ("spoiled", "said"),
    [(padded, "was padded"), (standard, "standard base64 alphabet"), (lambda value: f" {value}\n", "had blanks in it")],
)
def test_numbers_in_another_alphabet_or_padding_are_mended(
    name: str, spoiled: Callable[[object], str], said: str
) -> None:
    jwk = a_jwk(name)
    numbers = [member for member in ("n", "x", "y") if member in jwk]
    spoilt: dict[str, Any] = {**jwk, **{member: spoiled(jwk[member]) for member in numbers}}

    result = from_jwk(spoilt)

    assert result.stdout == public_pem(name)
    assert (said in result.stderr) is (spoilt != jwk)


@pytest.mark.parametrize(
    "members",
    [
        {"d": None, "p": None, "use": None, "alg": None, "kid": None, "key_ops": None},
        {"d": "", "p": "", "oth": []},
        {"x5c": ["MIIB"], "x5t": "x"},
    ],
)
def test_members_that_are_nothing_are_no_private_key(members: dict[str, Any]) -> None:
    result = from_jwk(a_jwk(**members))

    assert (result.stdout, result.stderr) == (public_pem(), "")


def test_a_spoilt_jwk_is_refused_in_a_row_and_mended_here() -> None:
    spoilt = a_jwk(n=padded(a_jwk()["n"]))

    with pytest.raises(InvalidKey, match="padded"):
        verification_keys(json.dumps(spoilt))
    assert mended(json.dumps(spoilt)).stdout == public_pem()


@pytest.mark.parametrize("members", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": []}, {"key_ops": "verify"}])
def test_a_key_for_something_else_is_refused(members: dict[str, Any]) -> None:
    told = key("from-jwk", "-", given=json.dumps(a_jwk(**members)), exit_code=1).stderr

    assert "not for signatures" in told


def test_keys_of_a_set_that_verify_nothing_are_left_out_and_named() -> None:
    result = from_jwk(a_jwk("p256", kid="good"), a_jwk(use="enc", kid="for encryption"), a_jwk("rsa_2047"))

    assert result.stdout == public_pem("p256")
    assert "left out: key 'for encryption'" in result.stderr
    assert "left out: RSA 2047" in result.stderr


@pytest.mark.parametrize(
    "jwk",
    [
        a_jwk(n="A"),
        a_jwk(n="!!!!"),
        a_jwk(n=7),
        a_jwk("p256", x=segment(b"\1" * 33)),
        a_jwk("p256", y=segment(bytes(32))),
        a_jwk("ed25519", x=segment(bytes(31))),
    ],
    ids=["one character", "no base64", "a number", "too long", "off the curve", "short, of Edwards' kind"],
)
def test_what_nobody_knows_how_to_mend_is_refused(jwk: dict[str, Any]) -> None:
    key("from-jwk", "-", given=json.dumps(jwk), exit_code=1)


def test_no_private_number_is_shown() -> None:
    private = a_private_key("ed25519")
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    d = segment(private.private_bytes_raw())

    result = mended(json.dumps({**a_jwk("ed25519"), "d": d}))

    assert result.stdout == public_pem("ed25519")
    assert d not in result.output
