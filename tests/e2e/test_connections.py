"""Connections: clients that leave, stay silent, never read, or are too many."""
import json
import os
import resource
import select
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.images import HALT, SPIN, STREAM_ENDLESS, print_text
from harness.lingering import lingering_socket
from harness.rpc import Closed, Connection, as_data
from harness.settings import BOUNDED, SCALE
from harness.waiting import Deadline, eventually

MIB = 1024 * 1024


def counts(rpc: Connection) -> dict:
    return rpc.call("daemon.info")["counts"]


def send_until_blocked(client: Connection, data: bytes, most: int) -> int:
    """Sends data again and again until the daemon takes no more, or hangs up, or that was most."""
    sent = 0
    client.socket.setblocking(False)
    while sent < most:
        # a second without any room: it does not read
        if not select.select([], [client.socket], [], Deadline(1).left)[1]:
            break
        try:
            sent += client.socket.send(data[sent % len(data) :])
        except BlockingIOError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
    client.socket.setblocking(True)
    return sent


def cpu_seconds(thread: int) -> float:
    fields = Path(f"/proc/{thread}/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Half-closed.


def test_half_closed_connection_gets_its_answers(rpc: Connection) -> None:
    numbers = [rpc.request("vm.list") for _ in range(10)]
    rpc.half_close()
    for number in numbers:
        assert rpc.result("vm.list", number) == []
    rpc.expect_end()


def test_half_closed_connection_waits_for_slow_answers(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    with daemon.connect() as waiting:
        number = waiting.request("vm.wait", {"vm": vm})
        waiting.half_close()
        eventually(lambda: counts(rpc)["connections"] == 2, "both connections")
        rpc.stop(vm)
        assert waiting.result("vm.wait", number)["exit"]["reason"] == "stopped"
        waiting.expect_end()


def test_half_closed_connection_gets_its_stream_to_the_end(
    daemon: Daemon, rpc: Connection
) -> None:
    vm = rpc.start(print_text(b"to the end", then=SPIN))
    with daemon.connect() as reader:
        stream = reader.attach(vm)
        reader.half_close()
        stream.read_until(lambda: stream.data == b"to the end")
        rpc.stop(vm)
        assert stream.read_to_end().exit["reason"] == "stopped"
        reader.expect_end()


def test_half_closed_connection_with_nothing_to_come_is_closed(daemon: Daemon) -> None:
    with daemon.connect() as client:
        client.half_close()
        client.expect_end()


def test_half_closed_and_then_gone_is_forgotten(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    with daemon.connect() as waiting:
        waiting.request("vm.wait", {"vm": vm})
        waiting.half_close()
        eventually(lambda: counts(rpc)["connections"] == 2, "both connections")
    eventually(lambda: counts(rpc)["connections"] == 1, "one connection to go")


# Gone.


def test_client_that_dies_in_the_middle_of_a_request_harms_nobody(
    daemon: Daemon, rpc: Connection
) -> None:
    before = counts(rpc)["connections"]
    for text in (b"{", b'{"jsonrpc":"2.0","method":"vm.li', b"x" * MIB):
        with daemon.connect() as client:
            client.send_bytes(text)
    eventually(lambda: counts(rpc)["connections"] == before, "the others to be gone")


def test_client_that_dies_before_its_answers_harms_nobody(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    with daemon.connect() as client:
        client.request("vm.wait", {"vm": vm})
        client.request("vm.wait", {"vm": vm, "timeout_ms": 60_000})
        client.request("vm.start", {"image": as_data(HALT)})
        client.send([{"jsonrpc": "2.0", "id": 1, "method": "vm.wait", "params": [vm]}] * 3)
    eventually(lambda: counts(rpc)["connections"] == 1, "the other to be gone")
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"


START = {
    "jsonrpc": "2.0",
    "id": "last",
    "method": "vm.start",
    "params": {"image": as_data(SPIN), "name": "last"},
}


@pytest.mark.parametrize(
    "last", [json.dumps(START) + "\n", json.dumps([START]) + "\n", json.dumps(START)],
    ids=["request", "batch", "without its end"],
)
@pytest.mark.parametrize("method", ["rpc.discover", "vm.wait", "vm.attach", "events.subscribe"])
def test_requests_of_a_client_that_leaves_at_once_are_done(
    daemon: Daemon, rpc: Connection, method: str, last: str
) -> None:
    """More than is queued for a client, or than may wait: the last counts all the same."""
    vm = rpc.start(print_text(b"x" * 1000, then=SPIN))
    request = {"jsonrpc": "2.0", "id": 1, "method": method}
    if method not in ("rpc.discover", "events.subscribe"):
        request["params"] = [vm]
    with daemon.connect() as client:
        client.send_bytes((json.dumps(request) + "\n").encode() * 1000 + last.encode())
    eventually(
        lambda: [record["state"] for record in rpc.call("vm.list")] == ["running"] * 2,
        "the last request to be done",
    )
    eventually(lambda: counts(rpc)["connections"] == 1, "the client to be forgotten")
    assert counts(rpc)["subscriptions"] == 0


def test_client_that_reads_no_more_may_go_on_asking(daemon: Daemon, rpc: Connection) -> None:
    with daemon.connect() as client:
        client.socket.shutdown(socket.SHUT_RD)
        for number in range(10):
            client.request("vm.start", START["params"] | {"name": f"number{number}"})
            eventually(lambda: len(rpc.call("vm.list")) == number + 1, "another VM")
    eventually(lambda: counts(rpc)["connections"] == 1, "the client to be forgotten")


def test_client_that_dies_while_attached_harms_nobody(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    for _ in range(5):
        with daemon.connect() as client:
            stream = client.attach(vm)
            client.call("events.subscribe")
            stream.read_until(lambda: len(stream.data) > 1000)
    eventually(lambda: counts(rpc)["subscriptions"] == 0, "the subscriptions to go")
    assert rpc.get(vm)["state"] == "running"


def test_killed_vmmctl_leaves_nothing_behind(rpc: Connection, vmmctl: Client) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    with vmmctl.popen("attach", vm) as reader:
        assert reader.stdout.read(1000)
        reader.send_signal(signal.SIGKILL)
    eventually(lambda: counts(rpc)["subscriptions"] == 0, "the subscription to go")


def test_descriptors_of_clients_that_came_and_went_are_closed(
    daemon: Daemon, rpc: Connection
) -> None:
    rpc.ping()  # it has been accepted
    before = daemon.open_descriptors()
    for _ in range(200):
        with daemon.connect() as client:
            client.ping()
    eventually(lambda: daemon.open_descriptors() <= before, "as few descriptors as before")


# Silent.


def test_silent_clients_cost_the_others_nothing(daemon: Daemon, rpc: Connection) -> None:
    silent = [daemon.connect() for _ in range(100)]
    for client in silent[:50]:
        client.send_bytes(b'{"jsonrpc":')
    assert rpc.run(print_text(b"still here"))["data"] == b"still here"
    # they are accepted a few in a turn
    eventually(lambda: counts(rpc)["connections"] == 101, "all to be accepted")
    assert rpc.run(print_text(b"and here"))["data"] == b"and here"
    for client in silent:
        client.close()


def test_answers_come_in_the_order_things_happen(rpc: Connection) -> None:
    first, second = rpc.start(SPIN), rpc.start(SPIN)
    waits = [rpc.request("vm.wait", {"vm": vm}) for vm in (first, second)]
    rpc.ping()
    rpc.stop(second)
    rpc.stop(first)
    order = [message["id"] for message in rpc.kept()]
    assert order == [waits[1], waits[0]]


# Never reading.


def test_client_that_asks_and_never_reads_costs_bounded_memory(
    daemon: Daemon, rpc: Connection
) -> None:
    for number in range(50):
        rpc.start(SPIN, name=f"{number:03}".rjust(64, "x"))
    before = daemon.resident_bytes()
    with daemon.connect() as client:
        requests = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n' * 1000
        sent = send_until_blocked(client, requests, most=64 * MIB)
        assert sent < 64 * MIB, "the daemon should have stopped reading"
        rpc.ping()
        grown = daemon.resident_bytes() - before
        assert grown < BOUNDED, f"{grown} bytes more"
    rpc.ping()


def test_client_that_asks_and_reads_late_gets_all_its_answers(rpc: Connection) -> None:
    """More than is queued for a client that does not read: requests wait, none is lost."""
    count = 1000  # of 20 KiB each
    line = b'{"jsonrpc":"2.0","id":%d,"method":"rpc.discover"}\n'
    requests = b"".join(line % number for number in range(count))
    sender = threading.Thread(target=rpc.send_bytes, args=(requests,))
    sender.start()
    seen = [rpc.receive(60)["id"] for _ in range(count)]
    sender.join()
    assert seen == list(range(count))


def test_reader_that_never_reads_costs_bounded_memory(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=65536)
    before = daemon.resident_bytes()
    with daemon.connect() as idle:
        for _ in range(100):  # streams of one output: 40 MB for each 400 kB of it
            idle.request("vm.attach", {"vm": vm})
        start = rpc.get(vm)["output"]["next"]
        eventually(lambda: rpc.get(vm)["output"]["next"] > start + 400_000, "400 kB", seconds=40)
        grown = daemon.resident_bytes() - before
        assert grown < BOUNDED, f"{grown} bytes more"


def test_requests_that_wait_are_limited(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    with daemon.connect() as client:
        numbers = [client.request("vm.wait", {"vm": vm}) for _ in range(1100)]
        assert client.answer(numbers[-1])["error"]["data"]["name"] == "limit-reached"
        rpc.stop(vm)
        answers = [client.answer(number) for number in numbers[:-1]]
        assert sum("result" in answer for answer in answers) == 1024
        client.ping()


# Greedy.


def list_request(**more: object) -> dict:
    return {"jsonrpc": "2.0", "method": "vm.list", "params": [True]} | more


def test_batches_of_one_client_do_not_hold_up_the_others(daemon: Daemon, rpc: Connection) -> None:
    for _ in range(100):
        rpc.wait(rpc.start(HALT))
    vm = rpc.start(SPIN)
    wait = {"jsonrpc": "2.0", "id": 0, "method": "vm.wait", "params": [vm]}
    with daemon.connect() as greedy:
        greedy.ping()
        for _ in range(10):  # not answered before the VM has ended: it need not read meanwhile
            greedy.send([wait] + [list_request(id=number) for number in range(1, 128)])
        last = greedy.request("daemon.info")
        for _ in range(10):
            rpc.ping()
        assert not select.select([greedy.socket], [], [], 0)[0], "1270 lists came first"
        assert greedy.receive()["id"] == last
        rpc.stop(vm)
        for _ in range(10):
            assert sorted(answer["id"] for answer in greedy.receive()) == list(range(128))


def test_what_notifications_ask_for_is_not_looked_up(daemon: Daemon, rpc: Connection) -> None:
    for _ in range(100):
        rpc.wait(rpc.start(HALT))
    rpc.ping()
    before = cpu_seconds(daemon.pid)
    for _ in range(100):
        rpc.send([list_request()] * 128)
    rpc.ping()
    assert cpu_seconds(daemon.pid) - before < 1, "making 12800 lists takes seconds"


def test_descriptor_is_there_for_the_last_of_a_long_batch(
    daemon: Daemon, rpc: Connection, folder: Path
) -> None:
    for _ in range(100):
        rpc.wait(rpc.start(HALT))
    (folder / "image").write_bytes(print_text(b"by descriptor"))
    start = {"jsonrpc": "2.0", "id": 0, "method": "vm.start", "params": [{"fd": True}]}
    batch = [list_request(id=number) for number in range(1, 100)] + [start]
    line = json.dumps(batch).encode() + b"\n"
    with (folder / "image").open("rb") as image:
        rpc.send_bytes(line, [image.fileno()])
    started = next(answer for answer in rpc.receive() if answer["id"] == 0)
    assert rpc.attach(started["result"]["id"]).read_to_end().data == b"by descriptor"


# Descriptors that take long to close.


def send_unasked(client: Connection, fd: int) -> None:
    client.send_bytes(b"\n", [fd])


def send_with_a_start_that_is_refused(client: Connection, fd: int) -> None:
    start = {"jsonrpc": "2.0", "method": "vm.start", "params": [{"fd": True}, "no name"]}
    client.send_bytes(json.dumps(start).encode() + b"\n", [fd])


def send_as_one_of_many(client: Connection, fd: int) -> None:
    with open("/dev/null", "rb") as null:
        client.send_bytes(b"\n", [null.fileno()] * 200 + [fd])


@pytest.mark.parametrize(
    "send", [send_unasked, send_with_a_start_that_is_refused, send_as_one_of_many]
)
def test_descriptor_that_takes_long_to_close_holds_nobody_up(
    daemon: Daemon, rpc: Connection, send: Callable[[Connection, int], None]
) -> None:
    daemon.warm_up(rpc)
    before = daemon.open_descriptors() + daemon.receiver_descriptors(rpc)
    lingering, peer = lingering_socket()
    with peer:
        daemon.signal(signal.SIGSTOP)
        with daemon.connect() as client:
            send(client, lingering.fileno())
        lingering.close()  # the daemon will be the last who has it
        daemon.signal(signal.SIGCONT)
        eventually(lambda: counts(rpc)["connections"] == 1, "the client to be gone")
        rpc.wait(rpc.start(HALT))
    eventually(
        lambda: daemon.open_descriptors() + daemon.receiver_descriptors(rpc) <= before,
        "as few descriptors as before",
    )


def test_refused_client_that_sent_such_a_descriptor_holds_nobody_up(
    start_daemon: Callable[..., Daemon],
) -> None:
    daemon = start_daemon("--max-connections", "1")
    with daemon.connect() as rpc:
        rpc.ping()
        lingering, peer = lingering_socket()
        with peer:
            daemon.signal(signal.SIGSTOP)
            with daemon.connect() as refused:
                send_unasked(refused, lingering.fileno())
                lingering.close()
                daemon.signal(signal.SIGCONT)
                assert refused.receive()["error"]["data"]["name"] == "limit-reached"
                rpc.ping()


# Too many.


def test_connection_over_the_limit_is_told_so(start_daemon: Callable[..., Daemon]) -> None:
    daemon = start_daemon("--set", "max-connections=4")
    clients = [daemon.connect() for _ in range(4)]
    for client in clients:
        client.ping()
    with daemon.connect() as fifth:
        refusal = fifth.receive()
        assert refusal["id"] is None and refusal["error"]["data"]["name"] == "limit-reached"
        assert "max-connections" in refusal["error"]["message"]
        with pytest.raises(Closed):
            fifth.receive()
    clients.pop().close()
    eventually(lambda: counts(clients[0])["connections"] == 3, "one connection to go")
    with daemon.connect() as again:
        again.ping()
    for client in clients:
        client.close()


def test_vmmctl_says_that_there_are_too_many(
    start_daemon: Callable[..., Daemon],
) -> None:
    daemon = start_daemon("--max-connections", "1")
    with daemon.connect() as only:
        only.ping()
        refused = Client(daemon.folder, daemon.socket)("list")
    assert refused.returncode == 1 and "max-connections" in refused.stderr, refused


def test_out_of_descriptors_accepting_pauses_and_nothing_else(
    daemon: Daemon, rpc: Connection
) -> None:
    vm = rpc.start(SPIN)
    few = daemon.open_descriptors() + 5
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (few, hard))
    clients = [daemon.connect() for _ in range(30)]  # the backlog takes what is not accepted
    for client in clients:
        client.request("daemon.info")
    eventually(lambda: "cannot accept" in daemon.log_text(), "accepting to pause")

    # who is connected goes on; what needs descriptors is refused, and told why
    assert rpc.get(vm)["state"] == "running"
    image = as_data(HALT)
    error = rpc.refused("vm.start", {"image": image})
    assert error["data"]["name"] in ("kvm-failed", "storage-failed", "limit-reached"), error
    assert rpc.stop(vm)["exit"]["reason"] == "stopped"

    for client in clients[:10]:
        client.close()
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
    for client in clients[10:]:
        assert client.receive()["result"]["pid"] == daemon.pid
        client.close()
    rpc.wait(rpc.start(HALT))


def test_half_closed_client_that_reads_slowly_costs_nothing(
    daemon: Daemon, rpc: Connection
) -> None:
    vm, endless = rpc.start(SPIN), rpc.start(SPIN)
    with daemon.connect() as other:
        batch = [{"jsonrpc": "2.0", "id": 0, "method": "vm.wait", "params": [vm]}]
        batch += [{"jsonrpc": "2.0", "id": n, "method": "rpc.discover"} for n in range(1, 100)]
        other.send(batch)  # answered as a whole: a megabyte or two, once the VM has ended
        other.half_close()
        rpc.ping()
        rpc.stop(vm)
        before = cpu_seconds(daemon.pid)
        rpc.refused("vm.wait", {"vm": endless, "timeout_ms": 500 * SCALE})
        assert cpu_seconds(daemon.pid) - before < 0.25 * SCALE
        assert len(other.receive()) == 100
        other.expect_end()


def test_client_that_is_cut_off_by_its_own_requests_harms_nobody(
    daemon: Daemon, rpc: Connection
) -> None:
    with daemon.connect() as other:
        for number in range(256):
            other.call("events.subscribe")
        start = {"jsonrpc": "2.0", "method": "vm.start", "params": [{"data": "9A=="}]}
        other.send([start] * 128)  # far more events than may wait for who does not read
        eventually(lambda: "does not read its events" in daemon.log_text(), "its end")
    rpc.ping()
    eventually(lambda: rpc.call("daemon.info")["counts"]["connections"] == 1, "it is gone")


def test_descriptor_that_finds_no_room_is_an_error_of_its_request(
    daemon: Daemon, rpc: Connection
) -> None:
    rpc.ping()  # it has been accepted
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (daemon.open_descriptors(), hard))
    with socket.socket(socket.AF_UNIX) as some:
        error = rpc.refused("vm.start", {"image": {"fd": True}}, [some.fileno()])
    assert error["data"]["name"] in ("storage-failed", "limit-reached"), error
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
    rpc.wait(rpc.start(HALT))


def test_many_clients_at_once_are_all_served(daemon: Daemon) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with daemon.connect() as rpc:
                for _ in range(5):
                    assert rpc.run(print_text(b"mine"))["data"] == b"mine"
        except BaseException as failure:  # told below, in the test's own thread
            failures.append(failure)

    clients = [threading.Thread(target=work) for _ in range(16)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not failures
