"""The three figures of the recogniser, on a sample; `make lookalikes` counts them all."""

from random import Random

import pytest

from auth_jwt.jose.lookalikes import is_key_material, what_else
from tests.lookalikes.made_up import KINDS
from tests.lookalikes.public_texts import Key, public_texts, references

SAMPLE = ("rsa_1023", "rsa_2050", "p256", "p384", "ed25519")
MADE_UP = 300


@pytest.mark.parametrize("kind", SAMPLE)
def test_every_form_of_a_public_key_is_refused(kind: str) -> None:
    """Some two thousand forms of a key: each is one that programs print or people paste."""
    forms = list(public_texts(Key(kind, 1)))

    assert len(forms) > 1500
    assert [form for form, text in forms if what_else(text) is None] == []


def test_every_form_of_a_reference_is_refused() -> None:
    assert [form for form, text in references() if what_else(text) is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_made_up_secrets_are_not_refused(kind: str) -> None:
    chance = Random(f"a sample of {kind}")
    secrets = [KINDS[kind](chance) for _ in range(MADE_UP)]

    assert sum(what_else(secret) is not None for secret in secrets) == 0
    assert not any(map(is_key_material, secrets[:50]))
