"""What points other programs at the tables of a running `make serve`: lines for a shell."""

import shlex
from collections.abc import Mapping
from typing import Final

from tools.events.stage import FALSE_CREDENTIALS, ROOT

AUDIT_LOG: Final = ROOT / "build" / "serve-audit.log"
"""Apart from the audit file of real tables."""

_OTHER_TARGETS: Final = ("AUTH_JWT_CONTEXT", "AUTH_JWT_ENV_FILE", "AUTH_JWT_FUNCTION", "AUTH_JWT_STACK")
_OTHER_CREDENTIALS: Final = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


def lines_for_shell(variables: Mapping[str, str], endpoint: str | None) -> list[str]:
    """Return the lines after which `auth-jwt` acts on the tables that the service reads, by the same settings.

    In front of false credentials go lines that take away what would win over them. Real ones are never shown: they are
    those of the user's shell.

    Args:
        variables: what the service's function has for an environment.
        endpoint: that of tables in memory; None where they are those of DB_URL.
    """
    from auth_jwt.runtime.settings import DEFAULTS, REFRESH_DEFAULTS

    usual = {**DEFAULTS, **REFRESH_DEFAULTS}
    settings = {name: variables[name] for name in usual if variables.get(name, usual[name]) != usual[name]}
    gone = [*_OTHER_TARGETS]
    set_ = {"AUTH_JWT_AUDIT_LOG": str(AUDIT_LOG)}
    if all(variables.get(name) == value for name, value in FALSE_CREDENTIALS.items()):
        gone += _OTHER_CREDENTIALS
        set_ |= {name: FALSE_CREDENTIALS[name] for name in _CREDENTIALS}
    if endpoint is not None:
        set_["AWS_ENDPOINT_URL"] = endpoint
    exports = [f"export {name}={shlex.quote(value)}" for name, value in (set_ | settings).items()]
    return [f"unset {' '.join(gone)}", *exports]
