"""Every token of the corpus judged by the decision alone, without a handler around it: fast, and for `make mutants`."""

import traceback
from collections.abc import Iterator
from dataclasses import fields

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied
from auth_jwt.runtime.settings import Settings
from tests.factories import an_authorizer
from tests.security.attacks import USER, Attack
from tests.security.corpus.whole import CORPUS


def judge_of(attack: Attack) -> Authorizer:
    """Return the authorizer over the rows of an attack, with its settings."""
    policy = Settings.from_env(attack.settings).policy
    rules = {rule.name: getattr(policy, rule.name) for rule in fields(policy)}
    return an_authorizer(*attack.rows, profiles=attack.profiles, **rules)


def shown_with(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and all that a traceback shows before it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.matrix(kinds=lambda attack: {attack.advisory})
@pytest.mark.parametrize("attack", CORPUS, ids=str)
def test_an_attack_gets_its_verdict_and_no_other_error(attack: Attack) -> None:
    """Refused for its reason, or accepted; and nothing of token or secret in what is raised."""
    authorizer = judge_of(attack)
    if attack.script_key is not None:
        assert authorizer.script_authorize(attack.token, attack.script_key)[0] == attack.script_code
    if attack.reason is None:
        assert authorizer.authorize(attack.token).sip_username == USER
        return

    with pytest.raises(Denied) as caught:
        authorizer.authorize(attack.token)

    assert caught.value.args == (attack.reason,)
    assert list(shown_with(caught.value)) == [caught.value]
    assert traceback.format_exception_only(caught.value) == [f"auth_jwt.errors.Denied: {attack.reason}\n"]
