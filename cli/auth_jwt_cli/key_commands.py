"""`auth-jwt key`: from the forms in which keys come to the one a secret should have, and how to tell keys apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from auth_jwt import extract_pub_key_from_cert
from auth_jwt.errors import Invalid, InvalidKey
from auth_jwt.models import Policy, Secret
from auth_jwt.provisioning.inspection import inspected
from auth_jwt.tokens import strict_json_object
from auth_jwt_cli.inputs import secret_text, text_of
from auth_jwt_cli.options import Exact, SecretFile, writes_output
from auth_jwt_cli.output import Output, table

app = typer.Typer(help="Keys: converted, and told apart.", no_args_is_help=True)

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file; `-` is standard input.")]
_PUBLIC_MEMBERS: Final = ("kty", "crv", "n", "e", "x", "y")


@app.command("from-cert")
@writes_output
def from_cert(output: Output, file: KeyFile) -> None:
    """Write the public key of the first certificate in a PEM file, as PEM. Dates and chain are not looked at.

    Example: auth-jwt key from-cert issuer.crt | auth-jwt secret add alice-web --secret-file -
    """
    try:
        pem = extract_pub_key_from_cert(text_of(file, "the certificate"))
    except InvalidKey as error:
        raise Invalid(str(error)) from None
    output.show({"public_key": pem}, pem.removesuffix("\n"))


@app.command("from-jwk")
@writes_output
def from_jwk(
    output: Output,
    file: KeyFile,
    kid: Annotated[str | None, typer.Option("--kid", help="Of a set, only the key of this id.")] = None,
) -> None:
    """Write the public key of a JWK, or those of a JWKS, as PEM. Of a private JWK, only its public part.

    Example: auth-jwt key from-jwk jwks.json --kid 2026-11
    """
    keys = []
    for jwk in _jwks_in(text_of(file, "the JWK")):
        if kid is not None and jwk.get("kid") != kid:
            continue
        if "d" in jwk:
            output.warn("this JWK is private: only its public part is written; keep the file from other eyes")
        keys.append({"kid": jwk.get("kid"), "public_key": _public_pem(jwk)})
    if not keys:
        raise Invalid("there is no such key in it")
    output.show({"keys": keys}, "".join(str(key["public_key"]) for key in keys).removesuffix("\n"))


@app.command("fingerprint")
@writes_output
def fingerprint(output: Output, secret_file: SecretFile = None, exact: Exact = False) -> None:
    """Show by which a key is told apart, as `secret list` shows it: does the issuer have the same?

    Of a public key it is its thumbprint (RFC 7638), of an HMAC secret a digest that is slow to guess by.

    Example: auth-jwt key fingerprint --secret-file alice.secret
    """
    stored = secret_text(secret_file, exact=exact, twice=False)
    record = inspected(Secret(id="", stored=stored, start=0, end=2**40), "", Policy(), now=0)
    if not record.keys:
        raise Invalid(f"there is no key in it that verifies anything: {record.unusable}")
    if record.unusable is not None:
        output.warn(f"with the default settings it verifies nothing: {record.unusable}")
    keys = [
        {"fingerprint": key.fingerprint, "kind": key.kind, "algorithms": list(key.algorithms), "kid": key.kid}
        for key in record.keys
    ]
    rows = [(key["fingerprint"], key["kind"], ",".join(key["algorithms"] or ()), key["kid"]) for key in keys]
    output.show({"keys": keys}, table(("FINGERPRINT", "KIND", "ALGORITHMS", "KID"), rows))


def _jwks_in(text: str) -> list[Mapping[str, Any]]:
    try:
        document = strict_json_object(text)
    except ValueError:
        raise Invalid("it is no JSON object") from None
    entries = [document] if "kty" in document else document.get("keys")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Invalid("it is neither a JWK nor a JWKS")
    return entries


def _public_pem(jwk: Mapping[str, Any]) -> str:
    if jwk.get("kty") == "oct":
        raise Invalid("an `oct` JWK is an HMAC secret: it has no public part; it may be a secret as it is")
    from auth_jwt import asymmetric

    try:
        key = asymmetric.public_key_of_jwk({name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk})
        asymmetric.algorithms_of(key)
    except InvalidKey as error:
        raise Invalid(str(error)) from None
    return asymmetric.public_pem(key)
