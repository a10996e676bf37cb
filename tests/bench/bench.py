"""What the benchmarks in Python share: a vmmd of their own, by the tests' harness, and tables."""
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness.daemon import Daemon  # noqa: E402
from harness.rpc import Connection  # noqa: E402


@contextmanager
def connected() -> Iterator[Connection]:
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder)).start()
        try:
            yield daemon.connect()
        finally:
            daemon.finish()


def print_row(cells: Sequence[object]) -> None:
    """Of a table in Markdown."""
    print("| " + " | ".join(map(str, cells)) + " |")


def print_head(cells: Sequence[str]) -> None:
    print_row(cells)
    print("|---" * len(cells) + "|")
