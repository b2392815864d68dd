"""What is an HMAC secret that somebody made up, and what may be something else: forms by name, boundaries in pairs."""

import base64
import codecs
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from auth_jwt.jose.lookalikes import is_key_material, what_else, what_octets_are
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
from tests.lookalikes.public_texts import Key, od_of_words, unpadded, xxd
from tests.lookalikes.recorded import recorded_secrets

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "secrets.json").read_text("utf-8"))

NOISE = bytes.fromhex("9f1c64d8b7e03a5582fe11c96d40ab77e2385bd0f6194c8ea3d75f20b86c91e4")  # 32 octets
LONG_NOISE = b"".join(bytes([octet ^ mask for octet in NOISE]) for mask in range(7))
POINT = Key("p256", 1).point
BARE = POINT[1:]
"""A point without its 04: only places where a structure may begin are searched for it."""
UNKNOWN_KEY = bytes.fromhex("302a300506032a0304" + "032100") + NOISE
NOISE_64 = base64.b64encode(NOISE).decode()
ADDRESS = "https://login.example.com/"
SHORT_ADDRESS = b"https://a.bc"  # of 12 octets


def a_secret_of(octets: int) -> str:
    return base64.b64encode(LONG_NOISE[:octets]).decode()


def in_pieces(text: str, size: int, mark: str = " ") -> str:
    return mark.join(text[at : at + size] for at in range(0, len(text), size))


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
    "a passphrase of 1,000 characters": "-".join(["correct", "horse", "Battery", "staple", "42"] * 32),
    "a passphrase, most of whose words have other lengths": "correct horse Battery staple 42 " * 20,
    "a passphrase of words of three letters": "the fox and his dog are out " * 14,
    "a passphrase with one capital X": "the Xylophone of a long winter evening",
    "a name with dashes that is no run of anything": "public-key",
    "a name that ends in a word of keys, beside base64": f"turkey: {NOISE_64}",
    "fewer than 16 characters of base64": "IAYhWCA",
    "base64 of kty without a type": base64.b64encode(b"\xa2\xa3kty\xa3XYZ\xa1x" + NOISE).decode(),
    "base64 on lines, quoted and marked": "".join(
        f'> "{line}" \\.\n' for line in in_pieces(base64.b64encode(LONG_NOISE[:128]).decode(), 64).split()
    ),
    "base64": base64.b64encode(NOISE).decode(),
    "base64 behind a prefix": "pk_" + base64.b64encode(NOISE).decode(),
    "base64 in quotes": f'"{base64.b64encode(NOISE).decode()}"',
    "hex": NOISE.hex(),
    "hex with colons": NOISE.hex(":"),
    "hex of 128 octets behind a prefix": "the_secret_live_" + LONG_NOISE[:128].hex(),
    "hex of 128 octets in capitals, behind a prefix": "THE_SECRET_LIVE_" + LONG_NOISE[:128].hex().upper(),
    "hex behind an X": "X" + NOISE.hex(),
    "a UUID": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    "eight UUIDs": "-".join(["6ba7b810-9dad-41d1-80b4-00c04fd430c8"] * 8),
    "other scripts": "пароль-密码-😀",
    "JSON of another kind": '{"user": "alice", "password": "correct horse"}',
    "JSON with one member of two": '{"n": "one", "x": "two"}',
    "JSON with numbers": '{"exp": 5, "user": "alice"}',
    "XML of another kind": "<password>correct horse</password>",
    "an address behind a word": "see https://example.com/",
    "an address behind a plus": "see:+https://example.com/",
    "an address of nothing": '"https://"',
    "kty without a type": "kty is a word of three letters, RSA is another",
    "kty and a type, in a sentence of another language": "kty não RSA",
    "SSH without a blob": "ssh-rsa is what I use",
    "dashes": "---- begun",
    "the mark of a point, and no point": "04" + NOISE.hex() * 2,
    "characters of more than 200 octets that nothing encodes": "pässwörd " * 40,
    "more than 200 blanks of another kind": "\xa0" * 201,
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
    assert what_else(" " * 1024) is None
    assert what_else(" " * 1025) == "longer than 1,024 characters"


