"""The commands over DynamoDB in memory: what they do, what they say, and how they end."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from auth_jwt.errors import Unreachable
from auth_jwt.provisioning.changes import Page
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt_cli.inputs import without_line_end
from tests.command_line import TAG, CommandLine, a_command_line
from tests.factories import HMAC_KEY, certificate_pem, json_octets, private_pem, public_pem
from tools.events.stage import REGION


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


# -- profiles ---------------------------------------------------------------------------------------------------------


def test_a_profile_is_added_shown_changed_and_removed(auth_jwt: CommandLine) -> None:
    profile = ("profile", "show", TAG)
    auth_jwt(
        *("profile", "add", TAG, "--username", "alice", "--domain", "example.com"),
        *("--attribute", "tier=gold", "--attribute", "quota:=20", "--attribute", "vip:=true"),
    )

    assert auth_jwt.json(*profile) == {
        "tag": TAG,
        "sip_username": "alice",
        "sip_domain": "example.com",
        "disabled": False,
        "tokens_valid_after": None,
        "attributes": {"tier": "gold", "quota": 20, "vip": True},
    }

    auth_jwt("profile", "set", TAG, "--username", "bob", "--no-domain", "--remove-attribute", "tier")
    changed = auth_jwt.json(*profile)
    assert (changed["sip_username"], changed["sip_domain"]) == ("bob", None)
    assert changed["attributes"] == {"quota": 20, "vip": True}

    auth_jwt("profile", "disable", TAG)
    assert auth_jwt.json(*profile)["disabled"] is True
    auth_jwt("profile", "enable", TAG)
    assert auth_jwt.json(*profile)["disabled"] is False

    auth_jwt("profile", "rm", TAG, "--yes")
    auth_jwt(*profile, exit_code=1)


def test_what_has_nothing_is_told_by_its_tag(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    assert "No write that was read has the tag 'alise'." in auth_jwt("audit", "--tag", "alise").stderr
    empty = auth_jwt.file("", "log")
    assert "No refusals of 'alise' since" in auth_jwt("refusals", "--tag", "alise", "--log-file", empty).stderr
    assert "TAG is missing: it says whose tokens to list" in auth_jwt("revoke", "--list", exit_code=2).stderr


def test_a_profile_without_a_secret_does_not_work_at_once(auth_jwt: CommandLine) -> None:
    """What is missing is said, with the command that adds it."""
    without = auth_jwt("profile", "add", TAG, "--username", "alice").stderr
    assert f"Nobody can log in with it until it has a secret: `auth-jwt secret add {TAG} --generate" in without
    assert "at once" not in without
    disabled = auth_jwt("profile", "add", "bob", "--username", "bob", "--generate", "--disabled").stderr
    assert "until `auth-jwt profile enable bob`" in disabled
    assert "at once" not in disabled

    assert "It works at once." in auth_jwt("profile", "add", "eve", "--username", "eve", "--generate").stderr


def test_people_see_the_same_as_programs(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice", "--attribute", "tier=gold")

    shown = auth_jwt("profile", "show", TAG).stdout

    assert [line.split() for line in shown.splitlines()] == [
        ["tag", TAG], ["username", "alice"], ["domain", "-"], ["state", "enabled"], ["tier", "gold"],
    ]  # fmt: skip


def test_an_attribute_is_read_from_a_file(auth_jwt: CommandLine) -> None:
    """What it holds may be a password of its own."""
    auth_jwt("profile", "add", TAG, "--username", "alice", "--attribute-file", "ha1=" + auth_jwt.file("abc\n"))

    assert auth_jwt.json("profile", "show", TAG)["attributes"] == {"ha1": "abc"}


@pytest.mark.parametrize(
    ("attribute", "exit_code"),
    [("quota:=[1]", 2), ("quota:=x", 2), ('quota:="x"', 2), ("quota:=null", 2), ("quota", 2), ("=x", 2), ("tag=x", 1)],
)
def test_an_attribute_that_cannot_be_is_rejected(auth_jwt: CommandLine, attribute: str, exit_code: int) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice", "--attribute", attribute, exit_code=exit_code)

    assert auth_jwt.lines("profile", "list") == []


def test_a_deleted_profile_is_listed_and_restored(auth_jwt: CommandLine) -> None:
    value = auth_jwt.has_a_user()
    table = boto3.resource("dynamodb", region_name=REGION).Table("jwt_profiles")
    table.update_item(
        Key={"tag": TAG},
        UpdateExpression="SET picture = :b, labels = :m",
        ExpressionAttributeValues={":b": b"\x00\xff", ":m": {"x", "y"}},
    )
    before = table.get_item(Key={"tag": TAG})["Item"]
    token = auth_jwt.token()

    removed = auth_jwt("profile", "rm", TAG, "--yes")
    assert "auth-jwt profile restore" in removed.stderr
    auth_jwt("token", "explain", given=token, exit_code=1)
    (listed,) = auth_jwt.lines("profile", "list", "--deleted")
    assert (listed["tag"], listed["secrets"], listed["kept_until"] - listed["deleted_at"]) == (TAG, 1, 30 * 86400)
    assert TAG in auth_jwt("profile", "list", "--deleted").stdout
    assert auth_jwt.lines("profile", "list", "--all") == []

    restored = auth_jwt.json("profile", "restore", TAG)
    assert restored == {"tag": TAG, "profile": True, "secrets": ["1"]}
    assert table.get_item(Key={"tag": TAG})["Item"] == before
    auth_jwt("token", "explain", given=token)
    assert auth_jwt.lines("profile", "list", "--deleted") == []
    written = [line["audit"] for line in auth_jwt.audit]
    assert written == ["profile.create", "token.mint", "profile.delete", "profile.restore"]
    assert value not in "".join(auth_jwt.written[2:])
    auth_jwt("profile", "restore", TAG, exit_code=1)


def test_a_profile_deleted_for_good_is_not_kept(auth_jwt: CommandLine) -> None:
    for tag in ("gone", "kept"):
        auth_jwt.has_a_user(tag)
        auth_jwt("profile", "rm", tag, "--yes", *(["--forever"] if tag == "gone" else []))

    assert [line["tag"] for line in auth_jwt.lines("profile", "list", "--deleted")] == ["kept"]
    auth_jwt("profile", "restore", "gone", exit_code=1)
    auth_jwt("profile", "rm", "kept", "--forever", "--yes")
    assert auth_jwt.lines("profile", "list", "--deleted") == []


def test_neither_lint_nor_set_alg_nor_the_check_of_settings_sees_a_deleted_profile(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    auth_jwt("profile", "rm", TAG, "--yes")

    assert auth_jwt.json("lint")["findings"] == []
    assert auth_jwt.json("secret", "set-alg", "--all")["rows"] == []
    assert "has no secret" in auth_jwt("config", "check").stdout


def test_profiles_are_listed_page_by_page(auth_jwt: CommandLine) -> None:
    tags = [f"user-{number}" for number in range(5)]
    for tag in tags:
        auth_jwt("profile", "add", tag, "--username", "u")

    seen: list[str] = []
    while True:
        listed = auth_jwt("profile", "list", "--limit", "2", "--json", *(["--after", seen[-1]] if seen else []))
        seen += [json.loads(line)["tag"] for line in listed.stdout.splitlines()]
        if "--after" not in listed.stderr:
            break

    assert sorted(seen) == tags
    everyone = auth_jwt("profile", "list", "--all")
    assert sorted(line.split()[0] for line in everyone.stdout.splitlines()[1:]) == tags
    assert "--after" in auth_jwt("profile", "list", "--limit", "2").stderr


def test_a_list_as_json_is_one_object_a_line(auth_jwt: CommandLine) -> None:
    for tag in ("one", "two"):
        auth_jwt.has_a_user(tag)

    profiles = auth_jwt("profile", "list", "--all", "--json").stdout.splitlines()
    secrets = auth_jwt("secret", "list", "one", "--json").stdout.splitlines()

    assert sorted(json.loads(line)["tag"] for line in profiles) == ["one", "two"]
    assert [json.loads(line)["id"] for line in secrets] == ["1"]


def test_the_first_rows_are_shown_before_the_next_page_is_read(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that ends early shows what it read, and does not end as a whole one does."""
    put_profiles(150)
    read = DynamoDbTables.profiles

    def fail_later(store: DynamoDbTables, *, after: str | None, limit: int) -> Page:
        if after is not None:
            raise Unreachable("no answer")
        return read(store, after=after, limit=limit)

    monkeypatch.setattr(DynamoDbTables, "profiles", fail_later)

    assert len(auth_jwt("profile", "list", "--all", "--json", exit_code=4).stdout.splitlines()) == 100


