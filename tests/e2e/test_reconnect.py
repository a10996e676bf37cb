"""Clients that come back: attach, logs -f, run, wait, events and top, when the daemon goes away.

Where a VM ends with its daemon, its clients come back to its end; where it lives on, they go on.
"""
import base64
import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from harness.daemon import Daemon, wait_for_end
from harness.fake_daemon import FakeDaemon, Visitor, ending, record
from harness.images import HALT, PRINT_THEN_SPIN, SPIN, STREAM_ENDLESS, stream_bytes, stream_of
from harness.rpc import Connection
from harness.settings import GUESTS, VMMCTL
from harness.terminal import Terminal
from harness.waiting import SECONDS, Deadline, eventually

DETACH = b"\x1d"  # Ctrl-]
INTERRUPT = b"\x03"  # Ctrl-C
AWAY = "vmmctl: vmmd went away; reconnecting\n"
AGAIN = "vmmctl: connected again\n"


@pytest.fixture
def fake(folder: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(folder / "fake.sock") as daemon:
        yield daemon


@pytest.fixture
def client(folder: Path, fake: FakeDaemon) -> Client:
    """vmmctl, speaking to the fake daemon."""
    return Client(folder, fake.path)


def terminal(client: Client, *arguments: object) -> Terminal:
    return Terminal([str(VMMCTL), *map(str, arguments)], client.environment)


def read(stream: Any, size: int) -> bytes:
    """That many bytes of a pipe, without waiting for more."""
    data = b""
    deadline = Deadline()
    while len(data) < size:
        assert select.select([stream], [], [], deadline.left)[0], data
        some = os.read(stream.fileno(), size - len(data))
        assert some, f"the end, after {data!r}"
        data += some
    return data


def read_until(stream: Any, text: str) -> str:
    """What a pipe brings, up to and with a text."""
    data = b""
    while not data.endswith(text.encode()):
        data += read(stream, 1)
    return data.decode()


def end(process: "subprocess.Popen[bytes]", seconds: float = SECONDS) -> tuple[int, str, str]:
    """Of a client that ends by itself: its exit status, and what it has still to say."""
    try:
        stdout, stderr = process.communicate(timeout=Deadline(seconds).left)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, stdout.decode(), stderr.decode()


def let_end(rpc: Connection, vm: int) -> None:
    """Where it has outlived its daemon."""
    if rpc.get(vm)["state"] == "running":
        rpc.stop(vm)


def wait_for_streams(rpc: Connection, count: int) -> None:
    """Of which each client has one, to be told how the daemon goes."""
    what = f"{count} streams"
    eventually(lambda: rpc.call("daemon.info")["counts"]["subscriptions"] == count, what)


# Streams of output, and the real daemon.


@pytest.mark.parametrize("command", [["attach", "lab"], ["logs", "-f", "lab"]])
def test_stream_goes_on_where_it_was(vmmctl: Client, daemon: Daemon, command: list[str]) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(STREAM_ENDLESS, name="lab", ring=16 << 20)
    with vmmctl.popen(*command) as process:
        data = read(process.stdout, 300_000)
        daemon.kill()
        assert read_until(process.stderr, AWAY) == AWAY
        with daemon.start().connect() as rpc:
            let_end(rpc, vm)
            process.stdout.flush()
            rest, said = process.communicate(timeout=Deadline(60).left)
            output = rpc.get(vm)["output"]
            reason = rpc.get(vm)["exit"]["reason"]
    assert process.returncode == 0
    assert output["first"] == 0, "no byte has been overwritten: the test can tell"
    assert data + rest == stream_bytes(0, output["next"])
    lines = said.decode().splitlines(keepends=True)
    assert lines[0] == AGAIN and reason in lines[1] and len(lines) == 2, lines


def test_what_was_not_read_yet_comes_after_the_outage(vmmctl: Client, daemon: Daemon) -> None:
    """A client that could not write sees nothing of an outage until it can."""
    with daemon.connect() as rpc:
        vm = rpc.start(stream_of(50_000, then=SPIN), ring=65536)
        eventually(lambda: rpc.get(vm)["output"]["next"] == 50_000, "all of its output")
        reader, writer = os.pipe()
        while select.select([], [writer], [], 0)[1]:
            os.write(writer, bytes(4096))
        process = vmmctl.popen("attach", vm, stdout=writer)
        os.close(writer)
        wait_for_streams(rpc, 1)
    with process, open(reader, "rb") as output:
        daemon.kill()
        with daemon.start().connect() as rpc:
            let_end(rpc, vm)
            data = output.read()
            assert process.wait(30) == 0
    assert data[-50_000:] == stream_bytes(0, 50_000) and not any(data[:-50_000])


def test_run_comes_back_and_exits_as_its_guest(
    vmmctl: Client, daemon: Daemon, folder: Path
) -> None:
    (folder / "image").write_bytes(PRINT_THEN_SPIN)
    with vmmctl.popen("run", folder / "image") as process:
        assert read(process.stdout, 2) == b"AB"
        daemon.kill()
        with daemon.start().connect() as rpc:
            let_end(rpc, 1)
            status, output, said = end(process)
            reason = rpc.get(1)["exit"]["reason"]
    assert (status, output) == ({"daemon-lost": 125, "stopped": 130}[reason], "")
    assert said.startswith("\n" + AWAY) or said.startswith(AWAY)
    assert said.count(AWAY) == said.count(AGAIN) == 1


def test_vm_of_that_name_is_not_the_vm(vmmctl: Client, daemon: Daemon) -> None:
    """The name has gone to another one before the client is back."""
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN, name="lab")
    with vmmctl.popen("attach", "lab") as attached, vmmctl.popen("wait", "lab") as waiting:
        assert read(attached.stdout, 2) == b"AB"
        with daemon.connect() as rpc:
            wait_for_streams(rpc, 2)
        for process in (attached, waiting):
            process.send_signal(signal.SIGSTOP)
        daemon.kill()
        with daemon.start().connect() as rpc:
            let_end(rpc, vm)
            other = rpc.start(stream_of(1000, then=SPIN), name="lab")
            assert other != vm
            for process in (attached, waiting):
                process.send_signal(signal.SIGCONT)
            _, output, said = end(attached)
            assert output == "" and f"VM 'lab' ({vm}) ended: " in said
            _, output, _ = end(waiting)
            assert output.startswith(f"VM 'lab' ({vm}) ended: ")
            assert rpc.get(other)["state"] == "running"


