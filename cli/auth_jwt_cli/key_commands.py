"""`auth-jwt key`: converts keys to the form that a secret should have, and tells keys apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from auth_jwt import extract_pub_key_from_cert
from auth_jwt.errors import Invalid, InvalidKey
from auth_jwt.models import Policy, Secret
from auth_jwt.provisioning.inspection import inspect_secret
from auth_jwt.provisioning.statements import weakness_in
from auth_jwt_cli.inputs import octets_of, secret_text, text_of
from auth_jwt_cli.mending import MendedKey, keys_in, keys_of_jwk_text
from auth_jwt_cli.options import Algorithms, Exact, SecretFile, named_algorithms, writes_output
from auth_jwt_cli.output import Output, table

app = typer.Typer(help="Convert keys, and tell them apart.", no_args_is_help=True)

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file; `-` is standard input.")]


@app.command("from-cert")
@writes_output
def from_cert(output: Output, file: KeyFile) -> None:
    """Write the public key of the first certificate in a PEM file, as PEM. Dates and chain are not checked.

    Example: auth-jwt key from-cert issuer.crt | auth-jwt secret add alice-web --secret-file -
    """
    try:
        pem = extract_pub_key_from_cert(text_of(file, "the certificate", holds_key=True))
    except InvalidKey as error:
        raise Invalid(str(error)) from None
    keys_in(pem.encode())  # rejects a key that verifies nothing here, or with which anybody can sign
    output.show({"public_key": pem}, pem.removesuffix("\n"))


@app.command("from-jwk")
@writes_output
def from_jwk(
    output: Output,
    file: KeyFile,
    kid: Annotated[str | None, typer.Option("--kid", metavar="KID", help="Write only the key with this id.")] = None,
) -> None:
    """Write the public key of a JWK, or the keys of a JWKS, as PEM. Of a private JWK, write only the public part.

    Example: auth-jwt key from-jwk jwks.json --kid 2026-11
    """
    _show(output, keys_of_jwk_text(text_of(file, "the JWK", holds_key=True), kid=kid))


@app.command("mend")
@writes_output
def mend(
    output: Output,
    file: KeyFile,
    kid: Annotated[str | None, typer.Option("--kid", metavar="KID", help="Write only the key with this id.")] = None,
) -> None:
    """Write the public keys in a file as PEM, whatever their form, and say what was mended.

    It reads PEM with damaged lines, with escaped line breaks, or in UTF-16; DER, certificates and PKCS#7; a JSON
    map of key ids to PEM; OpenSSH lines; base64 or hex of these; JWK and JWKS. Of a private key, it writes only the
    public part.

    Example: auth-jwt key mend issuer.der | auth-jwt secret add alice-web --secret-file -
    """
    _show(output, keys_in(octets_of(file, "the key"), kid=kid))


@app.command("fingerprint")
@writes_output
def fingerprint(
    output: Output, secret_file: SecretFile = None, exact: Exact = False, algorithms: Algorithms = None
) -> None:
    """Show the fingerprint of a key, as `secret list` does, to check whether the issuer has the same key.

    For a public key it is the thumbprint (RFC 7638). For an HMAC secret it is a slow digest, to make guessing hard.

    Example: auth-jwt key fingerprint --secret-file alice.secret
    """
    stored = secret_text(secret_file, exact=exact, twice=False)
    names = named_algorithms(algorithms)
    declared = None if names is None else frozenset(names)
    secret = Secret(id="", stored=stored, start=0, end=2**40, algorithms=declared)
    record = inspect_secret(secret, "", Policy(), now=0)
    if not record.keys:
        raise Invalid(f"it holds no key that can verify tokens: {record.unusable}")
    if record.unusable is not None:
        output.warn(f"with the default settings it verifies nothing: {record.unusable}")
    if weakness := weakness_in(secret.keys):
        output.warn(f"anybody can sign with this key: it is {weakness}")
    keys = [
        {"fingerprint": key.fingerprint, "kind": key.kind, "algorithms": list(key.algorithms), "kid": key.kid}
        for key in record.keys
    ]
    rows = [(key["fingerprint"], key["kind"], ",".join(key["algorithms"] or ()), key["kid"]) for key in keys]
    output.show({"keys": keys}, table(("FINGERPRINT", "KIND", "ALGORITHMS", "KID"), rows))


def _show(output: Output, keys: Sequence[MendedKey]) -> None:
    """Show *keys* as PEM, and warn on standard error of what was mended."""
    for note in dict.fromkeys(note for key in keys for note in key.notes):
        output.warn(note)
    if len(keys) > 1:
        output.note(f"{len(keys)} keys are written: a secret that holds them all verifies the tokens of each.")
    document = [{"kid": key.kid, "public_key": key.pem, "notes": list(key.notes)} for key in keys]
    output.show({"keys": document}, "".join(key.pem for key in keys).removesuffix("\n"))