def put_profiles(count: int) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table("jwt_profiles")
    with table.batch_writer() as batch:
        for number in range(count):
            batch.put_item(Item={"tag": f"user-{number}", "sip_username": f"user{number}"})


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("profile", "show", "nobody"), 1),
        (("profile", "add", "", "--username", "u"), 1),
        (("profile", "add", "x" * 129, "--username", "u"), 1),
        (("profile", "set", TAG), 1),
        (("profile", "set", TAG, "--domain", "a", "--no-domain"), 2),
        (("profile", "set", TAG, "--attribute", "a:=" + "[" * 100_000), 2),
        (("profile", "add", TAG, "--username", "somebody else"), 3),
        (("profile", "add", TAG), 2),
        (("profile", "list", "--limit", "0"), 2),
        (("profile", "show", TAG, "--set", "PROFILES_TABLE=none"), 4),
        (("profile", "show", TAG, "--set", "CACHE_TTL_SECONDS=x"), 4),
        (("profile", "show", TAG, "--set", "CACHE_TTL=1"), 2),
        (("profile", "show", TAG, "--profile", "nobody"), 4),
    ],
)
def test_what_goes_wrong_has_its_exit_code(auth_jwt: CommandLine, arguments: tuple[str, ...], exit_code: int) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")

    result = auth_jwt(*arguments, exit_code=exit_code)

    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("Error: ")


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_generated_value_stands_alone_on_standard_output_once(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")

    added = auth_jwt("secret", "add", TAG, "--generate")

    value = added.stdout.strip()
    assert len(value) == 86
    assert value not in added.stderr
    assert "not shown again" in added.stderr
    for command in (("secret", "list", TAG), ("secret", "show", TAG, "1")):
        assert value not in auth_jwt(*command).output
        assert value not in auth_jwt(*command, "--json").output
    given = auth_jwt.file(value)
    fingerprint = auth_jwt.json("key", "fingerprint", "--secret-file", given)["keys"][0]["fingerprint"]
    assert auth_jwt.lines("secret", "list", TAG)[0]["keys"][0]["fingerprint"] == fingerprint


def test_a_generated_value_goes_to_a_file_that_only_its_owner_may_read(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")
    path = auth_jwt.files / "alice.secret"

    added = auth_jwt.json("secret", "add", TAG, "--generate", "--out", str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text("utf-8").strip() not in json.dumps(added)
    assert added["value_file"] == str(path)


def test_a_file_is_never_overwritten_and_nothing_is_written_then(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")
    path = auth_jwt.file("precious", "alice.secret")

    auth_jwt("secret", "add", TAG, "--generate", "--out", path, exit_code=1)

    assert Path(path).read_text("utf-8") == "precious"
    assert auth_jwt.lines("secret", "list", TAG) == []


def test_a_file_for_a_value_that_was_not_made_is_taken_away(auth_jwt: CommandLine) -> None:
    path = auth_jwt.files / "nobody.secret"

    auth_jwt("secret", "add", "nobody", "--generate", "--out", str(path), exit_code=1)

    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "exact", "value"),
    [
        pytest.param(HMAC_KEY, False, HMAC_KEY, id="nothing to take off"),
        pytest.param(f"{HMAC_KEY}\n", False, HMAC_KEY, id="one LF"),
        pytest.param(f"{HMAC_KEY}\r\n", False, HMAC_KEY, id="one CR LF"),
        pytest.param(f"{HMAC_KEY}\n\n", False, f"{HMAC_KEY}\n", id="one LF of two"),
        pytest.param(f"{HMAC_KEY}\r\n\r\n", False, f"{HMAC_KEY}\r\n", id="one CR LF of two"),
        pytest.param(f"{HMAC_KEY}\r", False, f"{HMAC_KEY}\r", id="a CR alone is part of it"),
        pytest.param(f" {HMAC_KEY} ", False, f" {HMAC_KEY} ", id="blanks are part of it"),
        pytest.param(f"{HMAC_KEY}\n", True, f"{HMAC_KEY}\n", id="exactly"),
    ],
)
def test_one_end_of_line_of_a_file_is_not_part_of_the_secret(
    auth_jwt: CommandLine, text: str, exact: bool, value: str
) -> None:
    auth_jwt(
        *("profile", "add", TAG, "--username", "alice", "--secret-file", auth_jwt.file(text)),
        *(["--exact"] if exact else []),
    )

    (row,) = boto3.client("dynamodb").scan(TableName="jwt_secrets")["Items"]
    assert row["secret"] == {"S": value}


def test_only_the_end_of_a_line_is_taken_off() -> None:
    assert without_line_end("a\nb\n") == "a\nb"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("short", "this secret would verify nothing: an HMAC key of 5 bytes, too short", id="short"),
        pytest.param("", "this secret would verify nothing: empty", id="empty"),
        pytest.param(private_pem(), "this secret would verify nothing", id="private key"),
    ],
)
def test_a_secret_that_would_never_verify_is_refused_with_the_reason(
    auth_jwt: CommandLine, text: str, said: str
) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")

    assert said in auth_jwt("secret", "add", TAG, "--secret-file", "-", given=text, exit_code=1).stderr


