"""Is a file what was asked for? Its statements held against what a product states of itself.

The check is the same for every gridded source. What contradicts is refused by name; what a file does not tell is said
too, in the log and, as ``attrs["not_stated"]``, in the dataset that a reader returns.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr

from cranpm.data.errors import NotThisProductError, TimeAxisError, WrongGridError
from cranpm.data.readers.statements import Statement, gather

log = logging.getLogger(__name__)

Allowed = Mapping[str, Collection[str]]
"""Values by aspect; where a variable differs, by "aspect of variable": ``{"type": ("an",), "type of tp": ("fc",)}``."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """What the files of one product state about themselves.

    Parameters
    ----------
    title : str
        As messages call it: "expected ...".
    remedy : str
        What to do instead of what was given.
    allowed : mapping
        Values that each aspect may have; a quantity must be the variable's own.
    refused : mapping
        Aspect -> values that it must not have, where most values are fine.
    known_by : tuple of str
        Aspects that its files are told by from others; what a file leaves out of these is said.
    """

    title: str
    remedy: str
    allowed: Allowed
    refused: Mapping[str, Collection[str]] = field(default_factory=dict)
    known_by: tuple[str, ...]

    def contradictions(
        self, statements: Iterable[Statement], asked: Allowed, variables: Collection[str]
    ) -> list[Statement]:
        """Statements that this product does not make; one about the file has to fit one of its variables."""
        return [
            s for s in statements
            if not any(self._fits(s, v, asked) for v in ([s.variable] if s.variable else variables or [""]))
        ]  # fmt: skip

    def _fits(self, statement: Statement, variable: str, asked: Allowed) -> bool:
        aspect, value = statement.aspect, statement.value
        if aspect == "quantity" and variable:
            return value == variable
        if value in self.refused.get(aspect, ()):
            return False
        for rules in (asked, self.allowed):
            values = rules.get(f"{aspect} of {variable}", rules.get(aspect))
            if values is not None and value not in values:
                return False
        return True

    def not_stated(self, statements: Iterable[Statement], asked: Allowed) -> list[str]:
        """Aspects that the product is known by and about which the file says nothing."""
        said = {statement.aspect for statement in statements}
        return [aspect for aspect in dict.fromkeys((*self.known_by, *asked)) if aspect not in said]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a file is: the product, what it stated, and what it left open."""

    product: Product
    statements: tuple[Statement, ...]
    not_stated: tuple[str, ...]

    def values(self, aspect: str) -> list[str]:
        """What it says about an aspect, in the order found."""
        return list(dict.fromkeys(s.value for s in self.statements if s.aspect == aspect))

    @property
    def attrs(self) -> dict[str, str]:
        """For the dataset that a reader returns."""
        told = {aspect: ", ".join(self.values(aspect)) for aspect in ("run", "lead") if self.values(aspect)}
        return {"product": self.product.title, "not_stated": ", ".join(self.not_stated), **told}


def identify(
    dataset: xr.Dataset,
    products: Product | Sequence[Product],
    *,
    name: str,
    variables: Mapping[str, str],
    asked: Allowed | None = None,
) -> Identity:
    """What a dataset is, of the products that would do.

    Parameters
    ----------
    dataset : Dataset
        As :func:`cranpm.data.files.openers.open_lazily` returns it.
    products : Product or sequence of Product
        The one that is wanted, or several of which any will do.
    name : str
        What messages call the file; its name, and that of the member of an archive, are read too.
    variables : mapping of str to str
        The variables that will be read: names in the file -> house names.
    asked : mapping, optional
        What else was asked for: the run, the day.

    Raises
    ------
    NotThisProductError
        If it is none of them, naming what it is instead, where it says so, and what to get.
    TimeAxisError, WrongGridError
        If it is of another run or day than was asked for, or on another grid.
    """
    products = [products] if isinstance(products, Product) else list(products)
    names = (name, *str(dataset.encoding.get("source", "")).split("/"))
    statements = gather(dataset, filter(None, names), variables)
    return identify_from(
        statements, products, name=name, asked=asked or {}, variables=set(variables.values())
    )


def identify_from(
    statements: Sequence[Statement],
    products: Sequence[Product],
    *,
    name: str,
    asked: Allowed,
    variables: Collection[str] = (),
) -> Identity:
    """As `identify`, from statements that were gathered already."""
    against = [product.contradictions(statements, asked, variables) for product in products]
    chosen = next((product for product, wrong in zip(products, against) if not wrong), None)
    if chosen is None:
        # the nearest miss explains best: the product that the fewest statements speak against
        wrong, nearest = min(zip(against, products), key=lambda pair: len(pair[0]))
        raise _KINDS.get(wrong[0].aspect, NotThisProductError)(_refusal(name, wrong[0], nearest, asked))
    left = chosen.not_stated(statements, asked)
    if left:
        log.info("%s is read as %s; it says nothing of its %s.", name, chosen.title, ", ".join(left))
    return Identity(product=chosen, statements=tuple(statements), not_stated=tuple(left))


_KINDS = {"run": TimeAxisError, "day": TimeAxisError, "spacing": WrongGridError}


