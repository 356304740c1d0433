"""Kills a process at a random moment while it writes to a gallery, again and again, and looks at what is left.

    python -m tests.runtime_py.gallery.kill --cycles 100000 --folder /tmp/gallery

What was acknowledged must be there, nobody may be there in part, and the file must pass its own check.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from runtime_py.gallery import Gallery
from tests.runtime_py.gallery.faces import model, unit

TEMPLATES = 3
"""Of each person: one with fewer is half a person."""
_CHECKED_EVERY = 50


def run(path: Path, cycles: int, seed: int = 0) -> int:
    """Runs `cycles` on the gallery at `path`; returns how many changes were acknowledged. AssertionError where one was lost."""
    moments = random.Random(seed)
    people: set[str] = set()
    acknowledged = 0
    for cycle in range(cycles):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _write_until_killed(path, cycle, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            if cycle % 4:  # else the kill may come while the file is made or opened
                pipe.readline()
            time.sleep(moments.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            # A line that was cut off was not acknowledged.
            lines = [line for line in pipe.read().decode().split("\n")[:-1] if line]
        for line in lines:
            (people.add if line[0] == "+" else people.discard)(line[1:])
        acknowledged += len(lines)
        _look(path, cycle, people)
    return acknowledged


def _write_until_killed(path: Path, cycle: int, writer: int) -> None:
    try:
        with Gallery(path) as gallery:
            os.write(writer, b"\n")
            for number in range(10_000):
                name = f"{cycle} {number}"
                person = gallery.enrol(name, unit(number, TEMPLATES), model())
                os.write(writer, f"+{name}\n".encode())
                if number % 3:
                    gallery.delete(person.id)
                    os.write(writer, f"-{name}\n".encode())
    finally:
        os._exit(1)


def _look(path: Path, cycle: int, people: set[str]) -> None:
    if not path.exists():
        assert not people, "the gallery is gone"
        return
    with Gallery(path) as gallery:
        found = {person.name: len(person.templates) for person in gallery.people()}
        assert set(found.values()) <= {TEMPLATES}, f"cycle {cycle}: half a person"
        lost, extra = people - set(found), set(found) - people
        # The last change may have been made and its acknowledgement cut off: one more or one fewer, of this cycle.
        assert len(lost) + len(extra) <= 1, f"cycle {cycle}: {len(lost)} lost, {len(extra)} not acknowledged"
        assert all(name.startswith(f"{cycle} ") for name in lost | extra), f"cycle {cycle}: lost what was acknowledged before"
        people -= lost
        people |= extra
        if cycle % _CHECKED_EVERY == 0:
            assert gallery.check() == []
        if len(found) > 60:
            gallery.delete_all()
            people.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the file system to try")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        count = run(Path(folder) / "people", options.cycles, options.seed)
    print(f"{options.cycles} kills, {count} acknowledged changes, none lost")
    sys.exit(0)
