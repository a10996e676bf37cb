"""Images: the three ways in, and all that cannot be one."""
import array
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.images import HALT, LOAD, MEMORY, OTHER_LOAD, PRINT_PLACE, print_text
from harness.rpc import Connection, as_data, wrong_parameter
from harness.settings import GUESTS
from harness.waiting import eventually

SIZE = 64 * 1024  # of memory


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def output_of(rpc: Connection, vm: int) -> bytes:
    rpc.wait(vm)
    return rpc.output(vm)


def refused_fd(rpc: Connection, fd: int, **params: object) -> dict:
    """The error of a start with a descriptor; the VM it names has failed for the same reason."""
    error = rpc.refused("vm.start", {"image": {"fd": True}} | params, [fd])
    assert error["data"]["name"] == "image-refused", error
    record = rpc.get(error["data"]["vm"])
    assert (record["state"], record["exit"]["reason"]) == ("failed", "error")
    assert record["exit"]["message"] in error["message"]
    assert record["started"] is None
    return error


# By descriptor.


def test_image_comes_as_a_descriptor(rpc: Connection) -> None:
    assert output_of(rpc, rpc.start(GUESTS / "hello.bin")) == b"Hello, KVM!\n"


def test_image_is_read_from_its_start_wherever_the_descriptor_stands(rpc: Connection) -> None:
    with opened(GUESTS / "hello.bin") as fd:
        os.lseek(fd, 0, os.SEEK_END)
        vm = rpc.call("vm.start", {"image": {"fd": True}}, [fd])["id"]
    assert output_of(rpc, vm) == b"Hello, KVM!\n"


def test_descriptor_of_an_unlinked_file_will_do(rpc: Connection, folder: Path) -> None:
    path = folder / "gone.bin"
    path.write_bytes(print_text(b"still here"))
    with opened(path) as fd:
        path.unlink()
        vm = rpc.call("vm.start", {"image": {"fd": True}}, [fd])["id"]
    assert output_of(rpc, vm) == b"still here"


def test_memory_file_will_do(rpc: Connection) -> None:
    fd = os.memfd_create("image")
    os.write(fd, print_text(b"from memory"))
    vm = rpc.call("vm.start", {"image": {"fd": True, "name": "memory"}}, [fd])["id"]
    os.close(fd)
    assert rpc.get(vm)["image"] == "memory"
    assert output_of(rpc, vm) == b"from memory"


def test_descriptors_go_to_the_requests_in_their_order(rpc: Connection) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": i, "method": "vm.start", "params": {"image": {"fd": True}}}
        for i in range(2)
    ]
    with opened(GUESTS / "hello.bin") as hello, opened(GUESTS / "counter.bin") as counter:
        rpc.send(batch, [hello, counter])
        vms = {answer["id"]: answer["result"]["id"] for answer in rpc.receive()}
    assert output_of(rpc, vms[0]) == b"Hello, KVM!\n"
    assert output_of(rpc, vms[1]) == b"0123456789"


def test_descriptor_may_come_with_any_byte_of_its_line(rpc: Connection) -> None:
    line = {"jsonrpc": "2.0", "id": "cut", "method": "vm.start", "params": {"image": {"fd": True}}}
    text = json.dumps(line).encode() + b"\n"
    for cut in (1, len(text) // 2, len(text) - 1):
        with opened(GUESTS / "hello.bin") as fd:
            rpc.send_bytes(text[:cut])
            rpc.send_bytes(text[cut:], [fd])
        vm = rpc.receive()["result"]["id"]
        assert output_of(rpc, vm) == b"Hello, KVM!\n"


def test_descriptors_of_two_lines_sent_at_once_stay_apart(rpc: Connection) -> None:
    line = b'{"jsonrpc":"2.0","id":"%s","method":"vm.start","params":{"image":{"fd":true}}}\n'
    with opened(GUESTS / "hello.bin") as hello, opened(GUESTS / "counter.bin") as counter:
        rpc.send_bytes(line % b"hello", [hello])
        rpc.send_bytes(line % b"counter", [counter])
    vms = {answer["id"]: answer["result"]["id"] for answer in (rpc.receive(), rpc.receive())}
    assert output_of(rpc, vms["hello"]) == b"Hello, KVM!\n"
    assert output_of(rpc, vms["counter"]) == b"0123456789"


def test_start_without_its_descriptor_is_refused(rpc: Connection) -> None:
    error = rpc.refused("vm.start", {"image": {"fd": True}})
    assert error["data"]["name"] == "invalid-params" and error["data"]["parameter"] == "image"
    assert rpc.call("vm.list", {"all": True}) == []


def test_descriptor_of_an_earlier_line_is_not_taken(rpc: Connection) -> None:
    with opened(GUESTS / "hello.bin") as fd:
        rpc.call("daemon.info", fds=[fd])
    error = rpc.refused("vm.start", {"image": {"fd": True}})
    assert error["data"]["name"] == "invalid-params"


def test_descriptors_nobody_asked_for_are_closed(daemon: Daemon, rpc: Connection) -> None:
    daemon.warm_up(rpc)
    before = daemon.open_descriptors() + daemon.receiver_descriptors(rpc)
    with opened(GUESTS / "hello.bin") as fd:
        rpc.call("daemon.info", fds=[fd] * 3)
        rpc.refused("vm.start", {"image": {"fd": True}, "name": "-"}, [fd])
        rpc.send_bytes(b"no JSON\n", [fd])
        assert rpc.receive()["error"]["data"]["name"] == "parse-error"
    eventually(
        lambda: daemon.open_descriptors() + daemon.receiver_descriptors(rpc) <= before,
        "as few descriptors as before",
    )


def test_more_descriptors_than_allowed_harm_nobody(daemon: Daemon, rpc: Connection) -> None:
    daemon.warm_up(rpc)
    before = daemon.open_descriptors() + daemon.receiver_descriptors(rpc)
    with daemon.connect() as other, opened(GUESTS / "hello.bin") as fd:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd] * 200))
        for _ in range(10):
            other.socket.sendmsg([b" "], [rights])
        other.send_bytes(b"\n")
        with daemon.connect() as third:
            third.ping()
    rpc.ping()
    eventually(
        lambda: daemon.open_descriptors() + daemon.receiver_descriptors(rpc) <= before,
        "as few descriptors as before",
    )


