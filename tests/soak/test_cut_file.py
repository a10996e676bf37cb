"""State files of live VMs are cut short: each ends its VM, and no other one."""
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable

from harness.waiting import eventually
from mix import Member, Mix
from tasks import PATIENCE, SoakConnection

ROUNDS = max(1, int(os.environ.get("VMMD_SOAK_ROUNDS", "200")) // 5)
RING_OFFSET = 8192  # of a state file: what the guest printed


def live(rpc: SoakConnection) -> set[int]:
    return {record["id"] for record in rpc.call("vm.list")}


def cut_one(mix: Mix, member: Member, size: int, restart: bool) -> str:
    """Of what it ended."""
    mix.members.remove(member)
    os.truncate(mix.daemon.state_dir / f"{member.vm}.vm", size)
    if restart:
        mix.daemon.kill()  # and the next one finds it so
        mix.start_daemon()
    with mix.connect() as rpc:
        mix.check_members(rpc)
        if member.vm in live(rpc) and size >= RING_OFFSET:
            rpc.call("vm.stop", {"vm": member.vm}, seconds=PATIENCE)  # nobody has missed it yet
        what = f"VM {member.vm} to end, its file cut to {size} bytes"
        eventually(lambda: member.vm not in live(rpc), what, PATIENCE)
        mix.add(rpc, member.kind)
        for record in rpc.call("vm.list", {"all": True}):
            if record["id"] == member.vm:
                rpc.call("vm.remove", {"vm": member.vm})
                return f"{record['state']}, {record['exit']['reason']}"
    return "not listed"


def test_state_file_is_cut_short(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix()
    mix.begin()
    before = mix.begin_counted()
    begin = time.monotonic()
    reasons: Counter[str] = Counter()
    for _ in range(ROUNDS):
        # what it printed is gone with its file: nobody is to be reading it
        member = random.choice([member for member in mix.members if not member.tasks])
        size = random.choice([0, 0, 100, 4096, RING_OFFSET])
        reasons[f"{size}: {cut_one(mix, member, size, restart=random.random() < 0.3)}"] += 1
        died = re.search(r"worker .* [1-9][0-9]* VMs\) is gone: .*", mix.daemon.log_text())
        assert not died, died
    mix.wait_for_progress()
    mix.check_tasks()
    seconds = time.monotonic() - begin
    print(f"{ROUNDS} rounds, {seconds:.0f} s: {dict(reasons)}; {mix.summary()}", flush=True)
    print(f"after:  {mix.settle(before)}", flush=True)
    mix.end()
