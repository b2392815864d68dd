"""Secrets as people and generators make them up, by kind, from a source of chance."""

import base64
import string
from collections.abc import Callable
from random import Random
from uuid import UUID

MOST_OCTETS = 128
DJANGO = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"
PREFIXES = ("sk_live_", "hmac:", "secret=", "jwt-hs256-", "v1.", "SIP_KEY_", "prod/", "base64:", "key_", "whsec_")
WORDS_OF_DICE = """
able acid also apple arrow baker basic battery beacon begin blue bridge bronze candle carbon castle certificate chalk
cherry circle cloud coffee copper correct cotton credit dance decade desert dragon eagle early earth echo elbow
engine exponent facade fable feather figure finger flower forest garden ginger glass golden grammar guitar hammer
harbor hidden honey horse hotel https igloo impact island jacket jungle justice kangaroo kernel key keyed kitchen
ladder lantern lemon letter lime login magnet marble meadow mirror modulus monkey mountain music needle nickel north
number ocean office olive orange orchid oxygen paddle paper parrot pepper piano pilot planet pocket private public
puzzle quartz queen quiet rabbit radio rainbow register river rocket rose saddle salt secret shadow silver simple ssh
staple stone summer sunset table tango teapot temple thunder tiger token tunnel turtle umbrella uncle valley velvet
violet wallet water whisper window winter wizard yellow yogurt zebra zenith zipper
"""
"""Some of a dice list, and those that people use when they talk of keys."""
WORDS = WORDS_OF_DICE.split()
CASES: tuple[Callable[[str], str], ...] = (str.lower, str.lower, str.capitalize, str.upper)


def octets(chance: Random) -> bytes:
    return chance.randbytes(chance.randint(16, MOST_OCTETS))


def characters(chance: Random, alphabet: str, fewest: int, most: int) -> str:
    return "".join(chance.choices(alphabet, k=chance.randint(fewest, most)))


def base64_as_openssl_prints_it(chance: Random) -> str:
    text = base64.b64encode(octets(chance)).decode()
    return "\n".join(text[at : at + 64] for at in range(0, len(text), 64)) + "\n"


def uuids(chance: Random) -> str:
    return chance.choice(["", "-", " ", ":"]).join(
        str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(chance.randint(1, 3))
    )


def passphrase(chance: Random) -> str:
    words = [CASES[chance.randrange(len(CASES))](chance.choice(WORDS)) for _ in range(chance.randint(4, 16))]
    words += [str(chance.randrange(10_000))] * chance.randrange(2)
    chance.shuffle(words)
    marks = [
        " ",
        " ",
        " ",
        "-",
        "_",
        ", ",
        "; ",
        ": ",
        ". ",
        "! ",
        " & ",
        " = ",
        "/",
        "'s ",
        ' "',
        '" ',
        " (",
        ") ",
        "? ",
    ]
    few = chance.choices(marks, k=chance.randint(1, 3))
    return "".join(word + chance.choice(few) for word in words) + chance.choice(["", ".", "!", "?", "%", "\n"])


KINDS: dict[str, Callable[[Random], str]] = {
    "openssl rand -base64": lambda chance: base64.b64encode(octets(chance)).decode(),
    "openssl rand -base64, in its lines": base64_as_openssl_prints_it,
    "openssl rand -base64, behind a prefix": lambda chance: (
        chance.choice(PREFIXES) + base64.b64encode(octets(chance)).decode()
    ),
    "openssl rand -hex": lambda chance: octets(chance).hex(),
    "openssl rand -hex, behind a prefix": lambda chance: chance.choice(PREFIXES) + octets(chance).hex(),
    "UUIDs": uuids,
    "passphrases": passphrase,
    "pwgen -s -y": lambda chance: characters(
        chance, string.ascii_letters + string.digits + string.punctuation, 16, 128
    ),
    "Django's SECRET_KEY": lambda chance: characters(chance, DJANGO, 50, 50),
    "secrets.token_urlsafe(64)": lambda chance: base64.urlsafe_b64encode(chance.randbytes(64)).rstrip(b"=").decode(),
    "base32, as for one-time passwords": lambda chance: base64.b32encode(octets(chance)).decode(),
    "letters and digits": lambda chance: characters(chance, string.ascii_letters + string.digits, 16, 128),
}
"""A made-up secret of each kind: what the generators of the field give, at most 128 octets."""
