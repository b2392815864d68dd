"""The second login of the demo, at an OpenID provider: the provider, and its issuer in the service's tables.

The provider stands in for yours. It believes whatever name somebody gives, so alice and bob are whoever says so;
another name gets a token, too, and the service refuses it, since there is no such user. What counts is what the page
does (`page/provider.js`) and what an operator does (`admit`).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frontends.webrtc.bundle import Telling, install_packages
from frontends.webrtc.issuing import DOMAIN, USERS
from tools.provider.process import AUDIENCE, FOLDER, RESOURCE, SCOPE, CannotRun, PageClient, RunningProvider, running
from tools.serve.processes import CannotStart

if TYPE_CHECKING:
    from auth_jwt.provisioning import Provisioning

REFRESH_SECONDS: Final = 5
"""Between rounds, so that there are keys soon after the start. They are then fetched every half minute."""

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Login:
    """A running provider, and how the page logs in there.

    Attributes:
        provider: it.
        certificate: of its server.
        client: the page, as the provider knows it.
    """

    provider: RunningProvider
    certificate: Path
    client: PageClient = field(repr=False)

    @property
    def settings(self) -> dict[str, str]:
        """What the service must know before it begins: whose tokens it judges, and that it may fetch keys here."""
        return {
            "ISSUERS": self.provider.issuer,
            "KEYS_CA_BUNDLE": str(self.certificate),
            "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8",
        }

    def for_page(self, websocket: str) -> Mapping[str, str]:
        """Return what the page must know, but for secrets, of which there are none."""
        return {
            "issuer": self.provider.issuer,
            "authorization_endpoint": f"{self.provider.url}/auth",
            "token_endpoint": f"{self.provider.url}/token",
            "client_id": self.client.client_id,
            "scope": f"openid offline_access {SCOPE}",
            "resource": RESOURCE,
            "sip_domain": DOMAIN,
            "websocket": websocket,
        }

    def admit(self, provisioning: "Provisioning") -> None:
        """Add the issuer, and its users with their SIP users: an operator does so by `auth-jwt issuer add`."""
        issuer = self.provider.issuer
        provisioning.issuers.add(
            issuer, {"keys_url": self.provider.keys_url, "algorithms": ["ES256"], "audiences": [AUDIENCE]}
        )
        for user, name in USERS.items():
            provisioning.profiles.create(f"{issuer}#{user}", user, domain=DOMAIN, attributes={"display_name": name})


@contextmanager
def login_at_provider(folder: Path, origins: Sequence[str], token_seconds: int, tell: Telling) -> Iterator[Login]:
    """Run a provider; it has ended when the context has.

    Args:
        folder: for its certificate and its log.
        origins: of the page, by all its names.
        token_seconds: how long its access tokens live.
        tell: told what takes time.

    Raises:
        CannotStart: npm or node is missing, or fails.
    """
    install_packages(FOLDER, "the OpenID provider", tell)
    if shutil.which("node") is None:
        raise CannotStart("no node here, which runs the OpenID provider: leave it out by PROVIDER=0")
    tell("starting the OpenID provider ...")
    identity, certificate = _identity_in(folder)
    client = PageClient(tuple(origins), token_seconds)
    try:
        with running(identity, folder / "provider.log", client) as provider:
            yield Login(provider, certificate, client)
    except CannotRun as error:
        raise CannotStart(f"{error}; leave it out by PROVIDER=0") from None


def _identity_in(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine that nobody else vouches for, with its key and without."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OpenID provider of the softphone")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - _A_DAY, now + _A_DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both, public = folder / "provider.pem", folder / "provider-certificate.pem"
    both.touch(0o600)
    both.write_bytes(certificate + own)
    public.write_bytes(certificate)
    return both, public
