#!/usr/bin/python3
"""Makes of TAP on standard input the line that `meson test` would log: record.py NAME STATUS."""
import json
import sys

name, status = sys.argv[1], int(sys.argv[2])
tap = sys.stdin.read()
well = status == 0 and "not ok" not in tap
print(json.dumps({"name": name, "result": "OK" if well else "FAIL", "returncode": status, "stdout": tap}))