def _refusal(name: str, statement: Statement, product: Product, asked: Allowed) -> str:
    known = MEANINGS.get((statement.aspect, statement.value))
    what = f"is {known}" if known else f"is of {statement.aspect} {statement.value}"
    if statement.aspect == "quantity":
        what = (
            f"holds {statement.value} as {statement.variable}"
            if statement.variable
            else f"holds {statement.value}"
        )
    wanted = asked.get(statement.aspect)
    of = f", {statement.aspect} {' or '.join(wanted)}" if wanted else ""
    return f"{name} {what} ({statement.where}); expected {product.title}{of}. {product.remedy}"


MEANINGS: Mapping[tuple[str, str], str] = {
    ("class", "l5"): "ERA5-Land",
    ("class", "mc"): "of CAMS",
    ("class", "od"): "of ECMWF's operational forecasts",
    ("archive", "reanalysis-era5-land"): "ERA5-Land",
    ("archive", "CHAP"): "CHAP, the product of China",
    ("stream", "mnth"): "a monthly mean by hour of the day",
    ("stream", "moda"): "a monthly mean",
    ("stream", "edmm"): "a monthly mean of the ensemble",
    ("stream", "edmo"): "a monthly mean of the ensemble",
    ("stream", "enda"): "of the ensemble of data assimilations",
    ("stream", "enfo"): "an ensemble forecast",
    ("stream", "wave"): "of the wave model",
    ("type", "em"): "the mean of an ensemble",
    ("type", "es"): "the spread of an ensemble",
    ("type", "pf"): "one member of an ensemble forecast",
    ("type", "cf"): "the control member of an ensemble forecast",
    ("type", "ep"): "a probability",
    ("type", "fc"): "a forecast",
    ("type", "an"): "an analysis",
    ("type", "forecast"): "a forecast",
    ("type", "analysis"): "an analysis",
    ("type", "reanalysis"): "a reanalysis",
    ("type", "validated reanalysis"): "a validated reanalysis",
    ("type", "interim reanalysis"): "an interim reanalysis",
    **{("members", str(n)): f"of an ensemble of {n} members" for n in range(2, 101)},
    **{("member", str(n)): f"member {n} of an ensemble" for n in range(1, 101)},
    ("step type", "avg"): "an average over a step",
    ("step type", "accum"): "an amount of a step",
    ("step type", "instant"): "of single instants",
    ("step type", "max"): "the maximum of a step",
    ("step type", "min"): "the minimum of a step",
    **dict.fromkeys(
        [("step type", kind) for kind in ("avgua", "avgia", "avgad", "avgid", "avgas", "avgfc")],
        "an average over a month",
    ),
    ("period", "daily"): "of daily values",
    ("period", "monthly"): "of monthly means",
    ("period", "annual"): "of annual means",
    **{("statistic", s): f"a {w}" for s, w in {
        "mean": "mean", "max": "maximum", "maximum": "maximum", "min": "minimum", "minimum": "minimum",
        "sum": "sum", "std": "standard deviation", "standard_deviation": "standard deviation", "med": "median",
        "mid": "mid-range", "variance": "variance"}.items()},
    ("level type", "isobaricInhPa"): "on levels of pressure",
    ("level type", "isobaricInPa"): "on levels of pressure",
    ("level type", "hybrid"): "on model levels",
    ("level type", "theta"): "on levels of potential temperature",
    ("level type", "potentialVorticity"): "on levels of potential vorticity",
    ("level type", "surface"): "at the surface",
    ("level type", "height"): "on levels of height",
    ("level type", "heightAboveGround"): "at a height above the ground",
    ("level type", "depthBelowLand"): "below the ground",
    ("spacing", "0.1"): "on a grid of 0.1 degrees",
    ("spacing", "0.4"): "on a grid of 0.4 degrees, as the global forecasts are",
    ("spacing", "0.75"): "on a grid of 0.75 degrees, as the reanalysis EAC4 is",
    ("version", "eac4"): "the reanalysis EAC4",
    **{("statistic of an area", s): f"the {s} of each cell" for s in ("maximum", "minimum", "standard_deviation")},
    ("archive", "LGHAP"): "LGHAP, another product",
    ("statistic", "running mean"): "of running means",
    ("statistic", "uncertainty"): "of uncertainties",
    ("surface", "slope"): "a property of the ground",
    ("surface", "ellipsoid"): "of heights above the ellipsoid",
    ("surface", "_TID"): "a list of sources",
    ("statistic", "anomaly"): "of anomalies or a climatology",
    ("surface", "_sub_ice"): "the bedrock below the ice",
    ("surface", "_tid"): "a list of sources",
    ("surface", "Bed"): "the bedrock below the ice",
    ("positive", "down"): "a depth, positive downwards",
    ("surface", "bed"): "the bedrock below the ice",
    ("surface", "geoid"): "the height of the geoid",
    ("surface", "_sid"): "a list of sources",
    ("surface", "EDM"): "a mask of edited pixels",
    ("surface", "FLM"): "a mask of filled pixels",
    ("surface", "HEM"): "the error of the height",
    ("surface", "WBM"): "a mask of water",
    ("surface", "num"): "a count of scenes",
    ("surface", "swb"): "a mask of water",
}  # fmt: skip
"""What values mean that are seldom wanted."""
