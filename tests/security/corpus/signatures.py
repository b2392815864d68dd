"""D. Arithmetic and encoding of signatures: none that proves nothing, and no second spelling of one that does."""

from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from auth_jwt.errors import Reason
from tests.factories import a_private_key, a_signature, a_token, octets_of, public_pem, segment
from tests.security.attacks import Attack, a_row

BAD_SIGNATURE, MALFORMED = Reason.BAD_SIGNATURE, Reason.MALFORMED_TOKEN

ORDERS: Final = {
    "p256": ec.SECP256R1().group_order,
    "p384": ec.SECP384R1().group_order,
    "p521": ec.SECP521R1().group_order,
}
ALGORITHMS: Final = {"p256": ("ES256", 32), "p384": ("ES384", 48), "p521": ("ES512", 66)}
GOOD: Final = a_token()
BASE64URL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def with_signature(token: str, octets: bytes) -> str:
    """Return *token* with another signature."""
    return f"{token.rpartition('.')[0]}.{segment(octets)}"


def signature_of(token: str) -> bytes:
    """Return the octets of the signature."""
    return octets_of(token.rpartition(".")[2])


def _curves() -> Iterator[Attack]:
    for kind, (alg, size) in ALGORITHMS.items():
        order, row = ORDERS[kind], (a_row(public_pem(kind)),)
        token = a_token(key=a_private_key(kind), alg=alg)
        yield Attack("CVE-2022-21449", f"{alg} as it should be", token, None, row)
        most = 2 ** (8 * size) - 1
        for name, (r, s) in {
            "r = s = 0": (0, 0),
            "r = 0": (0, 1),
            "s = 0": (1, 0),
            "r = n": (order, 1),
            "s = n": (1, order),
            "r = s = n": (order, order),
            "r = n + 1": (order + 1, 1),
            "r = s = 1": (1, 1),
            "all bits set": (most, most),
        }.items():
            pair = r.to_bytes(size, "big") + s.to_bytes(size, "big")
            yield Attack("CVE-2022-21449", f"{alg} with {name}", with_signature(token, pair), BAD_SIGNATURE, row)
        own = signature_of(token)
        r, s = own[:size], own[size:]
        beyond = (int.from_bytes(r, "big") + order).to_bytes(size + 1, "big")
        for name, octets in {
            "leading zeros": b"\0" + r + b"\0" + s,
            "a leading zero of r": b"\0" + r + s,
            "zeros behind": own + b"\0\0",
            "r + n, a byte longer": beyond + b"\0" + s,
            "DER": _der(r) + _der(s),
            "DER in a sequence": b"\x30" + bytes([len(_der(r) + _der(s))]) + _der(r) + _der(s),
            "r and s exchanged": s + r,
            "r alone": r,
            "without its last byte": own[:-1],
        }.items():
            yield Attack("CVE-2026-65632", f"{alg} with {name}", with_signature(token, octets), BAD_SIGNATURE, row)
    mirrored = a_token(key=a_private_key("p256"), alg="ES256")
    own = signature_of(mirrored)
    other = (ORDERS["p256"] - int.from_bytes(own[32:], "big")).to_bytes(32, "big")
    row = (a_row(public_pem("p256")),)
    yield Attack(
        "CVE-2026-65632", "ES256 with n - s, which signs as well", with_signature(mirrored, own[:32] + other), None, row
    )


def _der(number: bytes) -> bytes:
    number = number.lstrip(b"\0") or b"\0"
    number = (b"\0" if number[0] & 0x80 else b"") + number
    return b"\x02" + bytes([len(number)]) + number


