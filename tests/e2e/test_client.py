"""vmmctl: every command, its exit codes, terminals and pipes."""
import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.images import (
    CALLS_SHOWN,
    ENDED,
    HALT,
    JUMP_OUT_OF_MEMORY,
    OTHER_LOAD,
    PRINT_THEN_SPIN,
    PROGRAM_COUNTER,
    SPIN,
    STREAM_ENDLESS,
    TABLES,
    TRIPLE_FAULT,
    print_text,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, as_data
from harness.settings import GUESTS, VMMCTL
from harness.terminal import Terminal
from harness.waiting import eventually

COMMANDS = ["start", "run", "attach", "input", "logs", "list", "status", "stats", "pause"] + [
    "resume",
    "stop",
    "wait",
    "rm",
    "events",
    "top",
    "info",
    "call",
]
DETACH = b"\x1d"  # Ctrl-]
INTERRUPT = b"\x03"  # Ctrl-C


@pytest.fixture
def image(folder: Path) -> Callable[[bytes], Path]:
    """Writes an image to a file."""

    def write(data: bytes) -> Path:
        path = folder / "image.bin"
        path.write_bytes(data)
        return path

    return write


def terminal(client: Client, *arguments: object, columns: int = 80) -> Terminal:
    return Terminal([str(VMMCTL), *map(str, arguments)], client.environment, columns=columns)


# start, run.


def test_start_prints_the_id_alone(vmmctl: Client, rpc: Connection) -> None:
    started = vmmctl("start", "--name", "lab", GUESTS / "hello.bin")
    assert (started.returncode, started.stdout, started.stderr) == (0, "1\n", "")
    assert rpc.wait(1)["image"] == "hello.bin"


def test_options_of_start_arrive(vmmctl: Client, rpc: Connection) -> None:
    options = "--name lab --memory 128K --ring 8k --timeout 60s --no-coalesce --load"
    assert vmmctl("start", *options.split(), OTHER_LOAD, GUESTS / "counter.bin").returncode == 0
    record = rpc.wait("lab")
    assert (record["memory"], record["output"]["capacity"]) == (131072, 8192)
    assert record["exits"] >= 11  # each character one


def test_only_one_file_can_be_standard_input(vmmctl: Client) -> None:
    refused = vmmctl("start", "--module", "-", "-")
    assert refused.returncode == 2 and "standard input" in refused.stderr, refused
    many = [word for _ in range(16) for word in ("--module", "/dev/null")]
    refused = vmmctl("start", *many, GUESTS / "hello.bin")
    assert refused.returncode == 2 and "16 files" in refused.stderr, refused


def test_run_prints_what_the_guest_prints_and_nothing_else(vmmctl: Client) -> None:
    ran = vmmctl("run", GUESTS / "multiplication.bin")
    assert (ran.returncode, ran.stdout) == (0, TABLES.decode())
    assert ENDED in ran.stderr


def test_run_passes_bytes_as_they_are(vmmctl: Client, image: Callable) -> None:
    with vmmctl.popen("run", image(stream_of(65536))) as process:
        stdout, _ = process.communicate(timeout=60)
    assert stdout == stream_bytes(0, 65536)


@pytest.mark.parametrize(
    "guest, options, code, reason",
    [
        (HALT, [], 0, "halted"),
        (SPIN, ["--timeout", "50ms"], 124, "timeout"),
        (TRIPLE_FAULT, [], 125, "shutdown"),
        (JUMP_OUT_OF_MEMORY, ["--memory", "64K"], 125, "error"),
    ],
    ids=["halted", "timeout", "shutdown", "error"],
)
def test_run_and_wait_exit_as_the_guest_ended(
    vmmctl: Client, image: Callable, guest: bytes, options: list[str], code: int, reason: str
) -> None:
    ran = vmmctl("run", *options, image(guest))
    assert ran.returncode == code and reason in ran.stderr, ran
    waited = vmmctl("wait", 1)
    assert waited.returncode == code and reason in waited.stdout, waited


def test_run_of_a_guest_that_exits_has_its_code(vmmctl: Client) -> None:
    assert vmmctl("run", GUESTS / "hctest.bin").returncode == 0


def test_run_that_is_stopped_exits_130(vmmctl: Client, rpc: Connection, image: Callable) -> None:
    with vmmctl.popen("run", image(PRINT_THEN_SPIN)) as process:
        assert process.stdout.read(2) == b"AB"
        rpc.stop(1)
        assert process.wait(30) == 130


def test_run_and_wait_exit_125_when_the_worker_is_gone(
    vmmctl: Client, rpc: Connection, image: Callable
) -> None:
    with vmmctl.popen("run", image(PRINT_THEN_SPIN)) as process:
        assert process.stdout.read(2) == b"AB"
        os.kill(int(runners_of(vmmctl)[0]["pid"]), signal.SIGKILL)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 125
    assert b"(1) ended: worker-lost: " in said and b"by signal 9" in said
    waited = vmmctl("wait", 1)
    assert waited.returncode == 125 and "worker-lost" in waited.stdout
    assert vmmctl("list", "--all").stdout.splitlines()[1].split()[:4] == [
        *("1", "vm1", "lost", "worker-lost")
    ]
    status = vmmctl("status", 1).stdout
    assert re.search(r"^state +lost\nreason +worker-lost\n.*by signal 9.*byte 2$", status, re.M)
    assert vmmctl("logs", 1).stdout == "AB"


def test_interrupted_run_stops_its_vm(vmmctl: Client, rpc: Connection, image: Callable) -> None:
    with vmmctl.popen("run", image(PRINT_THEN_SPIN)) as process:
        assert process.stdout.read(2) == b"AB"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert rpc.get(1)["exit"]["reason"] == "stopped"


def test_run_whose_reader_leaves_stops_its_vm(
    vmmctl: Client, rpc: Connection, image: Callable
) -> None:
    with vmmctl.popen("run", image(STREAM_ENDLESS)) as process:
        assert process.stdout.read(1000) == stream_bytes(0, 1000)
        process.stdout.close()
        assert process.wait(30) == -signal.SIGPIPE
    assert rpc.wait(1)["exit"]["reason"] == "stopped"


def test_attach_whose_reader_leaves_lets_the_vm_go_on(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    with vmmctl.popen("attach", vm) as process:
        assert process.stdout.read(1000)
        process.stdout.close()
        assert process.wait(30) == -signal.SIGPIPE
    assert rpc.get(vm)["state"] == "running"


def test_start_with_a_wrong_parameter_is_a_usage_error(vmmctl: Client) -> None:
    refused = vmmctl("start", "--name", "a b", GUESTS / "hello.bin")
    assert refused.returncode == 2 and "name" in refused.stderr


def test_refused_requests_exit_1_and_have_hints(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN, name="lab")
    for command, hint in [
        (["status", "nobody"], "list --all"),
        (["start", "--name", "lab", GUESTS / "hello.bin"], "--name"),
        (["rm", "lab"], "rm --force"),
    ]:
        refused = vmmctl(*command)
        assert refused.returncode == 1 and refused.stdout == "", refused
        assert refused.stderr.startswith("vmmctl: ") and hint in refused.stderr, refused


# attach, logs.


def test_attach_streams_from_the_first_byte_and_says_how_it_ended(
    vmmctl: Client, rpc: Connection
) -> None:
    vm = rpc.start(print_text(b"Hello\n", then=SPIN), name="lab")
    with vmmctl.popen("attach", "lab") as process:
        assert process.stdout.read(6) == b"Hello\n"
        rpc.stop(vm)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, b"")
    assert b"'lab'" in stderr and b"stopped" in stderr


@pytest.mark.parametrize(
    "where, seen", [("3", "lo\n"), ("-2", "o\n"), ("end", ""), ("start", "Hello\n")]
)
def test_attach_starts_where_it_is_asked_to(
    vmmctl: Client, rpc: Connection, where: str, seen: str
) -> None:
    rpc.wait(rpc.start(print_text(b"Hello\n")))
    assert vmmctl("attach", "--from", where, 1).stdout == seen


def test_several_attach_to_one_vm(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(stream_of(5000, then=SPIN))
    readers = [vmmctl.popen("attach", vm) for _ in range(4)]
    for reader in readers:
        assert reader.stdout.read(5000) == stream_bytes(0, 5000)
    rpc.stop(vm)
    for reader in readers:
        assert reader.communicate(timeout=30)[0] == b"" and reader.returncode == 0


def test_attach_counts_what_was_lost(vmmctl: Client, rpc: Connection) -> None:
    rpc.wait(rpc.start(stream_of(60000), ring=4096))
    with vmmctl.popen("attach", 1) as process:
        stdout, stderr = process.communicate(timeout=30)
    lost = int(re.search(rb"(\d+) bytes lost", stderr).group(1))
    assert stdout == stream_bytes(lost, 60000 - lost)


def test_logs_print_what_is_kept(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(print_text(b"one\ntwo\nthree\n", then=SPIN), name="lab")
    eventually(lambda: rpc.get("lab")["output"]["next"] == 14, "the output")
    assert vmmctl("logs", "lab").stdout == "one\ntwo\nthree\n"
    assert vmmctl("logs", "-n", 2, "lab").stdout == "two\nthree\n"
    assert vmmctl("logs", "--lines", 0, "lab").stdout == ""
    assert vmmctl("logs", "-n", 99, "lab").stdout == "one\ntwo\nthree\n"
    with vmmctl.popen("logs", "-f", "-n", 1, "lab") as process:
        assert process.stdout.read(6) == b"three\n"
        rpc.stop("lab")
        assert process.wait(30) == 0


def test_logs_of_more_than_one_chunk_are_whole(vmmctl: Client, rpc: Connection) -> None:
    rpc.wait(rpc.start(stream_of(65536)))
    with vmmctl.popen("logs", 1) as process:
        stdout, _ = process.communicate(timeout=30)
    assert stdout == stream_bytes(0, 65536)


# What is shown.


def test_list_is_an_aligned_table(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN, name="a-spinning-vm")
    rpc.wait(rpc.start(GUESTS / "hello.bin", name="b"))
    live, every = vmmctl("list"), vmmctl("ls", "--all")
    assert len(live.stdout.splitlines()) == 2 and len(every.stdout.splitlines()) == 3
    header, spinning, hello = every.stdout.splitlines()
    column = header.index("STATE")
    assert spinning[column:].startswith("running") and hello[column:].startswith("exited")
    assert "hello.bin" in hello and ENDED in hello and "a-spinning-vm" in spinning


def test_list_of_nothing_says_so(vmmctl: Client) -> None:
    empty = vmmctl("ps")
    assert (empty.returncode, empty.stdout) == (0, "") and "no live VMs" in empty.stderr


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_list_fits_the_terminal(vmmctl: Client, rpc: Connection, columns: int) -> None:
    image = as_data(SPIN) | {"name": "a-rather-long-name-of-an-image-file.bin"}
    rpc.call("vm.start", {"image": image, "name": "x" * 64})
    with terminal(vmmctl, "list", columns=columns) as shown:
        lines = shown.read_to_end().splitlines()
    assert lines[2] == "status 0" and lines[0].split()[:3] == ["ID", "NAME", "STATE"]
    assert all(len(line) <= columns for line in lines[:2]), lines
    assert "running" in lines[1]


def test_hostile_names_are_shown_as_text(vmmctl: Client, rpc: Connection) -> None:
    image = as_data(SPIN) | {"name": "\x1b[31mred\x07\n\u202eevil"}
    rpc.call("vm.start", {"image": image, "name": "lab"})
    for command in (["list"], ["status", "lab"]):
        shown = vmmctl(*command).stdout
        assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
        assert "red" in shown


def test_stats_are_tables(vmmctl: Client, rpc: Connection) -> None:
    rpc.wait(rpc.start(GUESTS / "multiplication.bin"))
    shown = vmmctl("stats", 1).stdout
    assert re.search(r"^total +72[1-9]$", shown, re.MULTILINE), shown  # and the VMM's own
    assert re.search(r"^0x02 +HC_PUTNUM +216$", shown, re.MULTILINE), shown
    assert re.search(CALLS_SHOWN, shown, re.MULTILINE), shown


def test_status_shows_registers_of_who_failed(vmmctl: Client, rpc: Connection) -> None:
    rpc.wait(rpc.start(JUMP_OUT_OF_MEMORY, memory=65536))
    shown = vmmctl("status", 1).stdout
    assert "failed" in shown and "KVM gave up" in shown and re.search(rf"\b{PROGRAM_COUNTER}\b", shown), shown


def test_info_shows_the_daemon(vmmctl: Client, daemon: Daemon) -> None:
    shown = vmmctl("info").stdout
    assert str(daemon.pid) in shown and str(daemon.state_dir) in shown and "max-vms" in shown


def workers_of(vmmctl: Client) -> list[dict[str, str]]:
    """Rows of `info --workers`, by column; what is in the column IDS may have spaces."""
    lines = vmmctl("info", "--workers").stdout.splitlines()
    names = lines[0].lower().split()
    rows = []
    for line in lines[1:]:
        row = re.fullmatch(r" *(\S+) +(\S+) +(\S+) +(\d+)  (.*\S) +(\S+) +(\S+) +(\S+)", line)
        assert row and len(names) == 8, line
        rows.append(dict(zip(names, (cell.strip() for cell in row.groups()))))
    return rows


def runners_of(vmmctl: Client) -> list[dict[str, str]]:
    return [row for row in workers_of(vmmctl) if row["role"] == "runs"]


def test_info_shows_workers(vmmctl: Client, rpc: Connection) -> None:
    vms = [rpc.start(SPIN) for _ in range(4)]
    rpc.stop(vms[2])
    eventually(lambda: [row["vms"] for row in runners_of(vmmctl)] == ["3"], "the third to be down")
    (row,) = runners_of(vmmctl)
    assert (row["ids"], row["answers"], row["more"]) == ("1-2, 4", "yes", "yes")
    assert row["version"] == rpc.call("daemon.info")["version"]
    assert f" {row['owner']} " in vmmctl("list").stdout
    (worker,) = [each for each in rpc.call("daemon.workers") if each["role"] == "runs"]
    assert row["pid"] == str(worker["pid"])
    spares = [row for row in workers_of(vmmctl) if row["role"] == "spare"]
    assert spares and all(row["owner"] == row["ids"] == "-" for row in spares)
    eventually(
        lambda: json.loads(vmmctl("--json", "info", "--workers").stdout)
        == rpc.call("daemon.workers"),
        "the same in JSON, when the spare ones have come to be",
    )


def test_worker_that_does_not_answer_is_told(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    pid = int(runners_of(vmmctl)[0]["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        refused = vmmctl("stats", vm)  # within its 30 s
        assert refused.returncode == 1 and "does not answer" in refused.stderr
        assert "info --workers" in refused.stderr, "a hint"
        assert [(row["pid"], row["answers"]) for row in runners_of(vmmctl)] == [(str(pid), "no")]
        other = rpc.start(SPIN)
        assert [(row["ids"], row["answers"]) for row in runners_of(vmmctl)] == [
            (str(vm), "no"),
            (str(other), "yes"),
        ]
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: runners_of(vmmctl)[0]["answers"] == "yes", "an answer")
    assert vmmctl("stats", vm).returncode == 0


def test_worker_that_hangs_unnoticed_is_found_by_looking(
    vmmctl: Client, daemon: Daemon, rpc: Connection
) -> None:
    rpc.start(SPIN)
    pid = int(runners_of(vmmctl)[0]["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: runners_of(vmmctl)[0]["answers"] == "no", "silence")
        assert {row["answers"] for row in workers_of(vmmctl) if row["pid"] != str(pid)} == {"yes"}
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: runners_of(vmmctl)[0]["answers"] == "yes", "an answer")
    assert daemon.log_text().count("does not answer") == 1


def test_json_is_what_the_wire_has(vmmctl: Client, rpc: Connection) -> None:
    rpc.run(GUESTS / "hello.bin")
    assert json.loads(vmmctl("list", "--all", "--json").stdout) == [rpc.get(1)]
    assert json.loads(vmmctl("--json", "status", 1).stdout) == rpc.get(1)
    assert json.loads(vmmctl("stats", "--json", 1).stdout) == rpc.call("vm.stats", [1])
    assert json.loads(vmmctl("wait", "--json", 1).stdout) == rpc.get(1)
    assert json.loads(vmmctl("stop", "--json", 1).stdout) == rpc.get(1)
    assert json.loads(vmmctl("info", "--json").stdout)["pid"] == rpc.call("daemon.info")["pid"]
    started = json.loads(vmmctl("start", "--json", GUESTS / "hello.bin").stdout)
    assert started["id"] == 2 and started["name"] == "vm2"
    refused = vmmctl("status", "--json", 99)
    assert json.loads(refused.stdout)["error"]["data"]["name"] == "vm-not-found"
    assert refused.returncode == 1


def test_json_of_streams_is_a_value_a_line(vmmctl: Client) -> None:
    ran = vmmctl("run", "--json", GUESTS / "hello.bin")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines[0]["id"] == 1 and lines[-1]["exit"]["reason"] == ENDED
    assert b"".join(base64.b64decode(line["data"]) for line in lines[1:-1]) == b"Hello, KVM!\n"


# top.


def test_top_shows_what_live_vms_cost(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN, name="busy")
    rpc.call("vm.pause", {"vm": rpc.start(SPIN, name="idle")})
    rpc.wait(rpc.start(HALT, name="ended"))
    shown = vmmctl("top", "--count", 2, "--interval", "300ms").stdout
    tables = shown.strip().split("\n\n")
    assert len(tables) == 2 and "ended" not in shown
    header, busy, idle = tables[1].splitlines()
    assert header.split()[:4] == ["ID", "NAME", "STATE", "CPU%"]
    assert busy.split()[:3] == ["1", "busy", "running"] and float(busy.split()[3]) > 0
    assert idle.split()[:4] == ["2", "idle", "paused", "0.0"]


def test_top_in_json_is_an_array_each_time(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(STREAM_ENDLESS)
    shown = vmmctl("--json", "top", "-n", 2, "--interval", "200ms").stdout
    first, second = (json.loads(line) for line in shown.splitlines())
    assert [vm["id"] for vm in first] == [vm["id"] for vm in second] == [1]
    assert second[0]["exits_per_s"] > 0 and second[0]["output_per_s"] > 0


def test_top_of_nothing_is_empty(vmmctl: Client) -> None:
    assert vmmctl("top", "-n", 1).stdout == "\n"
    assert vmmctl("top", "-n", 1, "--json").stdout == "[]\n"


def test_top_whose_reader_leaves_ends(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN)
    with vmmctl.popen("top", "--interval", "100ms") as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == -signal.SIGPIPE


def test_top_fills_the_terminal_until_q(vmmctl: Client, rpc: Connection) -> None:
    for _ in range(40):
        rpc.start(SPIN)
    with terminal(vmmctl, "top", "--interval", "100ms") as shown:
        shown.read_until("live VMs: 40")
        assert not shown.has_echo()
        shown.read_until("\x1b[H", seconds=30)
        picture = shown.text.split("\x1b[H")[1]
        assert picture.count("\n") < 24, "it scrolls"
        shown.type(b"xq")
        text = shown.read_to_end()
    assert text.endswith("status 0\nterminal restored\n")
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == 1


@pytest.mark.parametrize("end", ["interrupt", "daemon"])
def test_top_leaves_the_terminal_as_it_was(
    vmmctl: Client, daemon: Daemon, rpc: Connection, end: str
) -> None:
    rpc.start(SPIN)
    with terminal(vmmctl, "top") as shown:
        shown.read_until("live VMs: 1")
        if end == "daemon":
            daemon.stop()
        else:
            shown.type(INTERRUPT)
        text = shown.read_to_end()
    left = text.partition("\x1b[?1049l")[2]
    assert f"status {3 if end == 'daemon' else 130}" in left and "terminal restored" in left
    assert ("vmmctl: " in left) == (end == "daemon")


# stop, wait, rm, events, call.


def test_stop_says_how_it_ended(vmmctl: Client, rpc: Connection) -> None:
    rpc.start(SPIN, name="lab")
    rpc.start(SPIN)
    stopped = vmmctl("stop", "lab", 2)
    assert stopped.returncode == 0
    assert [line.split(" ")[1] for line in stopped.stdout.splitlines()] == ["'lab'", "'vm2'"]
    assert rpc.get(1)["exit"]["by"]["pid"] != os.getpid()
    assert vmmctl("stop", "--force", rpc.start(SPIN)).returncode == 0
    assert rpc.get(3)["exit"]["reason"] == "killed"


def test_wait_for_several_has_the_first_code_that_is_not_0(
    vmmctl: Client, rpc: Connection
) -> None:
    rpc.start(HALT)
    rpc.start(SPIN, timeout_ms=10)
    rpc.start(TRIPLE_FAULT)
    assert vmmctl("wait", 1, 2, 3).returncode == 124
    rpc.start(SPIN)
    assert vmmctl("wait", "--timeout", "10ms", 4).returncode == 1


def test_rm_forgets(vmmctl: Client, rpc: Connection) -> None:
    for _ in range(3):
        rpc.wait(rpc.start(HALT))
    rpc.start(SPIN)
    assert vmmctl("rm", 1).returncode == 0
    assert vmmctl("rm", "--all").returncode == 0
    assert [record["id"] for record in rpc.call("vm.list", [True])] == [4]
    assert vmmctl("rm", "--force", 4).returncode == 0
    assert rpc.call("vm.list", [True]) == []
    assert vmmctl("rm").returncode == 2


def test_events_are_shown_until_the_vm_has_ended(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(SPIN, name="lab")
    with vmmctl.popen("events", "lab") as one, vmmctl.popen("events", "--json") as all_vms:
        eventually(lambda: rpc.call("daemon.info")["counts"]["subscriptions"] == 2, "both")
        rpc.stop(vm)
        lines = one.communicate(timeout=30)[0].decode().splitlines()
        states = [json.loads(all_vms.stdout.readline())["state"] for _ in range(2)]
        all_vms.terminate()
    assert [line.split()[1:4] for line in lines] == [
        ["1", "lab", "stopping"],
        ["1", "lab", "exited:"],
    ]
    assert states == ["stopping", "exited"]


def test_call_reaches_any_method(vmmctl: Client, rpc: Connection, folder: Path) -> None:
    rpc.wait(rpc.start(HALT))
    assert json.loads(vmmctl("call", "vm.get", '{"vm": 1}').stdout) == rpc.get(1)
    (folder / "params").write_text("[1]")
    with (folder / "params").open() as stdin:
        assert json.loads(vmmctl("call", "--json", "vm.get", "-", stdin=stdin).stdout) == rpc.get(1)
    assert vmmctl("call", "vm.nothing").returncode == 1
    assert vmmctl("call", "vm.get", '{"vm": true}').returncode == 1
    assert vmmctl("call", "vm.get", "{").returncode == 2


# The command line.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(vmmctl: Client, command: str) -> None:
    shown = vmmctl(command, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.stdout.startswith(f"Usage: vmmctl {command} ")
    assert vmmctl("help", command).stdout == shown.stdout
    assert f"  {command} " in vmmctl("--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["--nonsense"], ["list", "--nonsense"], ["start"], ["status"]]
    + [["status", "1", "2"]]
    + [["start", "--memory", "much", "x"], ["start", "--timeout", "5x", "x"], ["attach"], ["call"]]
    + [["attach", "--from", "middle", "1"], ["logs", "-n", "few", "1"], ["input"], ["pause"]]
    + [["top", "--interval", "1ms"], ["top", "-n", "0"], ["resume"], ["start", "--cpus", "a", "x"]],
)
def test_wrong_command_lines_exit_2(vmmctl: Client, arguments: list[str]) -> None:
    refused = vmmctl(*arguments)
    assert refused.returncode == 2 and refused.stdout == "" and refused.stderr != "", refused


def test_version_is_the_daemons(vmmctl: Client, rpc: Connection) -> None:
    assert vmmctl("--version").stdout == f"vmmctl {rpc.call('daemon.info')['version']}\n"


@pytest.mark.parametrize(
    "command", [["list"], ["attach", "1"], ["run", GUESTS / "hello.bin"], ["events"]]
)
def test_no_daemon_where_one_was_named_exits_3(folder: Path, command: list[str]) -> None:
    alone = Client(folder, folder / "nobody.sock")
    refused = alone(*command)
    assert (refused.returncode, refused.stdout) == (3, "") and "nobody.sock" in refused.stderr
    del alone.environment["VMMD_SOCKET"]
    refused = alone(*command, "--socket", folder / "no-one.sock")
    assert refused.returncode == 3 and "no-one.sock" in refused.stderr
    assert list(folder.iterdir()) == [], "none was started"


def test_socket_option_goes_before_the_variable(vmmctl: Client, daemon: Daemon) -> None:
    vmmctl.environment["VMMD_SOCKET"] = "/nowhere"
    assert vmmctl("--socket", daemon.socket, "info").returncode == 0
    assert vmmctl("info").returncode == 3


# Terminals.


def test_ctrl_bracket_detaches_and_restores_the_terminal(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(print_text(b"Hello\n", then=SPIN), name="lab")
    with terminal(vmmctl, "attach", "lab") as shown:
        shown.read_until("Hello")
        assert not shown.has_echo()
        shown.type(b"abc" + INTERRUPT + DETACH)
        text = shown.read_to_end()
    assert "detached" in text and "status 0" in text and "terminal restored" in text
    assert "abc" not in text
    assert rpc.get(vm)["state"] == "running"


def test_terminal_is_restored_when_the_vm_ends(vmmctl: Client, rpc: Connection) -> None:
    vm = rpc.start(PRINT_THEN_SPIN, name="lab")
    with terminal(vmmctl, "attach", "lab") as shown:
        shown.read_until("AB")
        rpc.stop(vm)
        text = shown.read_to_end()
    assert "stopped" in text and "status 0" in text and "terminal restored" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_terminal_is_restored_when_a_signal_ends_the_client(
    vmmctl: Client, rpc: Connection, number: int
) -> None:
    rpc.start(PRINT_THEN_SPIN, name="lab")
    with terminal(vmmctl, "attach", "lab") as shown:
        shown.read_until("AB")
        children = f"/proc/{shown.shell_pid}/task/{shown.shell_pid}/children"
        os.kill(int(Path(children).read_text(encoding="ascii")), number)
        text = shown.read_to_end()
    assert f"status {128 + number}" in text and "terminal restored" in text


def test_ctrl_c_stops_what_run_started(vmmctl: Client, rpc: Connection, image: Callable) -> None:
    with terminal(vmmctl, "run", image(PRINT_THEN_SPIN)) as shown:
        shown.read_until("AB")
        shown.type(INTERRUPT)
        text = shown.read_to_end()
    assert "stopped" in text and "status 130" in text and "terminal restored" in text
    assert rpc.get(1)["exit"]["reason"] == "stopped"


def test_ctrl_bracket_leaves_what_run_started(
    vmmctl: Client, rpc: Connection, image: Callable
) -> None:
    with terminal(vmmctl, "run", image(PRINT_THEN_SPIN)) as shown:
        shown.read_until("AB")
        shown.type(DETACH)
        text = shown.read_to_end()
    assert "status 0" in text and "terminal restored" in text
    assert rpc.get(1)["state"] == "running"


def test_full_disk_is_told(vmmctl: Client, rpc: Connection) -> None:
    rpc.wait(rpc.start(stream_of(65536)))
    with open("/dev/full", "wb") as full:
        for command in (["logs", 1], ["list", "--all"], ["attach", 1]):
            failed = vmmctl(*command, stdout=full)
            assert failed.returncode == 1 and "No space left" in failed.stderr, failed


def test_closed_standard_output_is_no_trap(vmmctl: Client) -> None:
    closed = f'exec >&-; exec "{VMMCTL}" start {GUESTS / "hello.bin"}'
    ended = subprocess.run(["sh", "-c", closed], env=vmmctl.environment, timeout=30, check=False)
    assert ended.returncode in (0, 1)
