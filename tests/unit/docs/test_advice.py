"""What to do about each reason: docs/operations.md and the commands say the same sentence."""

import re
from types import MappingProxyType
from typing import Final

import pytest
from typer.main import get_command

from auth_jwt.errors import Reason
from auth_jwt.provisioning.advice import FOR_DENIALS, FOR_FAULTS, advice_about, naming
from auth_jwt_cli.main import app
from tests.unit.docs.test_docs import OPERATIONS, table

DENIALS: Final = {row[0].strip("`"): row[-1] for row in table(OPERATIONS, "reason", under="Reasons of a denial")}
FAULTS: Final = {row[0].strip("`"): row[-1] for row in table(OPERATIONS, "reason", under="Reasons of a fault")}


def without_links(text: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


@pytest.mark.parametrize(("advice", "page"), [(FOR_DENIALS, DENIALS), (FOR_FAULTS, FAULTS)])
def test_the_page_and_the_commands_say_the_same(advice: MappingProxyType[str, str], page: dict[str, str]) -> None:
    assert dict(advice) == {reason: without_links(told) for reason, told in page.items()}


def test_every_reason_of_a_denial_has_its_advice() -> None:
    assert list(FOR_DENIALS) == list(Reason)


@pytest.mark.parametrize("text", [*FOR_DENIALS.values(), *FOR_FAULTS.values()])
def test_the_commands_that_it_names_exist(text: str) -> None:
    for command in re.findall(r"`auth-jwt ([^`]+)`", text):
        words = command.split()
        found = get_command(app)
        while hasattr(found, "commands") and words and words[0] in found.commands:
            found = found.commands[words.pop(0)]
        assert not hasattr(found, "commands"), command
        known = {name for parameter in found.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, command


def test_the_advice_on_a_revocation_says_which_one_to_lift() -> None:
    lifts = re.findall(r"`auth-jwt revoke ([^`]+)`", FOR_DENIALS[Reason.REVOKED_TOKEN])

    assert lifts == ["TAG --jti JTI --lift", "TAG --all --lift"]


def test_a_command_names_the_tag() -> None:
    assert advice_about("disabled_profile", "alice web") == (
        "nothing if you disabled it; otherwise `auth-jwt profile enable 'alice web'`"
    )
    assert str(advice_about("disabled_profile")).endswith("`auth-jwt profile enable TAG`")


def test_a_fault_has_its_advice_too_and_nothing_else_has() -> None:
    assert advice_about("bad_setting") == "correct it, deploy"
    assert advice_about("good_setting") is None


def test_a_tag_that_no_terminal_shows_is_not_in_a_command() -> None:
    assert str(advice_about("disabled_profile", "a\x1b[2J")).endswith("`auth-jwt profile enable TAG`")


def test_names_that_are_placeholders_themselves_stay_as_they_are() -> None:
    text = "`auth-jwt secret show TAG ID`, `auth-jwt revoke TAG --jti JTI --lift`"

    assert naming(text, "ID", row="JTI", jti="a TAG") == (
        "`auth-jwt secret show ID JTI`, `auth-jwt revoke ID --jti 'a TAG' --lift`"
    )


def test_another_word_has_no_advice() -> None:
    assert advice_about("invalid_request") is None
