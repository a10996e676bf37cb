"""The busy mix: VMs of all kinds, whose every byte is watched, and clients that come and go."""
import time
from dataclasses import dataclass, field
from pathlib import Path

from census import Census, faults, machines, take_census, worker_pids
from guests import ENDLESS, Expected
from harness.client import Client
from harness.daemon import Daemon
from harness.images import COPY, ECHO, ECHO_BY_POLLING, SPIN, stream_bytes, stream_of
from harness.rpc import Connection, as_data
from harness.settings import GUESTS
from harness.waiting import Deadline, eventually
from tasks import PATIENCE, Place, Reader, Runner, SoakConnection, Talker, Task

OTHERS = 60001, 60002  # users beside root
OPTIONS = ("--worker-vms", "8", "--retain", "4096", "--image-dir", str(GUESTS))

SMALL, LARGE = 4096, 1024 * 1024  # rings


@dataclass
class Kind:
    """What one VM of the mix is."""

    image: bytes
    params: dict = field(default_factory=dict)
    printed: Expected | None = None  # read all the time
    talk_pause: float | None = None  # seconds between the lines that it echoes
    paused: bool = False


def kinds() -> list[Kind]:
    endless = [
        Kind(image, {"ring": ring}, printed)
        for image, printed in ENDLESS.values()
        for ring in (SMALL, LARGE)
    ]
    said = stream_of(20000, then=ECHO)
    return [
        *endless,
        Kind(ENDLESS["uart"][0], {"ring": 16 * LARGE}, ENDLESS["uart"][1]),
        *[Kind(ECHO, talk_pause=0.03) for _ in range(3)],
        *[Kind(COPY, talk_pause=0.1) for _ in range(2)],
        *[Kind(ECHO_BY_POLLING, talk_pause=0.2) for _ in range(2)],
        *[Kind(SPIN) for _ in range(4)],
        *[Kind(ENDLESS[name][0], printed=ENDLESS[name][1], paused=True) for name in ENDLESS],
        *[Kind(SPIN, paused=True) for _ in range(3)],
        *[Kind(said, printed=stream_bytes) for _ in range(8)],  # and then wait for input
        *[Kind(ECHO, {"memory": 65536}) for _ in range(12)],
    ]


@dataclass
class Member:
    """One VM of the mix, as long as it lives."""

    kind: Kind
    vm: int
    record: dict  # as it was when it was looked at last
    tasks: list[Task]

    @property
    def reader(self) -> Reader | None:
        return next((task for task in self.tasks if isinstance(task, Reader)), None)

    @property
    def talker(self) -> Talker | None:
        return next((task for task in self.tasks if isinstance(task, Talker)), None)


class Follower:
    """A vmmctl that shows what a talker's guest echoes."""

    def __init__(self, client: Client, member: Member, *command: str) -> None:
        self.member = member
        self.path = client_folder(client) / f"shown-{member.vm}-{command[0]}"
        with self.path.open("wb") as shown, self.path.with_suffix(".said").open("wb") as said:
            self.process = client.popen(*command, member.vm, stdout=shown, stderr=said)

    def shown(self) -> bytes:
        return self.path.read_bytes()

    def check(self) -> None:
        """It shows what came back, all of it so far."""
        talker = self.member.talker
        assert talker
        if not talker.exit:
            said = self.path.with_suffix(".said").read_text()
            assert self.process.poll() is None, f"it ended: {said}"
        echo = bytes(talker.echo[: talker.settled])
        what = f"all in {self.path.name}"
        eventually(lambda: self.shown()[: len(echo)] == echo, what, PATIENCE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=PATIENCE)


def client_folder(client: Client) -> Path:
    return Path(client.environment["XDG_RUNTIME_DIR"])


