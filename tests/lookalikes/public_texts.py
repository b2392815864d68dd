"""Public keys in every form that programs print and people paste, from a seed: none of it is a secret.

A form is a thing (the octets of a key, or its text) in a wrapping (base64 in lines, a list of octets in Java, ...).
RSA keys have random odd moduli: in all their forms they look like real ones, and take no time to make.
"""

import base64
import html
import json
import quopri
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID

CURVES: dict[str, tuple[ec.EllipticCurve, str]] = {
    "p256": (ec.SECP256R1(), "P-256"),
    "p384": (ec.SECP384R1(), "P-384"),
    "p521": (ec.SECP521R1(), "P-521"),
    "secp256k1": (ec.SECP256K1(), "secp256k1"),
}
RSA_BITS = (512, 768, 1000, 1023, 1024, 1280, 1536, 2048, 2050, 3070, 3072, 4094, 4096)
KINDS = (*(f"rsa_{bits}" for bits in RSA_BITS), *CURVES, "ed25519", "ed448", "x25519")

Numbers = dict[str, bytes]


@dataclass(frozen=True)  # no slots: what is made of it is kept in the instance
class Key:
    """A key pair of a kind, from a seed.

    Attributes:
        kind: one of KINDS.
        seed: of everything random in it.
    """

    kind: str
    seed: int

    @cached_property
    def chance(self) -> random.Random:
        return random.Random(f"{self.kind} {self.seed}")

    @cached_property
    def private(self) -> Any:
        """The private key; None for RSA."""
        if self.kind in CURVES:
            return ec.derive_private_key(self.chance.getrandbits(250) | 1, CURVES[self.kind][0])
        if self.kind == "ed25519":
            return ed25519.Ed25519PrivateKey.from_private_bytes(self.chance.randbytes(32))
        if self.kind == "ed448":
            return ed448.Ed448PrivateKey.from_private_bytes(self.chance.randbytes(57))
        if self.kind == "x25519":
            return x25519.X25519PrivateKey.from_private_bytes(self.chance.randbytes(32))
        return None

    @cached_property
    def public(self) -> Any:
        if self.private:
            return self.private.public_key()
        bits = int(self.kind.removeprefix("rsa_"))
        modulus = self.chance.getrandbits(bits) | 1 << (bits - 1) | 1
        return rsa.RSAPublicNumbers(self.chance.choice([3, 17, 65537]), modulus)

    @cached_property
    def numbers(self) -> Numbers:
        """The members of its JWK that are octets."""
        if self.kind.startswith("rsa"):
            e, n = self.public.e, self.public.n
            return {
                "n": n.to_bytes((n.bit_length() + 7) // 8, "big"),
                "e": e.to_bytes((e.bit_length() + 7) // 8, "big"),
            }
        if self.kind in CURVES:
            size = (CURVES[self.kind][0].key_size + 7) // 8
            point = self.public.public_numbers()
            return {"x": point.x.to_bytes(size, "big"), "y": point.y.to_bytes(size, "big")}
        return {"x": self.public.public_bytes(Encoding.Raw, PublicFormat.Raw)}

    @cached_property
    def jwk(self) -> dict[str, str]:
        names = {"r": "RSA", "p": "EC", "s": "EC"}
        kty = names.get(self.kind[0], "OKP")
        curve = CURVES[self.kind][1] if self.kind in CURVES else self.kind.capitalize()
        members = {"kty": kty} if kty == "RSA" else {"kty": kty, "crv": curve}
        return members | {name: unpadded(octets) for name, octets in self.numbers.items()}

    @cached_property
    def spki(self) -> bytes:
        if self.kind.startswith("rsa"):
            algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
            return der(0x30, algorithm + der(0x03, b"\0" + self.pkcs1))
        octets: bytes = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return octets

    @cached_property
    def pkcs1(self) -> bytes:
        return der(0x30, integer(self.numbers["n"]) + integer(self.numbers["e"]))

    @cached_property
    def ssh_blob(self) -> bytes:
        if self.kind.startswith("rsa"):
            return ssh(b"ssh-rsa") + ssh(integer(self.numbers["e"])[2:]) + ssh(shortest(self.numbers["n"]))
        if self.kind == "ed25519":
            return ssh(b"ssh-ed25519") + ssh(self.numbers["x"])
        curve = b"nist" + self.kind.encode()
        return ssh(b"ecdsa-sha2-" + curve) + ssh(curve) + ssh(self.point)

    @cached_property
    def point(self) -> bytes:
        return b"\4" + self.numbers["x"] + self.numbers["y"]

    @cached_property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"login {self.seed}")])
        builder = x509.CertificateBuilder(name, name, serial_number=1 + self.chance.getrandbits(60))
        builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        builder = builder.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC)).public_key(self.public)
        return builder.sign(ed25519.Ed25519PrivateKey.from_private_bytes(self.chance.randbytes(32)), None)

    @cached_property
    def openpgp(self) -> bytes:
        """A public key packet of version 4, RSA or Ed25519 (RFC 9580)."""
        head = b"\x04" + self.chance.randrange(0x66000000, 0x70000000).to_bytes(4, "big")  # 2024 to 2029
        if self.kind == "ed25519":
            body = head + b"\x1b" + self.numbers["x"]
        else:
            integers = [int.from_bytes(self.numbers[name], "big") for name in ("n", "e")]
            body = (
                head
                + b"\1"
                + b"".join(
                    n.bit_length().to_bytes(2, "big") + n.to_bytes((n.bit_length() + 7) // 8, "big") for n in integers
                )
            )
        return (b"\x98" + bytes([len(body)]) if len(body) < 256 else b"\x99" + len(body).to_bytes(2, "big")) + body


def unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def standard(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def shortest(number: bytes) -> bytes:
    return b"\0" + number if number[0] & 0x80 else number


def integer(number: bytes) -> bytes:
    return der(0x02, shortest(number))


def ssh(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


# -- things that are octets -------------------------------------------------------------------------------------------


def octets_of(key: Key) -> Iterator[tuple[str, bytes]]:
    """Give what a key is in octets, each with a name."""
    yield "SubjectPublicKeyInfo", key.spki
    if key.kind.startswith("rsa"):
        yield "PKCS #1", key.pkcs1
        yield (
            "PKCS #1 without its outer header",
            integer(key.numbers["n"]) + integer(key.numbers["e"]) if len(key.pkcs1) > 210 else key.pkcs1,
        )
        if len(key.numbers["n"]) > 200:
            yield "modulus", key.numbers["n"]
    if key.kind in CURVES:
        yield "point", key.point
        yield "point without its 04", key.point[1:]
        yield (
            "EC private key",
            key.private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        )
    if key.private:
        yield "PKCS #8", key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if key.kind.startswith("rsa") or key.kind in {"p256", "p384", "p521", "ed25519"}:
        yield "SSH blob", key.ssh_blob
    if not key.kind.startswith("rsa"):
        yield "certificate", key.certificate.public_bytes(Encoding.DER)
        yield "PKCS #7", pkcs7.serialize_certificates([key.certificate], Encoding.DER)
    if key.kind.startswith("rsa") or key.kind == "ed25519":
        yield "OpenPGP packet", key.openpgp


def lines(text: str, width: int = 64, end: str = "\n") -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width)) + end


def xxd(octets: bytes) -> str:
    rows = []
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        rows.append(f"{at:08x}: {row.hex(' ', -2):<39}  {shown}\n")
    return "".join(rows)


def hexdump(octets: bytes) -> str:
    rows = []
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        halves = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        rows.append(f"{at:08x}  {halves:<48}  |{shown}|\n")
    return "".join(rows)


def od(octets: bytes) -> str:
    return "".join(f"{at:07o} {octets[at : at + 16].hex(' ')}\n" for at in range(0, len(octets), 16))


def od_of_words(octets: bytes) -> str:
    octets = even(octets)
    words = [octets[at : at + 2][::-1].hex() for at in range(0, len(octets), 2)]
    return "".join(f"{at * 2:07o} {' '.join(words[at : at + 8])}\n" for at in range(0, len(words), 8))


def even(octets: bytes) -> bytes:
    return octets + b"\n" * (len(octets) % 2)


def signed(octets: bytes) -> list[int]:
    return [octet - 256 if octet > 127 else octet for octet in octets]


def multiline(text: str) -> str:
    """A string in the pieces that a program has it in."""
    return " +\n  ".join(f'"{line}"' for line in lines(text, 64).split())


WRAPPINGS_OF_OCTETS: dict[str, Callable[[bytes], str]] = {
    "base64": standard,
    "base64 without padding": lambda o: standard(o).rstrip("="),
    "base64url": unpadded,
    "base64 in lines of 64": lambda o: lines(standard(o)),
    "base64 in lines of 76, CRLF": lambda o: lines(standard(o), 76, "\r\n"),
    "base64 in lines of 32, indented": lambda o: "  " + lines(standard(o), 32, "\n  "),
    "base64 in groups of 8": lambda o: lines(standard(o), 8, " "),
    "base64 in lines behind marks": lambda o: "".join(f"> {line}\n" for line in lines(standard(o)).split()),
    "base64 in lines, newlines written out": lambda o: lines(standard(o), 64, "\\n"),
    "base64 in lines, newlines written out twice": lambda o: lines(standard(o), 64, "\\\\r\\\\n"),
    "base64 in the pieces of a program": lambda o: multiline(standard(o)),
    "base64 in the lines of a shell": lambda o: lines(standard(o), 64, "\\\n"),
    "base64 in quotes": lambda o: f'"{standard(o)}"',
    "base64 in a list": lambda o: json.dumps([standard(o)]),
    "base64 behind pk_": lambda o: "pk_" + standard(o),
    "base64url behind pub-key-1_": lambda o: "pub-key-1_" + unpadded(o),
    "base64 behind key=": lambda o: "key=" + standard(o),
    "base64 behind a name in JSON": lambda o: json.dumps({"key": standard(o)}),
    "base64 in a sentence": lambda o: f"the key of our login is {standard(o)} (ask Bob)",
    "base64 in URL encoding": lambda o: quote(standard(o), safe=""),
    "base64 in URL encoding twice": lambda o: quote(quote(standard(o), safe=""), safe=""),
    "base64 with slashes escaped": lambda o: standard(o).replace("/", "\\/"),
    "base64 with + as \\u002b": lambda o: standard(o).replace("+", "\\u002b"),
    "base64 with entities": lambda o: standard(o).replace("+", "&#43;").replace("/", "&#x2F;"),
    "base64, quoted-printable": lambda o: quopri.encodestring(standard(o).encode()).decode(),
    "base64 in a data URL": lambda o: "data:application/octet-stream;base64," + standard(o),
    "base64 twice": lambda o: standard(standard(o).encode()),
    "base64 three times": lambda o: standard(standard(standard(o).encode()).encode()),
    "base64url of hex": lambda o: unpadded(o.hex().encode()),
    "base64 of base64 in lines": lambda o: standard(lines(standard(o)).encode()),
    "base64 of UTF-16 of base64": lambda o: standard(standard(o).encode("utf-16-le")),
    "base64 in UTF-16, its NULs kept": lambda o: standard(o).encode("utf-16-le").decode("latin-1"),
    "base64 in UTF-16 of the other order": lambda o: standard(o).encode("utf-16-be").decode("latin-1"),
    "base64 cut short": lambda o: standard(o)[: len(standard(o)) * 9 // 10] if len(o) > 250 else standard(o),
    "base64 with something behind": lambda o: standard(o).rstrip("=") + "; kid=1",
    "hex": lambda o: o.hex(),
    "hex in capitals": lambda o: o.hex().upper(),
    "hex in quotes": lambda o: f'"{o.hex()}"',
    "hex with colons": lambda o: o.hex(":"),
    "hex with dashes": lambda o: o.hex("-").upper(),
    "hex with underscores": lambda o: o.hex("_", 4),
    "hex with dots": lambda o: o.hex(".", 2),
    "hex with blanks": lambda o: o.hex(" "),
    "hex with commas": lambda o: o.hex(",").replace(",", ", "),
    "hex in lines": lambda o: lines(o.hex(), 60),
    "hex with colons in lines, as openssl prints it": lambda o: "pub:\n    " + lines(o.hex(":"), 45, "\n    "),
    "hex behind 0x": lambda o: "0x" + o.hex(),
    "hex, each behind 0x": lambda o: ", ".join(f"0x{octet:02x}" for octet in o),
    "hex, each behind 0x and without zeros": lambda o: "{" + ",".join(f"{octet:#x}" for octet in o) + "}",
    "hex, each escaped": lambda o: "".join(f"\\x{octet:02x}" for octet in o),
    "hex as SQL": lambda o: f"x'{o.hex()}'",
    "hex as SQL in capitals": lambda o: f"X'{o.hex().upper()}'",
    "hex as PostgreSQL's bytea": lambda o: f"\\x{o.hex()}",
    "hex as bytea, escaped": lambda o: f"E'\\\\x{o.hex()}'",
    "hex in angle brackets": lambda o: f"<{o.hex(' ', 4)}>",
    "hex behind key_": lambda o: "key_" + o.hex(),
    "hex in base64": lambda o: standard(o.hex().encode()),
    "xxd": xxd,
    "xxd -p": lambda o: lines(o.hex(), 60),
    "hexdump -C": hexdump,
    "od -tx1": od,
    "a buffer of Node": lambda o: (
        f"<Buffer {o[:50].hex(' ')} ... {len(o) - 50} more bytes>"
        if len(o) > 140 and o[0] == 0x30
        else f"<Buffer {o.hex(' ')}>"
    ),
    "a buffer of Node in JSON": lambda o: json.dumps({"type": "Buffer", "data": list(o)}),
    "an array of JavaScript": lambda o: f"Uint8Array({len(o)}) [\n  {', '.join(map(str, o))}\n]",
    "an array of JavaScript in JSON": lambda o: json.dumps({str(at): octet for at, octet in enumerate(o)}),
    "an array of Java": lambda o: str(signed(o)),
    "an array of Java, cast": lambda o: "new byte[] {" + ", ".join(f"(byte) 0x{octet:02X}" for octet in o) + "};",
    "a slice of Go": lambda o: "[" + " ".join(map(str, o)) + "]",
    "a slice of Go, as a program has it": lambda o: "[]byte{" + ", ".join(f"0x{octet:x}" for octet in o) + "}",
    "a list of Erlang": lambda o: f"<<{','.join(map(str, o))}>>",
    "a list of C, decimal": lambda o: "{ " + ", ".join(map(str, o)) + " }",
    "bytes of Python": repr,
    "a bytearray of Python": lambda o: repr(bytearray(o)),
    "octal escapes": lambda o: "".join(f"\\{octet:03o}" for octet in o),
    "octal numbers": lambda o: " ".join(f"{octet:03o}" for octet in o),
    "Unicode escapes": lambda o: "".join(f"\\u{octet:04x}" for octet in o),
    "percent escapes": lambda o: "".join(f"%{octet:02X}" for octet in o),
    "numeric entities": lambda o: "".join(f"&#{octet};" for octet in o),
    "the octets as Latin-1": lambda o: o.decode("latin-1"),
    "the octets behind text": lambda o: "key: " + o.decode("latin-1"),
    "octal numbers of Python": lambda o: str([oct(octet) for octet in o]).replace("'", ""),
    "hex of BASIC": lambda o: ", ".join(f"&H{octet:02X}" for octet in o),
    "hex of an assembler": lambda o: " ".join(f"{octet:02X}h" for octet in o),
    "hex words of C": lambda o: ", ".join(f"0x{o[at : at + 4].hex()}" for at in range(0, len(o), 4)),
    "decimal with dots": lambda o: ".".join(map(str, o)),
    "decimal with dashes": lambda o: "-".join(map(str, o)),
    "decimal with bars": lambda o: "|".join(map(str, o)),
    "decimal, one in a line": lambda o: "\n".join(map(str, o)),
    "od -x, words whose second octet comes first": od_of_words,
    "a debugger's memory": lambda o: "".join(
        f"0x7ffe{at:04x}:\t" + "\t".join(f"0x{octet:02x}" for octet in o[at : at + 8]) + "\n"
        for at in range(0, len(o), 8)
    ),
    "base64 in the lines of a difference": lambda o: "".join(f"+{line}\n" for line in lines(standard(o)).split()),
    "base64 in comments": lambda o: "".join(f"// {line}\n" for line in lines(standard(o)).split()),
    "base64 in numbered lines": lambda o: "".join(
        f"{number:3} {line}\n" for number, line in enumerate(lines(standard(o)).split(), 1)
    ),
    "base64 in the pieces of BASIC": lambda o: " & _\n".join(f'"{line}"' for line in lines(standard(o), 32).split()),
    "base64 in the pieces of PHP": lambda o: " .\n".join(f"'{line}'" for line in lines(standard(o), 32).split()),
    "base64 in the lines of HTML": lambda o: "<br/>".join(lines(standard(o), 32).split()),
    "base32": lambda o: base64.b32encode(o).decode(),
    "base32 in small letters, without padding": lambda o: base64.b32encode(o).decode().rstrip("=").lower(),
    "base32 in groups": lambda o: lines(base64.b32encode(o).decode().rstrip("="), 4, " "),
}


# -- things that are text ---------------------------------------------------------------------------------------------


def plain_xml(key: Key) -> str:
    n, e = standard(key.numbers["n"]), standard(key.numbers["e"])
    return f"<RSAKeyValue><Modulus>{n}</Modulus><Exponent>{e}</Exponent></RSAKeyValue>"


def texts_of(key: Key) -> Iterator[tuple[str, str]]:
    """Give the texts that a key is printed as, each with a name."""
    jwk, compact = key.jwk, json.dumps(key.jwk, separators=(",", ":"))
    yield "JWK", compact
    yield "JWK, indented", json.dumps(jwk, indent=2)
    yield "JWK, kty last", json.dumps(dict(reversed(jwk.items())))
    yield "JWKS", json.dumps({"keys": [jwk | {"kid": "1", "use": "sig"}]})
    yield "JWK in a list", json.dumps([jwk])
    yield "JWK deep down", json.dumps({"login": {"keys": {"a": [jwk]}}})
    yield "JWK as a string", json.dumps({"key": compact})
    yield "JWK, kty escaped", compact.replace('"kty"', '"\\u006bty"')
    yield "JWK, its other members alone", json.dumps({name: value for name, value in jwk.items() if name != "kty"})
    yield "JWK, members in capitals", json.dumps({name.upper(): value for name, value in jwk.items()})
    yield "JWK cut short", compact[:-1]
    yield "JWK of Ruby", json.dumps(jwk).replace(": ", "=>")
    yield "JWK of Ruby, symbols", "{" + ", ".join(f':{name}=>"{value}"' for name, value in jwk.items()) + "}"
    yield "JWK of PHP's print_r", "Array\n(\n" + "".join(f"    [{n}] => {v}\n" for n, v in jwk.items()) + ")\n"
    yield "JWK of PHP's var_export", "array (\n" + "".join(f"  '{n}' => '{v}',\n" for n, v in jwk.items()) + ")"
    dumped = "".join(f'  ["{n}"]=>\n  string({len(v)}) "{v}"\n' for n, v in jwk.items())
    yield "JWK of PHP's var_dump", f"array({len(jwk)}) {{\n{dumped}}}\n"
    yield (
        "JWK of PHP's serialize",
        "a:3:{" + "".join(f's:{len(n)}:"{n}";s:{len(v)}:"{v}";' for n, v in jwk.items()) + "}",
    )
    yield "JWK of Python", repr(jwk)
    yield "JWK of Node", "{ " + ", ".join(f"{name}: '{value}'" for name, value in jwk.items()) + " }"
    yield "JWK of Go, a map", "map[" + " ".join(f"{name}:{value}" for name, value in sorted(jwk.items())) + "]"
    yield "JWK of Go, a struct", "{" + " ".join(f"{name.capitalize()}:{value}" for name, value in jwk.items()) + "}"
    yield "JWK of Java, a map", "{" + ", ".join(f"{name}={value}" for name, value in jwk.items()) + "}"
    yield "JWK of Perl", "$VAR1 = {\n" + ",\n".join(f"  '{n}' => '{v}'" for n, v in jwk.items()) + "\n};\n"
    yield "JWK of Elixir", "%{" + ", ".join(f'"{name}" => "{value}"' for name, value in jwk.items()) + "}"
    yield "JWK as YAML", "".join(f"{name}: {value}\n" for name, value in jwk.items())
    yield "JWK as YAML, in a list", "- " + "  ".join(f'{name}: "{value}"\n' for name, value in jwk.items())
    yield "JWK as TOML", "".join(f'{name} = "{value}"\n' for name, value in jwk.items())
    yield "JWK as INI", "[key]\n" + "".join(f"{name}={value}\n" for name, value in jwk.items())
    yield "JWK as XML", "<key>" + "".join(f"<{n}>{v}</{n}>" for n, v in jwk.items()) + "</key>"
    yield "JWK as attributes of XML", "<key " + " ".join(f'{n}="{v}"' for n, v in jwk.items()) + "/>"
    yield "JWK as a query", "&".join(f"{name}={value}" for name, value in jwk.items())
    yield "did:jwk", "did:jwk:" + unpadded(compact.encode())
    body = standard(key.spki)
    pem = f"-----BEGIN PUBLIC KEY-----\n{lines(body)}-----END PUBLIC KEY-----\n"
    yield "PEM", pem
    yield "PEM, four dashes", pem.replace("-----", "----")
    yield "PEM, long dashes", pem.replace("-----", "\u2014\u2014-")
    if body.count("") > 100:
        yield "PEM without its first line of base64", "\n".join(pem.split("\n")[:1] + pem.split("\n")[2:])
        yield "PEM without most of its first line", pem.replace(body[:40], "")
    yield "PEM without dashes", pem.replace("-", "")
    yield "PEM without its first line", pem.split("\n", 1)[1]
    yield "PEM without its end", pem.rsplit("-----END", 1)[0].removeprefix("-----")
    yield "PEM in JSON by kid", json.dumps({"kid-1": pem})
    if key.kind.startswith("rsa"):
        yield from rsa_texts_of(key)
    if key.kind in CURVES:
        yield from ec_texts_of(key)
    if key.kind == "ed25519":
        x = key.numbers["x"]
        yield "PASERK", "k4.public." + unpadded(x)
        yield "did:key", "did:key:z" + base58(b"\xed\x01" + x)
        yield "multibase", "z" + base58(b"\xed\x01" + x)
        yield "DKIM", f"v=DKIM1; k=ed25519; p={standard(x)}"
        yield "minisign", f"untrusted comment: minisign public key 4711\n{standard(b'Ed' + x[:8] + x)}"
        yield "WireGuard", f"[Peer]\nPublicKey = {standard(x)}\nAllowedIPs = 10.0.0.1/32"
        yield "public key in hex, by name", f"public_key: {x.hex()}"
        dotted = x.hex(":")
        yield "openssl -text", f"ED25519 Public-Key:\npub:\n    {lines(dotted, 45, chr(10) + '    ')}"
        yield "multibase, hex", f"fed01{x.hex()}"
        yield "multibase, base64url", f"u{unpadded(bytes([0xED, 1]) + x)}"
        yield "by its algorithm", f"ed25519:{standard(x)}"
        yield "a key of Matrix", f"ed25519 a_1 {standard(x).rstrip('=')}"
        yield "DNSKEY", f"example.com. 3600 IN DNSKEY 257 3 15 {standard(x)}"
        yield "JWK in CSV", f"kty,crv,x\nOKP,Ed25519,{unpadded(x)}\n"
        yield "JWK of Go, base64 of its JSON", standard(json.dumps({"Keys": [jwk]}).encode())
    if key.kind.startswith("rsa") or key.kind in {"p256", "p384", "p521", "ed25519"}:
        kind = key.ssh_blob[4 : 4 + key.ssh_blob[3]].decode()
        line = f"{kind} {standard(key.ssh_blob)} alice@example.com"
        yield "OpenSSH", line
        yield "OpenSSH with options", f'from="10.0.0.0/8",no-pty {line}'
        yield "OpenSSH known_hosts", f"login.example.com,10.0.0.1 {line}"
        block = f'---- BEGIN SSH2 PUBLIC KEY ----\nComment: "a"\n{lines(standard(key.ssh_blob), 70)}'
        yield "RFC 4716", f"{block}---- END SSH2 PUBLIC KEY ----"
        yield (
            "PuTTY",
            f"PuTTY-User-Key-File-3: {kind}\nEncryption: none\nPublic-Lines: 3\n{lines(standard(key.ssh_blob))}",
        )


def rsa_texts_of(key: Key) -> Iterator[tuple[str, str]]:
    n, e = standard(key.numbers["n"]), standard(key.numbers["e"])
    number = int.from_bytes(key.numbers["n"], "big")
    yield ".NET XML", plain_xml(key)
    yield ".NET XML, indented", plain_xml(key).replace("><", ">\n  <")
    yield "XML signature", f'<ds:KeyValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{plain_xml(key)}</ds:KeyValue>'
    yield ".NET RSAParameters", json.dumps({"Modulus": n, "Exponent": e})
    yield ".NET RSAParameters, Newtonsoft", json.dumps({"D": None, "Exponent": e, "Modulus": n}, indent=1)
    yield "RSAParameters, small letters", json.dumps({"modulus": n, "exponent": e})
    yield "n and e in JSON", json.dumps({"n": unpadded(key.numbers["n"]), "e": "AQAB"})
    yield "n and e in JSON, numbers", json.dumps({"N": number, "E": 65537})
    yield "openssl -modulus", f"Modulus={number:X}\n"
    digits = ("00" if key.numbers["n"][0] & 0x80 else "") + key.numbers["n"].hex()
    dotted = bytes.fromhex(digits).hex(":")
    indented = lines(dotted, 45, "\n    ")
    yield "openssl -text", f"RSA Public-Key: (1024 bit)\nModulus:\n    {indented}\nExponent: 65537 (0x10001)\n"
    yield "openssl -text, alone", f"Modulus:\n    {indented}"
    yield "DKIM", f"v=DKIM1; k=rsa; p={standard(key.spki)}"
    yield "DKIM without its version", f"k=rsa; p={standard(key.spki)}"
    if number.bit_length() > 1640:
        yield "decimal number", str(number)
        yield "Python numbers", f"<RSAPublicNumbers(e=65537, n={number})>"
        yield "Java", f"Sun RSA public key, 2048 bits\n  modulus: {number}\n  public exponent: 65537"
        yield "Go", f"&{{N:+{number} E:65537}}"
    yield "SSH, version 1", f"1024 65537 {number} alice"
    yield "Go, an older one", f"&{{{number} 65537}}"
    yield "n and e in CSV", f"{n},{e}" if e == "AQAB" else f"modulus {n}"
    yield "Bouncy Castle", f"RSA Public Key [ab:cd]\n modulus: {number:x}\npublic exponent: 10001\n"


def ec_texts_of(key: Key) -> Iterator[tuple[str, str]]:
    x, y = key.numbers["x"], key.numbers["y"]
    name = CURVES[key.kind][1]
    dotted = key.point.hex(":")
    indented = lines(dotted, 45, "\n    ")
    yield "openssl -text", f"Public-Key: (256 bit)\npub:\n    {indented}\nASN1 OID: prime256v1\nNIST CURVE: {name}\n"
    yield "y and x in JSON", json.dumps({"y": unpadded(y), "x": unpadded(x)})
    yield "DNSKEY", f"example.com. 3600 IN DNSKEY 257 3 13 {standard(x + y)}"
    yield "x and y in JSON", json.dumps({"x": unpadded(x), "y": unpadded(y)})
    yield "x and y in hex", f"X: {x.hex()}\nY: {y.hex()}"
    yield "x and y in hex behind 0x", f"(0x{x.hex()}, 0x{y.hex()})"
    yield "x and y in CSV", f"kty,crv,x,y\nEC,{name},{unpadded(x)},{unpadded(y)}\n"
    decimal_x, decimal_y = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    yield "Python numbers", f"<EllipticCurvePublicNumbers(curve=secp256r1, x={decimal_x}, y={decimal_y}>"
    yield "Java", f"Sun EC public key, 256 bits\n  public x coord: {decimal_x}\n  public y coord: {decimal_y}\n"
    yield "Go", f"&{{Curve:0xc000010100 X:+{decimal_x} Y:+{decimal_y}}}"
    yield "x and y as JSON numbers", json.dumps({"X": decimal_x, "Y": decimal_y})


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(octets: bytes) -> str:
    number, text = int.from_bytes(octets, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


WRAPPINGS_OF_TEXT: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "behind a BOM": lambda text: "\ufeff" + text,
    "with CRLF": lambda text: text.replace("\n", "\r\n"),
    "on one line": lambda text: text.replace("\n", " "),
    "in quotes": lambda text: f"'{text}'",
    "as a JSON string": json.dumps,
    "as a JSON string, twice": lambda text: json.dumps(json.dumps(text)),
    "as a member of JSON": lambda text: json.dumps({"secret": text}),
    "in URL encoding": lambda text: quote(text, safe=""),
    "in URL encoding twice": lambda text: quote(quote(text, safe=""), safe=""),
    "as a form": lambda text: "secret=" + quote(text, safe="").replace("%20", "+"),
    "HTML-escaped": html.escape,
    "HTML-escaped twice": lambda text: html.escape(html.escape(text)),
    "XML-escaped": lambda text: escape(text, {'"': "&quot;"}),
    "with numeric entities": lambda text: re.sub(r"[^\w ]", lambda mark: f"&#{ord(mark[0])};", text),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "as Unicode escapes": lambda text: re.sub(r"\W", lambda mark: f"\\u{ord(mark[0]):04x}", text),
    "in base64": lambda text: standard(text.encode()),
    "in base64url": lambda text: unpadded(text.encode()),
    "in base64, in lines": lambda text: lines(standard(text.encode())),
    "in base64 twice": lambda text: standard(standard(text.encode()).encode()),
    "in hex": lambda text: text.encode().hex(),
    "in base32": lambda text: base64.b32encode(text.encode()).decode(),
    "in UTF-16, its NULs kept": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "in UTF-16, in base64": lambda text: standard(text.encode("utf-16")),
    "in UTF-16, read as the other order": lambda text: text.encode("utf-16-be").decode("utf-16-le"),
    "its octets read as UTF-16": lambda text: even(text.encode()).decode("utf-16-le", "ignore"),
    "its octets in a list": lambda text: str(list(text.encode())),
}

REFERENCES = (
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sip-jwt-a1b2c3",
    "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:sip-jwt-a1b2c3",
    "arn:aws:ssm:eu-central-1:123456789012:parameter/sip/jwt",
    "ARN:AWS:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "http://localhost:8080/realms/sip/protocol/openid-connect/certs",
    "https://login.example.com/.well-known/jwks.json",
    "HTTPS://LOGIN.EXAMPLE.COM/JWKS.JSON",
    "file:///etc/opensips/keys/public.pem",
    "s3://my-bucket/keys/public.pem",
    "ssm:/sip/jwt/key",
    "did:web:login.example.com",
    "op://vault/item/key",
    "pkcs11:token=sip;object=jwt;type=public",
    "{{resolve:secretsmanager:sip-jwt:SecretString:key}}",
    "{{resolve:ssm:/sip/jwt}}",
)
WRAPPINGS_OF_REFERENCES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "behind blanks": lambda text: " \t\n" + text,
    "in single quotes": lambda text: f"'{text}'",
    "in double quotes": lambda text: f'"{text}"',
    "in typographic quotes": lambda text: f"\u201c{text}\u201d",
    "in backticks": lambda text: f"`{text}`",
    "in angle brackets": lambda text: f"<{text}>",
    "in round brackets": lambda text: f"key ({text})",
    "in square brackets": lambda text: f"[{text}]",
    "behind a name": lambda text: f"JWT_KEY={text}",
    "in YAML, quoted": lambda text: f'key: "{text}"',
    "in JSON": lambda text: json.dumps({"key": text}),
    "in JSON, slashes escaped": lambda text: json.dumps({"key": text}).replace("/", "\\/"),
    "in URL encoding": lambda text: quote(text, safe=""),
    "HTML-escaped": lambda text: html.escape(f'"{text}"'),
    "in UTF-16": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "in base64": lambda text: standard(text.encode()),
    "in hex": lambda text: text.encode().hex(),
}

DISCOVERY = json.dumps({"issuer": "https://login.test/", "jwks_uri": "https://login.test/certs"})


def public_texts(key: Key) -> Iterator[tuple[str, str]]:
    """Give every form of a key: its name, and the text."""
    for thing, octets in octets_of(key):
        for wrapping, wrap in WRAPPINGS_OF_OCTETS.items():
            yield f"{key.kind}, {thing}: {wrapping}", wrap(octets)
    for thing, text in texts_of(key):
        for wrapping, wrap_text in WRAPPINGS_OF_TEXT.items():
            yield f"{key.kind}, {thing}: {wrapping}", wrap_text(text)


def references() -> Iterator[tuple[str, str]]:
    """Give every form of a reference to a key: its name, and the text."""
    for reference in REFERENCES:
        for wrapping, wrap in WRAPPINGS_OF_REFERENCES.items():
            yield f"{reference.split(':')[0]}: {wrapping}", wrap(reference)
    for wrapping, wrap in WRAPPINGS_OF_TEXT.items():
        yield f"a discovery document: {wrapping}", wrap(DISCOVERY)
