"""What is an HMAC secret that somebody made up, and what may be something else: forms by name, boundaries in pairs."""

import base64
import codecs
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.jose.lookalikes import MAX_CHARACTERS, MAX_OCTETS, is_key_material, what_else, what_octets_are
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    an_oct_jwk,
    certificate_der,
    octets_of,
    openssh_line,
    pkcs1_pem,
    public_der,
    public_pem,
)
from tests.lookalikes.made_up import KINDS
from tests.lookalikes.public_texts import Key, unpadded
from tests.lookalikes.recorded import recorded_secrets

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "secrets.json").read_text("utf-8"))

NOISE = bytes.fromhex("9f1c64d8b7e03a5582fe11c96d40ab77e2385bd0f6194c8ea3d75f20b86c91e4")  # 32 octets
LONG_NOISE = b"".join(bytes([octet ^ mask for octet in NOISE]) for mask in range(7))
POINT = Key("p256", 1).point


def a_secret_of(octets: int) -> str:
    return base64.b64encode(LONG_NOISE[:octets]).decode()


# -- what somebody made up --------------------------------------------------------------------------------------------

MADE_UP = {
    "nothing": "",
    "one character": "x",
    "a passphrase": "correct horse, battery staple; 42!",
    "a passphrase that talks of keys": "my PUBLIC KEY and its CERTIFICATE have a modulus and an exponent",
    "a passphrase of words with dashes that talks of a certificate": (
        "a certificate, and correct-horse-battery-staple-of-a-long-winter-evening"
    ),
    "a passphrase of more words than 200 bytes": "-".join(["correct", "horse", "Battery", "staple", "42"] * 12),
    "base64": base64.b64encode(NOISE).decode(),
    "base64 behind a prefix": "pk_" + base64.b64encode(NOISE).decode(),
    "base64 in quotes": f'"{base64.b64encode(NOISE).decode()}"',
    "hex": NOISE.hex(),
    "hex with colons": NOISE.hex(":"),
    "hex of 128 octets behind a prefix": "secret_live_" + LONG_NOISE[:128].hex(),
    "a UUID": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    "eight UUIDs": "-".join(["6ba7b810-9dad-41d1-80b4-00c04fd430c8"] * 8),
    "other scripts": "пароль-密码-😀",
    "JSON of another kind": '{"user": "alice", "password": "correct horse"}',
    "JSON with one member of two": '{"n": "one", "x": "two"}',
    "XML of another kind": "<password>correct horse</password>",
    "an address behind a word": "see https://example.com/",
    "an address of nothing": '"https://"',
    "kty without a type": "kty is a word of three letters, RSA is another",
    "SSH without a blob": "ssh-rsa is what I use",
    "dashes": "---- begun",
    "the mark of a point, and no point": "04" + NOISE.hex() * 2,
    "characters of more than 200 octets that nothing encodes": "pässwörd " * 40,
}


@pytest.mark.parametrize("case", MADE_UP)
def test_a_made_up_secret_can_be_nothing_else(case: str) -> None:
    assert what_else(MADE_UP[case]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_nor_is_a_made_up_secret_certain_key_material(kind: str) -> None:
    from random import Random

    chance = Random(f"certain {kind}")

    assert not any(is_key_material(KINDS[kind](chance)) for _ in range(50))


def test_recorded_rows_stay_hmac_secrets() -> None:
    assert [text for text in recorded_secrets() if what_else(text) or is_key_material(text)] == []


# -- what is something else -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [case for case in RECORDED if "unusable" in case["want"]], ids=lambda case: case["name"]
)
def test_a_recorded_text_is_something_else(case: dict[str, Any]) -> None:
    assert what_else(case["secret"])


def test_1024_characters_are_the_most() -> None:
    assert what_else(" " * MAX_CHARACTERS) is None
    assert what_else(" " * (MAX_CHARACTERS + 1)) == "longer than 1,024 characters"


def test_200_octets_are_the_most() -> None:
    assert what_else(a_secret_of(MAX_OCTETS)) is None
    assert what_else(a_secret_of(MAX_OCTETS + 4)) == "more than 200 bytes, encoded"
    assert what_else(LONG_NOISE[:MAX_OCTETS].hex()) is None
    assert what_else(LONG_NOISE[: MAX_OCTETS + 1].hex()) == "more than 200 bytes, encoded"


