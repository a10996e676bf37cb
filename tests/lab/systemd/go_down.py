"""Starts VMs, notes what they were, and reboots the machine; after_reboot.py is what runs then."""
import json
import signal

from host import BEFORE_REBOOT, GUESTS, record, start, start_and_print, start_printing, systemctl

vms = [start_and_print(), start_printing(), start("bob", GUESTS / "spin.bin")]
BEFORE_REBOOT.write_text(json.dumps([record("alice", vm) for vm in vms]), encoding="ascii")
systemctl("reboot")
while True:  # until that ends us
    signal.pause()
