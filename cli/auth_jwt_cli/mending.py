"""Mending: reads public keys in the many forms in which people keep them; a row accepts fewer forms.

This module does not decide what verifies. It turns its input into public keys, and the rules of verification judge
them.
"""

import json
import re
import warnings
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Invalid, InvalidKey
from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.published import is_published
from auth_jwt.provisioning.statements import weakness_in
from auth_jwt.strict_json import strict_json_object

if TYPE_CHECKING:
    from auth_jwt.jose.asymmetric import PublicKey

PRIVATE: Final = "this key is private: only its public part is written; keep the file secret"

_NUMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_OCTETS: Final = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "Ed448": 57}
_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth")
_NOTHING: Final[tuple[object, ...]] = (None, "", [])
_BLANKS: Final = re.compile(r"[\s\0\ufeff\u180e\u200b-\u200d\u2060]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_HEX_MARKS: Final = re.compile(r"0x|\\x|[:,-]", re.IGNORECASE)
_BREAK: Final = re.compile(r"(?:\\+[rn])+")
_BLOCK: Final = re.compile(
    r"-{3,5} ?BEGIN ([A-Z0-9 ]{1,40}?) ?-{3,5}(.*?)(?=-{3,5} ?(?:END|BEGIN) |\Z)", re.IGNORECASE | re.DOTALL
)
_BEGIN: Final = re.compile(r"-{3,5} ?BEGIN ", re.IGNORECASE)
_HEADER: Final = re.compile(r"^[A-Za-z0-9-]+:(?:.*\\\n)*.*$", re.MULTILINE)  # RFC 1421 and RFC 4716
_SSH: Final = re.compile(r"((?:ssh-|ecdsa-sha2-)[a-z0-9-]+)\s+(AAAA[A-Za-z0-9+/=]+)")
_PUTTY: Final = re.compile(r"Public-Lines: (\d{1,3})\r?\n")
_DEPTH: Final = 3  # how many forms may be nested in each other


@dataclass(slots=True)
class MendedKey:
    """A public key that was read, with notes about it.

    Attributes:
        key: the key object.
        kid: its id; None if it has none.
        notes: what was mended, and what people should know about the key.
    """

    key: "PublicKey" = field(repr=False)
    kid: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def pem(self) -> str:
        """The key as a PEM block `PUBLIC KEY`, as a row should have it."""
        from auth_jwt.jose import asymmetric

        return asymmetric.public_pem(self.key)


def keys_of_jwk_text(text: str, *, kid: str | None = None) -> list[MendedKey]:
    """Return the public keys of a JWK or JWKS, even with the flaws that servers publish.

    Args:
        text: the JSON.
        kid: the id of the wanted key; None means all keys.

    Raises:
        Invalid: no key in it can verify tokens.
    """
    try:
        document = strict_json_object(text)
    except (ValueError, RecursionError):
        raise Invalid("it is not a JSON object") from None
    return _read_jwks(document, kid)


def keys_in(octets: bytes, *, kid: str | None = None) -> list[MendedKey]:
    """Return the public keys in a file, whatever their form.

    Args:
        octets: the content of the file.
        kid: the id of the wanted key; None means all keys.

    Raises:
        Invalid: no key in it can be read, or none can verify tokens.
    """
    keys: dict[str, MendedKey] = {}
    problems: list[str] = []
    for key in _mend_octets(octets, _DEPTH):
        if kid is None or key.kid == kid:
            try:
                _check(key)
            except Invalid as problem:
                problems.append(str(problem) if key.kid is None else f"key {key.kid!r}: {problem}")
            else:
                keys.setdefault(key.pem, key)
    if not keys:
        raise Invalid("; ".join(dict.fromkeys(problems)) or (_NO_KEY if kid is None else _NO_SUCH_KEY))
    return _note_problems(list(keys.values()), problems)


_NO_SUCH_KEY: Final = "there is no such key in it"
_NO_KEY: Final = (
    "there is no public key in it that can be read: known are PEM, DER, certificates, PKCS#7, JWK, JWKS, a JSON map of "
    "key ids to PEM, OpenSSH, and base64 or hex of these; an HMAC secret needs no mending"
)


# -- JWK --------------------------------------------------------------------------------------------------------------


def _read_jwks(document: Mapping[str, Any], kid: str | None) -> list[MendedKey]:
    is_set = document.get("kty") is None
    entries = document.get("keys") if is_set else [document]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Invalid("it is neither a JWK nor a JWKS")
    keys, problems = [], []
    for entry in entries:
        if kid is not None and entry.get("kid") != kid:
            continue
        try:
            keys.append(_mend_jwk(entry))
        except Invalid as problem:
            problems.append(f"key {entry['kid']!r}: {problem}" if isinstance(entry.get("kid"), str) else str(problem))
    if not keys:
        raise Invalid("; ".join(dict.fromkeys(problems)) or _NO_SUCH_KEY)
    return _note_problems(keys, problems)


def _note_problems(keys: list[MendedKey], problems: list[str]) -> list[MendedKey]:
    """Add notes about the keys that are left out to the first of *keys*."""
    keys[0].notes += tuple(f"left out: {problem}" for problem in dict.fromkeys(problems))
    return keys


def _mend_jwk(entry: Mapping[str, Any]) -> MendedKey:
    from auth_jwt.jose import asymmetric

    jwk = {name: value for name, value in entry.items() if value is not None}
    if jwk.get("kty") == "oct":
        raise Invalid("an `oct` JWK is an HMAC secret: it has no public part; it may be a secret as it is")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not {"verify", "sign"} & set(
        operations if isinstance(operations, list) else ()
    ):
        raise Invalid("a JWK that says that it is not for signatures")
    notes = [PRIVATE] if any(jwk.get(name) not in _NOTHING for name in _PRIVATE_MEMBERS) else []
    numbers: dict[str, Any] = {name: jwk[name] for name in ("kty", "crv") if name in jwk}
    for name in _NUMBERS.get(str(jwk.get("kty")), ()):
        numbers[name], mends = _mend_number(jwk, name)
        notes += mends
    try:
        key = asymmetric.public_key_of_jwk(numbers)
    except InvalidKey as problem:
        raise Invalid(str(problem)) from None
    kid = jwk.get("kid")
    mended = MendedKey(key, kid if isinstance(kid, str) else None, tuple(notes))
    _check(mended)
    return mended


def _mend_number(jwk: Mapping[str, Any], name: str) -> tuple[object, list[str]]:
    """Return a number of a JWK in its correct form, and notes about what was wrong."""
    text = jwk.get(name)
    if not isinstance(text, str):
        return text, []
    notes = []
    joined = _BLANKS.sub("", text)
    bare = joined.rstrip("=").replace("+", "-").replace("/", "_")
    if joined != text:
        notes.append(f"`{name}` had blanks in it")
    if joined.endswith("="):
        notes.append(f"`{name}` was padded")
    if bare != joined.rstrip("="):
        notes.append(f"`{name}` was in the standard base64 alphabet, not in base64url's")
    if len(bare) % 4 == 1 or not _BASE64.fullmatch(bare):
        return text, []  # not a flaw that can be mended
    octets = b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_")
    needed = _OCTETS.get(str(jwk.get("crv")), len(octets)) if jwk.get("kty") != "RSA" else len(octets.lstrip(b"\0"))
    if len(octets) > needed and not any(octets[:-needed]):
        notes.append(f"`{name}` began with zeros that do not belong there")
        octets = octets[-needed:]
    elif len(octets) < needed and jwk.get("kty") == "EC":  # only EC has a curve equation that reveals wrong zeros
        notes.append(
            f"`{name}` had {len(octets)} octets, and {jwk['crv']} needs {needed}: it got its leading zeros back"
        )
        octets = octets.rjust(needed, b"\0")
    return _encode_base64url(octets), notes


def _encode_base64url(octets: bytes) -> str:
    from jwt.utils import base64url_encode

    return base64url_encode(octets).decode("ascii")


# -- everything else --------------------------------------------------------------------------------------------------


def _check(mended: MendedKey) -> None:
    """Check that a key can be used in a row.

    Raises:
        Invalid: it can verify no token, anybody could sign with it, or it is a published key.
    """
    from auth_jwt.jose import asymmetric

    try:
        algorithms = asymmetric.algorithms_of(mended.key)
    except InvalidKey as problem:
        raise Invalid(str(problem)) from None
    if weakness := weakness_in([VerificationKey(algorithms, mended.key)]):
        raise Invalid(f"anybody could sign with this key: it is {weakness}")
    if is_published(mended.key):
        raise Invalid("it is a key from an RFC or a well-known page: everybody has it")


def _mend_octets(octets: bytes, depth: int) -> Iterator[MendedKey]:
    der = list(_read_der(octets))
    if der or not depth:
        yield from der
        return
    text, notes = _decode(octets)
    if text is not None:
        for key in _mend_text(text, depth):
            key.notes = (*notes, *key.notes)
            yield key


def _decode(octets: bytes) -> tuple[str | None, tuple[str, ...]]:
    """Return the text of *octets*, and notes about its encoding; None if they are not text."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if octets.startswith(mark):
            with suppress(UnicodeDecodeError):
                return octets.decode(encoding), ("the file was UTF-16",)
    for nothing, encoding in ((slice(1, None, 2), "utf-16-le"), (slice(0, None, 2), "utf-16-be")):
        if len(octets) > 1 and not any(octets[nothing]):
            with suppress(UnicodeDecodeError):
                return octets.decode(encoding), ("the file was UTF-16",)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return None, ()
    return text.removeprefix("\ufeff"), ("the file began with a byte order mark",) if text.startswith("\ufeff") else ()


def _mend_text(text: str, depth: int) -> Iterator[MendedKey]:
    document = _parse_json(text)
    if isinstance(document, str | list | dict):
        yield from _mend_json(document, text, depth)
    elif _BEGIN.search(text):
        yield from _mend_pem(text)
    elif putty := _PUTTY.search(text):
        lines = text[putty.end() :].splitlines()[: int(putty[1])]
        yield from _add_note(_read_ssh_blob("".join(lines)), PRIVATE)
    elif _SSH.search(text):
        for line in _SSH.finditer(text):
            yield from _read_ssh(f"{line[1]} {line[2]}")
    else:
        yield from _read_encoded(text, depth)


def _mend_json(document: str | list[Any] | dict[str, Any], text: str, depth: int) -> Iterator[MendedKey]:
    if isinstance(document, str):
        yield from _mend_octets(document.encode("utf-8", "replace"), depth - 1)
    elif isinstance(document, list):
        yield from _read_jwks({"keys": document}, None)
    elif "kty" in document or "keys" in document:
        yield from keys_of_jwk_text(text)
    else:
        for kid, value in document.items():
            for key in _mend_text(value, depth - 1) if isinstance(value, str) and depth > 1 else ():
                key.kid = kid
                yield key


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _mend_pem(text: str) -> Iterator[MendedKey]:
    """Yield the keys in PEM blocks, even if their lines are damaged."""
    whole = _BREAK.sub("\n", text) if _BREAK.search(text) else text
    for block in _BLOCK.finditer(whole):
        label, body = block[1], block[2]
        inner = _HEADER.sub("", body)
        run = _BASE64.match(_BLANKS.sub("", inner).replace('"', "").replace("'", "").replace("\\", ""))
        octets = None if run is None else _decode_base64(run[0])
        kind = label.upper()
        if "ENCRYPTED" in kind or "ENCRYPTED" in body:
            raise Invalid("an encrypted private key: ask its owner for the public key")
        if kind == "OPENSSH PRIVATE KEY":
            yield from _add_note(_read_openssh_private(octets or b""), PRIVATE)
        elif "SSH2" in kind:
            yield from _read_ssh_blob("" if run is None else run[0])
        elif octets is not None:
            yield from _read_der(octets)


def _read_encoded(text: str, depth: int) -> Iterator[MendedKey]:
    """Yield the keys in base64 or hex."""
    joined = _BLANKS.sub("", _BREAK.sub("", text)).strip("\"'")
    digits = _HEX_MARKS.sub("", joined)
    if _HEX.fullmatch(digits):
        yield from _mend_octets(bytes.fromhex(digits), depth - 1)
    elif _BASE64.fullmatch(joined) and (octets := _decode_base64(joined)) is not None:
        yield from _mend_octets(octets, depth - 1)


def _decode_base64(run: str) -> bytes | None:
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4))
    except NotBase64:
        return None


def _read_der(octets: bytes) -> Iterator[MendedKey]:
    """Yield the keys in DER: of a public key, of one or several certificates, or of a private key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key, pkcs7

    def private() -> list[Any]:
        return [load_der_private_key(octets, None, unsafe_skip_rsa_key_validation=True).public_key()]

    ways: tuple[tuple[Callable[[], list[Any]], str | None], ...] = (
        (lambda: [load_der_public_key(octets)], None),
        (lambda: [x509.load_der_x509_certificate(octets).public_key()], None),
        (lambda: [found.public_key() for found in pkcs7.load_der_pkcs7_certificates(octets)], None),
        (private, PRIVATE),
    )
    if not octets.startswith(b"\x30"):
        return
    for read, note in ways:
        objects = _try_to_read(read)
        if objects:
            yield from _add_note(_read_objects(objects), note)
            return


def _read_openssh_private(octets: bytes) -> Iterator[MendedKey]:
    """Yield the public key, which precedes the private one even if that is encrypted (OpenSSH's PROTOCOL.key)."""
    head = re.match(rb"openssh-key-v1\0", octets)
    if head is None:
        return
    rest = octets[head.end() :]
    try:
        for _ in range(3):  # the cipher, the key derivation function, and its options
            rest = rest[4 + int.from_bytes(rest[:4], "big") :]
        length = int.from_bytes(rest[4:8], "big")
        blob = rest[8 : 8 + length]
    except IndexError:
        return
    yield from _read_ssh_blob(b64encode(blob).decode("ascii"))


def _read_ssh_blob(blob: str) -> Iterator[MendedKey]:
    """Yield the key in *blob*, the base64 that follows the key type in an OpenSSH line."""
    octets = _decode_base64(blob) or b""
    kind = octets[4 : 4 + int.from_bytes(octets[:4], "big")]
    if kind and kind.isascii():
        yield from _read_ssh(f"{kind.decode('ascii')} {blob}")


def _read_ssh(line: str) -> Iterator[MendedKey]:
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    yield from _read_objects(_try_to_read(lambda: [load_ssh_public_key(line.encode())]))


def _read_objects(objects: list[Any]) -> Iterator[MendedKey]:
    from auth_jwt.jose import asymmetric

    for found in objects:
        if not isinstance(found, asymmetric.PublicKey):
            raise Invalid("a key of a kind that verifies nothing here")
        yield MendedKey(found)


def _add_note(keys: Iterator[MendedKey], note: str | None) -> Iterator[MendedKey]:
    for key in keys:
        if note is not None:
            key.notes += (note,)
        yield key


def _try_to_read(read: Callable[[], list[Any]]) -> list[Any]:
    """Return the result of a foreign parser of hostile bytes; an empty list if it raises any error."""
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")  # odd serial numbers and the like do not matter here
        return read()
    return []
