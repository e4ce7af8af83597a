"""What a file says it is, gathered from wherever it says so: names, attributes, coordinates, keys of GRIB messages.

A statement is one fact in common words, such as ``stream: mnth`` or ``model: CHIMERE``, with the place it stands in.
Whether it is what was asked for, `identity` decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cranpm.data.files.grib import MESSAGES
from cranpm.data.readers.quantities import kinds_of, quantity_of


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One fact that a file states about itself.

    Parameters
    ----------
    aspect : str
        What it is about: "class", "stream", "type", "member", "members", "step type", "period", "statistic",
        "accumulation", "level type", "level", "height", "model", "run", "lead", "day", "version", "quantity",
        "spacing", "archive", "surface", "positive".
    value : str
        In the common words.
    where : str
        Where it says so, as messages put it: ``attribute GRIB_stepType of t2m: 'avgua'``.
    variable : str, optional
        The variable that it is about, under its house name; None if about the file.
    """

    aspect: str
    value: str
    where: str
    variable: str | None = None


def gather(dataset: xr.Dataset, names: Iterable[str], variables: Mapping[str, str]) -> list[Statement]:
    """Everything that a dataset states about itself and about some of its variables.

    Parameters
    ----------
    dataset : Dataset
        As it was opened, before anything is renamed or dropped.
    names : iterable of str
        Of the file, the archive and the member, as its provider chose them.
    variables : mapping of str to str
        The variables that will be read: names in the file -> house names.
    """
    found = [statement for name in dict.fromkeys(names) for statement in of_name(name)]
    found += _of_attributes(dataset.attrs)
    found += _of_descriptions(dataset.attrs, "")
    for name, house in variables.items():
        found += _of_variable(name, house, dataset[name].attrs, dataset.attrs.get(MESSAGES, {}))
        found += _of_levels(dataset, name, house)
    found += _of_coordinates(dataset)
    return found


_WORDS = {"D": "daily", "M": "monthly", "Y": "annual"}
_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # the Copernicus stores
    (r"stream-(?P<a>[a-z0-9]+)", ("stream",)),
    (r"stepType-(?P<a>[a-z]+)", ("step type",)),
    (r"[_-](?P<a>daily|monthly)-(?P<b>mean|max|min|sum|mid)", ("period", "statistic")),
    (r"(?:reanalysis|derived)-era5-[a-z-]*(?P<a>monthly|daily)-(?:means|statistics)", ("period",)),
    (r"(?P<a>reanalysis-era5-land)", ("archive",)),
    # archives that hand ERA5 on: NCAR's, and CEDA's
    (r"(?:^|_)e5\.(?P<a>oper|enda|mnth|moda|edmm|edmo)\.(?P<b>[a-z0-9]{2})\.", ("stream", "type")),
    (r"ecmwf-era5(?P<c>t?)_(?P<a>oper|enda)_(?P<b>[a-z0-9]{2})_", ("stream", "type", "version")),
    # the European ensemble
    (r"cams\.eaq\.(?P<a>vra|ira)\.(?P<b>[A-Za-z]+)a\.(?P<c>[a-z0-9]+)\.l(?P<d>\d+)\.",
     ("type", "model", "quantity", "level")),
    (r"^(?P<b>[A-Z][A-Z-]+)_(?P<a>FORECAST|ANALYSIS)", ("type", "model")),
    (r"MODEL,(?P<b>[A-Z-]+)\+(?P<a>FORECAST|ANALYSIS)\+", ("type", "model")),
    # satellite products of the GHAP family
    (r"(?i)(?P<a>L?GHAP|[A-Z]HAP)[._](?P<b>PM25)\.(?P<c>[DMY])\d+\.A?(?P<e>\d{4,8})",
     ("archive", "quantity", "period", "", "day")),
    (r"(?i)(?P<a>V\dGL\d\d)[\d.]*(?:Hybrid|CNN|GWR)?(?P<b>PM25)", ("archive", "quantity")),
    (r"(?i)(?P<a>[A-Z]+HAP)[-_](?P<b>[A-Za-z0-9.]+)[-_](?P<c>[DMY])(?P<d>\d+K)[-_](?P<e>\d{4,8})(?=[-_.])",
     ("archive", "quantity", "period", "spacing", "day")),
    # terrain
    (r"ETOPO_\d{4}_v\d+_\d+s_[A-Z0-9]+_(?P<a>surface|bed|geoid)(?P<b>_sid)?", ("surface",)),
    (r"(?i)GEBCO_\d{4}(?P<a>_sub_ice|_tid)", ("surface",)),
    (r"(?i)ETOPO1_(?P<a>bed)", ("surface",)),
    (r"(?:GMTED2010_|_gmted_)(?P<a>mean|mea|max|min|med|std|sub|dsc|blv|sys|break)", ("statistic",)),
    (r"Copernicus_DSM_(?:COG_)?\d+_[NS]\d+_\d+_[EW]\d+_\d+_(?P<a>[A-Z]{3})", ("surface",)),
    (r"(?:ASTGTM|SRTMGL)\w*[._](?P<a>dem|num|hgt|swb)\b", ("surface",)),
)  # fmt: skip
"""How providers call their files, and what each part of such a name states."""