def test_clients_end_when_the_daemon_is_stopped(vmmctl: Client, daemon: Daemon) -> None:
    """And do not come back, which would start it again where systemd has its socket."""
    with daemon.connect() as rpc:
        rpc.start(PRINT_THEN_SPIN)
        commands = [["attach", 1], ["logs", "-f", 1], ["wait", 1], ["events"], ["events", 1]]
        commands += [["top", "--interval", "100ms"], ["--json", "events"], ["--json", "top"]]
        clients = [vmmctl.popen(*command) for command in commands]
        wait_for_streams(rpc, len(clients))
    daemon.stop()
    with FakeDaemon(daemon.socket) as nobody:
        for command, process in zip(commands, clients):
            status, output, said = end(process)
            assert "reconnecting" not in said, (command, said)
            if command[-1] == 1:  # its VM has ended, which was the end of that
                assert "stopped" in said + output, (command, said)
                assert status == (130 if command[0] == "wait" else 0), (command, status)
            else:
                assert (status, said) == (3, "vmmctl: vmmd went away: it is stopping\n"), command
        assert nobody.is_left_alone(0)


def test_everybody_gives_up_after_a_while(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc, terminal(vmmctl, "attach", rpc.start(PRINT_THEN_SPIN)) as shown:
        shown.read_until("AB")
        clients = [vmmctl.popen(*command) for command in (["attach", 1], ["wait", 1], ["events"])]
        clients.append(vmmctl.popen("top"))
        wait_for_streams(rpc, 5)
        daemon.kill()
        began = time.monotonic()
        for process in clients:
            status, _, said = end(process, 45)
            assert status == 3 and said.startswith(AWAY), said
            last = said.splitlines()[-1]
            assert last.startswith("vmmctl: vmmd did not come back within 30 s: "), said
            assert "Connection refused" in last and said.count("\n") == 2, said
        assert time.monotonic() - began > 29
        text = shown.read_to_end()
    assert "did not come back" in text and "status 3\nterminal restored" in text


# Streams of output, and outages to the point.


def test_attach_asks_from_where_it_was_by_id(fake: FakeDaemon, client: Client) -> None:
    with client.popen("attach", "--from", "end", "lab") as process:
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(), vm="lab")
            visitor.expect("vm.attach", {"subscription": 1, "offset": 100}, vm=3, **{"from": "end"})
            visitor.output(100, b"one ")
            visitor.output(110, b"two\n", lost=6)
            # a line that is cut is not there
            visitor.say(b'{"jsonrpc":"2.0","method":"vm.output","params":{"subscription":1,"vm"')
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(), vm=3)
            visitor.expect("vm.attach", {"subscription": 1, "offset": 114}, vm=3, **{"from": 114})
            visitor.output(114, b"three\n")
            visitor.exited(120)
            status, output, said = end(process)
    assert (status, output) == (0, "one two\nthree\n")
    assert said == "vmmctl: 6 bytes lost\n" + AWAY + AGAIN + (
        "vmmctl: VM 'lab' (3) ended: halted: so it ended\n"
    )


