"""Keys that may never verify, at everything that writes keys: classes A, B, C and E, and what was seen accepted.

A write says why the key would verify nothing, writes nothing, and shows nothing of it. Imports and syncs keep an
operator's tables as they were: they leave out each row by which anybody can log in, and name the others.
"""

import base64
import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from auth_jwt.errors import Conflict, Invalid, NotRotated
from auth_jwt.models import Columns, Policy, Secret
from auth_jwt.provisioning.inspection import inspect_secret
from auth_jwt.provisioning.secrets import MAX_ROTATED, NewSecret
from auth_jwt.provisioning.versions import CURRENT, PENDING
from auth_jwt_cli.transfer.sealing import Sealer
from tests.command_line import CommandLine
from tests.doubtful_keys import PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    KEYS,
    TAG,
    a_jwk,
    a_jwks,
    certificate_pem,
    openssh_line,
    pkcs1_pem,
    public_der,
    public_pem,
)
from tests.integration.admin_client import PROFILES, Operator
from tests.rotations import MemoryVersions, steps
from tests.service import a_service
from tools.events.stage import stage

USER: Final = "vera-web"
HMAC: Final = ("HS256",)
ALL: Final[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Refused:
    """A text that may never verify, with what a row would say of its algorithms, and words of the reason."""

    text: str
    algorithms: tuple[str, ...]
    because: str


PUBLISHED: Final[str] = json.loads((KEYS / "published.json").read_text("utf-8"))["hmac_keys"][0]["keys"][0]
PEM: Final = public_pem()
PRIVATE: Final = "a private"
TEXTS: Final[dict[str, Refused]] = {
    # Group A: a public key as an HMAC secret
    "CVE-2015-9235: PEM as HS256": Refused(PEM, HMAC, "names no algorithm"),
    "CVE-2026-102268: PEM with CR LF": Refused(PEM.replace("\n", "\r\n"), HMAC, "names no algorithm"),
    "CVE-2026-102268: PEM with tabs": Refused(PEM.replace("\n", "\n\t"), HMAC, "names no algorithm"),
    "CVE-2026-34950: PEM after blanks": Refused(f"  \n{PEM}", HMAC, "names no algorithm"),
    "CVE-2026-107722: PEM after other bytes": Refused(f"x{PEM}", HMAC, "names no algorithm"),
    "CVE-2026-85394: DER in base64": Refused(base64.b64encode(public_der()).decode(), HMAC, "verify nothing"),
    "CVE-2026-85394: DER in hex": Refused(public_der().hex(), HMAC, "verify nothing"),
    "CVE-2026-107724: a public JWK": Refused(json.dumps(a_jwk()), HMAC, "names no algorithm"),
    "CVE-2026-102272: a JWKS": Refused(a_jwks(a_jwk()), HMAC, "names no algorithm"),
    "CVE-2026-102273: a list of JWKs": Refused(f"[{json.dumps(a_jwk())}]", HMAC, "verify nothing"),
    "CVE-2026-102271: BOM before a JWK": Refused(f"\ufeff{json.dumps(a_jwk())}", HMAC, "verify nothing"),
    "CVE-2022-29217: an OpenSSH line": Refused(openssh_line("ed25519"), HMAC, "verify nothing"),
    "CVE-2017-11424: PKCS#1": Refused(pkcs1_pem(), HMAC, "names no algorithm"),
    "CVE-2024-33663: an OpenSSH line of ECDSA": Refused(openssh_line("p256"), HMAC, "verify nothing"),
    "CVE-2026-114615: a certificate": Refused(certificate_pem(), HMAC, "names no algorithm"),
    # Group B: empty and weak
    "OpenSIPS empty: nothing": Refused("", ALL, "empty|too_short"),
    "RFC 8725 3.5: one byte": Refused("z", HMAC, "too short"),
    "RFC 8725 3.5: 31 bytes": Refused("Zk9Qx7Vw3Jf5Tb8Nc2Lm6Rd4Yh1Gs0P", HMAC, "too short"),
    "RFC 8725 3.5: 32 bytes for HS512": Refused("Zk9Qx7Vw3Jf5Tb8Nc2Lm6Rd4Yh1Gs0Pq", ("HS512",), "too short"),
    "CVE-2026-102266: oct of nothing": Refused(json.dumps({"kty": "oct", "k": ""}), ALL, "verify nothing"),
    "CVE-2026-33996: members that are numbers": Refused(
        json.dumps({"kty": "RSA", "n": 7, "e": 3}), ALL, "verify nothing"
    ),
    "seen blank keys: 64 blanks": Refused(" " * 64, HMAC, "blank"),
    "seen blank keys: 64 zero-width characters": Refused("\u200b" * 64, HMAC, "blank"),
    # Group C: what points at a key
    "seen references: a URL": Refused("https://keys.example.com/jwks.json?with=a-secret-part", HMAC, "verify nothing"),
    "seen references: an ARN": Refused(
        "arn:aws:secretsmanager:eu-central-1:1:secret:jwt-AbCdEf", HMAC, "verify nothing"
    ),
    "CVE-2026-29000: a token": Refused(
        "eyJhbGciOiJIUzI1NiJ9.eyJ0YWciOiJ0MSJ9.c2lnbmF0dXJlLW9mLWEtdG9rZW4tc2lnbmF0dXJlLQ", HMAC, "token"
    ),
    # Groups E and H: numbers by which anybody can sign, keys that everybody has, keys that only their owner may have
    "seen degenerate keys: Ed25519 of zeros": Refused(
        json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}), ALL, ""
    ),
    "seen degenerate keys: a prime modulus": Refused(public_key_pem(PRIME_MODULUS), ALL, "prime"),
    "seen degenerate keys: an even modulus": Refused(public_key_pem(2**2047 + 2), ALL, "verify nothing"),
    "CVE-2023-39846: an example's secret": Refused(PUBLISHED, HMAC, "verify nothing"),
    "own: a private PEM": Refused(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHh5enh5enh5enh5enh5enh5enh5enh5enh5enh5enh5\n"
        "-----END PRIVATE KEY-----\n",
        ALL,
        PRIVATE,
    ),
    "own: a private JWK": Refused(
        json.dumps({**a_jwk("p256"), "d": "c2VjcmV0LXNjYWxhci1vZi1hLXByaXZhdGUta2V5ISE"}), ALL, PRIVATE
    ),
}

