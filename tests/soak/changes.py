"""What operators do meanwhile: by the admin API, and while the tables fail, by writes of their own beside it."""

import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.factories import StoredRow, public_pem
from tests.issuers import item_of
from tests.security.attacks import Attack
from tests.security.corpus.whole import CORPUS
from tests.soak.journal import Journal, Rows
from tests.soak.judge import Exchange
from tests.soak.wire import ServiceEnded, Wire

WITH_HMAC: Final = tuple(f"user-{number}" for number in range(1, 8))
WITH_PEM: Final = {"user-rsa": "rsa_2048", "user-ec": "p256", "user-ed": "ed25519"}
TAGS: Final = (*WITH_HMAC, *WITH_PEM)
KEY_PREFIX: Final = "key-"
JTIS: Final = 12
"""How many tokens of a user may be revoked one by one."""
PROFILES, SECRETS, REVOCATIONS = "jwt_profiles", "jwt_secrets", "jwt_revocations"
KEYS: Final[Mapping[str, tuple[str, ...]]] = {PROFILES: ("tag",), SECRETS: ("corresponding_tag", "id")}
PAUSE_SECONDS: Final = 0.7
STAGED_SECONDS: Final = 1.5
LARGEST_ATTACK: Final = 40_000
MOST_ROWS: Final = 40
_YEAR: Final = 365 * 24 * 3600
_PROFILES_PATH: Final = "/admin/profiles"


# -- the corpus -------------------------------------------------------------------------------------------------------


def fits(attack: Attack) -> bool:
    """Tell whether an attack can be staged: the service has its settings already, and its rows fit one transaction."""
    is_text = isinstance(attack.token, str) and len(attack.token) <= LARGEST_ATTACK
    return not attack.settings and is_text and len(attack.rows) <= MOST_ROWS


class Staging:
    """Puts the rows of one attack after the other into the tables, each in one transaction.

    Attributes:
        current: the attack whose rows are there.
        staged: how many were.
        left_out: how many cannot be stored.
    """

    def __init__(self, tables: Any, choice: random.Random) -> None:
        self._tables = tables
        self._attacks = choice.sample([attack for attack in CORPUS if fits(attack)], k=sum(map(fits, CORPUS)))
        self._there: set[tuple[str, ...]] = set()
        self.current: Attack | None = None
        self.staged = 0
        self.left_out = 0

    def go_on(self, stop: threading.Event) -> None:
        """Stage attacks until *stop*."""
        while not stop.is_set():
            for attack in self._attacks:
                if self._stage(attack) and stop.wait(STAGED_SECONDS):
                    return

    def _stage(self, attack: Attack) -> bool:
        rows = {
            (table, *(str(row[name]) for name in KEYS[table])): row
            for table, of_table in ((PROFILES, attack.profiles), (SECRETS, attack.rows))
            for row in of_table
        }
        try:
            puts = [{"Put": {"TableName": key[0], "Item": item_of(row)}} for key, row in rows.items()]
            gone = [
                {"Delete": {"TableName": table, "Key": _key(table, *values)}}
                for table, *values in self._there - rows.keys()
            ]
            self._tables.transact_write_items(TransactItems=[*puts, *gone])
        except Exception:  # noqa: BLE001 - a row that no table takes: another attack's turn
            self.left_out += 1
            return False
        self._there = set(rows)
        self.current = attack
        self.staged += 1
        return True


def _key(table: str, *values: str) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in zip(KEYS[table], values, strict=True)}


