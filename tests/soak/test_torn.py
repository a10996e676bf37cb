"""Daemons that are killed at any moment, with workers or in the middle of what they do."""
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from census import machines, take_census
from harness.images import ECHO, HALT, SPIN, print_text
from harness.rpc import as_data
from harness.settings import GUESTS
from harness.waiting import eventually
from mix import Mix
from tasks import AWAY, PATIENCE, SoakConnection

ROUNDS = int(os.environ.get("VMMD_SOAK_ROUNDS", "200"))
TOGETHER = max(1, ROUNDS // 5)
ALL_EACH = 20


def check_files(mix: Mix, rpc: SoakConnection) -> None:
    """A file for each VM that is listed, a socket and a note for each worker; nothing else."""

    def fault() -> str:
        listed = {record["id"] for record in rpc.call("vm.list", {"all": True})}
        workers = [worker["number"] for worker in rpc.call("daemon.workers")]
        wanted = {"lock", "next-id", "ledger", *(f"{vm}.vm" for vm in listed)}
        wanted |= {f"workers/{number}.{kind}" for number in workers for kind in ("sock", "note")}
        there = {
            str(path.relative_to(mix.daemon.state_dir))
            for path in mix.daemon.state_dir.rglob("*")
            if not path.is_dir()
        }
        return f"too many: {there - wanted}, too few: {wanted - there}" if there != wanted else ""

    try:
        eventually(lambda: not fault(), "files", PATIENCE)
    except TimeoutError as timeout:
        raise AssertionError(fault()) from timeout


def test_daemon_and_workers_are_killed(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix(runners=3)
    mix.place.workers_die = True
    mix.begin()
    before = mix.begin_counted()
    lost = 0
    begin = time.monotonic()
    for number in range(TOGETHER):
        time.sleep(random.uniform(0, 0.3))
        with mix.connect() as rpc:
            workers = [worker for worker in rpc.call("daemon.workers") if worker["pid"]]
        dead = random.sample(workers, random.choice([len(workers), 1, 2, 4]))
        vms = {vm for worker in dead for vm in worker["vms"]}
        first = random.choice(["daemon", "workers"])
        if first == "daemon":
            mix.daemon.kill()
        for worker in dead:
            with suppress(ProcessLookupError):  # it had nothing to do, and ended with the daemon
                os.kill(worker["pid"], signal.SIGKILL)
        if first == "workers":
            mix.daemon.kill()
        mix.start_daemon()
        with mix.connect() as rpc:
            hit = [member for member in mix.members if member.vm in vms]
            mix.check_members(rpc, [member for member in mix.members if member not in hit])
            lost += len(hit)
            for member in hit:
                mix.replace(rpc, member)
            mix.check_machines(rpc)
        for task in mix.tasks():
            task.check()
        if number % ALL_EACH == ALL_EACH - 1:
            mix.wait_for_progress()
            mix.check_tasks()
            seconds = time.monotonic() - begin
            print(f"{number + 1} rounds, {seconds:.0f} s, {lost} lost: {mix.summary()}")
            print(f"  {take_census(mix.daemon)}", flush=True)
    with mix.connect() as rpc:
        mix.end_runners()
        for record in rpc.call("vm.list", {"all": True}):
            if record["ended"] and record["name"].startswith("vm"):
                rpc.call("vm.remove", {"vm": record["id"]})
        check_files(mix, rpc)
    print(f"after:  {mix.settle(before)}", flush=True)
    mix.end()


class Burst(threading.Thread):
    """A client that asks for much at once, and does not wait for answers."""

    def __init__(self, mix: Mix, name: str) -> None:
        super().__init__(daemon=True)
        self.mix = mix
        self.name = name
        self.asked: dict[int, tuple[str, str | int]] = {}  # by request: the method, of which VM
        self.answered: dict[int, dict] = {}
        self.failure: BaseException | None = None

    def start_one(self, connection: SoakConnection, count: int) -> None:
        name = f"{self.name}-{count}"
        kind = random.choice(["data", "data", "fd", "path"])
        params = {"name": name}
        if kind == "data":
            image = random.choice([HALT, SPIN, ECHO, print_text(b"much"), b""])
            number = connection.request("vm.start", params | {"image": as_data(image)})
        elif kind == "path":
            number = connection.request("vm.start", params | {"image": {"path": "hello.bin"}})
        else:
            with (GUESTS / "hello.bin").open("rb") as image:
                params["image"] = {"fd": True}
                number = connection.request("vm.start", params, [image.fileno()])
        self.asked[number] = ("start", name)
        method = random.choice(["vm.stop", "vm.remove", "vm.pause", ""])
        if method:
            self.asked[connection.request(method, {"vm": name})] = (method, name)

    def read_answers(self, connection: SoakConnection, seconds: float) -> None:
        while len(self.answered) < len(self.asked):
            try:
                answer = connection.receive(seconds)
            except TimeoutError:
                return
            self.answered[answer["id"]] = answer

    def run(self) -> None:
        try:
            with SoakConnection(self.mix.place.socket) as connection:
                with suppress(*AWAY):
                    for count in range(200):
                        self.start_one(connection, count)
                        if count % 4 == 3:
                            self.read_answers(connection, 0)
                with suppress(*AWAY):
                    self.read_answers(connection, 60)
        except AWAY:
            pass
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure

    def check(self, rpc: SoakConnection) -> dict[str, int]:
        """What was answered is so; what was not, is so or never was."""
        counts = {"answered": 0, "unanswered, there": 0, "unanswered, not there": 0, "refused": 0}
        removals = {}
        for number, (method, name) in self.asked.items():
            if method == "vm.remove":
                answer = self.answered.get(number)
                done = "done" if answer and "result" in answer else "no"
                removals[name] = done if answer else "unanswered"
        listed = {record["name"]: record for record in rpc.call("vm.list", {"all": True})}
        for number, (method, name) in self.asked.items():
            if method != "start":
                continue
            answer = self.answered.get(number)
            there = name in listed
            removal = removals.get(name, "no")
            if removal == "done":
                assert not there, f"{name} was removed: {listed[name]}"
            elif answer and "result" in answer:
                counts["answered"] += 1
                assert there or removal == "unanswered", f"{name} was started, and is not there"
                assert not there or listed[name]["id"] == answer["result"]["id"]
            elif answer:
                counts["refused"] += 1
            else:
                counts["unanswered, there" if there else "unanswered, not there"] += 1
        return counts


def clean_up(rpc: SoakConnection, kept: set[int]) -> None:
    records = [r for r in rpc.call("vm.list", {"all": True}) if r["id"] not in kept]
    for method, params in (("vm.stop", {"force": True}), ("vm.remove", {})):
        numbers = []
        for record in records:
            numbers.append(rpc.request(method, {"vm": record["id"]} | params))
        for number in numbers:
            answer = rpc.answer(number, PATIENCE)
            name = answer.get("error", {}).get("data", {}).get("name")
            assert name in (None, "wrong-state") or method == "vm.stop", answer


def test_daemon_is_killed_in_the_middle(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix(runners=0)
    with mix.connect() as rpc:
        standing = [rpc.start(ECHO) for _ in range(3)]
    totals: dict[str, int] = {}
    before = None
    begin = time.monotonic()
    highest = 0
    for number in range(ROUNDS):
        bursts = [Burst(mix, f"burst{number}-{client}") for client in range(3)]
        for burst in bursts:
            burst.start()
        time.sleep(random.uniform(0, 0.1) if number % 4 else random.uniform(0, 0.3))
        mix.daemon.kill()
        for burst in bursts:
            burst.join(PATIENCE)
            assert not burst.failure, burst.failure
        mix.start_daemon()
        with mix.connect() as rpc:
            for burst in bursts:
                for what, count in burst.check(rpc).items():
                    totals[what] = totals.get(what, 0) + count
            ids = [record["id"] for record in rpc.call("vm.list", {"all": True})]
            assert len(ids) == len(set(ids))
            clean_up(rpc, set(standing))
            fresh = rpc.start(HALT)
            assert fresh > max([highest, *ids]), "an id came twice"
            highest = fresh
            rpc.wait(fresh, PATIENCE)
            rpc.call("vm.remove", {"vm": fresh})
            check_files(mix, rpc)
            for vm in standing:
                assert rpc.get(vm)["state"] == "running"
                rpc.give(vm, b"x", wait=True)
                eventually(lambda: len(rpc.output(vm)) == number + 1, "its echo", PATIENCE)
            assert machines(mix.daemon.folder) >= len(standing)
        if number == 9:
            before = mix.settle_with(len(standing))
            print(f"before: {before}", flush=True)
        if number % ALL_EACH == ALL_EACH - 1:
            print(f"{number + 1} rounds, {time.monotonic() - begin:.0f} s: {totals}", flush=True)
    assert not re.search("ignoring it", mix.daemon.log_text())
    print(f"after:  {mix.settle_with(len(standing), before)}", flush=True)
