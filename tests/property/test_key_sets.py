"""Key sets of issuers: whatever is in them, what is kept verifies, and a stored set stays as it is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.fetching.documents import FilteredKeySet, read_key_set
from auth_jwt.fetching.errors import FetchFailed
from tests.factories import a_jwk, a_jwks

URL = "https://keys.test/keys"
JWKS = [a_jwk(name, kid=name, use="sig") for name in ("rsa_2048", "p256", "p521", "ed25519", "ed448")]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.sampled_from(["RSA", "oct", "sig", "AQAB"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["kty", "keys", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y", "k", "x5c", "keys"])


@given(
    keys=st.lists(
        st.builds(
            lambda jwk, members: {**jwk, **members}, st.sampled_from(JWKS), st.dictionaries(MEMBERS, JSON, max_size=3)
        )
        | JSON,
        max_size=4,
    )
)
def test_whatever_a_set_holds_what_is_kept_verifies_and_stays_as_it_is(keys: list[Any]) -> None:
    try:
        kept = read_key_set(a_jwks(*keys).encode(), URL)
    except FetchFailed:
        return
    assert kept.key_set.keys
    assert all(key.key is not None for key in kept.key_set.keys)
    assert len(kept.key_set.keys) + len(kept.dropped) <= len(keys)
    assert read_key_set(kept.key_set.text.encode(), URL) == FilteredKeySet(kept.key_set, ())
