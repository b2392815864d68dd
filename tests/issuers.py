"""An issuer of the tests: its name, the rows that the tables hold of it, and the tokens that it signs."""

import json
from collections.abc import Mapping
from typing import Any, Final

import boto3
from boto3.dynamodb.types import TypeSerializer

from tests.factories import NOW, a_jwk, a_jwks, a_private_key, a_token
from tests.fakes import natural
from tools.events.stage import REGION

ISSUER: Final = "https://login.example.com/realms/sip"
KEYS_URL: Final = "https://login.example.com/realms/sip/keys"
SUBJECT: Final = "5f0c-alice"
KID: Final = "2026-11"
GONE: Final = object()
"""Instead of a claim's value: the token does not have the claim."""


def a_login_token(
    *,
    alg: str = "RS256",
    key: str = "rsa_2048",
    header: dict[str, Any] | None = None,
    now: int = NOW,
    **claims: object,
) -> str:
    """Sign an access token of the issuer that was issued ten seconds before *now*."""
    usual: dict[str, Any] = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": "sip",
        "iat": now - 10,
        "exp": now + 300,
        "jti": "1",
        **claims,
    }
    payload = {name: value for name, value in usual.items() if value is not GONE}
    head = {"kid": KID, "typ": "at+jwt", **(header or {})}
    members = {"alg": alg, **{name: value for name, value in head.items() if value is not GONE}}
    return a_token(key=a_private_key(key), alg=alg, header=json.dumps(members).encode(), payload=payload)


def issuer_row(identifier: str = ISSUER, *, columns: dict[str, object] | None = None, **members: Any) -> dict[str, Any]:
    """Return the configuration of an issuer, as its row of the profiles table."""
    config = {"keys_url": KEYS_URL, "audiences": ["sip", "web"], **members}
    return {"tag": identifier, "issuer_config": json.dumps(config), "issuer_version": 1, **(columns or {})}


def item_of(row: Mapping[str, object]) -> dict[str, Any]:
    """Return a row as DynamoDB's client takes it."""
    return {name: TypeSerializer().serialize(value) for name, value in natural(row).items()}


def keys_rows(
    *keys: object, fetched_at: float = NOW, identifier: str = ISSUER, url: str = KEYS_URL
) -> list[dict[str, object]]:
    """Return the two rows of the secrets table: the issuer's *keys*, one RSA key by default, and their status."""
    text = a_jwks(*(keys or (a_jwk(kid=KID),)))
    return [
        {"corresponding_tag": identifier, "id": "issuer-keys", "issuer_keys": text, "issuer_keys_url": url},
        {
            "corresponding_tag": identifier,
            "id": "issuer-status",
            "issuer_fetched_at": fetched_at,
            "issuer_next_fetch_at": fetched_at + 60,
        },
    ]


def a_token_of_a_new_key(*, now: int, kid: str = "of tomorrow", **claims: object) -> str:
    """Sign a token by a key that the issuer has just begun to use: `write_issuer` does not write it."""
    return a_login_token(now=now, key="p256", alg="ES256", header={"kid": kid}, **claims)


def tables_at(endpoint: str) -> Any:
    """Return a client of the tables in memory at *endpoint*."""
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def write_issuer(tables: Any, *new_kids: str, now: float, seconds_ago: int = 10) -> None:
    """Write the issuer's configuration and its keys.

    Args:
        tables: client of DynamoDB.
        new_kids: key ids under which the new key was fetched as well.
        now: UNIX seconds.
        seconds_ago: when the keys were fetched; the next fetch is due after 60 seconds.
    """
    tables.put_item(TableName="jwt_profiles", Item=item_of(issuer_row()))
    keys = [a_jwk(kid=KID), *(a_jwk("p256", kid=kid) for kid in new_kids)]
    for row in keys_rows(*keys, fetched_at=now - seconds_ago):
        tables.put_item(TableName="jwt_secrets", Item=item_of(row))
