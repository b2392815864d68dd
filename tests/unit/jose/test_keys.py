"""What a secret may hold, what it then verifies, and what is never usable, least of all as an HMAC key."""

import base64
import json
import time
import traceback
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from auth_jwt.errors import Flaw, InvalidKey
from auth_jwt.jose.keys import VerificationKey, verification_keys
from tests.doubtful_keys import DOUBTFUL
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_jwks,
    a_private_key,
    an_oct_jwk,
    certificate_pem,
    openssh_line,
    pkcs1_pem,
    private_pem,
    public_der,
    public_pem,
    segment,
)

HS = frozenset({"HS256", "HS384", "HS512"})
RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ED25519, ED448 = frozenset({"EdDSA", "Ed25519"}), frozenset({"EdDSA", "Ed448"})


def algorithms_in(secret: str) -> list[frozenset[str]]:
    return [key.algorithms for key in verification_keys(secret)]


def why_unusable(secret: object, declared: frozenset[str] | None = None) -> str:
    with pytest.raises(InvalidKey) as caught:
        verification_keys(secret, declared=declared)
    return str(caught.value)


def flaw_of(secret: object, declared: frozenset[str] | None = None) -> Flaw:
    with pytest.raises(InvalidKey) as caught:
        verification_keys(secret, declared=declared)
    return caught.value.flaw


# -- public keys in PEM -----------------------------------------------------------------------------------------------

BY_TYPE = {
    "rsa_2048": RSA,
    "p256": frozenset({"ES256"}),
    "p384": frozenset({"ES384"}),
    "p521": frozenset({"ES512"}),
    "ed25519": ED25519,
    "ed448": ED448,
}


@pytest.mark.parametrize("name", BY_TYPE)
@pytest.mark.parametrize("pem", [public_pem, certificate_pem], ids=["public key", "certificate"])
def test_a_public_key_verifies_the_algorithms_of_its_type(pem: Callable[[str], str], name: str) -> None:
    assert algorithms_in(pem(name)) == [BY_TYPE[name]]


def test_pkcs1_is_read() -> None:
    assert algorithms_in(pkcs1_pem()) == [RSA]


@pytest.mark.parametrize("name", ["rsa_2047", "secp256k1", "dsa", "x25519"])
@pytest.mark.parametrize("pem", [public_pem, certificate_pem], ids=["public key", "certificate"])
def test_a_key_that_is_small_or_of_another_type_or_curve_is_unusable(pem: Callable[[str], str], name: str) -> None:
    assert flaw_of(pem(name)) in (Flaw.UNSUPPORTED_KEY, Flaw.UNREADABLE_KEY)


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param(lambda pem: pem.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda pem: pem.replace("\n", "\r"), id="CR"),
        pytest.param(lambda pem: "\n".join("  " + line for line in pem.splitlines()), id="indented"),
        pytest.param(lambda pem: "\ufeff \n" + pem, id="behind a BOM and blanks"),
        pytest.param(lambda pem: "key of the web login\n" + pem, id="behind a line of text"),
        pytest.param(lambda pem: pem.rstrip(), id="without a last newline"),
        pytest.param(lambda pem: pem + "\n\ntext behind", id="before text"),
        pytest.param(lambda pem: pem.replace("\n", " "), id="on one line"),
    ],
)
def test_pem_is_read_leniently(spelt: Callable[[str], str]) -> None:
    assert algorithms_in(spelt(public_pem())) == [RSA]


def test_several_blocks_are_several_candidates_in_their_order() -> None:
    bundle = public_pem("p256") + "text between\n" + certificate_pem("rsa_2048") + pkcs1_pem() + public_pem("ed448")

    assert algorithms_in(bundle) == [BY_TYPE["p256"], RSA, RSA, ED448]