_VALUES = {
    "vra": "validated reanalysis", "ira": "interim reanalysis", "FORECAST": "forecast", "ANALYSIS": "analysis",
    "REANALYSIS": "reanalysis",
    "ENS": "ENSEMBLE", "CHI": "CHIMERE", "DEH": "DEHM", "EMP": "EMEP", "EUR": "EURADIM", "GEM": "GEMAQ",
    "LOT": "LOTOS-EUROS", "MAT": "MATCH", "MIN": "MINNI", "MOC": "MOCAGE", "MON": "MONARCH", "SIL": "SILAM",
    "mea": "mean", **_WORDS,
}  # fmt: skip


def of_name(name: str) -> list[Statement]:
    """What the name of a file states, where it is one that its provider gave; a name of one's own states nothing.

    Examples
    --------
    >>> [(s.aspect, s.value) for s in of_name("data_stream-moda_stepType-avgua.nc")]
    [('stream', 'moda'), ('step type', 'avgua')]
    >>> of_name("january.nc")
    []
    """
    where, found = f"file name {name!r}", []
    for pattern, aspects in _NAMES:
        match = re.search(pattern, name)
        for key, aspect in zip("abcde", aspects) if match else ():
            if not aspect:
                continue
            value = match[key]  # type: ignore[index]
            if aspect == "quantity":
                value = quantity_of(value)
            elif aspect == "level":
                value = f"{float(value):g} m"
            elif aspect == "version":
                value = "5" if value else "1"
            elif aspect == "spacing" or value.lower().endswith("hap") or len(value) == 1:  # in any case
                value = _VALUES.get(value.upper(), value.upper())
            elif aspect == "day":
                value = "-".join(filter(None, (value[:4], value[4:6], value[6:])))
            else:
                value = _VALUES.get(value, value)
            if value:
                found.append(Statement(aspect=aspect, value=value, where=where))
    return found


_GRIB = {
    "class": "class", "marsClass": "class", "stream": "stream", "dataType": "type", "type": "type",
    "number": "member", "totalNumber": "members", "stepType": "step type", "typeOfLevel": "level type",
    "expver": "version", "experimentVersionNumber": "version", "hours": "accumulation",
}  # fmt: skip
"""Keys of GRIB, as attributes ``GRIB_<key>``, in a history or in messages."""

_PLAIN: dict[str, Collection[str] | None] = {
    "marsClass": None, "dataType": None, "stepType": None, "totalNumber": None, "expver": None,
    "experimentVersionNumber": None, "number": None, "stream": None,
    "type": ("an", "fc", "em", "es", "ep", "pf", "cf", "4v"), "class": ("ea", "l5", "mc", "od", "e2", "ep", "rr"),
}  # fmt: skip
"""The same keys without ``GRIB_``, as some tools write them; words of many uses only with values of MARS."""

