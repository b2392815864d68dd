"""Targets: `LOAD_CREDENTIALS`, and all settings of all functions."""

import re
from collections.abc import Iterator

from auth_jwt.credentials import RESERVED_NAMES, parse_credentials
from auth_jwt.errors import BadSetting
from auth_jwt.runtime import settings as module
from auth_jwt.runtime.settings import DEFAULTS, near_misses
from tests.fuzz.target import Target, text_of
from tests.worlds import SETTINGS

_READERS = (
    *(module.Settings, module.FrontendSettings, module.GatewayAuthorizerSettings, module.LogSettings),
    *(module.RotationSettings, module.RefreshSettings, module.EndingSettings, module.ReleaseCheckSettings),
)
_VARIABLES = tuple(
    name
    for defaults in (
        *(DEFAULTS, module.FRONTEND_DEFAULTS, module.GATEWAY_AUTHORIZER_DEFAULTS, module.LOG_DEFAULTS),
        *(module.ROTATION_DEFAULTS, module.REFRESH_DEFAULTS, module.ENDING_DEFAULTS, module.RELEASE_CHECK_DEFAULTS),
    )
    for name in defaults
)
_PASSWORD = re.compile(r"://[^/@\s:]*:([A-Za-z0-9]{12,})@")


def check_credentials(octets: bytes) -> None:
    """What is accepted is what the contract's grammar says, and survives being written out; else a `ValueError`."""
    text = text_of(octets)
    try:
        asked = parse_credentials(text)
    except ValueError:
        asked = None
    ours = None if asked is None else [(one.name, one.column) for one in asked]
    assert ours == _by_grammar(text), (ours, _by_grammar(text))
    if asked:
        assert parse_credentials(";".join(f"$avp({one.name})={one.column}" for one in asked)) == asked


def _by_grammar(text: str) -> list[tuple[str, str]] | None:
    """The contract's sentence about `LOAD_CREDENTIALS`, read once more without a pattern."""
    if not text.strip():
        return []
    found: dict[str, str] = {}
    for part in text.split(";"):
        name = column = part.strip()
        if name.startswith("$avp("):
            name, bracket, rest = name.removeprefix("$avp(").partition(")")
            rest = rest.strip()
            if not bracket or not rest.startswith("="):
                return None
            name, column = name.strip(), rest[1:].strip()
        for word in (name, column):
            if not word or any(mark in word for mark in ";=$()") or any(character.isspace() for character in word):
                return None
        if name in found or name in RESERVED_NAMES:
            return None
        found[name] = column
    return list(found.items())


def check_settings(octets: bytes) -> None:
    """Settings are read, twice alike, or refused by a message that names the variable and shows no password."""
    env = _environment(octets)
    for reader in _READERS:
        try:
            read = reader.from_env(env)
        except BadSetting as problem:
            message = str(problem)
            assert any(message.startswith(name) for name in _VARIABLES), message
            assert not any(found in message for value in env.values() for found in _PASSWORD.findall(value)), message
            continue
        assert read == reader.from_env(env)
    near_misses(env)


def _environment(octets: bytes) -> dict[str, str]:
    """Lines of octets: the first of a line says which variable, the rest is its value."""
    lines = [line for line in octets.split(b"\n") if line]
    return {_VARIABLES[line[0] % len(_VARIABLES)]: text_of(line[1:]).replace("\0", "") for line in lines}


def _settings_seeds() -> Iterator[bytes]:
    for number, name in enumerate(_VARIABLES):
        values = [value for other, some in SETTINGS if other == name for value in some]
        for value in (*values, "", "1", "x"):
            yield bytes([number]) + value.encode()
    urls = (
        "dynamodb://eu-central-1",
        "dynamodb+http://localhost:8000/eu-central-1",
        "dynamodb://user:PASSWORDPASSWORD@host",
    )
    for url in (
        *urls,
        "dynamodb+http://10.0.0.1:80/eu-west-1?insecure=true",
        "https://a:PASSWORDPASSWORD@login.test/*",
    ):
        for name in ("DB_URL", "AUTHZ_SERVER", "ISSUERS"):
            yield bytes([_VARIABLES.index(name)]) + url.encode()


def _credentials_seeds() -> Iterator[bytes]:
    for text in (
        "",
        "a",
        "a;b",
        "$avp(a)=b",
        " $avp( a ) = b ; c ",
        "$avp()=b",
        "sip_username",
        "a;a",
        "$avp(a)=",
        "a=b",
    ):
        yield text.encode()


_WORDS = (
    "$avp(",
    ")=",
    ";",
    "sip_username",
    "claims",
    "=",
    " ",
    "true",
    "false",
    "HS256,",
    "*",
    "https://",
    "dynamodb://",
    "@",
    "header:",
    "cookie:",
    "?insecure=true",
    "[::1]:1",
)
TARGETS = (
    Target("credentials", check_credentials, _credentials_seeds, _WORDS, 300),
    Target("settings", check_settings, _settings_seeds, _WORDS, 1000),
)
