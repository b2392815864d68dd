"""Tokens that a certified OpenID provider gave at a real login: which are authorized, and why are others refused?"""

import pytest

from tests.e2e.issuers.lab import Answered, Lab
from tests.e2e.issuers.provider import ALGORITHMS, PORTAL


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_login_is_authorized_by_each_algorithm(lab: Lab, alg: str) -> None:
    tokens = lab.providers["steady"].log_in("bob", alg=alg)

    login = lab.ask(tokens)

    assert (tokens.header["alg"], tokens.header["typ"]) == (alg, "at+jwt")
    assert (login.answered, login.username) == (Answered.AUTHORIZED, "bob")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_id_token_is_refused_though_its_audience_is_accepted(lab: Lab, alg: str) -> None:
    tokens = lab.providers["steady"].log_in("bob", alg=alg)

    login = lab.ask(tokens, tokens.id)

    assert login.answered is Answered.REFUSED
    assert lab.reason_of(login) == "wrong_token_kind"


def test_a_token_for_another_audience_is_refused(lab: Lab) -> None:
    login = lab.ask(lab.providers["steady"].log_in("bob", resource=PORTAL))

    assert login.answered is Answered.REFUSED
    assert lab.reason_of(login) == "wrong_audience"


def test_a_token_of_another_client_is_refused_where_the_clients_are_named(lab: Lab) -> None:
    provider = lab.providers["clients"]
    own, others = provider.log_in("bob"), provider.log_in("bob", client="portal")

    assert own.claims["aud"] == others.claims["aud"]
    assert lab.ask(own).answered is Answered.AUTHORIZED
    assert lab.reason_of(lab.ask(others)) == "wrong_audience"


def test_a_user_without_a_profile_is_refused(lab: Lab) -> None:
    login = lab.ask(lab.providers["steady"].log_in("mallory"))

    assert login.answered is Answered.REFUSED
    assert lab.reason_of(login) == "unknown_profile"


def test_one_providers_token_counts_nothing_in_the_name_of_another(lab: Lab) -> None:
    """Both providers' keys have the same `kid`."""
    one, other = lab.providers["steady"], lab.providers["clients"]
    header, _, signature = one.log_in("bob").access.split(".")
    tokens = other.log_in("bob")
    claims = tokens.access.split(".")[1]

    login = lab.ask(tokens, f"{header}.{claims}.{signature}")

    assert login.answered is Answered.REFUSED
    assert lab.reason_of(login) == "bad_signature"
