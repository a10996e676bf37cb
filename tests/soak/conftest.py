"""What takes many minutes: `./dev soak`. By the end-to-end tests' harness."""
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from census import worker_pids
from harness.daemon import Daemon, require_kvm
from mix import OPTIONS, Mix

LOG = os.environ.get("VMMD_SOAK_LOG")  # where a copy of the daemon's log is to go


@pytest.fixture
def new_mix() -> Iterator[Callable[..., Mix]]:
    """Makes a mix that is to be begun; its daemon runs."""
    require_kvm()
    with tempfile.TemporaryDirectory(prefix="vmmd-soak-", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder), OPTIONS)
        try:
            with Mix(daemon) as mix:

                def make(runners: int = 4) -> Mix:
                    mix.runner_count = runners
                    mix.start_daemon()
                    return mix

                yield make
        finally:
            try:
                daemon.finish()
            finally:
                if LOG:
                    shutil.copy(daemon.log, LOG)
                for pid in worker_pids(daemon.folder):  # after a Ctrl-C, at any moment
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
