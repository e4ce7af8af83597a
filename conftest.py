"""Fixtures that several suites and the examples in docstrings share."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from cranpm.model import CranPM

ROOT = Path(__file__).parent


@pytest.fixture(scope="session")
def load_file() -> Callable[[str], ModuleType]:
    """``load_file("scripts/stress_training.py")``: a file as a module; scripts and test folders are no packages."""
    return _load_file


def _load_file(path: str) -> ModuleType:
    name = "file_" + path.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def scene() -> ModuleType:
    """A small dataset and a checkpoint on disk, for whatever opens them as a user would."""
    return _load_file("tests/dashboard/scene.py")


@pytest.fixture(scope="session")
def draw_network() -> Callable[..., CranPM]:
    """``draw_network(config)``: a network whose weights, head included, are drawn at random.

    It changes the map everywhere, where an untrained one is persistence.
    """

    def draw(config=None) -> CranPM:
        import torch

        from cranpm.model import CranPM, tiny

        torch.manual_seed(1)
        network = CranPM(config or tiny()).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.08)
        return network

    return draw


@pytest.fixture(scope="session")
def drawn(draw_network) -> CranPM:
    """The tiny network of `draw_network`."""
    return draw_network()


_WITHOUT = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules!r}:
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.fixture(scope="session")
def run_without() -> Callable[[Sequence[str], str], str]:
    """``run_without(modules, code)``: what a new Python prints that runs code where these modules are not there."""

    def run(modules: Sequence[str], code: str) -> str:
        program = _WITHOUT.format(modules=list(modules)) + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def small_machine(
    scene: ModuleType, drawn: CranPM, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Environment of a machine with a small dataset called "testbed" and a checkpoint called "demo"."""
    folder = tmp_path_factory.mktemp("machine")
    scene.write_scene(folder / "data" / "testbed", days=4)
    scene.write_checkpoint(folder / "checkpoints" / "demo", drawn)
    return {
        "CRANPM_DATA": str(folder / "data"),
        "CRANPM_CHECKPOINTS": str(folder / "checkpoints"),
        "CRANPM_RUNS": str(folder / "runs"),
        "CRANPM_ABLATION_STEPS": "8",
        "CRANPM_ABLATION_SEEDS": "1",
        "CRANPM_ABLATION_VARIANTS": "R2",
    }


@pytest.fixture(autouse=True)
def _examples_find_a_machine(request: pytest.FixtureRequest) -> None:
    """Examples in docstrings open the testbed and the demo of `small_machine`, and write into an empty folder."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    monkeypatch = request.getfixturevalue("monkeypatch")
    for name, value in request.getfixturevalue("small_machine").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(request.getfixturevalue("tmp_path"))


@pytest.fixture(scope="session")
def geography_cache(pytestconfig: pytest.Config) -> Path:
    """Where the computed geography is kept between runs: CRANPM_HOME if set, pytest's own cache otherwise."""
    if os.environ.get("CRANPM_HOME"):
        from cranpm.paths import cache_dir

        return cache_dir()
    return Path(pytestconfig.cache.mkdir("geography"))


@pytest.fixture(scope="session")
def geography_europe(geography_cache: Path):
    """Europe's real geography; about 25 s the first time, one second afterwards."""
    return _load_geography("europe", geography_cache)


@pytest.fixture(scope="session")
def geography_alps(geography_cache: Path):
    """The geography of the region "alps" (14 x 14 degrees), cut from Europe's."""
    return _load_geography("alps", geography_cache)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sample files; tests that need it are skipped elsewhere."""
    value = os.environ.get("CRANPM_REAL_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("needs CRANPM_REAL_DATA, a folder of real sample files that the repository does not hold")
    return Path(value)


def _load_geography(name: str, cache: Path):
    from cranpm.domain import get_domain
    from cranpm.testbed.geography.geography import load_geography

    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "geography.lock"):  # one of several test processes computes, the others read
        return load_geography(get_domain(name), cache)