def test_attach_that_was_not_answered_is_asked_for_again(fake: FakeDaemon, client: Client) -> None:
    with client.popen("attach", "--from=-5", 3) as process:
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(), vm="3")
            visitor.request("vm.attach")
        with fake.accept() as visitor:
            visitor.expect_attach(7, **{"from": -5})
            visitor.output(7, b"12345")
            visitor.exited(12)
            assert end(process)[:2] == (0, "12345")


def test_outage_is_told_once_however_often_it_is_tried(fake: FakeDaemon, client: Client) -> None:
    """Connected is who was answered: a socket of systemd's takes connections for nobody."""
    with client.popen("attach", 3) as process:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
        fake.stop_listening()
        assert read_until(process.stderr, AWAY) == AWAY
        fake.listen()
        for _ in range(3):
            fake.accept().close()
        with fake.accept() as visitor:
            visitor.request("vm.get")
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            assert read_until(process.stderr, AGAIN) == AGAIN
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            visitor.exited(0)
            _, _, said = end(process)
    assert said.startswith(AWAY + AGAIN + "vmmctl: VM 'lab' (3) ended")


def test_restart_is_told_as_one(fake: FakeDaemon, client: Client) -> None:
    """The client does not wait for the connection to end."""
    with client.popen("attach", 3) as process:
        with fake.accept() as old:
            old.expect_attach(0, of="3")
            old.output(0, b"before ")
            old.ended("restarting")
            old.expect_end()
            with fake.accept() as visitor:
                visitor.expect_attach(7, **{"from": 7})
                visitor.output(7, b"after\n")
                visitor.exited(13)
                status, output, said = end(process)
    assert (status, output) == (0, "before after\n")
    assert said.startswith("vmmctl: vmmd is restarting; reconnecting\n" + AGAIN)


def test_reason_that_is_not_known_yet_is_passed_over(fake: FakeDaemon, client: Client) -> None:
    with client.popen("attach", 3) as process:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
            visitor.say(
                b'{"jsonrpc":"2.0","method":"subscription.ended",'
                b'"params":{"subscription":1,"reason":"moving"}}\n'
            )
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            visitor.exited(0)
            assert end(process)[0] == 0


@pytest.mark.parametrize("command", [["attach", 3], ["logs", "-f", 3]])
def test_stream_of_a_vm_that_lives_on_ends_with_the_daemon(
    fake: FakeDaemon, client: Client, command: list
) -> None:
    with client.popen(*command) as process:
        with fake.accept() as visitor:
            if command[0] == "logs":
                visitor.expect("vm.get", record(output={"first": 0, "next": 0}), vm="3")
                visitor.expect_attach(0, of="3", **{"from": 0})
            else:
                visitor.expect_attach(0, of="3")
            visitor.output(0, b"all")
            visitor.ended("stopping")
            status, output, said = end(process)
    assert (status, output) == (3, "all")
    assert said == "vmmctl: vmmd went away: it is stopping\n"
    assert fake.is_left_alone(0.5)


@pytest.mark.parametrize("json_option", [[], ["--json"]])
@pytest.mark.parametrize("other", [False, True])
def test_vm_that_is_not_known_any_more(
    fake: FakeDaemon, client: Client, json_option: list[str], other: bool
) -> None:
    """Or whose id another one has, in a state directory that was emptied."""
    with client.popen(*json_option, "attach", 3) as process:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
        with fake.accept() as visitor:
            request = visitor.request("vm.get")
            if other:
                visitor.answer(request, record(created="2026-02-01T12:00:00.000Z"))
            else:
                visitor.refuse(request, "vm-not-found", "there is no VM 3")
            status, output, said = end(process)
    gone = "VM 'lab' (3) is gone: the vmmd that is there now does not know it"
    assert status == 1 and said.startswith(f"{AWAY}{AGAIN}vmmctl: {gone}\n"), said
    if json_option:
        assert json.loads(output)["error"]["message"] == gone
    else:
        assert output == ""


def test_json_of_a_stream_stays_a_value_a_line(fake: FakeDaemon, client: Client) -> None:
    with client.popen("--json", "attach", 3) as process:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
            visitor.output(0, b"one")
            visitor.say(b'{"jsonrpc":"2.0","meth')
        with fake.accept() as visitor:
            visitor.expect_attach(3, **{"from": 3})
            visitor.output(3, b"two")
            visitor.exited(6)
            status, output, _ = end(process)
    values = [json.loads(line) for line in output.splitlines()]
    assert status == 0 and [value["offset"] for value in values] == [0, 3, 6]


# run.