_DESCRIBES = re.compile(
    r"(?i)product|data_?set|^(source|title|summary|description|comment|id)$|frequency|resolution|aggregat|statistic"
    r"|averag|^period|ensemble|^value$|^long_name$|cell_?method$"
)
_TELLS_STATISTIC = re.compile(r"(?i)aggregat|statistic|method")

_EUROPE = re.compile(r"(\d{8})(?:-(\d{8}))?\+\[(\d+)H_(\d+)H\]")
_TEXTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("title", "history", "summary"), r"\b(?P<v>FORECAST|ANALYSIS|REANALYSIS)\b", "type"),
    (("title", "summary"), r"(?P<v>(?:validated|interim) reanalysis)", "type"),
    (("source",), r"Data from (?P<v>\S+) model", "model"),
    (("history",), r"Model (?P<v>\S+) (?:FORECAST|ANALYSIS)", "model"),
    (("Model", "label"), r"^(?P<v>[A-Z][A-Z0-9-]+)$", "model"),
    (("title",), r"at the (?P<v>Surface)", "level"),
    (("title", "summary"), r"(?i)\b(?P<v>daily|monthly|annual)[ -](?:mean|average|maximum|minimum)", "period"),
    (("frequency", "temporal_resolution"), r"(?i)^(?P<v>day|daily|mon|monthly|yr|year|annual)$", "period"),
    (("time_coverage_duration",), r"^P1(?P<v>[DMY])$", "period"),
    (("history",), r"cdo\b.*?\s-?(?:y?day|y?mon|y?seas|year|tim|run|ens)(?P<v>mean|avg|max|min|sum|std\d?|var\d?)\b",
     "statistic"),
    (("history",), r"cdo\b.*?\s-?(?P<v>y?day|y?mon|year)(?:mean|avg|max|min|sum|std\d?|var\d?)\b", "period"),
    (("history",), r"daily_(?:reduce_)?(?P<v>mean|max|min|sum|std)", "statistic"),
)  # fmt: skip
_TEXT_VALUES = {
    **_VALUES, "Surface": "0 m", "day": "daily", "yday": "daily", "mon": "monthly", "ymon": "monthly",
    "year": "annual", "yr": "annual", "avg": "mean",
}  # fmt: skip


def _of_attributes(attrs: Mapping[str, object]) -> Iterator[Statement]:
    for keys, pattern, aspect in _TEXTS:
        for key in keys:
            text = attrs.get(key)
            if key == "time_coverage_duration" and "time_coverage_resolution" in attrs:
                continue  # of the whole file, while each step is told
            match = re.search(pattern, text) if isinstance(text, str) else None
            if match:
                value = _TEXT_VALUES.get(match["v"], match["v"].lower() if aspect == "period" else match["v"])
                yield Statement(aspect=aspect, value=value, where=f"{key}: {_short(text)}")
    if "ANALYSIS" not in attrs:  # whose dates and hours are those of the day
        for key in ("FORECAST", "summary"):
            match = _EUROPE.search(str(attrs.get(key, "")))
            if match:
                yield from _of_runs(match, f"{key}: {_short(attrs[key])}")
                break
    yield from _of_coverage(attrs)
    yield from _of_filter(str(attrs.get("history", "")))


def _of_descriptions(
    attrs: Mapping[str, object], of: str, variable: str | None = None
) -> Iterator[Statement]:
    """What attributes say under whichever name: the kind of product in words, keys of GRIB without their prefix."""
    for key, value in attrs.items():
        where = f"{key}{of}: {_short(value)}"
        if key in _PLAIN and ((known := _PLAIN[key]) is None or value in known):
            yield Statement(aspect=_GRIB[key], value=_plain(value), where=where, variable=variable)
        if isinstance(value, str) and _DESCRIBES.search(key):
            for aspect, kind in kinds_of(value, is_statistic=bool(_TELLS_STATISTIC.search(key))):
                yield Statement(aspect=aspect, value=kind, where=where, variable=variable)


