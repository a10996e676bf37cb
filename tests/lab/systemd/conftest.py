"""Each test finds vmmd as it is after installation: the socket listens, nothing else."""
import shutil
import time
from collections.abc import Iterator

import pytest

from harness.waiting import eventually
from host import CONFIG, DROP_INS, SERVICE, SOCKET, STATE, processes, run, systemctl


@pytest.fixture(autouse=True)
def fresh_service() -> Iterator[None]:
    settings = CONFIG.read_bytes()
    yield
    CONFIG.write_bytes(settings)
    if DROP_INS.exists():
        shutil.rmtree(DROP_INS)
        systemctl("daemon-reload")
    systemctl("stop", "vmmd.socket", SERVICE)
    run("systemctl", "kill", SERVICE)  # what a daemon that failed, or was to keep it, has left
    eventually(lambda: not processes(), "the end of all workers")
    shutil.rmtree(STATE, ignore_errors=True)
    run("systemctl", "reset-failed", SERVICE, "vmmd.socket")
    systemctl("start", "vmmd.socket")
    assert SOCKET.exists()


@pytest.fixture(autouse=True)
def since() -> float:
    """When the test began."""
    return time.time()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the journal has of it."""
    report = (yield).get_result()
    if report.failed and "since" in item.funcargs:
        since = f"--since=@{item.funcargs['since']:.6f}"
        text = run("journalctl", "-o", "short-monotonic", since).stdout
        report.sections.append(("journal", text))
