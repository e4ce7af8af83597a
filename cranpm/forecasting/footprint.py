"""Where a place looks, as labelled arrays: the work behind `cranpm.footprint_at`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xarray as xr

from cranpm.data.datasets import DataLike, open_source
from cranpm.data.store.source import DaySource
from cranpm.domain import plan_tiles
from cranpm.domain.days import Day, as_init_day
from cranpm.forecasting.attention import AttentionNotRecordedError, AttentionRecorder, read_attention
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.engine import TileSelection, check_leads, choose_device, run_forecast
from cranpm.forecasting.intervention_names import Steps, list_steps, steps_in_words
from cranpm.forecasting.interventions import intervene, switched
from cranpm.model.checkpoint import Checkpoint, load_checkpoint

_BRIDGE = ("layer", "head", "latitude", "longitude")
_TILE = ("tile_latitude", "tile_longitude")
_DIMS: dict[str, tuple[str, ...]] = {
    "attention": _BRIDGE,
    "wind_bias": _BRIDGE,
    "valid": ("latitude", "longitude"),
    "elevation_bias": _TILE,
    "height_damping": _TILE,
    "elevation": _TILE,
    "wind": ("component",),
    "path": ("point", "of_point"),
    "sectors": ("group",),
    "order": ("group", "slot"),
    "beta": ("layer", "head"),
    "reach": ("layer", "head"),
}
_WORDS = {
    "attention": ("share of attention", "1"),
    "wind_bias": ("wind bias on the logits", "1"),
    "valid": ("whether a token may be attended to", "1"),
    "elevation_bias": ("elevation bias on the logits of the tile's tokens", "1"),
    "height_damping": ("share of the change that height leaves", "1"),
    "elevation": ("mean elevation of the tile's tokens", "m"),
    "wind": ("wind at the token, towards east and north", "m s-1"),
    "path": ("the air's way to the place: age [h], latitude, longitude [degrees]", ""),
    "reach": ("distance at which the bridge's penalty is one", "km"),
    "eastward_wind": ("wind at the coarse nodes, towards east", "m s-1"),
    "northward_wind": ("wind at the coarse nodes, towards north", "m s-1"),
}


def footprint_at(
    init_time: Day,
    lat: float,
    lon: float,
    *,
    lead: int = 1,
    checkpoint: str | Path | Checkpoint = "demo",
    data: DataLike | DaySource = None,
    interventions: Steps = (),
    device: str = "auto",
) -> xr.Dataset:
    """Where the forecast of a place looks: attention and biases of its token, from the forward pass of its own tile.

    One tile takes seconds, where `cranpm.forecast` takes a minute for all; its tensors are those of the whole map.
    They say what the network read, not where particles came from.

    Parameters
    ----------
    init_time : datetime64 or str
        Day t, YYYY-MM-DD (UTC). The data must hold it and the day before.
    lat, lon : float
        Place [degrees].
    lead : int
        Lead time [days].
    checkpoint : str, path or Checkpoint
    data : str, path or Dataset, optional
    interventions : mapping of str to float, optional
    device : str
        These as `cranpm.forecast` takes them.

    Returns
    -------
    Dataset
        For `cranpm.plot_footprint`. ``attention`` and ``wind_bias`` (layer, head, latitude, longitude) over the coarse
        tokens, attention summing to one; ``elevation_bias``, ``height_damping`` and ``elevation`` [m]
        (tile_latitude, tile_longitude) over the tokens of the tile; ``eastward_wind``, ``northward_wind``
        (node_latitude, node_longitude) [m s-1]; ``path`` (point, of_point), the air's way to the place: age [h],
        latitude, longitude; ``sectors`` and ``order`` of the wind scan. What the network lacks is not there.

    Raises
    ------
    OutsideGridError
        If the place lies outside the domain.
    AttentionNotRecordedError
        If nothing is attended to: no forecast is made at the place, or there is no bridge between the branches.
    NotFoundError, ValueError, TypeError
        As `cranpm.forecast`.

    Examples
    --------
    >>> import cranpm
    >>> footprint = cranpm.footprint_at("2022-01-11", 45.46, 9.19)
    >>> round(float(footprint.attention.sum(["latitude", "longitude"]).mean()), 3)
    1.0
    >>> footprint.attrs["place"]
    '45.46° N, 9.19° E'
    """
    (lead,), steps = check_leads([lead]), list_steps(interventions)
    init = as_init_day(init_time)
    chosen = choose_device(device)
    source = open_source(data)
    plan = plan_tiles(source.domain.fine.shape)
    tile = plan.tile_at(*source.domain.fine.index_of(lat, lon))
    loaded = load_checkpoint(checkpoint, device=chosen)
    statistics = loaded.require_statistics()
    day = intervene(load_day(source, init, statistics, chosen), steps, statistics)
    with TemporaryDirectory() as folder, switched(loaded.network, steps) as network:
        if network.bridge is None or network.bridge_off:
            why = "it is switched off" if network.bridge_off else f"{loaded.folder.name!r} has none"
            raise AttentionNotRecordedError(
                f"Places attend to the continent through the bridge between the branches, and {why}."
            )
        recorder = AttentionRecorder(Path(folder), plan, day)
        only = TileSelection(plan=plan, only=[tile.index])
        run_forecast(network, day, [lead], tiles=only, recorder=recorder)
        recorder.close()
        found = read_attention(Path(folder), lead, lat, lon, source.domain)
    return _labelled(found, day).assign_attrs(
        place=_place(lat, lon),
        when=f"{init}, T+{lead}",
        source=source.name,
        checkpoint=loaded.folder.name,
        checkpoint_sha256=loaded.hash,
        **({"interventions": steps_in_words(steps)} if steps else {}),
    )


def _labelled(found: dict[str, Any], day: ForecastDay) -> xr.Dataset:
    coarse = day.domain.coarse
    wind = day.coarse.wind.numpy()
    held = {name: (dims, found[name]) for name, dims in _DIMS.items() if found.get(name) is not None}
    nodes = ("node_latitude", "node_longitude")
    held |= {"eastward_wind": (nodes, wind[0]), "northward_wind": (nodes, wind[1])}
    axes = {name: found[name] for name in ("latitude", "longitude", *_TILE)}
    axes |= {"node_latitude": coarse.lat, "node_longitude": coarse.lon}
    axes |= {"token_latitude": found["token_latitude"], "token_longitude": found["token_longitude"]}
    axes |= {"component": ["eastward", "northward"], "of_point": ["age", "latitude", "longitude"]}
    labelled = xr.Dataset(held, axes)
    for name, (words, units) in _WORDS.items():
        if name in labelled:
            labelled[name].attrs |= {"long_name": words} | ({"units": units} if units else {})
    return labelled


def _place(lat: float, lon: float) -> str:
    north, east = "NS"[lat < 0], "EW"[lon < 0]
    return f"{abs(lat):.2f}° {north}, {abs(lon):.2f}° {east}"