def test_start_without_an_answer_is_not_made_again(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin") as process:
        with fake.accept() as visitor:
            visitor.request("vm.start")
        status, output, said = end(process)
    assert (status, output) == (3, "")
    assert "went away" in said and "it may have started the VM" in said and AWAY not in said
    assert fake.is_left_alone(0.2)


def expect_run(visitor: Visitor, **params: Any) -> None:
    visitor.answer(visitor.request("vm.start"), {"id": 3, "name": "lab", "state": "running"})
    visitor.expect_attach(0, **params)


def test_run_knows_its_vm_again(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin") as process:
        with fake.accept() as visitor:
            expect_run(visitor)
            visitor.output(0, b"mine")
            assert read(process.stdout, 4) == b"mine"
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(created="2026-02-01T12:00:00.000Z"), vm=3)
            status, _, said = end(process)
    assert status == 1 and "is gone" in said


def test_run_exits_with_the_code_of_a_guest_that_lived_on(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin") as process:
        with fake.accept() as visitor:
            expect_run(visitor)
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            visitor.exited(0, exit=ending("guest-exit", 42))
            assert end(process)[0] == 42


@pytest.mark.parametrize("signals", [1, 2])
def test_run_that_is_interrupted_while_away_stops_its_vm(
    fake: FakeDaemon, client: Client, signals: int
) -> None:
    with client.popen("run", GUESTS / "hello.bin") as process:
        with fake.accept() as visitor:
            expect_run(visitor)
        fake.stop_listening()
        assert read_until(process.stderr, AWAY) == AWAY
        for word in ["stopped", "killed"][:signals]:
            process.send_signal(signal.SIGINT)
            told = read_until(process.stderr, "\n")
            assert word in told and "when vmmd is back" in told
        fake.listen()
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            visitor.expect("vm.stop", record(), vm=3, force=signals > 1)
            visitor.exited(0, exit=ending("stopped"))
            assert end(process)[0] == 130


def test_run_that_is_interrupted_often_leaves_while_away(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin") as process:
        with fake.accept() as visitor:
            expect_run(visitor)
        fake.stop_listening()
        read_until(process.stderr, AWAY)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            read_until(process.stderr, "leaves it\n")
        process.send_signal(signal.SIGHUP)
        status, _, said = end(process)
    assert status == 130 and "may still run" in said


# Input.


def decoded(request: dict) -> bytes:
    return base64.b64decode(request["params"]["data"])


def test_input_without_an_answer_is_told_and_not_sent_again(
    fake: FakeDaemon, client: Client
) -> None:
    with client.popen("run", GUESTS / "hello.bin", stdin=subprocess.PIPE) as process:
        with fake.accept() as visitor:
            expect_run(visitor)
            process.stdin.write(b"first\n")
            process.stdin.flush()
            request = visitor.request("vm.input")
            assert decoded(request) == b"first\n"
            visitor.answer(request, {"accepted": 6, "room": 100})
            process.stdin.write(b"second\n")
            process.stdin.flush()
            assert decoded(visitor.request("vm.input")) == b"second\n"
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            lost = "vmmctl: 7 bytes of input may not have reached the guest\n"
            assert read_until(process.stderr, lost) == AWAY + AGAIN + lost
            process.stdin.write(b"third\n")
            process.stdin.flush()
            request = visitor.request("vm.input")
            assert decoded(request) == b"third\n"
            visitor.answer(request, {"accepted": 6, "room": 100})
            visitor.exited(0)
            status, _, said = end(process)
    assert status == 0 and "may not have reached" not in said


def test_end_of_input_without_an_answer_is_sent_again(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin", stdin=subprocess.PIPE) as process:
        with fake.accept() as visitor:
            expect_run(visitor)
            process.stdin.close()
            process.stdin = None
            assert visitor.request("vm.input")["params"]["eof"] is True
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            request = visitor.request("vm.input")
            assert decoded(request) == b"" and request["params"]["eof"] is True
            visitor.answer(request, {"accepted": 0, "room": 0})
            assert visitor.is_silent(0.2)
            visitor.exited(0)
            status, _, said = end(process)
    assert status == 0 and "may not have reached" not in said


def test_lost_input_of_a_guest_that_has_ended_is_no_news(fake: FakeDaemon, client: Client) -> None:
    with client.popen("run", GUESTS / "hello.bin", stdin=subprocess.PIPE) as process:
        with fake.accept() as visitor:
            expect_run(visitor)
            process.stdin.write(b"late\n")
            process.stdin.flush()
            visitor.request("vm.input")
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(state="lost", exit=ending("daemon-lost")), vm=3)
            visitor.expect("vm.attach", {"subscription": 1, "offset": 0}, vm=3, **{"from": 0})
            visitor.exited(0, exit=ending("daemon-lost"))
            status, _, said = end(process)
    assert status == 125 and "may not have reached" not in said


def test_what_is_typed_while_away_arrives_once(fake: FakeDaemon, client: Client) -> None:
    with terminal(client, "attach", 3) as shown:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
            shown.read_until("attached to VM 'lab'")
        fake.stop_listening()
        shown.read_until("reconnecting\n")
        shown.type(b"typed ")
        shown.type(b"meanwhile")
        fake.listen()
        with fake.accept() as visitor:
            visitor.expect_attach(0, **{"from": 0})
            data = b""
            while len(data) < 15:
                request = visitor.request("vm.input")
                data += decoded(request)
                visitor.answer(request, {"accepted": len(decoded(request)), "room": 100})
            assert data == b"typed meanwhile"
            visitor.exited(0)
            shown.read_to_end()


# Terminals.


def test_terminal_stays_sane_through_an_outage(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(PRINT_THEN_SPIN, name="lab")
    with terminal(vmmctl, "attach", "lab") as shown:
        shown.read_until("AB")
        daemon.kill()
        shown.read_until(AWAY)
        assert not shown.has_echo(), "what is typed is still the guest's"
        with daemon.start().connect() as rpc:
            shown.read_until(AGAIN)
            let_end(rpc, vm)
            text = shown.read_to_end()
    assert not re.search(rb"(?<!\r)\n", shown.raw), shown.raw
    assert "AB\nvmmctl: " in text, "what vmmctl says has lines of its own"
    assert "VM 'lab' (1) ended: " in text and "status 0" in text and "terminal restored" in text


@pytest.mark.parametrize("way", ["detach", "hangup", "terminate", "end of the window"])
def test_there_is_a_way_out_while_the_daemon_is_away(
    fake: FakeDaemon, client: Client, way: str
) -> None:
    with terminal(client, "attach", 3) as shown:
        with fake.accept() as visitor:
            visitor.expect_attach(0, of="3")
            shown.read_until("attached")
            shown.type(b"abc")
            visitor.request("vm.input")
        fake.stop_listening()
        shown.read_until("reconnecting\n")
        pid = shown.child_pid
        if way == "detach":
            shown.type(b"defg" + DETACH)
            text = shown.read_to_end()
            assert "detached from VM 'lab' (3), while vmmd is away\n" in text
            assert "7 bytes that were typed may not have reached the guest\n" in text
            assert "status 0" in text and "terminal restored" in text
        elif way == "end of the window":
            shown.close()
        else:
            number = {"hangup": signal.SIGHUP, "terminate": signal.SIGTERM}[way]
            os.kill(pid, number)
            text = shown.read_to_end()
            assert f"status {128 + number}" in text and "terminal restored" in text
        wait_for_end(pid, 5)


def test_terminal_is_restored_when_the_daemon_stops(fake: FakeDaemon, client: Client) -> None:
    with terminal(client, "attach", 3) as shown, fake.accept() as visitor:
        visitor.expect_attach(0, of="3")
        shown.read_until("attached")
        visitor.ended("stopping")
        text = shown.read_to_end()
    assert "it is stopping\nstatus 3\nterminal restored" in text


def test_there_is_a_way_out_while_a_connection_is_not_taken(
    folder: Path, client: Client, fake: FakeDaemon
) -> None:
    """connect(2) waits for room in the backlog of a daemon that hangs."""
    with terminal(client, "attach", 3) as shown:
        visitor = fake.accept()
        visitor.expect_attach(0, of="3")
        shown.read_until("attached")
        threads = Path(f"/proc/{shown.child_pid}/task")
        before = len(list(threads.iterdir()))
        with FakeDaemon(folder / "full.sock", backlog=0) as full, Connection(full.path):
            full.path.rename(fake.path)
            visitor.close()
            eventually(lambda: len(list(threads.iterdir())) > before, "an attempt that waits")
            shown.type(DETACH)
            text = shown.read_to_end()
    assert "while vmmd is away" in text and "status 0" in text and "terminal restored" in text


# wait.


def expect_wait(visitor: Visitor, vms: dict[str | int, int], **params: Any) -> dict[int, dict]:
    """What wait asks first, for VMs by what it calls them; returns the requests to be answered."""
    waits = {}
    for name, vm in vms.items():
        visitor.expect("vm.get", record(vm), vm=name)
    visitor.expect("events.subscribe", {"subscription": 1}, vm=next(iter(vms.values())))
    for vm in vms.values():
        request = visitor.request("vm.wait")
        assert request["params"] == {"vm": vm} | params, request
        waits[vm] = request
    return waits


def test_wait_waits_again_for_the_same_vms(fake: FakeDaemon, client: Client) -> None:
    with client.popen("wait", "one", "two", "three") as process:
        with fake.accept() as visitor:
            waits = expect_wait(visitor, {"one": 3, "two": 4, "three": 5})
            visitor.answer(waits[4], record(4, state="exited", exit=ending()))
        with fake.accept() as visitor:  # what was answered is not asked for again
            waits = expect_wait(visitor, {3: 3, 5: 5})
            assert visitor.is_silent(0.1)
            visitor.answer(waits[5], record(5, state="exited", exit=ending("guest-exit", 7)))
            visitor.answer(waits[3], record(3, state="exited", exit=ending()))
            status, output, said = end(process)
    assert status == 7 and said == AWAY + AGAIN
    ids = [re.search(r"\((\d)\) ended", line).group(1) for line in output.splitlines()]
    assert ids == ["3", "4", "5"], output


def test_wait_comes_back_to_the_real_daemon(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vms = [rpc.start(SPIN), rpc.start(SPIN)]
        with vmmctl.popen("--json", "wait", *vms) as process:
            wait_for_streams(rpc, 1)
            daemon.kill()
            assert read_until(process.stderr, AWAY) == AWAY
            with daemon.start().connect() as again:
                for vm in vms:
                    let_end(again, vm)
                status, output, said = end(process)
                records = [again.get(vm) for vm in vms]
    assert said == AGAIN and [json.loads(line) for line in output.splitlines()] == records
    assert status == {"daemon-lost": 125, "stopped": 130}[records[0]["exit"]["reason"]]


def test_wait_has_no_more_time_because_of_an_outage(fake: FakeDaemon, client: Client) -> None:
    with client.popen("wait", "--timeout", "20s", 3) as process:
        with fake.accept() as visitor:
            expect_wait(visitor, {"3": 3}, timeout_ms=20_000)
            assert visitor.is_silent(0.2), "time passes"
        with fake.accept() as visitor:
            visitor.expect("vm.get", record(), vm=3)
            visitor.expect("events.subscribe", {"subscription": 1}, vm=3)
            request = visitor.request("vm.wait")
            assert 0 < request["params"]["timeout_ms"] <= 19_800
            visitor.refuse(request, "timed-out", "VM 'lab' is still running after 19798 ms")
            status, _, said = end(process)
    assert status == 1 and "VM 'lab' (3) has not ended after 20" in said and "19798" not in said


@pytest.mark.parametrize("listens", [False, True])
def test_time_to_wait_passes_while_the_daemon_is_away(
    fake: FakeDaemon, client: Client, listens: bool
) -> None:
    """Where nobody listens, and where nobody answers."""
    with client.popen("wait", "--timeout", "500ms", 3) as process:
        with fake.accept() as visitor:
            expect_wait(visitor, {"3": 3}, timeout_ms=500)
            if not listens:
                fake.stop_listening()
        status, _, said = end(process, 5)
    assert (status, said.count("\n")) == (1, 2)
    assert said.endswith("vmmctl: vmmd is away, and it is not known what ended within 500ms\n")


def test_wait_tells_what_ended_before_the_daemon_stopped(fake: FakeDaemon, client: Client) -> None:
    with client.popen("wait", 3, 4) as process:
        with fake.accept() as visitor:
            waits = expect_wait(visitor, {"3": 3, "4": 4})
            visitor.answer(waits[3], record(3, state="exited", exit=ending("guest-exit", 5)))
            visitor.ended("stopping")
            status, output, said = end(process)
    assert status == 3 and "(3) ended: guest-exit 5" in output
    assert said == "vmmctl: vmmd went away: it is stopping\n"
    assert fake.is_left_alone(0.5)


def test_wait_for_a_vm_that_is_not_known_any_more(fake: FakeDaemon, client: Client) -> None:
    with client.popen("wait", 3, 4, 5) as process:
        with fake.accept() as visitor:
            expect_wait(visitor, {"3": 3, "4": 4, "5": 5})
        with fake.accept() as visitor:
            visitor.refuse(visitor.request("vm.get"), "vm-not-found", "there is no VM 3")
            visitor.expect("vm.get", record(4, created="2026-02-01T12:00:00.000Z"), vm=4)
            visitor.expect("vm.get", record(5), vm=5)
            visitor.expect("events.subscribe", {"subscription": 1}, vm=5)
            visitor.expect("vm.wait", record(5, state="exited", exit=ending()), vm=5)
            status, output, said = end(process)
    assert status == 1 and said.count("the vmmd that is there now does not know it") == 2
    assert output.startswith("VM 'lab' (5) ended") and output.count("\n") == 1


# events.


def expect_events(visitor: Visitor, records: list[dict]) -> None:
    visitor.expect("events.subscribe", {"subscription": 1})
    visitor.expect("vm.list", records, all=True)


def test_events_tell_what_changed_meanwhile(fake: FakeDaemon, client: Client) -> None:
    with client.popen("--json", "events") as process:
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1})
            visitor.notify("vm.state", vm=9, name="early", state="starting")
            before = [record(3), record(4), record(5), record(6), record(9, state="starting")]
            before += [record(1, state="exited", exit=ending())]
            visitor.expect("vm.list", before, all=True)
            visitor.notify("vm.state", vm=4, name="lab", state="paused")
            visitor.notify("vm.state", vm=5, name="lab", state="exited", exit=ending())
            shown = [json.loads(read_until(process.stdout, "\n")) for _ in range(3)]
            assert [event["vm"] for event in shown] == [9, 4, 5]
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 7})
            # already here when it looks: told once
            visitor.notify("vm.state", vm=11, name="lab", state="starting")
            after = [record(1, state="exited", exit=ending()), record(3)]
            after += [record(4, state="lost", exit=ending("daemon-lost"))]
            after += [record(5, state="exited", exit=ending()), record(9)]
            after += [record(10, name="new", state="failed", exit=ending("error"))]
            after += [record(11, state="starting")]
            visitor.expect("vm.list", after, all=True)
            visitor.notify("vm.state", vm=11, name="lab", state="running")
            events = [json.loads(read_until(process.stdout, "\n")) for _ in range(5)]
            visitor.ended("stopping")
            status, output, said = end(process)
    told = [(event["vm"], event["state"], event.get("exit", {}).get("reason")) for event in events]
    assert told == [
        (11, "starting", None),
        (4, "lost", "daemon-lost"),
        (9, "running", None),
        (10, "failed", "error"),
        (11, "running", None),
    ]
    assert events[1]["subscription"] == 7 and events[3]["name"] == "new"
    assert (status, output) == (3, "")
    assert said.splitlines(keepends=True)[:4] == [
        AWAY,
        AGAIN,
        "vmmctl: what changed meanwhile follows, of each VM the latest\n",
        "vmmctl: VM 'lab' (6) has ended and was removed, how is not known\n",
    ]


def test_events_know_next_time_what_they_told(fake: FakeDaemon, client: Client) -> None:
    with client.popen("events") as process:
        with fake.accept() as visitor:
            expect_events(visitor, [record(3)])
        for state in ("paused", "running", "running", "paused"):
            with fake.accept() as visitor:
                expect_events(visitor, [record(3, state=state)])
        with fake.accept() as visitor:
            expect_events(visitor, [record(3, state="paused")])
            visitor.ended("stopping")
            _, output, said = end(process)
    assert [line.split()[-1] for line in output.splitlines()] == ["paused", "running", "paused"]
    assert said.count(AWAY) == said.count(AGAIN) == 5


def test_events_of_the_real_daemon_go_on(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
        with vmmctl.popen("--json", "events") as process:
            wait_for_streams(rpc, 1)
            ended = rpc.start(HALT)
            seen = [json.loads(read_until(process.stdout, "\n")) for _ in range(3)]
            assert [event["state"] for event in seen] == ["starting", "running", "exited"]
            process.send_signal(signal.SIGSTOP)
            daemon.kill()
            with daemon.start().connect() as again:
                let_end(again, vm)
                new = again.start(HALT)
                again.wait(new)
                process.send_signal(signal.SIGCONT)
                told = {}
                while new not in told:
                    event = json.loads(read_until(process.stdout, "\n"))
                    told[event["vm"]] = event
                assert ended not in told
                assert told[vm]["exit"] == again.get(vm)["exit"]
                assert told[new]["exit"] == again.get(new)["exit"]
                again.start(HALT)
                live = [json.loads(read_until(process.stdout, "\n")) for _ in range(3)]
                assert [event["state"] for event in live] == ["starting", "running", "exited"]
            process.terminate()
            end(process)


def test_events_of_one_vm_end_with_the_end_that_was_missed(
    fake: FakeDaemon, client: Client
) -> None:
    with client.popen("events", "lab") as process:
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1}, vm="lab")
            visitor.expect("vm.get", record(), vm="lab")
        with fake.accept() as visitor:  # nothing has changed
            visitor.expect("events.subscribe", {"subscription": 1}, vm=3)
            visitor.expect("vm.get", record(), vm=3)
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1}, vm=3)
            visitor.expect("vm.get", record(state="lost", exit=ending("daemon-lost")), vm=3)
            status, output, _ = end(process)
    assert status == 0 and output.endswith(" 3 lab lost: daemon-lost: so it ended\n")
    assert output.count("\n") == 1


