"""The service as systemd handles it: who starts it, who stops it and its VMs, and its settings."""
from harness.waiting import eventually
from host import (
    CONFIG,
    GUESTS,
    SERVICE,
    SOCKET,
    drop_in,
    journal,
    main_pid,
    processes,
    record,
    run,
    start,
    start_and_print,
    start_printing,
    systemctl,
    transient_unit,
    unit,
    vmmctl,
    wait_for_more,
    wait_for_unit,
    worker_of,
)


def test_first_client_starts_the_daemon() -> None:
    assert unit()["ActiveState"] == "inactive"
    assert vmmctl("alice", "run", GUESTS / "hello.bin") == "Hello, KVM!\n"
    properties = unit()
    assert (properties["ActiveState"], properties["SubState"]) == ("active", "running")
    assert properties["NRestarts"] == "0"


def test_service_can_be_started_before_any_client() -> None:
    systemctl("start", SERVICE)
    assert unit()["SubState"] == "running"
    before = main_pid()
    assert vmmctl("alice", "run", GUESTS / "hello.bin") == "Hello, KVM!\n"
    assert main_pid() == before


def test_status_text_says_how_many_vms_run() -> None:
    vms = [start("alice", GUESTS / "spin.bin") for _ in range(2)]
    wait_for_unit(StatusText="2 VMs running")
    vmmctl("alice", "stop", vms[0])
    wait_for_unit(StatusText="1 VM running")
    vmmctl("alice", "stop", vms[1])
    wait_for_unit(StatusText="0 VMs running")


def test_stop_ends_vms_and_leaves_the_socket_for_the_next_client() -> None:
    vm = start_and_print()
    systemctl("stop", SERVICE)
    properties = unit()
    assert (properties["ActiveState"], properties["Result"]) == ("inactive", "success")
    assert unit("vmmd.socket")["SubState"] == "listening" and SOCKET.exists()

    left = record("alice", vm)
    assert (left["state"], left["exit"]["reason"]) == ("exited", "stopped")
    assert "shutting down" in left["exit"]["message"]
    assert vmmctl("alice", "logs", vm) == "AB"
    assert unit()["ActiveState"] == "active"


def test_conflict_with_another_unit_ends_vms_as_a_shutdown_does() -> None:
    """shutdown.target conflicts with every service: the job is a stop."""
    vm = start_and_print()
    with transient_unit("leaving.target", f"[Unit]\nConflicts={SERVICE} vmmd.socket\n"):
        systemctl("start", "leaving.target")
        assert unit()["ActiveState"] == "inactive"
    systemctl("start", "vmmd.socket")
    left = record("alice", vm)
    assert left["exit"]["reason"] == "stopped" and "shutting down" in left["exit"]["message"]


def test_stop_leaves_no_process_behind() -> None:
    for user in ("alice", "bob"):
        start(user, GUESTS / "spin.bin")
    assert len(processes()) > 2
    systemctl("stop", SERVICE)
    eventually(lambda: not processes(), "the end of all workers")


def test_stop_leaves_vms_where_the_settings_say_so() -> None:
    CONFIG.write_text("on-stop = keep\n", encoding="ascii")
    vm = start_printing()
    worker = worker_of(vm)
    systemctl("stop", SERVICE)
    assert unit()["ActiveState"] == "inactive"
    eventually(lambda: processes() == {worker}, "the end of those that have no VM")
    wait_for_more(vm)
    assert worker_of(vm) == worker


def test_sigterm_of_all_processes_is_an_orderly_end() -> None:
    vm = start_and_print()
    systemctl("kill", SERVICE)
    properties = wait_for_unit(ActiveState="inactive")
    assert (properties["Result"], properties["NRestarts"]) == ("success", "0")
    eventually(lambda: not processes(), "the end of all workers")
    left = record("alice", vm)
    assert (left["state"], left["exit"]["reason"]) == ("exited", "stopped")
    assert "shutting down" in left["exit"]["message"] or "SIGTERM" in left["exit"]["message"]
    assert vmmctl("alice", "logs", vm) == "AB"


def test_idle_daemon_feeds_the_watchdog() -> None:
    drop_in("[Service]\nWatchdogSec=3\n")
    start("alice", GUESTS / "spin.bin")
    first = int(unit()["WatchdogTimestampMonotonic"])
    eventually(lambda: int(unit()["WatchdogTimestampMonotonic"]) > first + 5_000_000, "two meals")
    assert unit()["NRestarts"] == "0"


def test_reload_reads_the_settings_and_leaves_vms_alone() -> None:
    vm, before = start("alice", GUESTS / "spin.bin"), main_pid()
    CONFIG.write_text("max-vms = 1\n", encoding="ascii")
    systemctl("reload", SERVICE)
    refused = run("vmmctl", "start", GUESTS / "spin.bin", user="alice")
    assert refused.returncode == 1 and "max-vms" in refused.stderr
    assert record("alice", vm)["state"] == "running" and main_pid() == before
    wait_for_unit(StatusText="1 VM running")


def test_reload_of_wrong_settings_leaves_the_service_as_it_was(since: float) -> None:
    vm = start("alice", GUESTS / "spin.bin")
    CONFIG.write_text("max-vms = many\n", encoding="ascii")
    run("systemctl", "reload", SERVICE)
    errors = eventually(
        lambda: journal(since, f"_SYSTEMD_UNIT={SERVICE}", "PRIORITY=3"), "an error in the journal"
    )
    assert "max-vms" in errors[0]["MESSAGE"]
    assert unit()["ActiveState"] == "active" and record("alice", vm)["state"] == "running"


def test_wrong_settings_end_in_failure_and_the_readme_says_how_to_go_on(since: float) -> None:
    CONFIG.write_text("max-vms = many\n", encoding="ascii")
    assert run("vmmctl", "list", user="alice").returncode == 3
    wait_for_unit(ActiveState="failed")
    assert unit()["ExecMainStatus"] == "2"
    wait_for_unit(name="vmmd.socket", ActiveState="failed")
    errors = journal(since, f"_SYSTEMD_UNIT={SERVICE}", "PRIORITY=3")
    assert any("max-vms" in entry["MESSAGE"] for entry in errors), errors

    CONFIG.write_text("", encoding="ascii")
    systemctl("reset-failed", SERVICE, "vmmd.socket")
    systemctl("start", "vmmd.socket")
    assert vmmctl("alice", "run", GUESTS / "hello.bin") == "Hello, KVM!\n"
