"""Archives as Linux takes them for its first file system (initramfs-buffer-format.rst)."""
import stat


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _entry(name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device twice (major, minor), length of the name, check
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + path) + _padded(data)


def cpio(programs: dict[str, bytes]) -> bytes:
    """All in the root directory, and all can be run."""
    mode = stat.S_IFREG | 0o755
    entries = [_entry(name, mode, data) for name, data in programs.items()]
    return b"".join(entries) + _entry("TRAILER!!!", 0, b"")
