"""Target: the whole decision, held to the model."""

from collections.abc import Iterator

from tests.fuzz.target import Target
from tests.worlds import a_world, is_one_of, outcome_of, outcomes_by_model


def check_decision(octets: bytes) -> None:
    """Whatever the settings, rows and token, the decision is one that the model allows."""
    world = a_world(octets)
    ours, theirs = outcome_of(world), outcomes_by_model(world)
    assert is_one_of(ours, theirs), (ours, theirs)


def _decision_seeds() -> Iterator[bytes]:
    yield b""
    for focus in range(10):
        for algorithm in range(13):
            yield bytes((focus, algorithm))
    for number in range(200):
        yield bytes((number * step) % 256 for step in range(1, 40))


TARGETS = (Target("decision", check_decision, _decision_seeds, most_bytes=200),)
