"""The daemon as a process: what it says of itself, settings, signals, the service manager."""
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.daemon import STOP_SECONDS, Daemon, clean_environment, require_kvm
from harness.images import SPIN, STREAM_ENDLESS
from harness.rpc import Closed, Connection
from harness.settings import OPENRPC, SCALE, VMMD
from harness.waiting import Deadline, eventually


def vmmd(*options: object) -> "subprocess.CompletedProcess[str]":
    """Runs vmmd where it ends by itself."""
    command = [str(VMMD), *map(str, options)]
    return subprocess.run(
        command, env=clean_environment(), capture_output=True, encoding="utf-8", timeout=30
    )


# What it says of itself.


def test_version_is_told(rpc: Connection) -> None:
    said = vmmd("--version")
    assert said.returncode == 0
    assert said.stdout == f"vmmd {rpc.call('daemon.info')['version']}\n"


def test_help_names_every_setting() -> None:
    said = vmmd("--help")
    assert said.returncode == 0 and said.stderr == ""
    for setting in ("socket", "state-dir", "image-dir", "max-vms", "max-connections", "memory"):
        assert f"--{setting}" in said.stdout
    for setting in ("max-memory", "ring", "max-ring", "retain", "idle-exit", "log-level"):
        assert f"--{setting}" in said.stdout


def test_info_tells_what_the_daemon_is_and_holds(daemon: Daemon, rpc: Connection) -> None:
    rpc.start(SPIN)
    rpc.stop(rpc.start(SPIN))
    rpc.call("events.subscribe")
    info = rpc.call("daemon.info")
    assert (info["pid"], info["uid"]) == (daemon.pid, os.getuid())
    assert (info["state_dir"], info["protocol"]) == (str(daemon.state_dir), 1)
    assert info["kvm"]["api_version"] == 12
    assert info["counts"] == {
        "vms_live": 1,
        "vms_ended": 1,
        "connections": 1,
        "subscriptions": 1,
    }
    assert info["uptime_ns"] < rpc.call("daemon.info")["uptime_ns"]


def test_discover_answers_with_the_document(rpc: Connection) -> None:
    assert rpc.call("rpc.discover") == json.loads(OPENRPC.read_text(encoding="utf-8"))


def test_ends_of_vms_are_logged_with_their_names(daemon: Daemon, rpc: Connection) -> None:
    rpc.stop(rpc.start(SPIN, name="lab"))
    line = eventually(lambda: re.search(r".*VM 'lab'.*stopped.*", daemon.log_text()), "a line")
    assert line.group().startswith("vmmd: info: ")


def test_hostile_names_do_not_reach_the_log_as_they_are(daemon: Daemon, rpc: Connection) -> None:
    rpc.refused("vm.start", {"image": {"data": "", "name": "\x1b[31m\nvmmd: error: fake"}})
    rpc.refused("vm.start", {"image": {"data": "9A=="}, "name": "\x1b[31m\nvmmd: error: fake"})
    assert "\x1b" not in daemon.log_text() and "\nvmmd: error: fake" not in daemon.log_text()


# Settings.


def test_settings_that_are_fine_are_called_so(folder: Path) -> None:
    config = folder / "vmmd.conf"
    config.write_text("# a comment\n\n  max-vms =  7  \nmemory = 2M\nlog-level = debug\n")
    said = vmmd("--config", config, "--check-config")
    assert said.returncode == 0, said


@pytest.mark.parametrize(
    "line, expected",
    [
        ("max-vms = many", "number from 1 to"),
        ("max-vms = -1", "number from 1 to"),
        ("max-vms = 0", "number from 1 to"),
        ("max-vms =", "number from 1 to"),
        ("memory = 1T", "K, M or G"),
        ("memory = 18446744073709551617", "K, M or G"),
        ("memory = 17592186044416M", "K, M or G"),
        ("ring = 100", "4K"),
        ("log-level = loud", "error, warning, info or debug"),
        ("nonsense = 1", "max-vms"),
        ("nonsense", "key = value"),
        ("socket =", "path"),
    ],
)
def test_wrong_setting_is_told_with_its_line_and_what_would_do(
    folder: Path, line: str, expected: str
) -> None:
    config = folder / "vmmd.conf"
    config.write_text(f"# first\nretain = 5\n{line}\n")
    for options in (["--check-config"], []):
        said = vmmd("--config", config, "--socket", folder / "s", "--state-dir", folder, *options)
        assert said.returncode == 2 and said.stdout == "", said
        assert f"{config}, line 3: " in said.stderr and expected in said.stderr, said.stderr
    assert not (folder / "s").exists()


