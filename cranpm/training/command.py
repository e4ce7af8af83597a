"""``cranpm train`` without its command line, for scripts and bare machines too (no Typer, no Rich here)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cranpm._json import JsonObject
from cranpm._progress import Progress, duration
from cranpm.data.store.source import init_times, startable
from cranpm.domain import Domain, get_domain
from cranpm.memory import keep_freed_memory
from cranpm.model.checkpoint import load_checkpoint
from cranpm.training.batches.source import Periods, TrainingData, open_dataset, open_world
from cranpm.training.job import STATE_FOLDER, export, is_first_process, run_job
from cranpm.training.recipes.ablations import ablation
from cranpm.training.recipes.kinds import DayChoice
from cranpm.training.recipes.overrides import override
from cranpm.training.recipes.recipes import Recipe, get_recipe
from cranpm.training.recipes.rivals import PREFIX, LeastSquaresRecipe, RivalRecipe, get_rival_recipe
from cranpm.training.report.cost import TrainingCost, estimate_cost
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.signals import STOPPED_EXIT_CODE, TrainingStopped
from cranpm.training.state.state import TrainStateError, TrainStates

if TYPE_CHECKING:
    from cranpm.training.rivals.cost import StepCost

AnyRecipe = Recipe | RivalRecipe | LeastSquaresRecipe


@dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """What ``cranpm train`` was asked for; see its help for each field."""

    out: Path
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    ablation: str | None = None
    data: str | None = None
    world: Path | None = None
    geography: Path | None = None
    domain: str = "europe"
    simulate: tuple[str, ...] = ()
    start_from: Path | None = None
    resume: bool = False
    export_only: bool = False
    threads: int = 0
    options: TrainerOptions = field(default_factory=TrainerOptions)

    def resolve_recipe(self) -> AnyRecipe:
        """The whole recipe; on resuming, what is not said again is taken from the run."""
        kept = self.out / "recipe.json"
        if self.recipe is None and (self.resume or self.export_only):
            if not kept.is_file():
                raise TrainStateError(f"Nothing to resume: {kept} does not exist. Start without --resume.")
            values = json.loads(kept.read_text())
            if "rival" in values:
                return override(RivalRecipe.from_dict(values), self.settings)
            return override(Recipe.from_dict(values), self.settings)
        if self.recipe is not None and self.recipe.startswith(PREFIX):
            return self._rival_recipe(self.recipe)
        recipe = get_recipe(self.recipe or "small")
        if self.ablation:
            recipe = ablation(self.ablation, recipe)
        return override(recipe, self.settings)

    def _rival_recipe(self, name: str) -> RivalRecipe | LeastSquaresRecipe:
        if self.ablation or self.start_from is not None:
            raise ValueError(
                f"{name} is no CRAN-PM network: it takes neither --ablation nor --start-from. Leave them out."
            )
        recipe = get_rival_recipe(name)
        if isinstance(recipe, RivalRecipe):
            return override(recipe, self.settings)
        return override(recipe, self.settings)

    def open_data(self, recipe: DayChoice, progress: Progress | None = None) -> TrainingData:
        """The dataset or world; further processes never simulate."""
        if (self.data is None) == (self.world is None):
            raise ValueError(
                "Say what to train on: either --data DATASET (folder or address) or --world FOLDER."
            )
        if self.data is not None:
            return open_dataset(self.data, recipe)
        assert self.world is not None
        return open_world(
            self.world,
            recipe,
            geography_file=self.geography,
            domain=self.domain,
            simulate=(_periods(self.simulate) or None) if is_first_process() else (),
            device="cuda" if torch.cuda.is_available() else "cpu",
            progress=progress,
        )

    def estimate_cost(self) -> TrainingCost | StepCost:
        """What the run would cost here; opens the data only for the size of its grid."""
        recipe = self.resolve_recipe()
        self.prepare_process()
        if isinstance(recipe, LeastSquaresRecipe):
            raise ValueError(
                "Least squares has no steps to time: it reads each day once. Start it without --dry-run."
            )
        domain, init_days = self._extent(recipe)
        if isinstance(recipe, RivalRecipe):
            from cranpm.training.rivals.cost import made_up_batch, measure_step

            return measure_step(recipe, made_up_batch(recipe, domain))
        return estimate_cost(recipe, domain, init_days=init_days, options=self.options, measured=True)

    def _extent(self, recipe: DayChoice) -> tuple[Domain, int]:
        """Domain of the run and its number of training days; 0 where no data are named."""
        if self.data is None and self.world is None:
            return get_domain(self.domain), 0
        from cranpm.testbed.source import holds_days

        if self.world is None or holds_days(self.world):
            data = replace(self, simulate=()).open_data(recipe)
            return data.source.domain, len(init_times(data.source, "train", recipe.splits, recipe.leads))
        periods = _periods(self.simulate)
        if not periods:
            raise ValueError(
                f"{self.world} holds no days yet; say which to simulate (--simulate START:DAYS), or leave out --world: "
                "then the cost is told for --domain."
            )
        days = np.unique(
            np.concatenate([np.datetime64(start, "D") + np.arange(count) for start, count in periods])
        )
        return get_domain(self.domain), len(startable(days, "train", recipe.splits, recipe.leads))

    def run(self, report: Callable[[str], None] = print) -> int:
        """Train (or only export) and return the exit code: 0, or `STOPPED_EXIT_CODE` after a stop."""
        self.prepare_process()
        recipe = self.resolve_recipe()
        data = self.open_data(recipe, partial(_tell_simulated, report))
        if isinstance(recipe, LeastSquaresRecipe):
            from cranpm.training.rivals.job import (
                run_least_squares,  # needs SciPy, as no training of CRAN-PM does
            )

            path = run_least_squares(recipe, data, self.out, report)
            report(f"Coefficients: {path} (use them with cranpm score --rival {path})")
            return 0
        if isinstance(recipe, RivalRecipe):
            return self._run_rival(recipe, data, report)
        if self.export_only:
            info = export(recipe, data, self._states(recipe, data), self.out / "checkpoint")
        else:
            try:
                found = run_job(
                    recipe,
                    data,
                    self.out,
                    options=self.options,
                    start=None if self.start_from is None else load_checkpoint(self.start_from),
                    resume=self.resume,
                    report=report,
                )
            except TrainingStopped as stopped:
                # a further process that left with another code than 0 would take the first one down with it
                report(str(stopped))
                return STOPPED_EXIT_CODE if is_first_process() else 0
            if found is None:
                return 0
            info = found
        report(f"Checkpoint {info.short_hash}: {info.folder} (use it with --checkpoint {info.folder})")
        return 0

    def _run_rival(self, recipe: RivalRecipe, data: TrainingData, report: Callable[[str], None]) -> int:
        from cranpm.training.rivals.job import export_rival, run_rival_job

        try:
            rival = (
                export_rival(recipe, data, self.out)
                if self.export_only
                else run_rival_job(
                    recipe, data, self.out, options=self.options, resume=self.resume, report=report
                )
            )
        except TrainingStopped as stopped:
            report(str(stopped))
            return STOPPED_EXIT_CODE
        report(
            f"Checkpoint {rival.hash[:12]}: {rival.folder} (use it with cranpm score --rival {rival.folder})"
        )
        return 0

    def _states(self, recipe: Recipe, data: TrainingData) -> TrainStates:
        identity: JsonObject = {"recipe": recipe.to_dict(), "data": data.fingerprint}
        return TrainStates(self.out / STATE_FOLDER, identity)

    def prepare_process(self) -> None:
        """Threads and memory of this process, as the run asks for them."""
        keep_freed_memory()
        if self.threads:
            torch.set_num_threads(self.threads)


def _tell_simulated(report: Callable[[str], None], done: int, total: int, seconds_left: float) -> None:
    if done % 20 == 0 or done == total:
        report(f"simulated {done} of {total} days, {duration(seconds_left)} left")


def _periods(texts: tuple[str, ...]) -> Periods:
    """``START:DAYS`` each."""
    found = []
    for text in texts:
        start, colon, days = text.partition(":")
        if not colon or not days.isdigit():
            raise ValueError(f"Cannot read --simulate {text!r}; expected START:DAYS, such as 2017-01-01:730.")
        found.append((start, int(days)))
    return found
