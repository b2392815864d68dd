"""A test authority, the certificate of `login.test`, and a client that knows both."""

import ssl
from pathlib import Path

import pytest

from auth_jwt.fetching.client import tls_context
from tests.certificates import Authority
from tests.unit.fetching.servers import HOST


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the servers."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def identity(authority: Authority) -> ssl.SSLContext:
    """Key and certificate of `login.test`."""
    return authority.identity(host=HOST)


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> ssl.SSLContext:
    """The client's side: it trusts that authority, and no other."""
    return tls_context(Path(authority.certificate))
