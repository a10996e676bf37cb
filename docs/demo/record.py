#!/usr/bin/python3
"""Records guests running: record.py [NAME...], all of them without a name. Needs a built tree.

Each recording is a real shell, at a terminal that we type at, with the tree's own vmmctl and a vmmd
that serves this recording alone. What is shown, and when, is kept as NAME.cast (asciinema's format,
version 2), and as NAME.svg, which shows it in a browser.
"""
import codecs
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

from cast_svg import Event, draw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

COLUMNS, ROWS = 100, 24
SECONDS_A_KEY = 0.05
SECONDS_TO_READ = 1.2
PATIENCE = 30  # seconds
LAB_PATIENCE = 300  # a lab may have to be built first

PROMPT = r"(^|\n)\$ $"
LAB_PROMPT = r"\n[^\n]* # (\x1b\[6n)?$"
CURSOR_QUESTION = "\x1b[6n"  # of busybox; nobody should answer when a recording is played
CTRL_D = "\x04"
CTRL_BRACKET = "\x1d"


@dataclass
class Step:
    keys: str
    until: str = PROMPT  # what is shown then, a regular expression
    patience: int = PATIENCE


def command(text: str, until: str = PROMPT, patience: int = PATIENCE) -> Step:
    return Step(text + "\n", until, patience)


def in_lab(text: str, until: str = LAB_PROMPT) -> Step:
    return Step(text + "\n", until, LAB_PATIENCE)


@dataclass
class Demo:
    title: str
    steps: list[Step]
    rows: int = ROWS


def run(guest: str, options: str = "", **more: str) -> Step:
    return command(f"vmmctl run {options}{' ' if options else ''}build/guests/{guest}", **more)


DEMOS = {
    "minimal": Demo(
        "minimal: one byte, HLT",
        [
            command("od -A n -t x1 build/guests/minimal.bin"),
            run("minimal.bin"),
            command('echo "exit code $?"'),
            command("vmmctl stats 1"),
        ],
    ),
    "hello": Demo(
        "hello: a text, by the UART", [run("hello.bin"), command("vmmctl stats 1")]
    ),
    "counter": Demo(
        "counter: digits by the UART, each byte an exit",
        [run("counter.bin", "--no-coalesce"), command("vmmctl stats 1")],
    ),
    "hctest": Demo(
        "hctest: the hypercalls of printing", [run("hctest.bin"), command("vmmctl stats 1")]
    ),
    "multiplication": Demo(
        "multiplication: 72 lines by hypercalls, 721 exits",
        [run("multiplication.bin"), command("vmmctl stats 1")],
    ),
    "multiplication-write": Demo(
        "multiplication-write: the same by lines, 73 exits",
        [
            command("vmmctl run build/guests/multiplication-write.bin | tail -n 4"),
            command("vmmctl stats 1"),
        ],
    ),
    "multiplication-ring": Demo(
        "multiplication-ring: the same by memory, 2 exits",
        [
            command("vmmctl run build/guests/multiplication-ring.bin | tail -n 4"),
            command("vmmctl stats 1"),
        ],
    ),
    "exitcode": Demo(
        "exitcode: a code of the guest's own",
        [run("exitcode.bin"), command('echo "exit code $?"')],
    ),
    "getchar": Demo(
        "getchar: input by hypercall",
        [
            command("echo 'a line' | vmmctl run build/guests/getchar.bin"),
            command("vmmctl stats 1"),
        ],
    ),
    "cat": Demo(
        "cat: a guest as a filter",
        [
            command("echo 'what goes in comes out' | vmmctl run build/guests/cat.bin | tr a-z A-Z"),
            command("vmmctl run build/guests/cat.bin <README.md | cmp - README.md && echo same"),
        ],
    ),
    "echo": Demo(
        "echo: typed to",
        [
            run("echo.bin", until=r"detaches\r\n"),
            Step("Is anybody there?\r", r"there\?\r+\n"),
            Step("Ctrl-D ends me.\r", r"me\.\r+\n"),
            Step(CTRL_D),
        ],
    ),
    "cat-irq": Demo(
        "cat-irq: input by the UART's interrupt",
        [
            command("echo 'by interrupt' | vmmctl run --machine pc build/guests/cat-irq.bin"),
            command("vmmctl stats 1"),
        ],
        rows=36,
    ),
    "echo-irq": Demo(
        "echo-irq: typed to, and asleep between keys",
        [
            run("echo-irq.bin", "--machine pc", until=r"detaches\r\n"),
            Step("Are you asleep?\r", r"asleep\?\r+\n"),
            Step(CTRL_D),
            command("vmmctl stats 1 | head -n 5"),
        ],
    ),
    "attach": Demo(
        "start, walk away, come back",
        [
            command("vmmctl start --name talk build/guests/echo.bin"),
            command("vmmctl attach talk", until=r"detaches\r\n"),
            Step("first line\r", r"first line\r+\n"),
            Step(CTRL_BRACKET),
            command("vmmctl list"),
            command("vmmctl attach talk", until=r"first line\r+\n"),
            Step("second line\r", r"second line\r+\n"),
            Step(CTRL_D),
        ],
    ),
    "hello32": Demo(
        "hello32: protected mode, and a timer's interrupts",
        [run("hello32.bin", "--machine pc"), command("vmmctl stats 1")],
    ),
    "hello64": Demo(
        "hello64: C in long mode, with page tables of its own",
        [run("hello64.bin", "--mode long"), command("vmmctl stats 1")],
    ),
    "multiboot": Demo(
        "multiboot: a kernel's command line, memory and module",
        [
            command(
                "vmmctl run --append 'hello=1' --module LICENSE,terms "
                "build/guests/multiboot.elf"
            ),
        ],
    ),
    "pause": Demo(
        "a guest that spins: paused, looked at, resumed, stopped",
        [
            command("vmmctl start --name spin build/guests/spin.bin"),
            command("vmmctl pause spin"),
            command("vmmctl status --registers spin"),
            command("vmmctl resume spin"),
            command("vmmctl list"),
            command("vmmctl stop spin"),
        ],
        rows=44,
    ),
    "hltloop": Demo(
        "hltloop: waits for ever, and makes no exits",
        [
            run("hltloop.bin", "--machine pc --timeout 1s"),
            command('echo "exit code $?"'),
            command("vmmctl list --all"),
        ],
    ),
    "flood": Demo(
        "flood: prints without end, in four ways, for half a second each",
        [
            command(
                "for way in uart putchar write ring; do vmmctl start -n $way --timeout 500ms "
                "build/guests/flood-$way.bin; vmmctl wait $way; done"
            ),
            command("vmmctl list --all"),
        ],
    ),
    "crash": Demo(
        "triplefault: a crash, its registers and instruction",
        [
            run("triplefault.bin"),
            command('echo "exit code $?"'),
            command("vmmctl status 1"),
        ],
        rows=50,
    ),
    "lab-x86": Demo(
        "the x86 lab: real KVM, kvm_amd, under emulation",
        [
            command("./dev lab x86", LAB_PROMPT, LAB_PATIENCE),
            in_lab("dmesg | grep -i -w -e kvm -e SVM"),
            in_lab("vmmctl run multiplication.bin | tail -n 3"),
            in_lab("exit", PROMPT),
        ],
    ),
    "lab-riscv64": Demo(
        "the riscv64 lab: real KVM on the hypervisor extension, under emulation",
        [
            command("./dev lab riscv64", LAB_PROMPT, LAB_PATIENCE),
            in_lab("dmesg | grep -w kvm"),
            in_lab("vmmctl run multiplication.bin | tail -n 3"),
            in_lab("vmmctl stats 1"),
            in_lab("exit", PROMPT),
        ],
        rows=30,
    ),
    "lab-riscv64-guests": Demo(
        "the five first guests on riscv64",
        [
            command("./dev lab riscv64", LAB_PROMPT, LAB_PATIENCE),
            *(
                in_lab(f"vmmctl run --no-coalesce {guest}.bin | tail -n 3")
                for guest in ("minimal", "hello", "counter", "hctest", "multiplication")
            ),
            in_lab("vmmctl list --all"),
            in_lab("exit", PROMPT),
        ],
        rows=40,
    ),
}