def test_unreadable_and_private_blocks_of_a_bundle_are_passed_over() -> None:
    broken = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
    bundle = private_pem("p256") + broken + public_pem("rsa_2047") + public_pem("ed25519")

    assert algorithms_in(bundle) == [ED25519]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(public_pem().replace("BEGIN PUBLIC", "begin public"), id="a label in small letters"),
        pytest.param(public_pem().lower(), id="all in small letters"),
        pytest.param("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", id="nothing between"),
        pytest.param("x-----BEGIN y", id="nothing but the mark"),
        pytest.param("-----begin", id="nothing but the mark in small letters"),
        pytest.param("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----", id="a request"),
        pytest.param("-----BEGIN PGP PUBLIC KEY BLOCK-----\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----", id="PGP"),
        pytest.param(certificate_pem().replace("MII", "MIJ", 1), id="a broken certificate"),
    ],
)
def test_pem_without_a_readable_public_key_is_unusable(text: str) -> None:
    assert flaw_of(text) is Flaw.UNREADABLE_KEY


@pytest.mark.parametrize(
    "text",
    [
        private_pem(),
        private_pem("ed25519") + private_pem("p256"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        json.dumps(a_jwk(d="AQAB")),
        json.dumps(a_jwk("p256", d="AQAB")),
    ],
    ids=["one", "two", "OpenSSH's", "JWK, RSA", "JWK, EC"],
)
def test_a_private_key_given_by_mistake_is_told_from_the_rest_and_how_to_mend_it(text: str) -> None:
    assert flaw_of(text) is Flaw.PRIVATE_KEY
    assert "`auth-jwt key mend`" in why_unusable(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (public_pem().replace("\n", "\\n"), "PEM with `\\n` for line breaks"),
        (public_pem().replace("\n", "\\r\\n"), "PEM with `\\n` for line breaks"),
        (json.dumps({"kid-1": certificate_pem(), "kid-2": certificate_pem("p256")}), "a JSON map of key ids to PEM"),
        (json.dumps({"kid-1": certificate_pem()}, indent=2), "a JSON map of key ids to PEM"),
    ],
    ids=["breaks as text", "both breaks as text", "Firebase", "Firebase, pretty"],
)
def test_pem_inside_of_other_text_is_refused_with_the_command_that_mends_it(text: str, what: str) -> None:
    assert flaw_of(text) is Flaw.UNREADABLE_KEY
    assert why_unusable(text) == f"{what}: `auth-jwt key mend` writes the keys in it as PEM"


# -- JWK and JWKS -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_TYPE)
def test_a_jwk_verifies_the_algorithms_of_its_type(name: str) -> None:
    assert algorithms_in(json.dumps(a_jwk(name))) == [BY_TYPE[name]]


def test_an_oct_jwk_is_an_hmac_key_of_the_octets_it_encodes() -> None:
    octets = bytes(range(256)) + b"\xfb\xff"

    assert verification_keys(json.dumps(an_oct_jwk(octets))) == (VerificationKey(HS, octets),)


@pytest.mark.parametrize("octets", [b"1", b"12", b"123", b"1234"], ids=lambda octets: f"{len(octets)} octets")
def test_an_oct_jwk_may_have_any_length_but_none(octets: bytes) -> None:
    """Whether it is long enough depends on the algorithm, which is judged later."""
    (key,) = verification_keys(json.dumps(an_oct_jwk(octets)))

    assert key.material == octets


def test_the_alg_of_a_jwk_binds_it() -> None:
    assert algorithms_in(json.dumps(a_jwk(alg="PS384"))) == [{"PS384"}]
    assert algorithms_in(json.dumps(an_oct_jwk(alg="HS512"))) == [{"HS512"}]


def test_the_kid_of_a_jwk_is_kept() -> None:
    keys = verification_keys(a_jwks(a_jwk(kid="a"), a_jwk("p256")))

    assert [key.kid for key in keys] == ["a", None]


@pytest.mark.parametrize(
    "members",
    [
        {"use": "sig"},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"x5t": "ignored", "ext": True, "kid": ""},
        {"use": None, "alg": None, "kid": None, "key_ops": None},
        {"oth": []},
        {"d": None, "p": None, "q": None, "dp": None, "dq": None, "qi": None, "oth": None},
        {"d": "", "p": "", "oth": []},
    ],
    ids=json.dumps,
)
def test_a_jwk_meant_for_verifying_is_read(members: dict[str, object]) -> None:
    assert algorithms_in(json.dumps(a_jwk(**members))) == [RSA]


