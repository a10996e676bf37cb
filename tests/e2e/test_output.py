"""Output: streams, chunks, readers that are slow or many, and losses that add up."""
import base64
import json
import signal
import threading
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.images import (
    ENDED,
    PRINT_THEN_SPIN,
    SPIN,
    STREAM_ENDLESS,
    print_text,
    stream_bytes,
    stream_of,
)
from harness.rpc import Connection, Stream, as_data, wrong_parameter
from harness.settings import GUESTS, LESS
from harness.waiting import eventually

RING = 4096  # the smallest there is
UNREAD = 600_000  # bytes, more than a socket and the daemon's queue hold for who does not read
HELLO = b"Hello, KVM!\n"


def start_ended(rpc: Connection, image: bytes, **params: object) -> int:
    vm = rpc.start(image, **params)
    rpc.wait(vm)
    return vm


def output_next(rpc: Connection, vm: int) -> int:
    return rpc.get(vm)["output"]["next"]


# Where a stream starts.


def test_replay_from_the_first_byte_is_the_default(rpc: Connection) -> None:
    vm = start_ended(rpc, print_text(b"0123456789"))
    stream = rpc.attach(vm).read_to_end()
    assert (stream.start, bytes(stream.data), stream.gaps) == (0, b"0123456789", [])
    assert stream.exit["reason"] == "halted"


@pytest.mark.parametrize(
    "where, offset",
    [("start", 0), ("end", 10), (0, 0), (7, 7), (10, 10), (-3, 7), (-10, 0), (-99, 0)],
)
def test_stream_starts_where_it_is_asked_to(
    rpc: Connection, where: str | int, offset: int
) -> None:
    vm = start_ended(rpc, print_text(b"0123456789"))
    stream = rpc.attach(vm, **{"from": where}).read_to_end()
    assert (stream.start, bytes(stream.data)) == (offset, b"0123456789"[offset:])
    chunk = rpc.call("vm.output", {"vm": vm, "from": where})
    assert chunk["offset"] == offset and chunk["next"] == 10 and chunk["end"]
    assert base64.b64decode(chunk["data"]) == b"0123456789"[offset:]


@pytest.mark.parametrize("method", ["vm.attach", "vm.output"])
def test_output_that_does_not_exist_yet_is_refused(rpc: Connection, method: str) -> None:
    vm = start_ended(rpc, print_text(b"0123456789"))
    error = rpc.refused(method, {"vm": vm, "from": 11})
    assert error["data"]["name"] == "out-of-range"
    assert (error["data"].get("parameter"), error["data"].get("value")) == ("from", 11)


@pytest.mark.parametrize("where", ["begin", 1.5, None, True, [0]])
def test_wrong_places_to_start_are_refused(rpc: Connection, where: object) -> None:
    vm = start_ended(rpc, print_text(b"0123456789"))
    error = rpc.refused("vm.attach", {"vm": vm, "from": where})
    assert error["data"] == wrong_parameter("from", where)


