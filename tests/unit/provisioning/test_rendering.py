"""Records as JSON: what programs read of them, and every kind of value that a column may have."""

import json
from decimal import Decimal
from typing import Any

from auth_jwt.errors import Unreachable
from auth_jwt.provisioning.rendering import explanation_json, profile_json, shared_key_json
from auth_jwt.provisioning.secret_search import SharedKey
from tests.factories import JTI, NOW, TAG, a_token
from tests.issuers import ISSUER, KID, a_login_token
from tests.service import a_service
from tests.unit.provisioning import test_issuer_explanation as of_issuers
from tests.unit.provisioning.test_explanation import OTHER_KEY, of


def test_every_value_of_a_column_has_a_form_in_json() -> None:
    service = a_service()
    values: dict[str, Any] = {
        "whole": Decimal(2**60 + 1),
        "part": Decimal("0.5"),
        "octets": b"\x00\xff",
        "set": {Decimal(7)},
        "nested": {"list": [Decimal(1), b"a", None]},
        "flag": True,
        "word": "w",
    }
    service.has(sip_domain="example.com", disabled=True, tokens_valid_after=Decimal("1.5"), **values)

    told = profile_json(service.provisioning.profiles.show(TAG))

    assert json.loads(json.dumps(told)) == {
        "tag": TAG,
        "sip_username": "alice",
        "sip_domain": "example.com",
        "disabled": True,
        "tokens_valid_after": 1.5,
        "attributes": {
            "flag": True,
            "nested": {"list": [1, "YQ==", None]},
            "octets": "AP8=",
            "part": 0.5,
            "set": [7],
            "whole": 2**60 + 1,
            "word": "w",
        },
    }
    assert list(told["attributes"]) == sorted(values)


def test_a_shared_key_names_some_of_its_tags() -> None:
    assert shared_key_json(SharedKey("scrypt:a", "HMAC, 64 bytes", 20, ("a", "b"))) == {
        "fingerprint": "scrypt:a",
        "kind": "HMAC, 64 bytes",
        "tags": 20,
        "some_tags": ["a", "b"],
    }


def test_an_accepted_token_is_explained_by_steps_and_secrets_and_claims_on_demand() -> None:
    service = a_service(revocations=False)
    service.has()
    service.has_secret()
    service.has_secret("2", secret=OTHER_KEY, end_ts=NOW)
    explanation = of(service, a_token(jti=JTI, exp=NOW + 60))

    told = explanation_json(explanation, with_claims=False)

    (one, two), steps = told.pop("secrets"), told.pop("steps")
    assert told == {
        "accepted": True,
        **dict.fromkeys(("reason", "fault", "retry_after", "remedy", "issuer")),
        "tag": TAG,
        "keys": [],
        "sip_username": "alice",
        "expires_at": NOW + 60,
        "credentials": [],
    }
    assert steps[0] == {
        "name": "gate",
        "outcome": "passed",
        "reason": None,
        "text": explanation.steps[0].text,
    }
    assert {step["outcome"] for step in steps} == {"passed", "noted"}
    assert (one["id"], one["passed_over"], one["signed"], one["misreading"]) == ("1", None, True, None)
    assert (two["id"], two["passed_over"], two["signed"], two["misreading"]) == ("2", "closed now", False, None)
    whole = explanation_json(explanation, with_claims=True)
    assert (whole["header"]["alg"], whole["claims"]["jti"]) == ("HS256", JTI)
    assert {"header", "claims"}.isdisjoint(told)


def test_a_denied_token_has_a_reason_and_a_remedy_and_an_issuers_has_keys() -> None:
    service = of_issuers.a_service_with_an_issuer()
    service.provisioning.issuers.block_key(ISSUER, KID)

    told = explanation_json(of_issuers.of(service, a_login_token()), with_claims=False)

    assert (told["accepted"], told["reason"], told["issuer"]) == (False, "unknown_key", ISSUER)
    assert told["remedy"].startswith("look at the issuer's key set")
    assert "sip_username" not in told
    thumbprints = [key.thumbprint for key in service.provisioning.issuers.show(ISSUER).keys]
    assert told["keys"] == [
        {"kid": KID, "thumbprint": thumbprints[0], "blocked": True, "named": True, "signed": True},
        {"kid": "other", "thumbprint": thumbprints[1], "blocked": False, "named": False, "signed": False},
    ]
    assert {step["outcome"] for step in told["steps"]} == {"passed", "refused"}


def test_where_nothing_can_be_decided_the_fault_or_the_time_to_wait_is_told() -> None:
    service = of_issuers.a_service_with_an_issuer()

    waits = explanation_json(of_issuers.of(service, a_login_token(header={"kid": "new"})), with_claims=False)
    service.tables.failure = Unreachable("gone")
    faulty = explanation_json(of_issuers.of(service, a_login_token()), with_claims=False)

    assert (waits["accepted"], waits["reason"], waits["fault"], waits["retry_after"]) == (False, None, None, 62)
    assert (faulty["accepted"], faulty["reason"], faulty["fault"], faulty["retry_after"]) == (False, None, "gone", None)
    assert faulty["steps"][-1]["outcome"] == "unknown"
