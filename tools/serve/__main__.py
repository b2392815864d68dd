"""`make serve`: the whole service on this machine, for whoever writes a SIP frontend."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from tools.events.stage import ROOT, SAMPLES, read_json
from tools.serve.pointing import AUDIT_LOG, lines_for_shell
from tools.serve.processes import CannotStart, WorkersDie, ending_when_abandoned, until_stopped
from tools.serve.rounds import SECONDS
from tools.serve.service import HOST, Options, running
from tools.serve.worker import end_at_once

LAYER: Final = ROOT / "layers" / "auth_jwt"
PORT: Final = 8080
WORKERS: Final = 2
LOG: Final = ROOT / "build" / "serve.log"
EXAMPLE: Final = ".venv/bin/auth-jwt profile list"

_EPILOG: Final = """\
environment:
  PORT, WORKERS, LOG   the options' defaults
  API_KEY              callers must send it as x-api-key, as with Gate=api-key; without it, everybody may call
  DB_URL               the DynamoDB to read, dynamodb+http://127.0.0.1:8000/eu-central-1 for one; its tables must be
                       there, and nothing is written but by ADMIN=1 and, of issuers' keys, by ISSUERS. Without it:
                       DynamoDB in memory, with the rows of events/rows.json
  ADMIN=1              serve the admin API, too, below /admin, with a page for people at /admin/page and Swagger UI
                       at /admin/swagger: whoever is on this machine may then write the tables
  REFRESH_SECONDS      with ISSUERS: how long from one round of refresh_keys to the next. A round fetches the keys of
                       issuers that are due within half a minute; a fetch makes them due after a minute
  any other setting    as the README says: make serve CACHE_TTL_SECONDS=0

exit code: 0 after Ctrl-C or SIGTERM, 1 when its processes do not run, 2 when it cannot be started like this
"""


def options_of(arguments: Sequence[str], env: Mapping[str, str]) -> Options:
    """Read the command line, and the environment for what it leaves open; what cannot be, ends the program."""
    parser = argparse.ArgumentParser(
        prog="make serve",
        usage='make serve [PORT=8080] [WORKERS=2] [LOG=FILE] [API_KEY=KEY] [DB_URL=URL] [ADMIN=1] [ARGS="OPTION ..."]',
        description="Serve the API on the loopback interface: the real function, real events, sample users.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=env.get("PORT") or str(PORT),
        help=f"TCP port on {HOST}; 0 takes a free one (default: {PORT})",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1, 64),
        default=env.get("WORKERS") or str(WORKERS),
        help=f"processes, each with its own memory and one request at a time, as in Lambda (default: {WORKERS})",
    )
    parser.add_argument(
        "--log",
        default=env.get("LOG") or str(LOG),
        metavar="FILE",
        help=f"where log lines go, - for standard error (default: {LOG.relative_to(ROOT)})",
    )
    parser.add_argument(
        "--admin",
        action="store_true",
        default=env.get("ADMIN", "") not in ("", "0", "false"),
        help="serve the admin API, too (default: no)",
    )
    parser.add_argument(
        "--refresh-seconds",
        type=whole_number(1, 3600),
        default=env.get("REFRESH_SECONDS") or str(SECONDS),
        metavar="SECONDS",
        help=f"from one round of refresh_keys to the next, with ISSUERS (default: {SECONDS})",
    )
    given = parser.parse_args(arguments)
    return Options(given.port, given.workers, given.log, env.get("API_KEY") or None, given.admin, given.refresh_seconds)


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return what reads an option that is a whole number within bounds, both included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return read


def curl_line(url: str, api_key: str | None, *, has_samples: bool) -> str:
    """Return a command that asks for a sample user; for tables of the caller's, one that asks whether we live."""
    if not has_samples:
        return f"curl -s {url}/health"
    sample = read_json(SAMPLES / "authorize" / "rest-authorized-by-header-with-from-user.json")
    words = ["curl", "-s", f"{url}/authorize", "-H", f"Authorization: {sample['headers']['Authorization']}"]
    words += ["-H", f"x-api-key: {api_key}"] if api_key else []
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", sample["body"]])


def serve(options: Options, env: Mapping[str, str]) -> None:
    """Serve until a signal says to stop.

    Raises:
        CannotStart: the port, a setting or the log cannot be.
        WorkersDie: the workers do not run.
    """
    look = ending_when_abandoned(env)
    with until_stopped(), running(options, env, _tell) as service:
        url = service.url
        tables = service.variables["DB_URL"]
        if service.endpoint:
            tables = f"{service.endpoint}, DynamoDB in memory with the rows of events/rows.json"
        with suppress(OSError):  # then the command line says so, which makes no folder that somebody named
            AUDIT_LOG.parent.mkdir(exist_ok=True)
        print(
            f"Serving {url} as openapi.yaml says, with {options.workers} workers. Ctrl-C ends it.\n\n"
            f"  tables  {tables}\n"
            f"  logs    {service.log or 'standard error'}\n"
            + (f"  keys    of issuers, refreshed every {options.refresh_seconds} s\n" if service.refreshing else "")
            + (f"  page    {url}/admin/page\n  admin   {url}/admin/swagger\n" if options.admin else "")
            + f"  try     {curl_line(url, options.api_key, has_samples=service.endpoint is not None)}\n\n"
            + "In another shell here, these lines point auth-jwt at it:\n\n"
            + "".join(f"{line}\n" for line in lines_for_shell(service.variables, service.endpoint))
            + f"{EXAMPLE}\n",
            flush=True,
        )
        service.watch(look)


def _tell(text: str) -> None:
    print(f"make serve: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command; returns the exit code."""
    sys.path.insert(0, str(LAYER))
    options = options_of(sys.argv[1:], os.environ)
    try:
        serve(options, os.environ)
    except (CannotStart, WorkersDie) as error:
        _tell(str(error))
        return 2 if isinstance(error, CannotStart) else 1
    with suppress(OSError):  # its terminal is closed
        print("Stopped.", flush=True)
    return 0


if __name__ == "__main__":
    end_at_once(main())
