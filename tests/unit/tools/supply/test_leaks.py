"""A key that nobody vouched for is found, in files and in the history, and is shown nowhere."""

import random
import secrets
import subprocess
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.factories import a_token
from tools.supply import leaks
from tools.supply.leaks import Finding, Known, findings_in


def a_pem() -> str:
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, *private).decode()


RANDOM: Final = secrets.token_hex(24)
SAMPLES: Final = {
    "private-key": a_pem(),
    "a private key in source": repr(a_pem()),
    "jwk": f'{{"kty": "EC", "d": "{secrets.token_urlsafe(32)}"}}',
    "token": a_token(),
    "aws-key-id": "AK" + "IA" + "Q2W3E4R5T6Y7U7I2",
    "github": "gh" + "p_" + secrets.token_hex(18),
    "npm": "np" + "m_" + secrets.token_hex(18),
    "slack": "xo" + "xb-" + RANDOM,
    "google": "AI" + "za" + secrets.token_hex(17) + "x",
    "stripe": "sk" + "_live_" + RANDOM,
    "in-url": f"postgresql://user:{RANDOM}@host/db",
    "assigned": f'client_secret = "{RANDOM}"',
    "age": "AGE-" + "SECRET-KEY-1" + "Q" * 58,
    "pypi": "pypi" + "-AgE" + "x" * 60,
}


@pytest.mark.parametrize("digits", [24, 32, 48])
def test_hardly_any_random_key_in_hex_goes_unseen(digits: int) -> None:
    chance = random.Random(digits)
    keys = [chance.randbytes(digits // 2).hex() for _ in range(1000)]

    assert sum(bool([*findings_in("a/file", f'password = "{key}"'.encode())]) for key in keys) >= 990


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_key_is_found_with_its_line_and_not_shown(sample: str) -> None:
    kind = {"a private key in source": "private-key"}.get(sample, sample)
    found = list(findings_in("a/file", f"first line\n{SAMPLES[sample]}\n".encode()))

    assert (kind, 2) in {(one.kind, one.line) for one in found}
    assert all(len(one.fingerprint) == 32 for one in found)
    assert RANDOM not in repr(found)


def test_every_kind_has_a_sample() -> None:
    assert set(leaks.KINDS) <= set(SAMPLES)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('secret = "change-me-change-me-change-me"', id="words"),
        pytest.param('token = "' + "a" * 64 + '"', id="one letter"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n", id="a public key"),
        pytest.param("https://user:short@host/", id="a short password"),
        pytest.param('secret = os.environ["A_VERY_LONG_NAME_OF_A_VARIABLE"]', id="a name"),
    ],
)
def test_what_is_none_is_not_found(text: str) -> None:
    assert list(findings_in("a/file", text.encode())) == []


def test_another_key_in_the_same_file_is_unknown() -> None:
    first, second = (next(findings_in("a.pem", a_pem().encode())) for _ in range(2))
    vouched = Known({}, {"a.pem": frozenset({first.fingerprint})}, frozenset())

    assert leaks.unknown_in_the_tree([first, second], vouched) == [second]


def test_a_known_key_in_another_file_is_unknown() -> None:
    one = next(findings_in("a.pem", a_pem().encode()))
    elsewhere = Finding("b.pem", one.kind, one.fingerprint, 1)
    vouched = Known({}, {"a.pem": frozenset({one.fingerprint})}, frozenset())

    assert leaks.unknown_in_the_tree([elsewhere], vouched) == [elsewhere]
    assert leaks.gone_from_the_tree([elsewhere], vouched) == [("a.pem", one.fingerprint)]


def test_a_key_that_was_committed_and_removed_is_found_in_the_history(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "key.pem").write_text(a_pem(), "utf-8")
    git("add", "key.pem")
    git("commit", "-qm", "one")
    git("rm", "-q", "key.pem")
    git("commit", "-qm", "two", "--allow-empty")

    tree = [one for path, content in leaks.files_of_the_tree(tmp_path) for one in findings_in(path, content)]
    past = [one for path, content in leaks.files_of_the_history(tmp_path) for one in findings_in(path, content)]

    assert tree == []
    assert [(one.path, one.kind) for one in past] == [("key.pem", "private-key")]


def test_accepting_writes_down_files_and_past(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    tree, past = Finding("a", "jwk", "1" * 32, 1), Finding("b", "jwk", "2" * 32, 1)

    leaks.accept([tree], [tree, past], Known({"a": "why"}, {}, frozenset()), file)

    assert leaks.known(file) == Known({"a": "why"}, {"a": frozenset({"1" * 32})}, frozenset({"2" * 32}))


def test_the_files_hold_no_key_that_nobody_vouched_for() -> None:
    """What to do: take it out, and out of the history; or vouch for it by `make leaks ARGS=--accept`."""
    vouched = leaks.known()
    found = [one for path, content in leaks.files_of_the_tree(leaks.ROOT) for one in findings_in(path, content)]

    assert leaks.unknown_in_the_tree(found, vouched) == []
    assert leaks.gone_from_the_tree(found, vouched) == []


def test_a_place_where_keys_lie_has_a_reason() -> None:
    vouched = leaks.known()

    assert all(any(path.startswith(place) for place in vouched.places) for path in vouched.files)
    assert all(any(path.startswith(place) for path in vouched.files) for place in vouched.places)
    assert all(len(why) > 20 for why in vouched.places.values())