def _of_runs(match: re.Match[str], where: str) -> Iterator[Statement]:
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in match.groups()[:2] if d]
    runs = str(days[0]) if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    yield Statement(aspect="run", value=runs, where=where)
    yield Statement(aspect="lead", value=f"{match[3]}-{match[4]} h", where=where)


def _of_coverage(attrs: Mapping[str, object]) -> Iterator[Statement]:
    """The day that a file covers, by the attributes of ACDD; of a longer time its first and last day."""
    key = "time_coverage_start"
    ends = [re.match(r"\d{4}-\d{2}-\d{2}", str(attrs.get(k, ""))) for k in (key, "time_coverage_end")]
    if ends[0] is None:
        return
    first, last = (np.datetime64((found or ends[0])[0]) for found in ends)
    # to midnight of the next day is one day
    value = str(first) if last - first <= np.timedelta64(1, "D") else f"{first} to {last}"
    yield Statement(aspect="day", value=value, where=f"{key}: {_short(attrs[key])}")


def _of_filter(history: str) -> Iterator[Statement]:
    """cfgrib's history tells which messages a file was made of: ``"filter_by_keys": {"stream": ["mnth"]}``."""
    match = re.search(r'"filter_by_keys":\s*(\{[^{}]*\})', history)
    try:
        keys = json.loads(match[1]) if match else {}
    except ValueError:
        return
    for key, held in keys.items():
        for value in held if isinstance(held, list) else [held]:
            if key in _GRIB:
                where = f'history: "{key}": {json.dumps(held)}'
                yield Statement(aspect=_GRIB[key], value=_plain(value), where=where)


def _of_variable(
    name: str, house: str, attrs: Mapping[str, object], messages: Mapping[str, Mapping[str, list[str]]]
) -> Iterator[Statement]:
    def said(aspect: str, value: str, where: str) -> Statement:
        return Statement(aspect=aspect, value=value, where=where, variable=house)

    for key, aspect in _GRIB.items():
        if f"GRIB_{key}" in attrs:
            value = attrs[f"GRIB_{key}"]
            yield said(aspect, _plain(value), f"attribute GRIB_{key} of {name}: {_short(value)}")
        for value in messages.get(str(attrs.get("GRIB_shortName")), {}).get(key, ()):
            yield said(aspect, _plain(value), f"GRIB messages of {name}: {key} {value}")
    for key in ("GRIB_shortName", "GRIB_paramId", "GRIB_cfVarName", "standard_name", "species", "long_name"):
        quantity = quantity_of(attrs[key]) if key in attrs else None
        if quantity:
            yield said("quantity", quantity, f"{key} of {name}: {_short(attrs[key])}")
    yield from _of_descriptions(attrs, f" of {name}", house)
    if "difference" in str(attrs.get("units_metadata", "")):
        yield said("quantity", "a difference", f"units_metadata of {name}: {_short(attrs['units_metadata'])}")
    methods = str(attrs.get("cell_methods", attrs.get("cell_method", "")))
    for dims, method in re.findall(r"((?:\w+: )+)(\w+)", methods):
        where = f"cell_methods of {name}: {_short(methods)}"
        if re.search(r"(?i)\b(valid_|forecast_)?time\d*: |\bt: ", dims):
            yield said("statistic", method, where)
        if re.search(r"\barea: ", dims):
            yield said("statistic of an area", method, where)
        if re.search(r"(?i)\b(realiz|realis|member|number|ensemble)", dims) and method != "point":
            yield said("type", "em" if method in ("mean", "median") else "es", where)
    for key in ("vertical_datum", "vert_datum"):
        if "ellipsoid" in str(attrs.get(key, "")).lower():
            yield said("surface", "ellipsoid", f"{key} of {name}: {_short(attrs[key])}")
    if "positive" in attrs:
        yield said("positive", str(attrs["positive"]), f"attribute positive of {name}")
    period = re.match(r"(hourly|daily|monthly|annual)", str(attrs.get("value", "")))
    if period:
        yield said("period", period[1], f"value of {name}: {_short(attrs['value'])}")


