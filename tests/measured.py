"""Which of the programs that tests start coverage measures: their environment says so."""

import os
from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = "COVERAGE_PROCESS_CONFIG"

MEASURED: Final[Mapping[str, str]] = {name: value for name, value in os.environ.items() if name == _VARIABLE}
"""What a program is given that has an environment of its own."""

UNMEASURED: Final[Mapping[str, str]] = {name: value for name, value in os.environ.items() if name != _VARIABLE}
"""The environment for a program whose loaded modules are judged: coverage would load some."""
