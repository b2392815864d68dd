"""The audit file: one line for every write. It is opened before the first write, because every write needs its line."""

import errno
import os
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path

from auth_jwt.errors import Fault
from auth_jwt.provisioning.audit import AuditEntry, AuditTarget
from auth_jwt_cli.output import complain, warn
from auth_jwt_cli.private_files import open_to_append


class AuditLog:
    """Appends entries to a file that only its owner may read.

    Args:
        path: the file, `-` for standard error.
        target: where the writes go; each line says it. None leaves that out.
        makes_folder: whether a missing folder is created. That of a path that somebody typed is a mistake, by which a
            second trail would begin.

    Attributes:
        last: the last entry; None before the first one.
        is_whole: whether the file took every line.

    Raises:
        Fault: the file cannot be written.
    """

    def __init__(self, path: Path, target: AuditTarget | None = None, *, makes_folder: bool = False) -> None:
        self._descriptor: int | None = None
        self._target = target
        self.last: AuditEntry | None = None
        self.is_whole = True
        self._is_cut = False
        if str(path) == "-":
            return
        try:
            if makes_folder:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = open_to_append(path, tell=warn)
            weakref.finalize(self, os.close, self._descriptor)
            self._is_cut = _ends_within_a_line(path)
        except OSError as error:
            raise Fault(
                f"the audit file {path} cannot be written ({error.strerror}), so nothing was done; "
                "name another by --audit-log FILE (`-` is standard error)"
            ) from None

    def __call__(self, entry: AuditEntry) -> None:
        """Append the line of an *entry*. If the file cannot take it, as on a full disk, it goes to standard error."""
        self.last = entry
        line = self._line_of(entry)
        try:
            self._append(line)
        except OSError as error:
            self.is_whole = False
            complain(f"the audit file cannot be written ({error.strerror}); its line is:")
            sys.stderr.write(line)

    def note_before(self, entry: AuditEntry) -> None:
        """Append the line of what is only done when the line is there, such as showing a minted token.

        Raises:
            Fault: the file cannot take the line.
        """
        try:
            self._append(self._line_of(entry))
        except OSError as error:
            raise Fault(
                f"the audit file cannot be written ({error.strerror}), so nothing was done; "
                "name another by --audit-log FILE (`-` is standard error)"
            ) from None

    def _line_of(self, entry: AuditEntry) -> str:
        return f"{entry.as_line(self._target)}\n"

    def _append(self, line: str) -> None:
        if self._descriptor is None:
            sys.stderr.write(line)
            return
        octets = f"\n{line}".encode() if self._is_cut else line.encode()  # no line is glued to half of another
        written = os.write(self._descriptor, octets)
        self._is_cut = written < len(octets)
        if self._is_cut:  # the disk took a part of it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _ends_within_a_line(path: Path) -> bool:
    """Tell whether a file ends in half a line, as a full disk leaves it; what is no file does not."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def usual_path(environment: Mapping[str, str]) -> Path:
    """Return the default path of the audit file, by the XDG Base Directory Specification."""
    state = environment.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "auth-jwt" / "audit.log"
