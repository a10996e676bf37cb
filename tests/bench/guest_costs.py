#!/usr/bin/python3
"""What the first five guests cost: exits, and microseconds in the guest, in the VMM, and in all.

guest_costs.py [ROUNDS]. The guests take turns; each figure is the median of its rounds.
"""
import statistics
import sys

from bench import connected, print_head, print_row
from harness.rpc import Connection
from harness.settings import GUESTS

NAMES = ("minimal", "hello", "counter", "hctest", "multiplication")
WAYS = [(name, coalesce) for name in NAMES for coalesce in (False, True)]

Costs = tuple[int, int, int, int]


def live(rpc: Connection, name: str, coalesce: bool) -> Costs:
    """One life of a guest: exits, and nanoseconds."""
    vm = rpc.start(GUESTS / f"{name}.bin", coalesce=coalesce)
    record = rpc.wait(vm)
    stats = rpc.call("vm.stats", {"vm": vm})
    rpc.call("vm.remove", {"vm": vm})
    time = stats["time"]
    return stats["exits"]["total"], time["guest_ns"], time["vmm_ns"], record["uptime_ns"]


def cells(lives: list[Costs]) -> list[str]:
    exits, guest, vmm, uptime = (statistics.median(values) for values in zip(*lives))
    return [f"{exits:.0f}", f"{guest / 1000:.0f}", f"{vmm / 1000:.1f}", f"{uptime / 1000:.0f}"]


def main(rounds: int) -> None:
    lives: dict[tuple[str, bool], list[Costs]] = {way: [] for way in WAYS}
    with connected() as rpc:
        for _ in range(rounds):
            for way in WAYS:
                lives[way].append(live(rpc, *way))

    head = ["exits", "guest", "VMM", "uptime"]
    print_head(["guest", "size", *head, "exits, coalesced", *head[1:]])
    for name in NAMES:
        size = (GUESTS / f"{name}.bin").stat().st_size
        print_row([name, size, *cells(lives[name, False]), *cells(lives[name, True])])


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
