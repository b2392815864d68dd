"""`auth-jwt token`: signs tokens for a profile, and explains why the service accepts or denies one."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from auth_jwt.errors import Invalid
from auth_jwt.provisioning.rendering import Json, minted_json, secret_json
from auth_jwt.provisioning.tokens import TOKEN_SECONDS
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.explanation import Explanation, KeyLook, SecretLook, StepOutcome
from auth_jwt_cli.inputs import token_text
from auth_jwt_cli.issuer_explanation import explain as explain_any
from auth_jwt_cli.options import Out, Tag, TokenFile, reads_tables
from auth_jwt_cli.output import FAULT, REFUSED, Misused, details, marked, render_cell
from auth_jwt_cli.sources import pair_of
from auth_jwt_cli.times import format_duration, format_instant, parse_duration, parse_instant
from auth_jwt_cli.values import GeneratedValue

app = typer.Typer(help="Sign tokens, and explain decisions about them.", no_args_is_help=True)

Lifetime = Annotated[
    int,
    typer.Option(
        "--lifetime",
        parser=parse_duration,
        metavar="DURATION",
        help="How long the token is valid. It expires earlier if its secret ends earlier.",
        show_default="5m",
    ),
]
At = Annotated[
    int | None, typer.Option("--at", parser=parse_instant, metavar="TIME", help="Judge as if it were this time.")
]


@app.command("mint")
@reads_tables
def mint(
    connection: Connection,
    tag: Tag,
    lifetime: Lifetime = TOKEN_SECONDS,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=VALUE", help="Another claim: a JSON value, or else text."),
    ] = None,
    jti: Annotated[str | None, typer.Option("--jti", help="Its id; without it, one is generated.")] = None,
    secret_id: Annotated[
        str | None,
        typer.Option("--secret-id", metavar="ID", help="The secret that signs; without it, the longest open one."),
    ] = None,
    out: Out = None,
) -> None:
    """Sign a token for a profile with an open HMAC secret, after a check that the service would accept it.

    Example: auth-jwt token mint alice-web --lifetime 15m --claim role='"admin"'
    """
    if jti == "":
        raise Misused("--jti is empty; without it, an id is generated")
    claims = {name: _json_or_text(value) for name, value in map(pair_of, claim or ())}
    with GeneratedValue(connection, out, member="token") as value:
        minted = connection.reading.tokens.mint(
            tag, lifetime_seconds=lifetime, claims=claims, jti=jti, secret_id=secret_id
        )
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
) -> None:
    """Explain step by step, by the tables as they are now, whether the service would accept a token, and why.

    The token is read from a prompt, from --token-file or from standard input; it is neither shown nor logged.

    Exit code 0: the service would accept it; 1: it would deny it; 4: it cannot decide.

    Example: auth-jwt token explain --token-file token.txt
    """
    now = connection.reading.registry.clock() if at is None else at
    explanation = explanation_of(token_text(token_file), connection, now, from_user=from_user, from_domain=from_domain)
    document = explanation_json(explanation, with_claims=claims)
    connection.output.show(document, *describe_explanation(explanation, now, with_claims=claims))
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
    """Return the members of an *explanation*, and the token's claims on demand."""
    answer = explanation.answer
    document: Json = {
        "accepted": answer is not None,
        "reason": explanation.reason,
        "fault": explanation.fault,
        "retry_after": explanation.retry_after,
        "issuer": explanation.issuer,
        "tag": explanation.tag,
        "steps": [
            {"name": step.name, "outcome": step.outcome, "reason": step.reason, "text": step.text}
            for step in explanation.steps
        ],
        "secrets": [
            {**secret_json(look.record), "passed_over": look.passed_over, "signed": look.signed}
            for look in explanation.secrets
        ],
        "keys": [
            {
                "kid": look.key.kid,
                "thumbprint": look.key.thumbprint,
                "blocked": look.key.blocked,
                "named": look.named,
                "signed": look.signed,
            }
            for look in explanation.keys
        ],
    }
    if answer is not None:
        document["sip_username"] = answer.sip_username
        document["expires_at"] = answer.expires_at
        document["credentials"] = sorted(answer.credentials)
    if with_claims:
        document |= {"header": explanation.header, "claims": explanation.claims}
    return document


def describe_explanation(explanation: Explanation, now: float, *, with_claims: bool) -> Iterator[RenderableType]:
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
    elif explanation.retry_after is not None:
        yield f"\ndeferred: ask again in {format_duration(explanation.retry_after)}"
    else:
        yield f"\ncannot be decided: {explanation.fault}"


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