UNUSABLE_JWKS: dict[str, object] = {
    "use is enc": a_jwk(use="enc"),
    "use is empty": a_jwk(use=""),
    "use is another": a_jwk(use="tls"),
    "use is a list": a_jwk(use=["sig"]),
    "key_ops lack verify": a_jwk(key_ops=["sign"]),
    "key_ops are empty": a_jwk(key_ops=[]),
    "key_ops are text": a_jwk(key_ops="verify"),
    "alg is of another type": a_jwk(alg="ES256"),
    "alg is HMAC's on a public key": a_jwk(alg="HS256"),
    "alg is none": an_oct_jwk(alg="none"),
    "alg is of a public key on an oct": an_oct_jwk(alg="RS256"),
    "alg is a number": a_jwk(alg=256),
    "kid is a number": a_jwk(kid=1),
    "kty is unknown": a_jwk(kty="XYZ"),
    "kty is in small letters": a_jwk(kty="rsa"),
    "kty is a number": a_jwk(kty=1),
    "kty is null": a_jwk(kty=None),
    "kty is of another type": a_jwk(kty="EC"),
    "a private RSA key": a_jwk(d="AQAB"),
    **{f"a private RSA key by its {member}": a_jwk(**{member: "AQAB"}) for member in ("p", "q", "dp", "dq", "qi")},
    "a private RSA key by its other primes": a_jwk(oth=[{"r": "AQAB", "d": "AQAB", "t": "AQAB"}]),
    "a private RSA key by a member of no meaning": a_jwk(d=0),
    "a private EC key": a_jwk("p256", d="AQAB"),
    "a private OKP key": a_jwk("ed25519", d="AQAB"),
    "RSA of 2047 bits": a_jwk("rsa_2047"),
    "a curve that no algorithm has": a_jwk("secp256k1"),
    "a key for key agreement": a_jwk("ed25519", crv="X25519"),
    "an unknown curve": a_jwk("p256", crv="P-255"),
    "a curve that is a number": a_jwk("p256", crv=256),
    "a curve that is missing": {k: v for k, v in a_jwk("p256").items() if k != "crv"},
    "a point off the curve": a_jwk("p256", x=a_jwk("p256")["y"]),
    "a coordinate of another length": a_jwk("p256", x="AQAB"),
    "n is missing": {k: v for k, v in a_jwk().items() if k != "n"},
    "n is a number": a_jwk(n=65537),
    "n is null": a_jwk(n=None),
    "n is empty": a_jwk(n=""),
    "n has padding": a_jwk(n=str(a_jwk()["n"]) + "=="),
    "n has a blank": a_jwk(n=" " + str(a_jwk()["n"])),
    "n has a newline behind": a_jwk(n=str(a_jwk()["n"]) + "\n"),
    "n has a character left over": a_jwk(n="A" * 345),
    "e is a list": a_jwk(e=["AQAB"]),
    "e is even": a_jwk(e="Ag"),
    "e is missing": {k: v for k, v in a_jwk().items() if k != "e"},
    "x is missing": {k: v for k, v in a_jwk("ed25519").items() if k != "x"},
    "y is missing": {k: v for k, v in a_jwk("p384").items() if k != "y"},
    "y is an object": a_jwk("p384", y={}),
    "x of EdDSA is too short": a_jwk("ed25519", x="AQAB"),
    "k is missing": {"kty": "oct"},
    "k is empty": {"kty": "oct", "k": ""},
    "k is null": {"kty": "oct", "k": None},
    "k is a number": {"kty": "oct", "k": 12345678},
    "k has padding": {"kty": "oct", "k": segment(b"1234") + "=="},
    "k has a blank": {"kty": "oct", "k": "AAAA AAAA"},
    "k has a newline behind": {"kty": "oct", "k": "AAAA\n"},
    "k has the other alphabet": {"kty": "oct", "k": "ab+/"},
    "k has a character left over": {"kty": "oct", "k": "AAAAA"},
    "k has a character left over behind two groups": {"kty": "oct", "k": "AAAABBBBC"},
    "kty is nearly oct": an_oct_jwk(kty="octet"),
    "kty is nearly oct, and less": an_oct_jwk(kty="OCT"),
    "k is DER of a public key": an_oct_jwk(public_der()),
    "k is PEM of a public key": an_oct_jwk(public_pem().encode()),
    "k is an OpenSSH line": an_oct_jwk(openssh_line("p256").encode()),
    "k is base64 of DER": an_oct_jwk(base64.b64encode(public_der("ed25519"))),
    "k is a JWK": an_oct_jwk(json.dumps(a_jwk()).encode()),
    "a set without keys": {"keys": []},
    "a set whose keys are an object": {"keys": a_jwk()},
    "a set whose keys are null": {"keys": None},
    "a set whose keys are text": {"keys": json.dumps(a_jwk())},
    "a set of odd things": {"keys": [None, 1, "x", []]},
}


