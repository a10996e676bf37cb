"""A worker is stopped for half a minute: nobody else notices, and then all of it goes on."""
import os
import time
from collections.abc import Callable
from contextlib import ExitStack

from harness.images import ECHO, print_text
from harness.rpc import Connection, as_data
from harness.settings import GUESTS, SCALE
from harness.users import connect_as
from harness.waiting import Deadline, eventually
from harness.workers import started_workers, stopped, worker_of
from mix import OTHERS, Mix
from tasks import PATIENCE

STOPPED = float(os.environ.get("VMMD_SOAK_STOPPED", "30"))  # seconds
SILENT = 4.0, 12.0  # seconds, after which a request is answered; on a busy machine, later
NEWCOMER = 60003  # a user without a worker


def silence(rpc: Connection, method: str, params: dict) -> float:
    """The seconds after which a request is answered with worker-silent."""
    begin = time.monotonic()
    answer = rpc.answer(rpc.request(method, params), PATIENCE)
    assert answer["error"]["data"]["name"] == "worker-silent", answer
    seconds = time.monotonic() - begin
    assert SILENT[0] < seconds < SILENT[1] * SCALE, seconds
    return seconds


def latencies(rpc: Connection, until: Callable[[], bool]) -> list[float]:
    """Of daemon.info, and of a VM from its start to its end, by turns."""
    of_info, of_run = [], []
    while not until():
        begin = time.monotonic()
        rpc.ping()
        of_info.append(time.monotonic() - begin)
        begin = time.monotonic()
        record = rpc.run(print_text(b"elsewhere"))
        of_run.append(time.monotonic() - begin)
        assert record["data"] == b"elsewhere"
        rpc.call("vm.remove", {"vm": record["id"]})
        time.sleep(0.05)
    return [
        values[int(len(values) * quantile)]
        for values in (sorted(of_info), sorted(of_run))
        for quantile in (0.5, 0.99)
    ]


def show(what: str, values: list[float]) -> None:
    numbers = " ".join(f"{value * 1000:.1f}" for value in values)
    print(f"{what}: daemon.info, start to end, median and 99 % each, in ms: {numbers}", flush=True)


def test_worker_is_stopped(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix()
    mix.place.workers_stop = True
    mix.begin()
    before = mix.begin_counted()
    with mix.connect() as rpc:
        deadline = Deadline(5)
        usual = latencies(rpc, lambda: deadline.passed)
        show("before", usual)
        victim = worker_of(rpc, next(member.vm for member in mix.members if member.talker))
        hit = [member for member in mix.members if member.vm in victim["vms"]]
        others = [member for member in mix.members if member not in hit]
        with stopped(victim["pid"]):
            deadline = Deadline(STOPPED)
            print(f"silent after {silence(rpc, 'vm.pause', {'vm': hit[0].vm}):.1f} s", flush=True)
            worker = worker_of(rpc, hit[0].vm)
            assert not worker["answers"]
            for member in hit:  # what the daemon knows itself is told
                assert rpc.get(member.vm)["id"] == member.vm
                rpc.output(member.vm)
            show("while it is stopped", latencies(rpc, lambda: deadline.passed))
            mix.check_members(rpc, others)
            mix.wait_for_progress(others)
        eventually(lambda: worker_of(rpc, hit[0].vm)["answers"], "it to answer again", PATIENCE)
        # what it was asked is done
        eventually(lambda: rpc.get(hit[0].vm)["state"] == "paused", "the pause", PATIENCE)
        rpc.call("vm.resume", {"vm": hit[0].vm}, seconds=PATIENCE)
        mix.wait_for_progress()
        hit[0].record = rpc.get(hit[0].vm)
        mix.check_members(rpc)
        mix.check_tasks()
        print(mix.summary(), flush=True)
    print(f"after:  {mix.settle(before)}", flush=True)
    mix.end()


def receivers(rpc: Connection, uid: int) -> list[dict]:
    workers = started_workers(rpc)
    return [w for w in workers if w["role"] == "receives" and w["uid"] == uid]


def test_receiver_is_stopped(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix(runners=0)
    uid = OTHERS[0]
    with (
        mix.connect() as rpc,
        connect_as(uid, mix.place.socket) as first,
        connect_as(uid, mix.place.socket) as held,
        connect_as(uid, mix.place.socket) as later,
    ):
        hello = first.run(GUESTS / "hello.bin")["data"]
        (receiver,) = receivers(rpc, uid)
        with stopped(receiver["pid"]):
            with (GUESTS / "hello.bin").open("rb") as image:
                request = held.request("vm.start", {"image": {"fd": True}}, [image.fileno()])
            eventually(lambda: not receivers(rpc, uid)[0]["answers"], "it to be found silent", 15)
            for image in (GUESTS / "hello.bin", GUESTS / "hello.bin"):
                begin = time.monotonic()
                assert later.run(image)["data"] == hello
                milliseconds = (time.monotonic() - begin) * 1000
                print(f"by another receiver: {milliseconds:.0f} ms", flush=True)
            assert len(receivers(rpc, uid)) == 2
            assert rpc.run(GUESTS / "hello.bin")["data"] == hello  # another user's
            assert later.run(print_text(b"by data"))["data"] == b"by data"
        vm = held.result("vm.start", request, PATIENCE)["id"]
        assert held.attach(vm).read_to_end(PATIENCE).data == hello


def spares(rpc: Connection) -> set[int]:
    return {worker["pid"] for worker in started_workers(rpc) if worker["role"] == "spare"}


def test_spare_ones_are_stopped(new_mix: Callable[..., Mix]) -> None:
    mix = new_mix(runners=0)
    with (
        mix.connect() as rpc,
        connect_as(NEWCOMER, mix.place.socket) as client,
        ExitStack() as stops,
    ):
        assert rpc.run(print_text(b"others"))["data"] == b"others"
        eventually(lambda: len(spares(rpc)) == 2, "two spare ones")
        pids = sorted(spares(rpc))
        for pid in pids:
            stops.enter_context(stopped(pid))
        begun = []
        for pid in pids:
            params = {"image": as_data(ECHO), "name": f"vm-of-{pid}"}
            begun.append(silence(client, "vm.start", params))
        print(f"starts that met a stopped one were answered after {begun} s", flush=True)
        begin = time.monotonic()
        assert client.run(print_text(b"by another"))["data"] == b"by another"
        print(f"then: {(time.monotonic() - begin) * 1000:.0f} ms", flush=True)
        assert rpc.run(print_text(b"others"))["data"] == b"others"
        stops.close()
        for pid in pids:  # what was asked is done
            eventually(lambda: client.get(f"vm-of-{pid}")["state"] == "running", "it", PATIENCE)
