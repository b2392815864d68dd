"""A login by an issuer's token, warm and cold, beside PyJWT's key set client and aws-jwt-verify.

Both peers fetch the key set themselves, from an HTTPS server on loopback; the service reads it as rows. Warm, all of
them have it in memory. The service also reads the user's profile, writes its line and renders the answer.
"""

import json
import multiprocessing
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import jwt

from tests.benchmarks.cold import OUR_FOLDERS, Subject
from tests.benchmarks.figures import DECODE, OURS, Comparison, measured
from tests.benchmarks.node import PEERS, AwsJwtVerify, NoNodeError, aws_jwt_verify, node
from tests.benchmarks.tables import database, service_environment
from tests.benchmarks.warm import AWS_JWT_VERIFY, CALLS, Block, asking, authorize, blocks_of, output_to_a_file
from tests.certificates import Authority
from tests.factories import a_jwk, a_public_key
from tests.issuers import SUBJECT, a_login_token, issuer_row, item_of, keys_rows
from tests.unit.fetching.servers import a_server, answer, answers
from tools.events.stage import REGION, environment, load_handler

KEY_SET_CLIENT: Final = "jwt.decode, PyJWKClient"
KEYS: Final = {"RS256": "rsa_2048", "ES256": "p256"}
AUDIENCE: Final = "sip"
_YEAR: Final = 365 * 86400


@dataclass(frozen=True, slots=True)
class Provider:
    """An issuer whose key set is served, and in the tables.

    Attributes:
        issuer: its identifier.
        ca_bundle: the certificate that vouches for its server.
    """

    issuer: str
    ca_bundle: Path

    @property
    def keys_url(self) -> str:
        """The address of its key set."""
        return f"{self.issuer}/keys"

    def token(self, algorithm: str) -> str:
        """Return a token that it signed just now."""
        now = int(time.time())
        header = {"kid": algorithm}
        return a_login_token(alg=algorithm, key=KEYS[algorithm], header=header, now=now, iss=self.issuer)


