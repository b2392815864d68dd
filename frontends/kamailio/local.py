"""Kamailio with this folder's configuration on the loopback interface, for the softphone's demo and for tests.

What runs is `kamailio.cfg` as it stands; only the values of `settings.cfg` are others.
"""

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE: Final = Path(__file__).parent
HOST: Final = "127.0.0.1"
DOMAIN: Final = "sip.example.com"
PACKAGES: Final = (
    "kamailio kamailio-utils-modules kamailio-extra-modules kamailio-websocket-modules kamailio-tls-modules"
)
START_SECONDS: Final = 30
STOP_SECONDS: Final = 10
_SWITCH: Final = "WITH_"
_CERTIFICATE_DAYS: Final = 2


class CannotRun(Exception):
    """Kamailio is not installed, or does not start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """A running Kamailio.

    Attributes:
        domain: the SIP domain it serves, and its realm.
        udp: port of SIP over UDP, on 127.0.0.1.
        tcp: over TCP.
        tls: over TLS; nobody is there without WITH_TLS.
        ws: over WebSocket.
        wss: over WebSocket and TLS; nobody is there without WITH_TLS and without HAProxy.
        ca: certificate, as PEM, of the authority that signed the server's.
        log: where it writes.
        folder: where its files are.
        process: its first process.
    """

    domain: str
    udp: int
    tcp: int
    tls: int
    ws: int
    wss: int
    ca: Path
    log: Path
    folder: Path
    process: subprocess.Popen[bytes]

    def ask(self, *command: str) -> str:
        """Return what `kamcmd` prints to a command, `ul.dump` or `htable.dump refused` for instance."""
        socket_file = f"unix:{self.folder / 'kamailio_ctl'}"
        asked = subprocess.run(  # noqa: S603 - a command of ours
            [_program("kamcmd"), "-s", socket_file, *command], capture_output=True, text=True, timeout=10, check=True
        )
        return asked.stdout


@contextmanager
def running(
    folder: Path,
    *,
    api_url: str,
    api_key: str = "",
    hooks: str | None = None,
    memory: int | str = 256,
    **settings: str | int | bool,
) -> Iterator[Kamailio]:
    """Run Kamailio in an empty *folder*; it has ended when the context has.

    Args:
        folder: for its files.
        api_url: of the service, without its last part; http or https.
        api_key: to send along; empty sends none.
        hooks: text in place of hooks.cfg.
        memory: that its processes share, in MB.
        settings: values of settings.cfg; a switch is True or False. With WITH_HAPROXY, HAProxy is started in front, and
            Kamailio's own ports of TCP and WS want its PROXY header. WITH_TLS wants version 5.8.

    Raises:
        CannotRun: it is not installed, or does not start.
        ValueError: settings.cfg knows no such name.
    """
    program = _program("kamailio")
    tcp, ws, tls, wss, web, local = _free_ports(6)
    ca = _certificates(folder)
    values: dict[str, str | int | bool] = {
        "SIP_DOMAINS": DOMAIN,
        "WITH_LAB": True,
        "WITH_HAPROXY": False,
        "LISTEN_LOCAL": f"udp:{HOST}:{local}",
        "LISTEN_UDP": f"udp:{HOST}:{tcp}",
        "LISTEN_TCP": f"tcp:{HOST}:{tcp}",
        "LISTEN_WS": f"tcp:{HOST}:{ws}",
        "LISTEN_TLS": f"tls:{HOST}:{tls}",
        "LISTEN_WSS": f"tls:{HOST}:{wss}",
        "LISTEN_WEB": f"tcp:{HOST}:{web} advertise {HOST}:{wss}",
        "TLS_CONFIG": str(folder / "tls.cfg"),
        "AUTHORIZE_URL": f"{api_url}/authorize",
        "SIP_WORKERS": 2,
        "API_WORKERS": 16,
    }
    text = (HERE / "settings.cfg").read_text("utf-8")
    (folder / "settings.cfg").write_text(with_settings(text, values | settings), "utf-8")
    (folder / "hooks.cfg").write_text((HERE / "hooks.cfg").read_text("utf-8") if hooks is None else hooks, "utf-8")
    shutil.copy(HERE / "kamailio.cfg", folder)
    log = folder / "kamailio.log"
    command = [
        program,
        "-DD",
        "-E",
        "-f",
        "kamailio.cfg",
        "-Y",
        str(folder),
        "-w",
        str(folder),
        "-m",
        str(memory),
        "-M",
        "16",
    ]
    variables = {**os.environ, "AUTH_JWT_API_KEY": api_key}
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - a command of ours
            _tied(command, signal.SIGTERM),
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait_until_it_answers(local, process, log)
            with _haproxy(folder, web, wss) if settings.get("WITH_HAPROXY") else nullcontext():
                yield Kamailio(DOMAIN, tcp, tcp, tls, ws, wss, ca, log, folder, process)
        finally:
            _stop(process)


@contextmanager
def _haproxy(folder: Path, behind: int, port: int) -> Iterator[None]:
    """Run HAProxy before the port *behind*; it ends with the context."""
    text = (HERE / "haproxy.cfg").read_text("utf-8")
    for pattern, line in (
        (r"bind :8443 ssl crt \S+", f"bind {HOST}:{port} ssl crt {folder / 'haproxy.pem'}"),
        (r"server kamailio \S+", f"server kamailio {HOST}:{behind}"),
        (r"maxconn \d+", "maxconn 1000"),
        (r"(?m)^ +(?:user|group|log) .*\n", ""),
    ):
        text, found = re.subn(pattern, lambda _, line=line: line, text)  # type: ignore[misc]
        if not found:
            raise CannotRun(f"haproxy.cfg has no line like {pattern}")
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    both = (folder / "server.pem").read_bytes() + (folder / "server.key").read_bytes()
    (folder / "haproxy.pem").touch(mode=0o600)
    (folder / "haproxy.pem").write_bytes(both)
    log = folder / "haproxy.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - a command of ours
            _tied([_program("haproxy"), "-db", "-f", "haproxy.cfg"], signal.SIGKILL),
            cwd=folder,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            _wait_until(lambda: _accepts(port), process, log, "HAProxy")
            yield
        finally:
            process.kill()  # nothing of it is to be kept, and it would wait for connections


def version() -> tuple[int, int]:
    """Return the first two numbers of the version of Kamailio that would run: (5, 8) and newer know WITH_TLS.

    Raises:
        CannotRun: it is not installed, or does not say.
    """
    command = [_program("kamailio"), "-v"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - of ours
    found = re.match(r"version: kamailio (\d+)\.(\d+)", told.stdout)
    if found is None:
        raise CannotRun(f"kamailio -v says no version: {told.stdout[:80]}")
    return int(found[1]), int(found[2])


def with_settings(text: str, values: Mapping[str, str | int | bool]) -> str:
    """Return the *text* of settings.cfg with other *values*.

    Raises:
        ValueError: it has no such setting.
    """
    for name, value in values.items():
        if name.startswith(_SWITCH):
            pattern, line = rf"^#*#!define {name}$", f"#!define {name}" if value else f"##!define {name}"
        elif f"!{name}!" in text:
            pattern, line = rf'^#!substdef "!{name}!.*!g"$', f'#!substdef "!{name}!{value}!g"'
        else:
            pattern, line = rf"^#!define {name} .*$", f"#!define {name} {value}"
        text, found = re.subn(pattern, lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
        if not found:
            raise ValueError(f"settings.cfg has no {name}")
    return text


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise CannotRun(f"{name} is not installed; on Debian: apt-get install {PACKAGES}")
    return found


def _tied(command: Sequence[str], ends_by: signal.Signals) -> list[str]:
    """Return the *command* such that it gets a signal when we end, however we do, by SIGKILL for instance.

    That is Linux's, and of the thread that starts it. Elsewhere the command stays as it is.
    """
    tie = shutil.which("setpriv")  # of util-linux
    return [tie, "--pdeathsig", ends_by.name.removeprefix("SIG"), *command] if tie is not None else [*command]


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody uses at this moment, by TCP and UDP."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        while len(ports) < count:
            stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(stream)
            stream.bind((HOST, 0))
            port = stream.getsockname()[1]
            datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held.append(datagram)
            try:
                datagram.bind((HOST, port))
            except OSError:
                continue
            ports.append(port)
    finally:
        for each in held:
            each.close()
    return ports


def _certificates(folder: Path) -> Path:
    """Make an authority and, signed by it, a certificate for this machine; write tls.cfg."""
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab of one run")])

    def certificate(name: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        # All that RFC 5280 wants is in it: Python 3.13 verifies strictly.
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(authority)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    signs_only = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    ca = (
        certificate(authority, authority_key.public_key(), ca=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
                **signs_only,
            ),
            critical=True,
        )
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName(DOMAIN), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
    server = (
        certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)]), key.public_key(), ca=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").touch(mode=0o600)
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    text = (HERE / "tls.cfg").read_text("utf-8")
    text = re.sub(r"(?m)^certificate = .*$", lambda _: f"certificate = {folder / 'server.pem'}", text)
    text = re.sub(r"(?m)^private_key = .*$", lambda _: f"private_key = {folder / 'server.key'}", text)
    (folder / "tls.cfg").write_text(text, "utf-8")
    return folder / "ca.pem"


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    _wait_until(lambda: _is_alive(port), process, log, "Kamailio")


def _wait_until(is_there: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if is_there():
                return
        except OSError:
            time.sleep(0.05)
    end = "\n".join(log.read_text("utf-8", "replace").splitlines()[-10:])
    raise CannotRun(f"{name} does not start:\n{end}")


def _accepts(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=2):
        return True


def _is_alive(port: int) -> bool:
    """Ask by UDP, where it always listens."""
    one = time.monotonic_ns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.connect((HOST, port))
        asking.send(
            (
                f"OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST};branch=z9hG4bK{one};rport\r\n"
                f"From: <sip:{DOMAIN}>;tag=1\r\nTo: <sip:{DOMAIN}>\r\nCall-ID: {one}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
            ).encode()
        )
        return asking.recv(4096).startswith(b"SIP/2.0 200 ")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the first process, which ends the others; what is left of them after a while is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)