# -- operators --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a user.

    Attributes:
        name: what is done, in words.
        weight: how often, beside the others.
        is_for: whether it can be done to a tag whose rows these are.
        by_api: method, path and body of its request.
        directly: writes it into the tables.
        is_done: whether rows show it.
    """

    name: str
    weight: int
    is_for: Callable[[Rows, str], bool]
    by_api: Callable[[Rows, str, random.Random], tuple[str, str, object]]
    directly: Callable[["DirectWrites", Rows, str, random.Random], None]
    is_done: Callable[[Rows, Rows, str], bool]


class DirectWrites:
    """Rows written as other programs write them.

    Args:
        tables: a client of DynamoDB that meets no fault.
    """

    def __init__(self, tables: Any) -> None:
        self._tables = tables

    def put(self, table: str, row: StoredRow) -> None:
        """Write a whole row."""
        self._tables.put_item(TableName=table, Item=item_of(row))

    def change(self, table: str, row: Mapping[str, Any], **columns: object) -> None:
        """Write a row again with other columns; None takes a column away."""
        changed = {**row, **columns}
        self.put(table, {name: value for name, value in changed.items() if value is not None})

    def delete(self, table: str, **key: str) -> None:
        """Take a row away."""
        self._tables.delete_item(TableName=table, Key={name: {"S": value} for name, value in key.items()})


class Operators:
    """Change something every so often.

    Args:
        wire: the way to the admin API.
        direct: the way to the tables.
        journal: what the tables hold.
        choice: what is changed next.
        sent: where the exchanges with the admin API go.
        is_faulty: whether the tables fail now: changes are then written directly.

    Attributes:
        done: how often each change was made.
        undone: changes that were confirmed and are not in the tables, and when: as violations.
    """

    def __init__(
        self,
        wire: Wire,
        direct: DirectWrites,
        journal: Journal,
        choice: random.Random,
        sent: "deque[Exchange]",
        is_faulty: Callable[[], bool],
    ) -> None:
        self._wire = wire
        self._direct = direct
        self._journal = journal
        self._choice = choice
        self._sent = sent
        self._is_faulty = is_faulty
        self._erased: set[str] = set()
        self.done: Counter[str] = Counter()
        self.undone: list[tuple[str, float]] = []

    def begin(self) -> None:
        """Make all users."""
        for tag in WITH_HMAC:
            body = {"tag": tag, "sip_username": tag.replace("-", "."), "secret": {}}
            answered = self._wire.ask_json("POST", _PROFILES_PATH, body)
            if answered.status != 201:
                raise ServiceEnded(f"the admin API did not make a user: status {answered.status}")
        for tag, name in WITH_PEM.items():
            self._direct.put(PROFILES, {"tag": tag, "sip_username": tag, "display_name": "A key of its own"})
            self._direct.put(SECRETS, _a_row(tag, f"{KEY_PREFIX}{name}", public_pem(name), None))

    def go_on(self, stop: threading.Event) -> None:
        """Change something every so often, until *stop*."""
        while not stop.wait(PAUSE_SECONDS * self._choice.uniform(0.5, 1.5)):
            tag = self._choice.choice(TAGS)
            before = self._journal.history.latest
            fit = [change for change in CHANGES if change.is_for(before, tag)]
            change = self._choice.choices(fit, [one.weight for one in fit])[0]
            if change.name == "restore" and tag not in self._erased and self._is_faulty():
                continue  # only the API knows what it kept
            if change.name == "restore" and tag in self._erased:  # nothing is kept of it that could be restored
                self._recreate(tag)
            elif self._is_faulty() or (change.name == "rotate" and tag in WITH_PEM):
                self._write(change, before, tag)
            else:
                self._ask(change, before, tag)

    def _recreate(self, tag: str) -> None:
        self._direct.put(PROFILES, {"tag": tag, "sip_username": f"{tag}-again"})
        if tag in WITH_PEM:
            self._direct.put(SECRETS, _a_row(tag, f"{KEY_PREFIX}{WITH_PEM[tag]}", public_pem(WITH_PEM[tag]), None))
        self._erased.discard(tag)
        self.done["write a user anew"] += 1

    def _write(self, change: Change, before: Rows, tag: str) -> None:
        change.directly(self._direct, before, tag, self._choice)
        if change.name == "delete":
            self._erased.add(tag)
        self.done[f"{change.name}, written directly"] += 1

    def _ask(self, change: Change, before: Rows, tag: str) -> None:
        method, path, body = change.by_api(before, tag, self._choice)
        answered = self._wire.ask_json(method, path, body)
        self._journal.settle()
        after = self._journal.history.latest
        self._sent.append(
            Exchange(
                f"operators: {change.name}",
                None,
                answered.sent,
                answered.answered,
                answered.status,
                answered.body,
                right=(200, 201, 204),
                reads_tables=True,
            )
        )
        if answered.status in (200, 201, 204):
            self.done[change.name] += 1
            if not change.is_done(before, after, tag):
                self.undone.append((change.name, answered.answered))


def _a_row(tag: str, identifier: str, secret: str, alg: str | None, **columns: object) -> StoredRow:
    now = int(time.time())
    row = {"corresponding_tag": tag, "id": identifier, "secret": secret, "start_ts": now - 1, "end_ts": now + _YEAR}
    return {**row, **({} if alg is None else {"alg": alg}), **columns}


def _open_rows(rows: Rows, tag: str) -> list[Mapping[str, Any]]:
    return [row for row in rows.secrets.get(tag, ()) if row["start_ts"] <= time.time() < row["end_ts"]]


def _is_there(rows: Rows, tag: str) -> bool:
    return tag in rows.profiles


def _is_disabled(rows: Rows, tag: str) -> bool:
    return bool(rows.profiles.get(tag, {}).get("disabled", False))


def _path(tag: str, rest: str = "") -> str:
    return f"{_PROFILES_PATH}/{tag}{rest}"


def _rotate_directly(direct: DirectWrites, rows: Rows, tag: str, choice: random.Random) -> None:
    now = int(time.time())
    if tag in WITH_HMAC:
        direct.put(SECRETS, _a_row(tag, f"direct-{choice.randrange(10**9)}", secrets.token_hex(32), "HS256"))
        for row in _open_rows(rows, tag):
            direct.change(SECRETS, row, end_ts=now + choice.randrange(1, 5))
    else:
        name = WITH_PEM[tag]
        direct.put(SECRETS, _a_row(tag, f"{KEY_PREFIX}{name}", public_pem(name), None))


def _close_directly(direct: DirectWrites, rows: Rows, tag: str, choice: random.Random) -> None:
    direct.change(SECRETS, choice.choice(_open_rows(rows, tag)), end_ts=int(time.time()))


def _delete_directly(direct: DirectWrites, rows: Rows, tag: str, _: random.Random) -> None:
    for row in rows.secrets.get(tag, ()):
        direct.delete(SECRETS, corresponding_tag=tag, id=str(row["id"]))
    direct.delete(PROFILES, tag=tag)


def _change_profile(**columns: object) -> Callable[[DirectWrites, Rows, str, random.Random], None]:
    return lambda direct, rows, tag, _: direct.change(PROFILES, rows.profiles[tag], **columns)


def a_jti(tag: str, choice: random.Random) -> str:
    """Return one of the few ids that tokens of *tag* have."""
    return f"{tag}-{choice.randrange(JTIS)}"


CHANGES: Final[Sequence[Change]] = (
    Change(
        "rotate",
        8,
        _is_there,
        lambda _, tag, choice: ("POST", _path(tag, "/rotate"), {"overlap_seconds": choice.randrange(5)}),
        _rotate_directly,
        lambda before, after, tag: len(after.secrets.get(tag, ())) == len(before.secrets.get(tag, ())) + 1,
    ),
    Change(
        "close a secret",
        1,
        lambda rows, tag: _is_there(rows, tag) and bool(_open_rows(rows, tag)),
        lambda rows, tag, choice: (
            "PATCH",
            _path(tag, f"/secrets/{choice.choice(_open_rows(rows, tag))['id']}"),
            {"end_ts": "now"},
        ),
        _close_directly,
        lambda before, after, tag: len(_open_rows(after, tag)) < len(before.secrets[tag]),
    ),
    Change(
        "disable",
        2,
        lambda rows, tag: _is_there(rows, tag) and not _is_disabled(rows, tag),
        lambda _, tag, __: ("POST", _path(tag, "/disable"), None),
        _change_profile(disabled=True),
        lambda _, after, tag: _is_disabled(after, tag),
    ),
    Change(
        "enable",
        9,
        lambda rows, tag: _is_there(rows, tag) and _is_disabled(rows, tag),
        lambda _, tag, __: ("POST", _path(tag, "/enable"), None),
        _change_profile(disabled=None),
        lambda _, after, tag: not _is_disabled(after, tag),
    ),
    Change(
        "rename",
        1,
        _is_there,
        lambda _, tag, choice: ("PATCH", _path(tag), {"sip_username": f"{tag}.{choice.randrange(1000)}"}),
        lambda direct, rows, tag, choice: direct.change(
            PROFILES, rows.profiles[tag], sip_username=f"{tag}.{choice.randrange(1000)}"
        ),
        lambda _, after, tag: after.profiles[tag]["sip_username"].startswith(f"{tag}."),
    ),
    Change(
        "revoke a token",
        4,
        _is_there,
        lambda _, tag, choice: (
            "POST",
            _path(tag, "/revocations"),
            {"jti": a_jti(tag, choice), "exp": int(time.time()) + 3600},
        ),
        lambda direct, _, tag, choice: direct.put(
            REVOCATIONS, {"tag": tag, "jti": a_jti(tag, choice), "expires_at": int(time.time()) + 3600}
        ),
        lambda _, after, tag: any(one[0] == tag for one in after.revocations),
    ),
    Change(
        "lift a revocation",
        4,
        lambda rows, tag: _is_there(rows, tag) and any(one[0] == tag for one in rows.revocations),
        lambda rows, tag, choice: ("DELETE", _path(tag, f"/revocations/{choice.choice(_revoked(rows, tag))}"), None),
        lambda direct, rows, tag, choice: direct.delete(REVOCATIONS, tag=tag, jti=choice.choice(_revoked(rows, tag))),
        lambda before, after, tag: len(_revoked(after, tag)) == len(_revoked(before, tag)) - 1,
    ),
    Change(
        "revoke all tokens",
        1,
        _is_there,
        lambda _, tag, __: ("POST", _path(tag, "/revocations"), {"all": True}),
        lambda direct, rows, tag, _: direct.change(PROFILES, rows.profiles[tag], tokens_valid_after=int(time.time())),
        lambda _, after, tag: "tokens_valid_after" in after.profiles[tag],
    ),
    Change(
        "lift that of all tokens",
        3,
        lambda rows, tag: "tokens_valid_after" in rows.profiles.get(tag, {}),
        lambda _, tag, __: ("DELETE", _path(tag, "/tokens_valid_after"), None),
        _change_profile(tokens_valid_after=None),
        lambda _, after, tag: "tokens_valid_after" not in after.profiles[tag],
    ),
    Change(
        "delete",
        1,
        _is_there,
        lambda _, tag, __: ("DELETE", _path(tag), None),
        _delete_directly,
        lambda _, after, tag: tag not in after.profiles and not after.secrets.get(tag),
    ),
    Change(
        "restore",
        9,
        lambda rows, tag: not _is_there(rows, tag),
        lambda _, tag, __: ("POST", _path(tag, "/restore"), None),
        lambda *_: None,
        lambda _, after, tag: tag in after.profiles,
    ),
)


def _revoked(rows: Rows, tag: str) -> list[str]:
    return sorted(jti for of_tag, jti in rows.revocations if of_tag == tag)