BASE64 = a_secret_of(216).replace("+", "P").replace("/", "S")  # a piece that ends in a mark may be a word
MOSTLY = in_pieces(BASE64[:270], 6)  # 45 pieces

MOST: dict[str, tuple[str, str]] = {
    "base64": (a_secret_of(200), a_secret_of(204)),
    "characters of base64": (BASE64[:268], BASE64[:269]),
    "characters of base64 behind a word": (f"a {BASE64[:268]}", f"a {BASE64[:269]}"),
    "base64 in groups of four": (in_pieces(BASE64[:268], 4), in_pieces(BASE64[:272], 4)),
    "base64 in groups of three and of four": (in_pieces(BASE64[:288], 3), in_pieces(BASE64[:288], 4)),
    "base64 in groups of eight, and a word": (in_pieces(BASE64[:264], 8) + " bc", in_pieces(BASE64[:272], 8) + " bc"),
    "base64 in groups of four, and a longer word": (
        in_pieces(BASE64[:268], 4) + " longer",
        in_pieces(BASE64[:272], 4) + " longer",
    ),
    "nine long pieces and seven longer ones": (
        f"{in_pieces(BASE64[:135], 15)} {in_pieces(BASE64[:126], 18)}",
        f"{in_pieces(BASE64[:144], 16)} {in_pieces(BASE64[:126], 18)}",
    ),
    "pieces of which three in four have one length": (
        f"{MOSTLY} {' '.join('a' * (at % 5 + 1) for at in range(16))}",
        f"{MOSTLY} {' '.join('a' * (at % 5 + 1) for at in range(15))}",
    ),
    "hex": (LONG_NOISE[:200].hex(), LONG_NOISE[:201].hex()),
    "a list of Rust's": (
        ",".join(f"{at % 20}u8" for at in range(200)),
        ",".join(f"{at % 20}u8" for at in range(201)),
    ),
    "characters, some of them controls": ("\xe9" * 180 + "\x80" * 20, "\xe9" * 181 + "\x80" * 20),
    "characters, one in sixteen a control": ("\xe9" * 195 + "\x80" * 13, "\xe9" * 194 + "\x80" * 14),
    "characters, one in sixteen a DEL": ("\xe9" * 195 + "\x7f" * 13, "\xe9" * 194 + "\x7f" * 14),
}