@pytest.mark.parametrize(
    "command", [("secret", "add", TAG, "--secret-file"), ("token", "explain", "--token-file")], ids=" ".join
)
@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"\xff\x00", "is not UTF-8 text"),
        (b"x" * 1_000_001, "has more than 1000000 bytes"),
        (None, "cannot be read: No such file or directory"),
    ],
    ids=["DER", "far too long", "none"],
)
def test_a_file_that_is_no_text_is_a_mistake_and_no_verdict(
    auth_jwt: CommandLine, tmp_path: Path, command: tuple[str, ...], octets: bytes | None, said: str
) -> None:
    """Of `token explain`, 1 would say that the token is refused."""
    path = tmp_path / "given"
    if octets is not None:
        path.write_bytes(octets)

    assert said in auth_jwt(*command, str(path), exit_code=2).stderr


@pytest.mark.parametrize("settings", ["no settings", '{"A": 1}', "{", '{"A":' + "[" * 100_000, None])
def test_settings_that_cannot_be_read_are_no_verdict_either(
    auth_jwt: CommandLine, tmp_path: Path, settings: str | None
) -> None:
    path = str(tmp_path / "none") if settings is None else auth_jwt.file(settings)

    auth_jwt("token", "explain", "--env-file", path, given="x", exit_code=2)


