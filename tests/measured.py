"""Which of the programs that tests start coverage measures: their environment says so."""

import os
from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = "COVERAGE_PROCESS_CONFIG"

MEASURED: Final[Mapping[str, str]] = {name: value for name, value in os.environ.items() if name == _VARIABLE}
"""What a program is given that has an environment of its own."""


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* without what has a program measured.

    It is for programs that a signal interrupts, too: coverage takes a lock, and an interrupt in it leaves that locked.
    """
    return {name: value for name, value in environment.items() if name != _VARIABLE}


UNMEASURED: Final[Mapping[str, str]] = unmeasured(os.environ)
"""The environment for a program whose loaded modules are judged: coverage would load some."""