@pytest.mark.parametrize("case", MOST)
def test_200_octets_are_the_most(case: str) -> None:
    at_most, more = MOST[case]

    assert what_else(at_most) is None
    assert what_else(more) == "more than 200 bytes, encoded"


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
        "a token": "pkcs11:token=sip;object=key",
        "a DID": "did:web:login.example.com",
        "a PASERK": "k4.public.cHQPVwEcSmpgj0BUcmPpqgEOGjzQzsOcBCgJiTuLQf4",
        "an address with its slashes escaped": r'{"key": "https:\/\/login.example.com\/jwks.json"}',
        "an address in URL encoding": "https%3A%2F%2Flogin.example.com%2Fjwks.json",
        "an address in URL encoding, four times": "https%2525253A%2525252F%2525252Flogin.example.com",
        "an address in entities": "&quot;https&#58;&#x2f;/login.example.com/jwks.json&quot;",
        "an address in UTF-16": "https://login.example.com".encode("utf-16-be").decode("latin-1"),
        "an address in base64": base64.b64encode(b"https://login.example.com/jwks.json").decode(),
        "an address in base64, between other characters": unpadded(b"\xff\x7f" + ADDRESS.encode() + b"\x7f"),
        "an address in entities with names": "https&colon;&sol;&sol;login.example.com",
        "an address in octal escapes": r"\150ttps://login.example.com",
        "an address in escapes of two digits": r"\x68ttps://login.example.com",
        "an address in escapes of two digits or more": r"\x{68}ttps://login.example.com",
        "an address in escapes of four digits": r"\u0068ttps://login.example.com",
        "an address in escapes of Rust's": r"\u{68}ttps://login.example.com",
        "an address in escapes of eight digits": r"\U00000068ttps://login.example.com",
        "an address on two lines of a shell": "https://lo\\\ngin.example.com".replace("://", "\\\n://"),
        "an address in quoted-printable": "https=3A//login.example.com",
        "an address in lines of quoted-printable": "http= \t\r\ns://login.example.com",
        "an address in two pieces": '"htt" + "ps://login.example.com"',
        "an address in two pieces of PHP's": "'htt' . 'ps://login.example.com'",
        "an address in two pieces of BASIC's": '"htt" & _\n"ps://login.example.com"',
        "an address in octets of BASIC's": ",".join(f"&H{octet:02X}" for octet in ADDRESS.encode()),
        "an address in a dump of its hex, which stands beside it too": xxd(b"https://login.io".hex(" ", 4).encode()),
        "an address, read as UTF-16": ADDRESS.encode().decode("utf-16-le"),
    },
    "a key as a program prints it": {
        ".NET XML": "<RSAKeyValue><Modulus>cut</Modulus></RSAKeyValue>",
        "a discovery document cut short": '{"issuer": "https:, "jwks_uri": ',
        "DKIM": "v=DKIM1; p=11qYAYKxCrfVS",
        "DKIM without its version, in two strings": 'k=ed25519; p=" "11qYAYKxCrfVS',
        "minisign": "untrusted comment: minisign public key 4711",
        "a modulus": f"Modulus={NOISE.hex()}",
        "a damaged PEM": f"---BEGIN PUBLIC KEY--\n{base64.b64encode(NOISE).decode()}",
        "a PEM without its first line": f"{base64.b64encode(NOISE).decode()}\n-----END CERTIFICATE-----",
        "a key of WireGuard": f"PublicKey = {base64.b64encode(NOISE).decode()}",
        "a key of age": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        "a multibase key": "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "a multibase key of P-256": "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        "a multibase key in hex": "fed01" + NOISE.hex(),
        "a multibase key in base64": "u7Q" + unpadded(b"\x01" + NOISE),
        "a key of Nostr": "npub1" + "qpzry9x8gf2tvdw0s3jn54khce6mua7l" + "qpzry9x8gf2tvdw0s3jn54khce",
        "an extended key of Bitcoin": "xpub" + "661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhe" * 2 + "PY2",
        "a modulus beside characters of other scripts": f"Модуль, Modulus={NOISE_64}",
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
        "JSON cut shorter": '{"kty": ',
    },
    "JSON or XML with a key's members": {
        "RSAParameters": '{"Modulus": "AQAB", "Exponent": "AQAB"}',
        "n and e": '{"N": 1, "e": "AQAB"}',
        "crv and x, deep down": '{"a": [{"b": {"crv": "P-256", "x": "AQAB"}}]}',
        "a certificate's": '{"x5c": []}',
        "an unknown kty": '{"a":{"k\\u0074y":"none of ours"}}',
        "JSON in JSON": json.dumps({"key": json.dumps({"n": "AQAB", "e": "AQAB"})}),
        "JSON in JSON beside other text": json.dumps({"name": "sip", "key": json.dumps({"n": "AQAB", "e": "AQAB"})}),
        "JSON behind a name": 'key = {"n": "AQAB", "e": "AQAB"}',
        "JSON in a call": 'load({"n": "AQAB", "e": "AQAB"});',
        "JSON with a line end in it": '{"n": "AQ\nAB", "e": "AQAB"}',
        "where keys are": '{"jwks\\u005furi": ""}',
        "a certificate of SAML": "<ds:X509Certificate>cut</ds:X509Certificate>",
        "XML": "<key><n>AQAB</n><e>AQAB</e></key>",
        "XML with a namespace": '<a:key xmlns:a="b"><a:Modulus>AQAB</a:Modulus></a:key>',
    },
    "a JWK or PEM, encoded": {
        "a JWK in base64": base64.b64encode(b'{"kty":"OKP","x":"11qYAYKxCrfVS"}').decode(),
        "a JWK in hex": b'{"kty":"OKP","x":"11qYAYKxCrfVS"}'.hex(),
        "a JWK in base64 three times": unpadded(unpadded(unpadded(b'{"kty":"OKP"}').encode()).encode()),
        "a JWK in MessagePack": unpadded(b"\x82\xa3kty\xa3OKP\xa1x\xc4\x20"),
        "a JWK in MessagePack, of a kind that is new": unpadded(b"\x82\xa3kty\xa3AKP\xa3pub\xc4\x20"),
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
        "a line cut short": "ssh-rsa AAAAB3",
        "a line of P-256 cut short": "ecdsa-sha2-nistp256 AAAAE2",
        "a line in a form": "key=ssh-ed25519+AAAAC3Nz",
        "a blob of ASCII": "\0\0\0\x0bssh-ed25519\0\0\0 " + "B" * 32,
        "a file of PuTTY": "PuTTY-User-Key-File-3: ssh-rsa",
        "RFC 4716": "---- BEGIN SSH2 PUBLIC KEY ----",
        "RFC 4716 behind text": "my key: ---- BEGIN SSH2 PUBLIC KEY ----",
        "RFC 4716 without a blank": "----BEGIN SSH2 PUBLIC KEY----",
        "RFC 4716 of another kind": "\n---- BEGIN PUBLIC KEY ----",
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
        "a list of Java's": str([octet - 256 if octet > 127 else octet for octet in public_der("p256")]),
        "a list with dashes": "-".join(map(str, public_der("p256"))),
        "a list with underscores": "_".join(map(str, public_der("p256"))),
        "a list in octal": " ".join(f"{octet:03o}" for octet in public_der("ed25519")),
        "a list of hex without zeros": ",".join(f"{octet:#x}" for octet in public_der("ed25519")),
        "an object of JavaScript's": json.dumps({str(at): octet for at, octet in enumerate(public_der("ed25519"))}),
        "a list of Go's": "[" + " ".join(map(str, public_der("ed25519"))) + "]",
        "bytes of Python's": repr(public_der("ed25519")),
        "PEM in UTF-16": public_pem("ed25519").encode("utf-16-le").decode("latin-1"),
        "octets as Latin-1": public_der("ed25519").decode("latin-1"),
        "octets as UTF-8, what is none replaced": Key("p256", 1)
        .certificate.public_bytes(Encoding.DER)
        .decode("utf-8", "replace"),
        "octets as UTF-8, what is none left out": public_der("p256").decode("utf-8", "ignore"),
        "octets of RSA as UTF-8, what is none replaced": public_der().decode("utf-8", "replace"),
        "octets of RSA as UTF-8, what is none left out": public_der().decode("utf-8", "ignore"),
        "octets as UTF-16": public_der("ed25519").decode("utf-16-le", "surrogatepass"),
        "base64 in lines of HTML": in_pieces(base64.b64encode(public_der("ed25519")).decode(), 16, "<br/>"),
        "hex words of C's": ", ".join(f"0x{word}" for word in in_pieces(public_der("ed25519").hex(), 8).split()),
        "hex words of C's in capitals": ", ".join(
            f"0X{word}" for word in in_pieces(public_der("ed25519").hex().upper(), 8).split()
        ),
        "SQL's hex in capitals": f"X'{public_der('ed25519').hex().upper()}'",
        "binary digits": "".join(f"{octet:08b}" for octet in public_der("ed25519")),
        "a dump of xxd's": xxd(public_der("ed25519")),
        "base32": base64.b32encode(public_der("ed25519")).decode(),
        "PKCS #1 of 1023 bits": base64.b64encode(Key("rsa_1023", 1).pkcs1).decode(),
        "PKCS #1 of 1000 bits": Key("rsa_1000", 1).pkcs1.hex(),
        "an algorithm that nobody here knows": UNKNOWN_KEY.hex(),
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
        "hex behind another digit": f"a{POINT.hex()}",
        "hex without the 04, behind another octet": "08" + BARE.hex(),
        "two numbers in hex": f"x={BARE[:32].hex(':', 2)} y={BARE[32:].hex(':', 2)}",
        "a dump of words": od_of_words(POINT),
        "base64 in comments": "".join(
            f"// {line}\n" for line in in_pieces(base64.b64encode(POINT).decode(), 16).split()
        ),
        "octets with C's escapes": "".join(
            r"\e" if octet == 0x1B else rf"\x{octet:02x}" for octet in Key("p521", 1).point
        ),
        "two numbers of P-384": " ".join(str(int.from_bytes(number)) for number in Key("p384", 1).numbers.values()),
        "a list without the 04, behind another octet": str([8, *BARE]),
        "characters without the 04, behind another one": "k" + BARE.decode("latin-1"),
        "UTF-16 without the 04, behind another octet": (b"k" + BARE + b"k").decode("utf-16-le", "surrogatepass"),
        "base32 without the 04": base64.b32encode(BARE + b"k").decode(),
        "base32 without the 04, behind five octets": base64.b32encode(b"login" + BARE).decode().rstrip("="),
        "base64 without the 04, among letters": f"{' '.join('abcdefghijklmnopqrstuvwxyzabcd')} {unpadded(BARE)}",
        "base64 without the 04, behind three octets, among words": (
            "correct horse Battery staple " * 8 + unpadded(b"key" + BARE)
        ),
        "base64 without the 04, of 201 octets, among words": (
            "the horse and his " * 2 + "k" + unpadded(BARE + LONG_NOISE[:136])
        ),
        "base64 without the 04, around hex": "{1}\n{0}\n{2}\n{3}\nx{4}".format(
            NOISE.hex(),
            *in_pieces(a_secret_of(48) + base64.b64encode(BARE + LONG_NOISE[:35]).decode(), 68).split(),
            NOISE[:16].hex(),
        ),
        "P-384": unpadded(Key("p384", 1).point),
        "P-521": unpadded(Key("p521", 1).point[1:]),
    },
    "an OpenPGP key": {
        "version 4": base64.b64encode(Key("ed25519", 1).openpgp).decode(),
        "version 6": "c62a0663877fe31b00000020" + NOISE.hex(),
        "RSA": Key("rsa_1024", 1).openpgp.hex(),
    },
    "a COSE key": {
        "on a curve": "a4010103272006215820" + NOISE.hex(),
        "of Ed448, with C's escapes": r"\xa4\x01\x01\x03\x27\x20\a\x21\x58\x39",
        "of secp256k1, with C's escapes": r"\xa4\x01\x02\x03\x27\x20\b\x21\x58\x20",
    },
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


