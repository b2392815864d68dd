"""`auth-jwt token explain`: what people paste, and what to do about a denied token."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import TAG, CommandLine, a_command_line
from tests.factories import a_token, private_pem, public_pem

OCTETS = bytes(range(200, 248))


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path, REVOCATIONS_TABLE="") as command_line:
        yield command_line


def test_a_header_field_is_taken_as_it_is_copied(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()

    run = auth_jwt("token", "explain", given=f"Authorization: Bearer {token}\n")
    told = auth_jwt.json("token", "explain", given=f"Authorization: Bearer {token}\n")

    assert "accepted, for alice" in run.stdout
    assert "Read without `Authorization:` and `Bearer`." in run.stderr
    assert "malformed_token" not in run.stderr
    assert told["removed"] == ["`Authorization:`", "`Bearer`"]


def test_what_would_spoil_a_token_is_a_warning(auth_jwt: CommandLine) -> None:
    """The verdict is about the token; a client that sends it so is denied."""
    auth_jwt.has_a_user()
    token = auth_jwt.token()

    run = auth_jwt("token", "explain", given=f'"{token[:50]}\n{token[50:]}"')

    assert "accepted, for alice" in run.stdout
    assert "Warning: a client that sends it with quotes and line breaks and blanks is denied: malformed_token" in (
        run.stderr
    )


def test_an_empty_token_is_said_to_be_empty(auth_jwt: CommandLine) -> None:
    run = auth_jwt("token", "explain", given="\n", exit_code=1)

    assert "NO  gate  the token is empty\n" in run.stdout


@pytest.mark.parametrize(
    ("key", "said"), [(private_pem(), "this is a PRIVATE KEY"), (public_pem(), "this is a public key")]
)
def test_a_key_is_told_from_a_token_and_not_shown(auth_jwt: CommandLine, key: str, said: str) -> None:
    run = auth_jwt("token", "explain", given=key, exit_code=1)

    assert said in run.stdout
    assert not any(line in run.stdout + run.stderr for line in key.splitlines()[1:-1])


def test_a_denied_token_ends_with_what_to_do(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()
    auth_jwt("profile", "disable", TAG)

    run = auth_jwt("token", "explain", given=token, exit_code=1)
    told = auth_jwt.json("token", "explain", given=token, exit_code=1)

    assert run.stdout.endswith(
        "\ndenied: disabled_profile\nNext: nothing if you disabled it; otherwise `auth-jwt profile enable alice-web`.\n"
    )
    assert told["remedy"] == "nothing if you disabled it; otherwise `auth-jwt profile enable alice-web`"


def test_a_secret_that_the_issuer_decodes_is_recognized(auth_jwt: CommandLine) -> None:
    text = base64.b64encode(OCTETS).decode()
    auth_jwt(
        "profile", "add", TAG, "--username", "alice", "--secret-file", auth_jwt.file(text), "--alg", "HS256,HS384,HS512"
    )

    run = auth_jwt("token", "explain", given=a_token(key=OCTETS, tag=TAG), exit_code=1)

    shown = " ".join(run.stdout.split())
    assert "it did not sign this token, but decoded from unpadded base64 it would have" in shown
    assert "no secret that is tried made it; '1' decoded from unpadded base64 did" in shown
    assert "Next: the issuer decodes the secret before it signs: have it sign with the text itself" in shown
    assert text not in run.stdout + run.stderr


def test_the_secret_of_another_tag_that_signed_a_token_is_found(auth_jwt: CommandLine) -> None:
    """An issuer that mixes up its users."""
    auth_jwt.has_a_user()
    value = auth_jwt.has_a_user("bob-desk")
    token = a_token(key=value, tag=TAG)

    run = auth_jwt("token", "explain", "--all-tags", given=token, exit_code=1, COLUMNS="200")
    told = auth_jwt.json("token", "explain", "--all-tags", given=token, exit_code=1)

    assert "It was signed by secret '1' of 'bob-desk': its issuer mixes up tags, or secrets." in run.stdout
    assert "Looked at 2 rows" in run.stderr
    assert told["signed_by"] == [{"tag": "bob-desk", "id": "1"}]
    assert value not in run.stdout + run.stderr
    assert "--all-tags looks whether" in auth_jwt("token", "explain", given=token, exit_code=1).stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "No secret of any tag signed it."),
        (a_token(key="nobody's secret of sixty-four bytes, for these tests and no other"), "No secret of any tag"),
    ],
)
def test_a_token_that_no_secret_signed_is_told_so(auth_jwt: CommandLine, given: str, said: str) -> None:
    auth_jwt.has_a_user()

    assert said in auth_jwt("token", "explain", "--all-tags", given=given, exit_code=1).stdout


def test_a_token_of_its_own_tags_secret_is_nobody_elses(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    run = auth_jwt("token", "explain", "--all-tags", given=auth_jwt.token())

    assert "Only secrets of its own tag signed it." in run.stdout
