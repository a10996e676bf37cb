"""What is counted before and after: a daemon, all its workers, the files of both."""
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.daemon import Daemon

MORE_KIB = 4096


def worker_pids(folder: Path) -> list[int]:
    """All workers that a daemon of this folder started, listed or not: by their environment."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text(encoding="ascii") != "vmmd-worker\n":
                continue
            if str(folder).encode() in (entry / "environ").read_bytes():
                pids.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            pass
    return sorted(pids)


def descriptors(pid: int) -> list[str]:
    names = []
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                names.append(os.readlink(entry))
    except FileNotFoundError:  # it has just ended
        pass
    return names


def machines(folder: Path) -> int:
    """How many VMs KVM has, of these workers."""
    return sum(descriptors(pid).count("anon_inode:kvm-vm") for pid in worker_pids(folder))


def field(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1))


def zombies(pid: int) -> int:
    """Children that ended and were not waited for."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        count += state == "Z" and int(parent) == pid
    return count


@dataclass
class Census:
    daemon_descriptors: int
    daemon_threads: int
    daemon_kib: int
    daemon_zombies: int
    workers: int
    worker_descriptors: int
    worker_threads: int
    worker_kib: int  # anonymous memory: what of files is mapped is the files'
    machines: int
    files: list[str]  # in the state directory, those that say who is there

    def __str__(self) -> str:
        counts = {name: value for name, value in vars(self).items() if name != "files"}
        return ", ".join(f"{name} {value}" for name, value in counts.items()) + (
            f", files {len(self.files)}"
        )


def take_census(daemon: Daemon) -> Census:
    pids = worker_pids(daemon.folder)
    files = [path for path in daemon.state_dir.rglob("*") if not path.is_dir()]
    return Census(
        daemon_descriptors=len(descriptors(daemon.pid)),
        daemon_threads=field(daemon.pid, "Threads"),
        daemon_kib=field(daemon.pid, "RssAnon"),
        daemon_zombies=zombies(daemon.pid),
        workers=len(pids),
        worker_descriptors=sum(len(descriptors(pid)) for pid in pids),
        worker_threads=sum(field(pid, "Threads") for pid in pids),
        worker_kib=sum(field(pid, "RssAnon") for pid in pids),
        machines=machines(daemon.folder),
        files=sorted(str(path.relative_to(daemon.state_dir)) for path in files),
    )


def kind_of(file: str) -> str:
    return re.sub(r"\d+", "N", file)


def faults(before: Census, now: Census) -> list[str]:
    """What is more than before. Memory may be a little more: what was freed is kept for a while."""
    told = []
    for name, value in vars(before).items():
        after = getattr(now, name)
        if name == "files":  # whose numbers go on
            more = Counter(map(kind_of, after)) - Counter(map(kind_of, value))
            if more:
                told.append(f"files: {dict(more)} more, of {after}")
        elif after > value + (MORE_KIB if name.endswith("_kib") else 0):
            told.append(f"{name}: {value}, then {after}")
    return told
