#!/usr/bin/env python3
"""Holds the includes of daemon/, client/ and protocol/ to docs/architecture.md.

    tests/includes.py ROOT

Its tables say which folder may include which, and who knows which library. Beyond them: an
architecture's headers are for its own folders, and modules do not include each other in a circle.
Speaks TAP. tests/test_includes.py shows what it refuses.
"""
import re
import sys
from collections import defaultdict
from pathlib import Path

DOCUMENT = "docs/architecture.md"
CHECKED = ["daemon", "client", "protocol"]
ARCHITECTURES = ["riscv64", "x86"]

# Circles of modules that there are, each as its modules. One that is mended, or has become smaller,
# is to be taken out here, or made as small: the test fails until it is.
KNOWN_CIRCLES = [
    # One module in three files: a machine runs its vCPUs, which handle their exits by the machine.
    {"daemon/kvm/exits", "daemon/kvm/machine", "daemon/kvm/vcpu"},
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


def read_table(text, *columns):
    """The rows of the one table with these columns in its head: each a list of their cells."""
    found = []
    where = None
    for line in text.splitlines():
        if not line.startswith("|"):
            where = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if where is None:
            where = [cells.index(name) for name in columns] if set(columns) <= set(cells) else []
            if where:
                found.append([])
        elif where and not set(line) <= set("|-: "):
            found[-1].append([cells[at] for at in where])
    if len(found) != 1:
        raise ValueError(f"{DOCUMENT} has {len(found)} tables with the columns {columns}, not one")
    return found[0]


def module_of(path):
    """A header and its source are one: their path without its end. So is the header that a module
    of several sources has for them alone: registry_private.h is the registry's."""
    return path.rsplit(".", 1)[0].removesuffix("_private")


def is_in(path, place):
    """A place is a folder, "daemon/rpc/", or a module, "daemon/main"."""
    return path.startswith(place) if place.endswith("/") else module_of(path) == place


class Rules:
    """What the document says, by places."""

    def __init__(self, text):
        rows = read_table(text, "folder", "may include")
        libraries = read_table(text, "library", "known by")

        self.rows = {
            self.place(name): number
            for number, (what, _) in enumerate(rows)
            for name in CODE.findall(what)
        }
        self.may_include = [self.list(cell) for _, cell in rows]
        self.known_by = {
            name: self.list(cell) for what, cell in libraries for name in CODE.findall(what)
        }

    @staticmethod
    def place(name):
        return name if name.endswith("/") else module_of(name)

    def list(self, cell):
        """The places in a cell: `rpc`, `protocol`, or a file, `guests/hypercall.h`. None: all."""
        return None if cell == "everything" else [self.find(name) for name in CODE.findall(cell)]

    def find(self, name):
        if name.endswith((".c", ".h")):
            return module_of(name)
        for folder in (f"daemon/{name}/", f"{name}/"):
            if folder in self.rows:
                return folder
        raise ValueError(f"{DOCUMENT}: no row has the folder '{name}'")

    def place_of(self, path):
        """Of the places that a file is in the closest: a module's own, else its folder. Or None."""
        return max((place for place in self.rows if is_in(path, place)), key=len, default=None)

    def allows(self, path, included):
        own = self.rows[self.place_of(path)]
        allowed = self.may_include[own]
        return (
            allowed is None
            or own == self.rows[self.place_of(included)]
            or any(is_in(included, place) for place in allowed)
        )

    def mentioned(self):
        """Every place that there should be."""
        lists = [*self.may_include, *self.known_by.values()]
        return sorted({*self.rows, *(place for places in lists for place in places or [])})


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.rules = Rules((self.root / DOCUMENT).read_text(encoding="utf-8"))
        self.includes = {}  # by file: what it includes, as a path from the root, or None
        self.libraries = defaultdict(list)  # by file
        for folder in CHECKED:
            for path in sorted((self.root / folder).rglob("*.[ch]")):
                self.read(path.relative_to(self.root).as_posix())

    def read(self, path):
        self.includes[path] = {}
        for kind, name in INCLUDE.findall((self.root / path).read_text(encoding="utf-8")):
            if kind == "<":
                self.libraries[path].append(name)
            else:
                self.includes[path][name] = self.resolve(path, name)

    def resolve(self, path, name):
        """As the compiler does, by the folders that meson.build names."""
        for folder in (Path(path).parent, Path(), Path("daemon"), Path("client")):
            if (self.root / folder / name).is_file():
                return (folder / name).as_posix()
        return None

    def edges(self):
        for path, includes in self.includes.items():
            for name, target in includes.items():
                if target:
                    yield path, target


def architecture_of(path):
    return next((part for part in Path(path).parts if part in ARCHITECTURES), None)


def check_files(tree):
    """Every file has a row, and what it includes is there."""
    for path, includes in tree.includes.items():
        if not tree.rules.place_of(path):
            yield f"{path}: {DOCUMENT} has no row for it"
        for name, target in includes.items():
            if not target:
                yield f'{path}: there is no "{name}"'
            elif not tree.rules.place_of(target):
                yield f"{path}: {DOCUMENT} has no row for {target}"


def check_rows(tree):
    """What the document names is there."""
    for place in tree.rules.mentioned():
        if not any((tree.root / (place + end)).exists() for end in ("", ".c", ".h")):
            yield f"{DOCUMENT}: there is no {place}"


def check_folders(tree):
    rules = tree.rules
    for path, target in tree.edges():
        known = rules.place_of(path) and rules.place_of(target)
        if known and not rules.allows(path, target):
            yield f"{path}: {rules.place_of(path)} may not include {target}"


def check_libraries(tree):
    """A library that the table does not name is anybody's."""
    for path, names in tree.libraries.items():
        for name in names:
            for library, places in tree.rules.known_by.items():
                is_its = name.startswith(library) if library.endswith("/") else name == library
                if is_its and not any(is_in(path, place) for place in places):
                    yield f"{path}: <{name}> is not for it"


def check_architectures(tree):
    """What is below x86/ is for x86/ alone; the guest ABI is for whoever speaks it."""
    for path, target in tree.edges():
        of = architecture_of(target)
        if of and not target.startswith("guests/") and architecture_of(path) != of:
            yield f"{path}: {target} is for {of} alone"


def modules_of(tree):
    """By module, a header and its source: the modules that it includes. An arch.h is a seam, which
    belongs to those on its far side, and is left out."""
    graph = defaultdict(set)
    for path, target in tree.edges():
        if "arch.h" not in (Path(path).name, Path(target).name):
            graph[module_of(path)].add(module_of(target))
    return graph


def find_circles(graph):
    """The sets of modules of which each includes, by way of others, each."""

    def reach(start):
        seen, left = set(), [start]
        while left:
            for module in graph.get(left.pop(), ()):
                if module not in seen:
                    seen.add(module)
                    left.append(module)
        return seen

    reached = {module: reach(module) for module in graph}
    circles = []
    for module in sorted(graph):
        if module in reached[module] and not any(module in circle for circle in circles):
            circle = {other for other in reached[module] if module in reached.get(other, ())}
            if circle != {module}:
                circles.append(circle)
    return circles


def check_circles(tree, known):
    circles = find_circles(modules_of(tree))
    for circle in circles:
        if circle not in known:
            yield f"these include each other in a circle: {', '.join(sorted(circle))}"
    for circle in known:
        if circle not in circles:
            yield f"in KNOWN_CIRCLES, but no circle any more: {', '.join(sorted(circle))}"


def run_checks(root, known=None):
    """What is wrong, by the name of the check."""
    tree = Tree(root)
    return {
        "every file has a row, and includes what is there": list(check_files(tree)),
        "what the document names is there": list(check_rows(tree)),
        "folders include what they may": list(check_folders(tree)),
        "libraries are known by whom they should be": list(check_libraries(tree)),
        "an architecture's headers are its own": list(check_architectures(tree)),
        "no module includes another in a circle": list(
            check_circles(tree, KNOWN_CIRCLES if known is None else known)
        ),
    }


def main():
    try:
        results = run_checks(sys.argv[1])
    except ValueError as error:
        print(f"Bail out! {error}")
        return 1
    print(f"1..{len(results)}")
    for number, (name, faults) in enumerate(results.items(), 1):
        print(f"{'not ' if faults else ''}ok {number} - {name}")
        for fault in faults:
            print(f"# {fault}")
    return any(results.values())


if __name__ == "__main__":
    sys.exit(main())
