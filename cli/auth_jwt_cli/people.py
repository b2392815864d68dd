"""People: the profiles of a SIP user, for commands that begin with one."""

import shlex
from itertools import islice
from typing import TYPE_CHECKING, Final

from auth_jwt.errors import NotFound

if TYPE_CHECKING:
    from auth_jwt.provisioning.profiles import ProfileRecord
    from auth_jwt_cli.connection import Connection


_MOST_OTHERS: Final = 3


def profiles_of(connection: "Connection", user: str) -> "list[ProfileRecord]":
    """Return the profiles that speak for a SIP user: `alice`, `alice@example.org`, `sip:alice@example.org`.

    Raises:
        NotFound: there is none.
        Fault: the tables cannot be read to the end.
    """
    from auth_jwt.provisioning.finding import SipUser, Wanted
    from auth_jwt_cli.scans import Scanning, finding_by, naming_the_pace

    slower = shlex.join(["auth-jwt", "find", user, "--read-units", "100", *connection.where.options])
    with naming_the_pace(f"`{slower}` finds the tag by a slower scan: name that by --tag"):
        found = list(
            finding_by(connection, Scanning(connection.output, None)).find(Wanted(users=SipUser.readings(user)))
        )
        if not found:
            raise NotFound(f"no profile speaks for the SIP user {user!r}: {_describe_others(connection, user)}")
    return sorted(found, key=lambda profile: profile.tag)


def _describe_others(connection: "Connection", user: str) -> str:
    """Return whether the username is there with another domain, which is the commonest mistake at the phone."""
    from auth_jwt.provisioning.finding import SipUser, Wanted
    from auth_jwt_cli.scans import Scanning, finding_by

    names = {reading.username for reading in SipUser.readings(user) if reading.domain is not None}
    if names:
        wanted = Wanted(users=tuple(SipUser(name) for name in sorted(names)))
        there = list(islice(finding_by(connection, Scanning(connection.output, None)).find(wanted), _MOST_OTHERS))
        if there:
            told = ", ".join(
                f"with {'no domain' if each.sip_domain is None else f'the domain {each.sip_domain}'} (tag {each.tag})"
                for each in there
            )
            return f"there is a {there[0].sip_username!r} {told}"
    return "usernames are compared exactly; `auth-jwt find --user-prefix TEXT` finds those that begin so"


def at_stack(connection: "Connection") -> "Connection":
    """Return the connection to the tables of the stack, unless the options name other settings.

    Raises:
        Fault: the stack cannot be read.
    """
    from auth_jwt_cli.logs.groups import LOGIN_FUNCTIONS, outputs_of_stack

    where = connection.where
    function = None if where.names_source else outputs_of_stack(connection).get(LOGIN_FUNCTIONS[0])
    return connection if function is None else connection.of_function(function, where.given)
