"""A measured figure: seconds, the share of a ceiling, and how many times faster than something else it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cranpm.bench.ceilings import Ceiling
from cranpm.bench.timing import Spread, Turns


class PartUnavailableError(RuntimeError):
    """A part that cannot be measured on this machine, and why; the others can."""


@dataclass(frozen=True)
class Label:
    """What a figure is of."""

    part: str
    per: str
    """What its seconds are counted for: "map", "day", "step"."""
    what: str = ""
    """Default: the form's name."""


@dataclass(frozen=True)
class Bound:
    """The least work of one call [FLOP or bytes], and the ceiling it is compared with."""

    work: float
    ceiling: Ceiling


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    part, what : str
    seconds, cpu_seconds : Spread
        That passed, and of all threads of this process; for one of ``per``.
    share : Spread, optional
        Of ``ceiling``, between 0 and about 1.
    times_faster : dict of str to Spread
        Than other forms, timed in turns with this one: above 1 this one is faster.
    share_by_cpu, times_less_cpu
        The same two of CPU seconds, which other processes lengthen less; None and empty where a GPU or further
        processes do the work.
    derived : str
        How the seconds follow from others, where this form was not run itself.
    detail : dict
        Sizes and counts.
    """

    part: str
    what: str
    per: str
    rounds: int
    seconds: Spread
    cpu_seconds: Spread
    ceiling: str | None = None
    share: Spread | None = None
    times_faster: dict[str, Spread] = field(default_factory=dict)
    share_by_cpu: Spread | None = None
    times_less_cpu: dict[str, Spread] = field(default_factory=dict)
    derived: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        turns: Turns,
        form: str,
        label: Label,
        *,
        count: float = 1,
        bound: Bound | None = None,
        instead: Mapping[str, float] | None = None,
        derived: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> Figure:
        """The figure of one form.

        Parameters
        ----------
        turns : Turns
            In which ``form``, the bound's ceiling and the alternatives were timed.
        form : str
        label : Label
        count : float
            How many of ``label.per`` one call of the form does.
        bound : Bound, optional
            What one call would take at best.
        instead : mapping of str to float, optional
            Other forms, and how many of ``label.per`` one call of theirs does.
        derived : str
        detail : mapping, optional
            Sizes and counts, kept beside the figure.
        """

        def share(seconds: dict[str, np.ndarray]) -> Spread | None:
            if bound is None:
                return None
            return Spread.of(bound.work / bound.ceiling.work * seconds[bound.ceiling.form] / seconds[form])

        def faster(seconds: dict[str, np.ndarray]) -> dict[str, Spread]:
            ours = seconds[form] / count
            return {
                other: Spread.of(seconds[other] / number / ours) for other, number in (instead or {}).items()
            }

        return cls(
            part=label.part,
            what=label.what or form,
            per=label.per,
            rounds=len(turns.wall[form]),
            seconds=Spread.of(turns.wall[form] / count),
            cpu_seconds=Spread.of(turns.cpu[form] / count),
            ceiling=None if bound is None else bound.ceiling.name,
            share=share(turns.wall),
            times_faster=faster(turns.wall),
            share_by_cpu=share(turns.cpu) if turns.all_cpu else None,
            times_less_cpu=faster(turns.cpu) if turns.all_cpu else {},
            derived=derived,
            detail=dict(detail or {}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def table(figures: list[Figure]) -> list[str]:
    """Figures as lines for people."""
    head = f"{'part':9} {'what':44} {'seconds':>10} {'quartiles':>17} {'CPU s':>8}  "
    head += "share of ceiling; times faster (by CPU time)"
    lines = [head, "-" * len(head)]
    for one in figures:
        notes = []
        if one.share is not None:
            by_cpu = "" if one.share_by_cpu is None else f" ({one.share_by_cpu.median:.0%})"
            notes.append(f"{one.share.median:.0%}{by_cpu} of {one.ceiling}")
        for other, ratio in one.times_faster.items():
            less = one.times_less_cpu.get(other)
            notes.append(f"{ratio.median:.3g}{'' if less is None else f' ({less.median:.3g})'} x {other}")
        if one.derived:
            notes.append(f"= {one.derived}")
        quartiles = f"{one.seconds.low:.3g}..{one.seconds.high:.3g}"
        lines.append(
            f"{one.part:9} {one.what + ' / ' + one.per:44} {one.seconds.median:10.3g} {quartiles:>17} "
            f"{one.cpu_seconds.median:8.3g}  {'; '.join(notes)}".rstrip()
        )
    return lines
