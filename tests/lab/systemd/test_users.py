"""Who may use the system's daemon, and what users see of each other. alice and bob are in the group
vmmd; mallory is in none."""
import json
import signal
import subprocess
from pathlib import Path

from harness.waiting import eventually
from host import (
    CONFIG,
    GUESTS,
    SERVICE,
    as_user,
    owned_file,
    processes,
    record,
    run,
    start,
    start_by_path,
    systemctl,
    uid_of,
    unit,
    vmmctl,
)

HELLO = (GUESTS / "hello.bin").read_bytes()


def test_user_outside_the_group_is_told_what_to_do() -> None:
    done = run("vmmctl", "list", user="mallory")
    assert (done.returncode, done.stdout) == (3, "")
    assert "/run/vmmd/vmmd.sock" in done.stderr
    assert "usermod -aG vmmd mallory" in done.stderr, done.stderr
    assert unit()["ActiveState"] == "inactive", "who may not use it must not start it"


def test_user_outside_the_group_who_names_the_socket_is_told_the_same() -> None:
    done = run("vmmctl", "--socket", "/run/vmmd/vmmd.sock", "list", user="mallory")
    assert done.returncode == 3
    assert "usermod -aG vmmd mallory" in done.stderr, done.stderr


def test_members_share_vms_and_who_did_what_is_recorded() -> None:
    vm = start("alice", "--name", "shared", GUESTS / "spin.bin")
    assert record("bob", "shared")["owner"]["uid"] == uid_of("alice")
    assert "alice" in vmmctl("bob", "list")

    told = vmmctl("bob", "stop", vm)
    assert f"uid {uid_of('bob')}" in told or "bob" in told
    left = record("alice", vm)
    assert left["exit"]["reason"] == "stopped"
    assert left["exit"]["by"]["uid"] == uid_of("bob")


def test_one_user_watches_what_another_started_and_types_to_it() -> None:
    start("alice", "--name", "echo", GUESTS / "cat.bin")
    watcher = subprocess.Popen(
        as_user("bob", "vmmctl", "attach", "echo"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    vmmctl("alice", "input", "echo", "from alice")
    vmmctl("bob", "input", "--eof", "echo", "from bob")
    output, said = watcher.communicate(timeout=60)
    assert output == "from alice\nfrom bob\n"
    assert watcher.returncode == 0 and "ended" in said


def test_client_that_goes_takes_no_vm_along() -> None:
    client = subprocess.Popen(
        as_user("alice", "vmmctl", "run", "--name", "stays", GUESTS / "spin.bin"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: "stays" in vmmctl("bob", "list"), "the VM")
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert record("bob", "stays")["state"] == "running"


def test_image_that_only_its_user_may_read_is_passed_along() -> None:
    image = owned_file(Path("/home/alice/private/hello.bin"), HELLO, "alice")
    assert vmmctl("alice", "run", image) == "Hello, KVM!\n"
    refused = run("vmmctl", "run", image, user="bob")
    assert refused.returncode == 1 and "Permission denied" in refused.stderr
    for pid in processes():
        assert not Path(f"/proc/{pid}/root{image}").exists(), "the service cannot see it itself"


def test_image_dir_is_where_names_are_looked_up() -> None:
    refused = start_by_path("bob", "hello.bin")
    assert refused.returncode == 1 and "image-dir" in refused.stderr

    CONFIG.write_text(f"image-dir = {GUESTS}\n", encoding="ascii")
    systemctl("reload", SERVICE)
    started = start_by_path("bob", "hello.bin")
    assert started.returncode == 0, started.stderr
    vm = json.loads(started.stdout)["id"]
    vmmctl("bob", "wait", vm)
    assert vmmctl("bob", "logs", vm) == "Hello, KVM!\n"

    refused = start_by_path("bob", "../../etc/passwd")
    assert refused.returncode == 1


def test_image_dir_below_home_is_not_seen() -> None:
    owned_file(Path("/home/alice/private/hello.bin"), HELLO, "alice")
    CONFIG.write_text("image-dir = /home/alice/private\n", encoding="ascii")
    refused = start_by_path("alice", "hello.bin")
    assert refused.returncode == 1 and "/home/alice/private" in refused.stderr, refused.stderr
