"""The units for one user's own systemd. carol may open /dev/kvm, but not the system's daemon."""
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.waiting import eventually
from host import CONFIG, GUESTS, must, record, run, start, start_by_path, uid_of, unit, vmmctl


def carols_systemctl(*arguments: object) -> str:
    return must("systemctl", "--user", *arguments, user="carol")


def carols_service() -> dict[str, str]:
    lines = carols_systemctl("show", "vmmd.service").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(name="runtime", scope="module")
def lingering_user() -> Iterator[Path]:
    must("loginctl", "enable-linger", "carol")
    runtime = Path(f"/run/user/{uid_of('carol')}")
    eventually(lambda: (runtime / "systemd/private").exists(), "carol's systemd")
    yield runtime
    must("loginctl", "disable-linger", "carol")


@pytest.fixture(name="enabled")
def enabled_socket(runtime: Path) -> Iterator[Path]:
    carols_systemctl("enable", "--now", "vmmd.socket")
    yield runtime / "vmmd/vmmd.sock"
    carols_systemctl("disable", "--now", "vmmd.socket")
    carols_systemctl("stop", "vmmd.service")


def test_first_client_starts_ones_own_daemon(enabled: Path) -> None:
    assert enabled.is_socket()
    assert carols_service()["ActiveState"] == "inactive"
    assert vmmctl("carol", "run", GUESTS / "hello.bin") == "Hello, KVM!\n"
    service = carols_service()
    assert (service["ActiveState"], service["StatusText"]) == ("active", "0 VMs running")
    assert json.loads(vmmctl("carol", "info", "--json"))["pid"] == int(service["MainPID"])
    assert unit()["ActiveState"] == "inactive", "the system's was left alone"


def test_ones_own_daemon_is_nobody_elses(enabled: Path) -> None:
    done = run("vmmctl", "--socket", enabled, "list", user="alice")
    assert done.returncode == 3


def test_records_are_kept_in_ones_state_directory(enabled: Path) -> None:
    vmmctl("carol", "run", "--name", "kept", GUESTS / "hello.bin")
    carols_systemctl("restart", "vmmd.service")
    assert vmmctl("carol", "logs", "kept") == "Hello, KVM!\n"
    state = Path(carols_service()["ExecStart"].split("--state-dir=")[1].split()[0])
    assert Path("/home/carol") in state.parents and state.stat().st_mode & 0o777 == 0o700


def test_vms_outlive_a_restart_and_a_crash_and_end_with_a_stop(enabled: Path) -> None:
    vm = start("carol", GUESTS / "cat.bin")
    vmmctl("carol", "input", vm, "before")
    carols_systemctl("restart", "vmmd.service")
    before = int(carols_service()["MainPID"])
    os.kill(before, signal.SIGKILL)
    eventually(lambda: carols_service()["MainPID"] not in ("0", str(before)), "the next daemon")
    vmmctl("carol", "input", vm, "after")
    eventually(lambda: vmmctl("carol", "logs", vm) == "before\nafter\n", "the echo")
    assert record("carol", vm)["state"] == "running"

    carols_systemctl("stop", "vmmd.service")
    left = record("carol", vm)
    assert left["exit"]["reason"] == "stopped" and "shutting down" in left["exit"]["message"]


def test_image_dir_works_within_the_units_sandbox(enabled: Path) -> None:
    CONFIG.write_text(f"image-dir = {GUESTS}\n", encoding="ascii")
    started = start_by_path("carol", "hello.bin")
    assert started.returncode == 0, started.stderr


def test_without_the_unit_vmmctl_starts_a_private_daemon(runtime: Path) -> None:
    assert vmmctl("carol", "run", GUESTS / "hello.bin") == "Hello, KVM!\n"
    assert (runtime / "vmmd/vmmd.sock").is_socket()
    assert carols_service()["ActiveState"] == "inactive"
    os.kill(json.loads(vmmctl("carol", "info", "--json"))["pid"], signal.SIGTERM)