@pytest.mark.parametrize("options", [["--set", "max-vms=x"], ["--max-vms", "x"]])
def test_wrong_setting_on_the_command_line_is_told(options: list[str]) -> None:
    said = vmmd(*options, "--check-config")
    assert said.returncode == 2 and "'max-vms' must be" in said.stderr, said


@pytest.mark.parametrize(
    "options", [["--set", "max-vms"], ["--nonsense"], ["guest.bin"], ["--set"]]
)
def test_wrong_command_line_is_a_usage_error(options: list[str]) -> None:
    said = vmmd(*options)
    assert said.returncode == 2 and said.stderr != "", said


def test_settings_that_contradict_one_another_are_refused() -> None:
    said = vmmd("--check-config", "--memory", "2M", "--max-memory", "1M")
    assert said.returncode == 2 and "'memory'" in said.stderr and "'max-memory'" in said.stderr


def test_config_file_that_is_named_must_be_there(folder: Path) -> None:
    said = vmmd("--config", folder / "missing", "--check-config")
    assert said.returncode == 2 and "No such file" in said.stderr


def test_command_line_goes_before_the_file(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--retain", "5")
    daemon.config.write_text("retain = 9\nmax-vms = 11\nring = 8K\n")
    with daemon.start().connect() as rpc:
        limits = rpc.call("daemon.info")["limits"]
    assert (limits["retain"], limits["max-vms"], limits["ring"]) == (5, 11, 8192)


def test_sighup_reads_the_settings_again(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--max-connections", "9")
    daemon.config.write_text("retain = 9\n")
    with daemon.start(keep_notify=True).connect() as rpc:
        for _ in range(4):
            rpc.stop(rpc.start(SPIN))
        live = rpc.start(SPIN)
        daemon.config.write_text("retain = 2\nmax-vms = 3\nmax-connections = 5\n")
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("RELOADING=1")
        daemon.notify.wait_for("READY=1")
        limits = rpc.call("daemon.info")["limits"]
        assert (limits["retain"], limits["max-vms"], limits["max-connections"]) == (2, 3, 9)
        assert len(rpc.call("vm.list", {"all": True})) == 3, "two ended and one live"
        assert rpc.get(live)["state"] == "running"


def test_sighup_with_wrong_settings_keeps_those_in_force(
    new_daemon: Callable[..., Daemon]
) -> None:
    daemon = new_daemon()
    daemon.config.write_text("retain = 9\n")
    with daemon.start(keep_notify=True).connect() as rpc:
        daemon.config.write_text("retain = 2\nmax-vms = none\n")
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("RELOADING=1")
        daemon.notify.wait_for("READY=1")
        assert rpc.call("daemon.info")["limits"]["retain"] == 9
    assert f"{daemon.config}, line 2" in daemon.log_text()


def test_sighup_brings_an_image_directory(
    new_daemon: Callable[..., Daemon], folder: Path
) -> None:
    daemon = new_daemon().start(keep_notify=True)
    with daemon.connect() as rpc:
        image = {"image": {"path": "missing"}}
        assert rpc.refused("vm.start", image)["data"]["name"] == "invalid-params"
        daemon.config.write_text(f"image-dir = {folder}\n")
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("RELOADING=1")
        daemon.notify.wait_for("READY=1")
        assert rpc.refused("vm.start", image)["data"]["name"] == "image-refused"


# Ending.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_vms_tells_clients_and_ends(daemon: Daemon, number: int) -> None:
    with daemon.connect() as reader, daemon.connect() as waiting:
        vms = [reader.start(STREAM_ENDLESS) for _ in range(3)]
        streams = [reader.attach(vm) for vm in vms]
        waits = [waiting.request("vm.wait", {"vm": vm}) for vm in vms]
        waiting.ping()
        daemon.signal(number)
        for stream in streams:
            assert stream.read_to_end().exit["reason"] == "stopped"
        for wait in waits:
            assert waiting.result("vm.wait", wait)["exit"]["reason"] == "stopped"
        for connection in (reader, waiting):
            with pytest.raises(Closed):
                connection.read_line(Deadline())
    assert daemon.wait_end(5) == 0


def test_open_streams_end_with_the_reason(daemon: Daemon) -> None:
    with daemon.connect() as rpc, daemon.connect() as half, daemon.connect() as other:
        vm = rpc.start(SPIN)
        events = [rpc.call("events.subscribe")["subscription"] for _ in range(3)]
        stream = rpc.attach(vm)
        half.call("events.subscribe")
        half.half_close()
        one = other.call("events.subscribe", {"vm": vm})["subscription"]
        daemon.signal(signal.SIGTERM)

        assert stream.read_to_end().exit["reason"] == "stopped"
        for subscription in events:
            ended = rpc.notification("subscription.ended")
            assert ended == {"subscription": subscription, "reason": "stopping"}
        ended = other.notification("subscription.ended")
        assert ended == {"subscription": one, "reason": "stopping"}
        assert half.notification("subscription.ended")["reason"] == "stopping"
        for connection in (rpc, other, half):
            with pytest.raises(Closed):
                connection.read_line(Deadline())
        states = [message["params"]["state"] for message in other.kept()]
        assert states == ["stopping", "exited"], "the reason came last"
    assert daemon.wait_end(5) == 0


def test_reason_is_told_although_another_client_does_not_read(daemon: Daemon) -> None:
    with daemon.connect() as idle, daemon.connect() as rpc:
        vm = rpc.start(STREAM_ENDLESS)
        idle.request("vm.attach", {"vm": vm})
        eventually(lambda: rpc.get(vm)["output"]["next"] > 600_000, "600 kB", seconds=40)
        rpc.call("events.subscribe")
        daemon.signal(signal.SIGTERM)
        assert rpc.notification("subscription.ended")["reason"] == "stopping"
    assert daemon.wait_end(5) == 0


def test_reader_that_does_not_read_does_not_hold_up_the_end(daemon: Daemon) -> None:
    with daemon.connect() as idle, daemon.connect() as rpc:
        vm = rpc.start(STREAM_ENDLESS, ring=65536)
        idle.request("vm.attach", {"vm": vm})
        start = rpc.get(vm)["output"]["next"]
        eventually(lambda: rpc.get(vm)["output"]["next"] > start + 400_000, "400 kB", seconds=40)
        daemon.stop()


def test_second_signal_does_not_hurt(daemon: Daemon) -> None:
    with daemon.connect() as rpc:
        for _ in range(5):
            rpc.start(SPIN)
        for _ in range(3):
            daemon.signal(signal.SIGTERM)
    assert daemon.wait_end(5) == 0


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGHUP, signal.SIGUSR1]])
def test_signal_before_it_serves_ends_it(
    new_daemon: Callable[..., Daemon], folder: Path, numbers: list[int]
) -> None:
    """It waits for the first worker, which takes what it is sent and says nothing."""
    shutil.copy(VMMD, folder / "vmmd")
    (folder / "vmmd-worker").write_text("#!/bin/sh\nexec cat <&3 >/dev/null\n")
    (folder / "vmmd-worker").chmod(0o700)
    daemon = new_daemon(vmmd=folder / "vmmd")
    require_kvm()
    daemon.spawn()
    eventually(lambda: any((daemon.state_dir / "workers").glob("*.sock")), "a worker")
    for number in numbers:
        daemon.signal(number)
    assert daemon.wait_end(STOP_SECONDS) == 0


