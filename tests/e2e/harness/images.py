"""Guests that the tests need beside those of guests/, in this machine's code: flat images.

What there is but one of is in images_x86.py alone, or images_riscv64.py, and so are the tests for it.
"""
# pylint: disable=wildcard-import,unused-wildcard-import
import platform

from harness.listing import STREAM_PERIOD, TABLES, code, stream_bytes

if platform.machine() == "riscv64":
    from harness.images_riscv64 import *
else:
    from harness.images_x86 import *
