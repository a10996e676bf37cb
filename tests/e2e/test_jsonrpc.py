"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification), its own examples first."""
import json
from typing import Any

import pytest

from harness import schema
from harness.daemon import Daemon
from harness.images import HALT, MODE, OTHER_LOAD, SPIN, TRIPLE_FAULT
from harness.rpc import Connection, as_data, wrong_parameter
from harness.settings import BOUNDED
from harness.waiting import Deadline

LINE_MAX = 1024 * 1024
DEPTH_MAX = 16
VALUES_MAX = 16384
BATCH_MAX = 128


def error_name(message: Any) -> str:
    """The name of the error a message is; its code must go with it."""
    assert message["jsonrpc"] == "2.0" and "result" not in message, message
    schema.check_error(message["error"])
    return message["error"]["data"]["name"]


def exchange(rpc: Connection, text: str | bytes) -> Any:
    """What a line is answered with."""
    rpc.send_bytes(text.encode() if isinstance(text, str) else text)
    rpc.send_bytes(b"\n")
    return rpc.receive()


def expect_silence(rpc: Connection) -> None:
    """Nothing was answered to what was sent so far: the next answer is the one to this."""
    number = rpc.request("daemon.info")
    assert rpc.receive()["id"] == number


# Section 7. `subtract`, `sum` and the like are methods of ours.


def test_call_with_positional_parameters(rpc: Connection) -> None:
    answer = exchange(rpc, '{"jsonrpc": "2.0", "method": "vm.list", "params": [true], "id": 1}')
    assert answer == {"jsonrpc": "2.0", "result": [], "id": 1}
    answer = exchange(rpc, '{"jsonrpc": "2.0", "method": "vm.list", "params": [false], "id": 2}')
    assert answer == {"jsonrpc": "2.0", "result": [], "id": 2}