def test_json_in_json_is_read_three_times_over() -> None:
    text = json.dumps({"n": "AQAB", "e": "AQAB"})

    for _ in range(3):
        assert what_else(text)
        text = json.dumps({"key": text})
    assert what_else(text) is None


A_LIST = b"https://login.exa.io"  # of 20 octets


def a_pair(write: Callable[[bytes], str]) -> tuple[str, str]:
    """19 numbers, and 20."""
    return write(A_LIST[:-1]), write(A_LIST)


GROUPED = base64.b64encode(b"key" + BARE + b"ok").decode()  # 92 characters
FEWEST: dict[str, tuple[str, str]] = {
    "16 characters of base64": (unpadded(SHORT_ADDRESS[:-1]), unpadded(SHORT_ADDRESS)),
    "12 characters of text": (unpadded(b"\xff\xff" + SHORT_ADDRESS[:-1]), unpadded(b"\xff\xff" + SHORT_ADDRESS)),
    "32 digits of hex": (b"https://login.i".hex(), b"https://login.io".hex()),
    "26 digits of base32": (
        base64.b32encode(b"https://login.i").decode().rstrip("="),
        base64.b32encode(b"https://login.io").decode().rstrip("="),
    ),
    "20 numbers": a_pair(lambda octets: str(list(octets))),
    "20 numbers in octal": a_pair(lambda octets: "".join(f"0o{octet:o} " for octet in octets)),
    "20 numbers in hex": a_pair(lambda octets: "".join(f"(byte) 0x{octet:x}," for octet in octets)),
    "20 numbers in hex of assemblers": a_pair(lambda octets: "".join(f"{octet:02x}h " for octet in octets)),
    "20 marks between them": (",".join(map(str, A_LIST)), ",".join(map(str, A_LIST)) + ","),
    "four characters in a group": (in_pieces(GROUPED, 3), in_pieces(GROUPED, 4)),
    "four groups behind dashes": (in_pieces(GROUPED, 31, "-"), in_pieces(GROUPED, 23, "-")),
    "four groups behind underscores": (in_pieces(GROUPED, 31, "_"), in_pieces(GROUPED, 23, "_")),
    "more than half of another script, as UTF-16": (
        public_der("ed25519").decode("utf-16-le", "surrogatepass") + "!" * 20,
        public_der("ed25519").decode("utf-16-le", "surrogatepass") + "!" * 19,
    ),
}