def test_attach_to_the_end_sees_what_comes_after(rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    eventually(lambda: output_next(rpc, vm) > 1000, "1000 bytes")
    stream = rpc.attach(vm, **{"from": "end"})
    stream.read_until(lambda: len(stream.data) > 1000)
    assert stream.start > 0
    if not stream.gaps:
        assert bytes(stream.data) == stream_bytes(stream.start, len(stream.data))


# Chunks.


def test_chunks_follow_one_another(rpc: Connection) -> None:
    vm = start_ended(rpc, stream_of(10000))
    data, position, end = b"", 0, False
    while not end:
        chunk = rpc.call("vm.output", {"vm": vm, "from": position, "max": 4001})
        assert chunk["offset"] == position and "lost" not in chunk
        data += base64.b64decode(chunk["data"])
        position, end = chunk["next"], chunk["end"]
        assert position == len(data)
    assert data == stream_bytes(0, 10000)


def test_character_at_the_border_of_chunks_stays_whole(rpc: Connection) -> None:
    vm = start_ended(rpc, print_text("aé€".encode()))
    texts, position = [], 0
    while position < 6:
        chunk = rpc.call("vm.output", {"vm": vm, "from": position, "max": 3, "encoding": "utf-8"})
        texts.append(chunk["data"])
        position = chunk["next"]
    assert texts == ["aé", "€"]
    chunk = rpc.call("vm.output", {"vm": vm, "from": 3, "max": 2, "encoding": "utf-8"})
    assert (chunk["data"], chunk["next"]) == ("\ufffd\ufffd", 5)


def test_chunk_of_a_live_vm_is_not_its_end(rpc: Connection) -> None:
    vm = rpc.start(PRINT_THEN_SPIN)
    eventually(lambda: output_next(rpc, vm) == 2, "2 bytes")
    chunk = rpc.call("vm.output", {"vm": vm})
    assert (base64.b64decode(chunk["data"]), chunk["next"], chunk["end"]) == (b"AB", 2, False)
    chunk = rpc.call("vm.output", {"vm": vm, "from": 2})
    assert (chunk["data"], chunk["next"], chunk["end"]) == ("", 2, False)


def test_chunk_says_what_the_ring_no_longer_holds(rpc: Connection) -> None:
    vm = start_ended(rpc, stream_of(60000), ring=RING)
    first = rpc.get(vm)["output"]["first"]
    assert first >= 60000 - RING
    chunk = rpc.call("vm.output", {"vm": vm, "from": 100})
    assert (chunk["offset"], chunk["lost"]) == (first, first - 100)
    assert base64.b64decode(chunk["data"]) == stream_bytes(first, 60000 - first)


@pytest.mark.parametrize("value", [0, -1, 49153, "many"])
def test_wrong_chunk_sizes_are_refused(rpc: Connection, value: object) -> None:
    vm = start_ended(rpc, print_text(b"x"))
    error = rpc.refused("vm.output", {"vm": vm, "max": value})
    assert error["data"] == wrong_parameter("max", value)


# Encodings.


def test_text_has_what_is_not_utf8_replaced(rpc: Connection) -> None:
    vm = start_ended(rpc, print_text("é€😀".encode() + b"\xff\xc3|\xed\xa0\x80"))
    text = rpc.call("vm.output", {"vm": vm, "encoding": "utf-8"})["data"]
    assert text.startswith("é€😀\ufffd\ufffd|\ufffd"), text
    attached = rpc.call("vm.attach", {"vm": vm, "encoding": "utf-8"})
    streamed = rpc.notification("vm.output")
    assert streamed["data"] == text and streamed["subscription"] == attached["subscription"]
    assert rpc.notification("vm.exited")["offset"] == len("é€😀".encode()) + 6


def test_text_is_not_cut_inside_a_character(rpc: Connection) -> None:
    """However the chunks fall: 3 bytes a character, and the largest chunk is no multiple of 3."""
    text = "€" * 20000
    vm = start_ended(rpc, print_text(text.encode()))
    rpc.call("vm.attach", {"vm": vm, "encoding": "utf-8"})
    seen = ""
    while len(seen) < len(text):
        seen += rpc.notification("vm.output")["data"]
    assert seen == text


def test_zero_bytes_and_control_characters_arrive_in_both_encodings(rpc: Connection) -> None:
    vm = start_ended(rpc, print_text(bytes(range(128))))
    assert rpc.output(vm) == bytes(range(128))
    text = rpc.call("vm.output", {"vm": vm, "encoding": "utf-8"})["data"]
    assert text == bytes(range(128)).decode()


# Nothing is missing.


def test_200_starts_lose_not_one_byte(rpc: Connection) -> None:
    for _ in range(200):
        record = rpc.run(GUESTS / "hello.bin")
        assert (record["data"], record["exit"]["reason"]) == (HELLO, ENDED)


def test_200_starts_of_the_shortest_guest_all_tell_their_end(rpc: Connection) -> None:
    for _ in range(200):
        stream = rpc.attach(rpc.start(GUESTS / "minimal.bin")).read_to_end()
        assert (bytes(stream.data), stream.exit["reason"]) == (b"", ENDED)


def test_starts_all_at_once_lose_not_one_byte(rpc: Connection) -> None:
    image = as_data(print_text(HELLO))
    starts = [rpc.request("vm.start", {"image": image}) for _ in range(50)]
    vms = [rpc.result("vm.start", number)["id"] for number in starts]
    for stream in [rpc.attach(vm) for vm in vms]:
        assert bytes(stream.read_to_end().data) == HELLO


def test_8_readers_all_see_the_same(daemon: Daemon, rpc: Connection) -> None:
    size = 65536 // LESS  # the readers are on the same CPU
    vm = rpc.start(stream_of(size, then=SPIN))
    seen: list[bytes] = []

    def read() -> None:
        with daemon.connect() as own:
            stream = own.attach(vm).read_to_end()
            seen.append(bytes(stream.data))

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    eventually(lambda: rpc.call("daemon.info")["counts"]["subscriptions"] == 8, "8 readers")
    eventually(lambda: output_next(rpc, vm) == size, "all of the output")
    rpc.stop(vm)
    for reader in readers:
        reader.join()
    assert [data == stream_bytes(0, size) for data in seen] == [True] * 8


def test_one_connection_reads_many_streams(rpc: Connection) -> None:
    vms = [rpc.start(print_text(b"of VM %d" % number)) for number in range(5)]
    streams = [(rpc.attach(vm), rpc.attach(vm)) for vm in vms]
    assert len({stream.subscription for pair in streams for stream in pair}) == 10
    for number, pair in enumerate(streams):
        for stream in pair:
            assert bytes(stream.read_to_end().data) == b"of VM %d" % number


# Losses.


def assert_adds_up(rpc: Connection, vm: int, stream: Stream) -> None:
    """Every byte the guest ever wrote was seen, as it was, or told as lost."""
    assert len(stream.data) + stream.lost == output_next(rpc, vm) - stream.start
    position, rest = stream.start, bytes(stream.data)
    for at, count in [*stream.gaps, (stream.position, 0)]:
        assert rest[: at - position] == stream_bytes(position, at - position), f"before byte {at}"
        rest = rest[at - position :]
        position = at + count
    assert rest == b""


def test_losses_add_up_for_who_comes_late(rpc: Connection) -> None:
    vm = start_ended(rpc, stream_of(60001), ring=RING)
    stream = rpc.attach(vm).read_to_end()
    assert stream.gaps == [(0, 60001 - len(stream.data))] and 0 < len(stream.data) <= RING
    assert_adds_up(rpc, vm, stream)


def test_losses_add_up_for_who_reads_along(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=RING)
    with daemon.connect() as own:
        stream = own.attach(vm)
        stream.read_until(lambda: len(stream.data) > 200_000, seconds=30)
        rpc.stop(vm)
        stream.read_to_end()
        assert_adds_up(rpc, vm, stream)


def test_losses_add_up_for_who_does_not_read(daemon: Daemon, rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=RING)
    with daemon.connect() as idle:
        stream = idle.attach(vm)
        with daemon.connect() as busy:
            other = busy.attach(vm)
            other.read_until(lambda: other.position > UNREAD, seconds=40)
        rpc.stop(vm)
        stream.read_to_end()
        assert stream.lost > 0
        assert_adds_up(rpc, vm, stream)


def test_stopped_reader_slows_nobody_and_learns_what_it_lost(
    daemon: Daemon, rpc: Connection, vmmctl: Client, folder: Path
) -> None:
    vm = rpc.start(STREAM_ENDLESS, ring=RING)
    seen = folder / "seen"
    with seen.open("wb") as file, vmmctl.popen("attach", "--json", vm, stdout=file) as reader:
        eventually(lambda: seen.stat().st_size > 0, "the reader's first line")
        reader.send_signal(signal.SIGSTOP)
        with daemon.connect() as own:
            stream = own.attach(vm, **{"from": "end"})
            start = stream.start
            stream.read_until(lambda: stream.position > start + UNREAD, seconds=40)
        rpc.stop(vm)
        reader.send_signal(signal.SIGCONT)
        reader.communicate(timeout=60)

    lines = [json.loads(line) for line in seen.read_text(encoding="ascii").splitlines()]
    assert lines[-1]["exit"]["reason"] == "stopped", lines[-1]
    position, lost = 0, 0
    for line in lines[:-1]:
        position += line.get("lost", 0)
        lost += line.get("lost", 0)
        assert line["offset"] == position
        data = base64.b64decode(line["data"])
        assert data == stream_bytes(position, len(data)), f"at byte {position}"
        position += len(data)
    assert lost > 0 and position == output_next(rpc, vm) == lines[-1]["offset"]


def test_reader_with_room_loses_nothing(rpc: Connection) -> None:
    """The ring of default size holds it all, however late the reader."""
    vm = start_ended(rpc, stream_of(65536))
    assert rpc.output(vm) == stream_bytes(0, 65536)


# Rings.


@pytest.mark.parametrize("asked, given", [(4096, 4096), (4097, 8192), (65536, 65536)])
def test_ring_is_rounded_up_to_a_power_of_two(rpc: Connection, asked: int, given: int) -> None:
    vm = start_ended(rpc, stream_of(20000), ring=asked)
    output = rpc.get(vm)["output"]
    assert output["capacity"] == given
    assert output["next"] == 20000 and output["next"] - output["first"] == min(given, 20000)


def test_ring_over_the_limit_is_refused(start_daemon) -> None:
    with start_daemon("--ring", "64K", "--max-ring", "64K").connect() as rpc:
        params = {"image": as_data(SPIN), "ring": 65537}
        error = rpc.refused("vm.start", params)
        assert error["data"]["name"] == "limit-reached" and "max-ring" in error["message"]


def test_ring_under_the_minimum_is_refused(rpc: Connection) -> None:
    params = {"image": as_data(SPIN), "ring": 4095}
    error = rpc.refused("vm.start", params)
    assert error["data"] == wrong_parameter("ring", 4095)


# Ending a stream.


def test_detached_stream_is_silent(rpc: Connection) -> None:
    vm = rpc.start(STREAM_ENDLESS)
    stream = rpc.attach(vm)
    stream.read_until(lambda: len(stream.data) > 0)
    assert rpc.call("vm.detach", {"subscription": stream.subscription}) == {}
    rpc.stop(vm)
    other = rpc.attach(vm, **{"from": "end"}).read_to_end()
    assert other.exit["reason"] == "stopped"
    # what was on its way before the answer is all there may be; the other stream's end comes after
    late = [m for m in rpc.kept() if m["params"]["subscription"] == stream.subscription]
    assert all(message["method"] == "vm.output" for message in late)


def test_subscriptions_end_once_and_only_on_their_connection(
    daemon: Daemon, rpc: Connection
) -> None:
    vm = rpc.start(SPIN)
    stream = rpc.attach(vm)
    params = {"subscription": stream.subscription}
    with daemon.connect() as other:
        assert other.refused("vm.detach", params)["data"]["name"] == "subscription-not-found"
    assert rpc.refused("events.unsubscribe", params)["data"]["name"] == "subscription-not-found"
    rpc.call("vm.detach", params)
    error = rpc.refused("vm.detach", params)
    assert error["data"]["name"] == "subscription-not-found"


def test_stream_that_ended_is_no_subscription_any_more(rpc: Connection) -> None:
    stream = rpc.attach(rpc.start(print_text(b"x"))).read_to_end()
    rpc.ping()
    error = rpc.refused("vm.detach", {"subscription": stream.subscription})
    assert error["data"]["name"] == "subscription-not-found"
    assert rpc.call("daemon.info")["counts"]["subscriptions"] == 0


def test_reader_is_told_of_a_removal_it_raced_with(rpc: Connection) -> None:
    """All output and the end come, though the VM is forgotten in the middle of it."""
    vm = start_ended(rpc, stream_of(65536))
    number = rpc.request("vm.attach", {"vm": vm})
    rpc.request("vm.remove", {"vm": vm})
    assert "result" in rpc.answer(number)
    size = 0
    while size < 65536:
        size += len(base64.b64decode(rpc.notification("vm.output")["data"]))
    assert rpc.notification("vm.exited")["offset"] == 65536


def test_more_subscriptions_than_allowed_are_refused(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    for _ in range(256):
        rpc.call("vm.attach", {"vm": vm})
    assert rpc.refused("vm.attach", {"vm": vm})["data"]["name"] == "limit-reached"
