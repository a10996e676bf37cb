#!/usr/bin/python3
"""Boots a lab machine and waits for what it was made to run: boot.py DIRECTORY QEMU-COMMAND...

Exits with the status of what ran. At a terminal that is given a terminal; else its standard input,
output and error are ours. DIRECTORY takes the machine's console as `console`, and in `out` what was
left in /out. A machine that hangs is ended, and its last lines shown.
"""
import os
import random
import shutil
import subprocess
import sys
import tarfile
import termios
import time
from pathlib import Path

BOOT_SECONDS = 60
# of a command; a shell at a terminal has no end
RUN_SECONDS = int(os.environ.get("VMMD_LAB_SECONDS", "900"))
LAST_WORDS_SECONDS = 5  # for init to say what still runs
HUNG = 124  # as timeout(1) has it


def on_one_cpu(command: list[str]) -> list[str]:
    """The command, to have all its threads take turns on one of our CPUs.

    QEMU's emulated VMRUN and its exit change the set of the CPU's pending interrupts without a lock:
    one that another thread adds at that moment is lost, and a CPU that halts then stays halted.
    """
    return ["taskset", "--cpu-list", str(random.choice(list(os.sched_getaffinity(0)))), *command]


class Machine:
    def __init__(self, directory: Path, qemu: list[str]) -> None:
        self.console = directory / "console"
        self.archive = directory / "files.tar"
        self.out = directory / "out"
        self.interactive = os.isatty(0) and os.isatty(1)
        # x86 takes a timer that comes late, as on a busy host, for a broken one, if it checks
        self._append = "console=ttyS0 panic=-1 quiet no_timer_check"
        self._append += f" lab_seconds={RUN_SECONDS}"
        self._options: list[str] = []
        self._descriptors: list[int] = []  # for QEMU, ours to close
        self._pumps: list[subprocess.Popen] = []
        self._qemu = qemu

    def _add_output(self, name: str, number: int, path: str) -> None:
        self._options += ["-chardev", f"file,id={name},path={path}"]
        self._options += ["-device", f"virtserialport,chardev={name},nr={number}"]

    def _add_terminal(self) -> None:
        """hvc0 is the terminal we are at; Ctrl-A X ends QEMU."""
        size = shutil.get_terminal_size()
        self._append += f" lab_rows={size.lines} lab_columns={size.columns}"
        self._options += ["-chardev", "stdio,id=terminal,mux=on,signal=off"]
        self._options += ["-device", "virtconsole,chardev=terminal,nr=0"]

    def _add_streams(self) -> None:
        """Input is QEMU's own. For output QEMU opens a path, and ours may not bear to be opened anew:
        cat copies from a pipe to it."""
        self._options += ["-chardev", "stdio,id=stdin,signal=off"]
        self._options += ["-device", "virtserialport,chardev=stdin,nr=2"]
        for number, ours in ((3, 1), (4, 2)):
            reader, writer = os.pipe()
            self._pumps.append(subprocess.Popen(["cat"], stdin=reader, stdout=ours))
            os.close(reader)
            self._descriptors.append(writer)
            self._add_output(f"output{ours}", number, f"/dev/fd/{writer}")

    def start(self) -> None:
        self.console.unlink(missing_ok=True)
        self.archive.unlink(missing_ok=True)
        shutil.rmtree(self.out, ignore_errors=True)
        self._options += ["-device", "virtio-serial-pci"]
        self._add_output("files", 1, str(self.archive))
        if self.interactive:
            self._add_terminal()
        else:
            self._add_streams()
        self._process = subprocess.Popen(
            on_one_cpu(self._qemu)
            + ["-accel", "tcg", "-smp", "1", "-m", "1024", "-append", self._append]
            + ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
            + ["-serial", f"file:{self.console}"]
            + self._options,
            # a terminal is QEMU's whole or not at all: it would switch it to raw
            stdin=subprocess.DEVNULL if os.isatty(0) and not self.interactive else None,
            pass_fds=self._descriptors,
        )
        for descriptor in self._descriptors:
            os.close(descriptor)

    def console_text(self) -> str:
        try:
            return self.console.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _off(self, seconds: float, until: str = "") -> bool:
        """Whether it is off before some time has passed, or its console says something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in self.console_text()):
            try:
                self._process.wait(0.1)
                return True
            except subprocess.TimeoutExpired:
                pass
        return False

    def wait(self) -> str:
        """Waits until the machine is off. What is wrong with how it came to that, if anything."""
        if not self._off(BOOT_SECONDS, until="lab: started"):
            if "lab: started" not in self.console_text():
                return f"the machine has not started within {BOOT_SECONDS} s"
            if self.interactive:
                self._process.wait()
            elif not self._off(RUN_SECONDS + LAST_WORDS_SECONDS):
                return f"what ran has not ended within {RUN_SECONDS} s"
        return "" if "lab: status" in self.console_text() else "the machine went off by itself"

    def finish(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        for pump in self._pumps:
            pump.wait()

    def unpack(self) -> int:
        """Unpacks what came back; the status of what ran."""
        with tarfile.open(self.archive) as archive:
            archive.extractall(self.archive.parent)
        return int((self.archive.parent / "status").read_text(encoding="ascii"))


def main(directory: Path, qemu: list[str]) -> int:
    machine = Machine(directory, qemu)
    terminal = termios.tcgetattr(0) if machine.interactive else None
    machine.start()
    try:
        wrong = machine.wait()
    finally:
        machine.finish()
        if terminal:
            termios.tcsetattr(0, termios.TCSADRAIN, terminal)
    if wrong:
        last = machine.console_text().splitlines()[-25:]
        print(f"lab: {wrong}. Its console ends:", *last, sep="\n  ", file=sys.stderr)
        return HUNG
    return machine.unpack()


sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