@pytest.mark.parametrize("case", FEWEST)
def test_fewer_are_no_encoding(case: str) -> None:
    fewer, enough = FEWEST[case]

    assert what_else(fewer) is None
    assert what_else(enough)


def test_groups_behind_dashes_have_one_length() -> None:
    """The last one may be shorter."""
    assert what_else(in_pieces(GROUPED, 30, "-"))
    assert what_else(f"{GROUPED[:30]}-{GROUPED[30:59]}-{GROUPED[59:89]}-{GROUPED[89:]}") is None
    assert what_else(f"{GROUPED[:30]}-{GROUPED[30:60]}-{GROUPED[60:89]}-{GROUPED[89:]}") is None


@pytest.mark.parametrize(
    "scheme",
    [
        *("https", "http", "file", "s3", "ftp", "ftps", "gs", "kms", "ldap", "ldaps", "op", "vault", "azurekv"),
        *("awskms", "gcpkms"),
    ],
)
def test_an_address_has_one_of_many_schemes(scheme: str) -> None:
    assert what_else(f"{scheme}://place/key") == "a reference to another place"


@pytest.mark.parametrize("mark", ["1", "42:", "42.", "42)", "//", "--", "+", ">", "#", ";", "*", "|"])
def test_marks_before_a_line_are_dropped(mark: str) -> None:
    assert what_else(f"{mark} {ADDRESS}\n") == "a reference to another place"


