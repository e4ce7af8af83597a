from __future__ import annotations

import holoviews as hv
import pandas as pd
import pytest
from bokeh.models import Scatter

from cranpm.plot.curves import HIDING_STYLE, hiding_curves


@pytest.mark.parametrize("dark", [False, True])
def test_changes_by_hidden_patches_are_drawn_beside_each_other_on_one_scale(dark):
    rows = [
        (name, count, where, count * 0.1, count * 0.1, count * (0.2 if name == "elsewhere" else 0.1))
        for name in HIDING_STYLE
        for count in (1, 4, 8)
        for where in ("place", "tile")
    ]
    effects = pd.DataFrame(rows, columns=["hidden", "count", "where", "change", "low", "high"])
    layout = hiding_curves(effects, {"place": "This place", "tile": "Its tile"}, dark=dark)
    figures = [figure for figure, _, _ in hv.render(layout).children]
    assert [figure.title.text for figure in figures] == ["This place", "Its tile"]
    for figure in figures:
        assert (figure.y_range.start, figure.y_range.end) == (0, pytest.approx(1.1 * 1.6))
        assert figure.xaxis[0].major_label_overrides == {0: "1", 1: "4", 2: "8"}
        points = [r for r in figure.renderers if isinstance(r.glyph, Scatter)]
        assert [r.data_source.data["change"].tolist() for r in points] == [pytest.approx([0.1, 0.4, 0.8])] * 3
        assert {r.glyph.marker for r in points} == {"circle", "square", "triangle"}
