"""What pyproject.toml cannot say: the checkout's top level holds `dashboard/` and `data_manifest.yaml`, the installed
package holds them as `cranpm.dashboard` and `cranpm/assets/data_manifest.yaml`, so that nothing but `cranpm` is
installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

DASHBOARD = "cranpm.dashboard"
MANIFEST = "data_manifest.yaml"


class BuildWithManifest(build_py):
    def run(self) -> None:
        if self.editable_mode:  # reads the checkout's own manifest
            super().run()
            return
        # what an earlier build left there would be installed too, modules that are gone among it
        shutil.rmtree(Path(self.build_lib, "cranpm"), ignore_errors=True)
        super().run()
        self.copy_file(MANIFEST, self._target())

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else [self._target()])]

    def _target(self) -> str:
        return str(Path(self.build_lib, "cranpm", "assets", MANIFEST))


setup(
    packages=[
        *find_packages(include=["cranpm", "cranpm.*"]),
        DASHBOARD,
        *(f"{DASHBOARD}.{name}" for name in find_packages("dashboard")),
    ],
    package_dir={DASHBOARD: "dashboard"},
    package_data={"cranpm": ["py.typed", "assets/**"], DASHBOARD: ["static/**"]},
    cmdclass={"build_py": BuildWithManifest},
)
