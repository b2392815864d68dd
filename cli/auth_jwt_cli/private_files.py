"""Files that only their owner may read: audit files, reports, generated values. Only this module opens them.

Links are not followed. So nobody who can write into the folder can redirect a write to another file, or read what is
written. Before anything is added to an existing file, its mode is restricted to the owner.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

_OWNER_ONLY: Final = 0o600
_SAFE: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe must not block


class NotPrivate(OSError):
    """The file cannot be kept private to its owner. `strerror` says why, as in every `OSError`."""

    def __init__(self, why: str) -> None:
        super().__init__(None, why)


def open_to_append(path: Path, *, tell: Callable[[str], None]) -> int:
    """Open or create the file at *path* for appending, and return its descriptor.

    Args:
        path: the path of a file, or of a device such as /dev/null.
        tell: receives a warning if others could read the file until now.

    Raises:
        OSError: the file cannot be opened, is a link, belongs to somebody else, or is in a folder in which anybody
            could replace it.
    """
    return _open(path, os.O_APPEND, tell)


def open_to_replace(path: Path, *, tell: Callable[[str], None]) -> int:
    """Open or create the file at *path*, delete its content, and return its descriptor.

    Raises:
        OSError: as in `open_to_append`.
    """
    descriptor = _open(path, 0, tell)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, 0)
    return descriptor


class NewFile:
    """A file that did not exist before.

    Raises:
        OSError: the file exists, cannot be created, or is in a folder in which anybody could replace it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_folder(path.parent)
        self._descriptor = os.open(path, _SAFE | os.O_EXCL, _OWNER_ONLY)

    def fill(self, text: str) -> None:
        """Write *text* and close the file."""
        with self.open() as file:
            file.write(text)

    def open(self) -> IO[str]:
        """Return the file, open for text; whoever gets it closes it."""
        file = os.fdopen(self._descriptor, "w", encoding="utf-8")
        self._descriptor = _CLOSED
        return file

    def forget(self) -> None:
        """Delete the file: its content, if any, is of no use."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
        self.path.unlink()


_CLOSED: Final = -1


def describe_refusal(path: Path, error: OSError) -> str:
    """Return why the new file at *path* cannot be made. Only a file that is there is named: it may be a secret else."""
    if isinstance(error, FileExistsError):
        return f"{path} exists already: name a new file with --out, or move that one away"
    return f"the file of --out cannot be made: {error.strerror}"


def _open(path: Path, flags: int, tell: Callable[[str], None]) -> int:
    if path.is_symlink():  # for a plain message; O_NOFOLLOW refuses a link that appears later
        raise NotPrivate("it is a symbolic link, which is not followed")
    _check_folder(path.parent)
    descriptor = os.open(path, _SAFE | flags, _OWNER_ONLY)
    try:
        _keep_to_owner(descriptor, path, tell)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_folder(folder: Path) -> None:
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise NotPrivate(f"anybody may write into {folder}, and could put another file in its place; try chmod o-w")


def _keep_to_owner(descriptor: int, path: Path, tell: Callable[[str], None]) -> None:
    """Restrict the mode of an open file to its owner.

    Raises:
        NotPrivate: the file is not the user's alone, or is neither a file nor a device.
    """
    found = os.fstat(descriptor)
    if stat.S_ISCHR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        raise NotPrivate("it is neither a file nor a device")
    if found.st_uid != os.geteuid():
        raise NotPrivate("it belongs to another user")
    if found.st_nlink != 1:
        raise NotPrivate("it has a second name (a hard link)")
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~_OWNER_ONLY:
        os.fchmod(descriptor, _OWNER_ONLY)
        tell(f"{path} could be read or written by others ({mode:04o}); now only by its owner (0600).")
