"""What is left of VMs when their host has been shut down and is up again."""
import json

from harness.images import stream_bytes
from host import BEFORE_REBOOT, GUESTS, output, record, start, workers

BEFORE = json.loads(BEFORE_REBOOT.read_text(encoding="ascii"))


def test_shutdown_of_the_host_ends_vms_with_a_reason_and_loses_no_output() -> None:
    for before in BEFORE:
        after = record("alice", before["id"])
        assert (after["state"], after["exit"]["reason"]) == ("exited", "stopped"), after
        assert "shutting down" in after["exit"]["message"], after
        assert after["created"] == before["created"] and after["ended"] is not None
    assert not any(worker["vms"] for worker in workers())

    text, stream, nothing = BEFORE
    assert output(text["id"]) == b"AB" and output(nothing["id"]) == b""
    printed = output(stream["id"])
    assert len(printed) >= stream["output"]["next"]
    assert printed == stream_bytes(0, record("alice", stream["id"])["output"]["next"])

    assert start("alice", GUESTS / "spin.bin") == max(before["id"] for before in BEFORE) + 1
