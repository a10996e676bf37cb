"""The daemon is killed, again and again: nobody but its clients notices, and these come back."""
import os
import random
import time
from collections.abc import Callable

from census import take_census
from mix import Mix

ROUNDS = int(os.environ.get("VMMD_SOAK_ROUNDS", "200"))
ALL_EACH = 20  # rounds, after which every stream is waited for


def kill_and_start(mix: Mix, away: float) -> None:
    mix.daemon.kill()
    time.sleep(away)
    mix.start_daemon()


def test_daemon_is_killed(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix()
    mix.begin()
    with mix.connect() as rpc:
        workers = {
            vm: worker["pid"] for worker in rpc.call("daemon.workers") for vm in worker["vms"]
        }
    before = mix.begin_counted()
    begin = time.monotonic()
    for number in range(ROUNDS):
        time.sleep(random.uniform(0, 0.3))
        kill_and_start(mix, random.choice([0, 0, random.uniform(0, 0.2)]))
        with mix.connect() as rpc:
            mix.check_members(rpc)
            mix.check_machines(rpc)
            now = {vm: w["pid"] for w in rpc.call("daemon.workers") for vm in w["vms"]}
            for member in mix.members:
                assert now[member.vm] == workers[member.vm], "another worker has it"
        if number % ALL_EACH == ALL_EACH - 1:
            mix.wait_for_progress()
            mix.check_tasks()
            seconds = time.monotonic() - begin
            print(f"{number + 1} rounds, {seconds:.0f} s: {mix.summary()}", flush=True)
            print(f"  {take_census(mix.daemon)}", flush=True)
        else:
            for task in mix.tasks():
                task.check()
    print(f"after:  {mix.settle(before)}", flush=True)
    mix.end()
