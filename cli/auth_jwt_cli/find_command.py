"""`auth-jwt find`: profiles by SIP user, domain, state, attribute, tag or key."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.options import reads_tables
from auth_jwt_cli.output import REFUSED, Misused, pluralize
from auth_jwt_cli.scans import ReadUnits

if TYPE_CHECKING:
    from auth_jwt.provisioning.finding import Wanted
    from auth_jwt.provisioning.profiles import ProfileRecord
    from auth_jwt_cli.listing import Listed

_STATES: Final = "enabled, disabled, tokens-revoked or no-usable-secret"
_SHOWN_TOGETHER: Final = 100


@reads_tables
def find(
    connection: Connection,
    user: Annotated[
        str | None,
        typer.Argument(metavar="USER", help="The SIP user: `alice`, `alice@example.org`, or either with `sip:`."),
    ] = None,
    *,
    user_prefix: Annotated[
        str | None, typer.Option("--user-prefix", metavar="TEXT", help="How the SIP username begins.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="The SIP domain, in any case.")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help=f"The state: {_STATES}.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", metavar="NAME=VALUE", help="Another column of the profile, of any type. May be repeated."
        ),
    ] = None,
    tag_prefix: Annotated[str | None, typer.Option("--tag-prefix", metavar="TEXT", help="How the tag begins.")] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint", metavar="TEXT", help="The fingerprint of a secret of the tag: see `secret show`."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after this many profiles.")
    ] = None,
    read_units: ReadUnits = None,
) -> None:
    """Find profiles by SIP user, domain, state, attribute, tag or key.

    A profile is found if it meets all conditions. A SIP user is found at once where the table has the index
    `by_sip_user`. Everything else is found by a scan of the whole table, and shown as it is found. With --json, each
    line is a profile, as JSON.

    Exit codes: 0 somebody was found; 1 nobody was found.

    Example: auth-jwt find alice@example.org

    Example: auth-jwt find --domain example.org --state disabled --json
    """
    from auth_jwt_cli.listing import Listing
    from auth_jwt_cli.scans import Scanning, finding_by, naming_the_pace

    wanted = _wanted(user, user_prefix, domain, state, attribute or [], tag_prefix, fingerprint)
    output = connection.output
    listing = Listing(output, ("TAG", "USERNAME", "DOMAIN", "STATE"))
    pending: list[Listed] = []
    count = 0

    def show() -> None:
        listing.show(pending)
        pending.clear()

    scanning = Scanning(output, read_units, before=show)
    try:
        with naming_the_pace():
            for record in finding_by(connection, scanning).find(wanted):
                pending.append(_listed(record))
                count += 1
                if len(pending) == _SHOWN_TOGETHER:
                    show()
                if count == limit:
                    break
    finally:  # also of a search that fails later: what was found is true
        show()
    scanning.tell_cost()
    if count == limit:
        output.note(f"There may be more than {pluralize(count, 'profile')}: --limit.")
    if not count:
        output.note("Nobody was found.")
        raise typer.Exit(REFUSED)


def _wanted(
    user: str | None,
    user_prefix: str | None,
    domain: str | None,
    state: str | None,
    attributes: list[str],
    tag_prefix: str | None,
    fingerprint: str | None,
) -> "Wanted":
    from auth_jwt.provisioning.finding import ProfileState, SipUser, Wanted
    from auth_jwt_cli.sources import pair_of

    if state is not None and state not in [each.value for each in ProfileState]:
        raise Misused(f"there is no state {state!r}: it is {_STATES}")
    wanted = Wanted(
        users=() if user is None else SipUser.readings(user),
        username_prefix=user_prefix,
        domain=domain,
        state=None if state is None else ProfileState(state),
        attributes=dict(map(pair_of, attributes)),
        tag_prefix=tag_prefix,
        fingerprint=fingerprint,
    )
    if wanted == Wanted():
        raise Misused("say whom to find: a USER, or an option; `auth-jwt profile list` lists all profiles")
    return wanted


def _listed(record: "ProfileRecord") -> "Listed":
    from auth_jwt.provisioning.rendering import profile_json

    states = ["disabled" if record.disabled else "enabled"]
    if record.tokens_valid_after is not None:
        states.append("tokens revoked")
    return profile_json(record), (record.tag, record.sip_username, record.sip_domain, ", ".join(states))
