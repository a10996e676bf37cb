#!/usr/bin/env python3
"""What tests/includes.py refuses, on small trees made for it. Speaks TAP."""
import sys
import tempfile
from pathlib import Path

import includes

DOCUMENT = """
| folder | what | may include |
|---|---|---|
| `daemon/main.c` | knows all | everything |
| `daemon/config.c`, `daemon/setting.c` | settings | `high` (about which it says much), `low` |
| `daemon/high/` | above | `low`, `guests/abi.h`, `guests/x86/board.h` |
| `daemon/low/` | below | |
| `client/` | the client | `protocol` |
| `protocol/` | shared | |
| `guests/` | what guests see | |

| library | what | known by |
|---|---|---|
| `json-c/` | JSON | `client`, `daemon/low/json.c` |
| `linux/kvm.h` | KVM | `low` |
"""

TREE = {
    "daemon/main.c": '#include "high/high.h"\n#include "low/low.h"\n#include "config.h"\n',
    "daemon/config.h": "",
    "daemon/config.c": '#include "config.h"\n#include "setting.h"\n#include "high/high.h"\n',
    "daemon/setting.h": '#include "low/low.h"\n',
    "daemon/setting.c": '#include "setting.h"\n',
    "daemon/high/high.h": '#include <stdint.h>\n#include "low/low.h"\n',
    "daemon/high/high.c": '#include "high/high.h"\n#include "guests/abi.h"\n',
    "daemon/high/x86/pc.h": "",
    "daemon/high/x86/pc.c": '#include "high/x86/pc.h"\n#include "guests/x86/board.h"\n',
    "daemon/low/low.h": "",
    "daemon/low/low.c": '#include "low/low.h"\n#include <linux/kvm.h>\n',
    "daemon/low/json.c": "#include <json-c/json.h>\n",
    "client/client.h": "#include <json-c/json.h>\n",
    "client/client.c": '#include "client.h"\n#include "protocol/limits.h"\n',
    "protocol/limits.h": "",
    "guests/abi.h": "",
    "guests/other.h": "",
    "guests/x86/board.h": "",
}

# Two modules that include each other: by way of the sources, so that a compiler minds nothing.
CIRCLE = {
    "daemon/low/a.h": "",
    "daemon/low/a.c": '#include "low/a.h"\n#include "low/b.h"\n',
    "daemon/low/b.h": "",
    "daemon/low/b.c": '#include "low/b.h"\n#include "low/a.h"\n',
}
CIRCLE_OF = {"daemon/low/a", "daemon/low/b"}


