"""Lists the faults that the tests inject: `python -m tests.faults`."""

import sys
from collections.abc import Mapping
from typing import Final

from tests.faults.injected import (
    API_ERRORS,
    BROKEN_OFF,
    CONNECTION_FAULTS,
    CUT,
    HARMLESS,
    IDENTITIES,
    NO_TLS,
    NOT_DYNAMODBS,
    SILENT,
    WRONG_SUM,
)

GROUPS: Final[Mapping[str, Mapping[str, object]]] = {
    "part of an answer": CUT,
    "no answer of DynamoDB's": NOT_DYNAMODBS,
    "another checksum, half an error": WRONG_SUM,
    "broken off": BROKEN_OFF,
    "silent": SILENT,
    "errors of the API": API_ERRORS,
    "harmless": HARMLESS,
    "connections": CONNECTION_FAULTS,
    "no TLS": NO_TLS,
    "certificates": IDENTITIES,
}


def main() -> None:
    """Print each group, how many faults it has, and their names."""
    for group, faults in GROUPS.items():
        sys.stdout.write(f"{group:32} {len(faults):3}  {', '.join(faults)}\n")
    sys.stdout.write(f"{'all':32} {sum(map(len, GROUPS.values())):3}\n")


if __name__ == "__main__":
    main()
