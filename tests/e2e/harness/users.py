"""Clients of other users; root alone can be them."""
import ctypes
import os
from pathlib import Path
from typing import TypeVar

import pytest

from harness.rpc import Connection

NOBODY = 65534
SYS_SETRESUID = {"x86_64": 117}.get(os.uname().machine, 147)  # asm-generic's is riscv64's

Kind = TypeVar("Kind", bound=Connection)


def require_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")


def _set_uid(uid: int) -> None:
    """The effective one, of this thread: glibc's own calls are for all threads of a process."""
    unchanged = ctypes.c_uint32(-1)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_SETRESUID, unchanged, ctypes.c_uint32(uid), unchanged) != 0:
        raise OSError(ctypes.get_errno(), "setresuid")


def connect_as(uid: int, path: Path, kind: type[Kind] = Connection) -> Kind:
    """A connection by which the daemon sees another user."""
    before = os.geteuid()
    _set_uid(uid)
    try:
        return kind(path)
    finally:
        _set_uid(before)
