"""Runs mutants: `python -m tools.mutants.worker PLAN` in the copy of the checkout, whose answers are lines of JSON.

Three processes, each a fork of the one before. The first has imported the libraries. The second has collected the tests
as pytest does, and nothing has run in it. The third runs: at first all tests, to record which lines each runs and how
long it takes; then, for each mutant, those that run its lines, the likeliest and fastest first, until one fails.

A mutant in a function is put into the functions that there are: their code is replaced. One in code that runs at
import is put into a fork of the first process, where the package is not imported yet.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from tools.mutants.operators import Mutant
from tools.mutants.recorded import Recorded, chosen_tests

_LIBRARIES: Final = (
    *("boto3", "moto", "moto.dynamodb", "moto.backends", "hypothesis", "jwt", "pydantic", "yaml", "urllib3"),
    *("aws_lambda_powertools", "aws_lambda_powertools.event_handler", "botocore.awsrequest"),
    *("cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.x509"),
)
_MONITORING: Final[Any] = vars(sys).get("monitoring")  # since Python 3.12
_TOOL: Final = 4
"""The number by which Python's monitoring knows the recorder."""
_PATIENCE: Final = 4
"""How many seconds a test may take on top of ten times what it took before."""
_PATIENCE_TO_COLLECT: Final = 60
"""How many seconds a mutant that runs at import has besides its tests, which are collected anew."""
_FIRST_PATIENCE: Final = 30
"""The same for the first test of a process, which loads what others had loaded for it before."""
_MOST_MEMORY: Final = 3 * 1024**3
_SURVIVED, _CAUGHT, _AT_IMPORT, _BROKEN, _TOO_LONG = 0, 1, 3, 4, -1
"""Exit codes of a fork that tried a mutant; the last is of one that was ended."""
_OPTIONS: Final = (
    *("-q", "-s", "-p", "no:cacheprovider", "-p", "no:instafail", "--timeout", "0"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # plugins are imported before pytest begins
)


def main(plan: dict[str, Any]) -> None:
    """Run what is planned, and write results as lines of JSON."""
    worker = Worker(plan)
    for library in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    worker.run()


class Worker:
    """Runs the mutants of a plan.

    Args:
        plan: `mutants`, `tests` (files and folders), `jobs`, and `minutes`, after which no mutant begins.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.mutants = [Mutant.read(members) for members in plan["mutants"]]
        self.tests: list[str] = plan["tests"]
        self.jobs: int = plan["jobs"]
        self.seconds: float = plan["minutes"] * 60
        self.until: float | None = None  # from the first mutant on; to record the tests takes its own time
        self.sources = {path: Path(path).read_text(encoding="utf-8") for path in {one.path for one in self.mutants}}
        self.loaded = Loaded(self.sources)
        self.recorded = Recorded()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._silence()

    @staticmethod
    def _silence() -> None:
        """Have tests write nowhere: what this program says goes by a descriptor of its own."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(nowhere, descriptor)

    def say(self, **members: object) -> None:
        """Write a line of results."""
        self._out.write(json.dumps(members) + "\n")
        self._out.flush()

    def run(self) -> None:
        """Run all mutants: first those in functions, then those that run at import."""
        read, write = os.pipe()
        gc.collect()
        gc.freeze()
        child = os.fork()
        if child == 0:
            os.close(read)
            pytest.main([*_OPTIONS, *self.tests], plugins=[_Collected(self, write)])
            os._exit(1)
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as lines:
            told = json.loads(lines.read() or "{}")
        os.waitpid(child, 0)
        if "recorded" not in told:
            self.say(stopped=told.get("stopped", "the tests cannot be collected"))
            return
        self.recorded = Recorded(**told["recorded"])
        self._all([(self.mutants[number], self._at_import) for number in told["at_import"]])

    def collected(self, session: pytest.Session) -> dict[str, Any]:
        """Record, and run the mutants in functions. Return what the process before goes on with."""
        items = {item.nodeid: item for item in session.items}
        for item in session.items:
            item.repr_failure = _say_nothing  # type: ignore[assignment, method-assign]
        recorded = self._record(session, list(items.values()))
        if isinstance(recorded, str):
            return {"stopped": recorded}
        self.recorded = recorded
        self.say(recorded=len(items), seconds=sum(recorded.seconds.values()))
        gc.unfreeze()
        self.loaded.find_functions()
        gc.collect()
        gc.freeze()

        def try_in_function(mutant: Mutant, tests: list[str]) -> int:
            if not self.loaded.put_in(mutant):
                return _AT_IMPORT
            return self._run_until_red(session, [items[test] for test in tests])

        at_import = self._all([(one, try_in_function) for one in self.mutants])
        return {"recorded": vars(recorded), "at_import": [self.mutants.index(mutant) for mutant in at_import]}

    # -- recording ----------------------------------------------------------------------------------------------------

    def _record(self, session: pytest.Session, items: list[pytest.Item]) -> Recorded | str:
        """Run all tests, the files shared among the jobs; return what they ran, or what stops us."""
        files = sorted({item.nodeid.partition("::")[0] for item in items})
        children = dict[int, int]()
        for job in range(self.jobs):
            read, write = os.pipe()
            mine = set(files[job :: self.jobs])
            child = os.fork()
            if child == 0:
                told = self._record_part(session, [item for item in items if item.nodeid.partition("::")[0] in mine])
                with os.fdopen(write, "w", encoding="utf-8") as pipe:
                    json.dump(told, pipe)
                os._exit(0)
            os.close(write)
            children[child] = read
        whole = Recorded()
        red = list[str]()
        for child, read in children.items():
            with os.fdopen(read, encoding="utf-8") as pipe:
                told = json.loads(pipe.read() or '{"red": ["the recorder"]}')
            os.waitpid(child, 0)
            red += told.pop("red")
            whole.add(Recorded(**told)) if told else None
        # A test that measures memory or time may be disturbed by the recorder: then no mutant is shown to it.
        red = [item.nodeid for item in items if item.nodeid in red and not _passes_alone(session, item)]
        return f"tests fail without a mutant: {', '.join(red[:5])}" if red else whole

    def _record_part(self, session: pytest.Session, items: list[pytest.Item]) -> dict[str, Any]:
        recorded, red = Recorded(), list[str]()
        seen = set[tuple[str, int]]()
        self.loaded.watch(seen)
        for number, item in enumerate(items):
            seen.clear()
            _MONITORING.restart_events()
            began = time.perf_counter()
            passed = _passes(session, item, items[number + 1] if number + 1 < len(items) else None)
            if not passed:
                red.append(item.nodeid)
                continue
            recorded.note(item.nodeid, time.perf_counter() - began, seen)
        return {**vars(recorded), "red": red}

    # -- mutants ------------------------------------------------------------------------------------------------------

    def _all(self, tries: "Sequence[tuple[Mutant, Try]]") -> list[Mutant]:
        """Try mutants, several at a time; return those that must be tried at import."""
        running = dict[int, tuple[Mutant, float, float]]()
        at_import = list[Mutant]()
        waiting = list(reversed(tries))
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant, attempt = waiting.pop()
                self._begin(mutant, attempt, running)
            for mutant, code, seconds in _ended(running):
                if code == _AT_IMPORT:
                    at_import.append(mutant)
                else:
                    self.say(mutant=self.mutants.index(mutant), code=code, seconds=round(seconds, 3))
        return at_import

    def _begin(self, mutant: Mutant, attempt: "Try", running: dict[int, tuple[Mutant, float, float]]) -> None:
        number = self.mutants.index(mutant)
        tests, seconds = chosen_tests(mutant, self.recorded)
        now = time.monotonic()
        self.until = self.until or now + self.seconds
        if now > self.until:
            self.say(mutant=number, code=None)
        elif not tests:
            self.say(mutant=number, code=_SURVIVED, untested=True, seconds=0)
        else:
            limit = (_PATIENCE_TO_COLLECT if mutant.function is None else 10) + _FIRST_PATIENCE + 4 * seconds
            child = os.fork()
            if child == 0:
                os.setsid()
                resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
                os._exit(_outcome(attempt, mutant, tests))
            running[child] = mutant, time.monotonic(), limit

    def _run_until_red(self, session: pytest.Session, items: list[pytest.Item]) -> int:
        """Run tests until one fails, or takes much longer than it did: then the system ends this process."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        patience = _FIRST_PATIENCE
        for item, after in zip(items, [*items[1:], None], strict=True):
            signal.alarm(patience + round(10 * self.recorded.seconds[item.nodeid]))
            patience = _PATIENCE
            if not _passes(session, item, after):
                return _CAUGHT
        return _SURVIVED

    def _at_import(self, mutant: Mutant, tests: list[str]) -> int:
        """Import the package with the mutant in it, and run the files of the tests: the likeliest first."""
        compile(mutant.apply(self.sources[mutant.path]), mutant.path, "exec")
        self.loaded.mutate_at_import(mutant)
        order = {test: number for number, test in enumerate(tests)}
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        for some in (files[:2], files[2:]):
            chosen = [test for test in tests if test.partition("::")[0] in some]
            if some and _run_some(some, order) != 0 and chosen:
                return _CAUGHT
        return _SURVIVED


Try = Callable[[Mutant, list[str]], int]


class _Collected:
    """Takes over from pytest when it has collected."""

    def __init__(self, worker: Worker, write: int) -> None:
        self._worker = worker
        self._write = write

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        told = {"stopped": "the tests cannot be collected"} if session.testsfailed else self._worker.collected(session)
        with os.fdopen(self._write, "w", encoding="utf-8") as pipe:
            json.dump(told, pipe)
        os._exit(0)


class Loaded:
    """The code of the files that are mutated, as this process has loaded it.

    Args:
        sources: the text of each file, by its path from the root of the checkout.
    """

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources
        self._path_of = {str(Path(path).resolve()): path for path in sources}
        self._codes = list[CodeType]()
        self._functions = dict[CodeType, list[FunctionType]]()
        self._loaded_files = set[str]()
        self._mutated: tuple[str, str] | None = None
        self._hook: Callable[[CodeType], None] = self._codes.append
        get_code = SourceFileLoader.get_code

        def keep(loader: SourceFileLoader, name: str) -> CodeType | None:
            path = self._path_of.get(str(Path(loader.path).resolve()))
            if path is None:
                return get_code(loader, name)
            if self._mutated is not None and self._mutated[0] == path:
                return compile(self._mutated[1], loader.path, "exec", dont_inherit=True)
            code = compile(self._sources[path], loader.path, "exec", dont_inherit=True)
            for one in codes_in(code):
                self._hook(one)
            return code

        SourceFileLoader.get_code = keep  # type: ignore[assignment, method-assign]

    def watch(self, seen: set[tuple[str, int]]) -> None:
        """Put each line that runs from now on into *seen*: until events are restarted, once."""
        monitoring = _MONITORING
        monitoring.use_tool_id(_TOOL, "mutants")

        def note(code: CodeType, line: int) -> object:
            seen.add((self._path_of[str(Path(code.co_filename).resolve())], line))
            return monitoring.DISABLE

        def hook(code: CodeType) -> None:
            monitoring.set_local_events(_TOOL, code, monitoring.events.LINE)

        monitoring.register_callback(_TOOL, monitoring.events.LINE, note)
        for code in self._codes:
            hook(code)
        self._hook = hook

    def find_functions(self) -> None:
        """Find the functions that have the code that was loaded."""
        known = set(self._codes)
        self._loaded_files = {str(Path(name).resolve()) for name in {code.co_filename for code in known}}
        for one in gc.get_objects():
            if type(one) is FunctionType and one.__code__ in known:
                self._functions.setdefault(one.__code__, []).append(one)

    def mutate_at_import(self, mutant: Mutant) -> None:
        """Have the module of *mutant* be imported with it."""
        self._mutated = mutant.path, mutant.apply(self._sources[mutant.path])

    def put_in(self, mutant: Mutant) -> bool:
        """Put a *mutant* into the functions that there are; tell whether that can be done.

        A file that nothing has loaded yet, as the handlers of functions, is loaded by the test itself: with the mutant.
        """
        self.mutate_at_import(mutant)
        (path, mutated), function = self._mutated or ("", ""), mutant.function
        name = str(Path(path).resolve())
        if name not in self._loaded_files:
            compile(mutated, name, "exec", dont_inherit=True)
            return True
        old, new = (
            next((code for code in codes_in(whole) if (code.co_qualname, code.co_firstlineno) == function), None)
            for whole in (compile(text, name, "exec", dont_inherit=True) for text in (self._sources[path], mutated))
        )
        if old is None or new is None:
            return False
        before, after = list(codes_in(old)), list(codes_in(new))
        if old not in self._functions or (len(before) != len(after) and any(c in self._functions for c in before[1:])):
            return False
        try:
            for was, becomes in zip(before, after, strict=len(before) == len(after)):
                for one in self._functions.get(was, ()):
                    one.__code__ = becomes
        except ValueError:  # it has other free variables
            return False
        return True


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Give a code and all within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def _outcome(attempt: Try, mutant: Mutant, tests: list[str]) -> int:
    """Try a *mutant* in a process of its own, and return the exit code of that."""
    try:
        return attempt(mutant, tests)
    except SyntaxError:
        return _BROKEN
    except BaseException:  # noqa: BLE001 - a test that ends the process has noticed something
        return _CAUGHT


def _say_nothing(*_: object) -> str:
    """Stand for the text of a failure, which costs more than most tests, and which nobody reads."""
    return ""


def _passes(session: pytest.Session, item: pytest.Item, next_item: pytest.Item | None) -> bool:
    """Run a test; tell whether it passed, or says itself that it cannot be run."""
    failed = session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
    return session.testsfailed == failed


def _passes_alone(session: pytest.Session, item: pytest.Item) -> bool:
    """Tell whether a test passes in a fork of its own, without the recorder."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _passes(session, item, None) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _run_some(files: list[str], order: dict[str, int]) -> int:
    """Collect *files*, and run of their tests those that have a place in *order*; return pytest's exit code."""

    class Chosen:
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    return int(pytest.main(["-x", *_OPTIONS, *files], plugins=[Chosen()]))


def _ended(running: dict[int, tuple[Mutant, float, float]]) -> Iterator[tuple[Mutant, int, float]]:
    """Wait until one of the *running* processes ends, or ends for taking too long; give how it ended."""
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child in running:
            mutant, began, _ = running.pop(child)
            _kill(child)
            code = os.waitstatus_to_exitcode(status)
            yield mutant, _meaning(code), time.monotonic() - began
            return
        for pid, (mutant, began, limit) in list(running.items()):
            if time.monotonic() - began > limit:
                _kill(pid)
                os.waitpid(pid, 0)
                del running[pid]
                yield mutant, _TOO_LONG, time.monotonic() - began
                return
        time.sleep(0.002)


def _meaning(code: int) -> int:
    """Return what an exit code says: one that nobody chose is of a process that the mutant ended."""
    if code == -signal.SIGALRM:
        return _TOO_LONG
    return code if code in (_SURVIVED, _CAUGHT, _AT_IMPORT, _BROKEN) else _CAUGHT


def _kill(leader: int) -> None:
    """End a process and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
