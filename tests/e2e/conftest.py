"""Fixtures: the real daemon and the real client, each test with its own."""
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.rpc import Connection

# Tests whose guests are written in one architecture's code.
OF_X86 = ["test_formats.py", "test_guests.py", "test_machine.py"]
OF_RISCV64 = ["test_riscv64.py"]
collect_ignore = OF_X86 if platform.machine() == "riscv64" else OF_RISCV64

DAEMONS = pytest.StashKey[list[Daemon]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the daemons logged."""
    report = (yield).get_result()
    if report.failed:
        for daemon in item.stash.get(DAEMONS, []):
            report.sections.append((f"log of vmmd in {daemon.folder}", daemon.log_text()))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder, with a path short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="vmmd-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture
def new_daemon(folder: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that are not started yet, each with a folder of its own unless one is given."""
    daemons = request.node.stash.setdefault(DAEMONS, [])

    def make(*options: str, folder: Path = folder, **more: Path) -> Daemon:
        folder.mkdir(exist_ok=True)
        daemons.append(Daemon(folder, options, **more))
        return daemons[-1]

    with ExitStack() as ends:
        yield make
        for daemon in daemons:
            ends.callback(daemon.finish)  # each, even if another does not end well


@pytest.fixture
def start_daemon(new_daemon: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """Starts a daemon with options."""
    return lambda *options: new_daemon(*options).start()


@pytest.fixture
def daemon(start_daemon: Callable[..., Daemon]) -> Daemon:
    return start_daemon()


@pytest.fixture
def rpc(daemon: Daemon) -> Iterator[Connection]:
    with daemon.connect() as connection:
        yield connection


@pytest.fixture
def vmmctl(daemon: Daemon) -> Client:
    return Client(daemon.folder, daemon.socket)
