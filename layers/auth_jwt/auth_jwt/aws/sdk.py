"""boto3 clients that look for credentials at their first request, so that one can be made before a snapshot.

By default boto3 looks for credentials as soon as a client is made. They would be part of the snapshot: every process
that starts from it would have the same ones, and one day they would be expired. The credentials that are found are
botocore's own objects, which renew themselves where they can.
"""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials

from auth_jwt.aws.failures import configuration_errors, missing_credentials


def sdk_client(
    service: str,
    config: Config,
    *,
    session: boto3.Session | None = None,
    region: str | None = None,
    endpoint: str | None = None,
) -> Any:  # noqa: ANN401 - of any service
    """Make boto3's client for a *service*. This sets the log level of botocore to INFO.

    Args:
        service: boto3's name of the service.
        config: time limits and retries.
        session: the session that gives the credentials; None makes one that looks for them at the first call.
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.

    Raises:
        Fault: the SDK rejects its configuration: it has no region, say.
    """
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs requests and answers, secrets included
    with configuration_errors(f"no client for {service} can be made"):
        made = session or own_session()
        return made.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def own_session() -> boto3.Session:
    """Make a session that looks for credentials at the first request.

    It is not boto3's default session: it has no defaults that other code has set, and any thread may make it.
    """
    made = botocore.session.Session()
    chain: CredentialResolver = made.get_component("credential_provider")
    made.register_component("credential_provider", CredentialResolver([_LazyProvider(chain)]))
    return boto3.Session(botocore_session=made)


class _LazyProvider(CredentialProvider):
    """Replaces all providers of a *chain*. Its credentials look into the chain when they are first needed."""

    METHOD = "later"

    def __init__(self, chain: CredentialResolver) -> None:
        super().__init__()
        self._chain = chain

    def load(self) -> Credentials:
        return _LazyCredentials(self._chain.load_credentials)


class _LazyCredentials(Credentials):
    """Credentials that are looked for when they are first needed.

    botocore's `DeferredRefreshableCredentials` cannot be used: it needs a time of expiry, and credentials of the
    environment have none.

    Args:
        find: looks for the credentials; returns None when there are none.
    """

    def __init__(self, find: Callable[[], Credentials | None]) -> None:
        super().__init__("", "", method=_LazyProvider.METHOD)
        self._find = find
        self._found: Credentials | None = None
        self._finding = Lock()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return self._credentials().get_frozen_credentials()

    def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
        def found_property() -> Any:  # noqa: ANN401 - botocore's
            return self._credentials().get_deferred_property(property_name)()

        return found_property

    def _credentials(self) -> Credentials:
        with self._finding:  # one thread looks for them, the others wait
            if self._found is None:
                self._found = self._find()
            if self._found is None:
                raise missing_credentials()
            return self._found
