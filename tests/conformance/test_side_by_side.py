"""What docs/opensips-parity.md says of this side, where a running OpenSIPS and this service had the same tokens."""

import json
from decimal import Decimal

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import Denied
from tests.factories import JTI, NOW, a_profile, a_revocation, a_token, an_authorizer
from tools import parity

DIGITS = Decimal(70368744177664)


def with_credential(value: object) -> Authorizer:
    return an_authorizer(profiles=[a_profile(extra=value)], credentials=parse_credentials("extra"))


ASKED = {
    "a credential beyond 32 bits": [with_credential(DIGITS)],
    "a credential that is a BOOL": [with_credential(value=True), with_credential(value=False)],
    "a profile that is `disabled`": [an_authorizer(profiles=[a_profile(disabled=True)])],
    "a token issued before `tokens_valid_after`": [
        an_authorizer(profiles=[a_profile(tokens_valid_after=Decimal(NOW))])
    ],
    "a token in `REVOCATIONS_TABLE`": [an_authorizer(revocations=[a_revocation()])],
}
"""By the rows of the page: who is asked about one token."""


def answer_of(authorizer: Authorizer) -> str:
    """An answer in the words of the page."""
    try:
        (value,) = authorizer.authorize(a_token(iat=NOW - 60, jti=JTI)).credentials.values()
    except Denied as denied:
        return f"refuses: `{denied.reason.value}`"
    return "all its digits" if str(value) == str(DIGITS) else f"`{json.dumps(value)}`"


@pytest.mark.parametrize("what", parity.SIDE_BY_SIDE)
def test_this_side_is_as_the_page_says(what: str) -> None:
    _, here = parity.SIDE_BY_SIDE[what]

    assert ", ".join(map(answer_of, ASKED[what])) == here
