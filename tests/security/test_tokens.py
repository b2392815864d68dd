"""Every token of the corpus at every entry: the verdict, its reason, one answer to all denials, and nothing shown."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

from auth_jwt.errors import Reason
from tests.security.attacks import ADVISORIES, Attack
from tests.security.corpus.whole import CORPUS
from tests.security.entries import ENTRIES
from tests.security.place import Place, watching
from tests.security.secrecy import found_in, secrets_of

DENIALS = set(Reason)
INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""What would break, turn around or hide a line of a log, or move the cursor of who reads it."""


def some_of_each_kind(attacks: Iterable[Attack], number: int = 3) -> frozenset[int]:
    """Return the ids of the first *number* of the *attacks* of each advisory and each reason."""
    kinds = defaultdict[tuple[str, object], list[Attack]](list)
    for attack in attacks:
        kinds[attack.advisory, attack.reason].append(attack)
    return frozenset(id(attack) for of_a_kind in kinds.values() for attack in of_a_kind[:number])


EXAMPLES = some_of_each_kind(CORPUS)


def kinds_of(attack: Attack) -> Iterator[object]:
    """Of what kinds an attack is. The sample has one of each advisory, and of each group one that is accepted."""
    yield attack.advisory
    if attack.reason is None:
        yield ADVISORIES[attack.advisory].group, "accepted"
    if id(attack) in EXAMPLES:
        yield ADVISORIES[attack.advisory].group, "at every entry"


@pytest.mark.matrix(kinds=kinds_of)
@pytest.mark.parametrize("attack", CORPUS, ids=str)
def test_an_attack_gets_its_verdict_at_every_entry_and_shows_nothing(place: Place, attack: Attack) -> None:
    """The log has the exact reason, the caller gets what nonsense gets, and nobody sees a token or a key."""
    place.store(attack)
    with watching() as written:
        reached = [
            entry for entry in ENTRIES if entry.carries(attack) and (id(attack) in EXAMPLES or not entry.is_slow)
        ]
        verdicts = {entry: entry.ask(place, attack) for entry in reached}

    assert {str(entry): verdict.word for entry, verdict in verdicts.items()} == {
        str(entry): entry.expect(attack) for entry in verdicts
    }
    denials = [(entry, verdict) for entry, verdict in verdicts.items() if verdict.word in DENIALS]
    assert [str(entry) for entry, verdict in denials if verdict.answer != entry.refusal(place, attack)] == []
    shown = {str(entry): found_in(verdict.shown, secrets_of(attack, entry)) for entry, verdict in verdicts.items()}
    assert {entry: found for entry, found in shown.items() if found} == {}
    assert found_in(written.text, secrets_of(attack)) == []
    assert {
        str(entry): INVISIBLE.findall(verdict.log)
        for entry, verdict in verdicts.items()
        if INVISIBLE.search(verdict.log)
    } == {}


class TestTheCorpus:
    """What a corpus must be for the tests of it to say anything."""

    def test_every_attack_has_a_name_of_its_own(self) -> None:
        names = [str(attack) for attack in CORPUS]

        assert [name for name in names if names.count(name) > 1] == []

    def test_every_advisory_has_several_inputs(self) -> None:
        counts = {name: sum(attack.advisory == name for attack in CORPUS) for name in ADVISORIES}

        assert {name: count for name, count in counts.items() if count < 2} == {}

    def test_every_group_has_what_is_accepted_and_what_is_not(self) -> None:
        verdicts = {(ADVISORIES[attack.advisory].group, attack.reason is None) for attack in CORPUS}

        assert verdicts == {(group, accepted) for group in "ABCDEFH" for accepted in (True, False)}

    def test_every_entry_is_reached_by_a_token_that_is_accepted_and_by_one_that_is_not(self) -> None:
        reached = {
            str(entry): {attack.reason is None for attack in CORPUS if id(attack) in EXAMPLES and entry.carries(attack)}
            for entry in ENTRIES
        }

        assert reached == {str(entry): {True, False} for entry in ENTRIES}
