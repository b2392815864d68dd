"""What `lint` says of the live tables: the commands of a remedy as a machine gets them, and what is no finding."""

import json
from decimal import Decimal

import pytest
import typer.main

from auth_jwt.models import Columns, Policy
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.main import app
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import Finding
from auth_jwt_cli.migration.intentions import is_disabled_on_purpose
from auth_jwt_cli.migration.ledger import Ledger
from auth_jwt_cli.migration.live_rules import LIVE_RULES, About, RowCommand, commands_in
from auth_jwt_cli.migration.translation import TargetRow
from tests.factories import HMAC_KEY, NOW, a_profile, a_secret, private_pem
from tests.linted_rows import row_of, rules_of

ABOUT = About("t1", "7")


def command(text: str, about: About = ABOUT) -> RowCommand:
    (found,) = commands_in(f"Do it by `auth-jwt {text}`.", about)
    return found


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "argv", "fill_in"),
    [
        ("secret set TAG ID --mend", "secret set t1 7 --mend", ()),
        ("secret set TAG ID --start TIME --end TIME", "secret set t1 7 --start TIME --end TIME", ("TIME",)),
        ("profile rename TAG NEW-TAG", "profile rename t1 NEW-TAG", ("NEW-TAG",)),
        ("secret add TAG --generate --out FILE", "secret add t1 --generate --out FILE", ("FILE",)),
        ("secret set-alg --all", "secret set-alg --all", ()),
        ("key mend FILE", "key mend FILE", ("FILE",)),
    ],
)
def test_tag_and_id_are_filled_in_and_the_rest_is_named(text: str, argv: str, fill_in: tuple[str, ...]) -> None:
    assert command(text) == RowCommand(("auth-jwt", *argv.split()), fill_in)


def test_a_word_in_capitals_that_is_a_tag_is_not_to_be_filled_in() -> None:
    assert command("secret rm TAG ID", About("FILE", "TIME")).fill_in == ()


def test_an_id_that_is_not_known_is_to_be_filled_in() -> None:
    assert command("secret close TAG ID", About("t1", None)) == RowCommand(
        ("auth-jwt", "secret", "close", "t1", "ID"), ("ID",)
    )


def test_what_the_row_tells_is_filled_in() -> None:
    words = {"COLUMN=TEXT": "tier=TEXT"}
    assert command("profile set TAG --attribute COLUMN=TEXT", About("t1", None, words)) == RowCommand(
        ("auth-jwt", "profile", "set", "t1", "--attribute", "tier=TEXT"), ("TEXT",)
    )


@pytest.mark.parametrize(("tag", "secret_id"), [("-t", "1"), ("t", "--all"), ("--", "-")])
def test_a_hyphen_before_a_tag_or_an_id_makes_it_no_option(tag: str, secret_id: str) -> None:
    argv = command("secret set TAG ID --mend", About(tag, secret_id)).argv

    assert argv == ("auth-jwt", "secret", "set", "--mend", "--", tag, secret_id)


def test_a_nul_which_no_argument_holds_is_escaped() -> None:
    argv = command("secret rm TAG ID", About('a\0"\u00e9', "1")).argv

    assert argv == ("auth-jwt", "secret", "rm", r"a\u0000\"\u00e9", "1", "--escaped")
    assert json.loads(f'"{argv[3]}"') == 'a\0"\u00e9'


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("secret set TAG ID --mend", "secret set t1 7 --mend --region r --set A=b"),
        ("secret set-alg --all", "secret set-alg --all --region r --set A=b"),
        ("key mend FILE", "key mend FILE"),
    ],
)
def test_the_tables_are_named_as_lint_was_told(text: str, argv: str) -> None:
    about = About("t1", "7", where=("--region", "r", "--set", "A=b"))

    assert command(text, about).argv == ("auth-jwt", *argv.split())