_KEY_LIKE: Final = re.compile(r"[A-Za-z0-9+/=_-]{20,}")


def parts_of(text: str) -> list[str]:
    """What of a key nobody may be shown."""
    return [*_KEY_LIKE.findall(text), *([text] if len(text.strip()) >= 8 else [])]


@dataclass
class Writers:
    """Who writes keys, over one account."""

    operator: Operator
    shell: CommandLine
    shown: list[str] = field(default_factory=list)

    def rows(self, table: str = "jwt_secrets") -> list[dict[str, Any]]:
        return self.operator.stage.tables.scan(TableName=table)["Items"]

    def post(self, path: str, body: dict[str, Any]) -> str | None:
        """Return the reason of a refusal; None when the API took it."""
        self.operator.lines.clear()
        answer = self.operator.ask("POST", path, body)
        self.shown += [json.dumps(answer.given), *self.operator.lines]
        assert answer.status in (200, 201, 400)
        return str(answer.body) if answer.status == 400 else None

    def run(self, *arguments: str, given: str) -> str | None:
        """Return the reason of a refusal; None when the command did it."""
        self.shell.written.clear()
        result = self.shell(*arguments, given=given, exit_code=None)
        self.shown += self.shell.written
        assert result.exit_code in (0, 1)
        assert "an error in this program" not in result.stderr
        return None if result.exit_code == 0 else result.stderr