@pytest.mark.parametrize("letter", "nrtfv0")
def test_an_escaped_blank_is_one(letter: str) -> None:
    assert what_else(rf"see:\{letter}{ADDRESS}") == "a reference to another place"


@pytest.mark.parametrize("tag", ["br", "br/", "br /", "wbr", "p", "/p", "div", "span", "code", "pre"])
def test_tags_that_lay_text_out_are_dropped(tag: str) -> None:
    assert what_else(f"htt<{tag}>ps://login.example.com") == "a reference to another place"


@pytest.mark.parametrize(
    "name",
    [
        *("exponent", "RSA exponent", "publicExponent", "modulus", "certificate", "X509Certificate", "public key"),
        *("private_key", "pub-key", "verifyKey", "verifying key", "verificationKey", "publicKeyPem", "publicKeyHex"),
        *("publicKeyBase64", "publicKeyBase58", "ed25519", "ed25519v1-public", "ed448", "x25519", "OKP", "65537"),
        *("010001", "0x10001", "AQAB", "DNSKEY", "SSHFP", "TLSA", "pin-sha256"),
    ],
)
def test_base64_beside_a_name_is_a_key_as_a_program_prints_it(name: str) -> None:
    assert what_else(f"{name}: {NOISE_64}") == "a key as a program prints it"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        pytest.param(NOISE_64[:42], NOISE_64[:43], id="base64"),
        pytest.param(NOISE[:31].hex(":"), NOISE.hex(":"), id="hex"),
        pytest.param(" ".join("7" * 31), " ".join("7" * 32), id="numbers"),
    ],
)
def test_what_stands_beside_a_name_has_32_octets(short: str, long: str) -> None:
    assert what_else(f"modulus {short}") is None
    assert what_else(f"modulus {long}") == "a key as a program prints it"


def test_random_octets_that_begin_like_a_packet_of_openpgp_are_none() -> None:
    """A length, a time or an algorithm that does not fit is enough."""
    packet = Key("ed25519", 1).openpgp

    assert what_else(packet.hex())
    for at, octet in ((1, 0x27), (2, 0x05), (3, 0x10), (7, 0x63)):
        assert what_else((packet[:at] + bytes([octet]) + packet[at + 1 :]).hex()) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("".join(chr(33 + at * 37 % 94) for at in range(1024)), id="noise of all characters"),
        pytest.param(a_secret_of(150).replace("a", "%2541"), id="150 octets, escaped twice"),
    ],
)
def test_a_text_that_can_be_read_in_too_many_ways_is_refused(text: str) -> None:
    """Nothing is cheaper to say of it within milliseconds, and no ordinary secret is like that."""
    assert what_else(text) == "text that can be read in too many ways"


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
        pytest.param(
            f"{BASE64[:200]} {BASE64[10:210]} {BASE64[20:220]} {list(UNKNOWN_KEY)}",
            id="DER in a list behind much base64: no effort goes into points, which are not certain",
        ),
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