@pytest.mark.parametrize("other", [False, True])
def test_events_of_a_vm_that_is_not_known_any_more(
    fake: FakeDaemon, client: Client, other: bool
) -> None:
    with client.popen("events", "lab") as process:
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1}, vm="lab")
            visitor.expect("vm.get", record(), vm="lab")
        with fake.accept() as visitor:
            request = visitor.request("events.subscribe")
            if other:
                visitor.answer(request, {"subscription": 1})
                visitor.expect("vm.get", record(created="2026-02-01T12:00:00.000Z"), vm=3)
            else:
                visitor.refuse(request, "vm-not-found", "there is no VM 3")
            status, output, said = end(process)
    assert (status, output) == (1, "") and "VM 'lab' (3) is gone" in said


# top.


@pytest.mark.parametrize("command", [["top"], ["events"], ["wait", "3"]])
def test_daemon_that_takes_no_more_clients_is_no_outage(
    start_daemon: Callable[..., Daemon], command: list[str]
) -> None:
    daemon = start_daemon("--max-connections", "1")
    with daemon.connect() as rpc:
        rpc.ping()
        refused = Client(daemon.folder, daemon.socket)(*command)
    assert refused.returncode == 1 and "max-connections" in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr


def test_top_goes_on_after_an_outage(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.start(SPIN, name="before")
        with vmmctl.popen("--json", "top", "--interval", "100ms") as process:
            names = []
            while names != ["before"]:
                names = [row["name"] for row in json.loads(read_until(process.stdout, "\n"))]
            daemon.kill()
            read_until(process.stderr, AWAY)
            with daemon.start().connect() as again:
                again.start(SPIN, name="after")
                read_until(process.stderr, AGAIN)
                while "after" not in names:
                    names = [row["name"] for row in json.loads(read_until(process.stdout, "\n"))]
            process.terminate()
            end(process)


def test_top_counts_looks_and_not_outages(fake: FakeDaemon, client: Client) -> None:
    """In the middle of a look, too."""
    command = ["--json", "top", "--interval", "100ms", "--count", "2"]
    with client.popen(*command) as process:
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1})
            visitor.notify("vm.state", vm=9, name="lab", state="running")
            visitor.expect("vm.list", [record(3)])
            visitor.expect("vm.stats", {}, vm=3)
            assert len(json.loads(read_until(process.stdout, "\n"))) == 1
            visitor.expect("vm.list", [record(3), record(4)])
            visitor.request("vm.stats")
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1})
            visitor.expect("vm.list", [record(3), record(4), record(5)])
            for vm in (3, 4, 5):
                visitor.expect("vm.stats", {}, vm=vm)
            status, output, said = end(process)
    assert status == 0 and said == AWAY + AGAIN
    assert [len(json.loads(line)) for line in output.splitlines()] == [3]


