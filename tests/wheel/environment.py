"""An environment that holds a wheel of this checkout and the packages that it declares, and nothing else.

Nothing is downloaded: the packages are links to those of the environment that runs the tests. A recorder inside notes
every file of the checkout that is opened or imported there all the same.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "cranpm", "dashboard", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt",
    "data_manifest.yaml",
)  # fmt: skip
NOT_OURS = ("__pycache__", "*.egg-info")

RECORDER = """
import os, sys
ROOT, ELSEWHERE, RECORD = {root!r}, {elsewhere!r}, {record!r}
def note(event, arguments):
    if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
        return
    path = os.path.realpath(os.fsdecode(arguments[0]))
    if path.startswith(ROOT) and not path.startswith(ELSEWHERE):
        with open(RECORD, "a") as file:
            file.write(path + "\\n")
sys.addaudithook(note)
"""
"""Runs as every Python of the environment starts. Modules are opened too, or their compiled files beside them."""


def build_wheel(folder: Path) -> Path:
    """A wheel built from a source distribution, in a copy that an earlier build has left something in.

    The copy keeps the checkout clean; ``build/lib`` is what setuptools would take along again.
    """
    copy, out = folder / "source", folder / "dist"
    copy.mkdir(parents=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns(*NOT_OURS))
        else:
            shutil.copy(ROOT / name, copy / name)
    _backend("build_sdist", copy, out)
    (archive,) = out.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    left = unpacked / "build" / "lib" / "cranpm" / "gone.py"
    left.parent.mkdir(parents=True)
    left.write_text("'''A module of an earlier version.'''\n")
    _backend("build_wheel", unpacked, out)
    (wheel,) = out.glob("*.whl")
    return wheel


def _backend(hook: str, source: Path, out: Path) -> None:
    code = f"from setuptools import build_meta; build_meta.{hook}({str(out)!r})"
    out.mkdir(exist_ok=True)
    _checked([sys.executable, "-c", code], cwd=source, timeout=300)


class Environment:
    """A virtual environment with a wheel, and the folder that its commands run in.

    Parameters
    ----------
    folder : Path
        New folder.
    wheel : Path
        Installed without its requirements; see `add`.
    """

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._folder, self.work = folder, folder / "work"
        self.work.mkdir(parents=True)
        self._record = folder / "opened-in-the-checkout.txt"
        venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
        self.scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / "python"
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        self.packages = Path(_checked([self.python, "-c", where], cwd=folder).stdout.strip())
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            self.python,
            "--disable-pip-version-check",
            "install",
            "-q",
        ]
        _checked([*pip, "--no-deps", "--no-index", wheel], cwd=folder, timeout=300)
        elsewhere = tuple(f"{folder}{os.sep}" for folder in _package_folders())
        recorder = RECORDER.format(root=str(ROOT) + os.sep, elsewhere=elsewhere, record=str(self._record))
        (self.packages / "sitecustomize.py").write_text(recorder)

    @property
    def opened_in_the_checkout(self) -> list[str]:
        """Files of the checkout that any Python of this environment has opened so far."""
        return self._record.read_text().splitlines() if self._record.exists() else []

    def add(self, requirements: Iterable[str]) -> None:
        """Link what these requirements bring, directly and indirectly, in the versions of the running environment."""
        for name in _closure(requirements):
            held = {file.parts[0] for file in importlib.metadata.files(name) or ()}
            for top in held - {"..", "__pycache__"}:
                target = Path(str(importlib.metadata.distribution(name).locate_file(top)))
                if not (self.packages / top).exists():
                    (self.packages / top).symlink_to(target, target_is_directory=target.is_dir())

    def variables(self) -> dict[str, str]:
        """Of a person's shell without anything of this checkout, and caches of its own."""
        ours = ("CRANPM_", "PYTHON", "PYTEST_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = os.pathsep.join([str(self.scripts), os.environ["PATH"]])
        cache = str(self._folder / "cache")
        return kept | {"PATH": path, "PYTHONNOUSERSITE": "1", "CRANPM_HOME": cache, "COLUMNS": "200"}

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """One ``cranpm`` command, outside the checkout."""
        return subprocess.run(
            [self.scripts / "cranpm", *words],
            cwd=self.work, env=self.variables(), capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def ask(self, code: str, **variables: str) -> str:
        """What a piece of Python prints there."""
        command = [self.python, "-c", code]
        return subprocess.run(
            command,
            cwd=self.work,
            env=self.variables() | variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def _package_folders() -> set[Path]:
    """Where the running environment's packages lie; the checkout may hold that environment."""
    found = importlib.metadata.distributions()
    folders = {Path(str(distribution.locate_file(""))).resolve() for distribution in found}
    return {
        folder for folder in folders if not ROOT.is_relative_to(folder)
    }  # the editable install's own lies there


def _closure(requirements: Iterable[str]) -> set[str]:
    """Names of the distributions that pip would install for these requirements."""
    waiting, seen = [Requirement(text) for text in requirements], set()
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        for extra in {"", *wanted.extras} - {extra for held, extra in seen if held == name}:
            seen.add((name, extra))
            below = map(Requirement, importlib.metadata.requires(name) or ())
            waiting += [r for r in below if r.marker is None or r.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def _checked(command: list[object], *, cwd: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=timeout)
    assert result.returncode == 0, result.stdout + result.stderr
    return result
