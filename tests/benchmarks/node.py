"""aws-jwt-verify in a process of node, which measures itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from tools.events.samples import (
    EC_P256,
    ED25519,
    RSA,
    START_2025,
    START_2099,
    Signer,
    Token,
    ec_signer,
    rsa_signer,
)
from tools.events.stage import Json

PEERS: Final = Path(__file__).resolve().parent / "peers"
ISSUER: Final = "https://issuer.example.com"
KEY_ID: Final = "sample"
WARMING_CALLS: Final = 5000  # node compiles what runs often


class NoNodeError(Exception):
    """aws-jwt-verify cannot be run here."""


def _signer(algorithm: str) -> Signer:
    return {
        "RS256": rsa_signer(RSA),
        "ES256": ec_signer(EC_P256),
        "EdDSA": Signer("EdDSA", ED25519.sign),
    }[algorithm]


def _jwk(algorithm: str) -> Json:
    import jwt.algorithms

    kinds = {"RS256": (jwt.algorithms.RSAAlgorithm, RSA), "ES256": (jwt.algorithms.ECAlgorithm, EC_P256)}
    kind, key = kinds.get(algorithm, (jwt.algorithms.OKPAlgorithm, ED25519))
    jwk: Json = kind.to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined]
    jwk.pop("key_ops", None)
    return {**jwk, "kid": KEY_ID, "use": "sig", "alg": algorithm}


class AwsJwtVerify:
    """A verifier whose key set is in its memory."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions, self._answers = questions, answers

    def prepare(self, algorithm: str) -> None:
        """Give it a token like the sample's of *algorithm*, and warm it; it demands an issuer and a key id on top."""
        payload = {"tag": "carol-desk", "iat": START_2025, "exp": START_2099, "iss": ISSUER}
        token = Token(payload, _signer(algorithm), {"kid": KEY_ID}).text
        if self.prepare_with(ISSUER, {"keys": [_jwk(algorithm)]}, token) != payload:
            raise NoNodeError("it does not give the payload back")

    def prepare_with(self, issuer: str, jwks: Json, token: str) -> object:
        """Give it a *token* and the key set of its *issuer*, warm it, and return the payload that it gives back."""
        decoded = self._ask({"issuer": issuer, "jwks": jwks, "token": token})
        self.microseconds(WARMING_CALLS)
        return decoded

    def microseconds(self, calls: int) -> float:
        """Return what a call takes, by so many *calls*."""
        return float(self._ask(calls))  # type: ignore[arg-type]

    def _ask(self, question: object) -> object:
        self._questions.write(json.dumps(question) + "\n")
        self._questions.flush()
        answer = self._answers.readline()
        if not answer:
            raise NoNodeError("it ended; what it said stands above")
        return json.loads(answer)


def node() -> str:
    """Return the path of node.

    Raises:
        NoNodeError: there is none.
    """
    found = shutil.which("node")
    if found is None:
        raise NoNodeError("no node on PATH")
    return found


@contextmanager
def aws_jwt_verify() -> Iterator[AwsJwtVerify]:
    """Run node while the block lasts.

    Raises:
        NoNodeError: there is no node, or the package is not installed.
    """
    program = node()
    if not (PEERS / "node_modules" / "aws-jwt-verify").is_dir():
        raise NoNodeError("not installed: `npm ci` in tests/benchmarks/peers, as `make bench` does")
    command = [program, str(PEERS / "aws-jwt-verify.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise NoNodeError("no pipes")
        try:
            yield AwsJwtVerify(process.stdin, process.stdout)
        finally:
            process.stdin.close()
