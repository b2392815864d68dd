"""Under which licence a package ships, and which licences we let ship.

A licence that is not here needs somebody's judgement before it ships: `tests/unit/tools/supply/test_licences.py` fails.
"""

from collections.abc import Mapping
from importlib.metadata import Distribution
from typing import Final

PERMITTED: Final[Mapping[str, str]] = {
    "Apache-2.0": "as this project's own",
    "Apache-2.0 OR BSD-3-Clause": "either",
    "BSD-2-Clause": "its notice ships",
    "BSD-3-Clause": "its notice ships",
    "ISC": "its notice ships",
    "MIT": "its notice ships",
    "MIT-0": "asks nothing",
    "PSF-2.0": "its notice ships",
}
"""What may be in the layer, in a function and in the wheel, and what it asks of us."""
ASKED_FOR: Final[Mapping[str, str]] = {
    "LGPL-3.0-only": "psycopg, by which `auth-jwt import` reads PostgreSQL: pip fetches it for who installs the extra "
    "`cli`; we neither change nor ship it",
}
"""What the wheel may name as a dependency beside those, and why."""

_CLASSIFIED: Final[Mapping[str, str]] = {
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
}
_WORDED: Final[Mapping[str, str]] = {
    "Apache License 2.0": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "MIT": "MIT",
    "MIT License": "MIT",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # python-dateutil, whose LICENSE says so
}
"""What packages say that do not say it in SPDX's words (PEP 639)."""


def licence_of(distribution: Distribution) -> str:
    """Return the licence of *distribution* as an SPDX expression; empty where it says none that we know."""
    told = distribution.metadata.json
    if expression := told.get("license_expression"):
        return str(expression)
    if worded := _WORDED.get(str(told.get("license", ""))):
        return worded
    return next((_CLASSIFIED[one] for one in told.get("classifier", ()) if one in _CLASSIFIED), "")


def has_its_text(distribution: Distribution) -> bool:
    """Say whether *distribution* brings the text of its licence."""
    names = [file.name.upper() for file in distribution.files or () if ".dist-info" in file.parts[0]]
    return any(name.startswith(("LICENSE", "LICENCE", "COPYING")) for name in names)
