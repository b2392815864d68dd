"""`auth-jwt export`, `diff` and `sync` over DynamoDB in memory: two stacks, and files between them."""

import json
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from auth_jwt.errors import Unreachable
from auth_jwt_cli.migration.target import Patience, Target
from auth_jwt_cli.output import Output
from auth_jwt_cli.transfer.sealing import Sealer
from tests.command_line import TAG, CommandLine, a_command_line
from tests.factories import HMAC_KEY
from tools.events.stage import REGION

OTHER = ("other_profiles", "other_secrets")
KEY = x25519.X25519PrivateKey.generate()


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as command_line:
        client = boto3.client("dynamodb", region_name=REGION)
        for name, like in zip(OTHER, ("jwt_profiles", "jwt_secrets"), strict=True):
            found = client.describe_table(TableName=like)["Table"]
            keys = {key["AttributeName"] for key in found["KeySchema"]}
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=found["KeySchema"],
                AttributeDefinitions=[each for each in found["AttributeDefinitions"] if each["AttributeName"] in keys],
            )
        yield command_line


@pytest.fixture(name="auth_jwt")
def _auth_jwt(shell: CommandLine, tmp_path: Path) -> CommandLine:
    """A shell at a stack with a few rows, beside another stack that is empty."""
    shell.wipe()
    for name in OTHER:
        wipe(name)
    shell.files = tmp_path
    put("jwt_profiles", tag=TAG, sip_username="alice", level=3, rate=1.5, vip=True, blob=b"\x00\xff", marks={"x", "y"})
    put("jwt_profiles", tag="bob", sip_username="bob", disabled=True)
    put_secret(TAG, "1", HMAC_KEY, kid="k")
    put_secret("bob", "1", f"{HMAC_KEY} of bob")
    return shell


@pytest.fixture(name="keys")
def _keys(tmp_path: Path) -> tuple[str, str]:
    """The files of a public key and of its private one."""
    public, private = tmp_path / "public.pem", tmp_path / "private.pem"
    public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(public), str(private)


def wipe(name: str) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table(name)
    names = [key["AttributeName"] for key in table.key_schema]
    for item in table.scan()["Items"]:
        table.delete_item(Key={key: item[key] for key in names})


def put(table: str, **columns: Any) -> None:
    from decimal import Decimal

    values = {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in columns.items()}
    boto3.resource("dynamodb", region_name=REGION).Table(table).put_item(Item=values)