def test_start_while_shutting_down_is_refused_or_stopped(daemon: Daemon) -> None:
    """Whichever comes first: nothing is left running."""
    with daemon.connect() as rpc:
        rpc.start(SPIN)
        daemon.signal(signal.SIGTERM)
        number = rpc.request("vm.start", {"image": {"data": "6/4="}})
        try:
            answer = rpc.answer(number)
        except Closed:
            answer = {"error": {"data": {"name": "shutting-down"}}}
        assert "result" in answer or answer["error"]["data"]["name"] == "shutting-down", answer
    assert daemon.wait_end(5) == 0


def test_idle_daemon_ends_by_itself(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--idle-exit", "1").start()
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
    with daemon.connect() as rpc:
        rpc.stop(vm)
    assert daemon.wait_end(15) == 0
    assert not daemon.socket.exists()


def test_daemon_with_a_vm_or_a_client_is_not_idle(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--idle-exit", "1").start()
    with daemon.connect() as rpc:
        vm = rpc.start(SPIN)
        with pytest.raises(TimeoutError):
            daemon.wait_end(1.5 / SCALE)
    with pytest.raises(TimeoutError):
        daemon.wait_end(1.5 / SCALE)
    with daemon.connect() as rpc:
        assert rpc.get(vm)["state"] == "running"


# The service manager.


def test_service_manager_hears_how_it_goes(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon().start(keep_notify=True)
    with daemon.connect() as rpc:
        vms = [rpc.start(SPIN) for _ in range(2)]
        daemon.notify.wait_for("STATUS=2 VMs running")
        rpc.stop(vms[0])
        daemon.notify.wait_for("STATUS=1 VM running")
        daemon.signal(signal.SIGTERM)
        daemon.notify.wait_for("STOPPING=1")
    assert daemon.wait_end(5) == 0


def test_watchdog_is_fed_while_the_loop_turns(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.environment["WATCHDOG_USEC"] = "200000"
    daemon.start(keep_notify=True)
    for _ in range(3):
        daemon.notify.wait_for("WATCHDOG=1")
    daemon.signal(signal.SIGSTOP)  # a loop that does not turn
    with pytest.raises(TimeoutError):
        while True:  # what was sent before is still there
            daemon.notify.wait_for("WATCHDOG=1", seconds=0.5 / SCALE)
    daemon.signal(signal.SIGCONT)
    daemon.notify.wait_for("WATCHDOG=1")


def connected(path: Path) -> Connection:
    """A connection as soon as somebody listens; a socket is there before, from bind(2) on."""

    def attempt() -> Connection | None:
        try:
            return Connection(path)
        except OSError:
            return None

    return eventually(attempt, "the socket")


def test_without_service_manager_it_serves_as_well(new_daemon: Callable[..., Daemon]) -> None:
    require_kvm()
    daemon = new_daemon()
    daemon.spawn()
    with connected(daemon.socket) as rpc:
        rpc.ping()


ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.mark.skipif(ACTIVATE is None, reason="there is no systemd-socket-activate")
def test_socket_of_systemd_is_served(new_daemon: Callable[..., Daemon], folder: Path) -> None:
    require_kvm()
    daemon = new_daemon()
    passed = folder / "passed.sock"
    sanitizers = [f"-E{name}" for name in os.environ if name.endswith("SAN_OPTIONS")]
    daemon.spawn([ACTIVATE, *sanitizers, "-l", str(passed), *daemon.command()])
    with connected(passed) as rpc:
        info = rpc.call("daemon.info")
        assert info["pid"] == daemon.pid
        assert rpc.run(SPIN, timeout_ms=1)["exit"]["reason"] == "timeout"
        with Connection(passed) as second:
            second.ping()
    assert not daemon.socket.exists(), "it has no use for another"
    daemon.stop()
    assert passed.is_socket(), "the socket is the service manager's"


def test_no_kvm_is_an_error_that_says_what_to_do(
    new_daemon: Callable[..., Daemon], folder: Path
) -> None:
    """In a mount namespace of its own, where /dev/kvm is an empty file."""
    hide = shutil.which("unshare")
    fake = folder / "kvm"
    fake.touch()
    script = f"mount --bind {fake} /dev/kvm && exec \"$@\""
    namespace = [hide or "unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    if not hide or subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("cannot make a mount namespace here")
    daemon = new_daemon()
    daemon.spawn([*namespace, *daemon.command()])
    daemon.expected_status = daemon.wait_end(15)
    assert daemon.expected_status == 1
    assert "/dev/kvm" in daemon.log_text()
    assert not daemon.socket.exists()