@dataclass
class Shell:
    """A shell at a terminal, and all that was shown there."""

    rows: int
    environment: dict[str, str]
    events: list[Event] = field(default_factory=list)

    def __enter__(self) -> "Shell":
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (self.rows, COLUMNS))
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "--noediting"],
            cwd=ROOT,
            env=self.environment,
            preexec_fn=lambda: os.login_tty(slave),
        )
        os.close(slave)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._began = time.monotonic()
        self._shown = ""  # since the step began
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        self._process.wait()

    def _watch(self, seconds: float) -> None:
        """Takes what is shown within some time, until there is some."""
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return
        text = self._decode(os.read(self._master, 65536))
        self._shown += text
        text = text.replace(CURSOR_QUESTION, "")
        if text:
            self.events.append(Event(time.monotonic() - self._began, text))

    def _watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._watch(end - time.monotonic())

    def wait(self, until: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not re.search(until, self._shown):
            if time.monotonic() > end:
                raise TimeoutError(f"{until!r} was not shown; this was: {self._shown!r}")
            self._watch(end - time.monotonic())

    def do(self, step: Step) -> None:
        self._shown = ""
        for key in step.keys:
            os.write(self._master, key.encode())
            if key != step.keys[-1]:
                self._watch_for(SECONDS_A_KEY)
        self.wait(step.until, step.patience)
        self._watch_for(SECONDS_TO_READ)


def environment(folder: str) -> dict[str, str]:
    return {
        "PATH": f"{ROOT}/build/client:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": os.environ.get("HOME", folder),  # the lab keeps its cache there
        "XDG_RUNTIME_DIR": folder,
        "VMMD_SOCKET": f"{folder}/vmmd.sock",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "PS1": "$ ",
        "HISTFILE": "/dev/null",
    }


def record(name: str, demo: Demo) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = environment(folder)
        daemon = subprocess.Popen(
            [ROOT / "build/daemon/vmmd", "--socket", settings["VMMD_SOCKET"]]
            + ["--state-dir", f"{folder}/state", "--log-level", "error"]
        )
        try:
            while not os.path.exists(settings["VMMD_SOCKET"]):
                if daemon.poll() is not None:
                    sys.exit("vmmd did not start: is there a /dev/kvm?")
                time.sleep(0.01)
            with Shell(demo.rows, settings) as shell:
                shell.wait(PROMPT)
                for step in demo.steps:
                    shell.do(step)
        finally:
            daemon.terminate()
            daemon.wait()
    write(name, demo, shell.events)


def write(name: str, demo: Demo, events: list[Event]) -> None:
    header = {"version": 2, "width": COLUMNS, "height": demo.rows, "title": demo.title}
    header["idle_time_limit"] = 3
    path = HERE / f"{name}.cast"
    with path.open("w", encoding="utf-8") as cast:
        for line in [header, *([round(event.at, 3), "o", event.text] for event in events)]:
            print(json.dumps(line, ensure_ascii=False), file=cast)
    draw(path)


def main(names: list[str]) -> None:
    for name in names or DEMOS:
        print(name, flush=True)
        record(name, DEMOS[name])


if __name__ == "__main__":
    main(sys.argv[1:])
