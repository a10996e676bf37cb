"""Fifty restarts of the service and fifty deaths of its daemon, beside fifty busy VMs.

At the end every VM is the one that it was, with all that it printed, whoever watched has missed
nothing, and nothing is left behind. Takes long: `./dev lab systemd soak`.
"""
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.images import PRINT_THEN_SPIN, SLEEP, stream_bytes
from harness.waiting import Deadline, eventually
from host import (
    CONFIG,
    GUESTS,
    SERVICE,
    STATE,
    as_user,
    drop_in,
    journal,
    main_pid,
    output,
    processes,
    start,
    start_image,
    start_printing,
    systemctl,
    vmmctl,
    vms_of,
    wait_for_clients,
    wait_for_next_daemon,
    workers,
)

ROUNDS = 50  # of a restart and a death each
SECONDS = 2 * 60 * 60

REAL_PC = ("--machine", "pc", "--mode", "real")

STABLE = ("id", "name", "created", "started", "owner", "state", "machine", "memory")


@dataclass
class Mix:
    """Fifty VMs of two users, in workers of at most eight."""

    printing: list[int] = field(default_factory=list)
    computing: list[int] = field(default_factory=list)
    echoing: list[int] = field(default_factory=list)
    paused: list[int] = field(default_factory=list)
    sleeping: list[int] = field(default_factory=list)  # on a PC, for its timer or anything else
    said: dict[int, str] = field(default_factory=dict)  # to those that echo

    def start(self) -> None:
        for index in range(10):
            user = "alice" if index % 2 else "bob"
            self.printing.append(start_printing(user))
            self.computing.append(start(user, GUESTS / "spin.bin"))
            self.echoing.append(start(user, GUESTS / "cat.bin"))
            self.paused.append(start_image(user, PRINT_THEN_SPIN))
            self.sleeping.append(start_image(user, SLEEP, *REAL_PC))
        self.said = {vm: "" for vm in self.echoing}
        eventually(lambda: all(output(vm) == b"AB" for vm in self.paused), "their output")
        vmmctl("alice", "pause", *self.paused)

    def type_to_one(self, number: int) -> None:
        """A line, after which it has to echo all that it was ever told."""
        vm = self.echoing[number % len(self.echoing)]
        vmmctl("alice", "input", vm, f"line {number}")
        self.said[vm] += f"line {number}\n"

    def all(self) -> list[int]:
        return self.printing + self.computing + self.echoing + self.paused + self.sleeping


def stable(vms: dict[int, dict]) -> dict[int, dict]:
    """What must be the same of a VM for as long as it is there."""
    return {vm: {name: record[name] for name in STABLE} for vm, record in vms.items()}


def places() -> dict[int, list[int]]:
    """The processes that have VMs, and which."""
    return {worker["pid"]: sorted(worker["vms"]) for worker in workers() if worker["vms"]}


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def tasks(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def files() -> set[str]:
    """Those of VMs, and of the daemon; workers that stand ready come and go."""
    return {path.name for path in STATE.iterdir()}


def sockets() -> int:
    return len(list((STATE / "workers").glob("*.sock")))


def watch(folder: Path, *arguments: object) -> tuple[subprocess.Popen[bytes], Path]:
    name = folder / "-".join(map(str, arguments))
    with name.open("wb") as printed:
        command = as_user("alice", "vmmctl", *arguments)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.PIPE
        )
    return process, name


def restart(daemon: int) -> None:
    systemctl("restart", SERVICE)
    assert main_pid() != daemon


def kill(daemon: int) -> None:
    os.kill(daemon, signal.SIGKILL)


def settle() -> None:
    """Waits until there is what there is to be, and whoever watches is back."""
    eventually(
        lambda: processes() == {main_pid(), *(worker["pid"] for worker in workers())}
        and sockets() == len(workers()),
        "the daemon, its workers and their files, and nothing else",
    )
    wait_for_clients(6)


def held_by(pids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Descriptors and threads of each process."""
    return {pid: (descriptors(pid), tasks(pid)) for pid in pids}


@pytest.mark.timeout(SECONDS)
def test_fifty_vms_outlive_fifty_restarts_and_fifty_deaths(
    tmp_path: Path, since: float, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_in("[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n")
    CONFIG.write_text("worker-vms = 8\n", encoding="ascii")
    mix = Mix()
    mix.start()
    tmp_path.chmod(0o755)
    watchers = [watch(tmp_path, "attach", vm) for vm in mix.printing[:3]]
    watchers += [watch(tmp_path, "logs", "-f", vm) for vm in mix.printing[3:6]]

    for number in range(len(mix.echoing)):
        mix.type_to_one(number)
    restart(main_pid())  # from here on, all that is there was taken up
    settle()
    before, where, names = vms_of("alice"), places(), files()
    held = held_by(where)
    assert len(before) == 50 and len(where) >= 7

    began = time.monotonic()
    for number in range(2 * ROUNDS):
        daemon = main_pid()
        (kill if number % 2 else restart)(daemon)
        wait_for_next_daemon(daemon)
        mix.type_to_one(number)
        now = vms_of("alice")
        assert stable(now) == stable(before), f"after {number + 1} daemons"
        with capsys.disabled():
            printed = sum(each["output"]["next"] for each in now.values())
            told = f"daemon {number + 1}, {time.monotonic() - began:.0f} s: {printed} bytes printed"
            print(told, flush=True)

    settle()
    after = vms_of("alice")
    assert places() == where and files() == names and held_by(where) == held
    for vm in mix.printing:
        assert after[vm]["output"]["next"] > before[vm]["output"]["next"], vm
    for vm, said in mix.said.items():
        assert output(vm).decode() == said
    for vm in mix.paused:
        assert output(vm) == b"AB"

    vmmctl("alice", "stop", *mix.all())
    for vm in mix.printing:
        printed = output(vm)
        assert printed == stream_bytes(0, len(printed)) and len(printed) > 0
    for (process, shown), vm in zip(watchers, mix.printing):
        _, said = process.communicate(timeout=Deadline().left)
        assert process.returncode == 0 and b"lost" not in said, said
        assert shown.read_bytes() == output(vm), shown
    assert not journal(since, f"_SYSTEMD_UNIT={SERVICE}", "PRIORITY=3")
    systemctl("stop", SERVICE)
    eventually(lambda: not processes() and sockets() == 0, "an end of everything")
