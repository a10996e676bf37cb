"""What the journal has of VMs: fields to look for them by, and priorities."""
from host import GUESTS, journal, run, vmmctl


def test_vms_are_found_by_name_and_by_id(since: float) -> None:
    vmmctl("alice", "run", "--name", "greeter", GUESTS / "hello.bin")
    vmmctl("alice", "run", "--name", "tables", GUESTS / "multiplication.bin")
    (entry,) = journal(since, "VM_NAME=greeter")
    assert (entry["VM_ID"], entry["PRIORITY"]) == ("1", "6")
    assert entry["MESSAGE"] == "VM 'greeter': halted: the guest halted"
    assert entry["_SYSTEMD_UNIT"] == "vmmd.service" and entry["SYSLOG_IDENTIFIER"] == "vmmd"
    (entry,) = journal(since, "VM_ID=2")
    assert entry["VM_NAME"] == "tables"


def test_vm_that_failed_is_a_warning_and_a_guest_that_crashed_is_not(since: float) -> None:
    crash = GUESTS / "triplefault.bin"
    assert run("vmmctl", "run", "--name=falls", crash, user="bob").returncode == 125
    assert run("vmmctl", "run", "--name=fails", "--format=elf", crash, user="bob").returncode == 1
    (fell,) = journal(since, "VM_NAME=falls")
    (failed,) = journal(since, "VM_NAME=fails")
    assert (fell["PRIORITY"], failed["PRIORITY"]) == ("6", "4")
    assert journal(since, "_SYSTEMD_UNIT=vmmd.service", "PRIORITY=4") == [failed]


def test_daemon_complains_of_nothing_while_all_is_well(since: float) -> None:
    vmmctl("alice", "run", GUESTS / "hello.bin")
    entries = journal(since, "_SYSTEMD_UNIT=vmmd.service")
    assert entries and {entry["PRIORITY"] for entry in entries} == {"6"}, entries
    assert not [entry for entry in entries if "VM_ID" in entry and "VM_NAME" not in entry]