@pytest.mark.parametrize("case", UNUSABLE_JWKS)
def test_a_jwk_that_is_not_meant_or_not_able_to_verify_is_unusable(case: str) -> None:
    assert flaw_of(json.dumps(UNUSABLE_JWKS[case])) in {
        Flaw.MALFORMED_JWK,
        Flaw.NOT_FOR_VERIFYING,
        Flaw.ALG_DISAGREES,
        Flaw.PRIVATE_KEY,
        Flaw.UNREADABLE_KEY,
        Flaw.UNSUPPORTED_KEY,
        Flaw.DEGENERATE_KEY,
        Flaw.KEY_MATERIAL,
    }


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        (a_jwk("p256", x=segment(bytes(31))), "a JWK whose `x` has 31 octets, but P-256 needs 32"),
        (a_jwk("p256", y=segment(bytes(33))), "a JWK whose `y` has 33 octets, but P-256 needs 32"),
        (a_jwk("ed25519", x=segment(bytes(31))), "a JWK whose `x` has 31 octets, but Ed25519 needs 32"),
        (a_jwk(n=str(a_jwk()["n"]) + "=="), "a JWK whose `n` is padded: `auth-jwt key mend` corrects it"),
        (
            a_jwk(n=str(a_jwk()["n"]).replace("-", "+").replace("_", "/")),
            "a JWK whose `n` is in the standard base64 alphabet, not in base64url's: `auth-jwt key mend` corrects it",
        ),
        (a_jwk(n="with blanks"), "a JWK whose `n` is not base64url"),
        ({"kty": "EC", "crv": "P-256", "x": segment(bytes(32))}, "a JWK whose `y` is missing or not a string"),
        (a_jwk(kty=["RSA"]), "a JWK whose `kty` is not a string"),
    ],
    ids=["short", "long", "short OKP", "padded", "standard alphabet", "nonsense", "missing", "a list of kinds"],
)
def test_what_is_wrong_with_a_jwk_is_said_in_so_many_words(jwk: dict[str, object], why: str) -> None:
    assert why_unusable(json.dumps(jwk)) == why


def test_one_bad_key_of_a_set_does_not_spoil_the_others() -> None:
    bad = [jwk for case, jwk in UNUSABLE_JWKS.items() if not case.startswith("a set")]

    assert algorithms_in(a_jwks(*bad, a_jwk(), *bad, a_jwk("ed448"), None, 1)) == [RSA, ED448]


def test_every_flaw_of_a_set_is_told_once() -> None:
    text = why_unusable(a_jwks(a_jwk(use="enc"), a_jwk("p256", use="enc"), a_jwk(d="AQAB")))

    assert text.startswith("a JWK whose `use` is not `sig`; a private JWK")
    assert text.count("`use`") == 1


def test_a_set_that_is_empty_says_so() -> None:
    assert why_unusable(a_jwks()) == "a JWKS without keys"


def test_blanks_around_a_jwk_do_not_matter() -> None:
    assert algorithms_in(f"\n  {json.dumps(a_jwk(), indent=2)}\r\n") == [RSA]


# -- HMAC keys --------------------------------------------------------------------------------------------------------

HMAC_TEXTS = {
    "plain text": HMAC_KEY,
    "one character": "k",
    "a blank": " ",
    "a newline": "\n",
    "blanks around": "  key\r\n",
    "a NUL in front": "\0key",
    "a NUL inside": "key\0behind",
    "other scripts": "пароль-密码-😀",
    "digits": "12345678901234567890123456789012",
    "200 digits": "1" * 200,
    "JSON without kty": '{"a":1}',
    "a JSON string": '"text"',
    "a list": '[{"a":"kty"}]',
    "nested JSON without kty": '{"a":[{"b":["kty",{"c":"kty"}]}]}',
    "much opened and nothing closed": "[" * 1024,
    "the word kty": "kty and oct",
    "the word key": "my KEY is BEGINNING, CERTIFICATE too",
    "four dashes": "---- begun",
    "ssh-rsa without a key": "ssh-rsa is what I use",
    "arn inside": "not arn:aws:ssm:eu-central-1:1:parameter/x",
    "https inside": "see https://example.com/jwks.json",
    "hex of noise": "0f" * 32,
    "base64 of noise": base64.b64encode(bytes(range(100, 164))).decode(),
    "base64url of noise": segment(bytes([0xFB, 0xFF] * 32)),
}