def _primitives() -> Iterator[Attack]:
    rsa = (a_row(public_pem()),)
    by_rsa = a_token(key=a_private_key(), alg="RS256")
    own = signature_of(by_rsa)
    for name, octets in {
        "zeros": bytes(256),
        "one": (1).to_bytes(256, "big"),
        "without its first byte": own[1:],
        "a zero in front": b"\0" + own,
        "a zero behind": own + b"\0",
        "a bit changed": own[:-1] + bytes([own[-1] ^ 1]),
        "the modulus": _modulus(),
        "beyond the modulus": b"\xff" * 256,
        "one byte": b"\1",
    }.items():
        yield Attack("Wycheproof", f"RS256 with {name}", with_signature(by_rsa, octets), BAD_SIGNATURE, rsa)
    for sent, meant in (("RS256", "PS256"), ("PS256", "RS256"), ("RS512", "RS256"), ("PS384", "PS512")):
        token = a_token(key=a_private_key(), alg=meant, header={"alg": sent})
        yield Attack("Wycheproof", f"{meant} for {sent}", token, BAD_SIGNATURE, rsa)
    for alg, size in {"HS256": 32, "HS384": 48, "HS512": 64}.items():
        token = a_token(alg=alg)
        own = signature_of(token)
        for name, octets in {
            "half of it": own[: size // 2],
            "its first byte": own[:1],
            "all but its last byte": own[:-1],
            "zeros": bytes(size),
            "twice": own + own,
            "a byte more": own + b"\0",
            "a bit changed": bytes([own[0] ^ 1]) + own[1:],
            "its hex": own.hex().encode(),
        }.items():
            yield Attack("Wycheproof", f"{alg} with {name}", with_signature(token, octets), BAD_SIGNATURE)
        for other in ("HS256", "HS384", "HS512"):
            if other != alg:
                wrong = a_token(alg=other, header={"alg": alg})
                yield Attack("Wycheproof", f"{other} for {alg}", wrong, BAD_SIGNATURE)
        yield Attack("Wycheproof", f"{alg} as it should be", token, None)
    for kind, length in {"ed25519": 64, "ed448": 114}.items():
        row = (a_row(public_pem(kind)),)
        token = a_token(key=a_private_key(kind), alg="EdDSA")
        own = signature_of(token)
        yield Attack("Wycheproof", f"{kind} as it should be", token, None, row)
        for name, octets in {
            "zeros": bytes(length),
            "half of it": own[: length // 2],
            "a byte more": own + b"\0",
        }.items():
            yield Attack("Wycheproof", f"{kind} with {name}", with_signature(token, octets), BAD_SIGNATURE, row)
    order = 2**252 + 27742317777372353535851937790883648493
    token = a_token(key=a_private_key("ed25519"), alg="EdDSA")
    own = signature_of(token)
    beyond = (int.from_bytes(own[32:], "little") + order).to_bytes(32, "little")
    row = (a_row(public_pem("ed25519")),)
    yield Attack("Wycheproof", "ed25519 with s + L", with_signature(token, own[:32] + beyond), BAD_SIGNATURE, row)


def _modulus() -> bytes:
    octets: bytes = a_private_key().public_key().public_numbers().n.to_bytes(256, "big")
    return octets


def _spellings() -> Iterator[Attack]:
    head, _, signature = GOOD.rpartition(".")
    last = BASE64URL.index(GOOD[-1])
    for name, token in {
        "!!!! behind the signature": f"{GOOD}!!!!",
        "!!!! in front of the signature": f"{head}.!!!!{signature}",
        "!!!! within the signature": f"{head}.{signature[:10]}!!!!{signature[10:]}",
        "a newline behind": f"{GOOD}\n",
        "a carriage return behind": f"{GOOD}\r",
        "a blank behind": f"{GOOD} ",
        "a blank in front": f" {GOOD}",
        "a tab behind": f"{GOOD}\t",
        "one padding": f"{GOOD}=",
        "two paddings": f"{GOOD}==",
        "a NUL behind": f"{GOOD}\0",
        "a dot behind": f"{GOOD}.",
        "a dot in front": f".{GOOD}",
        "a fourth segment": f"{GOOD}.AA",
        "a BOM in front": f"\ufeff{GOOD}",
        "a comma behind": f"{GOOD},",
        "a quote on both sides": f'"{GOOD}"',
        "Bearer in front": f"Bearer {GOOD}",
        "percent encoding": GOOD.replace(".", "%2E"),
        "wide dots": GOOD.replace(".", "\uff0e"),
        **{f"unused bits {bits:02b}": GOOD[:-1] + BASE64URL[last ^ bits] for bits in (1, 2, 3)},
    }.items():
        yield Attack("CVE-2026-102269", name, token, MALFORMED)
    yield Attack("CVE-2026-102269", "the one spelling", GOOD, None)
    for odd in (
        "+",
        "/",
        "=",
        "\n",
        "\r\n",
        "\t",
        " ",
        "%",
        "\\",
        "\0",
        "\u00e9",
        "\ud800",
        "\u200b",
        "\uff21",
        "~",
        "A",
    ):
        reason = BAD_SIGNATURE if odd == "A" else MALFORMED
        token = GOOD[:-6] + odd + GOOD[-6:] if odd != "A" else GOOD[:-6] + ("A" if GOOD[-6] != "A" else "B") + GOOD[-5:]
        name = f"{odd!r} inside the signature" if odd != "A" else "a letter changed in the signature"
        yield Attack("GHSA-3fvg", name, token, reason)


def _segments() -> Iterator[Attack]:
    header, payload, signature = GOOD.split(".")
    for place, at in {"header": 4, "payload": len(header) + 5}.items():
        for odd in ("+", "/", "=", "\n", " ", "\0", "\u200b"):
            yield Attack("own encodings", f"{odd!r} inside the {place}", GOOD[:at] + odd + GOOD[at:], MALFORMED)
    for name, padded in {
        "the header": f"{header}=.{payload}",
        "the payload": f"{header}.{payload}=",
    }.items():
        signed_so = f"{padded}.{segment(a_signature(padded))}"
        yield Attack("own encodings", f"padding behind {name}, signed so", signed_so, MALFORMED)
    for name, token in {
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "three dots": "...",
        "no header": f".{payload}.{signature}",
        "no payload": f"{header}..{signature}",
        "no signature": f"{header}.{payload}.",
        "one segment": header,
        "two segments": f"{header}.{payload}",
        "one character": "A.A.A",
        "five characters a segment": "AAAAA.AAAAA.AAAAA",
    }.items():
        yield Attack("own encodings", name, token, MALFORMED)
    standard = f"{header}.{payload}".encode()
    yield Attack("own encodings", "as it should be", f"{standard.decode()}.{signature}", None)


ATTACKS: Final = (*_curves(), *_primitives(), *_spellings(), *_segments())
