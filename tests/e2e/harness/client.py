"""The real vmmctl."""
import subprocess
from pathlib import Path

from harness.daemon import clean_environment
from harness.settings import VMMCTL, VMMD
from harness.waiting import Deadline


class Client:
    """The real vmmctl, speaking to one daemon, or looking for one."""

    def __init__(self, folder: Path, socket: Path | None) -> None:
        self.environment = clean_environment() | {
            "VMMD": str(VMMD),
            "XDG_RUNTIME_DIR": str(folder),
            "LC_ALL": "C.UTF-8",
        }
        if socket:
            self.environment["VMMD_SOCKET"] = str(socket)

    def popen(self, *arguments: object, **more: object) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        options = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe} | more
        command = [str(VMMCTL), *map(str, arguments)]
        return subprocess.Popen(command, env=self.environment, **options)

    def __call__(self, *arguments: object, **more: object) -> "subprocess.CompletedProcess[str]":
        """Runs it to its end."""
        with self.popen(*arguments, encoding="utf-8", **more) as process:
            try:
                stdout, stderr = process.communicate(timeout=Deadline(30).left)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
