"""Deadlines: whatever a test waits for has one."""
import time
from collections.abc import Callable
from typing import TypeVar

from harness.settings import SCALE

SECONDS = 15  # unless a test says otherwise; longer than anything takes on a busy machine

Value = TypeVar("Value")


class Deadline:
    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds * SCALE

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0


def eventually(condition: Callable[[], Value], what: str, seconds: float = SECONDS) -> Value:
    """The first true value of condition, for what tells nobody when it happens."""
    deadline = Deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if deadline.passed:
            raise TimeoutError(f"waited in vain for: {what}")
        time.sleep(0.005 * SCALE)  # looking must leave CPU to what is looked at