@pytest.mark.parametrize("case", HMAC_TEXTS)
def test_any_other_text_is_an_hmac_key_untouched(case: str) -> None:
    text = HMAC_TEXTS[case]

    assert verification_keys(text) == (VerificationKey(HS, text.encode("utf-8")),)


NOISE_LIKE_DER = {
    "a sequence of nothing": b"\x30\x00" + bytes(range(30)),
    "a sequence of octets": b"\x30\x1e\x04\x1c" + bytes(range(28)),
    "a sequence of an odd sequence": b"\x30\x1e\x30\x1c" + bytes(range(28)),
    "a sequence of a small number and text": b"\x30\x1e\x02\x01\x01\x0c\x19" + bytes(range(25)),
    "a sequence of a version that no key has": b"\x30\x1e\x02\x01\x09\x30\x19" + bytes(range(25)),
    "a sequence of indefinite length": b"\x30\x80\x30\x80\x06\x03" + bytes(range(26)),
    "a short modulus longer than the sequence": bytes.fromhex(
        "30050274eaedbe08f206eb297b91610e645cfae5d54029a9b001aa8760fcd2c8"
    ),
    "a short modulus and two octets": b"\x30\x26\x02\x22\x00\x80" + bytes(range(34)),
    "a short modulus and eleven octets": b"\x30\x2f\x02\x22\x00\x80" + bytes(range(43)),
    "a set": b"\x31\x1e\x30\x1c\x06\x03" + bytes(range(26)),
    "a number": b"\x02\x1e" + bytes(range(30)),
    "one octet": b"\x30",
}


@pytest.mark.parametrize("case", NOISE_LIKE_DER)
def test_noise_that_begins_like_der_stays_an_hmac_key(case: str) -> None:
    """A random key must not be refused because its first octets happen to look like a structure."""
    octets = NOISE_LIKE_DER[case]

    for text in (base64.b64encode(octets).decode(), segment(octets), octets.hex()):
        assert verification_keys(text) == (VerificationKey(HS, text.encode()),)


def test_octets_of_noise_are_an_hmac_key_in_a_jwk_too() -> None:
    for octets in NOISE_LIKE_DER.values():
        assert verification_keys(json.dumps(an_oct_jwk(octets))) == (VerificationKey(HS, octets),)


# -- never usable -----------------------------------------------------------------------------------------------------


def test_nothing_is_empty() -> None:
    assert why_unusable("") == "empty"


@pytest.mark.parametrize("stored", [None, 1, True, b"key", ["key"], {"key"}], ids=lambda stored: type(stored).__name__)
def test_what_is_not_text_is_unusable(stored: object) -> None:
    assert why_unusable(stored) == "not text"


def test_text_that_has_no_octets_is_unusable() -> None:
    assert why_unusable("key\ud800") == "text that is not valid Unicode"


@pytest.mark.matrix
@pytest.mark.parametrize("blanks", ["", " \t\r\n", "\ufeff", "\ufeff\v\f\0 ", "\u200b\u00a0"], ids=ascii)
@pytest.mark.parametrize(
    "reference",
    [
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sip",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/sip",
        "ARN:aws:ssm",
        "https://login.example.com/.well-known/jwks.json",
        "HttpS://login.example.com/jwks.json",
        "arn:",
        "https://",
    ],
)
def test_a_reference_is_never_a_key(reference: str, blanks: str) -> None:
    assert why_unusable(blanks + reference).startswith("a reference")


def rfc4716() -> str:
    body = openssh_line().split()[1]
    return f'---- BEGIN SSH2 PUBLIC KEY ----\nComment: "test"\n{body}\n---- END SSH2 PUBLIC KEY ----\n'


