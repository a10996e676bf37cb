#!/usr/bin/python3
"""What waiting for input costs a guest, and how soon it answers a key, by each way of waiting.

First each guest waits for a key that does not come: CPU time of its threads, and exits. Then keys
are typed, one at a time, and each is timed from vm.input to the vm.output notification that has it
back. The last row is a guest that only computes, to compare with.
"""
import json
import random
import statistics
import time

from bench import connected, print_head, print_row
from harness.images import KERNEL_MACHINE
from harness.rpc import Connection
from harness.settings import GUESTS
from harness.waiting import Deadline

SETTLE_SECONDS, IDLE_SECONDS = 0.5, 3
KEYS = 100

# The guest, what it does while it waits, its machine.
READERS = [
    ("echo", "polls the UART", "bare"),
    ("echo-irq", "sleeps; UART's interrupt", KERNEL_MACHINE),
    ("getchar", "HC_GETCHAR", "bare"),
]


def idle(rpc: Connection, vm: int) -> list[str]:
    """CPU time and exits while nothing comes."""
    time.sleep(SETTLE_SECONDS)
    began, before = time.monotonic(), rpc.call("vm.stats", {"vm": vm})
    time.sleep(IDLE_SECONDS)
    after, seconds = rpc.call("vm.stats", {"vm": vm}), time.monotonic() - began
    cpu = (after["time"]["cpu_ns"] - before["time"]["cpu_ns"]) / 1e9
    exits = after["exits"]["total"] - before["exits"]["total"]
    return [f"{100 * cpu / seconds:.2f} %", f"{exits / seconds:.0f}"]


def type_key(rpc: Connection, vm: int) -> float:
    """Seconds until it is back."""
    deadline = Deadline()
    began = time.monotonic()
    rpc.request("vm.input", {"vm": vm, "data": "eA=="})
    lines = [json.loads(rpc.read_line(deadline)) for _ in range(2)]  # the answer, the output
    ended = time.monotonic()
    assert any(line.get("method") == "vm.output" for line in lines), lines
    return ended - began


def latency(rpc: Connection, vm: int) -> list[str]:
    rpc.attach(vm)
    seconds = []
    for _ in range(KEYS):
        time.sleep(random.uniform(0.02, 0.04))  # long enough for a brake to be at its hardest
        seconds.append(type_key(rpc, vm))
    seconds.sort()
    picked = (statistics.median(seconds), seconds[KEYS * 9 // 10], seconds[-1])
    return [f"{1e6 * each:.0f}" for each in picked]


def main() -> None:
    print_head(
        ["guest", "waits by", "CPU time, idle", "exits a second, idle"]
        + ["key to echo, us: median", "90% below", "most"]
    )
    with connected() as rpc:
        for name, how, machine in READERS:
            vm = rpc.start(GUESTS / f"{name}.bin", machine=machine)
            print_row([name, how, *idle(rpc, vm), *latency(rpc, vm)])
            rpc.stop(vm, force=True)
        vm = rpc.start(GUESTS / "spin.bin")
        print_row(["spin", "computes", *idle(rpc, vm), "", "", ""])


if __name__ == "__main__":
    main()
