"""Certificates of a lab: an authority, and who it vouches for."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_A_DAY: Final = timedelta(days=1)
_MAY_SIGN_CERTIFICATES: Final = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Vouches for servers of this machine; whoever shall believe it gets its certificate.

    Attributes:
        certificate: its own, as a file.
    """

    def __init__(self, folder: Path) -> None:
        """Make it, with its files in a *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {folder.name}")])
        self.certificate = folder / "authority.pem"
        own = _a_certificate(self._name, self._name, self._key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        own = own.add_extension(_MAY_SIGN_CERTIFICATES, critical=True)
        own = own.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        signed = own.sign(self._key, hashes.SHA256())
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def identity(self, **options: Any) -> ssl.SSLContext:
        """Return key and certificate of a server; see `identity_file`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.identity_file(**options))
        return context

    def identity_file(
        self,
        *,
        host: str = "127.0.0.1",
        ended: bool = False,
        self_signed: bool = False,
        has_alternative_name: bool = True,
    ) -> Path:
        """Return a file with key and certificate of a server.

        Args:
            host: its address or its name.
            ended: whether the certificate is no longer valid, for an hour.
            self_signed: whether the server vouches for itself, in place of this authority.
            has_alternative_name: whether the host is an alternative name, too, and not the subject's common name alone.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        issuer = name if self_signed else self._name
        certificate = _a_certificate(name, issuer, key.public_key(), shift=-_A_DAY if ended else timedelta())
        if has_alternative_name:
            alternative = x509.SubjectAlternativeName([_general_name(host)])
            certificate = certificate.add_extension(alternative, critical=False)
        signer = key if self_signed else self._key
        named = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        signed = certificate.add_extension(named, critical=False).sign(signer, hashes.SHA256())
        file = self._folder / f"{signed.serial_number}.pem"
        file.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return file


def _a_certificate(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, shift: timedelta = timedelta()
) -> x509.CertificateBuilder:
    now = datetime.now(UTC) + shift
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _A_DAY - timedelta(hours=1))
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