def wrapped(text: str, width: int = 64, end: str = "\n") -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width)) + end


DER = public_der()
EC_DER = public_der("p256")
BODY = base64.b64encode(DER).decode()


def old_private(name: str) -> str:
    octets: bytes = a_private_key(name).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return base64.b64encode(octets).decode()


def encrypted_private(name: str) -> bytes:
    locked = BestAvailableEncryption(b"hunter2")
    octets: bytes = a_private_key(name).private_bytes(Encoding.DER, PrivateFormat.PKCS8, locked)
    return octets


def openssh_private(name: str) -> str:
    octets: bytes = a_private_key(name).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return octets.decode()


OTHER_FORMS = {
    "an OpenSSH line": openssh_line(),
    "an OpenSSH line with options": f'from="10.0.0.0/8" {openssh_line()} alice@example.com',
    "an OpenSSH line in capitals": openssh_line().replace("ssh-rsa", "SSH-RSA"),
    "an OpenSSH line for ECDSA": openssh_line("p256"),
    "an OpenSSH line for P-521": openssh_line("p521"),
    "an OpenSSH line for Ed25519": openssh_line("ed25519"),
    "an OpenSSH line for a security key": openssh_line("ed25519").replace("ssh-ed25519", "sk-ssh-ed25519@openssh.com"),
    "an OpenSSH certificate": openssh_line().replace("ssh-rsa", "ssh-rsa-cert-v01@openssh.com"),
    "an OpenSSH line with tabs": openssh_line().replace(" ", "\t\t"),
    "an OpenSSH body alone": openssh_line().split()[1],
    "an OpenSSH body for ECDSA": openssh_line("p384").split()[1],
    "an OpenSSH body for a security key": base64.b64encode(b"\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0 ").decode(),
    "an OpenSSH body whose length octet is a newline": base64.b64encode(b"\0\0\0\nssh-xxxxxx").decode(),
    "an RFC 4716 block": rfc4716(),
    "a PuTTY file": f"PuTTY-User-Key-File-2: ssh-rsa\n{BODY}",
    "dashes with blanks between": public_pem().replace("-----BEGIN", "---- - BEGIN"),
    "a label without dashes": public_pem().replace("-", ""),
    "a certificate's label without dashes": certificate_pem().replace("-", ""),
    "base64 of DER": BODY,
    "base64 of DER without padding": base64.b64encode(EC_DER).decode().rstrip("="),
    "base64 of DER in lines": wrapped(BODY),
    "base64 of DER in lines of CRLF": wrapped(BODY, 76, "\r\n"),
    "base64 of DER with newlines written out": wrapped(BODY, 64, "\\n"),
    "base64 of DER with CRLF written out": wrapped(BODY, 64, "\\r\\n"),
    "base64 of DER with blanks and tabs": wrapped(BODY, 8, " \t"),
    "base64url of DER": base64.urlsafe_b64encode(DER).decode(),
    "base64url of DER without padding": segment(EC_DER),
    "base64 of PKCS#1": "".join(pkcs1_pem().splitlines()[1:-1]),
    "hex of PKCS#1, 960 bits": "308180027900" + "c1" * 120 + "0203010001",
    "hex of PKCS#1, 1000 bits": "308184027d" + "71" * 125 + "0203010001",
    "hex of PKCS#1, 1008 bits": "308186027f00" + "c1" * 126 + "0203010001",
    "hex of PKCS#1, 512 bits": "3048024100" + "c1" * 64 + "0203010001",
    "hex of PKCS#1, 512 bits, the shortest exponent": "3046024100" + "c1" * 64 + "020103",
    "hex of PKCS#1, 960 bits, the longest exponent": "307f0277" + "61" * 119 + "0206010000000001",
    "base64 of a private key": "".join(private_pem().splitlines()[1:-1]),
    "base64 of a certificate": "".join(certificate_pem().splitlines()[1:-1]),
    "base64 of Ed25519's DER": base64.b64encode(public_der("ed25519")).decode(),
    "base64 of DER of a type we do not read": base64.b64encode(public_der("dsa")).decode(),
    "base64 of DER with octets behind": base64.b64encode(DER + b"\0\0\0").decode(),
    "base64 of DER cut short": base64.b64encode(DER[:100]).decode(),
    "base64 of DER between quotes": f'"{BODY}"',
    "base64 of DER behind a name": f"key={BODY}",
    "base64 of DER as a list in JSON": json.dumps([BODY]),
    "base64 of DER behind marks, line by line": "".join(f"> {line}\n" for line in wrapped(BODY).splitlines()),
    "base64 of a private key of old, RSA": old_private("rsa_2048"),
    "base64 of a private key of old, EC": old_private("p521"),
    "base64 of an encrypted private key": base64.b64encode(encrypted_private("ed25519")).decode(),
    "base64 of an OpenSSH private key": "".join(openssh_private("ed25519").splitlines()[1:-1]),
    "base64 of base64 of DER": base64.b64encode(BODY.encode()).decode(),
    "base64 of hex of DER": base64.b64encode(EC_DER.hex().encode()).decode(),
    "base64 of an OpenSSH line": base64.b64encode(openssh_line().encode()).decode(),
    "base64 of PEM": base64.b64encode(public_pem().encode()).decode(),
    "base64 of a JWK": base64.b64encode(json.dumps(a_jwk()).encode()).decode(),
    "base64 of a JWK whose kty comes last, and a character left over": base64.b64encode(
        json.dumps({"use": "sig", "note": "x" * 17, "kty": "RSA"}).encode()
    ).decode()
    + "A",
    "base64 of a JWK that breaks off behind kty": base64.b64encode(b'{"x":"y","kty":').decode(),
    "base64url of a JWK": segment(json.dumps(a_jwk("p256")).encode()),
    "hex of DER": DER.hex(),
    "hex of DER in capitals": DER.hex().upper(),
    "hex of DER with colons": DER.hex(":"),
    "hex of DER behind 0x": "0x" + DER.hex(),
    "hex of DER, each octet behind 0x": ", ".join(f"0x{octet:02x}" for octet in EC_DER),
    "hex of DER, each octet escaped": "".join(f"\\x{octet:02x}" for octet in EC_DER),
    "hex of DER in lines": wrapped(DER.hex(" "), 48),
    "hex of a certificate": base64.b64decode("".join(certificate_pem().splitlines()[1:-1])).hex(),
    "hex of PEM": public_pem().encode().hex(),
    "a JWK in a list": json.dumps([a_jwk()]),
    "a JWK in an object": json.dumps({"key": a_jwk()}),
    "a JWK deep down": json.dumps({"a": [[{"b": {"c": a_jwk()}}]]}),
    "a JWK as a string in an object": json.dumps({"key": json.dumps(a_jwk())}),
    "a JWK as a JSON string": json.dumps(json.dumps(a_jwk())),
    "a JWK with kty escaped in a list": json.dumps([a_jwk()]).replace("kty", "k\\u0074y"),
    "a JWK with kty escaped and a BOM": "\ufeff" + json.dumps(a_jwk()).replace("kty", "k\\u0074y"),
    "a JWK with single quotes": str(a_jwk()),
    "a JWK cut short": json.dumps(a_jwk())[:-1],
    "a JWK with text behind": json.dumps(a_jwk()) + ";",
    "a JWK with a member twice": json.dumps(a_jwk())[:-1] + ',"kty":"oct"}',
    "a JWK with kty escaped and a member twice": '{"k\\u0074y":"oct","k":"a","k":"b"}',
    "a JWK with a blank before the colon in a list": json.dumps([a_jwk()], separators=(",", " : ")),
    "an oct JWK in a list": json.dumps([an_oct_jwk()]),
    "kty alone": '{"a":{"kty":"none of ours"}}',
}