def put_secret(tag: str, secret_id: str, secret: str, *, table: str = "jwt_secrets", **columns: object) -> None:
    row = {"start_ts": 1, "end_ts": 4_102_444_800, "alg": "HS256", **columns}
    put(table, corresponding_tag=tag, id=secret_id, secret=secret, **row)


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a table that are no tombstones."""
    items = boto3.resource("dynamodb", region_name=REGION).Table(name).scan()["Items"]
    live = [item for item in items if len(str(item.get("corresponding_tag", ""))) <= 128]
    return sorted(live, key=lambda item: str(sorted(item.items(), key=lambda pair: pair[0])))


def at_the_other(*arguments: str) -> tuple[str, ...]:
    return (*arguments, "--set", f"PROFILES_TABLE={OTHER[0]}", "--set", f"SECRETS_TABLE={OTHER[1]}")


def an_export(auth_jwt: CommandLine, *options: str, name: str = "stack.jsonl") -> Path:
    path = auth_jwt.files / name
    path.unlink(missing_ok=True)
    auth_jwt("export", "--out", str(path), *options)
    return path


def sealed(auth_jwt: CommandLine, keys: tuple[str, str]) -> Path:
    return an_export(auth_jwt, "--with-values", "--encrypt-to", keys[0])


# -- export -----------------------------------------------------------------------------------------------------------


def test_an_export_has_a_header_the_rows_and_an_end(auth_jwt: CommandLine) -> None:
    path = an_export(auth_jwt)
    header, *lines, end = map(json.loads, path.read_text().splitlines())

    assert (header["auth_jwt_export"], header["values"]) == (1, "none")
    assert header["target"]["tables"][:2] == ["jwt_profiles", "jwt_secrets"]
    assert end == {"end": {"profiles": 2, "secrets": 2}}
    assert sorted(line["profile"]["tag"] for line in lines if "profile" in line) == [TAG, "bob"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_export_has_fingerprints_and_no_value(auth_jwt: CommandLine) -> None:
    text = auth_jwt("export").stdout
    secrets = [json.loads(line) for line in text.splitlines() if line.startswith('{"secret"')]

    assert HMAC_KEY not in text
    shown = {line["secret"]["corresponding_tag"]: line["fingerprints"] for line in secrets}
    assert shown[TAG] == [key["fingerprint"] for key in auth_jwt.json("secret", "show", TAG, "1")["keys"]]
    assert "fingerprints" not in auth_jwt("export", "--no-fingerprints").stdout


def test_values_are_sealed_to_a_key(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    text = sealed(auth_jwt, keys).read_text()

    assert HMAC_KEY not in text
    assert text.count('"sealed"') == 2


@pytest.mark.parametrize("options", [("--with-values",), ("--encrypt-to", "KEY")])
def test_values_are_never_written_as_they_are(
    auth_jwt: CommandLine, keys: tuple[str, str], options: tuple[str, ...]
) -> None:
    given = [keys[0] if word == "KEY" else word for word in options]

    assert "go together" in auth_jwt("export", *given, exit_code=2).stderr


def test_rows_of_issuers_and_of_deleted_profiles_are_not_exported(auth_jwt: CommandLine) -> None:
    put("jwt_profiles", tag="https://login.example.com", issuer_config="{}")
    auth_jwt("profile", "rm", "bob", "--yes")

    lines = auth_jwt("export").stdout.splitlines()

    assert json.loads(lines[-1]) == {"end": {"profiles": 1, "secrets": 1}}


def test_a_table_that_fails_leaves_no_whole_export(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = auth_jwt.files / "stack.jsonl"
    scan = Target.rows

    def fail_later(target: Target, table: Any) -> Iterator[Any]:
        yield from scan(target, table)
        raise Unreachable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Target, "rows", fail_later)
        auth_jwt("export", "--out", str(path), exit_code=4)

    assert not path.exists()


def test_an_export_does_not_overwrite_a_file(auth_jwt: CommandLine) -> None:
    """The file may be the only record of how things were. Every `--out` for a new file says so in the same words."""
    path = an_export(auth_jwt)
    before = path.read_bytes()

    for command in (("export",), ("secret", "add", TAG, "--generate")):
        refused = auth_jwt(*command, "--out", str(path), exit_code=1).stderr
        assert f"{path.name} exists already: name a new file with --out" in refused
    assert path.read_bytes() == before


# -- diff -------------------------------------------------------------------------------------------------------------


def test_a_stack_is_like_its_own_export(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    for path, options in (
        (an_export(auth_jwt), ()),
        (an_export(auth_jwt, "--no-fingerprints"), ()),
        (sealed(auth_jwt, keys), ("--decrypt-with", keys[1])),
    ):
        assert "alike" in auth_jwt("diff", str(path), *options).stderr


def test_differences_are_told_by_column_and_without_values(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt("profile", "set", TAG, "--username", "mallory", "--attribute", "new=x", "--remove-attribute", "level")
    auth_jwt("profile", "rm", "bob", "--forever", "--yes")
    put("jwt_profiles", tag="carol", sip_username="carol")
    put_secret(TAG, "1", f"{HMAC_KEY} of mallory", kid="k")

    lines = auth_jwt.lines("diff", path, exit_code=3)
    shown = auth_jwt("diff", path, exit_code=3)

    assert {(line["change"], line["table"], line["tag"]) for line in lines} == {
        ("change", "profiles", TAG),
        ("change", "secrets", TAG),
        ("add", "profiles", "bob"),
        ("add", "secrets", "bob"),
        ("remove", "profiles", "carol"),
    }
    (profile,) = [line for line in lines if line["change"] == "change" and line["table"] == "profiles"]
    assert (profile["columns"], profile["only_there"]) == (["level", "sip_username"], ["new"])
    (secret,) = [line for line in lines if line["change"] == "change" and line["table"] == "secrets"]
    assert secret["columns"] == ["secret"]
    assert "level, sip_username, [new]" in shown.stdout
    assert "mallory" not in shown.stdout


def test_values_that_nobody_can_compare_are_said(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt, "--no-fingerprints"))
    put_secret(TAG, "1", f"{HMAC_KEY} of mallory", kid="k")

    assert "not compared" in auth_jwt("diff", path).stderr


def test_two_exports_are_compared(auth_jwt: CommandLine) -> None:
    before = str(an_export(auth_jwt, name="before"))
    auth_jwt("profile", "enable", "bob")
    after = str(an_export(auth_jwt, name="after"))

    (line,) = auth_jwt.lines("diff", after, before, exit_code=3)

    assert (line["tag"], line["columns"], line["only_there"]) == ("bob", [], ["disabled"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda lines: lines[:-1], "cut off", id="without its last line"),
        pytest.param(lambda lines: [*lines[:2], *lines[3:]], "not whole", id="without a row"),
        pytest.param(lambda lines: [*lines[:-2], lines[-2][:20]], "damaged in line", id="cut in a line"),
        pytest.param(lambda lines: lines[1:], "no export", id="without its header"),
        pytest.param(lambda lines: [lines[0].replace("1", "9", 1), *lines[1:]], "format 9", id="of another format"),
        pytest.param(lambda _: [], "no export", id="empty"),
        pytest.param(lambda lines: [*lines, lines[1]], "damaged in line", id="with more after its end"),
        pytest.param(
            lambda lines: [lines[0].replace('"values"', '"va"'), *lines[1:]], "no export", id="without what it has"
        ),
        pytest.param(
            lambda lines: [lines[0].replace('"none"', '"some"'), *lines[1:]], "no export", id="with what it cannot have"
        ),
        pytest.param(
            lambda lines: [lines[0].replace('"sip_username"', "[]"), *lines[1:]],
            "no export",
            id="with a column without a name",
        ),
    ],
)
def test_a_damaged_export_is_noticed_before_anything_is_done(auth_jwt: CommandLine, damage: Any, message: str) -> None:
    path = an_export(auth_jwt)
    path.write_text("\n".join(damage(path.read_text().splitlines())))

    for command in (("diff", str(path)), at_the_other("sync", str(path), "--yes")):
        assert message in auth_jwt(*command, exit_code=1).stderr
    assert rows(OTHER[0]) == []


# -- sync -------------------------------------------------------------------------------------------------------------


def test_a_stack_becomes_like_an_export_with_values(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    path = str(sealed(auth_jwt, keys))
    command = at_the_other("sync", path, "--decrypt-with", keys[1], "--yes")

    auth_jwt(*command)

    assert rows(OTHER[0]) == rows("jwt_profiles")
    assert rows(OTHER[1]) == rows("jwt_secrets")
    assert sorted(line["audit"] for line in auth_jwt.audit) == ["profile.sync"] * 2 + ["secret.sync"] * 2
    assert HMAC_KEY not in "".join(auth_jwt.written)
    audit = len(auth_jwt.audit)
    assert "alike" in auth_jwt(*command).stderr
    assert len(auth_jwt.audit) == audit


def test_a_stack_becomes_like_another_one(auth_jwt: CommandLine) -> None:
    settings = auth_jwt.file("PROFILES_TABLE=jwt_profiles\nSECRETS_TABLE=jwt_secrets\n", "settings.env")

    auth_jwt(*at_the_other("sync", f"env:{settings}", "--yes"))

    assert rows(OTHER[1]) == rows("jwt_secrets")
    auth_jwt(*at_the_other("diff", f"env:{settings}"))


def test_secrets_without_values_are_refused_and_the_rest_is_written(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))

    result = auth_jwt(*at_the_other("sync", path, "--yes"), exit_code=1)

    assert "has no value of it" in result.stdout
    assert rows(OTHER[0]) == rows("jwt_profiles")
    assert rows(OTHER[1]) == []


def test_windows_are_synced_without_values(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt("secret", "set", TAG, "1", "--kid", "other")

    auth_jwt("sync", path, "--yes")

    assert auth_jwt.json("secret", "show", TAG, "1")["kid"] == "k"


def test_nothing_is_deleted_unless_that_is_asked_for(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt.has_a_user("carol")
    put_secret(TAG, "extra", f"{HMAC_KEY} extra")

    auth_jwt("sync", path, "--yes")
    assert {row["tag"] for row in rows("jwt_profiles")} == {TAG, "bob", "carol"}

    auth_jwt("sync", path, "--delete", "--yes")
    assert {row["tag"] for row in rows("jwt_profiles")} == {TAG, "bob"}
    assert {(row["corresponding_tag"], row["id"]) for row in rows("jwt_secrets")} == {(TAG, "1"), ("bob", "1")}
    assert [line["tag"] for line in auth_jwt.lines("profile", "list", "--deleted")] == ["carol"]
    auth_jwt("diff", path)


def test_nothing_opens_again_that_was_closed_here(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt("profile", "disable", TAG)
    auth_jwt("secret", "close", TAG, "1", "--yes")

    result = auth_jwt("sync", path, "--yes", exit_code=3)

    assert "lets fewer tokens through" in result.stdout
    assert auth_jwt.json("profile", "show", TAG)["disabled"] is True
    assert auth_jwt.json("secret", "show", TAG, "1")["state"] == "closed"


def test_a_rehearsal_of_a_sync_shows_and_writes_nothing(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    path = str(sealed(auth_jwt, keys))

    told = auth_jwt(*at_the_other("sync", path, "--decrypt-with", keys[1], "--dry-run"))

    assert "+" in told.stdout
    assert (rows(OTHER[0]), rows(OTHER[1]), auth_jwt.audit) == ([], [], [])


def test_a_rehearsal_of_a_sync_tells_what_would_be_refused_and_deleted(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt.has_a_user("carol")
    auth_jwt("profile", "rm", "bob", "--forever", "--yes")
    before = rows("jwt_profiles"), rows("jwt_secrets"), auth_jwt.audit

    told = auth_jwt("sync", path, "--delete", "--dry-run", exit_code=1)

    assert "1 would be added, 0 would be changed, 2 would be deleted, 1 would be refused." in told.stderr
    assert "has no value of it" in " ".join(told.stdout.split())
    assert (rows("jwt_profiles"), rows("jwt_secrets"), auth_jwt.audit) == before


def test_a_sync_asks_before_it_writes(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))

    assert "add --yes" in auth_jwt(*at_the_other("sync", path), exit_code=2).stderr
    assert rows(OTHER[0]) == []


def test_an_interrupted_sync_goes_on_with_what_is_left(
    auth_jwt: CommandLine, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)
    path = str(sealed(auth_jwt, keys))
    command = at_the_other("sync", path, "--decrypt-with", keys[1], "--yes")
    write = Target.write

    def fail_at_profiles(target: Target, table: Any, changes: Any) -> None:
        if table == "profiles":
            raise Unreachable("no answer")
        write(target, table, changes)

    with monkeypatch.context() as patch:
        patch.setattr(Target, "write", fail_at_profiles)
        auth_jwt(*command, exit_code=4)
    assert (len(rows(OTHER[0])), len(rows(OTHER[1]))) == (0, 2)

    auth_jwt(*command)
    assert rows(OTHER[0]) == rows("jwt_profiles")


def test_a_value_is_not_moved_to_another_secret(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    path = sealed(auth_jwt, keys)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    secrets = [line for line in lines if "secret" in line]
    secrets[0]["sealed"], secrets[1]["sealed"] = secrets[1]["sealed"], secrets[0]["sealed"]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    said = auth_jwt(*at_the_other("sync", str(path), "--decrypt-with", keys[1], "--yes"), exit_code=1).stderr

    assert "belongs to another secret" in said
    assert rows(OTHER[1]) == []


def test_an_export_brings_no_issuer(auth_jwt: CommandLine) -> None:
    path = an_export(auth_jwt)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1]["profile"] = {"tag": "https://login.example.com", "issuer_config": "{}"}
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    said = auth_jwt(*at_the_other("sync", str(path), "--yes"), exit_code=1).stdout

    assert "a row of an issuer" in said
    assert not any("issuer_config" in row for row in rows(OTHER[0]))


def test_a_sync_that_somebody_stops_says_how_to_go_on(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(an_export(auth_jwt))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Target, "write", stop)

    said = auth_jwt(*at_the_other("sync", path, "--yes"), exit_code=130).stderr

    assert "goes on with the rest" in said


# -- what a sync asks as every other tool does ------------------------------------------------------------------------

ISSUER = "https://login.example.com/"


@pytest.mark.parametrize("is_new", [True, False], ids=["a new profile", "a profile that changes"])
def test_a_sync_brings_no_profile_into_an_issuers_domain(auth_jwt: CommandLine, is_new: bool) -> None:
    """A claim names that domain's users: two sources would name one of them."""
    put("jwt_profiles", tag="carol", sip_username="carol", sip_domain="Example.org")
    path = str(an_export(auth_jwt))
    if is_new:
        auth_jwt("profile", "rm", "carol", "--forever", "--yes")
    else:
        put("jwt_profiles", tag="carol", sip_username="carol", sip_domain="example.net")
    an_issuer_of("example.org")

    said = auth_jwt("sync", path, "--yes", exit_code=1).stdout

    assert f"is that of the issuer '{ISSUER}'" in " ".join(said.split())
    domains = [row["sip_domain"] for row in rows("jwt_profiles") if "sip_domain" in row]
    assert domains == ([] if is_new else ["example.net"])


