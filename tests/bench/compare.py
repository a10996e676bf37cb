#!/usr/bin/python3
"""Two builds of vmmd side by side in one run, by turns: what got slower, what got faster.

    tests/bench/compare.py BEFORE/daemon/vmmd AFTER/daemon/vmmd [GUESTS]

What is measured alternates between both, a round each, so that a busy machine is busy for both.
Each figure is the median of its rounds, with the first and third quartile behind it.
"""
import base64
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import print_head, print_row

from harness.daemon import Daemon
from harness.rpc import Connection
from harness.waiting import eventually

ROUNDS = 7
LIVES = 60
MANY = int(os.environ.get("VMMD_BENCH_MANY", "4000"))
FLOOD_MS = 1000
SETTLE_S = 20  # the kernel takes down thousands of VMs long after they have ended
IN_FLIGHT = 1000  # requests of one client: vmmd waits for it to read the answers of more

HALT = base64.b64encode(b"\xf4").decode()
SPIN = base64.b64encode(b"\xeb\xfe").decode()


class Side:
    """One of the two builds, with a daemon."""

    def __init__(self, name: str, vmmd: str, guests: Path, folder: Path) -> None:
        self.name, self.guests = name, guests
        folder.mkdir()
        options = ["--max-vms", "100000", "--retain", "64"]
        self.daemon = Daemon(folder, options, vmmd=Path(vmmd))
        self.daemon.start()
        self.rpc = self.daemon.connect()
        self.samples: dict[str, list[float]] = {}

    def add(self, what: str, value: float) -> None:
        self.samples.setdefault(what, []).append(value)

    def pids(self) -> list[int]:
        try:
            return self.daemon.pids()
        except Exception:  # before there were workers
            return [self.daemon.pid]


def timed(work: Callable[[], object]) -> float:
    """Microseconds."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e6


def live(rpc: Connection, **params: object) -> None:
    rpc.wait(rpc.call("vm.start", {"image": {"data": HALT}} | params)["id"])


def lives(side: Side) -> None:
    minimal = side.guests / "minimal.bin"
    side.add("start to end, by descriptor, us", statistics.median(
        timed(lambda: side.rpc.wait(side.rpc.start(minimal))) for _ in range(LIVES)))
    side.add("start to end, by data, us", statistics.median(
        timed(lambda: live(side.rpc)) for _ in range(LIVES)))


def floods(side: Side) -> None:
    for image, coalesce in (("uart", False), ("uart", True), ("putchar", False), ("write", False),
                            ("ring", False)):
        vm = side.rpc.start(side.guests / f"flood-{image}.bin", coalesce=coalesce,
                            timeout_ms=FLOOD_MS)
        record = side.rpc.wait(vm)
        name = f"flood by {image}{', coalesced' if coalesce else ''}, bytes/s"
        side.add(name, record["output"]["next"] / (record["uptime_ns"] / 1e9))


def replay(side: Side) -> None:
    vm = side.rpc.start(side.guests / "flood-write.bin", timeout_ms=300, ring=1 << 20)
    side.rpc.wait(vm)
    seconds = timed(lambda: side.rpc.attach(vm).read_to_end()) / 1e6
    side.add("replay of 1 MiB by a Python reader, MB/s", (1 << 20) / seconds / 1e6)


def beside_spinners(side: Side) -> None:
    vms = [side.rpc.call("vm.start", {"image": {"data": SPIN}})["id"] for _ in range(64)]
    times = sorted(timed(lambda: side.rpc.call("daemon.info")) for _ in range(100))
    side.add("daemon.info beside 64 spinners, us, median", times[50])
    side.add("daemon.info beside 64 spinners, us, 99%", times[98])
    side.add("stop of one among them, us", timed(lambda: side.rpc.stop(vms[32])))
    for number in [side.rpc.request("vm.stop", {"vm": vm}) for vm in vms]:
        side.rpc.result("vm.stop", number)


def resident(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def many(side: Side) -> None:
    """Waiting guests: each start is timed, then all are stopped."""
    getchar = side.guests / "getchar.bin"
    before = resident(side.pids())
    times = []

    def start_one() -> None:
        vms.append(side.rpc.start(getchar))

    vms: list[int] = []
    begin = time.perf_counter()
    for _ in range(MANY):
        times.append(timed(start_one))
    side.add(f"{MANY} started one after another, s", time.perf_counter() - begin)
    early, late = statistics.median(times[5:45]), statistics.median(times[-40:])
    side.add("start, 5th to 45th, us", early)
    side.add(f"start, the last 40 of {MANY}, us", late)
    side.add("ratio of these", late / early)
    side.add("memory a VM (PSS of all processes), KiB",
             (resident(side.pids()) - before) / MANY / 1024)
    side.add(f"vm.list of {MANY}, ms",
             statistics.median(timed(lambda: side.rpc.call("vm.list")) for _ in range(3)) / 1e3)
    begin = time.perf_counter()
    for first in range(0, len(vms), IN_FLIGHT):
        some = vms[first:first + IN_FLIGHT]
        for number in [side.rpc.request("vm.stop", {"vm": vm}) for vm in some]:
            side.rpc.result("vm.stop", number, seconds=60)
    side.add(f"stop of {MANY} at once, s", time.perf_counter() - begin)


def spread(values: list[float]) -> str:
    if len(values) < 3:
        return f"{statistics.median(values):.4g}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"


def report(sides: list[Side]) -> None:
    print_head(["what", *(side.name for side in sides), "after to before"])
    for what in sides[0].samples:
        before, after = (side.samples[what] for side in sides)
        ratio = statistics.median(after) / statistics.median(before)
        print_row([what, spread(before), spread(after), f"{ratio:.2f}"])


def main() -> None:
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    guests = Path(sys.argv[3]) if len(sys.argv) == 4 else Path(sys.argv[2]).parents[1] / "guests"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Ext4 without a journal spends milliseconds on a file made after thousands were deleted.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, ExitStack() as ends:
        sides = [
            Side(name, vmmd, guests, Path(folder) / name)
            for name, vmmd in zip(("before", "after"), sys.argv[1:3])
        ]
        for side in sides:
            ends.callback(side.daemon.finish)
        for _ in range(ROUNDS):
            for work in (lives, floods, replay, beside_spinners):
                for side in sides:
                    work(side)
        if MANY:
            for side in sides:
                eventually(lambda s=side: s.rpc.call("vm.list") == [], "quiet")
                time.sleep(SETTLE_S)
                many(side)
        report(sides)


if __name__ == "__main__":
    main()
