"""Input: vm.input, vmmctl input, and what is typed, pasted or piped to a guest."""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.images import COPY, HALT, KERNEL_MACHINE, SPIN, print_text
from harness.rpc import Connection
from harness.settings import GUESTS, SCALE, VMMCTL
from harness.terminal import Terminal
from harness.waiting import Deadline, eventually

CAPACITY = 65536  # of a VM's input queue
DETACH = b"\x1d"  # Ctrl-]
INTERRUPT = b"\x03"  # Ctrl-C

# Guests that print what they read, until the end of input.
READERS = [
    ("cat.bin", "bare"),
    ("echo.bin", "bare"),
    ("getchar.bin", "bare"),
    ("cat-irq.bin", KERNEL_MACHINE),
    ("echo-irq.bin", KERNEL_MACHINE),
]


def refusal(rpc: Connection, vm: int | str, **more: object) -> str:
    return rpc.refused("vm.input", {"vm": vm, "data": "eA=="} | more)["data"]["name"]


def some_bytes(size: int) -> bytes:
    """All values, no period of a power of two."""
    return (bytes(range(256)) + b"input")[:size] * (size // 261 + 1)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def terminal(client: Client, *arguments: object) -> Terminal:
    return Terminal([str(VMMCTL), *map(str, arguments)], client.environment)


# The wire.


@pytest.mark.parametrize("guest, machine", READERS)
def test_guests_read_what_is_sent(rpc: Connection, guest: str, machine: str) -> None:
    vm = rpc.start(GUESTS / guest, machine=machine)
    stream = rpc.attach(vm)
    for piece in (b"a", b"hello\n", b"and much more\n"):
        assert rpc.input(vm, piece)["accepted"] == len(piece)
        before = len(stream.data)
        stream.read_until(lambda: len(stream.data) == before + len(piece))
        assert bytes(stream.data[before:]) == piece
    assert rpc.input(vm, b"last", eof=True)["accepted"] == 4
    stream.read_to_end()
    assert stream.data.endswith(b"last") and stream.exit["reason"] == "guest-exit"


def test_every_byte_arrives_as_it_is(rpc: Connection) -> None:
    data = some_bytes(3000)
    vm = rpc.start(GUESTS / "cat.bin")
    rpc.input(vm, data, eof=True)
    assert bytes(rpc.attach(vm).read_to_end().data) == data


def test_input_may_be_text(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "getchar.bin")
    sent = rpc.call(
        "vm.input", {"vm": vm, "data": "Grüße\n", "encoding": "utf-8", "eof": True}
    )
    assert sent["accepted"] == 8
    assert bytes(rpc.attach(vm).read_to_end().data) == "Grüße\n".encode()


def test_input_before_it_is_read_is_kept_and_counted(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert rpc.get(vm)["input"] == {"queued": 0, "capacity": CAPACITY, "ended": False}
    assert rpc.input(vm, bytes(100)) == {"accepted": 100, "room": CAPACITY - 100}
    assert rpc.input(vm, bytes(CAPACITY)) == {"accepted": CAPACITY - 100, "room": 0}
    assert rpc.input(vm, b"x") == {"accepted": 0, "room": 0}
    assert rpc.get(vm)["input"]["queued"] == CAPACITY


def test_end_counts_only_behind_all_of_the_data(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    assert rpc.input(vm, bytes(CAPACITY + 1), eof=True)["accepted"] == CAPACITY
    assert not rpc.get(vm)["input"]["ended"]
    rpc.input(vm, b"", eof=True)
    assert rpc.get(vm)["input"]["ended"]


def test_nothing_can_be_sent_after_the_end(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.input(vm, b"", eof=True)
    assert refusal(rpc, vm) == "wrong-state"
    assert refusal(rpc, vm, wait=True) == "wrong-state"
    halted = rpc.wait(rpc.start(HALT))["id"]
    assert refusal(rpc, halted) == "wrong-state"
    assert rpc.get(halted)["input"]["ended"]


@pytest.mark.parametrize(
    "data", ["x", "eA", "eA==\n", 7, None], ids=["short", "unpadded", "lf", "number", "null"]
)
def test_data_must_be_base64(rpc: Connection, data: object) -> None:
    error = rpc.refused("vm.input", {"vm": rpc.start(SPIN), "data": data})
    assert error["data"]["name"] == "invalid-params" and "data" in error["message"]


def test_call_that_waits_is_answered_when_there_is_room(rpc: Connection) -> None:
    vm = rpc.start(COPY)
    rpc.call("vm.pause", {"vm": vm})
    rpc.input(vm, bytes(CAPACITY))
    number = rpc.request("vm.input", {"vm": vm, "data": "eHg=", "wait": True})
    rpc.ping()
    assert rpc.kept() == []  # not answered: another request was, meanwhile
    rpc.call("vm.resume", {"vm": vm})
    assert rpc.result("vm.input", number)["accepted"] >= 1


def test_call_that_waits_is_refused_when_the_vm_ends(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.input(vm, bytes(CAPACITY))
    number = rpc.request("vm.input", {"vm": vm, "data": "eA==", "wait": True})
    rpc.stop(vm)
    assert rpc.answer(number)["error"]["data"]["name"] == "wrong-state"


def test_client_that_leaves_while_it_waits_is_forgotten(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(COPY)
    rpc.call("vm.pause", {"vm": vm})
    rpc.input(vm, bytes(CAPACITY))
    with daemon.connect() as other:
        other.request("vm.input", {"vm": vm, "data": "eA==", "wait": True})
        other.ping()
    eventually(lambda: rpc.call("daemon.info")["counts"]["connections"] == 1, "the other to go")
    rpc.call("vm.resume", {"vm": vm})
    eventually(lambda: rpc.get(vm)["output"]["next"] >= CAPACITY, "all to be read")
    rpc.input(vm, b"", eof=True)
    assert rpc.wait(vm)["output"]["next"] == CAPACITY


def test_bytes_of_one_call_stay_together(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(COPY)
    clients = [daemon.connect() for _ in range(4)]
    for _ in range(20):
        for letter, client in zip(b"abcd", clients):
            client.request(
                "vm.input", {"vm": vm, "data": chr(letter) * 50, "encoding": "utf-8"}
            )
    for client in clients:
        client.ping()
        client.close()
    rpc.input(vm, b"", eof=True, wait=True)
    data = bytes(rpc.attach(vm).read_to_end().data)
    assert len(data) == 4 * 20 * 50
    assert all(len(set(data[at : at + 50])) == 1 for at in range(0, len(data), 50))


def test_guest_that_waits_for_input_costs_no_cpu(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "getchar.bin")
    eventually(lambda: rpc.get(vm)["exits"] > 0, "it to wait")
    before = cpu_seconds(daemon.pid)
    time.sleep(1)  # what is measured takes time
    assert cpu_seconds(daemon.pid) - before < 0.1 * SCALE


def test_guest_that_polls_for_input_is_held_back(rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "cat.bin")
    eventually(lambda: rpc.get(vm)["exits"] > 500, "it to poll")
    before, began = rpc.get(vm)["exits"], time.monotonic()
    time.sleep(1)
    # two exits a look, and 2 ms between looks; let run, it makes twice as many even when emulated
    assert rpc.get(vm)["exits"] - before < 4000 * (time.monotonic() - began)
    stream = rpc.attach(vm)
    began = time.monotonic()
    rpc.input(vm, b"x")
    stream.read_until(lambda: bytes(stream.data) == b"x")
    assert time.monotonic() - began < 0.5 * SCALE


def test_stop_ends_a_guest_that_waits_for_input(rpc: Connection) -> None:
    for guest, machine in READERS:
        vm = rpc.start(GUESTS / guest, machine=machine)
        assert rpc.stop(vm)["exit"]["reason"] == "stopped"


# vmmctl input.


def test_text_is_a_line(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "getchar.bin", name="lab")
    for arguments in (["lab", "one"], ["-n", "lab", "two"], ["--eof", "lab", ""]):
        sent = vmmctl("input", *arguments)
        assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", ""), sent
    assert bytes(rpc.attach(vm).read_to_end().data) == b"one\ntwo\n"


@pytest.mark.parametrize("dash", [[], ["-"]])
def test_standard_input_goes_as_it_is(
    vmmctl: Client, rpc: Connection, folder: Path, dash: list[str]
) -> None:
    data = some_bytes(5000)
    (folder / "data").write_bytes(data)
    vm = rpc.start(COPY)
    with (folder / "data").open("rb") as stdin:
        sent = vmmctl("input", "--json", "--eof", vm, *dash, stdin=stdin)
    assert (sent.returncode, sent.stdout) == (0, f'{{"accepted":{len(data)}}}\n'), sent
    assert bytes(rpc.attach(vm).read_to_end().data) == data


def test_more_than_the_queue_holds_is_delivered(
    vmmctl: Client, rpc: Connection, folder: Path
) -> None:
    data = some_bytes(3 * CAPACITY)
    (folder / "data").write_bytes(data)
    vm = rpc.start(COPY)
    with (folder / "data").open("rb") as stdin:
        assert vmmctl("input", "--eof", vm, "-", stdin=stdin).returncode == 0
    assert bytes(rpc.attach(vm).read_to_end().data) == data


def test_input_that_the_guest_does_not_take_tells_how_much_it_took(
    vmmctl: Client, rpc: Connection
) -> None:
    vm = rpc.start(SPIN)
    with vmmctl.popen("input", vm, "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(bytes(CAPACITY + 4096))
        process.stdin.flush()
        eventually(lambda: rpc.get(vm)["input"]["queued"] == CAPACITY, "the queue to be full")
        rpc.stop(vm)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1 and str(CAPACITY).encode() in stderr, stderr
    refused = vmmctl("input", vm, "x")
    assert refused.returncode == 1 and refused.stderr.startswith("vmmctl: "), refused


# run as a filter.


@pytest.mark.parametrize("guest, machine", READERS)
def test_run_is_a_filter(vmmctl: Client, guest: str, machine: str) -> None:
    with vmmctl.popen(
        "run", "--machine", machine, GUESTS / guest, stdin=subprocess.PIPE
    ) as process:
        stdout, _ = process.communicate(b"one\ntwo\n", timeout=30)
    assert (process.returncode, stdout) == (0, b"one\ntwo\n")


def test_run_passes_a_file_through_whole(vmmctl: Client, folder: Path) -> None:
    data = some_bytes(2 * CAPACITY)
    (folder / "data").write_bytes(data)
    (folder / "copy.bin").write_bytes(COPY)
    with (folder / "data").open("rb") as stdin:
        with vmmctl.popen("run", folder / "copy.bin", stdin=stdin) as process:
            stdout, _ = process.communicate(timeout=50)
    assert process.returncode == 0 and stdout == data


def test_run_without_input_ends_the_guests(vmmctl: Client) -> None:
    assert vmmctl("run", GUESTS / "getchar.bin").returncode == 0  # /dev/null
    closed = f'exec <&-; exec "{VMMCTL}" run {GUESTS / "getchar.bin"}'
    ended = subprocess.run(["sh", "-c", closed], env=vmmctl.environment, timeout=30, check=False)
    assert ended.returncode == 0


def test_run_of_an_image_on_standard_input_has_no_input(vmmctl: Client) -> None:
    with (GUESTS / "getchar.bin").open("rb") as stdin:
        assert vmmctl("run", "-", stdin=stdin).returncode == 0


def test_filter_answers_as_it_is_fed(vmmctl: Client) -> None:
    with vmmctl.popen("run", GUESTS / "getchar.bin", stdin=subprocess.PIPE) as process:
        for line in (b"first\n", b"second\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.read(len(line)) == line
        process.stdin.close()
        assert process.wait(30) == 0


def test_guest_that_reads_nothing_ends_without_a_word_of_it(
    vmmctl: Client, folder: Path
) -> None:
    (folder / "data").write_bytes(bytes(4 * CAPACITY))
    for image in (HALT, print_text(b"Hello\n")):
        (folder / "image.bin").write_bytes(image)
        with (folder / "data").open("rb") as stdin:
            ran = vmmctl("run", folder / "image.bin", stdin=stdin)
        assert ran.returncode == 0 and ran.stderr.count("\n") == 1, ran


def test_guest_that_never_reads_costs_run_no_cpu(
    vmmctl: Client, rpc: Connection, folder: Path
) -> None:
    (folder / "spin.bin").write_bytes(SPIN)
    with open("/dev/zero", "rb") as endless:
        with vmmctl.popen("run", folder / "spin.bin", stdin=endless) as process:
            eventually(lambda: rpc.call("vm.list"), "the start")
            eventually(lambda: rpc.get(1)["input"]["queued"] == CAPACITY, "the queue to be full")
            before = cpu_seconds(process.pid)
            time.sleep(1)
            assert cpu_seconds(process.pid) - before < 0.1 * SCALE
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130


def test_attach_leaves_standard_input_alone(
    vmmctl: Client, rpc: Connection, folder: Path
) -> None:
    vm = rpc.start(GUESTS / "getchar.bin")
    (folder / "data").write_bytes(b"not for the guest")
    with (folder / "data").open("rb") as stdin:
        with vmmctl.popen("attach", vm, stdin=stdin) as process:
            rpc.input(vm, b"x", eof=True)
            assert process.communicate(timeout=30)[0] == b"x"
        assert stdin.tell() == 0
    assert rpc.get(vm)["exit"]["reason"] == "guest-exit"


# Terminals.


def test_what_is_typed_in_attach_reaches_the_guest(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(GUESTS / "getchar.bin", name="lab")
    with terminal(vmmctl, "attach", "lab") as shown:
        shown.read_until("detaches")
        for key in (b"h", b"i", b"!"):
            shown.type(key)
        shown.read_until("hi!")
        shown.type(b"\r" + INTERRUPT + b"\x1a\x1c\x04\x00 end" + DETACH)
        text = shown.read_to_end()
    assert "detached" in text and "status 0" in text and "terminal restored" in text
    eventually(lambda: rpc.output(vm) == b"hi!\r\x03\x1a\x1c\x04\x00 end", "every key")
    assert rpc.get(vm)["state"] == "running"


def test_what_is_typed_in_run_reaches_the_guest(vmmctl: Client, rpc: Connection) -> None:
    with terminal(vmmctl, "run", GUESTS / "getchar.bin") as shown:
        shown.read_until("detaches")
        shown.type(b"typed\x1a\x1c")
        eventually(lambda: rpc.output(1) == b"typed\x1a\x1c", "the keys")
        shown.type(INTERRUPT)
        text = shown.read_to_end()
    assert "status 130" in text and "terminal restored" in text
    assert rpc.get(1)["exit"]["reason"] == "stopped"


def test_paste_is_not_lost(vmmctl: Client, rpc: Connection) -> None:
    """More than the guest's queue, the terminal's and a request hold, while the guest sleeps."""
    data = b"".join(b"line %6d of a long paste\n" % number for number in range(8000))
    vm = rpc.start(COPY)
    with terminal(vmmctl, "attach", vm) as shown:
        shown.read_until("detaches")
        rpc.call("vm.pause", {"vm": vm})
        for at in range(0, len(data), 1024):
            shown.type(data[at : at + 1024])
        eventually(lambda: rpc.get(vm)["input"]["queued"] == CAPACITY, "the queue to be full")
        rpc.call("vm.resume", {"vm": vm})
        shown.read_until(f"line {7999:6d} of a long paste\n")
        shown.type(DETACH)
        shown.read_to_end()
    assert rpc.output(vm) == data


def test_ctrl_bracket_gets_out_behind_a_paste_that_nobody_reads(
    vmmctl: Client, rpc: Connection
) -> None:
    vm = rpc.start(SPIN)
    with terminal(vmmctl, "attach", vm) as shown:
        shown.read_until("detaches")
        for _ in range(100):
            shown.type(b"x" * 1024)
        shown.type(DETACH)
        text = shown.read_to_end()
    assert "may not have reached the guest" in text and "terminal restored" in text
    assert rpc.get(vm)["state"] == "running"


def test_typing_to_a_guest_whose_input_has_ended_is_told_once(
    vmmctl: Client, rpc: Connection
) -> None:
    vm = rpc.start(SPIN)
    rpc.input(vm, b"", eof=True)
    with terminal(vmmctl, "attach", vm) as shown:
        shown.read_until("detaches")
        deadline = Deadline()
        while "takes no more input" not in shown.text:
            assert not deadline.passed
            shown.type(b"x")
            time.sleep(0.05)
            shown.read_some()
        shown.type(b"xyz" + DETACH)
        text = shown.read_to_end()
    assert text.count("takes no more input") == 1 and "terminal restored" in text


@pytest.mark.parametrize("command", ["attach", "run"])
def test_closed_window_ends_the_client(
    vmmctl: Client, rpc: Connection, command: str
) -> None:
    vm = rpc.start(GUESTS / "getchar.bin") if command == "attach" else 1
    operand = vm if command == "attach" else GUESTS / "getchar.bin"
    with terminal(vmmctl, command, operand) as shown:
        shown.read_until("detaches")
        shown.type(b"x")
        pid = shown.child_pid
        shown.close()
        eventually(lambda: not Path(f"/proc/{pid}").exists(), "the client to end")
    if command == "attach":
        assert rpc.get(vm)["state"] == "running"
    else:
        assert rpc.wait(vm)["exit"]["reason"] == "stopped"
