"""Every field of a recipe is read by the stages that it speaks of, and by none that it does not."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from cranpm.domain import domain_from_corner
from cranpm.model import CranPM, ModelConfig, count_flops
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.validation import validation_batches
from cranpm.training.fit.calibration import calibrate_head
from cranpm.training.fit.loop import station_reader, train, training_batches
from cranpm.training.fit.module import Training
from cranpm.training.fit.pretrain import pretrain_global
from cranpm.training.recipes import recipes
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.cost import estimate_cost
from cranpm.training.report.step_timing import benchmark_step
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session

DAYS = {"splits", "leads"}
TILES = {*DAYS, "tile_size", "wide_tile_interval", "days_per_step", "tiles_per_day", "hotspot_ratio", "seed"}
"""What decides which tiles are drawn."""
STAGES = {
    "pretraining": {
        *(*DAYS, "seed", "precision", "puff_share", "max_skipped_steps"),
        *("global_epochs", "global_learning_rate", "global_days_per_step"),
        *("weight_decay", "gradient_clip", "prior_lr_mult", "bias_update_interval"),
    },
    "tiles": {
        *(*TILES, "model", "precision", "puff_share", "max_skipped_steps"),
        *("steps", "warmup_steps", "token_steps", "average_decay"),
        *("learning_rate", "min_lr", "prior_lr_mult", "global_lr_mult", "bias_update_interval"),
        *("weight_decay", "gradient_clip"),
        *("frequency_weight", "station_weight", "hotspot_weight", "coarse_weight"),
    },
    # on tiles as the tile stage has them, without stations; seed: other tiles than those that were learned from
    "calibration": {
        *(*TILES, "calibration_steps", "max_skipped_steps"),
        *("puff_share", "station_weight", "coarse_weight"),  # set to none, and found to be none
    },
    # tiles anywhere, whose number the caller says, and the loss as it is without its weights for training
    "validation": {*DAYS, "tile_size", "seed", "station_weight", "frequency_weight", "hotspot_weight"},
    "cost": {
        *(
            "model",
            "leads",
            "precision",
            "tile_size",
            "wide_tile_interval",
            "steps",
            "days_per_step",
            "tiles_per_day",
            "average_decay",
        ),
        *("token_steps", "global_epochs", "global_days_per_step", "frequency_weight"),
        *("coarse_weight", "station_weight", "hotspot_weight", "max_skipped_steps"),
    },
}
"""Which stage reads which fields. A new field belongs into at least one."""

NO_USE = {
    "__post_init__",
    "to_dict",
    "from_dict",
    "replace",
    "_replace",
    "_asdict_inner",
    "__eq__",
    "__hash__",
    "__repr__",
}
"""Functions that read all fields, whatever they are for."""


@pytest.fixture
def read(monkeypatch):
    """Names of the fields that were read, for a use of them, since the set was last cleared."""
    names: dict[type, set[str]] = {Recipe: set(), ModelConfig: set()}

    def watch(kind):
        known = {field.name for field in fields(kind)}

        def get(self, name):
            if name in known:
                caller = sys._getframe(1).f_code
                if caller.co_name not in NO_USE and Path(caller.co_filename).name != "dataclasses.py":
                    names[kind].add(name)
            return object.__getattribute__(self, name)

        monkeypatch.setattr(kind, "__getattribute__", get, raising=False)

    watch(Recipe)
    watch(ModelConfig)
    return names


@pytest.fixture(scope="module")
def whole(quick):
    """A recipe in which nothing is switched off."""
    return replace(
        quick,
        steps=2,
        token_steps=1,
        global_epochs=1,
        station_weight=0.1,
        hotspot_weight=0.5,
        calibration_steps=1,
        bias_update_interval=2,
        model=replace(quick.model, coarse_forecast=False),  # then the readout is the recipe's matter
    )


@pytest.fixture(scope="module")
def days(make_world, statistics):
    return TrainingData(source=make_world(validation=True).with_stations(2000), statistics=statistics)


def without_validation(data):
    """The same days but those of the validation split."""
    source = type("Days", (), {"__getattr__": lambda self, name: getattr(data.source, name)})()
    source.days = data.source.days[:12]
    return replace(data, source=source)


def stages(recipe, data, folder):
    """Each stage alone, as a function; what they go on from is made before."""
    network, module = CranPM(recipe.model), Training(recipe).eval()
    session = Session(out=folder, report=lambda line: None)
    options = TrainerOptions(workers=0, bar=False)
    domain = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)

    def validate():
        every = station_reader(recipe, data.source, with_held_out=True)
        with torch.no_grad():
            module.losses(next(iter(validation_batches(recipe, data, days=1, stations=every))))

    def price():
        estimate_cost(recipe, domain, init_days=8)
        benchmark_step(recipe, domain, torch.device("cpu"))

    return {
        "pretraining": lambda: pretrain_global(network, recipe, data, options, session),
        "tiles": lambda: train(recipe, without_validation(data), options, session),
        "calibration": lambda: calibrate_head(network, recipe, data),
        "validation": validate,
        "cost": price,
    }


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_the_fields_that_speak_of_it(name, read, whole, days, tmp_path):
    run = stages(whole, days, tmp_path)[name]
    read[Recipe].clear()
    run()
    assert read[Recipe] == STAGES[name]


def test_no_field_is_read_by_no_stage():
    """The table above, which the test before holds to, names every field."""
    named = set().union(*(STAGES[name] for name in STAGES if name != "cost"))
    assert named == {field.name for field in fields(Recipe)}


def test_every_field_of_the_architecture_is_read_by_the_network(read, whole, days):
    """Read while networks are built, run and counted; some only in a variant."""
    batch = training_batches(whole, days).batch(0)
    variants = [
        whole.model,
        recipes.tiny().model,
        replace(whole.model, decoder="convt", fine_skip=False, path_freedom=None),
    ]
    read[ModelConfig].clear()
    for model in variants:
        network = CranPM(model).eval()
        with torch.no_grad():
            network(batch.global_inputs, batch.local_inputs, batch.day_index)
        count_flops(model, 128, (28, 28))
    # a name for people; and a scale of which there is only one (tests/model/test_refusals.py)
    unread = {"name", "residual_scale"}
    assert read[ModelConfig] == {field.name for field in fields(ModelConfig)} - unread
