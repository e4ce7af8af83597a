"""Worlds in files: what differs from world 1, by the names of its constants (YAML, or JSON, which is YAML too).

::

    name: shifted
    title: Shifted world
    seed: 20261137
    chemistry:
      low_life: 9.0            # days
    downscaling:
      valley_height: 500.0     # m
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from cranpm import paths
from cranpm.testbed.simulation.constants import WORLD_1, WorldConstants, WorldConstantsError

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def shipped_worlds() -> dict[str, Path]:
    """Files of worlds that come with the package, by name."""
    return {path.stem: path for path in sorted((paths.assets_dir() / "worlds").glob("*.yaml"))}


def find_world(
    world: str | Path | WorldConstants | None = None, *, seed: int | None = None
) -> WorldConstants:
    """The constants of a world.

    Parameters
    ----------
    world : str, path or WorldConstants, optional
        "world-1", the default; the name of one that is shipped, such as "shifted"; or a file.
    seed : int, optional
        Instead of that world's own: other weather, emissions and noise.

    Raises
    ------
    WorldConstantsError
        If there is none of that name, or the file names a constant or a value that no world has.

    Examples
    --------
    >>> find_world().name, find_world("shifted").name
    ('world-1', 'shifted')
    >>> find_world("shifted", seed=7).seed
    7
    """
    if seed is not None:
        return replace(find_world(world), seed=seed)
    if isinstance(world, WorldConstants):
        return world
    if world is None or str(world) == WORLD_1:
        return WorldConstants()
    shipped = shipped_worlds()
    if str(world) in shipped:
        return read_world(shipped[str(world)])
    if Path(world).is_file():
        return read_world(world)
    raise WorldConstantsError(
        f"There is no world {str(world)!r}; expected {', '.join([WORLD_1, *shipped])}, or a file (YAML or JSON) with "
        "a name and the constants that differ from world 1."
    )


def read_world(path: str | Path) -> WorldConstants:
    """The world that a file describes.

    Raises
    ------
    WorldConstantsError
        Naming the entry that is wrong.
    """
    import yaml  # a bare training node has none, and gets its constants with the days

    path = Path(path)
    try:
        values: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WorldConstantsError(f"{path.name} cannot be read as a world: {error}.") from error
    if not isinstance(values, dict) or not NAME.fullmatch(str(values.get("name", ""))):
        raise WorldConstantsError(
            f"{path.name}: a world needs a name of small letters, digits and dashes, such as 'name: shifted'."
        )
    try:
        return WorldConstants.from_dict(values)
    except WorldConstantsError as error:
        raise WorldConstantsError(f"{path.name}: {error}") from error
