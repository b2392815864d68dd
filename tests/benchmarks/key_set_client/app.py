"""What one would write with PyJWT alone: its key set client fetches the keys at the first login, and `jwt.decode`.

It has no users, no log and no metrics; it is beside the service in `tests.benchmarks.issuers`.
"""

import os
import ssl
from functools import cache
from typing import Any

import jwt


@cache
def client() -> jwt.PyJWKClient:
    """Return the client that remembers the key set."""
    tls = ssl.create_default_context(cafile=os.environ["CA_BUNDLE"])
    return jwt.PyJWKClient(os.environ["KEYS_URL"], ssl_context=tls, lifespan=3600)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Verify the token of a REST API event."""
    token = event["headers"]["Authorization"].split()[-1]
    key = client().get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key, algorithms=["RS256", "ES256"], audience=os.environ["AUDIENCE"], issuer=os.environ["ISSUER"]
    )
    return {"statusCode": 200, "body": claims["sub"]}
