"""The machine around a guest: several CPUs, CPU modes, input, pauses, rings, devices."""
import pytest

from harness.images import EXIT_7_FLAT, PRINT_CPU, SLEEP, smp
from harness.rpc import Connection

PROTECTED_PC = {"mode": "protected", "machine": "pc"}


@pytest.mark.parametrize("cpus", [2, 3, 4])
def test_each_cpu_makes_hypercalls_with_registers_of_its_own(rpc: Connection, cpus: int) -> None:
    image = smp(PRINT_CPU + SLEEP, cpus - 1, then=EXIT_7_FLAT)
    record = rpc.run(image, cpus=cpus, **PROTECTED_PC)
    assert sorted(record["data"]) == list(range(ord("1"), ord("0") + cpus))
    assert (record["exit"]["reason"], record["exit"]["code"]) == ("guest-exit", 7)
    assert record["cpus"] == cpus
