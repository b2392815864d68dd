"""The audit file: one line for every write. It is opened before the first write, because every write needs its line."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from auth_jwt.errors import Fault
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt_cli.output import complain, warn
from auth_jwt_cli.private_files import open_to_append


class AuditLog:
    """Appends entries to a file that only its owner may read.

    Args:
        path: the file, `-` for standard error; a missing folder is created.

    Attributes:
        last: the last entry; None before the first one.

    Raises:
        Fault: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        self.last: AuditEntry | None = None
        if str(path) == "-":
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = open_to_append(path, tell=warn)
        except OSError as error:
            raise Fault(
                f"the audit file {path} cannot be written ({error.strerror}), so nothing was done; "
                "name another by --audit-log FILE (`-` is standard error)"
            ) from None

    def __call__(self, entry: AuditEntry) -> None:
        """Append the line of an *entry*. If the file cannot take it, as on a full disk, it goes to standard error."""
        self.last = entry
        line = f"{entry.as_line()}\n"
        if self._descriptor is None:
            sys.stderr.write(line)
            return
        try:
            os.write(self._descriptor, line.encode())
        except OSError as error:
            complain(f"the audit file cannot be written ({error.strerror}); its line is:")
            sys.stderr.write(line)


def usual_path(environment: Mapping[str, str]) -> Path:
    """Return the default path of the audit file, by the XDG Base Directory Specification."""
    state = environment.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "auth-jwt" / "audit.log"
