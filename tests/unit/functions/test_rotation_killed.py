"""A rotation that is killed at any call of its ports and begun anew ends as if nothing had happened.

Over ports in memory, so every call is tried. `tests/integration/test_rotation.py` tries some over the real stores.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from auth_jwt.errors import Reason
from auth_jwt.provisioning.changes import Table
from auth_jwt.provisioning.rotation import SETTLE_SECONDS
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS
from tests.factories import HMAC_KEY, NOW, TAG, a_token
from tests.rotations import RULES, MemoryVersions, row_of, steps
from tests.sampling import some
from tests.service import Service, a_service

Blow = tuple[int, bool]
"""At which call, counted from 0, and whether it was made before the process ended."""

DAY = 86400


class Killed(BaseException):
    """The process ended."""


@dataclass
class Calls:
    """Counts the calls of ports, and ends the process at one of them."""

    blow: Blow | None = None
    made: list[str] = field(default_factory=list)

    def watch(self, port: object, *names: str) -> None:
        for name in names:
            setattr(port, name, self._watched(name, getattr(port, name)))

    def begin(self, blow: Blow | None) -> None:
        self.made, self.blow = [], blow

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*given: Any, **named: Any) -> Any:
            number = len(self.made)
            self.made.append(name)
            if self.blow == (number, False):
                raise Killed
            answer = call(*given, **named)
            if self.blow == (number, True):
                raise Killed
            return answer

        return made


@dataclass
class Ended:
    """What is there after a rotation. Values are named by the stage of their version, since chance made them."""

    rows: dict[str, tuple[str, Any, Any]]
    stages: dict[str, set[str]]
    refusals: dict[str, Reason | None]


def rotated_twice(*blows: Blow) -> tuple[Ended, list[str]]:
    """Rotate a secret twice, the second time killed by each of *blows* and begun anew; the end, and the last calls."""
    service, versions, calls = a_service(), MemoryVersions(), Calls()
    service.has()
    versions.has("initial", CURRENT, secret=HMAC_KEY)
    service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="by hand", end=NOW + 10**6))
    service.provisioning.secrets.add(TAG, NewSecret(id="of another issuer", end=NOW + 10**6))
    calls.watch(service.tables, "profile", "secrets", "write", "read")
    calls.watch(versions, "describe", "value_of", "put_pending", "make_current")
    for number, version in enumerate(("first", "second"), 1):
        versions.begin(version)
        service.clock.now = NOW + DAY * number
        for blow in blows if version == "second" else ():
            calls.begin(blow)
            with pytest.raises(Killed):
                list(steps(service.provisioning, versions, version))
        calls.begin(None)
        list(steps(service.provisioning, versions, version))
    made = list(calls.made)
    return end_of(service, versions), made


def end_of(service: Service, versions: MemoryVersions) -> Ended:
    stages = {version: set(its) for version, its in versions.stages.items()}
    values = {
        str(versions.members(version)["secret"]): stage
        for version, its in stages.items()
        for stage in its & {CURRENT, PREVIOUS}
    }
    names = {row_of(version): version for version in versions.values}
    rows = {
        names.get(str(key.id), str(key.id)): (values.get(str(row["secret"]), "other"), row["start_ts"], row["end_ts"])
        for key, row in service.tables.rows.items()
        if key.table is Table.SECRETS
    }
    refusals = {stage: service.verdict(a_token(key=value, jti="a")) for value, stage in values.items()}
    return Ended(rows, stages, refusals)


def test_undisturbed_the_new_secret_is_current_and_the_old_one_ends_after_the_overlap() -> None:
    ended, _ = rotated_twice()

    assert ended.rows.keys() == {"by hand", "of another issuer", "first", "second"}
    assert [ended.rows[name][0] for name in ("first", "second")] == [PREVIOUS, CURRENT]
    begun = ended.rows["second"][1]
    assert ended.rows["first"][2] == begun + SETTLE_SECONDS + RULES.overlap
    assert ended.stages == {"initial": set(), "first": {PREVIOUS}, "second": {CURRENT}}
    assert ended.refusals == {PREVIOUS: None, CURRENT: None}


def test_killed_at_any_call_it_ends_as_if_nothing_had_happened() -> None:
    expected, calls = rotated_twice()
    blows = list(product(range(len(calls)), (False, True)))

    assert {"write", "put_pending", "make_current"} <= set(calls)
    assert [blow for blow in blows if rotated_twice(blow)[0] != expected] == []


def test_killed_at_any_call_twice_it_ends_as_if_nothing_had_happened() -> None:
    """The second attempt finds what the first did, so that it makes other calls. Every fourth of these is tried.

    Which of the four it is goes on with each first call, so that each second one is tried after some.
    """
    expected, calls = rotated_twice()
    different = list[tuple[Blow, Blow]]()
    for number, first in enumerate(some(list(product(range(len(calls)), (False, True))), keep=12)):
        _, left = rotated_twice(first)
        for second in some(list(product(range(len(left)), (False, True)))[number % 4 :: 4]):
            if rotated_twice(first, second)[0] != expected:
                different.append((first, second))

    assert different == []


def test_a_pending_version_is_left_by_nobody() -> None:
    """However often it was killed, no version is pending at the end."""
    ended, _ = rotated_twice((0, False), (2, True), (4, False))

    assert not [version for version, its in ended.stages.items() if PENDING in its]
