"""The audit file of the command line."""

import os
from pathlib import Path

import pytest

from auth_jwt_cli.audit_log import AuditLog


def test_its_file_is_closed_when_it_is_gone(tmp_path: Path) -> None:
    """A program that makes many, as one that runs commands in its own process, runs out of descriptors otherwise."""
    log = AuditLog(tmp_path / "audit.log")
    descriptor = log._descriptor
    assert descriptor is not None
    os.fstat(descriptor)

    del log

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