@pytest.mark.parametrize("case", OTHER_FORMS)
def test_key_material_in_a_form_that_is_not_read_is_never_an_hmac_key(case: str) -> None:
    assert why_unusable(OTHER_FORMS[case]) in {
        "key material in a form that is not read (OpenSSH, RFC 4716, base64 or hex of a DER key)",
        "JSON with a `kty` that is neither a JWK nor a JWKS",
    }


@pytest.mark.parametrize("case", OTHER_FORMS)
def test_nor_behind_a_bom_or_blanks(case: str) -> None:
    blanks = ("\ufeff", " ", "\t\r\n", "\ufeff \n", "\v\f\0", "\u200b\u2060", "\u00a0")

    assert [before for before in blanks if usable_as_hmac(before + OTHER_FORMS[case])] == []


def test_a_jwk_behind_a_bom_is_not_read_at_all() -> None:
    assert why_unusable("\ufeff" + json.dumps(an_oct_jwk())).startswith("JSON with a `kty`")


def usable_as_hmac(text: str) -> bool:
    try:
        keys = verification_keys(text)
    except InvalidKey:
        return False
    return any(isinstance(key.material, bytes) for key in keys)


# -- no text is slow to read -----------------------------------------------------------------------------------------

REPEATED = {
    "backslashes": "\\",
    "dashes": "-",
    "dashes and blanks": "- ",
    "quotes": '"',
    "escaped quotes": '\\"',
    "kty": '"kty',
    "kty with blanks": '"kty" ',
    "opened lists": "[",
    "opened objects": '{"a":',
    "ssh-": "ssh-",
    "ssh- and blanks": "ssh-rsa ",
    "ecdsa-sha2-nistp": "ecdsa-sha2-nistp",
    "BEGIN": "BEGIN ",
    "BEGIN of PEM": "-----BEGIN PUBLIC KEY-----",
    "BEGIN CERTIFICATE of PEM": "-----BEGIN CERTIFICATE-----\n",
    "hex": "30",
    "base64": "MIIB",
    "blanks": " ",
}