# As data.


def test_image_comes_as_data(rpc: Connection) -> None:
    image = as_data(print_text(b"of base64")) | {"name": "typed in"}
    vm = rpc.call("vm.start", {"image": image})["id"]
    assert output_of(rpc, vm) == b"of base64"
    assert rpc.get(vm)["image"] == "typed in"


@pytest.mark.parametrize("text", ["9", "9A=", "9A=!", "9 A==", "9B==", "é"])
def test_data_that_is_no_base64_is_refused(rpc: Connection, text: str) -> None:
    error = rpc.refused("vm.start", {"image": {"data": text}})
    assert error["data"]["name"] in ("invalid-params", "image-refused"), error


def test_largest_image_that_fits_a_line_runs(rpc: Connection) -> None:
    size = 700 * 1024
    vm = rpc.call("vm.start", {"image": as_data(HALT.ljust(size, b"\0")), "memory": 1024 * 1024})["id"]
    assert rpc.wait(vm)["image_size"] == size


# By path.


@pytest.fixture
def image_dir(folder: Path) -> Path:
    images = folder / "images"
    (images / "inner").mkdir(parents=True)
    (images / "a.bin").write_bytes(print_text(b"a"))
    (images / "inner" / "b.bin").write_bytes(print_text(b"b"))
    (images / "link.bin").symlink_to("inner/b.bin")
    (folder / "secret.bin").write_bytes(print_text(b"secret"))
    (images / "out.bin").symlink_to("../secret.bin")
    (images / "absolute.bin").symlink_to(folder / "secret.bin")
    (images / "outer").symlink_to("..")
    return images


@pytest.fixture
def rpc_with_images(start_daemon, image_dir: Path) -> Iterator[Connection]:
    with start_daemon("--image-dir", str(image_dir)).connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "path, printed", [("a.bin", b"a"), ("inner/b.bin", b"b"), ("link.bin", b"b"), ("./a.bin", b"a")]
)
def test_image_comes_by_its_path(rpc_with_images: Connection, path: str, printed: bytes) -> None:
    vm = rpc_with_images.call("vm.start", {"image": {"path": path}})["id"]
    assert output_of(rpc_with_images, vm) == printed


@pytest.mark.parametrize(
    "path",
    ["../secret.bin", "inner/../../secret.bin", "out.bin", "absolute.bin", "outer/secret.bin"]
    + ["missing.bin", "", ".", "inner", "/etc/passwd", "a.bin/", "x" * 5000],
)
def test_paths_that_lead_out_or_nowhere_are_refused(
    rpc_with_images: Connection, path: str
) -> None:
    error = rpc_with_images.refused("vm.start", {"image": {"path": path}})
    assert error["data"]["name"] in ("image-refused", "invalid-params"), error


def test_absolute_path_into_the_image_directory_is_no_way_around(
    rpc_with_images: Connection, image_dir: Path
) -> None:
    error = rpc_with_images.refused("vm.start", {"image": {"path": str(image_dir / "a.bin")}})
    assert error["data"]["name"] in ("image-refused", "invalid-params"), error


def test_paths_are_refused_where_no_directory_is_configured(rpc: Connection) -> None:
    error = rpc.refused("vm.start", {"image": {"path": "a.bin"}})
    assert "image-dir" in error["message"] and error["data"]["name"] == "invalid-params"


# What is no image.


def test_empty_image_is_refused(rpc: Connection, folder: Path) -> None:
    (folder / "empty").touch()
    with opened(folder / "empty") as fd:
        assert "empty" in refused_fd(rpc, fd)["message"]


@pytest.mark.parametrize("excess", [0, 1])
def test_image_may_fill_memory_and_not_a_byte_more(
    rpc: Connection, folder: Path, excess: int
) -> None:
    (folder / "big").write_bytes(HALT.ljust(MEMORY + SIZE - LOAD + excess, b"\0"))
    if excess:
        with opened(folder / "big") as fd:
            error = refused_fd(rpc, fd, memory=SIZE)
        assert str(SIZE) in error["message"]
    else:
        assert rpc.wait(rpc.start(folder / "big", memory=SIZE))["exit"]["reason"] == "halted"