SOMETHING_ELSE = {
    "a reference to another place": {
        "an ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sip",
        "an ARN of China": "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/sip",
        "an address behind blanks of all kinds": "\ufeff \u200b\thttps://login.example.com/jwks.json",
        "an address with a number for a host": "https://[::1]/jwks.json",
        "an address in angle brackets": "see <http://login.example.com/jwks.json>",
        "an address behind =": "jwks=HTTPS://login.example.com/jwks.json",
        "a file": "'file:///etc/keys/public.pem'",
        "a bucket": "(s3://bucket/public.pem)",
        "a parameter": "ssm:/sip/key",
        "a dynamic reference": "{{resolve:secretsmanager:sip}}",
        "a DID": "did:web:login.example.com",
        "a PASERK": "k4.public.cHQPVwEcSmpgj0BUcmPpqgEOGjzQzsOcBCgJiTuLQf4",
        "an address with its slashes escaped": r'{"key": "https:\/\/login.example.com\/jwks.json"}',
        "an address in URL encoding": "https%3A%2F%2Flogin.example.com%2Fjwks.json",
        "an address in URL encoding, four times": "https%2525253A%2525252F%2525252Flogin.example.com",
        "an address in entities": "&quot;https&#58;&#x2f;/login.example.com/jwks.json&quot;",
        "an address in UTF-16": "https://login.example.com".encode("utf-16-be").decode("latin-1"),
        "an address in base64": base64.b64encode(b"https://login.example.com/jwks.json").decode(),
    },
    "a key as a program prints it": {
        ".NET XML": "<RSAKeyValue><Modulus>cut</Modulus></RSAKeyValue>",
        "a discovery document cut short": '{"issuer": "https:, "jwks_uri": ',
        "DKIM": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "minisign": "untrusted comment: minisign public key 4711",
        "a modulus": f"Modulus={NOISE.hex()}",
        "a damaged PEM": f"---BEGIN PUBLIC KEY--\n{base64.b64encode(NOISE).decode()}",
        "a PEM without its first line": f"{base64.b64encode(NOISE).decode()}\n-----END CERTIFICATE-----",
        "a key of WireGuard": f"PublicKey = {base64.b64encode(NOISE).decode()}",
        "a key of age": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        "a multibase key": "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    },
    "a JWK": {
        "Ruby": '{"kty"=>"OKP", "x"=>"11qYAYKxCrfVS"}',
        "PHP's print_r": "Array\n(\n    [kty] => OKP\n    [x] => 11qYAYKxCrfVS\n)\n",
        "PHP's var_export": "array (\n  'kty' => 'OKP',\n)",
        "PHP's var_dump": 'array(1) {\n  ["kty"]=>\n  string(3) "OKP"\n}',
        "Python": "{'kty': 'OKP', 'x': '11qYAYKxCrfVS'}",
        "Node": "{ kty: 'OKP', x: '11qYAYKxCrfVS' }",
        "Go": "map[crv:Ed25519 kty:OKP x:11qYAYKxCrfVS]",
        "Java": "{kty=EC, crv=P-256}",
        "YAML": "kty: OKP\nx: 11qYAYKxCrfVS\n",
        "TOML": 'kty = "OKP"\nx = "11qYAYKxCrfVS"\n',
        "XML": "<jwk><kty>OKP</kty></jwk>",
        "JSON cut short": '{"kty":"OKP","x":',
        "JSON in a string in a string": json.dumps(json.dumps(json.dumps(a_jwk("ed25519")))),
        "JSON in entities": "{&quot;kty&quot;:&quot;OKP&quot;}",
    },
    "JSON or XML with a key's members": {
        "RSAParameters": '{"Modulus": "AQAB", "Exponent": "AQAB"}',
        "n and e": '{"N": 1, "e": "AQAB"}',
        "crv and x, deep down": '{"a": [{"b": {"crv": "P-256", "x": "AQAB"}}]}',
        "a certificate's": '{"x5c": []}',
        "an unknown kty": '{"a":{"k\\u0074y":"none of ours"}}',
        "JSON in JSON": json.dumps({"key": json.dumps({"n": "AQAB", "e": "AQAB"})}),
        "JSON behind a name": 'key = {"n": "AQAB", "e": "AQAB"}',
        "XML": "<key><n>AQAB</n><e>AQAB</e></key>",
        "XML with a namespace": '<a:key xmlns:a="b"><a:Modulus>AQAB</a:Modulus></a:key>',
    },
    "a JWK or PEM, encoded": {
        "a JWK in base64": base64.b64encode(b'{"kty":"OKP","x":"11qYAYKxCrfVS"}').decode(),
        "a JWK in hex": b'{"kty":"OKP","x":"11qYAYKxCrfVS"}'.hex(),
        "a JWK in base64 three times": unpadded(unpadded(unpadded(b'{"kty":"OKP"}').encode()).encode()),
    },
    "PEM": {
        "PEM cut short": "-----BEGIN PUBLIC",
        "PEM in small letters in base64": base64.b64encode(public_pem("ed25519").lower().encode()).decode(),
    },
    "an SSH key": {
        "a line": openssh_line("ed25519"),
        "a line with options": f'from="10.0.0.0/8" {openssh_line("p256")}',
        "a blob": openssh_line("ed25519").split()[1],
        "a blob in hex": base64.b64decode(openssh_line("ed25519").split()[1]).hex(),
        "a file of PuTTY": "PuTTY-User-Key-File-3: ssh-rsa",
        "RFC 4716": "---- BEGIN SSH2 PUBLIC KEY ----",
    },
    "DER of a key or certificate": {
        "base64": base64.b64encode(public_der("ed25519")).decode(),
        "base64 behind a prefix": "pk_" + base64.b64encode(public_der("ed25519")).decode(),
        "base64url behind a prefix of its own letters": "public-1_" + unpadded(public_der("ed25519")),
        "base64 in groups": " ".join(
            base64.b64encode(public_der("ed25519")).decode()[at : at + 4] for at in range(0, 60, 4)
        ),
        "SQL's hex": f"x'{public_der('ed25519').hex()}'",
        "PostgreSQL's hex": f"\\x{public_der('ed25519').hex()}",
        "a list of Java's": str([octet - 256 if octet > 127 else octet for octet in public_der("ed25519")]),
        "a list of Go's": "[" + " ".join(map(str, public_der("ed25519"))) + "]",
        "bytes of Python's": repr(public_der("ed25519")),
        "PEM in UTF-16": public_pem("ed25519").encode("utf-16-le").decode("latin-1"),
        "octets as Latin-1": public_der("ed25519").decode("latin-1"),
        "octets as UTF-8, what is none replaced": public_der("p256").decode("utf-8", "replace"),
        "octets as UTF-8, what is none left out": public_der("p256").decode("utf-8", "ignore"),
        "base32": base64.b32encode(public_der("ed25519")).decode(),
        "PKCS #1 of 1023 bits": base64.b64encode(Key("rsa_1023", 1).pkcs1).decode(),
        "PKCS #1 of 1000 bits": Key("rsa_1000", 1).pkcs1.hex(),
        "an algorithm that nobody here knows": "302a300506032a0304" + "032100" + NOISE.hex(),
        "a private key of SEC 1, without its curve": "30250201010420" + NOISE.hex(),
    },
    "a point of an elliptic curve": {
        "hex": POINT.hex(),
        "hex without the 04": POINT[1:].hex(),
        "base64": base64.b64encode(POINT).decode(),
        "base64 without the 04, behind a prefix": "pk_" + base64.b64encode(POINT[1:]).decode(),
        "openssl's -text": f"pub:\n    {POINT[:20].hex(':')}:\n    {POINT[20:].hex(':')}\n",
        "two numbers": f"x={int.from_bytes(POINT[1:33], 'big')} y={int.from_bytes(POINT[33:], 'big')}",
        "secp256k1": Key("secp256k1", 1).point.hex(),
        "P-384": unpadded(Key("p384", 1).point),
        "P-521": unpadded(Key("p521", 1).point[1:]),
    },
    "an OpenPGP key": {
        "version 4": base64.b64encode(Key("ed25519", 1).openpgp).decode(),
        "version 6": "c62a0663877fe31b00000020" + NOISE.hex(),
        "RSA": Key("rsa_1024", 1).openpgp.hex(),
    },
    "a COSE key": {"on a curve": "a4010103272006215820" + NOISE.hex()},
}
CASES = [
    pytest.param(found, text, id=f"{found}: {case}")
    for found, cases in SOMETHING_ELSE.items()
    for case, text in cases.items()
]


@pytest.mark.parametrize(("found", "text"), CASES)
def test_something_else_is_called_what_it_may_be(found: str, text: str) -> None:
    assert what_else(text) == found


@pytest.mark.parametrize("bits", [2048, 2050, 3070, 3072, 4094, 4096])
def test_no_size_of_modulus_hides_a_key(bits: int) -> None:
    octets = Key(f"rsa_{bits}", 1).pkcs1

    for text in (base64.b64encode(octets).decode(), octets.hex(), "pk_" + unpadded(octets), f'"{octets.hex()}"'):
        assert what_else(text)
        assert is_key_material(text)


def test_escapes_are_undone_four_times_over() -> None:
    """Each time the mark of the escape is escaped once more."""
    address = "https%3A//login.example.com"

    for _ in range(4):
        assert what_else(address)
        address = address.replace("%", "%25")
    assert what_else(address) is None


def test_what_is_encoded_is_decoded_three_times_over() -> None:
    text = '{"kty":"OKP"}'

    for _ in range(4):
        assert what_else(text)
        text = unpadded(text.encode())
    assert what_else(text) is None


def test_random_octets_that_begin_like_a_packet_of_openpgp_are_none() -> None:
    """A length, a time or an algorithm that does not fit is enough."""
    packet = Key("ed25519", 1).openpgp

    assert what_else(packet.hex())
    for at, octet in ((1, 0x27), (2, 0x05), (3, 0x10), (7, 0x63)):
        assert what_else((packet[:at] + bytes([octet]) + packet[at + 1 :]).hex()) is None


def test_a_text_that_can_be_read_in_too_many_ways_is_refused() -> None:
    """Nothing is cheaper to say of it within milliseconds, and no ordinary secret is like that."""
    assert what_else("".join(chr(33 + at * 37 % 94) for at in range(MAX_CHARACTERS))) is not None


OUTSIDE_THE_PROMISE = {
    "a bare key": Key("ed25519", 1).numbers["x"].hex(),
    "a compressed point": "02" + POINT[1:33].hex(),
    "a bare modulus of 1024 bits": Key("rsa_1024", 1).numbers["n"].hex(),
    "base85": base64.b85encode(public_der("ed25519")).decode(),
    "reversed": base64.b64encode(public_der("ed25519")).decode()[::-1],
    "rotated": codecs.encode(base64.b64encode(public_der("ed25519")).decode(), "rot13"),
    "compressed": base64.b64encode(zlib.compress(public_pem("p256").encode())).decode(),
}


@pytest.mark.parametrize("case", OUTSIDE_THE_PROMISE)
def test_what_looks_like_noise_is_outside_the_promise(case: str) -> None:
    """Held so that nobody relies on it: `REQUIRE_ALG_COLUMN` is for these."""
    assert what_else(OUTSIDE_THE_PROMISE[case]) is None


# -- what is certain, whatever the row says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(openssh_line(), id="SSH"),
        pytest.param(openssh_line("p521").split()[1], id="an SSH blob"),
        pytest.param("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", id="RFC 4716"),
        pytest.param("PuTTY-User-Key-File-2: ssh-rsa\n", id="PuTTY"),
        pytest.param(base64.b64encode(public_der()).decode(), id="DER in base64"),
        pytest.param("pk_" + unpadded(public_der()), id="DER in base64url behind a prefix"),
        pytest.param(certificate_der().hex(":"), id="a certificate in hex with colons"),
        pytest.param("".join(pkcs1_pem().splitlines()[1:-1]), id="PKCS #1"),
        pytest.param(base64.b64encode(public_pem().encode()).decode(), id="PEM in base64"),
        pytest.param(unpadded(json.dumps(a_jwk()).encode()), id="a JWK in base64url"),
        pytest.param("x" * 1000 + " " + public_der("ed25519").hex(), id="DER behind much text"),
    ],
)
def test_some_texts_are_certainly_keys(text: str) -> None:
    assert is_key_material(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("arn:aws:ssm:x", id="a reference"),
        pytest.param("<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>", id="a printout"),
        pytest.param("kty: RSA", id="words of a JWK"),
        pytest.param(json.dumps(an_oct_jwk()), id="an oct JWK"),
        pytest.param(POINT.hex(), id="a point"),
        pytest.param(a_secret_of(204), id="more than 200 bytes"),
        pytest.param("x" * 100_000, id="much text"),
    ],
)
def test_what_is_only_likely_is_not_certain(text: str) -> None:
    assert not is_key_material(text)


