"""`auth-jwt revoke`: revokes one token or all tokens of a profile, lists revocations, and lifts them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from auth_jwt.errors import Denied, Invalid
from auth_jwt.jose.tokens import unverified_jws, unverified_object, unverified_tag
from auth_jwt.models import Report, Secret
from auth_jwt.provisioning.explanation import Explanation, StepOutcome
from auth_jwt.provisioning.registry import check_time
from auth_jwt.provisioning.rendering import revocation_json
from auth_jwt.provisioning.revocations import Revocation
from auth_jwt.rules import is_number, signing_secret
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.inputs import token_text
from auth_jwt_cli.listing import Listed, show_list
from auth_jwt_cli.options import TokenFile, Yes, writes_tables
from auth_jwt_cli.output import Misused, Part, details
from auth_jwt_cli.tag_completion import complete_tag
from auth_jwt_cli.times import format_date, format_instant, parse_instant
from auth_jwt_cli.token_commands import explanation_of


@writes_tables
def revoke(
    connection: Connection,
    tag: Annotated[
        str | None,
        typer.Argument(
            metavar="TAG", help="Whose tokens; not needed with the token itself.", autocompletion=complete_tag
        ),
    ] = None,
    jti: Annotated[str | None, typer.Option("--jti", metavar="ID", help="The id of one token.")] = None,
    token_file: TokenFile = None,
    exp: Annotated[
        int | None,
        typer.Option(
            "--exp",
            parser=parse_instant,
            metavar="TIME",
            help="When that token expires; without it, it stays listed.",
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All tokens issued before now, or before --before.")] = False,
    before: Annotated[
        int | None,
        typer.Option("--before", parser=parse_instant, metavar="TIME", help="With --all: issued before this."),
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the revocation.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the tokens that are revoked one by one.")] = False,
    yes: Yes = False,
) -> None:
    """Revoke one token, by its id or by the token itself, or all tokens of a profile.

    Revoking one token needs REVOCATIONS_TABLE.

    Say which by --jti, --token-file or --all. `--token-file -` reads the token from a prompt or from standard input.

    Example: auth-jwt revoke --token-file stolen.txt

    Example: auth-jwt revoke alice-web --jti 5f3a --exp +1h

    Example: auth-jwt revoke alice-web --all
    """
    if sum((jti is not None, token_file is not None, all_, show)) > 1:
        raise Misused("--jti, --token-file, --all and --list are four different things: one is enough")
    if jti is None and token_file is None and not all_ and not show:
        raise Misused(
            "say what to revoke: --jti ID for one token by its id, --token-file FILE for a token that you have (`-` "
            "asks for it, or reads standard input), or --all for all tokens of TAG"
        )
    if before is not None and (lift or not all_):
        raise Misused("--before goes with --all, to revoke")
    if exp is not None and (lift or all_ or show):
        raise Misused("--exp goes with one token, to revoke it")
    if lift and show:
        raise Misused("--lift and --list are two different things: one is enough")
    if show:
        _list(connection, _require_tag(tag, "list"))
    elif all_:
        _revoke_all(connection, _require_tag(tag), before, lift=lift, yes=yes)
    elif jti is not None:
        _revoke_one(connection, _require_tag(tag), jti, exp, lift=lift)
    else:
        own_tag, own_jti, own_exp = _read_token(connection, _given_token(token_file))
        if tag is not None and tag != own_tag:
            raise Misused(f"the token is not of {tag!r}, but of {own_tag!r}")
        _revoke_one(connection, own_tag, own_jti, own_exp if exp is None else exp, lift=lift)


def _given_token(file: Path | None) -> str:
    token = token_text(file)
    if not token:
        raise Misused("the token is empty: there is nothing to revoke")
    return token


def _revoke_one(connection: Connection, tag: str, jti: str, exp: int | None, *, lift: bool) -> None:
    output = connection.output
    if lift:
        connection.writing.revocations.lift(tag, jti)
        output.show({"tag": tag, "jti": jti, "lifted": True}, f"The token {jti!r} of {tag!r} is good again.")
    else:
        revocation = connection.writing.revocations.revoke(tag, jti, exp=exp)
        output.show(revocation_json(revocation), _describe(revocation, connection))
    connection.tell_when_it_works()


def _revoke_all(connection: Connection, tag: str, before: int | None, *, lift: bool, yes: bool) -> None:
    output = connection.output
    if lift:
        connection.writing.revocations.lift_all(tag)
        output.show(
            {"tag": tag, "tokens_valid_after": None},
            f"Tokens of {tag!r} are good again, whenever they were issued; those revoked one by one stay revoked.",
        )
    else:
        output.confirm(f"Revoke all tokens of {tag!r} issued before {_when(connection, before)}?", yes=yes)
        bound = connection.writing.revocations.revoke_all(tag, before=before)
        output.show(
            {"tag": tag, "tokens_valid_after": bound},
            f"Tokens of {tag!r} issued before {_when(connection, bound)} are revoked, and those without `iat`.",
        )
    connection.tell_when_it_works()


def _list(connection: Connection, tag: str) -> None:

    def pages() -> Iterator[list[Listed]]:
        following = None
        while True:
            page = connection.reading.revocations.page(tag, after=following)
            yield [(revocation_json(one), _cells(one)) for one in page.revocations]
            following = page.next
            if following is None:
                return

    show_list(connection.output, ("JTI", "REVOKED", "FORGOTTEN"), pages())


def _cells(one: Revocation) -> tuple[object, ...]:
    return one.jti, format_date(one.revoked_at), "never" if one.expires_at is None else format_date(one.expires_at)


def _read_token(connection: Connection, token: str) -> tuple[str, str, int | None]:
    """Return tag, `jti` and expiry of a token, if a secret of its tag signed it, open or not, or a key of its issuer.

    An issuer's token is revoked by the issuer in place of a tag.

    Raises:
        Invalid: the service would deny the token, or it has no `jti`.
    """
    registry, policy = connection.reading.registry, connection.settings.policy
    if connection.settings.issuer_patterns is not None:
        explanation = explanation_of(token, connection, registry.clock())
        if explanation.issuer is not None:
            return _of_issuer(explanation, explanation.issuer)
    try:
        jws = unverified_jws(token, policy.header, max_bytes=policy.max_token_bytes)
        claims = unverified_object(jws.payload)
        tag = unverified_tag(claims, policy.tag_claim)
        secrets = [Secret.from_row(row, registry.columns) for row in registry.store.secrets(tag)]
        signing_secret(jws, secrets, policy.min_hmac_key_bytes, Report())
    except Denied as denied:
        raise Invalid(f"the service denies this token ({denied.reason}), so there is nothing to revoke") from None
    return tag, _jti_of(claims), _exp_of(claims)


def _of_issuer(explanation: Explanation, issuer: str) -> tuple[str, str, int | None]:
    """Return issuer, `jti` and expiry of an issuer's token.

    Raises:
        Invalid: no key of the issuer signed it, or it has no `jti`.
    """
    if not any(step.name == "signature" and step.outcome is StepOutcome.PASSED for step in explanation.steps):
        raise Invalid("no key of its issuer signed this token, as they were last fetched: there is nothing to revoke")
    claims = explanation.claims or {}
    return issuer, _jti_of(claims), _exp_of(claims)


def _jti_of(claims: Mapping[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Invalid("the token has no `jti`, so it cannot be revoked alone; revoke all tokens of its tag: --all")
    return jti


def _exp_of(claims: Mapping[str, Any]) -> int | None:
    """Return the first second at which the token has expired; None, which means never, if `exp` is not a time."""
    exp = claims.get("exp")
    try:
        return check_time("exp", int(exp) + 1) if is_number(exp) else None
    except (Invalid, OverflowError):
        return None


def _require_tag(tag: str | None, verb: str = "revoke") -> str:
    if tag is None:
        raise Misused(f"TAG is missing: it says whose tokens to {verb}")
    return tag


def _when(connection: Connection, instant: int | None) -> str:
    return "now" if instant is None else format_instant(instant, connection.reading.registry.clock())


def _describe(revocation: Revocation, connection: Connection) -> Part:
    now = connection.reading.registry.clock()
    forgotten = "never" if revocation.expires_at is None else format_instant(revocation.expires_at, now)
    return details(
        {
            "tag": revocation.tag,
            "revoked token": revocation.jti,
            "since": format_instant(revocation.revoked_at, now),
            "forgotten": forgotten,
        }
    )
