"""A worker is killed, again and again: its own VMs are lost, and nobody else's notice."""
import os
import random
import re
import signal
import time
from collections.abc import Callable

from census import take_census
from harness.images import print_text
from harness.rpc import Connection
from harness.waiting import eventually
from mix import Mix
from tasks import PATIENCE

ROUNDS = int(os.environ.get("VMMD_SOAK_ROUNDS", "200"))
ALL_EACH = 20


def choose(rpc: Connection) -> dict:
    """One of each role as often: most of them run VMs."""
    workers = [worker for worker in rpc.call("daemon.workers") if worker["pid"]]
    role = random.choice(sorted({worker["role"] for worker in workers}))
    return random.choice([worker for worker in workers if worker["role"] == role])


def kill(mix: Mix, rpc: Connection, victim: dict) -> None:
    os.kill(victim["pid"], signal.SIGKILL)

    def is_known() -> bool:
        return all(w["number"] != victim["number"] for w in rpc.call("daemon.workers"))

    eventually(is_known, "the daemon to see it", PATIENCE)
    who = rf"worker {victim['number']} \(pid {victim['pid']}, uid (-?\d+), \d+ VMs\)"
    found = re.search(who + " is gone: .*signal 9", mix.daemon.log_text())
    assert found, who
    assert victim["role"] == "spare" or int(found.group(1)) == victim["uid"], found.group()


def test_worker_is_killed(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix()
    mix.place.workers_die = True
    mix.begin()
    before = mix.begin_counted()
    killed = {"runs": 0, "spare": 0, "receives": 0}
    lost = 0
    begin = time.monotonic()
    with mix.connect() as rpc:
        for number in range(ROUNDS):
            time.sleep(random.uniform(0, 0.2))
            victim = choose(rpc)
            kill(mix, rpc, victim)
            killed[victim["role"]] += 1
            hit = [member for member in mix.members if member.vm in victim["vms"]]
            mix.check_members(rpc, [member for member in mix.members if member not in hit])
            lost += len(hit)
            for member in hit:
                mix.replace(rpc, member)
            assert rpc.run(print_text(b"goes on"))["data"] == b"goes on"
            for task in mix.tasks():
                task.check()
            if number % ALL_EACH == ALL_EACH - 1:
                mix.wait_for_progress()
                mix.check_tasks()
                print(
                    f"{number + 1} rounds, {time.monotonic() - begin:.0f} s, {killed}, "
                    f"{lost} of the mix lost: {mix.summary()}",
                    flush=True,
                )
                print(f"  {take_census(mix.daemon)}", flush=True)
    with mix.connect() as rpc:
        for record in rpc.call("vm.list", {"all": True}):
            if record["ended"] and record["name"].startswith("vm"):
                rpc.call("vm.remove", {"vm": record["id"]})
    print(f"after:  {mix.settle(before)}", flush=True)
    mix.end()