def issuers(address: str, rounds: int, say: Callable[[str], None]) -> dict[str, Comparison]:
    """Measure logins of an issuer, and return the comparisons by key; see `tests.benchmarks.warm.warm`."""
    found = {}
    with _provider() as provider, ExitStack() as stack:
        _fill(address, provider)
        try:
            verifier = stack.enter_context(aws_jwt_verify())
        except NoNodeError as reason:
            say(f"aws-jwt-verify is LEFT OUT: {reason}")
            verifier = None
        for algorithm in KEYS:
            samples = _measure_warm(address, provider, algorithm, verifier, rounds)
            found[algorithm] = Comparison.of(f"{algorithm}, warm", "microseconds", DECODE, samples)
            _say_ratios(say, found[algorithm])
        for algorithm in KEYS:
            subjects = _cold_subjects(address, provider, algorithm, with_node=verifier is not None)
            for subject in subjects.values():
                subject.start()  # byte code is written
            starts = {name: subject.start for name, subject in subjects.items()}
            samples = measured(starts, max(3, rounds // 10))
            title = f"{algorithm}, import to first answer"
            found[f"{algorithm} cold"] = Comparison.of(title, "milliseconds", KEY_SET_CLIENT, samples)
            _say_ratios(say, found[f"{algorithm} cold"])
    return found


def _say_ratios(say: Callable[[str], None], comparison: Comparison) -> None:
    ratios = [f"{name} {at.median:.2f} x" for name, at in comparison.ratios.items() if name != comparison.base]
    say(f"issuers, {comparison.title}: {', '.join(ratios)} {comparison.base}")


@contextmanager
def _provider() -> Iterator[Provider]:
    """Serve a key set on loopback, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        here, there = multiprocessing.Pipe()
        forked = multiprocessing.get_context("fork")  # the context of TLS goes with it
        server = forked.Process(target=_serve, args=(there, authority.identity()), daemon=True)
        server.start()
        try:
            yield Provider(f"https://127.0.0.1:{here.recv()}", authority.certificate)
        finally:
            server.terminate()
            server.join()


def _serve(ready: Connection, tls: ssl.SSLContext) -> None:
    document = json.dumps({"keys": [_jwk(algorithm) for algorithm in KEYS]}).encode()
    with a_server(tls, answers(answer(document))) as server:
        ready.send(server.port)
        time.sleep(_YEAR)


def _jwk(algorithm: str) -> dict[str, Any]:
    return a_jwk(KEYS[algorithm], kid=algorithm, use="sig", alg=algorithm)


def _fill(address: str, provider: Provider) -> None:
    """Put the issuer, its keys and its user into the tables at *address*."""
    import boto3

    with environment(service_environment(address)):
        client = boto3.client("dynamodb", endpoint_url=address, region_name=REGION)
        keys = keys_rows(*map(_jwk, KEYS), fetched_at=time.time(), identifier=provider.issuer, url=provider.keys_url)
        user = {"tag": f"{provider.issuer}#{SUBJECT}", "sip_username": "alice"}
        profiles = (issuer_row(provider.issuer, keys_url=provider.keys_url), user)
        for table, rows in (("jwt_profiles", profiles), ("jwt_secrets", keys)):
            for row in rows:
                client.put_item(TableName=table, Item=item_of(row))


def _environment(address: str, provider: Provider) -> dict[str, str]:
    return service_environment(address, {"ISSUERS": provider.issuer, "DB_URL": database(address)})


def _measure_warm(
    address: str, provider: Provider, algorithm: str, verifier: AwsJwtVerify | None, rounds: int
) -> dict[str, list[float]]:
    token = provider.token(algorithm)
    known = {"algorithms": [algorithm], "audience": AUDIENCE, "issuer": provider.issuer}
    decode = partial(jwt.decode, token, a_public_key(KEYS[algorithm]), **known)  # type: ignore[arg-type]
    keys = jwt.PyJWKClient(
        provider.keys_url, ssl_context=ssl.create_default_context(cafile=provider.ca_bundle), lifespan=3600
    )

    def decode_by_client() -> object:
        return jwt.decode(token, keys.get_signing_key_from_jwt(token), **known)  # type: ignore[arg-type]

    with environment(_environment(address, provider)), output_to_a_file():
        ours = authorize(load_handler(), asking(token))
        blocks: dict[str, Block] = blocks_of({DECODE: decode, OURS: ours, KEY_SET_CLIENT: decode_by_client})
        if verifier is not None:
            verifier.prepare_with(provider.issuer, {"keys": [_jwk(algorithm)]}, token)
            blocks[AWS_JWT_VERIFY] = partial(verifier.microseconds, CALLS)
        return measured(blocks, rounds)


def _cold_subjects(address: str, provider: Provider, algorithm: str, *, with_node: bool) -> dict[str, Subject]:
    token = provider.token(algorithm)
    event, peers = asking(token), Path(__file__).resolve().parent
    own = {
        "KEYS_URL": provider.keys_url,
        "CA_BUNDLE": str(provider.ca_bundle),
        "ISSUER": provider.issuer,
        "AUDIENCE": AUDIENCE,
    }
    subjects = {
        KEY_SET_CLIENT: Subject((peers / "key_set_client",), own, event, []),
        OURS: Subject(OUR_FOLDERS, _environment(address, provider), event, []),
    }
    if with_node:
        asked = {"issuer": provider.issuer, "keys_url": provider.keys_url, "audience": AUDIENCE, "token": token}
        program = [node(), str(PEERS / "first-answer.js"), json.dumps(asked)]
        trusts = {"NODE_EXTRA_CA_CERTS": str(provider.ca_bundle)}
        subjects[AWS_JWT_VERIFY] = Subject((), trusts, event, [], program)
    return subjects
