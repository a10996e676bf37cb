"""The machine that the tests run on, as its users and the person who looks after it see it."""
import contextlib
import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.images import PRINT_THEN_SPIN, slow_stream
from harness.waiting import Deadline, eventually

GUESTS = Path("/vmmd/guests")
SERVICE = "vmmd.service"
SOCKET = Path("/run/vmmd/vmmd.sock")
CONFIG = Path("/etc/vmmd/vmmd.conf")
UNITS = Path("/run/systemd/system")
DROP_INS = UNITS / f"{SERVICE}.d"
STATE = Path("/var/lib/vmmd")
BEFORE_REBOOT = Path("/var/lib/before-reboot.json")  # what go_down.py notes
CGROUP = Path(f"/sys/fs/cgroup/system.slice/{SERVICE}")

Finished = subprocess.CompletedProcess


def uid_of(user: str) -> int:
    return pwd.getpwnam(user).pw_uid


def as_user(user: str, *command: object) -> list[str]:
    """The command as that user would have it from a login, without the cost of one."""
    runtime = Path(f"/run/user/{uid_of(user)}")
    environment = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME=/home/{user}", "LC_ALL=C.UTF-8"]
    if runtime.exists():
        environment.append(f"XDG_RUNTIME_DIR={runtime}")
    return ["runuser", "-u", user, "--", *environment, *map(str, command)]


def run(*command: object, user: str = "root", **more: object) -> Finished:
    """Runs a command to its end, whatever that is."""
    words = list(map(str, command)) if user == "root" else as_user(user, *command)
    options = {"capture_output": True, "text": True, "timeout": Deadline().left} | more
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(words, **options)


def must(*command: object, user: str = "root", **more: object) -> str | bytes:
    """What a command prints that has to end well."""
    done = run(*command, user=user, **more)
    assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


def vmmctl(user: str, *arguments: object, **more: object) -> str:
    return must("vmmctl", *arguments, user=user, **more)


def start(user: str, *arguments: object) -> int:
    """Starts a VM; its id."""
    return int(vmmctl(user, "start", *arguments))


def start_image(user: str, image: bytes, *arguments: object) -> int:
    """Starts a VM of an image that is no file; its id."""
    text = image.decode("latin-1")
    return int(vmmctl(user, "start", *arguments, "-", input=text, encoding="latin-1"))


def start_and_print() -> int:
    """Starts a VM that prints AB and then runs for ever; its id."""
    vm = start_image("alice", PRINT_THEN_SPIN)
    eventually(lambda: vmmctl("alice", "logs", vm) == "AB", "the guest's output")
    return vm


def start_printing(user: str = "alice") -> int:
    """Starts a VM that goes on printing the stream, slowly enough for nothing to be lost; its id."""
    vm = start_image(user, slow_stream(), "--mode", "protected")
    wait_for_more(vm)
    return vm


def output(vm: int) -> bytes:
    """All that a VM has printed."""
    return must("vmmctl", "logs", vm, user="alice", text=False)


def wait_for_more(vm: int) -> None:
    """Waits until a VM has printed more than it had."""
    before = record("alice", vm)["output"]["next"]
    eventually(lambda: record("alice", vm)["output"]["next"] > before, f"output of VM {vm}")


def wait_for_clients(count: int) -> None:
    """Waits until so many watch."""
    eventually(
        lambda: json.loads(vmmctl("alice", "call", "daemon.info"))["counts"]["subscriptions"]
        == count,
        f"{count} streams",
    )


def start_by_path(user: str, name: str) -> Finished:
    """Asks for a VM of an image that the daemon is to find."""
    return run("vmmctl", "call", "vm.start", json.dumps({"image": {"path": name}}), user=user)


def record(user: str, vm: int | str) -> dict:
    return json.loads(vmmctl(user, "status", "--json", vm))


def workers() -> list[dict]:
    """The service's workers, as the daemon has them."""
    return json.loads(vmmctl("alice", "call", "daemon.workers"))


def worker_of(vm: int) -> int:
    """The process that runs a VM."""
    (pid,) = [worker["pid"] for worker in workers() if vm in worker["vms"]]
    return pid


def processes() -> set[int]:
    """All processes of the service, without the threads of the kernel's that KVM has for its VMs."""
    try:
        pids = map(int, (CGROUP / "cgroup.procs").read_text(encoding="ascii").split())
        return {pid for pid in pids if Path(f"/proc/{pid}/exe").exists()}
    except OSError:  # the group was removed, with the last of them
        return set()


def vms_of(user: str) -> dict[int, dict]:
    """The live VMs as a user sees them."""
    return {vm["id"]: vm for vm in json.loads(vmmctl(user, "list", "--json"))}


def systemctl(*arguments: object) -> str:
    return must("systemctl", *arguments)


def unit(name: str = SERVICE) -> dict[str, str]:
    """Properties of a unit."""
    lines = systemctl("show", name).splitlines()
    return dict(line.split("=", 1) for line in lines)


def main_pid() -> int:
    return int(unit()["MainPID"])


def wait_for_next_daemon(before: int) -> int:
    """Waits until another daemon than that process serves; its process."""

    def found() -> int | None:
        properties = unit()
        pid = int(properties["MainPID"])
        return pid if pid not in (0, before) and properties["SubState"] == "running" else None

    return eventually(found, "the next daemon")


def wait_for_unit(*, name: str = SERVICE, **wanted: str) -> dict[str, str]:
    """Waits until properties have these values; all of them then."""

    def found() -> dict[str, str] | None:
        properties = unit(name)
        return properties if wanted.items() <= properties.items() else None

    return eventually(found, f"{wanted} of {name}")


@contextlib.contextmanager
def transient_unit(name: str, text: str) -> Iterator[None]:
    """A unit of the test's own."""
    path = UNITS / name
    path.write_text(text, encoding="ascii")
    systemctl("daemon-reload")
    yield
    systemctl("stop", name)
    path.unlink()
    systemctl("daemon-reload")


def drop_in(text: str) -> None:
    """What the unit gets beside its file until the test is over."""
    DROP_INS.mkdir(parents=True, exist_ok=True)
    (DROP_INS / "test.conf").write_text(text, encoding="ascii")
    systemctl("daemon-reload")


def journal(since: float, *matches: str) -> list[dict]:
    """What came into the journal since then (seconds of the clock), with these fields."""
    must("journalctl", "--sync")
    lines = must("journalctl", "-o", "json", f"--since=@{since:.6f}", *matches).splitlines()
    return [json.loads(line) for line in lines]


def process_status(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def owned_file(path: Path, data: bytes, user: str) -> Path:
    """A file that only its user may read, in a directory that only they may enter."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
    for name in (path.parent, path):
        os.chown(name, uid_of(user), uid_of(user))
    return path
