"""boto3's clients, made so that one can be made before a snapshot: it looks for credentials at the first request.

Left to itself, boto3 looks for them as soon as a client is made. They would be in the snapshot, the same ones for every
process that goes on from it, and be expired some day. What is found is botocore's own, and renews itself if it can.
"""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, NoCredentialsError

from auth_jwt.errors import Fault


def sdk_client(
    service: str,
    config: Config,
    *,
    session: boto3.Session | None = None,
    region: str | None = None,
    endpoint: str | None = None,
) -> Any:  # noqa: ANN401 - of any service
    """Make boto3's client for a *service*. From here on botocore's log begins at INFO.

    Args:
        service: what boto3 calls it.
        config: time limits, retries.
        session: whose credentials count; None takes the SDK's own, which are looked for at the first call.
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.

    Raises:
        Fault: the SDK refuses its own configuration: no region, say.
    """
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs questions and answers: secrets and all
    try:
        made = session or own_session()
        return made.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
    except (BotoCoreError, ValueError) as error:
        raise Fault(f"no client for {service} can be made: {error}") from error


def own_session() -> boto3.Session:
    """Make a session of its own: nobody else's defaults, and safe to make in a thread."""
    made = botocore.session.Session()
    chain: CredentialResolver = made.get_component("credential_provider")
    made.register_component("credential_provider", CredentialResolver([_Later(chain)]))
    return boto3.Session(botocore_session=made)


class _Later(CredentialProvider):
    """Stands for all providers of a *chain*, and gives what looks for credentials in it when they are needed."""

    METHOD = "later"

    def __init__(self, chain: CredentialResolver) -> None:
        super().__init__()
        self._chain = chain

    def load(self) -> Credentials:
        return _LaterCredentials(self._chain.load_credentials)


class _LaterCredentials(Credentials):
    """Credentials that nobody has looked for yet.

    botocore's `DeferredRefreshableCredentials` would have to know when what it is given expires, which those of the
    environment do not tell.

    Args:
        find: looks for them; None when there are none.
    """

    def __init__(self, find: Callable[[], Credentials | None]) -> None:
        super().__init__("", "", method=_Later.METHOD)
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
        with self._finding:  # by one thread, for all that wait
            if self._found is None:
                self._found = self._find()
            if self._found is None:
                raise NoCredentialsError
            return self._found
