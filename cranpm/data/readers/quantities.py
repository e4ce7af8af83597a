"""What words mean: quantities by ECMWF's numbers, CF's names and long names; kinds of products by description."""

from __future__ import annotations

import re
from typing import Any

_PARAMETERS = {
    165: "u10", 166: "v10", 167: "t2m", 134: "sp", 228: "tp", 130: "t", 131: "u", 132: "v", 133: "q", 129: "z",
    168: "d2m", 151: "msl", 235: "skt", 201: "mx2t", 202: "mn2t", 228246: "u100", 228247: "v100", 142: "lsp",
    143: "cp", 144: "sf", 156: "gh", 157: "r", 135: "w", 152: "lnsp", 228228: "tp", 260048: "tprate",
    210072: "pm1", 210073: "pm2p5", 210074: "pm10", 210121: "no2", 210203: "o3", 210123: "co", 210027: "no",
    210122: "so2", 210206: "gtco3", 210125: "tcno2", 210127: "tcco",
}  # fmt: skip
"""ECMWF's parameter numbers: those of the channels and their likely neighbours."""

_SHORT = {
    "10u": "u10", "10v": "v10", "2t": "t2m", "2d": "d2m", "100u": "u100", "100v": "v100", "go3": "o3", "mean2t": "t2m",
    **{name: name for name in dict.fromkeys(_PARAMETERS.values())},
}  # fmt: skip

_STANDARD = {
    "surface_air_pressure": "sp", "geopotential": "z", "specific_humidity": "q", "geopotential_height": "gh",
    "relative_humidity": "r", "dew_point_temperature": "d2m", "air_pressure_at_mean_sea_level": "msl",
    "air_pressure_at_sea_level": "msl", "surface_altitude": "elevation",
}  # fmt: skip

_WORDS = (
    (r"standard[ _]deviation|(?<![a-z])std(ev|dev)?(?![a-z])|(?<![a-z])(spread|variance)(?![a-z])",
     "a standard deviation"),
    (r"uncertainty|(?<![a-z])error(?![a-z])", "an error"),
    (r"anomal(y|ies)", "an anomaly"),
    (r"climatolog", "a climatology"),
    (r"(?<![a-z])(increment|tendency|bias)(?![a-z])", "a difference"),
    (r"percentile|quantile", "a quantile"),
    (r"number_of_observations|status_flag|detection_minimum", "a flag or a count"),
    (r"ellipsoid", "a height above the ellipsoid"),
    (r"geoid[ _](height|undulation)", "the height of the geoid"),
    (r"\b(slope|aspect|hillshade|land cover|canopy|vegetation)\b", "a property of the ground"),
    (r"^(altitude|elevation|topograph|orograph)", "elevation"),
    (r"sea[ _]floor|bathymetr(y|ic)\b(?!.*topogr)", "a depth of the sea"),
    (r"^height[ _]above[ _](the[ _])?(geoid|mean[ _]sea[ _]level)", "elevation"),
    (r"pm_?2[._p]?5|pm2_5|d ?<=? ?2\.5|particulate_matter_2\.5", "pm2p5"),
    (r"pm_?10|d ?<=? ?10\b|particulate_matter_10", "pm10"),
    (r"pm_?1\b|d ?<=? ?1 ?um|particulate_matter_1um", "pm1"),
    (r"nitrogen[ _]monoxide", "no"),
    (r"nitrogen[ _]dioxide", "no2"),
    (r"carbon[ _]monoxide", "co"),
    (r"sulph?f?ur?[ _]dioxide|sul(ph|f)ur_dioxide", "so2"),
    (r"ozone", "o3"),
    (r"dust", "dust"),
    (r"^2 metre temperature", "t2m"),
    (r"2 metre dewpoint|2 metre dew point", "d2m"),
    (r"maximum (2 metre )?temperature|maximum temperature at 2", "mx2t"),
    (r"minimum (2 metre )?temperature|minimum temperature at 2", "mn2t"),
    (r"^10 metre u wind", "u10"),
    (r"^10 metre v wind", "v10"),
    (r"^100 metre u wind", "u100"),
    (r"^100 metre v wind", "v100"),
    (r"10 metre wind gust", "fg10"),
    (r"^surface pressure", "sp"),
    (r"mean sea level pressure", "msl"),
    (r"skin temperature", "skt"),
    (r"sea surface temperature", "sst"),
    (r"^total precipitation$", "tp"),
    (r"convective precipitation", "cp"),
    (r"large-scale precipitation", "lsp"),
    (r"^relative humidity", "r"),
    (r"^specific humidity", "q"),
    (r"^geopotential$", "z"),
    (r"geopotential height", "gh"),
    (r"^vertical velocity", "w"),
    (r"^potential temperature", "pt"),
)  # fmt: skip
_KINDS = (
    (r"era5[-_ ]?land(?![a-z])(?![-_ ]*(sea|mask))", "archive", "reanalysis-era5-land"),
    (r"(?<![a-z])spread(?![a-z])|ensemble[-_ ]*(std|standard[-_ ]dev|variance)", "type", "es"),
    (r"ensemble[-_ ]*(mean|avg|average)(?![a-z])", "type", "em"),
    (r"ensemble[-_ ]*members?(?![a-z])", "type", "pf"),
    (r"anomal(y|ies)|climatolog", "statistic", "anomaly"),
    (r"(running|moving|rolling)[-_ ]*(mean|average)", "statistic", "running mean"),
    (r"uncertaint", "statistic", "uncertainty"),
    (r"(?<![a-z])(slope|hillshade|roughness|ruggedness)(?![a-z])", "surface", "slope"),
)  # fmt: skip
_PERIODS = (
    (r"^p?0*1m$|^mon(th|ths)?$|^amon$|(?<![a-z])monthly(?![a-z])", "monthly"),
    (r"^p?0*1y$|^(yr|year)s?$|(?<![a-z])(annual|yearly)(?![a-z])", "annual"),
    (
        r"^p?0*1d$|^pt?24h$|^days?$|^daily$|(?<![a-z])daily[-_ ]*(mean|avg|average|max|min|sum|total|stat)",
        "daily",
    ),
    (r"^day[-_ ]*(mean|avg|max|min|sum)$", "daily"),
)
_STATISTICS = {
    **dict.fromkeys(("mean", "average", "avg"), "mean"), **dict.fromkeys(("max", "maximum"), "max"),
    **dict.fromkeys(("min", "minimum"), "min"), **dict.fromkeys(("std", "stddev", "standard_deviation"), "std"),
    "sum": "sum", "median": "med", "variance": "variance",
}  # fmt: skip
_PROSE = 10
"""Words; what is longer tells of much that a file is not."""

