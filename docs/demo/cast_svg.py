#!/usr/bin/python3
"""Draws recordings of a terminal, each as an SVG that plays it, without a script, and then stands:
cast_svg.py CAST..., asciinema's files of version 2; the SVG goes beside each.

The terminal is a roll of paper: lines are written below each other and the window moves down. So it
knows line ends, backspace, and erasing; a program that draws a whole screen needs another renderer.
Every piece of text appears when it was shown, by an animation in CSS. Where animations are off, or
not known, the picture is the last one.
"""
import json
import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

CHARACTER, LINE = 8.43, 18  # of the font, pixels
MARGIN, TITLE = 14, 34
HOLD = 5  # seconds that the last picture stands before it begins again
TOGETHER = 0.06  # seconds: what appears within these appears at once

TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()].|([\r\n\b])|([^\x00-\x1f\x7f]+)|.", re.S)

STYLE = """\
text{white-space:pre;font:14px/1 "DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d6deeb}
.t{fill:#8295ab;text-anchor:middle}
.p{fill:#ffffff;font-weight:bold}
[class*=a],.s{animation:%gs step-end infinite}
@media (prefers-reduced-motion:reduce){*{animation:none!important}}
"""


@dataclass
class Event:
    at: float  # seconds
    text: str


@dataclass
class Version:
    """A line as it was for a while: pieces, each with the time from which on it is there."""

    pieces: list[tuple[float, str]] = field(default_factory=list)
    until: float | None = None  # for ever

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)


class Roll:
    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._lines = [""]
        self._column = 0
        self.versions: list[list[Version]] = [[]]
        self.scrolls = [(0.0, 0)]  # from when on which line is the window's first

    def show(self, at: float, text: str) -> None:
        first = len(self._lines) - 1
        for match in TOKEN.finditer(text):
            parameter, command, control, words = match.groups()
            if words:
                self._print(words)
            elif control == "\n":
                self._next_line()
            elif control == "\r":
                self._column = 0
            elif control == "\b":
                self._column = max(self._column - 1, 0)
            elif command in ("J", "K") and parameter in ("", "0"):
                self._lines[-1] = self._lines[-1][: self._column]
        for number in range(first, len(self._lines)):
            self._note(at, number)
        top = max(len(self._lines) - self._rows, 0)
        if top != self.scrolls[-1][1]:
            self.scrolls.append((at, top))

    def _next_line(self) -> None:
        self._lines.append("")
        self.versions.append([])

    def _print(self, words: str) -> None:
        for character in words:
            if self._column == self._columns:
                self._next_line()
                self._column = 0
            line = self._lines[-1].ljust(self._column)
            self._lines[-1] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _note(self, at: float, number: int) -> None:
        text, versions = self._lines[number], self.versions[number]
        before = versions[-1].text if versions else ""
        if text == before:
            return
        if versions and text.startswith(before):
            versions[-1].pieces.append((at, text[len(before) :]))
            return
        if versions:
            versions[-1].until = at
        versions.append(Version([(at, text)]))


def _compress(events: list[Event], idle: float) -> list[Event]:
    """Without long waits, and with what is shown in one go as one."""
    events_out: list[Event] = []
    clock = last = 0.0
    for event in events:
        clock += min(event.at - last, idle)
        last = event.at
        if events_out and clock - events_out[-1].at < TOGETHER:
            events_out[-1].text += event.text
        else:
            events_out.append(Event(clock, event.text))
    return events_out


class Animations:
    """Classes of CSS, one for each time at which something appears or goes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._names: dict[tuple[float, float | None], str] = {}
        self.css: list[str] = []

    def percent(self, at: float) -> str:
        return f"{100 * at / self._seconds:.2f}%"

    def name(self, at: float, until: float | None) -> str:
        key = (at, until)
        if key not in self._names:
            name = self._names[key] = f"a{len(self._names)}"
            steps = f"0%{{visibility:hidden}}{self.percent(at)}{{visibility:visible}}"
            if until is not None:
                steps += f"{self.percent(until)}{{visibility:hidden}}"
            self.css.append(f"@keyframes {name}{{{steps}}}.{name}{{animation-name:{name}}}")
        return self._names[key]


def _line(version: Version, y: int, animations: Animations) -> str:
    prompt = re.match(r"(\S+ # |\$ )", version.text)
    pieces = [
        f'<tspan class="{animations.name(at, version.until)}">{escape(text, quote=False)}</tspan>'
        for at, text in version.pieces
    ]
    attributes = ' class="p"' if prompt else ""
    if version.until is not None:
        attributes += ' visibility="hidden"'
    return f'<text y="{y}"{attributes}>{"".join(pieces)}</text>'


def render(events: list[Event], columns: int, rows: int, title: str, idle: float) -> str:
    events = _compress(events, idle)
    seconds = events[-1].at + HOLD
    roll = Roll(columns, rows)
    for event in events:
        roll.show(event.at, event.text)
    rows = min(rows, len(roll.versions))

    animations = Animations(seconds)
    lines = [
        _line(version, number * LINE + LINE - 4, animations)
        for number, versions in enumerate(roll.versions)
        for version in versions
    ]
    scroll = "".join(
        f"{animations.percent(at)}{{transform:translateY({-top * LINE}px)}}"
        for at, top in roll.scrolls
    )
    last = -roll.scrolls[-1][1] * LINE
    width, height = round(columns * CHARACTER), rows * LINE
    style = STYLE % round(seconds, 2) + "\n".join(animations.css)
    style += f"\n@keyframes s{{{scroll}}}.s{{animation-name:s}}"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" role="img" xml:space="preserve" \
width="{width + 2 * MARGIN}" height="{height + TITLE + MARGIN}">
<title>{escape(title)}</title>
<style>
{style}
</style>
<rect width="100%" height="100%" rx="8" fill="#16202c"/>
<text class="t" x="50%" y="22">{escape(title)}</text>
<svg x="{MARGIN}" y="{TITLE}" width="{width}" height="{height}">
<g class="s" transform="translate(0 {last})">
{chr(10).join(lines)}
</g>
</svg>
</svg>
"""


def draw(cast: Path) -> None:
    header, *events = map(json.loads, cast.read_text(encoding="utf-8").splitlines())
    shown = [Event(at, text) for at, _, text in events]
    svg = render(
        shown, header["width"], header["height"], header["title"], header["idle_time_limit"]
    )
    cast.with_suffix(".svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        draw(Path(name))