def test_a_sync_disables_a_profile_that_is_in_an_issuers_domain_already(auth_jwt: CommandLine) -> None:
    put("jwt_profiles", tag="carol", sip_username="carol", sip_domain="example.org", disabled=True)
    path = str(an_export(auth_jwt))
    put("jwt_profiles", tag="carol", sip_username="carol", sip_domain="example.org")
    an_issuer_of("example.org")

    auth_jwt("sync", path, "--yes")

    assert auth_jwt.json("profile", "show", "carol")["disabled"] is True


def test_a_sync_brings_no_secret_under_an_issuers_tag(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    put_secret(ISSUER, "1", f"{HMAC_KEY} of an issuer")
    path = str(sealed(auth_jwt, keys))
    auth_jwt("profile", "rm", ISSUER, "--forever", "--yes")
    an_issuer_of("example.org")

    said = auth_jwt("sync", path, "--decrypt-with", keys[1], "--yes", exit_code=1).stdout

    assert "a tag holds an issuer or secrets, never both" in " ".join(said.split())
    assert {row["corresponding_tag"] for row in rows("jwt_secrets") if "secret" in row} == {TAG, "bob"}


@pytest.mark.parametrize(
    ("secret", "columns", "reason"),
    [
        pytest.param("", {}, "empty", id="empty"),
        pytest.param("http://example.com/key", {"alg": None}, "verifies nothing here", id="in doubt"),
    ],
)
def test_a_sync_refuses_a_secret_that_an_import_would(
    auth_jwt: CommandLine, keys: tuple[str, str], secret: str, columns: dict[str, Any], reason: str
) -> None:
    put_secret("bob", "odd", secret, **columns)
    path = str(sealed(auth_jwt, keys))

    said = auth_jwt(*at_the_other("sync", path, "--decrypt-with", keys[1], "--yes"), exit_code=1).stdout

    assert reason in " ".join(said.split())
    assert {row["id"] for row in rows(OTHER[1])} == {"1"}


def test_a_sync_closes_a_secret_that_it_would_not_bring(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    put_secret("bob", "odd", "", end_ts=5)
    path = str(sealed(auth_jwt, keys))
    put_secret("bob", "odd", "")

    auth_jwt("sync", path, "--decrypt-with", keys[1], "--yes")

    assert [row["end_ts"] for row in rows("jwt_secrets") if row["id"] == "odd"] == [5]


def an_issuer_of(domain: str) -> None:
    """Add an issuer whose claim names the users of a SIP domain, without asking it for its keys."""
    from auth_jwt_cli.connection import Connection, Where
    from auth_jwt_cli.output import Output

    members = {
        "audiences": ["sip"],
        "keys_url": f"{ISSUER}keys",
        "mapping": "claim",
        "username_claim": "preferred_username",
    }
    provisioning = Connection(Where(context=""), Output()).writing
    provisioning.issuers.add(ISSUER, {**members, "sip_domain": domain}, trusts_claim=True)


# -- what a sync deletes ----------------------------------------------------------------------------------------------


def test_secrets_that_go_with_their_profile_are_shown_and_counted(auth_jwt: CommandLine) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt.has_a_user("carol")
    put_secret("carol", "2", f"{HMAC_KEY} of carol")

    result = auth_jwt("sync", path, "--delete", "--yes")

    assert [line.split()[1:4] for line in result.stdout.splitlines() if line.startswith("-")] == [
        ["profiles", "carol", "-"],
        ["secrets", "carol", "1"],
        ["secrets", "carol", "2"],
    ]
    assert "3 rows differ" in result.stderr
    assert "3 deleted" in result.stderr


def test_a_profile_stays_if_the_source_has_secrets_of_it(auth_jwt: CommandLine) -> None:
    """Its secrets would go along with it, and the source says that they are to be there."""
    path = an_export(auth_jwt)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if line.get("profile", {}).get("tag") != "bob"]
    lines[-1]["end"]["profiles"] -= 1
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    put_secret("bob", "only here", f"{HMAC_KEY} only here")

    result = auth_jwt("sync", str(path), "--delete", "--yes", exit_code=1)

    assert "SOURCE has secrets of it" in " ".join(result.stdout.split())
    assert {row["tag"] for row in rows("jwt_profiles")} == {TAG, "bob"}
    assert {row["id"] for row in rows("jwt_secrets") if row["corresponding_tag"] == "bob"} == {"1", "only here"}


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda: put("jwt_profiles", tag="carol", sip_username="anew"), id="another profile"),
        pytest.param(lambda: put_secret("carol", "new", f"{HMAC_KEY} new"), id="one more secret"),
        pytest.param(lambda: put_secret("carol", "1", f"{HMAC_KEY} new"), id="another secret with the id"),
    ],
)
def test_a_sync_deletes_only_what_it_has_shown(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]
) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt.has_a_user("carol")
    monkeypatch.setattr(Output, "confirm", lambda *_, **__: meanwhile())

    said = auth_jwt("sync", path, "--delete", exit_code=1).stdout

    assert "meanwhile" in said
    assert "carol" in {row["tag"] for row in rows("jwt_profiles")}
    assert "1" in {row["id"] for row in rows("jwt_secrets") if row["corresponding_tag"] == "carol"}