@pytest.fixture(name="account", scope="module")
def _account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writers]:
    folder = tmp_path_factory.mktemp("writers")
    with stage({"XDG_STATE_HOME": str(folder)}, "provisioning") as ready:
        made = Writers(Operator(ready), CommandLine(folder, {}, folder))
        made.operator.has(USER)
        yield made


@pytest.fixture(name="writers")
def _writers(account: Writers) -> Writers:
    account.shown.clear()
    return account


def _options(refused: Refused) -> list[str]:
    return ["--alg", ",".join(refused.algorithms)] if refused.algorithms else []


def _body(refused: Refused) -> dict[str, Any]:
    return {"value": refused.text, **({"algorithms": list(refused.algorithms)} if refused.algorithms else {})}


WAYS: Final[dict[str, Callable[[Writers, Refused], str | None]]] = {
    "POST secrets": lambda writers, it: writers.post(f"{PROFILES}/{USER}/secrets", _body(it)),
    "POST rotate": lambda writers, it: writers.post(f"{PROFILES}/{USER}/rotate", _body(it)),
    "POST profiles": lambda writers, it: writers.post(
        PROFILES, {"tag": "new", "sip_username": "new", "secret": _body(it)}
    ),
    "secret add": lambda writers, it: writers.run(
        "secret", "add", USER, "--secret-file", "-", "--exact", *_options(it), given=it.text
    ),
    "secret rotate": lambda writers, it: writers.run(
        "secret", "rotate", USER, "--secret-file", "-", "--exact", *_options(it), given=it.text
    ),
    "profile add": lambda writers, it: writers.run(
        "profile", "add", "new", "--username", "new", "--secret-file", "-", "--exact", *_options(it), given=it.text
    ),
}


@pytest.mark.matrix(kinds=lambda what, **_: [what.partition(":")[0]])
@pytest.mark.parametrize("what", TEXTS)
def test_a_key_that_may_never_verify_is_refused_by_everything_that_writes_keys(writers: Writers, what: str) -> None:
    """With the reason, without a trace of the key, and with nothing half written: no profile without its secret."""
    refused = TEXTS[what]
    before = writers.rows(), writers.rows("jwt_profiles")

    reasons = {way: write(writers, refused) for way, write in WAYS.items()}

    assert [way for way, reason in reasons.items() if reason is None] == []
    assert [way for way, reason in reasons.items() if not re.search(refused.because, str(reason))] == [], reasons
    assert (writers.rows(), writers.rows("jwt_profiles")) == before
    shown = "".join(writers.shown)
    assert [len(part) for part in parts_of(refused.text) if part in shown or json.dumps(part)[1:-1] in shown] == []


@pytest.mark.parametrize("what", TEXTS)
def test_a_rotation_opens_no_such_key(what: str) -> None:
    """Whoever may write the managed secret puts it there by hand; the step says why, and the row never verifies."""
    refused = TEXTS[what]
    service, versions = a_service(), MemoryVersions()
    service.has()
    versions.has("one", CURRENT, secret=HMAC_KEY)
    alg = {"alg": ",".join(refused.algorithms)} if refused.algorithms else {}
    versions.has("two", PENDING, secret=refused.text, **alg)

    with pytest.raises(NotRotated) as caught:
        list(steps(service.provisioning, versions, "two", "createSecret", "setSecret", "testSecret", "finishSecret"))

    assert [len(part) for part in parts_of(refused.text) if part in str(caught.value)] == []
    assert versions.stages["one"] == {CURRENT}
    assert [part for part in parts_of(refused.text) if part in str(service.audit)] == []


def usable(row: dict[str, Any]) -> bool:
    """Tell whether a row verifies anything."""
    columns = {name: next(iter(value.values())) for name, value in row.items()}
    secret = Secret.from_row({**columns, "start_ts": 1, "end_ts": 3}, Columns())
    return bool(inspect_secret(secret, USER, Policy(), 2).algorithms)


WRITTEN: Final = {what: refused for what, refused in TEXTS.items() if refused.because != "token"}
"""A token whose row says HS256 is an HMAC secret to a login: only who writes one key by hand is asked what it is."""


