"""The sandbox of the unit, in force around the processes that run: the daemon's, and its workers'."""
import errno
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.waiting import eventually
from host import (
    GUESTS,
    SERVICE,
    STATE,
    main_pid,
    must,
    process_status,
    processes,
    record,
    start,
    uid_of,
    vmmctl,
    worker_of,
    workers,
)


@pytest.fixture(name="pid", params=["daemon", "worker"])
def running_process(request: pytest.FixtureRequest) -> int:
    """The daemon; or the worker that runs a VM."""
    vm = start("alice", GUESTS / "spin.bin")
    return main_pid() if request.param == "daemon" else worker_of(vm)


def test_exposure_is_what_the_readme_says() -> None:
    text = must("systemd-analyze", "security", "--no-pager", SERVICE)
    assert re.search(r"exposure level for vmmd.service: 0\.9 ", text), text[-200:]


def test_guests_run_within_it() -> None:
    assert len(vmmctl("alice", "run", GUESTS / "multiplication.bin").splitlines()) == 72
    assert vmmctl("alice", "run", GUESTS / "hello64.bin") == vmmctl("bob", "logs", "vm2")


def test_every_process_of_the_service_is_known_to_the_daemon() -> None:
    for user in ("alice", "bob"):
        start(user, GUESTS / "spin.bin")
    eventually(
        lambda: processes() == {main_pid(), *(worker["pid"] for worker in workers())},
        "the daemon and its workers, and nothing else",
    )
    assert {worker["uid"] for worker in workers()} >= {uid_of("alice"), uid_of("bob")}


def test_workers_go_before_the_daemon_where_memory_is_out() -> None:
    vm = start("alice", GUESTS / "spin.bin")
    scores = [
        int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))
        for pid in (main_pid(), worker_of(vm))
    ]
    assert scores == [0, 500]


def test_limits_are_as_the_unit_has_them(pid: int) -> None:
    options = ["--nice", "--nofile", "--noheadings", "--output=SOFT,HARD"]
    limits = must("prlimit", f"--pid={pid}", *options).split()
    assert limits == ["20", "20", "65536", "65536"]


def test_process_has_no_privileges(pid: int) -> None:
    status = process_status(pid)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    user = must("id", "-u", "vmmd").strip()
    assert status["Uid"].split() == [user] * 4


def test_other_peoples_files_are_out_of_sight(pid: int) -> None:
    root = Path(f"/proc/{pid}/root")
    assert os.listdir("/home")
    for name in ("home", "root", "run/user", "tmp", "var/tmp"):
        assert os.listdir(root / name) == [], name


def test_only_state_and_runtime_directories_are_writable(pid: int) -> None:
    root = Path(f"/proc/{pid}/root")
    for name in ("", "etc", "usr", "var", "srv", "run", "run/lock", "dev/shm", "dev/mqueue"):
        assert os.statvfs(root / name).f_flag & os.ST_RDONLY, name
    for name in ("var/lib/vmmd", "run/vmmd"):
        assert not os.statvfs(root / name).f_flag & os.ST_RDONLY, name
    assert STATE.stat().st_mode & 0o777 == 0o700


def open_in_cgroup(pid: int, path: str) -> int:
    """The errno of opening a device as root in the unit's control group."""
    cgroup = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").strip().removeprefix("0::")
    script = (
        "import os, sys\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "try: os.open(sys.argv[2], os.O_RDWR)\n"
        "except OSError as error: sys.exit(error.errno)\n"
    )
    procs = f"/sys/fs/cgroup{cgroup}/cgroup.procs"
    return subprocess.run(["python3", "-c", script, procs, path], check=False).returncode


def test_of_the_devices_it_has_kvm(pid: int) -> None:
    assert open_in_cgroup(pid, "/dev/kvm") == 0
    assert open_in_cgroup(pid, "/dev/null") == 0
    for name in ("/dev/vda", "/dev/kmsg", "/dev/ttyS0"):
        assert open_in_cgroup(pid, name) == errno.EPERM, name


def test_no_network_but_its_own_socket(pid: int) -> None:
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    interfaces = must("nsenter", f"--target={pid}", "--net", "cat", "/proc/net/dev")
    assert re.findall(r"(?m)^ *(\w+):", interfaces) == ["lo"]


def test_threads_of_vms_step_back_and_may_step_forward() -> None:
    vms = [start("alice", GUESTS / "spin.bin") for _ in range(4)]
    worker = worker_of(vms[0])

    def policies() -> list[int]:
        return [os.sched_getscheduler(int(task)) for task in os.listdir(f"/proc/{worker}/task")]

    assert {worker_of(vm) for vm in vms} == {worker}
    eventually(lambda: policies().count(os.SCHED_IDLE) == 4, "four threads behind all others")
    assert os.sched_getscheduler(main_pid()) == os.SCHED_OTHER
    vmmctl("alice", "stop", *vms)
    assert {record("bob", vm)["exit"]["reason"] for vm in vms} == {"stopped"}
