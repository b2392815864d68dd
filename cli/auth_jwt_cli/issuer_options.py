"""The options that stand for the members of an issuer's configuration. `issuer add` and `issuer set` share them."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import typer

from auth_jwt.issuers.models import Mapped, TokenKind
from auth_jwt_cli.options import named_algorithms, with_options
from auth_jwt_cli.output import Misused
from auth_jwt_cli.sources import pair_of
from auth_jwt_cli.times import parse_duration

_TOKENS: Final = "Which of its tokens are accepted"
_USERS: Final = "Which SIP user a token speaks for"

Command = TypeVar("Command", bound=Callable[..., None])


def _option(kind: Any, *names: str, text: str, panel: str = _TOKENS, **more: Any) -> tuple[Any, object]:  # noqa: ANN401
    return Annotated[kind | None, typer.Option(*names, help=text, rich_help_panel=panel, **more)], None


_OPTIONS: Final[dict[str, tuple[Any, object]]] = {
    "audiences": _option(
        list[str], "--audience", text="An accepted audience (`aud`). May be repeated.", metavar="AUD"
    ),
    "access_audiences": _option(
        list[str],
        "--access-audience",
        text="One of the audiences that only access tokens have. May be repeated.",
        metavar="AUD",
    ),
    "client_ids": _option(
        list[str],
        "--client-id",
        text="An accepted client, for tokens without an audience. May be repeated.",
        metavar="ID",
    ),
    "client_claim": _option(str, "--client-claim", text="The claim that names the client.", metavar="CLAIM"),
    "algorithms": _option(
        str,
        "--alg",
        "--algorithms",
        text="The accepted algorithms, such as `RS256,ES256`.",
        metavar="LIST",
    ),
    "token_kind": _option(TokenKind, "--token-kind", text="Whether access tokens or ID tokens log in."),
    "required_claims": _option(
        list[str],
        "--require",
        text="A claim that tokens must have, with its value: a JSON value, or else text. May be repeated.",
        metavar="CLAIM=VALUE",
    ),
    "access_claims": _option(
        list[str],
        "--access-claim",
        text="A required claim whose value only access tokens have. May be repeated.",
        metavar="CLAIM",
    ),
    "longest_lifetime": _option(
        int,
        "--longest-lifetime",
        text="The longest time from `iat` to `exp`.",
        parser=parse_duration,
        metavar="DURATION",
    ),
    "requires_jti": _option(bool, "--jti/--no-jti", text="Whether tokens must have a `jti`."),
    "mapping": _option(
        Mapped,
        "--mapping",
        text="By the profile ISSUER#sub, or by a claim that is the SIP username.",
        panel=_USERS,
    ),
    "username_claim": _option(
        str, "--username-claim", text="That claim; it implies --mapping claim.", panel=_USERS, metavar="CLAIM"
    ),
    "username_pattern": _option(
        str,
        "--username-pattern",
        text="The regular expression that its whole value must match.",
        panel=_USERS,
        metavar="PATTERN",
    ),
    "sip_domain": _option(
        str, "--domain", text="The SIP domain of those users, which no other may have.", panel=_USERS, metavar="NAME"
    ),
    "permits_no_domain": _option(
        bool,
        "--permit-no-domain/--demand-domain",
        text="Whether API Gateway's authorizer, which knows no domain, admits those users.",
        panel=_USERS,
    ),
}  # fmt: skip


def states_members(command: Command) -> Command:
    """Give a *command* an option for each member of a configuration. They make its parameter `given`."""
    return with_options(command, "given", _OPTIONS, _given)


def _given(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - each option has a type of its own
    given = {name: value for name, value in options.items() if value is not None and value != []}
    if "algorithms" in given:
        given["algorithms"] = list(named_algorithms(given["algorithms"]) or ())
    if "required_claims" in given:
        given["required_claims"] = {
            name: _json_or_text(value) for name, value in map(pair_of, given["required_claims"])
        }
    if "username_claim" in given:
        given.setdefault("mapping", Mapped.BY_CLAIM)
    return given


def _json_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise Misused("the value of a claim is nested too deep") from None