def test_enormous_image_is_refused_at_once(rpc: Connection, folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(2**42)
    with opened(folder / "sparse") as fd:
        refused_fd(rpc, fd)


def test_directory_is_no_image(rpc: Connection, folder: Path) -> None:
    with opened(folder, os.O_DIRECTORY) as fd:
        assert "directory" in refused_fd(rpc, fd)["message"]


def test_pipe_is_no_image_and_holds_nobody_up(rpc: Connection) -> None:
    reader, writer = os.pipe()
    assert "regular file" in refused_fd(rpc, reader)["message"]
    os.close(reader)
    os.close(writer)


def test_fifo_is_no_image_and_holds_nobody_up(
    rpc_with_images: Connection, image_dir: Path
) -> None:
    os.mkfifo(image_dir / "fifo")
    error = rpc_with_images.refused("vm.start", {"image": {"path": "fifo"}})
    assert error["data"]["name"] == "image-refused" and "regular file" in error["message"]


def test_device_is_no_image(rpc: Connection) -> None:
    with opened(Path("/dev/zero")) as fd:
        refused_fd(rpc, fd)


def test_socket_is_no_image(rpc: Connection) -> None:
    refused_fd(rpc, rpc.socket.fileno())


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_PATH])
def test_descriptor_that_cannot_be_read_is_no_image(
    rpc: Connection, folder: Path, flags: int
) -> None:
    (folder / "image").write_bytes(HALT)
    with opened(folder / "image", flags) as fd:
        refused_fd(rpc, fd)


@pytest.mark.parametrize(
    "image",
    [{}, {"fd": False}, {"fd": 1}, {"data": 5}, {"path": None}, {"name": "x"}, "x.bin", None, []]
    + [{"fd": True, "data": "9A=="}, {"data": "9A==", "path": "a"}, {"data": "9A==", "size": 1}]
    + [{"data": "9A==", "name": 5}],
)
def test_image_is_exactly_one_of_fd_data_and_path(rpc: Connection, image: object) -> None:
    error = rpc.refused("vm.start", {"image": image})
    assert error["data"] == wrong_parameter("image", image)


def test_image_must_be_given(rpc: Connection) -> None:
    error = rpc.refused("vm.start", {})
    assert error["data"] == {"name": "invalid-params", "parameter": "image"}


# Where it is loaded.


def test_image_runs_where_it_is_asked_for(rpc: Connection) -> None:
    place = rpc.run(PRINT_PLACE, load=OTHER_LOAD)["data"]
    assert int.from_bytes(place, "little") == OTHER_LOAD % 2**16


@pytest.mark.parametrize("load", [0x10000, 0xFFFFF, 2**32, 2**63, 2**64 - 1])
def test_load_address_must_be_one_that_can_be_entered(rpc: Connection, load: int) -> None:
    error = rpc.refused("vm.start", {"image": as_data(HALT), "load": load})
    assert error["data"]["name"] in ("image-refused", "invalid-params"), error


def test_image_may_be_loaded_where_memory_begins(rpc: Connection) -> None:
    assert rpc.run(HALT, load=MEMORY)["exit"]["reason"] == "halted"


# Through vmmctl.


@pytest.mark.parametrize("command", ["start", "run"])
def test_vmmctl_says_why_an_image_cannot_be_had(
    vmmctl: Client, folder: Path, command: str
) -> None:
    (folder / "empty").touch()
    reasons = {"missing": "No such file", ".": "directory", "empty": "empty"}
    if os.geteuid() != 0:  # root may read everything
        (folder / "closed").touch(mode=0)
        reasons["closed"] = "Permission denied"
    for name, reason in reasons.items():
        ended = vmmctl(command, folder / name)
        assert ended.returncode in (1, 125) and ended.stdout == "", ended
        assert ended.stderr.startswith("vmmctl: ") and reason in ended.stderr


def test_vmmctl_takes_an_image_from_a_pipe(vmmctl: Client, folder: Path) -> None:
    (folder / "image").write_bytes(print_text(b"piped\n"))
    with (folder / "image").open("rb") as file:
        assert vmmctl("run", "-", stdin=file).stdout == "piped\n"
    reader, writer = os.pipe()
    os.write(writer, print_text(b"piped\n"))
    os.close(writer)
    assert vmmctl("run", "-", stdin=reader).stdout == "piped\n"
    os.close(reader)


def test_path_cannot_write_lines_of_its_own_to_the_log(start_daemon, folder: Path) -> None:
    daemon = start_daemon("--image-dir", str(folder))
    with daemon.connect() as rpc:
        error = rpc.refused("vm.start", {"image": {"path": "x\nvmmd: error: made up\x1b[31m"}})
    assert r"x\x0avmmd: error: made up\x1b[31m" in error["message"]
    assert "\nvmmd: error: made up" not in daemon.log_text()
