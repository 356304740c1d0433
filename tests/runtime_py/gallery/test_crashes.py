"""A crash, a full disk or an error of the disk leaves the state before a change or the one after it."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from pathlib import Path

import pytest

from runtime_py import errors
from runtime_py.gallery import Gallery
from tests.runtime_py.gallery import kill
from tests.runtime_py.gallery.faces import model, unit


def test_a_thousand_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """In memory where there is such a folder: a killed process leaves the system's cache as it is, so the disk has no part in
    it, and waiting for it would take minutes."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        assert kill.run(Path(folder) / "people", 1000) > 1000


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: SQLite sees a write fail in its midst."""
    path = tmp_path / "people"
    with Gallery(path) as gallery:
        for number in range(20):
            gallery.enrol(f"{number}", unit(number, 4), model())
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), len(before)))
            with Gallery(path) as gallery:
                try:
                    gallery.enrol("too many", unit(1, 2000), model())
                except errors.GalleryWriteError:
                    code = 0 if len(gallery) == 20 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with Gallery(path) as gallery:
        assert len(gallery) == 20 and gallery.check() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_must_not_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "people"
    with Gallery(path) as gallery:
        gallery.enrol("Ann", unit(1), model())
    path.chmod(0o400)
    with Gallery(path) as gallery:
        assert gallery.search(unit(1)[0], model())[0][0].name == "Ann"
        with pytest.raises(errors.GalleryWriteError):
            gallery.enrol("Bob", unit(2), model())
