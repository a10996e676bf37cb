#!/usr/bin/python3
"""Keeps TAP on standard input as `meson test` keeps a test's result: record.py DIRECTORY NAME STATUS.

DIRECTORY is then one of those that .ci/count-tests counts.
"""
import json
import re
import sys
from pathlib import Path

logs, name, status = Path(sys.argv[1], "meson-logs"), sys.argv[2], int(sys.argv[3])
tap = sys.stdin.read()
plan = re.search(r"(?m)^1\.\.(\d+)$", tap)
ran = len(re.findall(r"(?m)^(?:not )?ok\b", tap))
well = status == 0 and "not ok" not in tap and plan and int(plan[1]) == ran
result = {"name": name, "result": "OK" if well else "FAIL", "returncode": status, "stdout": tap}
logs.mkdir(parents=True, exist_ok=True)
(logs / "testlog.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
