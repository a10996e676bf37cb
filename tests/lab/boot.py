#!/usr/bin/python3
"""Boots a lab machine and waits for what it was made to run: boot.py DIRECTORY QEMU-COMMAND...

Exits with the status of what ran. At a terminal that is given a terminal; else its standard input,
output and error are ours. DIRECTORY takes the machine's console as `console`, and in `out` what was
left in /out. A machine that hangs is ended, and its last lines shown.
"""
import math
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import termios
import threading
import time
from pathlib import Path

BOOT_SECONDS = 60
# of a command; a shell at a terminal has no end
RUN_SECONDS = int(os.environ.get("VMMD_LAB_SECONDS", "900"))
REBOOTS = os.environ.get("VMMD_LAB_REBOOTS") == "1"  # a machine that reboots goes on
LAST_WORDS_SECONDS = 5  # for init to say what still runs
NUDGE_SECONDS = 1
HUNG = 124  # as timeout(1) has it


class Pump:
    """Copies from QEMU to where ours goes. QEMU is never made to wait: what it had then when the
    machine goes off would be lost."""

    def __init__(self, source: int, target: int) -> None:
        self.unread = False  # nobody reads any more what comes out
        self._source, self._target = source, target
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=each) for each in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._source, 65536):
            self._chunks.put(chunk)
        self._chunks.put(b"")
        os.close(self._source)

    def _write(self) -> None:
        while chunk := self._chunks.get():
            rest = memoryview(chunk)
            while rest and not self.unread:
                try:
                    rest = rest[os.write(self._target, rest) :]
                except BlockingIOError:  # whoever made it may have it so
                    select.select([], [self._target], [])
                except OSError:
                    self.unread = True

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


class Machine:
    def __init__(self, directory: Path, qemu: list[str]) -> None:
        self.console = directory / "console"
        self.archive = directory / "files.tar"
        self.out = directory / "out"
        self.interactive = os.isatty(0) and os.isatty(1)
        self._append = f"console=ttyS0 panic=-1 quiet lab_seconds={RUN_SECONDS}"
        self._options: list[str] = []
        self._descriptors: list[int] = []  # for QEMU, ours to close
        self._pumps: list[Pump] = []
        self._qemu = qemu
        self._nudged = 0.0  # when, by the monotonic clock

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
        """Input is QEMU's own. For output QEMU opens a path, and ours may not bear to be opened anew: it
        gets a pipe."""
        self._options += ["-chardev", "stdio,id=stdin,signal=off"]
        self._options += ["-device", "virtserialport,chardev=stdin,nr=2"]
        for number, ours in ((3, 1), (4, 2)):
            reader, writer = os.pipe()
            self._pumps.append(Pump(reader, ours))
            self._descriptors.append(writer)
            self._add_output(f"output{ours}", number, f"/dev/fd/{writer}")

    def _add_monitor(self) -> None:
        self._monitor, qemus = socket.socketpair()
        self._monitor.setblocking(False)
        self._descriptors.append(qemus.detach())
        self._options += ["-chardev", f"socket,id=monitor,fd={self._descriptors[-1]}"]
        self._options += ["-mon", "chardev=monitor,mode=readline"]

    def _nudge(self) -> None:
        """Presses a key that nobody minds, so that the CPU takes the interrupts it has.

        QEMU's emulated VMRUN and its exit change the set of the CPU's pending interrupts without a
        lock. One that another thread adds at that moment is lost; the CPU, if it halts then, stays
        halted with its interrupt waiting, until there is another one.
        """
        if time.monotonic() < self._nudged + NUDGE_SECONDS:
            return
        self._nudged = time.monotonic()
        try:
            self._monitor.send(b"sendkey ctrl\n")
            while self._monitor.recv(65536):
                pass
        except OSError:  # all was read, or QEMU is ending
            pass

    def start(self) -> None:
        self.console.unlink(missing_ok=True)
        self.archive.unlink(missing_ok=True)
        shutil.rmtree(self.out, ignore_errors=True)
        self._options += ["-device", "virtio-serial-pci"]
        self._add_output("files", 1, str(self.archive))
        self._add_monitor()
        if self.interactive:
            self._add_terminal()
        else:
            self._add_streams()
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"]  # it is not to outlive us
            + self._qemu
            + ["-accel", "tcg", "-smp", "1", "-m", "1024", "-append", self._append]
            + ["-nodefaults", "-no-user-config", "-display", "none"]
            + ([] if REBOOTS else ["-no-reboot"])
            + ["-serial", f"file:{self.console}"]
            + self._options,
            # a terminal is QEMU's whole or not at all: it would switch it to raw
            stdin=subprocess.DEVNULL if os.isatty(0) and not self.interactive else None,
            # QEMU makes its standard output non-blocking, and that would be ours
            stdout=None if self.interactive else subprocess.DEVNULL,
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
            self._nudge()
            try:
                self._process.wait(0.1)
                return True
            except subprocess.TimeoutExpired:
                pass
            if any(pump.unread for pump in self._pumps):
                sys.exit(128 + signal.SIGPIPE)
        return False

    def wait(self) -> str:
        """Waits until the machine is off. What is wrong with how it came to that, if anything."""
        if not self._off(BOOT_SECONDS, until="lab: started"):
            if "lab: started" not in self.console_text():
                return f"the machine has not started within {BOOT_SECONDS} s"
            if not self._off(math.inf if self.interactive else RUN_SECONDS + LAST_WORDS_SECONDS):
                return f"what ran has not ended within {RUN_SECONDS} s"
        return "" if "lab: status" in self.console_text() else "the machine went off by itself"

    def finish(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        for pump in self._pumps:
            pump.join()

    def unpack(self) -> int:
        """Unpacks what came back; the status of what ran."""
        with tarfile.open(self.archive) as archive:
            # our own; from Python 3.14 on, not all that a tree has would come out of it
            archive.extraction_filter = lambda member, _: member
            archive.extractall(self.archive.parent)
        return int((self.archive.parent / "status").read_text(encoding="ascii"))


def main(directory: Path, qemu: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
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
