"""The service as `make serve` runs it: settings, tables and workers, for programs that run it beside something else."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.events.stage import SAMPLES, Json, lambda_environment, read_json, template
from tools.serve import tables
from tools.serve.processes import CannotStart, Workers, listening_socket
from tools.serve.rounds import SECONDS, RoundOrders
from tools.serve.worker import Orders

HOST: Final = "127.0.0.1"  # fixed: the sample users' keys are published


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants.

    Attributes:
        port: where it listens; 0 takes a free one.
        workers: how many processes answer.
        log: the file for log lines; ``-`` for standard error.
        api_key: what callers must send; None lets everybody in.
        admin: whether the admin API is served, too.
        refresh_seconds: how long from one refresh of issuers' keys to the next; nothing without ISSUERS.
    """

    port: int
    workers: int
    log: str
    api_key: str | None = field(repr=False)
    admin: bool = False
    refresh_seconds: int = SECONDS


@dataclass(frozen=True, slots=True)
class RunningService:
    """A running service.

    Attributes:
        url: where its API is.
        endpoint: that of its tables in memory; None where they are those of DB_URL.
        variables: what its function has for an environment.
        log: the file that it writes to; empty for standard error.
        workers: its processes that answer.
        refreshing: the process that refreshes issuers' keys; None without ISSUERS.
    """

    url: str
    endpoint: str | None
    variables: Mapping[str, str] = field(repr=False)
    log: str
    workers: Workers
    refreshing: Workers | None

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """Replace the processes that die; returns never. Whoever runs the service watches it.

        Args:
            also: done each time that they are looked at.

        Raises:
            WorkersDie: too many of one kind did within a minute.
        """

        def look() -> None:
            also()
            if self.refreshing is not None:
                self.refreshing.look()

        self.workers.watch(look)


@contextmanager
def running(options: Options, env: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[RunningService]:
    """Run the service; it has ended when the context has.

    Args:
        options: what the user wants.
        env: settings, and DB_URL.
        tell: told of processes that are replaced.

    Raises:
        CannotStart: the port, a setting or the log cannot be.
        WorkersDie: the workers do not run.
    """
    stack = template()
    variables = variables_of(env, stack)
    endpoint = None
    with ExitStack() as open_things:
        listener = open_things.enter_context(listening_socket(HOST, options.port))
        log = log_of(options)
        if not variables["DB_URL"]:
            endpoint = open_things.enter_context(tables.in_memory(stack))
            variables["DB_URL"] = f"dynamodb+{endpoint}"
        document, admin = (stack["Resources"][api]["Properties"]["DefinitionBody"] for api in ("Api", "AdminRestApi"))
        if "POWERTOOLS_SERVICE_NAME" not in env:  # two functions share them, and each knows its own name
            del variables["POWERTOOLS_SERVICE_NAME"]
        orders = Orders(listener.fileno(), log, document, admin if options.admin else None, options.api_key, variables)
        workers = open_things.enter_context(Workers(listener, orders.to_json(), options.workers, tell))
        refreshing = None
        if variables["ISSUERS"]:
            rounds = RoundOrders(log, options.refresh_seconds, variables)
            refreshing = Workers(None, rounds.to_json(), 1, tell, module="tools.serve.rounds")
            open_things.enter_context(refreshing)
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        yield RunningService(url, endpoint, variables, log, workers, refreshing)


def variables_of(env: Mapping[str, str], stack: Json) -> dict[str, str]:
    """Return the functions' environment: the template's defaults, and on top the settings in *env*.

    Lines are whole unless *env* says otherwise: no metric filter counts lean ones here.

    AWS credentials are those of *env* where tables are named by DB_URL, and false ones elsewhere.

    Raises:
        CannotStart: a setting cannot be.
    """
    from auth_jwt.errors import BadSetting
    from auth_jwt.runtime.settings import (
        DEFAULTS,
        LOG_DEFAULTS,
        REFRESH_DEFAULTS,
        LogSettings,
        RefreshSettings,
        Settings,
    )

    settings = dict(LOG_DEFAULTS) | {
        name: env[name] for name in (*DEFAULTS, *LOG_DEFAULTS, *REFRESH_DEFAULTS) if name in env
    }
    settings |= {name: value for name, value in env.items() if name.startswith("POWERTOOLS_")}
    if not env.get("DB_URL"):
        others = tables.names_of_its_own(settings, DEFAULTS)
        if others:
            raise CannotStart(f"the sample tables have the usual names: leave out {', '.join(others)}, or give DB_URL")
        settings = {**read_json(SAMPLES / "outcomes.json")["settings"], **settings}
    variables = lambda_environment(stack, settings)
    if env.get("DB_URL") and not (env["DB_URL"].startswith("dynamodb+http:") and "AWS_ACCESS_KEY_ID" not in env):
        false = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
        variables = false | {name: value for name, value in env.items() if name.startswith("AWS_")}
    try:
        Settings.from_env(variables)
        RefreshSettings.from_env(variables)
        LogSettings.from_env(variables)
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
