"""Everything that asks an issuer, over one account in memory, and an issuer's server that answers as an attack has it.

Operators ask by the admin API and by the command line, when an issuer is added, tested or refreshed by hand; the
function `refresh_keys` asks every minute. No login asks.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3.util.connection

import auth_jwt_cli.connection
from auth_jwt.fetching.documents import read_key_set
from auth_jwt.issuers.models import REGISTRY_TAG, id_of
from tests.certificates import Authority
from tests.command_line import CommandLine
from tests.factories import a_jwk
from tests.integration.admin_client import Operator
from tests.integration.test_secrecy import rest_event
from tests.issuers import KID, SUBJECT, a_login_token, issuer_row, item_of, keys_rows
from tests.unit.fetching.servers import AnIssuerServer, a_server, answer
from tools.events.stage import Answer, Stage, load_handler, stage

ISSUERS: Final = "/admin/issuers"
FETCHED: Final = "fetched"
GOOD_KEY: Final = a_jwk(kid=KID)
CANARY: Final = "c4nary-0f-an-1ssuers-answer"
"""Stands in what the server says, where an error could repeat it."""


@dataclass
class Published:
    """What the server answers, by path: whole answers as they go over the wire."""

    answers: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, connection: Any, question: bytes) -> None:
        """Answer one *question*."""
        path = question.split(b" ", 2)[1].decode()
        connection.sendall(self.answers.get(path, answer(b"", "404 Not Found")))


@dataclass
class Told:
    """What came of asking.

    Attributes:
        word: why the fetch failed, as a stable word; `fetched` if it did not.
        shown: all that was answered or written.
    """

    word: str
    shown: str = field(repr=False)


@dataclass
class IssuerLab:
    """The account, who works there, and the server.

    Attributes:
        operator: asks the admin API.
        shell: runs the command line.
        refresh: the function that fetches keys every minute.
        authorize: the function that decides about logins.
        published: what the server answers.
        server: the server.
        connected: every address that was connected to.
    """

    operator: Operator
    shell: CommandLine
    refresh: Stage
    authorize: Stage
    published: Published
    server: AnIssuerServer
    connected: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The server's own URL, which is the one that may be asked."""
        return f"https://127.0.0.1:{self.server.port}"

    @property
    def issuer(self) -> str:
        """The issuer's identifier."""
        return f"{self.host}/sip"

    @property
    def path(self) -> str:
        """The issuer's path in the admin API."""
        return f"{ISSUERS}/{id_of(self.issuer)}"

    def publish(self, keys: bytes | None = None, *, discovery: dict[str, Any] | None = None) -> None:
        """Publish good documents, but for the whole answer with the *keys* or for members of the *discovery* one."""
        usual = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        self.published.answers = {
            "/sip/.well-known/openid-configuration": answer(octets({**usual, **(discovery or {})})),
            "/sip/keys": answer(octets({"keys": [GOOD_KEY]})) if keys is None else keys,
        }

    def has_the_issuer(self) -> None:
        """Have the issuer there, with what it published while all was good, and a user of it."""
        keys_url = f"{self.issuer}/keys"
        user = {"tag": f"{self.issuer}#{SUBJECT}", "sip_username": "alice"}
        self._write("jwt_profiles", issuer_row(self.issuer, keys_url=keys_url), user)
        keys, status = keys_rows(identifier=self.issuer, url=keys_url, fetched_at=time.time() - 60)
        keys["issuer_keys"] = read_key_set(octets({"keys": [GOOD_KEY]}), keys_url).key_set.text
        registered = {"corresponding_tag": REGISTRY_TAG, "id": self.issuer}
        self._write("jwt_secrets", keys, {**status, "issuer_version": 1}, registered)

    def _write(self, table: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            self.refresh.tables.put_item(TableName=table, Item=item_of(row))

    def make_due(self) -> None:
        """Let the next round fetch both documents: as if a day had passed."""
        self.refresh.tables.update_item(
            TableName="jwt_secrets",
            Key=item_of({"corresponding_tag": self.issuer, "id": "issuer-status"}),
            UpdateExpression="SET issuer_next_fetch_at = :now, issuer_next_discovery_at = :now",
            ExpressionAttributeValues={":now": {"N": "1"}},
        )

    def log_in(self, **claims: Any) -> Answer:
        """Log in with an access token of the issuer."""
        token = a_login_token(now=int(time.time()), iss=self.issuer, **claims)
        return self.authorize.ask(rest_event({"jwt_token": token}))

    def rows(self) -> list[str]:
        """All rows of both tables, but those that say how the fetches went."""
        items = [row for name in KEYS for row in self.refresh.tables.scan(TableName=name)["Items"]]
        return sorted(json.dumps(row, sort_keys=True) for row in items if row.get("id") != {"S": "issuer-status"})

    def wipe(self) -> None:
        """Leave the tables empty."""
        for table, names in KEYS.items():
            for row in self.refresh.tables.scan(TableName=table)["Items"]:
                self.refresh.tables.delete_item(TableName=table, Key={name: row[name] for name in names})
        self.operator.lines.clear()
        self.shell.written.clear()
        self.connected.clear()


KEYS: Final = {"jwt_profiles": ("tag",), "jwt_secrets": ("corresponding_tag", "id")}


def octets(document: object) -> bytes:
    """Return a document as it is published."""
    return json.dumps(document).encode()


@contextmanager
def an_issuer_lab(folder: Path) -> Iterator[IssuerLab]:
    """Make the account and the server; only loopback's first address is accepted beside public ones."""
    authority = Authority(folder)
    published = Published()
    with a_server(authority.identity(), published) as server, pytest.MonkeyPatch.context() as patch:
        settings = {
            "ISSUERS": f"https://127.0.0.1:{server.port}/*",
            "CACHE_TTL_SECONDS": "0",
            "KEYS_CA_BUNDLE": str(authority.certificate),
            "KEYS_ACCEPTED_NETWORKS": "127.0.0.1/32",
            "XDG_STATE_HOME": str(folder),
        }
        with stage(settings, "provisioning") as admin:
            made = IssuerLab(
                Operator(admin),
                CommandLine(folder, {}, folder),
                Stage(load_handler("refresh_keys"), admin.tables, "refresh_keys"),
                Stage(load_handler(), admin.tables),
                published,
                server,
            )
            connect = urllib3.util.connection.create_connection

            def noted(address: tuple[str, int], *arguments: Any, **options: Any) -> Any:
                made.connected.append(address[0])
                return connect(address, *arguments, **options)

            patch.setattr(urllib3.util.connection, "create_connection", noted)
            patch.setattr(auth_jwt_cli.connection, "provisioning_client", lambda **_: admin.tables)
            yield made


# -- who asks ---------------------------------------------------------------------------------------------------------

Ask = Callable[[IssuerLab], Told]


def _api(lab: IssuerLab, method: str, path: str, body: object = None) -> Told:
    lab.operator.lines.clear()
    found = lab.operator.ask(method, path, body)
    word = FETCHED if found.status in (200, 201) else str(found.body.get("failure", found.status))
    return Told(word, json.dumps(found.given) + "\n".join(lab.operator.lines))


def look_up_by_api(lab: IssuerLab) -> Told:
    """Look the issuer up before it is added."""
    return _api(lab, "POST", ISSUERS, {"issuer": lab.issuer, "configuration": {"audiences": ["sip"]}})


def refresh_by_api(lab: IssuerLab) -> Told:
    """Refresh the issuer's keys by hand."""
    return _api(lab, "POST", f"{lab.path}/refresh")


def _shell(lab: IssuerLab, *arguments: str) -> Told:
    lab.shell.written.clear()
    result = lab.shell(*arguments, exit_code=None)
    assert result.exit_code in (0, 1, 2)
    return Told(FETCHED if result.exit_code == 0 else "refused", "".join(lab.shell.written))


def add_by_shell(lab: IssuerLab) -> Told:
    """Add the issuer."""
    return _shell(lab, "issuer", "add", lab.issuer, "--audience", "sip", "--yes")


def try_by_shell(lab: IssuerLab) -> Told:
    """Try the issuer out."""
    return _shell(lab, "issuer", "test", lab.issuer)


def refresh_by_shell(lab: IssuerLab) -> Told:
    """Refresh the issuer's keys by hand."""
    return _shell(lab, "issuer", "refresh", lab.issuer)


def refresh_by_function(lab: IssuerLab) -> Told:
    """Let a round of the function pass."""
    lab.make_due()
    found = lab.refresh.ask({})
    assert found.raised is None
    warned = [json.loads(line).get("reason") for line in found.lines if '"WARNING"' in line or '"ERROR"' in line]
    word = FETCHED if "failed" not in found.given else str(next(reason for reason in warned if reason))
    return Told(word, json.dumps(found.given) + "\n".join(found.lines))