def test_an_import_of_such_keys_lets_nobody_in_and_names_each_row(writers: Writers, tmp_path: Path) -> None:
    """Rows by which anybody could log in are left out; others keep their text, verify nothing and are named."""
    with (tmp_path / "secrets.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "corresponding_tag", "secret", "start_ts", "end_ts", "alg"])
        for number, refused in enumerate(WRITTEN.values()):
            lines.writerow([f"n{number}", "imported", refused.text, 1, 4102444800, ",".join(refused.algorithms)])
    (tmp_path / "profiles.csv").write_text("tag,sip_username\nimported,ivy\n")

    files = ("--profiles-file", str(tmp_path / "profiles.csv"), "--secrets-file", str(tmp_path / "secrets.csv"))
    writers.shell.written.clear()
    writers.shell("import", *files, "--skip-in-doubt", "--report", str(tmp_path / "report"), exit_code=None)

    written = [row for row in writers.rows() if row["corresponding_tag"]["S"] == "imported"]
    assert [row["id"]["S"] for row in written if usable(row)] == []
    report = (tmp_path / "report").read_text()
    unnamed = [what for number, what in enumerate(WRITTEN) if not re.search(rf"\bn{number}\b", report)]
    assert unnamed == []
    shown = "".join(writers.shell.written) + report
    assert [what for what, refused in WRITTEN.items() for part in parts_of(refused.text) if part in shown] == []


def test_a_sync_of_such_keys_lets_nobody_in_and_shows_none(writers: Writers, tmp_path: Path) -> None:
    """Whoever has the public key can seal any value into an export."""
    owner = x25519.X25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(owner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    sealer = Sealer(owner.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    export = tmp_path / "export.jsonl"
    writers.shell("export", "--out", str(export))
    header, *lines, end = map(json.loads, export.read_text().splitlines())
    added = []
    for number, refused in enumerate(WRITTEN.values()):
        row = {"corresponding_tag": "synced", "id": f"n{number}", "start_ts": 1, "end_ts": 4102444800}
        alg = {"alg": ",".join(refused.algorithms)} if refused.algorithms else {}
        held = {"tag": "synced", "id": f"n{number}", "value": refused.text}
        added.append({"secret": {**row, **alg}, "fingerprints": [], "sealed": sealer.seal(json.dumps(held).encode())})
    counts = {name: number + (name == "secrets") * len(added) for name, number in end["end"].items()}
    document = [{**header, "values": "encrypted"}, *lines, *added, {"end": counts}]
    export.write_text("".join(f"{json.dumps(line)}\n" for line in document))

    writers.shell.written.clear()
    writers.shell("sync", str(export), "--decrypt-with", str(tmp_path / "key.pem"), "--yes", exit_code=None)

    written = [row for row in writers.rows() if row["corresponding_tag"]["S"] == "synced"]
    assert [row["id"]["S"] for row in written if usable(row)] == []
    shown = "".join(writers.shell.written)
    assert [what for what, refused in WRITTEN.items() for part in parts_of(refused.text) if part in shown] == []


def test_however_many_secrets_are_under_a_tag_a_write_reads_them_once_and_opens_none_beside_them() -> None:
    """Seen at logins with ten thousand: each is tried, and one that opens later puts an open one out."""
    service = a_service()
    service.has()
    for number in range(500):
        service.has_secret(f"n{number}", secret=f"{HMAC_KEY}{number}", alg="HS256", end_ts=int(service.clock.now) + 99)
    looks, read = list[str](), service.tables.secrets

    def look(tag: str, **more: Any) -> Any:
        looks.append(tag)
        return read(tag, **more)

    service.tables.secrets = look  # type: ignore[method-assign]

    with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
        service.provisioning.secrets.add(TAG, NewSecret())
    assert len(looks) <= 2
    with pytest.raises(Invalid, match=f"at most {MAX_ROTATED}"):
        service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=60)

    assert len(service.tables.rows) == 501
    assert service.audit == []