@pytest.mark.parametrize("start", ["", "ssh-", "BEGIN ", '{"a":"', "[" * 65 + '"'], ids=lambda text: ascii(text[:8]))
def test_the_time_to_read_a_key_does_not_grow_with_its_square(start: str) -> None:
    """Four times the longest key that may come with a request takes milliseconds; by its square, many seconds."""
    slow = []
    for case, unit in REPEATED.items():
        started = time.process_time()
        usable_as_hmac(start + unit * (65_536 // len(unit)))
        if time.process_time() - started > 2:
            slow.append(case)

    assert slow == []


# -- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "arn:hunter2",
        "-----BEGIN hunter2",
        '{"kty":"hunter2"}',
        '{"kty":"oct","k":"hunter2="}',
        '{"kty":"oct","alg":"hunter2","k":"aHVudGVyMg"}',
        '{"kty":"RSA","n":"hunter2!","e":"AQAB"}',
        '{"keys":"hunter2"}',
        '[{"kty":"hunter2"}]',
        "ssh-rsa AAAAhunter2",
        "hunter2\ud800",
    ],
    ids=ascii,
)
def test_why_a_secret_is_unusable_is_told_without_its_text(secret: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        verification_keys(secret)

    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.args)


def test_a_key_does_not_show_itself() -> None:
    assert HMAC_KEY not in repr(verification_keys(HMAC_KEY))


@pytest.mark.parametrize(
    "phrase",
    [
        "we begin the key rotation every monday morning at nine",
        "Begin every day with a key certificate and some tea, please",
        "ssh-tunnel AAAA-batteries-are-not-included-here-ok",
        "my-secret-with-puTTY-user-key-file-inside-of-it-123",
        "https is what this one is about, and not at its beginning",
    ],
)
def test_a_passphrase_that_only_talks_of_keys_is_an_hmac_key(phrase: str) -> None:
    (key,) = verification_keys(f"a {phrase}")

    assert key.material == f"a {phrase}".encode()


@pytest.mark.matrix
@pytest.mark.parametrize(
    "blank", ["\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\x1c", "\u200b", "\u2060", "\u180e"]
)
@pytest.mark.parametrize("text", [BODY, DER.hex(), "arn:aws:x", "https://x"], ids=["base64", "hex", "arn", "URL"])
def test_no_blank_of_unicode_hides_what_it_stands_before(blank: str, text: str) -> None:
    with pytest.raises(InvalidKey):
        verification_keys(f"{blank}{text}")


@pytest.mark.parametrize("declared", [HS, frozenset({"HS512"})], ids=["all of HMAC", "one of them"])
def test_text_in_doubt_is_a_secret_where_its_row_says_so(declared: frozenset[str]) -> None:
    assert flaw_of(DOUBTFUL) is Flaw.IN_DOUBT
    assert [key.material for key in verification_keys(DOUBTFUL, declared=declared)] == [DOUBTFUL.encode()]