def test_what_somebody_has_deleted_meanwhile_is_no_failure(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(an_export(auth_jwt))
    auth_jwt.has_a_user("carol")
    put_secret("bob", "2", f"{HMAC_KEY} 2")

    def delete(*_: object, **__: object) -> None:
        for key in (("carol", "1"), ("bob", "2")):
            boto3.resource("dynamodb", region_name=REGION).Table("jwt_secrets").delete_item(
                Key=dict(zip(("corresponding_tag", "id"), key, strict=True))
            )
        boto3.resource("dynamodb", region_name=REGION).Table("jwt_profiles").delete_item(Key={"tag": "carol"})

    monkeypatch.setattr(Output, "confirm", delete)

    auth_jwt("sync", path, "--delete")

    auth_jwt("diff", path)


def test_a_sync_deletes_no_secret_that_changed_meanwhile(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(an_export(auth_jwt))
    put_secret("bob", "2", f"{HMAC_KEY} 2")
    monkeypatch.setattr(Output, "confirm", lambda *_, **__: put_secret("bob", "2", f"{HMAC_KEY} new"))

    said = auth_jwt("sync", path, "--delete", exit_code=1).stdout

    assert "meanwhile" in said
    assert auth_jwt.json("secret", "show", "bob", "2")["state"] == "open"


# -- files that somebody has changed ----------------------------------------------------------------------------------


def damaged(lines: list[Any], kind: str, member: str, value: object) -> list[Any]:
    """The lines with another *value* for a *member* of the first line of a *kind*."""
    number = next(number for number, line in enumerate(lines) if kind in line)
    lines[number] = {**lines[number], member: value}
    return lines


def nested(levels: int, kind: str) -> dict[str, Any]:
    """A value of so many levels."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels - 1):
        value = {kind: [value] if kind == "L" else {"a": value}}
    return value


NOT_STORABLE: dict[str, dict[str, Any]] = {
    "a number of too many digits": {"n": 10**38 + 1},
    "a number that is too large": {"n": 10**200},
    "a number as text": {"n": {"S": 7}},
    "a truth that is text": {"n": {"BOOL": "true"}},
    "a null that is false": {"n": {"NULL": False}},
    "no base64": {"n": {"B": "!!!!"}},
    "an empty set": {"n": {"SS": []}},
    "a set with a member twice": {"n": {"SS": ["a", "a"]}},
    "a set of no numbers": {"n": {"NS": ["x"]}},
    "a member without a name": {"n": {"M": {"": {"S": "x"}}}},
    "a column without a name": {"": "x"},
    "half a character": {"n": "\ud800"},
    "a list deeper than DynamoDB stores": {"n": nested(33, "L")},
    "a map deeper than DynamoDB stores": {"n": nested(33, "M")},
    "a map deeper than Python reads": {"n": nested(400, "M")},
}


def test_a_value_as_deep_as_dynamodb_stores_is_taken(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    path = sealed(auth_jwt, keys)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    next(line for line in lines if "profile" in line)["profile"]["n"] = nested(32, "M")
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    auth_jwt(*at_the_other("sync", str(path), "--decrypt-with", keys[1], "--yes"))

    assert len(rows(OTHER[0])) == 2


def test_a_sealed_value_is_damage_that_is_json_without_end(auth_jwt: CommandLine, keys: tuple[str, str]) -> None:
    """Anybody who has the public key can seal."""
    path = sealed(auth_jwt, keys)
    bomb = Sealer(Path(keys[0]).read_bytes()).seal(b"[" * 100_000)
    lines = damaged([json.loads(line) for line in path.read_text().splitlines()], "secret", "sealed", bomb)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    said = auth_jwt(*at_the_other("sync", str(path), "--decrypt-with", keys[1], "--yes"), exit_code=1).stderr

    assert "is damaged in line" in said
    assert rows(OTHER[1]) == []


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("end", "end", 7),
        ("end", "end", [1]),
        ("secret", "sealed", 7),
        ("secret", "sealed", None),
        ("secret", "secret", 7),
        ("secret", "fingerprints", 7),
        ("secret", "fingerprints", ["x", 7]),
        ("profile", "profile", "alice"),
        ("profile", "profile", {"tag": "alice", "n": {"N": "x"}}),
        ("profile", "profile", {"tag": "alice", "n": {"N": "NaN"}}),
        ("profile", "profile", {"tag": "alice", "n": {"N": 7}}),
        ("profile", "profile", {"tag": "alice", "m": {"M": 7}}),
        ("profile", "profile", {"tag": "alice", "m": {"X": 7}}),
        *(
            pytest.param("profile", "profile", {"tag": "alice", "sip_username": "alice", **columns}, id=what)
            for what, columns in NOT_STORABLE.items()
        ),
        ("auth_jwt_export", "columns", {"tag": 7}),
    ],
)
def test_a_member_of_another_type_is_damage(
    auth_jwt: CommandLine, keys: tuple[str, str], kind: str, member: str, value: object
) -> None:
    path = sealed(auth_jwt, keys)
    lines = damaged([json.loads(line) for line in path.read_text().splitlines()], kind, member, value)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    result = auth_jwt(*at_the_other("sync", str(path), "--decrypt-with", keys[1], "--yes"), exit_code=1)

    assert "damaged" in result.stderr or "no export" in result.stderr
    assert rows(OTHER[0]) == []


@pytest.mark.parametrize("command", ["export", "lint"])
def test_an_endpoint_that_never_answers_is_not_waited_for(auth_jwt: CommandLine, command: str) -> None:
    """Other commands fail at once there; a table that has answered before is waited for."""
    began = time.monotonic()

    said = auth_jwt(command, "--set", f"DB_URL=dynamodb+http://127.0.0.1:9/{REGION}", exit_code=4).stderr

    assert "no answer (EndpointConnectionError)" in said
    assert time.monotonic() - began < 15


def test_an_export_that_is_not_there_is_a_mistake_of_the_command_line(auth_jwt: CommandLine) -> None:
    said = auth_jwt("diff", str(auth_jwt.files / "nothing.jsonl"), exit_code=2).stderr

    assert "nothing.jsonl cannot be read: No such file or directory" in said