def test_a_public_key_is_added_with_its_window_and_rules(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice")

    added = auth_jwt.json(
        *("secret", "add", TAG, "--secret-file", auth_jwt.file(public_pem()), "--id", "issuer", "--kid", "k1"),
        *("--start", "2026-01-01", "--end", "2100-01-01T00:00:00Z", "--algorithms", "RS256, PS256"),
    )

    assert (added["id"], added["kind"], added["kid"], added["algorithms"]) == (
        "issuer", "RSA 2048", "k1", ["RS256", "PS256"],
    )  # fmt: skip
    assert (added["start_ts"], added["end_ts"], added["state"]) == (1767225600, 4102444800, "open")


def test_a_rotation_opens_a_new_secret_and_lets_the_old_one_end(auth_jwt: CommandLine) -> None:
    old = auth_jwt.has_a_user()

    rotated = auth_jwt.json("secret", "rotate", TAG, "--generate", "--overlap", "2h")

    assert rotated["value"] != old
    assert rotated["secret"]["state"] == "open"
    (closing,) = rotated["closing"]
    assert closing["end_ts"] - rotated["secret"]["start_ts"] == 7200
    assert "works at once" in auth_jwt("secret", "rotate", TAG, "--generate").stderr


def test_a_rotation_that_was_done_is_not_done_again(auth_jwt: CommandLine) -> None:
    """With an id and a value of one's own, a command whose answer was lost can be repeated."""
    auth_jwt.has_a_user()
    rotate = ("secret", "rotate", TAG, "--secret-file", auth_jwt.file(HMAC_KEY), "--id", "new")

    auth_jwt(*rotate)
    auth_jwt(*rotate)

    assert [secret["id"] for secret in auth_jwt.lines("secret", "list", TAG)] == ["new", "1"]
    auth_jwt("secret", "rotate", TAG, "--generate", "--id", "new", exit_code=3)


def test_a_secret_is_closed_at_a_time_and_removed(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    auth_jwt("secret", "add", TAG, "--generate")

    closed = auth_jwt.json("secret", "close", TAG, "1")
    assert closed["state"] == "closed"
    auth_jwt("secret", "rm", TAG, "1")
    auth_jwt("secret", "show", TAG, "1", exit_code=1)
    auth_jwt("secret", "rm", TAG, "2", exit_code=3)
    later = auth_jwt.json("secret", "close", TAG, "2", "--at", "+1h", "--yes")
    assert later["state"] == "open"
    auth_jwt("secret", "close", TAG, "2", "--at", "-1h", "--yes", exit_code=1)


def test_a_secret_that_ends_before_it_would_be_closed_keeps_its_end_and_that_is_said(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    in_time = auth_jwt("secret", "close", TAG, "1", "--at", "+1h", "--yes")
    too_late = auth_jwt("secret", "close", TAG, "1", "--at", "+2h", "--yes")

    assert "Warning" not in in_time.stderr
    assert "Warning: it ends earlier than --at says, and keeps its end" in too_late.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--secret-file", "-", "--out", "file"),
        ("--out", "file"),
        ("--generate", "--exact"),
        ("--exact",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "command",
    [("secret", "add", TAG), ("secret", "rotate", TAG), ("profile", "add", "another", "--username", "u")],
    ids=" ".join,
)
def test_an_option_that_would_count_for_nothing_is_refused(
    auth_jwt: CommandLine, command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    auth_jwt.has_a_user()
    arguments = [str(auth_jwt.files / "file") if option == "file" else option for option in options]

    said = auth_jwt(*command, *arguments, given=HMAC_KEY, exit_code=2).stderr

    assert options[-1 if options[-1].startswith("--") else -2] in said or "--secret-file" in said
    assert [entry["audit"] for entry in auth_jwt.audit] == ["profile.create"]
    assert not (auth_jwt.files / "file").exists()


@pytest.mark.parametrize("command", [("secret", "add", TAG), ("secret", "rotate", TAG)])
def test_without_a_terminal_a_secret_needs_a_source(auth_jwt: CommandLine, command: tuple[str, ...]) -> None:
    """What is on standard input by chance is no secret."""
    auth_jwt.has_a_user()

    assert "--secret-file" in auth_jwt(*command, given=HMAC_KEY, exit_code=2).stderr
    auth_jwt(*command, "--generate", "--secret-file", auth_jwt.file(HMAC_KEY), exit_code=2)


# -- what is dangerous ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("profile", "rm", TAG),
        ("secret", "close", TAG, "1"),
        ("revoke", TAG, "--all"),
    ],
)
def test_without_a_terminal_what_is_dangerous_needs_yes(auth_jwt: CommandLine, command: tuple[str, ...]) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()

    assert "add --yes" in auth_jwt(*command, given="y\n", exit_code=2).stderr
    auth_jwt("token", "explain", given=token)
    auth_jwt(*command, "--yes")
    auth_jwt("token", "explain", given=token, exit_code=1)


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_minted_token_leaves_a_line_of_audit_that_does_not_hold_it(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    minted = auth_jwt.json("token", "mint", TAG)

    line = auth_jwt.audit[-1]
    assert (line["audit"], line["outcome"], line["tag"], line["id"]) == ("token.mint", "done", TAG, minted["jti"])
    assert (line["secret"], line["expires_at"]) == ("1", minted["expires_at"])
    assert line["actor"].startswith("arn:aws:sts::123456789012:")
    assert line["target"]["account"] == "123456789012"
    assert minted["token"] not in json.dumps(auth_jwt.audit)


@pytest.mark.parametrize("log", ["/dev/full", "/dev/null/audit.log"])
def test_without_its_line_of_audit_no_token_is_shown(auth_jwt: CommandLine, log: str) -> None:
    auth_jwt.has_a_user()
    path = auth_jwt.files / "token"

    shown = auth_jwt("token", "mint", TAG, "--audit-log", log, exit_code=4)
    filed = auth_jwt("token", "mint", TAG, "--audit-log", log, "--out", str(path), exit_code=4)

    assert (shown.stdout, filed.stdout) == ("", "")
    assert "so nothing was done; name another by --audit-log FILE" in shown.stderr
    assert "eyJ" not in shown.output + filed.output
    assert not path.exists()


def test_a_minted_token_is_accepted_and_explained(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token(TAG, "--lifetime", "15m", "--claim", "role=admin", "--claim", "level=3", "--jti", "j1")

    told = auth_jwt.json("token", "explain", "--claims", given=token)

    assert (told["accepted"], told["sip_username"]) == (True, "alice")
    assert {**told["claims"], "iat": 0, "exp": 0} == {
        "tag": TAG, "role": "admin", "level": 3, "jti": "j1", "iat": 0, "exp": 0,
    }  # fmt: skip
    assert told["claims"]["exp"] - told["claims"]["iat"] == 900
    shown = auth_jwt("token", "explain", "--token-file", auth_jwt.file(f" {token}\r\n"))
    assert "accepted, for alice until" in shown.stdout
    assert "CACHE_TTL_SECONDS" in shown.stderr


def test_a_token_goes_to_a_file(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    path = auth_jwt.files / "token"

    minted = auth_jwt.json("token", "mint", TAG, "--out", str(path))

    assert "token" not in minted
    assert minted["token_file"] == str(path)
    auth_jwt("token", "explain", "--token-file", str(path))


@pytest.mark.parametrize(
    ("claim", "exit_code"), [("x=NaN", 1), ("x", 2), ("=1", 2), pytest.param("x=" + "[" * 100_000, 2, id="deep")]
)
def test_a_claim_that_cannot_be_is_rejected(auth_jwt: CommandLine, claim: str, exit_code: int) -> None:
    auth_jwt.has_a_user()

    said = auth_jwt("token", "mint", TAG, "--claim", claim, exit_code=exit_code).stderr

    assert "an error in this program" not in said


def test_an_empty_id_is_none_that_a_token_can_have(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    assert "--jti is empty" in auth_jwt("token", "mint", TAG, "--jti", "", exit_code=2).stderr


def test_a_token_that_is_refused_ends_with_one_and_one_that_cannot_be_judged_with_four(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()

    refused = auth_jwt("token", "explain", "--at", "+1h", given=token, exit_code=1)
    unknown = auth_jwt("token", "explain", "--set", "SECRETS_TABLE=none", given=token, exit_code=4)

    assert "denied: token_expired" in refused.stdout
    assert "cannot be decided: dynamodb:Query on table 'none' is refused" in unknown.stdout


# -- revocations ------------------------------------------------------------------------------------------------------


def test_a_token_is_revoked_by_itself_and_that_is_lifted(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token(TAG, "--jti", "j1")

    revoked = auth_jwt.json("revoke", "--token-file", "-", given=token)

    assert (revoked["tag"], revoked["jti"]) == (TAG, "j1")
    assert revoked["expires_at"] is not None
    assert "REVOCATIONS_TABLE lists this token" in auth_jwt("token", "explain", given=token, exit_code=1).stdout
    assert [one["jti"] for one in auth_jwt.lines("revoke", TAG, "--list")] == ["j1"]
    auth_jwt("revoke", "--token-file", "-", "--lift", given=token)
    auth_jwt("token", "explain", given=token)


def test_a_token_is_revoked_by_its_id(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token(TAG, "--jti", "j1")

    assert auth_jwt.json("revoke", TAG, "--jti", "j1")["expires_at"] is None
    auth_jwt("token", "explain", given=token, exit_code=1)
    auth_jwt("revoke", TAG, "--jti", "j1", "--lift")
    auth_jwt("token", "explain", given=token)
    auth_jwt("revoke", TAG, "--jti", "j1", "--lift", exit_code=1)


@pytest.mark.parametrize("exp", ["1e300", "1800000000000", "-1e300", "-5"])
def test_a_token_whose_end_is_no_time_is_revoked_for_ever(auth_jwt: CommandLine, exp: str) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token(TAG, "--jti", "j1", "--claim", f"exp={exp}", "--set", "ENFORCE_TIME_CLAIMS=false")

    revoked = auth_jwt.json("revoke", "--token-file", "-", given=token)

    assert (revoked["jti"], revoked["expires_at"]) == ("j1", None)


def test_all_tokens_are_revoked_and_that_is_lifted(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()

    auth_jwt("revoke", TAG, "--all", "--before", "-1h", "--yes")
    auth_jwt("token", "explain", given=token)
    said = auth_jwt("revoke", TAG, "--all", "--yes").stderr
    assert "within 1 minute (CACHE_TTL_SECONDS), up to 5 minutes (STALE_IF_ERROR_SECONDS) more" in said
    auth_jwt("token", "explain", given=token, exit_code=1)
    auth_jwt("revoke", TAG, "--all", "--lift")
    auth_jwt("token", "explain", given=token)


def test_a_token_that_nobody_signed_revokes_nothing(auth_jwt: CommandLine) -> None:
    """Or whoever makes one up could have an operator revoke somebody else's."""
    auth_jwt.has_a_user()
    token = auth_jwt.token()[:-8] + "AAAAAAAA"

    said = auth_jwt("revoke", "--token-file", "-", given=token, exit_code=1).stderr

    assert "(bad_signature), so there is nothing to revoke" in said
    assert auth_jwt.lines("revoke", TAG, "--list") == []


@pytest.mark.parametrize(
    "arguments",
    [
        (TAG, "--jti", "a", "--all"),
        (TAG, "--before", "now", "--jti", "a"),
        ("--jti", "a"),
        ("--all", "--yes"),
        ("--list",),
        (TAG, "--list", "--lift"),
        (TAG, "--list", "--exp", "+1h"),
        (TAG, "--all", "--exp", "+1h", "--yes"),
        (TAG, "--all", "--lift", "--before", "now"),
        (TAG, "--jti", "a", "--lift", "--exp", "+1h"),
        ("somebody-else", "--token-file", "-"),
        (),
        (TAG,),
        (TAG, "--lift"),
    ],
)
def test_revoke_says_what_it_needs(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    auth_jwt.has_a_user()

    auth_jwt("revoke", *arguments, given=auth_jwt.token(), exit_code=2)

    assert "revoke" not in json.dumps(auth_jwt.audit)


def test_revoke_without_any_of_the_three_names_them(auth_jwt: CommandLine) -> None:
    said = auth_jwt("revoke", TAG, exit_code=2).stderr.splitlines()[-1]

    assert said == (
        "Error: say what to revoke: --jti ID for one token by its id, --token-file FILE for a token that you have "
        "(`-` asks for it, or reads standard input), or --all for all tokens of TAG"
    )


@pytest.mark.parametrize("given", ["", "\n", " \t\r\n"])
def test_an_empty_token_is_called_so(auth_jwt: CommandLine, given: str) -> None:
    revoked = auth_jwt("revoke", "--token-file", "-", given=given, exit_code=2).stderr.splitlines()[-1]

    assert revoked == "Error: the token is empty: there is nothing to revoke"
    assert "the token is empty" in auth_jwt("token", "explain", given=given, exit_code=1).stdout


def test_without_a_table_of_revocations_one_token_cannot_be_revoked(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    said = auth_jwt("revoke", TAG, "--jti", "a", exit_code=3, REVOCATIONS_TABLE="").stderr

    assert "set REVOCATIONS_TABLE" in said


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_certificate_gives_its_public_key(auth_jwt: CommandLine) -> None:
    cert = auth_jwt.file(certificate_pem())

    assert auth_jwt("key", "from-cert", cert).stdout == public_pem()
    assert auth_jwt.json("key", "from-cert", "-", given=certificate_pem()) == {"public_key": public_pem()}
    auth_jwt("key", "from-cert", auth_jwt.file("no certificate"), exit_code=1)


# -- the audit --------------------------------------------------------------------------------------------------------


def test_every_write_leaves_a_line_with_who_and_what(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    auth_jwt.token()
    auth_jwt("profile", "show", TAG)
    auth_jwt("profile", "disable", TAG)

    assert [(line["audit"], line["tag"]) for line in auth_jwt.audit] == [
        ("profile.create", TAG),
        ("token.mint", TAG),
        ("profile.disable", TAG),
    ]
    assert auth_jwt.audit[0]["actor"].startswith("arn:aws:")
    assert "@" in auth_jwt.audit[0]["actor"]
    path = auth_jwt.folder / "auth-jwt" / "audit.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_the_audit_cannot_be_written_nothing_is(auth_jwt: CommandLine) -> None:
    nowhere = auth_jwt.file("a file, not a folder")

    said = auth_jwt("profile", "add", TAG, "--username", "a", "--audit-log", f"{nowhere}/audit.log", exit_code=4).stderr

    assert "so nothing was done" in said
    auth_jwt("profile", "show", TAG, exit_code=1)


def test_the_audit_goes_where_it_is_told(auth_jwt: CommandLine) -> None:
    path = auth_jwt.files / "elsewhere"

    by_option = auth_jwt("profile", "add", TAG, "--username", "a", "--audit-log", "-")
    auth_jwt("profile", "disable", TAG, AUTH_JWT_AUDIT_LOG=str(path))

    assert '"audit": "profile.create"' in by_option.stderr
    assert json.loads(path.read_text("utf-8"))["audit"] == "profile.disable"
    assert auth_jwt.audit == []


# -- what is confidential ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param(("secret", "add", TAG, "@"), 2, id="an argument too many"),
        pytest.param(("token", "explain", "@"), 2, id="a token as an argument"),
        pytest.param(("@",), 2, id="in place of a command"),
        pytest.param(("secret", "@"), 2, id="in place of a subcommand"),
        pytest.param(("secret", "add", TAG, "--secret=@"), 2, id="an option that does not exist"),
        pytest.param(("secret", "add", TAG, "--secret-file", "@"), 2, id="in place of a file's name"),
        pytest.param(("token", "explain", "--token-file", "@"), 2, id="a token in place of a file's name"),
        pytest.param(("revoke", "--token-file", "@"), 2, id="likewise"),
        pytest.param(("key", "from-jwk", "@"), 2, id="a key in place of a file's name"),
        pytest.param(("secret", "add", TAG, "--generate", "--out", "@/@"), 1, id="in place of an output's name"),
    ],
)
def test_what_was_put_in_the_wrong_place_is_not_repeated(
    auth_jwt: CommandLine, arguments: tuple[str, ...], exit_code: int
) -> None:
    result = auth_jwt(*(argument.replace("@", HMAC_KEY) for argument in arguments), exit_code=exit_code)

    assert HMAC_KEY not in result.output


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param(("revoke", TAG, "--jti", "@"), 1, id="a token in place of its id"),
        pytest.param(("secret", "show", TAG, "@"), 1, id="in place of a secret's id"),
        pytest.param(("why", "@"), 1, id="in place of a user"),
        pytest.param(("profile", "rm", "@", "--yes"), 1, id="in place of a tag"),
        pytest.param(("profile", "rename", "@", "b"), 1, id="in place of the old tag"),
        pytest.param(("secret", "close", TAG, "1", "--at", "@"), 2, id="in place of a time"),
        pytest.param(("sync", "@", "--yes"), 2, id="in place of an export"),
        pytest.param(("lint", "@"), 4, id="in place of a dump"),
        pytest.param(("refusals", "--log-file", "@"), 4, id="in place of a log"),
    ],
)
def test_a_token_in_the_wrong_place_is_neither_shown_nor_written(
    auth_jwt: CommandLine, arguments: tuple[str, ...], exit_code: int
) -> None:
    """As the id of a revocation it would stand in the table and in the audit, and the token would go on logging in."""
    auth_jwt.has_a_user()
    token = auth_jwt.token()
    auth_jwt.written.clear()

    auth_jwt(*(argument.replace("@", token) for argument in arguments), exit_code=exit_code)

    everything = "".join(auth_jwt.written) + json.dumps(auth_jwt.audit)
    assert [part for part in token.split(".") if part in everything] == []


def test_no_secret_and_no_token_is_in_anything_that_is_written(auth_jwt: CommandLine) -> None:
    """But for a generated value and a minted token, once, on standard output."""
    auth_jwt("profile", "add", TAG, "--username", "alice", "--secret-file", "-", given=HMAC_KEY)
    private = "a claim that nobody asked for"
    generated = auth_jwt("secret", "add", TAG, "--generate").stdout.strip()
    token = auth_jwt.token(TAG, "--claim", f"private={private}")
    auth_jwt.written.clear()

    for document in ((), ("--json",)):
        auth_jwt("secret", "list", TAG, *document)
        auth_jwt("secret", "show", TAG, "1", *document)
        auth_jwt("key", "fingerprint", "--secret-file", "-", *document, given=HMAC_KEY)
        assert private not in auth_jwt("token", "explain", *document, given=token).output
        assert private in auth_jwt("token", "explain", "--claims", *document, given=token).output
        auth_jwt("token", "explain", *document, given=token[:-4], exit_code=1)
        auth_jwt("token", "explain", *document, given=f"{token}.x", exit_code=1)
    auth_jwt("secret", "add", TAG, "--secret-file", "-", given=HMAC_KEY, exit_code=3)
    auth_jwt("secret", "add", TAG, "--secret-file", "-", "--id", "1", given=generated, exit_code=3)
    auth_jwt("revoke", "--token-file", "-", given=token)
    auth_jwt("profile", "rm", TAG, "--yes")

    everything = "".join(auth_jwt.written) + json.dumps(auth_jwt.audit)
    for hidden in (HMAC_KEY, generated, token, *token.split(".")):
        assert hidden not in everything


def test_nothing_in_a_row_can_drive_the_terminal(auth_jwt: CommandLine) -> None:
    """A username may have been chosen by somebody else."""
    auth_jwt("profile", "add", TAG, "--username", "\x1b[2J[red]alice", "--attribute", "a=[bold]\r\nb")

    shown = auth_jwt("profile", "show", TAG).stdout

    assert r"\x1b[2J[red]alice" in shown
    assert r"[bold]\r\nb" in shown


def test_key_sets_are_converted_one_by_one(auth_jwt: CommandLine) -> None:
    """Covered in full by test_key_commands.py; here, that standard input is read."""
    jwk: Any = {"kty": "oct", "k": "AAAA"}

    said = auth_jwt("key", "from-jwk", "-", given=json_octets(jwk).decode(), exit_code=1).stderr

    assert "has no public part" in said
