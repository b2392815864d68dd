"""Requests to APIs behind IAM, signed by the operator's own AWS credentials (Signature Version 4)."""

from collections.abc import Callable, Mapping
from typing import Any

Sign = Callable[[str, str, bytes, Mapping[str, str]], Mapping[str, str]]
"""Signs a request by IAM: method, URL, body and headers in, all headers out. Raises `Fault` without credentials."""


def signer_of(session: Any, service: str, region: str) -> Sign:  # noqa: ANN401 - boto3's session
    """Return what signs requests to *service* by the credentials of *session*.

    Raises:
        Fault: there are no credentials.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    from auth_jwt.aws.failures import missing_credentials, sdk_errors, translated_errors

    with translated_errors("signing requests to the API"), sdk_errors():
        found = session.get_credentials()
        if found is None:
            raise missing_credentials()

    def sign(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        with sdk_errors():  # credentials that end are renewed here
            frozen = found.get_frozen_credentials()
        SigV4Auth(frozen, service, region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    return sign