def faults_of(changes, document=DOCUMENT, known=()):
    """What is wrong with the tree once those files are added, or have another text."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**TREE, **changes, includes.DOCUMENT: document}.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        checks = includes.run_checks(root, known)
        return [fault for faults in checks.values() for fault in faults]


def error_of(document):
    try:
        faults_of({}, document)
    except ValueError as error:
        return str(error)
    return "none"


# A row each: what the case shows, what is found, what should be.


def cases():
    yield "a tree as the document has it is fine", faults_of({}), []

    yield "a folder may not include what its row does not name", faults_of(
        {"daemon/low/low.c": '#include "protocol/limits.h"\n'}
    ), ["daemon/low/low.c: daemon/low/ may not include protocol/limits.h"]
    yield "a header may not either", faults_of(
        {"protocol/limits.h": '#include "low/low.h"\n'}
    ), ["protocol/limits.h: protocol/ may not include daemon/low/low.h"]
    yield "of a folder of which one file may be included, the others may not", faults_of(
        {"daemon/high/high.c": '#include "guests/other.h"\n'}
    ), ["daemon/high/high.c: daemon/high/ may not include guests/other.h"]
    yield "a file's own row has the say, not that of its folder", faults_of(
        {"daemon/high/apart.c": '#include "low/low.h"\n'},
        DOCUMENT.replace("| `daemon/low/` |", "| `daemon/high/apart.c` | | |\n| `daemon/low/` |"),
    ), ["daemon/high/apart.c: daemon/high/apart may not include daemon/low/low.h"]
    yield "spaces and a directive's indentation hide nothing", faults_of(
        {"daemon/low/low.c": '#if 1\n  #  include   "protocol/limits.h"\n#endif\n'}
    ), ["daemon/low/low.c: daemon/low/ may not include protocol/limits.h"]

    yield "a file without a row is found", faults_of({"daemon/new/new.c": ""}), [
        "daemon/new/new.c: docs/architecture.md has no row for it"
    ]
    yield "so is an include of a file without one", faults_of(
        {"daemon/main.c": '#include "extra/extra.h"\n', "extra/extra.h": ""}
    ), ["daemon/main.c: docs/architecture.md has no row for extra/extra.h"]
    yield "and an include of what is not there", faults_of(
        {"daemon/main.c": '#include "low/gone.h"\n'}
    ), ['daemon/main.c: there is no "low/gone.h"']

    yield "a row of what is not there is found", faults_of(
        {}, DOCUMENT.replace("| `guests/` |", "| `daemon/gone/` | | |\n| `guests/` |")
    ), ["docs/architecture.md: there is no daemon/gone/"]
    yield "so is a file in a cell", faults_of({}, DOCUMENT.replace("low/json.c", "low/jso.c")), [
        "docs/architecture.md: there is no daemon/low/jso",
        "daemon/low/json.c: <json-c/json.h> is not for it",
    ]
    yield "a cell with a folder that has no row is no rule", error_of(
        DOCUMENT.replace("`low` |", "`lowe` |")
    ), "docs/architecture.md: no row has the folder 'lowe'"
    yield "a document without the table is no rule", error_of(
        DOCUMENT.replace("may include", "includes")
    ), "docs/architecture.md has 0 tables with the columns ('folder', 'may include'), not one"

    yield "a library is for those that the table names", faults_of(
        {
            "protocol/limits.h": "#include <json-c/json_object.h>\n",
            "daemon/high/high.c": "#include <linux/kvm.h>\n#include <linux/kvm_para.h>\n",
        }
    ), [
        "daemon/high/high.c: <linux/kvm.h> is not for it",
        "protocol/limits.h: <json-c/json_object.h> is not for it",
    ]

    yield "an architecture's header is for that architecture", faults_of(
        {
            "daemon/high/high.c": '#include "high/x86/pc.h"\n',
            "daemon/high/riscv64/virt.c": '#include "high/x86/pc.h"\n',
        }
    ), [
        "daemon/high/high.c: daemon/high/x86/pc.h is for x86 alone",
        "daemon/high/riscv64/virt.c: daemon/high/x86/pc.h is for x86 alone",
    ]

    yield "modules that include each other are a circle", faults_of(CIRCLE), [
        "these include each other in a circle: daemon/low/a, daemon/low/b"
    ]
    yield "so are modules that do by way of another", faults_of(
        {
            **CIRCLE,
            "daemon/low/b.c": '#include "low/c.h"\n',
            "daemon/low/c.h": '#include "low/a.h"\n',
        }
    ), ["these include each other in a circle: daemon/low/a, daemon/low/b, daemon/low/c"]
    yield "a circle that is known is not told", faults_of(CIRCLE, known=[CIRCLE_OF]), []
    yield "a known circle that is mended has to go", faults_of({}, known=[CIRCLE_OF]), [
        "in KNOWN_CIRCLES, but no circle any more: daemon/low/a, daemon/low/b"
    ]
    yield "a known circle that has become smaller has to become so", faults_of(
        CIRCLE, known=[CIRCLE_OF | {"daemon/low/c"}]
    ), [
        "these include each other in a circle: daemon/low/a, daemon/low/b",
        "in KNOWN_CIRCLES, but no circle any more: daemon/low/a, daemon/low/b, daemon/low/c",
    ]
    yield "an arch.h is a seam", faults_of(
        {
            "daemon/high/arch.h": '#include "high/high.h"\n',
            "daemon/high/high.c": '#include "high/arch.h"\n',
            "daemon/high/x86/pc.c": '#include "high/arch.h"\n',
        }
    ), []


def main():
    failed = False
    results = list(cases())
    print(f"1..{len(results)}")
    for number, (name, found, expected) in enumerate(results, 1):
        print(f"{'ok' if found == expected else 'not ok'} {number} - {name}")
        if found != expected:
            failed = True
            print(f"# found: {found}\n# expected: {expected}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
