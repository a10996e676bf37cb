"""A command in a terminal of its own."""
import os
import select
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.waiting import SECONDS, Deadline

# A shell leads the session, as at a prompt, and looks at the terminal before and after. Signals
# from the keyboard are the command's to act on.
SCRIPT = """
trap : INT QUIT TSTP
before=$(stty -g)
"$@"
echo "status $?"
after=$(stty -g)
[ "$before" = "$after" ] && echo "terminal restored" || echo "terminal changed: $before $after"
"""


class Terminal:
    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 80
    ) -> None:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "sh", *command],
            env=dict(environment) | {"TERM": "xterm"},
            preexec_fn=lambda: os.login_tty(slave),
        )
        os.close(slave)
        self.raw = b""  # all that was shown
        self.text = ""  # the same, with LF for CR LF

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._master >= 0:
            os.close(self._master)

    @property
    def shell_pid(self) -> int:
        return self._process.pid

    @property
    def child_pid(self) -> int:
        """Of the command."""
        children = Path(f"/proc/{self.shell_pid}/task/{self.shell_pid}/children")
        return int(children.read_text(encoding="ascii"))

    def close(self) -> None:
        """Closes the window."""
        os.close(self._master)
        self._master = -1

    def _read(self, deadline: Deadline) -> bool:
        """Reads what is shown next; False at the end."""
        if not select.select([self._master], [], [], deadline.left)[0]:
            raise TimeoutError(f"waited in vain; the terminal shows {self.text!r}")
        try:
            data = os.read(self._master, 4096)
        except OSError:  # EIO: nobody has it open any more
            return False
        self.raw += data
        self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return True

    def read_until(self, text: str, seconds: float = SECONDS) -> None:
        deadline = Deadline(seconds)
        while text not in self.text:
            assert self._read(deadline), f"it ended; the terminal shows {self.text!r}"

    def read_to_end(self, seconds: float = SECONDS) -> str:
        deadline = Deadline(seconds)
        while self._read(deadline):
            pass
        return self.text

    def read_some(self) -> None:
        """What is shown already."""
        while select.select([self._master], [], [], 0)[0] and self._read(Deadline()):
            pass

    def type(self, keys: bytes) -> None:
        """Reads while it waits for room, as a terminal does."""
        while keys:
            readable, writable, _ = select.select([self._master], [self._master], [], SECONDS)
            assert readable or writable, "nobody reads what is typed"
            if readable:
                self.read_some()
            elif writable:
                keys = keys[os.write(self._master, keys) :]

    def has_echo(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)