_COLUMN = re.compile(r"total[ _]column|atmosphere_mass_content|optical[ _]depth|optical[ _]thickness")


def quantity_of(text: Any) -> str | None:
    """A short common name for what a parameter number, short name, standard name or long name means.

    None where it means nothing known, which says nothing.

    Examples
    --------
    >>> quantity_of(167), quantity_of("10u"), quantity_of("mass_concentration_of_pm10_ambient_aerosol_in_air")
    ('t2m', 'u10', 'pm10')
    >>> quantity_of("PM2.5"), quantity_of("Total column ozone"), quantity_of("unknown")
    ('pm2p5', 'a total column', None)
    """
    if not isinstance(text, str):
        return _PARAMETERS.get(int(text)) if isinstance(text, int) or hasattr(text, "item") else None
    words = text.strip().lower()
    if words.isdigit():
        return _PARAMETERS.get(int(words))
    if words in _SHORT or words in _STANDARD:
        return _SHORT.get(words) or _STANDARD[words]
    if _COLUMN.search(words):
        return "a total column"
    return next((name for pattern, name in _WORDS if re.search(pattern, words)), None)


def kinds_of(text: str, *, is_statistic: bool = False) -> list[tuple[str, str]]:
    """What a description says of the kind of a product, as aspects and values of statements.

    Parameters
    ----------
    text : str
        A title, a name, a type of product, a resolution in time.
    is_statistic : bool
        Whether a single word such as ``mean`` is an answer to "which statistic?".

    Examples
    --------
    >>> kinds_of("monthly_averaged_reanalysis"), kinds_of("ERA5-Land, ensemble mean")
    ([('period', 'monthly')], [('archive', 'reanalysis-era5-land'), ('type', 'em')])
    >>> kinds_of("hourly values in monthly files"), kinds_of("max", is_statistic=True)
    ([], [('statistic', 'max')])
    """
    words = text.strip().lower()
    if len(words.split()) > _PROSE:
        return []
    found = [(aspect, value) for pattern, aspect, value in _KINDS if re.search(pattern, words)]
    periods = {value for pattern, value in _PERIODS if re.search(pattern, words)}
    # "hourly data in monthly files" is hourly, "monthly means by hour of the day" is not
    if len(periods) == 1 and ("hourly" not in words or re.search("by[-_ ]hour", words)):
        found.append(("period", periods.pop()))
    if is_statistic and words in _STATISTICS:
        found.append(("statistic", _STATISTICS[words]))
    return found
