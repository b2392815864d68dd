"""`make serve`: the whole service on this machine, for whoever writes a SIP frontend."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from events.stage import HERE, ROOT, Json, lambda_environment, read_json, template
from serve import tables
from serve.processes import CannotStart, Workers, WorkersDie, listening_socket, until_stopped
from serve.worker import Orders

LAYER: Final = ROOT / "layers" / "auth_jwt"
HOST: Final = "127.0.0.1"  # fixed: the sample users' keys are published
PORT: Final = 8080
WORKERS: Final = 2
LOG: Final = ROOT / "build" / "serve.log"

_EPILOG: Final = """\
environment:
  PORT, WORKERS, LOG   the options' defaults
  API_KEY              callers must send it as x-api-key, as with Gate=api-key; without it, everybody may call
  DB_URL               the DynamoDB to read, dynamodb+http://127.0.0.1:8000/eu-central-1 for one; its tables must be
                       there, and nothing is written but by ADMIN=1. Without it: DynamoDB in memory, with the rows of
                       events/rows.json
  ADMIN=1              serve the admin API, too, below /admin, with Swagger UI at /admin/swagger: whoever is on this
                       machine may then write the tables
  any other setting    as the README says: make serve CACHE_TTL_SECONDS=0

exit code: 0 after Ctrl-C or SIGTERM, 1 when its processes do not run, 2 when it cannot be started like this
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants."""

    port: int
    workers: int
    log: str
    api_key: str | None = field(repr=False)
    admin: bool = False


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
        type=_whole_number(0, 65535),
        default=env.get("PORT") or str(PORT),
        help=f"TCP port on {HOST}; 0 takes a free one (default: {PORT})",
    )
    parser.add_argument(
        "--workers",
        type=_whole_number(1, 64),
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
    given = parser.parse_args(arguments)
    return Options(given.port, given.workers, given.log, env.get("API_KEY") or None, given.admin)


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return read


def variables_of(env: Mapping[str, str], stack: Json) -> dict[str, str]:
    """Return the function's environment: the template's defaults, and on top the settings in *env*.

    AWS credentials are those of *env* where tables are named by DB_URL, and false ones elsewhere.

    Raises:
        CannotStart: a setting cannot be.
    """
    from auth_jwt.errors import BadSetting
    from auth_jwt.settings import DEFAULTS, Settings

    settings = {name: env[name] for name in DEFAULTS if name in env}
    settings |= {name: value for name, value in env.items() if name.startswith("POWERTOOLS_")}
    if not env.get("DB_URL"):
        others = tables.names_of_its_own(settings, DEFAULTS)
        if others:
            raise CannotStart(f"the sample tables have the usual names: leave out {', '.join(others)}, or give DB_URL")
        settings = {**read_json(HERE / "outcomes.json")["settings"], **settings}
    variables = lambda_environment(stack, settings)
    if env.get("DB_URL") and not (env["DB_URL"].startswith("dynamodb+http:") and "AWS_ACCESS_KEY_ID" not in env):
        false = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
        variables = false | {name: value for name, value in env.items() if name.startswith("AWS_")}
    try:
        Settings.from_env(variables)
    except BadSetting as error:
        raise CannotStart(str(error)) from None
    return variables


def log_of(options: Options) -> str:
    """Begin the log anew, and return its path; empty for standard error.

    Raises:
        CannotStart: it cannot be written.
    """
    if options.log == "-":
        return ""
    log = Path(options.log).resolve()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch(mode=0o600)
        log.write_bytes(b"")
    except OSError as error:
        raise CannotStart(
            f"the log {log} cannot be written ({error.strerror}); take another, as in LOG=/tmp/serve.log"
        ) from None
    return str(log)


def curl_line(url: str, api_key: str | None, *, has_samples: bool) -> str:
    """Return a command that asks for a sample user; for tables of the caller's, one that asks whether we live."""
    if not has_samples:
        return f"curl -s {url}/health"
    sample = read_json(HERE / "authorize" / "rest-authorized-by-header-with-from-user.json")
    words = ["curl", "-s", f"{url}/authorize", "-H", f"Authorization: {sample['headers']['Authorization']}"]
    words += ["-H", f"x-api-key: {api_key}"] if api_key else []
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", sample["body"]])


def serve(options: Options, env: Mapping[str, str]) -> None:
    """Serve until a signal says to stop.

    Raises:
        CannotStart: the port, a setting or the log cannot be.
        WorkersDie: the workers do not run.
    """
    stack = template()
    variables = variables_of(env, stack)
    has_samples = not variables["DB_URL"]
    with ExitStack() as open_things, until_stopped():
        listener = open_things.enter_context(listening_socket(HOST, options.port))
        log = log_of(options)
        where = variables["DB_URL"]
        if has_samples:
            where = open_things.enter_context(tables.in_memory(stack))
            variables["DB_URL"] = f"dynamodb+{where}"
            where = f"{where}, DynamoDB in memory with the rows of events/rows.json"
        document, admin = (stack["Resources"][api]["Properties"]["DefinitionBody"] for api in ("Api", "AdminRestApi"))
        if "POWERTOOLS_SERVICE_NAME" not in env:  # two functions share them, and each knows its own name
            del variables["POWERTOOLS_SERVICE_NAME"]
        orders = Orders(listener.fileno(), log, document, admin if options.admin else None, options.api_key, variables)
        workers = open_things.enter_context(Workers(listener, orders.to_json(), options.workers, _tell))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        print(
            f"Serving {url} as openapi.yaml says, with {options.workers} workers. Ctrl-C ends it.\n\n"
            f"  tables  {where}\n"
            f"  logs    {log or 'standard error'}\n"
            + (f"  admin   {url}/admin/swagger\n" if options.admin else "")
            + f"  try     {curl_line(url, options.api_key, has_samples=has_samples)}\n",
            flush=True,
        )
        workers.watch()


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
    print("Stopped.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
