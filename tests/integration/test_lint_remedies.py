"""`auth-jwt lint` on the live tables: for each rule a row is made by hand, its remedy run, and the finding is gone.

The commands that run are those that the finding has in its JSON; what is left to fill in is filled in here.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer

from auth_jwt.issuers.models import REGISTRY_TAG
from auth_jwt_cli.migration.findings import RULES
from auth_jwt_cli.migration.live_rules import LIVE_RULES
from tests.command_line import CommandLine, a_command_line
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    openssh_line,
    private_pem,
    public_pem,
)
from tests.issuers import ISSUER, issuer_row
from tools.events.stage import REGION

DAY = 86400
TODAY = int(time.time())
RFC_7515 = '{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}'
ALG = "HS256,HS384,HS512"

ADD = "secret add TAG --generate --out FILE"
STORE = "secret add TAG --secret-file FILE"
CLOSE = "secret close TAG ID"
RENAME = "profile rename TAG NEW-TAG"
REMOVE = "profile rm TAG"
MEND = ("key mend FILE", "secret add TAG --secret-file PEM", CLOSE)
ATTRIBUTE = "profile set TAG --attribute COLUMN=TEXT"
REVOKE = ("revoke TAG --all", "revoke TAG --all --lift")
SAY_ALG = ("secret set-alg TAG ID", "secret set-alg --all")
WINDOW = "secret set TAG ID --start TIME --end TIME"
BOUNDS = "secret set TAG ID --mend"


def a_row(secret: object = HMAC_KEY, /, tag: str = "t1", id: str = "1", **columns: object) -> dict[str, object]:  # noqa: A002
    """A good secret, but for what *columns* say; `...` leaves one out."""
    row = {"corresponding_tag": tag, "id": id, "secret": secret, "start_ts": 1, "end_ts": TODAY + 90 * DAY, "alg": ALG}
    return {name: value for name, value in {**row, **columns}.items() if value is not ...}


def a_user(tag: str = "t1", **columns: object) -> dict[str, object]:
    return {name: value for name, value in {"tag": tag, "sip_username": "al", **columns}.items() if value is not ...}


@dataclass
class Case:
    """Rows that a rule finds, and the ways in which its remedy mends them.

    Attributes:
        rule: which finds them.
        ways: each a sequence of commands, as the remedy has them.
        secrets: rows of secrets.
        profiles: rows of profiles.
        settings: of the service.
        fill_in: what somebody knows to fill in who knows the row.
        name: of the case, where a rule has several.
    """

    rule: str
    ways: Sequence[Sequence[str]]
    secrets: Sequence[Mapping[str, object]] = field(default_factory=lambda: [a_row()])
    profiles: Sequence[Mapping[str, object]] = field(default_factory=lambda: [a_user()])
    settings: Mapping[str, str] = field(default_factory=dict)
    fill_in: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def of_key(rule: str, secret: object, *ways: Sequence[str], name: str = "", **columns: object) -> Case:
    row = {**a_row(secret), "alg": ..., **columns}
    return Case(
        rule,
        ways,
        [{name: value for name, value in row.items() if value is not ...}],
        fill_in={"LIST": "RS256"},
        name=name,
    )


CASES = [
    of_key("empty-secret", "", (ADD, CLOSE)),
    of_key("empty-secret", ..., (ADD, CLOSE), name="none at all"),
    of_key("short-secret", "hunter2", (ADD, CLOSE)),
    of_key("unread-key-material", openssh_line(), MEND),
    of_key("in-doubt", DOUBTFUL, ("secret set-alg TAG ID --hmac",), (STORE, CLOSE)),
    of_key("degenerate-key", public_key_pem(PRIME_MODULUS), (STORE, CLOSE)),
    of_key("published-key", RFC_7515, (STORE, CLOSE)),
    of_key("blank-key", " " * 64, (ADD, CLOSE), alg=ALG),
    of_key("weak-words", "changeme" * 8, (ADD, CLOSE)),
    of_key("private-key", private_pem(), (STORE, CLOSE, "secret rm TAG ID")),
    of_key("private-key", private_pem(), ("secret rm TAG ID",), name="that has ended", end_ts=TODAY - 9),
    Case(
        "shared-secret", [(ADD, CLOSE)], [a_row(), a_row(tag="t2", end_ts=TODAY - 9)], [a_user(), a_user("t2")]
    ),
    Case("window-in-milliseconds", [(BOUNDS,)], [a_row(end_ts=(TODAY + DAY) * 1000)], name="its end"),
    Case("window-in-milliseconds", [(BOUNDS,)], [a_row(start_ts=1_600_000_000_000)], name="its start"),
    Case("window-in-milliseconds", [(BOUNDS,)], [a_row(end_ts=1_600_000_000_000)], name="an end that has passed"),
    Case("folded-tags", [(RENAME,)], [a_row(tag="T1")], fill_in={"NEW-TAG": "T1"}, name="a profile and a secret"),
    Case("folded-tags", [(RENAME,)], [a_row(), a_row(tag="T1", id="2")], name="a secret beside another"),
    Case("folded-tags", [(RENAME,)], [], [a_user(), a_user("T1")], fill_in={"NEW-TAG": "bob"}, name="two profiles"),
    Case("blank-around-tag", [(RENAME,), (REMOVE,)], [a_row(tag="t1 ")], [a_user("t1 ")]),
    Case("blank-around-tag", [(RENAME,), (REMOVE,)], [a_row(tag=" ")], [a_user(" ")], name="nothing but a blank"),
    Case("tag-too-long", [(RENAME,), (REMOVE,)], [a_row(tag="x" * 129)], [a_user("x" * 129)]),
    Case("nul-in-tag", [(RENAME,), (REMOVE,)], [a_row(tag="t\0\u00e91")], [a_user("t\0\u00e91")]),
    Case("no-username", [("profile set TAG --username NAME",), (REMOVE,)], profiles=[a_user(sip_username=...)]),
    Case("no-username", [("profile set TAG --username NAME",)], profiles=[a_user(sip_username=7)], name="a number"),
    Case(
        "username-not-registrable",
        [("profile set TAG --username NAME",)],
        profiles=[a_user(sip_username="m\u00fcller")],
    ),
    of_key("unusable-key", public_pem("rsa_2047"), (STORE, CLOSE)),
    of_key("unreadable-key", public_pem().replace("\n", "\\n"), MEND),
    of_key("alg-disagrees", public_pem(), ("secret set-alg TAG ID --alg LIST",), (STORE, CLOSE), alg="HS256"),
    of_key("alg-disagrees", json.dumps(a_jwk(alg="ES256")), (STORE, CLOSE), name="of a JWK"),
    Case(
        "alg-required", [(command,) for command in SAY_ALG], [a_row(alg=...)],
        settings={"REQUIRE_ALG_COLUMN": "true"},
    ),
    Case(
        "too-many-secrets", [("secret list TAG", CLOSE)],
        [a_row(f"{HMAC_KEY} {number}", id=str(number)) for number in range(3)],
        settings={"MAX_SECRETS_PER_TAG": "2"},
    ),
    of_key("reference", "https://issuer.example/jwks.json", (STORE, CLOSE)),
    Case("bound-not-a-number", [(WINDOW,), (CLOSE,)], [a_row(start_ts=...)], name="no start"),
    Case(
        "issuers-domain",
        [("profile set TAG --domain NAME",), ("profile set TAG --no-domain",), (REMOVE,)],
        [a_row(), {"corresponding_tag": REGISTRY_TAG, "id": ISSUER}],
        [a_user(sip_domain="Example.com"), issuer_row(mapping="claim", username_claim="u", sip_domain="example.com")],
        fill_in={"NAME": "example.org"},
    ),
    Case("bound-not-a-number", [(WINDOW,), (CLOSE,)], [a_row(end_ts=...)], name="no end"),
    Case("bound-not-a-number", [(WINDOW,), (CLOSE,)], [a_row(end_ts=None)], name="NULL"),
    Case("bound-not-a-number", [(WINDOW,), (CLOSE,)], [a_row(end_ts="2099-01-01 00:00:00")], name="a date"),
    Case("bound-not-a-number", [(WINDOW,), (CLOSE,)], [a_row(start_ts=True)], name="true"),
    Case("bound-not-a-number", [(BOUNDS,), (WINDOW,), (CLOSE,)], [a_row(end_ts="4102444800")], name="digits"),
    Case("bound-not-a-number", [(BOUNDS,)], [a_row(start_ts="1600000000000")], name="milliseconds in digits"),
    Case(
        "alg-or-kid-unusable", [("secret set-alg TAG ID --alg LIST",)], [a_row(alg="md5")], name="an alg that is none"
    ),
    Case("alg-or-kid-unusable", [("secret set-alg TAG ID --alg LIST",)], [a_row(alg=7)], name="an alg of a number"),
    Case(
        "alg-or-kid-unusable", [("secret set TAG ID --kid KID",), ("secret set TAG ID --no-kid",)], [a_row(kid=7)],
        name="a kid of a number",
    ),
    *(
        Case(
            "disabled-profile", [("profile enable TAG",), ("profile disable TAG",)], profiles=[a_user(disabled=odd)],
            name=repr(odd),
        )
        for odd in ("false", "0", "no", "", " False ", "0.0", None, b"\0", ["x"])
    ),
    *(
        Case("valid-after-not-a-number", [(command,) for command in REVOKE],
             profiles=[a_user(tokens_valid_after=odd)], name=repr(odd))
        for odd in ("1600000000", "yesterday", None, True, b"7")
    ),
    Case(
        "valid-after-in-milliseconds", [(command,) for command in REVOKE],
        profiles=[a_user(tokens_valid_after=1_600_000_000_000)],
    ),
    Case(
        "credential-of-another-type", [(ATTRIBUTE,), ("profile set TAG --remove-attribute COLUMN",)],
        profiles=[a_user(tier=[1])], settings={"LOAD_CREDENTIALS": "tier"},
    ),
    Case(
        "credential-of-another-type", [(ATTRIBUTE,), ("profile set TAG --remove-attribute COLUMN",)],
        profiles=[a_user(sip_domain=[1])], settings={"LOAD_CREDENTIALS": "sip_domain"}, name="the domain",
    ),
    of_key("not-text", 123456789, (STORE, CLOSE), name="a number"),
    of_key("not-text", b"x" * 64, (STORE, CLOSE), name="bytes"),
    *(Case("no-alg", [(command,) for command in SAY_ALG], [a_row(alg=alg)], name=str(alg))
      for alg in (..., "HS256,RS256")),
    Case(
        "short-for-some-algorithms", [("secret set-alg TAG ID --alg LIST",), (ADD, CLOSE)], [a_row(HMAC_KEY[:32])]
    ),
    Case("never-opens", [(WINDOW,), ("secret rm TAG ID",)], [a_row(start_ts=TODAY + 99 * DAY)]),
    Case("never-opens", [(WINDOW,)], [a_row(start_ts=16 * 10**14, end_ts=41 * 10**14)], name="microseconds"),
    Case("secret-without-profile", [("profile add TAG --username NAME",), (REMOVE,)], profiles=[]),
    Case("profile-without-secret", [(ADD,), ("profile disable TAG",), (REMOVE,)], []),
    Case("profile-without-secret", [(ADD,)], [a_row(end_ts=TODAY - 9)], name="all have ended"),
    Case("credential-missing", [(ATTRIBUTE,)], settings={"LOAD_CREDENTIALS": "tier"}),
    Case("credential-missing", [(ATTRIBUTE,)], settings={"LOAD_CREDENTIALS": "sip_domain"}, name="the domain"),
]  # fmt: skip
WAYS = [(case, way) for case in CASES for way in case.ways]
_TYPED = TypeSerializer()


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as command_line:
        yield command_line


@pytest.fixture(name="auth_jwt")
def _auth_jwt(shell: CommandLine, tmp_path: Path) -> CommandLine:
    """A shell at empty tables; the files it writes are in a folder of their own."""
    shell.wipe()
    shell.files = tmp_path
    return shell


def make(profiles: Sequence[Mapping[str, object]], secrets: Sequence[Mapping[str, object]]) -> None:
    """Write rows as somebody does who is none of our commands."""
    client = boto3.client("dynamodb", region_name=REGION)
    for table, rows in (("jwt_profiles", profiles), ("jwt_secrets", secrets)):
        for row in rows:
            client.put_item(TableName=table, Item={name: _TYPED.serialize(value) for name, value in row.items()})


def findings(auth_jwt: CommandLine) -> list[dict[str, Any]]:
    """Everything that `lint` finds in the live tables."""
    found: list[dict[str, Any]] = json.loads(auth_jwt("lint", "--json", exit_code=None).stdout)["findings"]
    return found


def rules_in(auth_jwt: CommandLine) -> set[str]:
    return {finding["rule"] for finding in findings(auth_jwt)}


def templates(rule: str) -> list[str]:
    return re.findall(r"`auth-jwt ([^`]+)`", LIVE_RULES[rule].remedy)


class Hand:
    """Whoever does what a remedy says."""

    def __init__(self, auth_jwt: CommandLine, finding: Mapping[str, Any], fill_in: Mapping[str, str]) -> None:
        self._auth_jwt = auth_jwt
        self._fill_in = {
            "NAME": "alice",
            "TEXT": "gold",
            "LIST": ALG,
            "KID": "k2",
            "NEW-TAG": "t1",
            "ID": "2",
            **fill_in,
        }
        self._commands = dict(zip(templates(finding["rule"]), finding["commands"], strict=True))
        self._pem = auth_jwt.file(public_pem("p256"), "issuer.pem")

    def does(self, template: str) -> None:
        command = self._commands[template]
        words = command["argv"]
        assert words.pop(0) == "auth-jwt"
        assert bool(command.get("fill_in")) == ("fill_in" in command)
        for place in command.get("fill_in", ()):
            words = self._filled(words, place)
        result = self._auth_jwt(*words[:2], *self._answer(words), *words[2:])
        if words[:2] == ["key", "mend"]:
            self._pem = self._auth_jwt.file(result.stdout, "mended.pem")

    def _filled(self, words: list[str], place: str) -> list[str]:
        if place == "FILE":
            return [self._file(words[at - 1]) if word == "FILE" else word for at, word in enumerate(words)]
        if place == "TIME":
            by = {"--start": "now", "--end": "+30d"}
            return [by[words[at - 1]] if word == "TIME" else word for at, word in enumerate(words)]
        value = self._pem if place == "PEM" else self._fill_in[place]
        return [word[: -len(place)] + value if word == place or word.endswith(f"={place}") else word for word in words]

    def _file(self, option: str) -> str:
        if option == "--out":
            return str(self._auth_jwt.files / "new.secret")
        return self._auth_jwt.file(openssh_line("p256"), "theirs") if option == "mend" else self._pem

    @staticmethod
    def _answer(words: Sequence[str]) -> list[str]:
        """What a person says to the question that a command may ask."""
        asks = words[:2] in (["profile", "rm"], ["secret", "set"]) or (words[0] == "revoke" and "--lift" not in words)
        return ["--yes"] if asks else []


@pytest.mark.matrix(kinds=lambda case, way: {(case.rule, template) for template in way})
@pytest.mark.parametrize(
    ("case", "way"), WAYS, ids=[f"{case.rule} {case.name}: {', '.join(way)}" for case, way in WAYS]
)
def test_what_the_remedy_says_makes_the_finding_go(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, case: Case, way: Sequence[str]
) -> None:
    for name, value in case.settings.items():
        monkeypatch.setitem(auth_jwt.environment, name, value)
    make(case.profiles, case.secrets)
    found = [finding for finding in findings(auth_jwt) if finding["rule"] == case.rule]
    assert found

    hand = Hand(auth_jwt, found[0], case.fill_in)
    for template in way:
        assert case.rule in rules_in(auth_jwt)
        hand.does(template)

    assert case.rule not in rules_in(auth_jwt)


def test_every_command_of_every_remedy_is_run_here() -> None:
    run = {(case.rule, template) for case, way in WAYS for template in way}

    assert run == {(rule, template) for rule in LIVE_RULES for template in templates(rule)}


def test_every_rule_of_the_live_tables_has_a_command() -> None:
    """Those that rows of a source alone fall under have none."""
    assert all(templates(rule) for rule in LIVE_RULES)
    assert RULES.keys() - LIVE_RULES.keys() == {
        *("public-key-as-hmac", "jwk-secret", "nul-in-secret", "secret-not-ascii", "expired"),
        *("malformed-row", "no-tag", "cannot-be-stored", "duplicate-key", "kept-closed"),
    }
