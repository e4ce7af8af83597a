"""``cranpm score``: a checkpoint on a dataset, beside baselines, against the product and against stations."""

from __future__ import annotations

import functools
import json
import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cranpm._files import write_atomically
from cranpm.cli.console import console, finite, plain_errors, stages
from cranpm.cli.options import Checkpoint, Data, Device, Leads


def score(
    checkpoint: Checkpoint = "demo",
    data: Data = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First init day; default: all held.")
    ] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last init day.")] = None,
    days: Annotated[int, typer.Option(min=1, help="At most so many init days, spread evenly.")] = 48,
    lead: Leads = [1, 2, 3],  # noqa: B006
    against: Annotated[str, typer.Option(help="Baseline that skill is told against.")] = "persistence",
    damped: Annotated[
        int, typer.Option(min=0, help="Training days to fit damped persistence on; 0 leaves it out.")
    ] = 0,
    cams_europe: Annotated[
        Path | None, typer.Option(help="Folder of downloads that holds CAMS European ensemble runs.")
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The scores on standard output.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="FILE.json; FILE.md and FILE.png are written beside.")
    ] = None,
) -> None:
    """Score forecasts against the fine product (land, regions) and against stations, with 95 % intervals."""
    with plain_errors():
        from cranpm import registry
        from cranpm.baselines.cams import EuropeanEnsemble
        from cranpm.data.store.dataset import Dataset
        from cranpm.data.store.source import DatasetSource, init_times
        from cranpm.domain import Splits
        from cranpm.domain.resampling import subsample_evenly
        from cranpm.evaluation import assess as assessing
        from cranpm.forecasting.engine import choose_device
        from cranpm.model.checkpoint import load_checkpoint
        from cranpm.verification.report import draw_scores, score_page

        if out is not None and out.suffix != ".json":
            raise ValueError(f"Scores are written as .json (with .md and .png beside), got {out.name!r}.")
        wanted = tuple(lead)
        chosen = choose_device(device)
        entry = registry.find_checkpoint(checkpoint)
        loaded = load_checkpoint(entry.path, device=chosen)
        dataset = Dataset.open(registry.find_dataset(data).path)
        source = DatasetSource(dataset)
        init_days = subsample_evenly(assessing.score_days(source, _day(start), _day(end)), days)
        training = init_times(source, "train", Splits(), wanted)
        ensemble = (
            None if cams_europe is None else EuropeanEnsemble.from_downloads(cams_europe, source.domain)
        )
        with stages("Score", unit="steps", as_json_to=sys.stderr if as_json else None) as report:
            if damped:
                report("fitting damped persistence", 0, len(init_days), None)
            methods, left_out = assessing.baselines_of(
                dataset,
                source,
                init_days,
                wanted,
                damped_on=subsample_evenly(training, damped),
                ensemble=ensemble,
            )
            if against not in methods:
                raise ValueError(f"--against must be one of {', '.join(methods)}; got {against!r}.")
            methods[f"CRAN-PM {entry.name}"] = assessing.checkpoint_forecaster(loaded, source, wanted, chosen)
            tables = dataset.has_stations
            found = assessing.assess(
                source,
                methods,
                init_days,
                wanted,
                stations=dataset.stations() if tables else None,
                observations=dataset.observations() if tables else None,
                progress=functools.partial(report, "forecasting and scoring"),
            )
        trained = set(training) & set(init_days)
        results = {
            "what": "forecast minus reference; all methods on the same cells and pairs",
            "dataset": dataset.name,
            "source": dataset.source,
            "simulated": dataset.simulated,
            "checkpoint": {"name": entry.name, "hash": loaded.hash, "title": loaded.title},
            "against": against,
            "init_days": [str(day) for day in init_days],
            "days_of_training_years": len(trained),
            "left_out": left_out,
            "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
            "rows": _plain(found.rows(against)),
        }
        page = score_page(results)
        if out is not None:
            write_atomically(out, json.dumps(results, indent=1) + "\n")
            write_atomically(out.with_suffix(".md"), page)
            draw_scores(results, out.with_suffix(".png"))
    if as_json:
        sys.stdout.write(json.dumps(results) + "\n")
        return
    console.print(page, highlight=False, markup=False, soft_wrap=True)


def _day(value: datetime | None) -> Any:
    import numpy as np

    return None if value is None else np.datetime64(value.date(), "D")


def _plain(rows: list[dict[str, Any]]) -> Any:
    """Four digits are more than intervals carry."""
    return finite([{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows])