# -- the octets of an `oct` JWK ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(HMAC_KEY.encode(), id="text"),
        pytest.param(NOISE, id="32 octets"),
        pytest.param(LONG_NOISE[:128], id="128 octets"),
        pytest.param(bytes(range(256)) + b"\xfb\xff", id="258 octets, the first of them 0"),
        pytest.param(LONG_NOISE[:223] + b"\x02", id="an even number of 224 octets"),
        pytest.param(b"\xff" * 201, id="an odd number of 201 octets with small divisors"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_octets_of_a_key_are_nothing_else(octets: bytes) -> None:
    assert what_octets_are(octets) is None


MODULUS = octets_of(str(a_jwk()["n"]))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(MODULUS, id="a modulus"),
        pytest.param(b"\0" + MODULUS, id="a modulus as DER has it"),
        pytest.param(str(a_jwk()["n"]).encode(), id="a modulus in base64url, twice encoded"),
        pytest.param(MODULUS.hex().encode(), id="a modulus in hex"),
        pytest.param(json.dumps(a_jwk("ed25519")).encode(), id="a JWK"),
        pytest.param(b"https://login.example.com/jwks.json", id="an address"),
        pytest.param("\u201chttps://login.example.com/\u201d".encode(), id="an address in quotes"),
        pytest.param(public_der("ed25519"), id="DER"),
        pytest.param(public_pem("ed25519").encode(), id="PEM"),
        pytest.param(POINT, id="a point"),
        pytest.param(base64.b64encode(public_der("ed25519")), id="DER in base64"),
    ],
)
def test_octets_may_be_another_key(octets: bytes) -> None:
    assert what_octets_are(octets)