def test_top_on_a_terminal_tells_the_outage_in_the_picture(vmmctl: Client, daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        rpc.start(SPIN, name="before")
    with terminal(vmmctl, "top", "--interval", "100ms") as shown:
        shown.read_until("before")
        daemon.kill()
        shown.read_until("vmmd went away; reconnecting")
        with daemon.start().connect() as rpc:
            shown.read_until("connected again")
            rpc.start(SPIN, name="after")
            shown.read_until("after")
        shown.type(b"q")
        text = shown.read_to_end()
    assert "status 0" in text and "terminal restored" in text
    assert "vmmctl: " not in text, "no line went through the picture"


def test_top_shows_the_last_whole_look_while_the_daemon_is_away(
    fake: FakeDaemon, client: Client
) -> None:
    with terminal(client, "top", "--interval", "100ms") as shown:
        with fake.accept() as visitor:
            visitor.expect("events.subscribe", {"subscription": 1})
            visitor.expect("vm.list", [record(3, name="whole")])
            visitor.expect("vm.stats", {}, vm=3)
            visitor.expect("vm.list", [record(3, name="half"), record(4)])
            visitor.request("vm.stats")
        fake.stop_listening()
        shown.read_until("reconnecting")
        shown.read_until("whole", seconds=5)
        shown.type(b"q")
        picture = shown.read_to_end().rpartition("\x1b[H")[2]
    assert "live VMs: 1," in picture and "whole" in picture and "half" not in picture


@pytest.mark.parametrize("key", [b"q", INTERRUPT])
def test_top_can_be_left_while_the_daemon_is_away(
    vmmctl: Client, daemon: Daemon, key: bytes
) -> None:
    with terminal(vmmctl, "top") as shown:
        shown.read_until("live VMs: 0")
        daemon.kill()
        shown.read_until("vmmd went away; reconnecting")
        shown.type(key)
        text = shown.read_to_end()
    assert f"status {0 if key == b'q' else 130}" in text and "terminal restored" in text
