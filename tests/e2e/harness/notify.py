"""What a service manager listens on: sd_notify(3)."""
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from harness.waiting import SECONDS, Deadline


class NotifySocket:
    """Keeps reading, as a service manager does: a full queue would hold the daemon up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self._condition = threading.Condition()
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            text = self._socket.recv(4096).decode()
            if not text:  # from close()
                return
            with self._condition:
                self._lines += text.splitlines()
                self._condition.notify_all()

    def wait_for(
        self, start: str, seconds: float = SECONDS, alive: Callable[[], bool] = lambda: True
    ) -> str:
        """The first line not yet taken that starts so; takes it, and all before it."""
        deadline = Deadline(seconds)
        with self._condition:
            while True:
                for index, line in enumerate(self._lines):
                    if line.startswith(start):
                        del self._lines[: index + 1]
                        return line
                if deadline.passed or not alive():
                    raise TimeoutError(f"nobody said '{start}'; there is {self._lines}")
                self._condition.wait(min(deadline.left, 0.1))

    def close(self) -> None:
        """Nobody listens any more; whoever writes is told so."""
        if self._thread.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
                own.sendto(b"", str(self.path))
            self._thread.join()
        self._socket.close()
        self.path.unlink(missing_ok=True)
