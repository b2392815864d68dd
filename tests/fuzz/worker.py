"""Fuzz one target in this process: `python -m tests.fuzz.worker TARGET SCRATCH [flags of libFuzzer] CORPUS`.

Only this module imports atheris, which instruments the byte code of the package as it is loaded. So nothing of it may
be loaded before.
"""

import inspect
import sys
from itertools import islice
from pathlib import Path
from types import FunctionType

import atheris

from tests.fuzz.target import Target

INSTRUMENTED = ["auth_jwt", "auth_jwt_cli"]
WARM = 10


def main() -> None:
    """Load the target, write down its seeds and words, and hand over to libFuzzer, which ends the process."""
    program, name, scratch, *flags = sys.argv
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.targets import load

        target = load(name)
        for seed in islice(target.seeds(), WARM):  # so that what is imported at first use is there
            target.check(seed)
    _instrument_handlers()
    atheris.Setup([program, *flags, *_begin_with(target, Path(scratch))], target.check)
    atheris.Fuzz()


def _instrument_handlers() -> None:
    """Instrument the handlers, which are loaded by their path, past the import system."""
    for function in ("authorize", "gateway_authorizer"):
        module = sys.modules.get(f"{function}_app")
        for value in vars(module).values() if module else ():
            if isinstance(value, FunctionType) and inspect.getmodule(value) is module:
                atheris.instrument_func(value)


def _begin_with(target: Target, scratch: Path) -> list[str]:
    """Write the seeds and the words of a target, and return the flags that name them."""
    seeds, words = scratch / "seeds", scratch / "words"
    seeds.mkdir()
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:04}").write_bytes(seed)
    words.write_text("".join(f"{_as_word(word)}\n" for word in target.words))
    return [str(seeds), f"-max_len={target.most_bytes}", *([f"-dict={words}"] if target.words else [])]


def _as_word(word: str) -> str:
    """A word as libFuzzer's dictionaries write it."""
    octets = word.encode("utf-8", "surrogatepass")
    shown = (chr(one) if 0x20 <= one < 0x7F and one not in b'"\\' else f"\\x{one:02X}" for one in octets)
    return f'"{"".join(shown)}"'


if __name__ == "__main__":
    main()
