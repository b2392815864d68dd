"""The audit file: one line for every write. Opened before anything is written, since a write needs its line."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from auth_jwt.errors import Fault
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt_cli.output import complain, warn
from auth_jwt_cli.private_files import appended


class AuditLog:
    """Appends entries to a file that only its owner may read; `-` is standard error.

    Args:
        path: of the file; its folder is made if it is not there.

    Attributes:
        last: what was noted last; None before that.

    Raises:
        Fault: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        self.last: AuditEntry | None = None
        if str(path) == "-":
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = appended(path, tell=warn)
        except OSError as error:
            raise Fault(
                f"the audit file {path} cannot be written ({error.strerror}), so nothing was done; "
                "name another by --audit-log FILE (`-` is standard error)"
            ) from None

    def __call__(self, entry: AuditEntry) -> None:
        """Append the line of an *entry*; a line that a full disk refuses goes to standard error."""
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
    """Return where the audit file is unless somebody says otherwise: see the XDG Base Directory Specification."""
    state = environment.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "auth-jwt" / "audit.log"
