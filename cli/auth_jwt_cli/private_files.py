"""Files that only their owner may read: audit files, reports, values made here. They are opened here and nowhere else.

A name that leads elsewhere is not followed, so nobody who can write into a folder can have a file of somebody else
written over, or read what is written. A file that was there is narrowed to its owner before anything is added to it.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_SAFE: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not make us wait


class NotPrivate(OSError):
    """A file cannot be kept to its owner. Its `strerror` says why, as that of any `OSError`."""

    def __init__(self, why: str) -> None:
        super().__init__(None, why)


def appended(path: Path, *, tell: Callable[[str], None]) -> int:
    """Open the file at *path* to append to it, made if need be, and return its descriptor.

    Args:
        path: of a file, or of a device such as /dev/null.
        tell: is told when others could read the file, and no longer can.

    Raises:
        OSError: it cannot be opened, is a link, is of somebody else, or lies where anybody may put another there.
    """
    return _opened(path, os.O_APPEND, tell)


def replaced(path: Path, *, tell: Callable[[str], None]) -> int:
    """Open the file at *path* without what was in it, as `appended` does.

    Raises:
        OSError: as of `appended`.
    """
    descriptor = _opened(path, 0, tell)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, 0)
    return descriptor


class NewFile:
    """A file that was not there before.

    Raises:
        OSError: it is there already, cannot be made, or lies where anybody may put another in its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_folder(path.parent)
        self._descriptor = os.open(path, _SAFE | os.O_EXCL, _OWNER_ONLY)

    def fill(self, text: str) -> None:
        """Write *text* and close the file."""
        with os.fdopen(self._descriptor, "w", encoding="utf-8") as file:
            self._descriptor = _CLOSED
            file.write(text)

    def forget(self) -> None:
        """Take the file away again: what it holds, if anything, is good for nothing."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
        self.path.unlink()


_CLOSED: Final = -1


def _opened(path: Path, flags: int, tell: Callable[[str], None]) -> int:
    if path.is_symlink():  # said plainly here; that it is so still when it is opened, O_NOFOLLOW sees to
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
        raise NotPrivate(f"anybody may write into {folder}, and so put another file in its place; try chmod o-w")


def _keep_to_owner(descriptor: int, path: Path, tell: Callable[[str], None]) -> None:
    """Narrow an open file to its owner.

    Raises:
        NotPrivate: that is not possible.
    """
    found = os.fstat(descriptor)
    if stat.S_ISCHR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        raise NotPrivate("it is neither a file nor a device")
    if found.st_uid != os.geteuid():
        raise NotPrivate("it belongs to another user")
    if found.st_nlink != 1:
        raise NotPrivate("it has another name besides (a hard link)")
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~_OWNER_ONLY:
        os.fchmod(descriptor, _OWNER_ONLY)
        tell(f"{path} could be read or written by others ({mode:04o}); now only by its owner (0600).")