class Mix:
    def __init__(self, daemon: Daemon, runners: int = 4) -> None:
        self.daemon = daemon
        self.place = Place(daemon.socket)
        self.client = Client(daemon.folder, daemon.socket)
        self.members: list[Member] = []
        self.followers: list[Follower] = []
        self.runners: list[Runner] = []
        self.runner_count = runners
        self.ended: list[Task] = []  # of VMs that are no more

    # Daemons.

    def start_daemon(self) -> None:
        """For all users."""
        self.daemon.folder.chmod(0o711)
        self.daemon.start()
        self.daemon.socket.chmod(0o666)

    def connect(self) -> SoakConnection:
        return SoakConnection(self.daemon.socket)

    # VMs.

    def add(self, rpc: Connection, kind: Kind) -> Member:
        params = kind.params | {"image": as_data(kind.image)}
        vm = rpc.call("vm.start", params, seconds=PATIENCE)["id"]
        tasks: list[Task] = []
        if kind.printed:
            tasks.append(Reader(self.place, vm, kind.printed))
        if kind.talk_pause is not None:
            tasks.append(Talker(self.place, vm, kind.talk_pause))
        for task in tasks:
            task.start()
        if kind.paused:
            rpc.call("vm.pause", {"vm": vm}, seconds=PATIENCE)
        member = Member(kind, vm, rpc.get(vm), tasks)
        self.members.append(member)
        return member

    def follow(self, member: Member) -> None:
        for command in (("logs", "-f"), ("attach",)):
            self.followers.append(Follower(self.client, member, *command))

    def begin(self) -> None:
        with self.connect() as rpc:
            for kind in kinds():
                self.add(rpc, kind)
        for member in [member for member in self.members if member.talker][:4:3]:
            self.follow(member)
        self.begin_runners()

    def begin_counted(self) -> Census:
        """Begins the runners once more, and returns what there was without them."""
        before = self.settle()
        print(f"before: {before}", flush=True)
        self.begin_runners()
        return before

    def begin_runners(self) -> None:
        users = [0, *OTHERS]
        for number in range(self.runner_count):
            name = f"runner{number}-{time.monotonic_ns()}"
            self.runners.append(Runner(self.place, name, users[number % len(users)]))
            self.runners[-1].start()

    def end_runners(self) -> None:
        for runner in self.runners:
            runner.stop()
        with self.connect() as rpc:
            for runner in self.runners:
                runner.tidy(rpc)
        self.ended += self.runners
        self.runners = []

    def tasks(self) -> list[Task]:
        return [task for member in self.members for task in member.tasks] + self.runners

    # Checks.

    def check_tasks(self) -> None:
        for task in self.tasks():
            task.check()
        for follower in self.followers:
            follower.check()

    def check_members(self, rpc: Connection, members: list[Member] | None = None) -> None:
        """Each is there, is the one that it was, and goes on."""
        for member in self.members if members is None else members:
            shown = member.reader.position if member.reader else 0
            before, now = member.record, rpc.get(member.vm)
            same = ("id", "name", "owner", "created", "started", "memory", "mode", "machine")
            assert {key: now[key] for key in same} == {key: before[key] for key in same}
            assert now["state"] == ("paused" if member.kind.paused else "running"), now
            assert now["output"]["next"] >= before["output"]["next"], (before, now)
            if member.kind.paused:
                assert now["output"] == before["output"] and now["uptime_ns"] == before["uptime_ns"]
                assert now["paused_ns"] > before["paused_ns"]
            else:
                assert now["uptime_ns"] > before["uptime_ns"], (before, now)
            assert now["output"]["next"] >= shown, (now, shown)
            member.record = now

    def wait_for_progress(self, members: list[Member] | None = None) -> None:
        """Each reader of what prints for ever, and each talker, comes further."""
        waited = [
            task
            for member in (self.members if members is None else members)
            for task in member.tasks
            if member.talker or (member.kind in self.endless() and not member.kind.paused)
        ]
        before = {task: task.steps for task in waited}

        def all_went_on() -> bool:
            for task in waited:
                task.check()
            return all(task.steps > before[task] for task in waited)

        try:
            eventually(all_went_on, "each stream to go on", PATIENCE)
        except TimeoutError as timeout:
            stuck = [task.name for task in waited if task.steps == before[task]]
            raise AssertionError(f"not gone on: {stuck}") from timeout

    def endless(self) -> list[Kind]:
        printed = [image for image, _ in ENDLESS.values()]
        return [member.kind for member in self.members if member.kind.image in printed]

    def check_machines(self, rpc: Connection) -> None:
        """KVM has a VM for each that lives, and no other: none runs twice."""
        live = {record["id"] for record in rpc.call("vm.list")}
        missing = {member.vm for member in self.members} - live
        assert not missing, f"not listed: {missing}"
        listed = [vm for worker in rpc.call("daemon.workers") for vm in worker["vms"]]
        assert len(listed) == len(set(listed)), f"by two workers: {listed}"

    def settle(self, before: Census | None = None) -> Census:
        """What is there without the runners, and what they left: no more than before."""
        self.end_runners()
        return self.settle_with(len(self.members), before)

    def settle_with(self, count: int, before: Census | None = None) -> Census:
        """With so many VMs that live."""
        with self.connect() as rpc:
            # receivers, and workers of the runners, end when they have been idle for a while
            def is_quiet() -> bool:
                workers = rpc.call("daemon.workers")
                return (
                    len(rpc.call("vm.list")) == count
                    and machines(self.daemon.folder) == count
                    and len(worker_pids(self.daemon.folder)) == len(workers)
                    and all(worker["vms"] or worker["role"] == "spare" for worker in workers)
                    and sum(worker["role"] == "spare" for worker in workers) == 2
                )

            eventually(is_quiet, "the runners' workers to end", PATIENCE)
        now = take_census(self.daemon)
        deadline = Deadline(30)  # threads that close files end after a while
        while before and faults(before, now) and not deadline.passed:
            time.sleep(0.5)
            now = take_census(self.daemon)
        assert not before or not faults(before, now), faults(before, now)
        return now

    # VMs that are lost.

    def replace(self, rpc: Connection, member: Member) -> None:
        """It was lost with its worker: what it printed is whole. Another one takes its place."""
        record = rpc.wait(member.vm, PATIENCE)
        assert record["state"] == "lost" and record["exit"]["reason"] == "worker-lost", record
        for task in member.tasks:
            eventually(lambda: not task.is_alive(), f"{task.name} to see the end", PATIENCE)
            task.check()
            assert task.exit and task.exit["reason"] == "worker-lost", (task.name, task.exit)
        if member.reader:
            assert member.reader.position == record["output"]["next"]
            first, end = record["output"]["first"], record["output"]["next"]
            kept = rpc.output(member.vm)
            assert kept == member.kind.printed(first, end - first), f"what is kept of {member.vm}"
        followers = [follower for follower in self.followers if follower.member is member]
        for follower in followers:
            follower.process.wait(PATIENCE)
            echo = bytes(member.talker.echo)
            assert follower.shown() == echo, (follower.shown()[-80:], echo[-80:])
            self.followers.remove(follower)
        self.ended += member.tasks
        self.members.remove(member)
        rpc.call("vm.remove", {"vm": member.vm}, seconds=PATIENCE)
        another = self.add(rpc, member.kind)
        if followers:
            self.follow(another)

    # The end.

    def end(self) -> None:
        for runner in self.runners:
            runner.stop()
        for member in self.members:
            for task in member.tasks:
                task.stop()
        for follower in self.followers:
            follower.check()
        for follower in self.followers:
            follower.end()

    def summary(self) -> str:
        tasks = [*self.tasks(), *self.ended]
        readers = [task for task in tasks if isinstance(task, Reader)]
        talkers = [task for task in tasks if isinstance(task, Talker)]
        runners = [task for task in tasks if isinstance(task, Runner)]
        read = sum(reader.position - reader.lost for reader in readers)
        return "; ".join(
            [
                f"{read} bytes read and checked",
                f"{sum(reader.lost for reader in readers)} told as lost",
                f"{sum(talker.steps for talker in talkers)} lines echoed",
                f"{sum(talker.came for talker in talkers)} unanswered ones came",
                f"{sum(talker.went for talker in talkers)} did not",
                f"{sum(runner.steps for runner in runners)} short VMs",
                f"{sum(runner.lost for runner in runners)} of them lost",
                f"{sum(task.returns for task in tasks)} reconnections",
            ]
        )

    def __enter__(self) -> "Mix":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for task in self.tasks():
            task.stopping.set()
        for follower in self.followers:
            follower.process.kill()
            follower.process.wait()