def test_every_remedy_has_commands_that_there_are_with_options_that_there_are() -> None:
    top = typer.main.get_command(app)
    for rule, live in LIVE_RULES.items():
        for found in commands_in(live.remedy, ABOUT):
            node = top
            words = list(found.argv[1:])
            while hasattr(node, "commands"):
                node = node.commands[words.pop(0)]
            options = {name for parameter in node.params for name in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options, rule


def test_a_finding_of_a_source_has_no_commands() -> None:
    finding = Finding.of_live_row("no-username", Key(Table.PROFILES, "t1"))

    assert finding.as_json()["commands"] == [
        {"argv": ["auth-jwt", "profile", "set", "t1", "--username", "NAME"], "fill_in": ["NAME"]},
        {"argv": ["auth-jwt", "profile", "rm", "t1"]},
    ]
    source = Finding(finding.rule, Table.PROFILES, "t1", None, "", "row 1").as_json()
    assert "commands" not in source
    assert source["remedy"] == finding.rule.remedy != finding.remedy


# -- what is no finding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "on_purpose"),
    [
        *((value, True) for value in (True, Decimal(1), Decimal(-1), Decimal("0.1"))),
        *((value, True) for value in ("1", "true", "yes", "Y", "disabled", "2026-11-28", "blocked by hand", "ja")),
        *((value, True) for value in ({"B": b"\x01"}, {"B": b"1"})),
        *((value, False) for value in ("", " ", "0", "00", "0.0", "-0", "false", "FALSE", "No", "off", "f", "n")),
        *((value, False) for value in ("null", "None", "\0", "enabled", "active")),
        *(({"B": octets}, False) for octets in (b"", b"\0", b"0")),
        *((None, False), ({"L": []}, False), ({"M": {}}, False), ({"SS": ["x"]}, False)),
    ],
)
def test_a_profile_is_disabled_on_purpose_by_what_says_so(value: object, on_purpose: bool) -> None:
    assert is_disabled_on_purpose(value) is on_purpose
    assert rules_of(a_profile(disabled=value), live=True) == (set() if on_purpose else {"disabled-profile"})
    assert rules_of(a_profile(disabled=value)) == {"disabled-profile"}


@pytest.mark.parametrize("value", [False, Decimal(0)])
def test_a_profile_that_is_not_disabled_is_not_named(value: object) -> None:
    assert rules_of(a_profile(disabled=value), live=True) == set()


@pytest.mark.parametrize(
    "columns", [{"secret": "hunter2"}, {"secret": ""}, {"alg": 7}, {"secret": 5}, {"start_ts": "x"}]
)
@pytest.mark.parametrize(("end", "is_named"), [(NOW, False), (NOW + 1, True)])
def test_of_a_secret_that_has_ended_nothing_is_said(columns: dict[str, object], end: int, is_named: bool) -> None:
    assert (
        bool(rules_of(a_secret(**{"secret": HMAC_KEY, "alg": "HS256", "end_ts": end, **columns}), live=True))
        is is_named
    )


def test_but_that_it_is_a_private_key() -> None:
    assert rules_of(a_secret(private_pem(), end_ts=NOW), live=True) == {"private-key"}


def test_a_secret_that_starts_later_is_judged_like_an_open_one() -> None:
    assert rules_of(a_secret("hunter2", start_ts=NOW + 1, alg="HS256"), live=True) == {"short-secret"}


def between(*rows: dict[str, object]) -> set[tuple[str, str, str | None]]:
    """The rules that live rows fall under together."""
    examination = Examination(Columns(), Policy(), live=True, clock=lambda: NOW)
    with Ledger() as ledger:
        for columns in rows:
            row: TargetRow = row_of(columns)
            examined = examination.of(row)
            ledger.note(row, examined.shared, is_open=examined.is_open, rests=examined.rests)
        return {(finding.rule.id, str(finding.tag), finding.id) for finding in examination.between(ledger)}


def test_users_whose_tags_differ_by_case_alone_are_two() -> None:
    one = (a_profile(), a_secret(id="1"))
    other = (a_profile(tag="T1"), a_secret(f"{HMAC_KEY} 2", corresponding_tag="T1", id="1"))

    assert between(*one, *other) == set()
    assert between(*one, other[1]) == {("folded-tags", "T1", "1")}
    assert between(*one, other[0]) == {("folded-tags", "T1", None)}
    assert between(one[0], other[1]) == {("folded-tags", "t1", None), ("folded-tags", "T1", "1")}


def test_what_has_ended_has_no_double_and_needs_no_profile() -> None:
    ended = {"id": "1", "end_ts": NOW}

    assert between(a_secret(corresponding_tag="nobody", **ended)) == set()
    assert between(a_profile(), a_secret(id="2"), a_secret("y" * 64, corresponding_tag="T1", **ended)) == set()


def test_a_secret_shared_with_one_that_has_ended_is_named_where_it_is_open() -> None:
    rows = (
        a_profile(),
        a_profile(tag="t2"),
        a_secret(id="1"),
        a_secret(f"{HMAC_KEY} 2", corresponding_tag="t2", id="2"),
    )

    found = between(*rows, a_secret(corresponding_tag="t2", id="1", end_ts=NOW))

    assert found == {("shared-secret", "t1", "1")}


def test_a_profile_all_of_whose_secrets_have_ended_is_named_unless_it_is_disabled() -> None:
    ended = a_secret(id="1", end_ts=NOW)

    assert between(a_profile(), ended) == {("profile-without-secret", "t1", None)}
    assert between(a_profile(disabled=True), ended) == between(a_profile(disabled=True)) == set()
    assert between(a_profile(disabled="0")) == {("profile-without-secret", "t1", None)}