def test_call_with_named_parameters(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    by_name = '{"jsonrpc":"2.0","method":"vm.output","params":{"vm":%d,"from":0,"max":1},"id":3}'
    swapped = '{"jsonrpc":"2.0","method":"vm.output","params":{"max":1,"from":0,"vm":%d},"id":3}'
    assert exchange(rpc, by_name % vm)["result"] == exchange(rpc, swapped % vm)["result"]


def test_notification_is_not_answered(rpc: Connection) -> None:
    rpc.send({"jsonrpc": "2.0", "method": "update", "params": [1, 2, 3, 4, 5]})
    rpc.send({"jsonrpc": "2.0", "method": "foobar"})
    rpc.send({"jsonrpc": "2.0", "method": "vm.list"})
    rpc.send({"jsonrpc": "2.0", "method": "vm.get", "params": {"wrong": 1}})
    expect_silence(rpc)


def test_notification_takes_effect(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.send({"jsonrpc": "2.0", "method": "vm.stop", "params": [vm]})
    assert rpc.wait(vm)["exit"]["reason"] == "stopped"


def test_call_of_a_method_that_does_not_exist(rpc: Connection) -> None:
    answer = exchange(rpc, '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}')
    assert (error_name(answer), answer["id"]) == ("method-not-found", "1")
    assert "'foobar'" in answer["error"]["message"]


def test_call_with_invalid_json(rpc: Connection) -> None:
    answer = exchange(rpc, '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    assert (error_name(answer), answer["id"]) == ("parse-error", None)


def test_call_with_invalid_request_object(rpc: Connection) -> None:
    answer = exchange(rpc, '{"jsonrpc": "2.0", "method": 1, "params": "bar"}')
    assert (error_name(answer), answer["id"]) == ("invalid-request", None)


def test_batch_with_invalid_json(rpc: Connection) -> None:
    text = '[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
    answer = exchange(rpc, text + ' {"jsonrpc": "2.0", "method"]')
    assert (error_name(answer), answer["id"]) == ("parse-error", None)


def test_call_with_an_empty_array(rpc: Connection) -> None:
    answer = exchange(rpc, "[]")
    assert (error_name(answer), answer["id"]) == ("invalid-request", None)


def test_batch_that_is_invalid_but_not_empty(rpc: Connection) -> None:
    (answer,) = exchange(rpc, "[1]")
    assert (error_name(answer), answer["id"]) == ("invalid-request", None)


def test_batch_of_nothing_valid(rpc: Connection) -> None:
    answers = exchange(rpc, "[1,2,3]")
    assert [(error_name(answer), answer["id"]) for answer in answers] == [
        ("invalid-request", None)
    ] * 3


def test_batch_of_everything(rpc: Connection) -> None:
    batch = [
        {"jsonrpc": "2.0", "method": "vm.list", "params": [True], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "vm.list", "params": {"all": False}, "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "daemon.info", "id": "9"},
    ]
    answers = {answer["id"]: answer for answer in exchange(rpc, json.dumps(batch))}
    assert answers.keys() == {"1", "2", None, "5", "9"}
    assert answers["1"]["result"] == answers["2"]["result"] == []
    assert error_name(answers[None]) == "invalid-request"
    assert error_name(answers["5"]) == "method-not-found"
    assert answers["9"]["result"]["protocol"] == 1


def test_batch_of_notifications_is_not_answered(rpc: Connection) -> None:
    rpc.send([{"jsonrpc": "2.0", "method": "notify_sum", "params": [1, 2, 4]}])
    rpc.send([{"jsonrpc": "2.0", "method": "vm.list"}, {"jsonrpc": "2.0", "method": "nothing"}])
    expect_silence(rpc)


# Ids.


@pytest.mark.parametrize(
    "text", ["1", "0", "-7", '"a"', '""', "null", "1.5", "9007199254740993", "18446744073709551615"]
)
def test_id_comes_back_as_it_was(rpc: Connection, text: str) -> None:
    rpc.send_bytes(b'{"jsonrpc":"2.0","method":"vm.list","id":%s}\n' % text.encode())
    assert rpc.read_line(Deadline()).endswith(b'"id":%s}' % text.encode())


@pytest.mark.parametrize("text", ["true", "[1]", '{"a":1}'])
def test_id_of_a_wrong_type_is_an_invalid_request(rpc: Connection, text: str) -> None:
    answer = exchange(rpc, '{"jsonrpc":"2.0","method":"vm.list","id":%s}' % text)
    assert (error_name(answer), answer["id"]) == ("invalid-request", None)


def test_id_of_an_invalid_request_comes_back_where_it_can_be_read(rpc: Connection) -> None:
    answer = exchange(rpc, '{"jsonrpc":"1.0","method":"vm.list","id":42}')
    assert (error_name(answer), answer["id"]) == ("invalid-request", 42)


def test_same_id_twice_is_answered_twice(rpc: Connection) -> None:
    line = '{"jsonrpc":"2.0","method":"vm.list","id":1}'
    rpc.send_bytes(f"{line}\n{line}\n".encode())
    assert rpc.receive() == rpc.receive()


# Requests that are none.


@pytest.mark.parametrize(
    "text",
    ["1", '"text"', "null", "true", "{}", '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":1}']
    + ['{"method":"vm.list","id":1}', '{"jsonrpc":2.0,"method":"vm.list","id":1}']
    + ['{"jsonrpc":"2.0","method":"vm.list","params":1,"id":1}']
    + ['{"jsonrpc":"2.0","method":"vm.list","params":null,"id":1}']
    + ['{"jsonrpc":"2.0","method":"vm.list","params":"all","id":1}', "[[]]", "[null]"],
)
def test_json_that_is_no_request_is_invalid(rpc: Connection, text: str) -> None:
    answer = exchange(rpc, text)
    answer = answer[0] if isinstance(answer, list) else answer
    assert error_name(answer) == "invalid-request"


@pytest.mark.parametrize(
    "line",
    [b"{", b"}", b"{'a':1}", b"[1,]", b'{"a":1}x', b"nul", b"NaN", b"01", b"1.", b'"\t"', b"\x00"]
    + [b'{"a":"\xff"}', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}", b"// no", b"\xfe\xff"]
    + [b"18446744073709551616", b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), b"[" * 500_000],
    ids=lambda line: repr(line[:16])[2:-1],
)
def test_lines_that_are_not_json_cost_nobody_else_anything(
    daemon: Daemon, rpc: Connection, line: bytes
) -> None:
    with daemon.connect() as other:
        vm = other.start(SPIN)
        answer = exchange(rpc, line)
        assert (error_name(answer), answer["id"]) == ("parse-error", None)
        assert "byte" in answer["error"]["message"]
        rpc.ping()  # this connection goes on, too
        assert other.get(vm)["state"] == "running"


def test_nesting_up_to_the_limit_is_read(rpc: Connection) -> None:
    inner = "[" * (DEPTH_MAX - 2) + "]" * (DEPTH_MAX - 2)
    answer = exchange(rpc, f'{{"jsonrpc":"2.0","method":"vm.get","params":[{inner}],"id":1}}')
    assert error_name(answer) == "invalid-params"


def test_empty_lines_and_space_around_json_are_nothing(rpc: Connection) -> None:
    rpc.send_bytes(b"\n\n\n")
    expect_silence(rpc)
    answer = exchange(rpc, ' \t{ "jsonrpc" : "2.0" , "method" : "vm.list" , "id" : 1 } \r')
    assert answer["result"] == []


# Lines that are long.


def padded(size: int) -> bytes:
    """A request of size bytes, LF not counted."""
    text = b'{"jsonrpc":"2.0","method":"vm.list","id":1}'
    return text + b" " * (size - len(text))


def test_line_may_be_as_long_as_the_limit(rpc: Connection) -> None:
    assert exchange(rpc, padded(LINE_MAX))["result"] == []


@pytest.mark.parametrize("size", [LINE_MAX + 1, 3 * LINE_MAX])
def test_line_over_the_limit_is_refused_once(rpc: Connection, size: int) -> None:
    answer = exchange(rpc, padded(size))
    assert (error_name(answer), answer["id"]) == ("parse-error", None)
    assert str(LINE_MAX) in answer["error"]["message"]
    expect_silence(rpc)


def test_line_without_end_is_refused_before_it_ends(daemon: Daemon, rpc: Connection) -> None:
    before = daemon.resident_bytes()
    for _ in range(32):
        rpc.send_bytes(b"x" * LINE_MAX)
    assert error_name(rpc.receive()) == "parse-error"
    assert daemon.resident_bytes() - before < BOUNDED
    rpc.send_bytes(b"\n")
    expect_silence(rpc)


@pytest.mark.parametrize("value", [b"{}", b"[]", b'{"a":0}', b"[0]", b"0", b'""', b"1.5"])
def test_line_of_many_values_costs_bounded_memory(
    daemon: Daemon, rpc: Connection, value: bytes
) -> None:
    for count in (1000, VALUES_MAX // 2 - 1, LINE_MAX // (len(value) + 1) - 1):
        before = daemon.peak_resident_bytes()
        answer = exchange(rpc, b"[" + b",".join([value] * count) + b"]")
        assert error_name(answer) == ("invalid-request" if count < VALUES_MAX else "parse-error")
        assert daemon.peak_resident_bytes() - before < BOUNDED


def test_truncated_line_at_the_end_of_the_stream_is_no_json(rpc: Connection) -> None:
    rpc.send_bytes(b'{"jsonrpc":"2.0","method":"vm.li')
    rpc.half_close()
    assert error_name(rpc.receive()) == "parse-error"
    rpc.expect_end()


def test_last_line_may_lack_its_end(rpc: Connection) -> None:
    rpc.send_bytes(b'{"jsonrpc":"2.0","method":"vm.list","id":1}')
    rpc.half_close()
    assert rpc.receive()["result"] == []
    rpc.expect_end()


# How bytes arrive.


def test_request_may_be_cut_at_every_byte(rpc: Connection) -> None:
    line = '{"jsonrpc":"2.0","method":"vm.list","params":{"all":true},"id":"ü😀"}\n'.encode()
    for byte in line:
        rpc.send_bytes(bytes([byte]))
    assert rpc.receive() == {"jsonrpc": "2.0", "result": [], "id": "ü😀"}
    for cut in range(1, len(line)):
        rpc.send_bytes(line[:cut])
        rpc.send_bytes(line[cut:])
        assert rpc.receive()["result"] == []


def test_many_requests_in_one_write_are_all_answered(rpc: Connection) -> None:
    line = '{"jsonrpc":"2.0","method":"vm.list","id":%d}\n'
    rpc.send_bytes("".join(line % number for number in range(2000)).encode())
    assert sorted(rpc.receive()["id"] for _ in range(2000)) == list(range(2000))


# Batches.


def test_batch_waits_for_its_slowest_answer_and_others_do_not(rpc: Connection) -> None:
    vm = rpc.start(SPIN)
    rpc.send(
        [
            {"jsonrpc": "2.0", "id": "wait", "method": "vm.wait", "params": {"vm": vm}},
            {"jsonrpc": "2.0", "id": "list", "method": "vm.list"},
        ]
    )
    expect_silence(rpc)
    rpc.send({"jsonrpc": "2.0", "method": "vm.stop", "params": {"vm": vm}})
    answers = {answer["id"]: answer["result"] for answer in rpc.receive()}
    assert answers["wait"]["state"] == "exited" and answers["list"][0]["state"] == "running"


@pytest.mark.parametrize("count", [BATCH_MAX, BATCH_MAX + 1])
def test_batch_has_a_limit(rpc: Connection, count: int) -> None:
    batch = [{"jsonrpc": "2.0", "id": i, "method": "vm.list"} for i in range(count)]
    answers = exchange(rpc, json.dumps(batch))
    if count <= BATCH_MAX:
        assert sorted(answer["id"] for answer in answers) == list(range(count))
    else:
        assert (error_name(answers), answers["id"]) == ("invalid-request", None)
        assert str(BATCH_MAX) in answers["error"]["message"]


def test_batch_whose_answers_are_too_large_says_so(rpc: Connection) -> None:
    """Registers and all, 250 records have more than 128 KiB: 128 such lists are over 16 MiB."""
    for _ in range(250):
        rpc.wait(rpc.start(TRIPLE_FAULT))
    assert len(json.dumps(rpc.call("vm.list", [True]))) > 128 * 1024
    batch = [
        {"jsonrpc": "2.0", "id": i, "method": "vm.list", "params": [True]} for i in range(BATCH_MAX)
    ]
    answers = exchange(rpc, json.dumps(batch))
    assert sorted(answer["id"] for answer in answers) == list(range(BATCH_MAX))
    refused = [answer for answer in answers if "error" in answer]
    assert 0 < len(refused) < BATCH_MAX
    assert {error_name(answer) for answer in refused} == {"answer-too-large"}


# Parameters.


def test_parameter_that_does_not_exist_is_named(rpc: Connection) -> None:
    error = rpc.refused("vm.list", {"everything": 5})
    assert error["data"] == wrong_parameter("everything", 5)
    assert "'everything'" in error["message"]


def test_parameter_that_is_missing_is_named(rpc: Connection) -> None:
    for params in (None, {}, []):
        error = rpc.refused("vm.get", params)
        assert error["data"] == {"name": "invalid-params", "parameter": "vm"}


@pytest.mark.parametrize("value", [1, "yes", [True], {}])
def test_parameter_of_a_wrong_type_is_named(rpc: Connection, value: object) -> None:
    for params in ({"all": value}, [value]):
        error = rpc.refused("vm.list", params)
        assert error["data"] == wrong_parameter("all", value)
        assert "'all'" in error["message"] and json.dumps(value) in error["message"]


def test_more_positional_parameters_than_there_are_is_refused(rpc: Connection) -> None:
    assert rpc.refused("vm.list", [True, True])["data"]["name"] == "invalid-params"
    assert rpc.refused("daemon.info", [1])["data"]["name"] == "invalid-params"


def test_positional_parameters_go_in_the_order_of_the_description(rpc: Connection) -> None:
    params = [as_data(HALT), "lab", "flat", MODE, OTHER_LOAD, 131072, 0, 4096, False]
    vm = rpc.call("vm.start", params)["id"]
    record = rpc.wait(vm)
    assert (record["name"], record["memory"]) == ("lab", 131072)
    chunk = rpc.call("vm.output", [vm, 0, 10, "utf-8"])
    assert chunk == {"offset": 0, "data": "", "next": 0, "end": True}


@pytest.mark.parametrize("parameter, value", [("format", "coff"), ("mode", "virtual"), ("coalesce", 1)])
def test_words_that_are_not_known_are_refused(
    rpc: Connection, parameter: str, value: object
) -> None:
    error = rpc.refused("vm.start", {"image": as_data(HALT), parameter: value})
    assert error["data"] == wrong_parameter(parameter, value)


def test_every_described_method_is_there_and_no_other(rpc: Connection) -> None:
    for method in schema.METHODS:
        error = rpc.refused(method, {"no such parameter": None})
        assert error["data"]["name"] == "invalid-params", (method, error)
    for method in ("", "vm", "vm.", "VM.LIST", "vm.list ", "rpc.", "vm.list\0", "x" * 100_000):
        name = rpc.refused(method)["data"]["name"]
        assert name in ("method-not-found", "invalid-request"), (method, name)


def test_hostile_text_in_errors_stays_one_line_of_json(rpc: Connection) -> None:
    for text in ("\n", '"', "\\", "\x1b[31m", "\u2028", "😀" * 100, "%s%n", "a" * 500_000):
        assert rpc.refused("vm.get", {"vm": text})["data"]["name"] == "vm-not-found"
        assert rpc.refused("vm.get", {text: 1})["data"]["parameter"] == text
