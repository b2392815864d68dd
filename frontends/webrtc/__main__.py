"""`make softphone`: two phones in a browser, and everything behind them, on this machine."""

import argparse
import contextlib
import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Final

from frontends.webrtc.softphone import COMMAND, Options, Softphone, running
from tools.serve.__main__ import whole_number
from tools.serve.processes import CannotStart, WorkersDie, ending_when_abandoned, until_stopped
from tools.serve.worker import end_at_once

PORT: Final = 8088
TOKEN_SECONDS: Final = 120

_EPILOG: Final = """\
environment:
  PORT, TOKEN_SECONDS  the options' defaults
  ADMIN=1              serve the admin API, too, with Swagger UI: switch a user off there, and see the page
  PROVIDER=0           no second login, at an OpenID provider that runs beside it
  any setting          of the service, as for make serve; CACHE_TTL_SECONDS is 0 here, so that changes show at once

needs: Kamailio 5.6 or newer with its modules, node and npm, a browser. Everything listens on 127.0.0.1 only, and the
tables are in memory.

exit code: 0 after Ctrl-C or SIGTERM, 1 when its processes do not run, 2 when it cannot be started like this
"""


def options_of(arguments: Sequence[str], env: Mapping[str, str]) -> tuple[Options, bool]:
    """Read the command line, and the environment for what it leaves open; what cannot be, ends the program.

    Returns:
        What to run, and whether to open a browser.
    """
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        usage=f'{COMMAND} [PORT={PORT}] [TOKEN_SECONDS={TOKEN_SECONDS}] [ADMIN=1] [PROVIDER=0] [ARGS="OPTION ..."]',
        description="Two phones in a browser that register at Kamailio with tokens, and everything behind them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=env.get("PORT") or str(PORT),
        help=f"of the page, on 127.0.0.1; 0 takes a free one (default: {PORT})",
    )
    parser.add_argument(
        "--token-seconds",
        type=whole_number(10, 86400),
        default=env.get("TOKEN_SECONDS") or str(TOKEN_SECONDS),
        help=f"how long a token lives; the page renews it after two thirds (default: {TOKEN_SECONDS})",
    )
    parser.add_argument(
        "--admin",
        action="store_true",
        default=env.get("ADMIN", "") not in ("", "0", "false"),
        help="serve the admin API, too: whoever is on this machine may then write the tables (default: no)",
    )
    parser.add_argument(
        "--provider",
        action=argparse.BooleanOptionalAction,
        default=env.get("PROVIDER", "1") not in ("", "0", "false"),
        help="a second login, at an OpenID provider (default: yes)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    given = parser.parse_args(arguments)
    return Options(given.port, given.token_seconds, given.admin, given.provider), given.open


def described(softphone: Softphone, options: Options) -> str:
    """Return what the user is told once it runs."""
    users = "".join(f"  {user:<9} password {password}\n" for user, password in softphone.passwords.items())
    return (
        f"\nSoftphone: {softphone.url}    Ctrl-C ends it.\n\n"
        f"{users}\n"
        f"  tokens    live {options.token_seconds} s, and are renewed after two thirds\n"
        f"  service   {softphone.service.url}, as `make serve` runs it; log: {softphone.service.log}\n"
        f"  Kamailio  ws://127.0.0.1:{softphone.kamailio.ws}, and SIP on port {softphone.kamailio.udp}; "
        f"log: {softphone.kamailio.log}\n"
        + (f"  provider  {softphone.login.provider.url}, believes any name\n" if softphone.login else "")
        + (f"  admin     {softphone.service.url}/admin/swagger\n" if options.admin else "")
        + "\nOpen the page twice, two tabs will do, log in as alice and as bob, and call bob.\n"
    )


def _tell(text: str) -> None:
    print(f"{COMMAND}: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command; returns the exit code."""
    options, is_to_be_opened = options_of(sys.argv[1:], os.environ)
    look = ending_when_abandoned(os.environ)
    try:
        with until_stopped(), running(options, os.environ, _tell) as softphone:
            print(described(softphone, options), flush=True)
            if is_to_be_opened:
                webbrowser.open(softphone.url)
            softphone.watch(look)
    except (CannotStart, WorkersDie) as error:
        _tell(str(error))
        return 2 if isinstance(error, CannotStart) else 1
    with contextlib.suppress(OSError):  # its terminal is closed
        print("Stopped.", flush=True)
    return 0


if __name__ == "__main__":
    end_at_once(main())
