"""A file system that hangs when told to: the program that serves it, run by hanging_fs.py.

It speaks the kernel's FUSE protocol (linux/fuse.h, version 7.31) on /dev/fuse, and with the test on
standard input, a socket: a line of JSON each way. First comes what to serve; then each line says
which requests to hold back from now on, and is answered with those that are held.

The mount is in a mount namespace of this process alone. So there is nothing to take down: when the
process ends, however it ends, the kernel drops the mount and fails what is held. It ends when the
test does, since standard input ends then.
"""
import ctypes
import errno
import json
import os
import select
import stat
import struct
import sys
from typing import Any

IN_HEADER = struct.Struct("=IIQQIIIHH")  # struct fuse_in_header
OUT_HEADER = struct.Struct("=IiQ")
ATTR = struct.Struct("=6Q10I")
ENTRY_OUT = struct.Struct("=4Q2I")  # an attr follows
ATTR_OUT = struct.Struct("=Q2I")  # an attr follows
INIT_OUT = struct.Struct("=4I2H2I2H8I")
OPEN_OUT = struct.Struct("=Q2I")
READ_IN = struct.Struct("=QQI")

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE = 1, 2, 3, 14, 15, 18
FLUSH, INIT, INTERRUPT, BATCH_FORGET = 25, 26, 36, 42
UNANSWERED = (FORGET, INTERRUPT, BATCH_FORGET)
HELD_BACK = {OPEN: "open", READ: "read", FLUSH: "flush", RELEASE: "release"}

FOPEN_DIRECT_IO = 1  # every read is a request
ROOT = 1  # FUSE_ROOT_ID
FOREVER = 1 << 31  # seconds: the kernel need not ask again
MAX_WRITE = 4096
REQUEST_SIZE = 64 * 1024  # more than any request; FUSE_MIN_READ_BUFFER is 8192

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def checked(call: Any, *arguments: Any) -> None:
    """Calls a function of libc."""
    if call(*arguments) != 0:
        raise OSError(ctypes.get_errno(), call.__name__)


def mount(directory: str) -> int:
    """Mounts where no other process sees it; the descriptor to serve it by."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    checked(libc.unshare, CLONE_NEWNS)
    checked(libc.mount, None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    where = directory.encode()
    checked(libc.mount, b"hanging", where, b"fuse", ctypes.c_ulong(0), options.encode())
    return device


class Server:
    """Regular files in one folder."""

    def __init__(self, device: int, files: dict[str, bytes], served: int) -> None:
        self._device = device
        self._names = {name.encode(): ROOT + 1 + index for index, name in enumerate(files)}
        self._contents = dict(zip(self._names.values(), files.values()))
        self._served = served  # a process for which nothing is held back: the test
        self._hold: list[str] = []
        self._held: list[tuple[str, bytes]] = []

    # Requests of the kernel.

    def _attr(self, node: int) -> bytes:
        content = self._contents.get(node)
        mode = stat.S_IFDIR | 0o555 if content is None else stat.S_IFREG | 0o444
        size = len(content or b"")
        return ATTR.pack(node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _result(self, opcode: int, node: int, body: bytes) -> bytes:
        if opcode == INIT:
            return INIT_OUT.pack(7, 31, 0, 0, 1024, 1024, MAX_WRITE, 1, 0, 0, *[0] * 8)
        if opcode == LOOKUP:
            found = self._names.get(body.rstrip(b"\0"))
            if not found:
                raise OSError(errno.ENOENT, "")
            return ENTRY_OUT.pack(found, 0, FOREVER, FOREVER, 0, 0) + self._attr(found)
        if opcode == GETATTR:
            return ATTR_OUT.pack(FOREVER, 0, 0) + self._attr(node)
        if opcode == OPEN:
            return OPEN_OUT.pack(0, FOPEN_DIRECT_IO, 0)
        if opcode == READ:
            _, offset, size = READ_IN.unpack_from(body)
            return self._contents[node][offset : offset + size]
        if opcode in (FLUSH, RELEASE):
            return b""
        raise OSError(errno.ENOSYS, "")

    def _answer(self, request: bytes) -> None:
        _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        try:
            result, code = self._result(opcode, node, request[IN_HEADER.size :]), 0
        except OSError as error:
            result, code = b"", -error.errno
        header = OUT_HEADER.pack(OUT_HEADER.size + len(result), code, unique)
        try:
            os.write(self._device, header + result)
        except FileNotFoundError:  # nobody waits for it any more
            pass

    def serve_one(self) -> None:
        try:
            request = os.read(self._device, REQUEST_SIZE)
        except (BlockingIOError, FileNotFoundError):  # it was taken back
            return
        _, opcode, _, _, _, _, pid, *_ = IN_HEADER.unpack_from(request)
        name = HELD_BACK.get(opcode)
        if name in self._hold and pid != self._served:
            self._held.append((name, request))
        elif opcode not in UNANSWERED:
            self._answer(request)

    # Requests of the test.

    def hold(self, names: list[str]) -> list[str]:
        """Holds back requests of these names, answers the others; the names of those held."""
        held, self._held, self._hold = self._held, [], names
        for name, request in held:
            if name in names:
                self._held.append((name, request))
            else:
                self._answer(request)
        return [name for name, _ in self._held]


def main() -> None:
    test = os.fdopen(0, "r+b", buffering=0)
    what = json.loads(test.readline())
    try:
        device = mount(what["directory"])
    except OSError as error:
        test.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    files = {name: bytes.fromhex(content) for name, content in what["files"].items()}
    server = Server(device, files, what["served"])
    test.write(b"{}\n")
    while True:
        ready, _, _ = select.select([device, test], [], [])
        if device in ready:
            server.serve_one()
        if test in ready:
            line = test.readline()
            if not line:
                return
            test.write(json.dumps(server.hold(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
