"""`auth-jwt token`: signs tokens for a profile, and explains why the service accepts or denies one."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auth_jwt.errors import Invalid, Reason
from auth_jwt.provisioning.explanation import Explanation, KeyLook, SecretLook, StepOutcome
from auth_jwt.provisioning.issuer_explanation import explain as explain_any
from auth_jwt.provisioning.pasted import Pasted, read_pasted
from auth_jwt.provisioning.rendering import Json, minted_json
from auth_jwt.provisioning.rendering import explanation_json as to_json
from auth_jwt.provisioning.tokens import TOKEN_SECONDS, minting_entry
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.inputs import token_text
from auth_jwt_cli.options import Out, Tag, TokenFile, reads_tables, writes_audit
from auth_jwt_cli.output import FAULT, REFUSED, Misused, Output, Part, details, marked, message_of, prose, render_cell
from auth_jwt_cli.sources import pair_of
from auth_jwt_cli.times import format_duration, format_instant, parse_duration, parse_instant
from auth_jwt_cli.values import GeneratedValue

if TYPE_CHECKING:
    from auth_jwt.provisioning.inspection import SecretRecord

app = typer.Typer(help="Sign tokens, and explain decisions about them.", no_args_is_help=True)

Lifetime = Annotated[
    int,
    typer.Option(
        "--lifetime",
        parser=parse_duration,
        metavar="DURATION",
        help="How long the token is valid. It expires earlier if its secret ends earlier. [default: 5m]",
        show_default=False,
    ),
]
_NAMED_SIGNERS: Final = 10
_PERHAPS_ANOTHERS: Final = (Reason.BAD_SIGNATURE, Reason.UNKNOWN_TAG, Reason.NO_ACTIVE_SECRET)

At = Annotated[
    int | None, typer.Option("--at", parser=parse_instant, metavar="TIME", help="Judge as if it were this time.")
]


@app.command("mint")
@writes_audit
def mint(
    connection: Connection,
    tag: Tag,
    lifetime: Lifetime = TOKEN_SECONDS,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=VALUE", help="Another claim: a JSON value, or else text."),
    ] = None,
    jti: Annotated[
        str | None, typer.Option("--jti", metavar="ID", help="Its id; without it, one is generated.")
    ] = None,
    secret_id: Annotated[
        str | None,
        typer.Option("--secret-id", metavar="ID", help="The secret that signs; without it, the longest open one."),
    ] = None,
    out: Out = None,
) -> None:
    """Sign a token for a profile with an open HMAC secret, after a check that the service would accept it.

    Whoever has the token can log in as the user. So it leaves a line of audit first, `token.mint`, with the id of the
    token and never the token; if the line cannot be written, there is no token.

    Example: auth-jwt token mint alice-web --lifetime 15m --claim role='"admin"'
    """
    if jti == "":
        raise Misused("--jti is empty; without it, an id is generated")
    claims = {name: _json_or_text(value) for name, value in map(pair_of, claim or ())}
    with GeneratedValue(connection, out, member="token") as value:
        minted = connection.reading.tokens.mint(
            tag, lifetime_seconds=lifetime, claims=claims, jti=jti, secret_id=secret_id
        )
        registry = connection.reading.registry
        connection.audit.note_before(minting_entry(minted, actor=connection.actor, at=registry.now()))
        value.hold(minted.token)
    document = {name: member for name, member in minted_json(minted).items() if name != "token"}
    described = {
        "username": minted.answer.sip_username,
        "signed by": f"secret {minted.secret_id!r}",
        "jti": minted.jti,
        "expires": format_instant(minted.expires_at, connection.reading.registry.clock()),
    }
    value.show({**value.members(), **document}, details(described))


@app.command("explain")
@reads_tables
def explain(
    connection: Connection,
    token_file: TokenFile = None,
    at: At = None,
    from_user: Annotated[
        str | None, typer.Option("--from-user", metavar="NAME", help="The SIP user the request acts as.")
    ] = None,
    from_domain: Annotated[
        str | None, typer.Option("--from-domain", metavar="NAME", help="The SIP domain of that user.")
    ] = None,
    claims: Annotated[bool, typer.Option("--claims", help="Show the claims of the token, too.")] = False,
    all_tags: Annotated[
        bool,
        typer.Option("--all-tags", help="Look among the secrets of all tags for the one that signed it: a scan."),
    ] = False,
) -> None:
    """Explain step by step, by the tables as they are now, whether the service would accept a token, and why.

    The token is read from a prompt, from --token-file or from standard input; it is neither shown nor logged. It may
    be pasted with `Authorization: Bearer`, quotes, line breaks or URL encoding: these are removed, and named.

    Exit code 0: the service would accept it; 1: it would deny it; 4: it cannot decide.

    Example: auth-jwt token explain --token-file token.txt
    """
    now = connection.reading.registry.clock() if at is None else at
    pasted = read_pasted(token_text(token_file))
    explanation = explanation_of(pasted.token, connection, now, from_user=from_user, from_domain=from_domain)
    document = {**explanation_json(explanation, with_claims=claims), "removed": list(pasted.removed)}
    tell_of_removed(pasted, connection.output)
    parts = list(describe_explanation(explanation, now, with_claims=claims))
    if all_tags:
        signers = _signers_of(pasted.token, connection)
        document["signed_by"] = [{"tag": signer.tag, "id": signer.id} for signer in signers]
        parts += [_describe_signers(signers, explanation.tag)]
    connection.output.show(document, *parts)
    if (
        not all_tags
        and explanation.reason in _PERHAPS_ANOTHERS
        and not any(look.signed for look in explanation.secrets)
    ):
        connection.output.note("--all-tags looks whether a secret of another tag signed it.")
    tell_of_memory(connection)
    if code := exit_code_of(explanation):
        raise typer.Exit(code)


def explanation_of(
    token: str, connection: Connection, now: float, *, from_user: str | None = None, from_domain: str | None = None
) -> Explanation:
    """Explain what the service would decide about *token*, by the tables and settings of the *connection*."""
    registry, settings = connection.reading.registry, connection.settings
    return explain_any(
        token,
        patterns=settings.issuer_patterns,
        keys_lifetime=settings.keys_lifetime,
        store=registry.store,
        columns=registry.columns,
        policy=registry.policy,
        now=now,
        from_user=from_user,
        from_domain=from_domain,
    )


def _signers_of(token: str, connection: Connection) -> "list[SecretRecord]":
    """Return the secrets that signed a token, of whatever tag. What has not the form of a token, none signed."""
    from auth_jwt.errors import Denied
    from auth_jwt.jose.tokens import HeaderRules, unverified_jws
    from auth_jwt.provisioning.secret_search import SecretSearch
    from auth_jwt_cli.scans import Scanning

    try:
        jws = unverified_jws(token, HeaderRules(types=None))
    except Denied:
        return []
    scanning = Scanning(connection.output, None)
    found = list(SecretSearch(connection.reading.registry, proceed=scanning).that_signed(jws))
    scanning.tell_cost()
    return found


def _describe_signers(signers: "list[SecretRecord]", tag: str | None) -> Part:
    others = [signer for signer in signers if signer.tag != tag]
    if not signers:
        return prose("No secret of any tag signed it.")
    named = ", ".join(f"secret {signer.id!r} of {signer.tag!r}" for signer in others[:_NAMED_SIGNERS])
    more = f" and {len(others) - _NAMED_SIGNERS} more" if len(others) > _NAMED_SIGNERS else ""
    if not others:
        return prose("Only secrets of its own tag signed it.")
    return prose(f"It was signed by {named}{more}: its issuer mixes up tags, or secrets.")


def tell_of_removed(pasted: Pasted, output: Output) -> None:
    """Tell what was around the token, and whether a client may send it so."""
    if pasted.removed:
        output.note(f"Read without {' and '.join(pasted.removed)}.")
    if pasted.spoils:
        output.warn(f"a client that sends it with {' and '.join(pasted.spoils)} is denied: malformed_token")


def exit_code_of(explanation: Explanation) -> int:
    """Return the exit code of a command that explained a decision."""
    if explanation.answer is not None:
        return 0
    return FAULT if explanation.reason is None else REFUSED


def _json_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except ValueError:
        return text
    except RecursionError:
        raise Misused("a claim is nested too deep") from None


def _reject_constant(name: str) -> None:
    raise Invalid(f"{name} is not a value that a claim can have")


def explanation_json(explanation: Explanation, *, with_claims: bool) -> Json:
    """Return the members of an *explanation*; its fault also says what the operator can do about it."""
    document = to_json(explanation, with_claims=with_claims)
    return document if explanation.fault is None else {**document, "fault": message_of(explanation.fault)}


def describe_explanation(explanation: Explanation, now: float, *, with_claims: bool) -> Iterator[Part]:
    """Yield an *explanation* for people."""
    rows = []
    for step in explanation.steps:
        if step.name == "signature":
            rows += [
                (_MARKS[StepOutcome.NOTED], f"secret {look.record.id!r}", _describe_look(look))
                for look in explanation.secrets
            ]
            rows += [
                (_MARKS[StepOutcome.NOTED], f"key {look.key.kid!r}", _describe_key(look)) for look in explanation.keys
            ]
        rows.append((_MARKS[step.outcome], step.name, step.text))
    yield marked(rows)
    if with_claims and explanation.claims is not None:
        yield f"\nclaims: {json.dumps(explanation.claims)}"
    answer = explanation.answer
    if answer is not None:
        until = format_instant(answer.expires_at, now)
        names = f"; credentials: {', '.join(answer.credentials)}" if answer.credentials else ""
        yield f"\naccepted, for {render_cell(answer.sip_username)} until {until}{names}"
    elif explanation.reason is not None:
        yield f"\ndenied: {explanation.reason}"
        if explanation.remedy is not None:
            yield prose(f"Next: {explanation.remedy}.")
    elif explanation.retry_after is not None:
        yield f"\ndeferred: ask again in {format_duration(explanation.retry_after)}"
    elif explanation.fault is not None:
        yield f"\ncannot be decided: {message_of(explanation.fault)}"


_MARKS: Final = {
    StepOutcome.PASSED: ("ok", "green"),
    StepOutcome.REFUSED: ("NO", "bold red"),
    StepOutcome.NOTED: ("-", ""),
    StepOutcome.UNKNOWN: ("?", "yellow"),
}


def _describe_look(look: SecretLook) -> str:
    record = look.record
    tried = f"not tried: {look.passed_over}" if look.passed_over else "tried"
    signed = "it signed this token" if look.signed else "it did not sign this token"
    if look.misreading is not None:
        signed = f"it did not sign this token, but {look.misreading.name} it would have"
    return f"{record.kind}; {tried}; {signed}"


def _describe_key(look: KeyLook) -> str:
    key = look.key
    state = "blocked" if key.blocked else "tried" if look.named else "not tried: the token has another kid"
    return f"{key.kind}; {state}; {'it signed this token' if look.signed else 'it did not sign this token'}"


def tell_of_memory(connection: Connection) -> None:
    """Tell that the service may remember older rows."""
    ttl = connection.settings.cache_ttl
    if ttl:
        connection.output.note(
            f"This is by the tables as they are now; the service may remember older rows for {format_duration(ttl)} "
            "(CACHE_TTL_SECONDS)."
        )
