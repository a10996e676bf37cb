"""Events: changes of state, told to whoever subscribed."""
import select
from typing import Any

from harness.daemon import Daemon
from harness.images import HALT, JUMP_OUT_OF_MEMORY, SPIN
from harness.rpc import Closed, Connection, as_data
from harness.waiting import Deadline, eventually


def states(rpc: Connection, vm: int) -> list[str]:
    """The states a VM goes through, up to its last, as events tell."""
    seen = []
    while not seen or seen[-1] not in ("exited", "failed", "lost"):

        def is_of_vm(message: Any) -> bool:
            return message.get("method") == "vm.state" and message["params"]["vm"] == vm

        params = rpc.take(is_of_vm, Deadline())["params"]
        seen.append(params["state"])
        assert ("exit" in params) == (params["state"] in ("exited", "failed", "lost")), params
    return seen


def test_life_of_a_stopped_vm_is_told_in_order(rpc: Connection) -> None:
    rpc.call("events.subscribe")
    vm = rpc.start(SPIN, name="lab")
    rpc.stop(vm)
    assert states(rpc, vm) == ["starting", "running", "stopping", "exited"]


def test_events_name_the_vm_and_tell_its_end(daemon: Daemon, rpc: Connection) -> None:
    with daemon.connect() as watcher:
        subscribed = watcher.call("events.subscribe")
        vm = rpc.start(SPIN, name="lab")
        rpc.stop(vm)
        event: dict = {}
        while event.get("state") != "exited":
            event = watcher.notification("vm.state")
            assert (event["vm"], event["name"]) == (vm, "lab")
            assert event["subscription"] == subscribed["subscription"]
        assert event["exit"] == rpc.get(vm)["exit"]


def test_life_of_a_vm_that_ends_by_itself_is_told(rpc: Connection) -> None:
    rpc.call("events.subscribe")
    assert states(rpc, rpc.start(HALT)) == ["starting", "running", "exited"]
    vm = rpc.start(JUMP_OUT_OF_MEMORY, memory=65536)
    assert states(rpc, vm) == ["starting", "running", "failed"]


def test_life_of_a_vm_that_never_ran_is_told(rpc: Connection) -> None:
    rpc.call("events.subscribe")
    error = rpc.refused("vm.start", {"image": {"data": ""}})
    assert states(rpc, error["data"]["vm"]) == ["starting", "failed"]


def test_event_of_an_end_comes_after_the_vm_is_known_to_have_ended(
    daemon: Daemon, rpc: Connection
) -> None:
    """Who acts on an event finds things as the event says."""
    with daemon.connect() as watcher:
        watcher.call("events.subscribe")
        for _ in range(20):
            vm = rpc.start(HALT)
            while watcher.notification("vm.state")["state"] != "exited":
                pass
            assert rpc.get(vm)["state"] == "exited"
            assert rpc.call("vm.remove", {"vm": vm}) == {}


def test_events_of_one_vm_are_of_that_one_only(rpc: Connection) -> None:
    one, other = rpc.start(SPIN), rpc.start(SPIN)
    rpc.call("events.subscribe", {"vm": one})
    rpc.stop(other)
    rpc.stop(one)
    rpc.ping()
    events = [message["params"] for message in rpc.kept() if "method" in message]
    assert [(event["vm"], event["state"]) for event in events] == [
        (one, "stopping"),
        (one, "exited"),
    ]


def test_unsubscribed_is_silent(rpc: Connection) -> None:
    subscription = rpc.call("events.subscribe")
    rpc.stop(rpc.start(SPIN))
    assert rpc.call("events.unsubscribe", subscription) == {}
    before = len(rpc.kept())
    rpc.stop(rpc.start(SPIN))
    rpc.ping()
    assert len(rpc.kept()) == before
    error = rpc.refused("events.unsubscribe", subscription)
    assert error["data"]["name"] == "subscription-not-found"
    assert rpc.call("daemon.info")["counts"]["subscriptions"] == 0


def test_every_subscriber_sees_every_event(daemon: Daemon, rpc: Connection) -> None:
    watchers = [daemon.connect() for _ in range(5)]
    for watcher in watchers:
        watcher.call("events.subscribe")
    vms = [rpc.start(HALT) for _ in range(10)]
    for watcher in watchers:
        for vm in vms:
            assert states(watcher, vm) == ["starting", "running", "exited"]
        watcher.close()


def test_subscriber_that_does_not_read_is_cut_off_and_holds_nobody_up(
    daemon: Daemon, rpc: Connection
) -> None:
    """It hears of everything up to there, and that there is more to know by being cut off."""
    with daemon.connect() as idle:
        for _ in range(256):
            idle.call("events.subscribe")
        image = as_data(HALT)
        for _ in range(200):
            if "does not read its events" in daemon.log_text():
                break
            rpc.wait(rpc.call("vm.start", {"image": image})["id"])
        eventually(lambda: "does not read its events" in daemon.log_text(), "a line in the log")
        seen = 0
        try:
            while True:
                assert idle.receive()["method"] == "vm.state"
                seen += 1
        except (Closed, AssertionError) as end:  # cut off, maybe inside a line
            assert isinstance(end, Closed) or "inside a line" in str(end), end
        assert seen > 1000
    eventually(lambda: rpc.call("daemon.info")["counts"]["subscriptions"] == 0, "no subscriber")


def test_subscriber_is_not_cut_off_for_a_large_answer_that_it_has_yet_to_read(
    daemon: Daemon, rpc: Connection
) -> None:
    with daemon.connect() as busy:
        busy.call("events.subscribe")
        busy.send([{"jsonrpc": "2.0", "id": n, "method": "rpc.discover"} for n in range(100)])
        assert select.select([busy.socket], [], [], Deadline().left)[0], "the answer: 2 MB"
        vm = rpc.start(SPIN)
        rpc.stop(vm)
        assert len(busy.receive()) == 100
        assert states(busy, vm) == ["starting", "running", "stopping", "exited"]