_LEVELS = {
    "pressure_level": "isobaricInhPa", "isobaricInhPa": "isobaricInhPa", "isobaricInPa": "isobaricInPa",
    "plev": "isobaricInhPa", "model_level": "hybrid", "hybrid": "hybrid", "theta": "theta",
    "potential_temperature": "theta", "potentialVorticity": "potentialVorticity", "depth": "depthBelowLand",
    "depthBelowLandLayer": "depthBelowLand",
}  # fmt: skip
_HEIGHTS = ("height", "heightAboveGround", "height_above_ground")
_MEMBERS = ("number", "realization", "member", "ensemble")


def _of_coordinates(dataset: xr.Dataset) -> Iterator[Statement]:
    for name in _MEMBERS:
        if name in dataset.variables and dataset[name].size == 1:
            value = _plain(dataset[name].values.ravel()[0])
            yield Statement(aspect="member", value=value, where=f"coordinate {name}: {value}")
    if "time" in dataset.variables:
        time = dataset["time"]
        yield from _of_attributes({"title": time.attrs.get("long_name", "")})
        if time.size == 1 and np.issubdtype(time.dtype, np.datetime64):
            day = str(time.values.ravel()[0].astype("datetime64[D]"))
            yield Statement(aspect="day", value=day, where=f"coordinate time: {day}")
    if "expver" in dataset.variables:
        for version in np.unique([version_of(v) for v in dataset["expver"].values.ravel()]):
            yield Statement(aspect="version", value=str(version), where=f"coordinate expver: {version}")
    spacing = _spacing(dataset)
    if spacing:
        yield Statement(aspect="spacing", value=spacing, where=f"coordinates: {spacing} degrees apart")


def _of_levels(dataset: xr.Dataset, variable: str, house: str) -> Iterator[Statement]:
    """What kind of levels a variable lies on, and at which height. A ``level`` tells by its units or long name."""
    for name in _HEIGHTS:
        if name in dataset[variable].coords and dataset[name].size == 1:
            value = _plain(dataset[name].values.ravel()[0])
            yield Statement(aspect="height", value=value, where=f"coordinate {name}: {value}", variable=house)
    for name in ("level", *_LEVELS):
        if name not in dataset[variable].coords:
            continue
        level = dataset[name]
        units = str(level.attrs.get("units", "")).strip()
        words = " ".join(str(level.attrs.get(key, "")) for key in ("long_name", "standard_name"))
        kind = _LEVELS.get(name)
        if kind is None and (units in ("hPa", "millibars", "mbar", "Pa") or "pressure" in words):
            kind = "isobaricInhPa"
        elif kind is None and units in ("m", "metres", "meters"):
            kind = "height"
        elif kind is None and re.search("hybrid|model", words):
            kind = "hybrid"
        if kind:
            where = f"coordinate {name}: {_listed(level.values)} {units}".rstrip()
            yield Statement(aspect="level type", value=kind, where=where, variable=house)


def version_of(value: object) -> str:
    """Experiment version as plain text: "1" final ERA5, "5" preliminary ERA5T; "" if there is none.

    Examples
    --------
    >>> [version_of(v) for v in ("0005", b"0001", 5, 1.0, "")]
    ['5', '1', '5', '1', '']
    """
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value))
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.strip().lstrip("0")


def _plain(value: object) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _spacing(dataset: xr.Dataset) -> str | None:
    for name in ("latitude", "lat"):
        if name in dataset.variables and dataset[name].ndim == 1 and dataset[name].size > 1:
            values = dataset[name].values.astype(float)
            return f"{abs(values[-1] - values[0]) / (values.size - 1):.3g}"
    return None


def _listed(values: np.ndarray) -> str:
    flat = values.ravel()
    return ", ".join(f"{v:g}" if isinstance(v, float | np.floating) else str(v) for v in flat[:4]) + (
        ", ..." if flat.size > 4 else ""
    )


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 70 else text[:67] + "...")