def test_what_is_certain_is_looked_for_in_2048_characters() -> None:
    assert is_key_material("-----BEGIN".rjust(2048))
    assert not is_key_material("-----BEGIN".rjust(2049))


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
        pytest.param(LONG_NOISE.hex()[:-1].encode(), id="an odd number of digits of hex"),
    ],
)
def test_octets_of_a_key_are_nothing_else(octets: bytes) -> None:
    assert what_octets_are(octets) is None


MODULUS = octets_of(str(a_jwk()["n"]))


@pytest.mark.parametrize(
    ("found", "octets"),
    [
        pytest.param("an RSA modulus", MODULUS, id="a modulus"),
        pytest.param("an RSA modulus", b"\0" + MODULUS, id="a modulus as DER has it"),
        pytest.param("an RSA modulus", f"{a_jwk()['n']}==\n".encode(), id="a modulus in base64url, twice encoded"),
        pytest.param("an RSA modulus", MODULUS.hex().encode(), id="a modulus in hex"),
        pytest.param("a JWK", json.dumps(a_jwk("ed25519")).encode(), id="a JWK"),
        pytest.param("a reference to another place", ADDRESS.encode(), id="an address"),
        pytest.param("a reference to another place", f"\u201c{ADDRESS}\u201d".encode(), id="an address in quotes"),
        pytest.param("DER of a key or certificate", public_der("ed25519"), id="DER"),
        pytest.param("PEM", public_pem("ed25519").encode(), id="PEM"),
        pytest.param("a point of an elliptic curve", POINT, id="a point"),
        pytest.param("a point of an elliptic curve", b"k" + BARE, id="a point without its 04, behind another octet"),
        pytest.param(
            "a point of an elliptic curve",
            "".join(f"{octet:08b}" for octet in b"k" + BARE).encode(),
            id="a point without its 04, in binary digits",
        ),
        pytest.param("DER of a key or certificate", base64.b64encode(public_der("ed25519")), id="DER in base64"),
    ],
)
def test_octets_may_be_another_key(found: str, octets: bytes) -> None:
    assert what_octets_are(octets) == found


def test_a_point_without_its_04_is_looked_for_in_200_octets() -> None:
    assert what_octets_are(BARE + LONG_NOISE[:136]) == "a point of an elliptic curve"
    assert what_octets_are(BARE + LONG_NOISE[:136] + b"\0") is None


def a_number_of(octets: int, more: int) -> bytes:
    """The least number with a 1 for its first bit, and *more*."""
    return ((1 << octets * 8 - 1) + more).to_bytes(octets, "big")


SMALLEST_TIMES_1999 = ((1 << 1607) // 1999 + 15) * 1999
SMALLEST_TIMES_2003 = ((1 << 1607) // 2003 + 14) * 2003


@pytest.mark.parametrize(
    ("none", "modulus"),
    [
        pytest.param(a_number_of(200, 11), a_number_of(201, 5), id="more than 200 octets"),
        pytest.param(a_number_of(2049, 15), a_number_of(2048, 9), id="2,048 octets at most"),
        pytest.param(a_number_of(201, 0), a_number_of(201, 5), id="an odd number"),
        pytest.param(
            SMALLEST_TIMES_1999.to_bytes(201, "big"),
            SMALLEST_TIMES_2003.to_bytes(201, "big"),
            id="no divisor below 2,000",
        ),
        pytest.param(
            b"\0" + ((0x7F << 1600) + 1).to_bytes(201, "big"), b"\0" + a_number_of(201, 5), id="no needless 0 before it"
        ),
        pytest.param(
            f"{unpadded(a_number_of(201, 0))}\n".encode(),
            f"{unpadded(a_number_of(201, 599))}\n".encode(),
            id="in base64 that ends in X",
        ),
        pytest.param(
            f"{a_number_of(200, 11).hex()}\n".encode(),
            f"{a_number_of(201, 5).hex()}\n".encode(),
            id="more than 200 octets in hex",
        ),
    ],
)
def test_a_modulus_is(none: bytes, modulus: bytes) -> None:
    assert what_octets_are(none) is None
    assert what_octets_are(modulus) == "an RSA modulus"
