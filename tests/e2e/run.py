#!/usr/bin/python3
"""Runs one file of tests with pytest and tells the results as TAP (https://testanything.org).

Standard output has nothing but TAP, so that Meson counts the cases; what pytest prints, and what a
failure is about, goes to standard error.
"""
import os
import sys
from typing import TextIO

import pytest

from harness.settings import SCALE

TEST_SECONDS = 60  # of one test, before it is ended


class TapPrinter:
    """A pytest plugin."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._count = 0
        self._reports: list[pytest.TestReport] = []  # of the test that runs: setup, call, teardown

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._print(f"Bail out! {report.nodeid} cannot be read")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._print(f"1..{len(session.items)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports, self._reports = self._reports, []
        self._count += 1
        name = nodeid.rpartition("::")[2].replace("#", "_")
        if any(report.failed for report in reports):
            self._print(f"not ok {self._count} - {name}")
        elif broken := [report for report in reports if hasattr(report, "wasxfail")]:
            reason = broken[0].wasxfail.removeprefix("reason: ")
            self._print(f"ok {self._count} - {name} # SKIP fails as yet: {reason}")
        elif skipped := [report for report in reports if report.skipped]:
            reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
            self._print(f"ok {self._count} - {name} # SKIP {reason}")
        else:
            self._print(f"ok {self._count} - {name}")


def main(arguments: list[str]) -> int:
    tap = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    timeout = f"--timeout={TEST_SECONDS * SCALE}"
    status = pytest.main([timeout, *arguments], plugins=[TapPrinter(tap)])
    # failed tests were told one by one; anything else is the program's own failure
    return 0 if status == pytest.ExitCode.TESTS_FAILED else int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
