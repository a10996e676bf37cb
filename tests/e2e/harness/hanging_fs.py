"""A file system that hangs when told to.

What hangs in it cannot be killed. It goes on when the server of the file system ends
(hanging_server.py), and that ends with the test.
"""
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest

from harness import hanging_server
from harness.waiting import Deadline, eventually


class HangingFs:
    """A folder of regular files; read-only. Skips the test where none can be mounted."""

    def __init__(self, mount_point: Path, files: Mapping[str, bytes]) -> None:
        mount_point.mkdir(exist_ok=True)
        ours, servers = socket.socketpair()
        with servers:
            self._process = subprocess.Popen(
                [sys.executable, hanging_server.__file__], stdin=servers, stdout=sys.stderr
            )
        ours.settimeout(Deadline().left)
        self._server = ours.makefile("rwb", buffering=0)
        ours.close()  # the file keeps it open
        self._hold: tuple[str, ...] = ()
        # by way of the server, for nobody else sees the mount
        self.folder = Path(f"/proc/{self._process.pid}/root") / mount_point.relative_to("/")
        answer = self._ask(
            {
                "directory": str(mount_point),
                "files": {name: content.hex() for name, content in files.items()},
                "served": os.getpid(),
            }
        )
        if "error" in answer:
            self.end()
            pytest.skip(f"no file system by FUSE: {answer['error']}")

    def __enter__(self) -> "HangingFs":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _ask(self, what: object) -> dict | list:
        self._server.write(json.dumps(what).encode() + b"\n")
        return json.loads(self._server.readline())

    def hold(self, *names: str) -> list[str]:
        """From now on 'open', 'read', 'flush' or 'release' hang, those named and of other processes
        than this one; those not named go on. The names of the requests that hang."""
        self._hold = names
        return self._ask(names)

    def held(self) -> list[str]:
        """The names of the requests that hang."""
        return self._ask(self._hold)

    def wait_held(self, count: int) -> None:
        eventually(lambda: len(self.held()) >= count, f"{count} requests that hang")

    def end(self) -> None:
        """Whoever hangs goes on, with an error."""
        self._server.close()
        try:
            self._process.wait(Deadline().left)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
