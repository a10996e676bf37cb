"""What the build tells the tests, by environment.

The defaults are for `/usr/bin/python3 -m pytest tests/e2e` by hand, after `./dev build`.
"""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"

VMMD = Path(os.environ.get("VMMD_TEST_DAEMON", BUILD / "daemon/vmmd"))
VMMCTL = Path(os.environ.get("VMMD_TEST_CLIENT", BUILD / "client/vmmctl"))
GUESTS = Path(os.environ.get("VMMD_TEST_GUESTS", BUILD / "guests"))
# Debian's own files, where Debian has them: the lab's, once it was used.
DEBIAN = Path(os.environ.get("VMMD_TEST_DEBIAN", ROOT / "build-lab-x86/debian"))
# What vmmd is made to run out of memory with: not there in a lab.
FAILING_MEMORY = Path(
    os.environ.get("VMMD_TEST_FAILING_MEMORY", BUILD / "tests/e2e/libfailing_memory.so")
)
OPENRPC = ROOT / "protocol/openrpc.json"

# Under a sanitizer everything takes longer, and what was freed is kept for a while. In a lab machine
# an emulator is what is slow.
SANITIZED = os.environ.get("VMMD_TEST_SANITIZED") == "1"
EMULATED = os.environ.get("VMMD_TEST_EMULATED") == "1"
SCALE = 8 if EMULATED else 5 if SANITIZED else 1
LESS = 8 if EMULATED else 1  # what much of takes minutes there, is done that much less of
BOUNDED = (512 if SANITIZED else 16) * 1024 * 1024  # bytes: what a daemon may grow by, and no more

# Where nothing may be left out: no KVM is a failure then.
STRICT = os.environ.get("VMMD_TEST_STRICT") == "1"
