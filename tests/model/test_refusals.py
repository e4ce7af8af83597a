"""Bad input and bad configurations are refused by name."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cranpm.model import ModelConfig, ModelInputError, get_preset, tiny


@pytest.mark.parametrize("name", ["fields", "elevation", "wind"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_by_field(build, coarse, tiles, name, value):
    network, inputs = build(), coarse()
    bad = getattr(inputs, name).clone()
    bad.view(-1)[7] = value
    with pytest.raises(
        ModelInputError, match=rf"GlobalInputs\.{name} holds 1 value\(s\) that are not finite"
    ):
        network.encode_global(dataclasses.replace(inputs, **{name: bad}))
    local_inputs = tiles()
    bad = getattr(local_inputs, name).clone()
    bad.view(-1)[7] = value
    with pytest.raises(ModelInputError, match=rf"LocalInputs\.{name} holds 1"):
        network.forecast_delta(
            dataclasses.replace(local_inputs, **{name: bad}), network.encode_global(coarse())
        )


def test_the_check_can_be_switched_off(build, coarse):
    network, inputs = build(), coarse()
    network.check_inputs = False
    network.encode_global(dataclasses.replace(inputs, fields=inputs.fields * torch.nan))


def test_wrong_shapes_are_refused_with_the_expected_ones(build, coarse, tiles):
    network, inputs, batch = build(), coarse(), tiles()
    context = network.encode_global(inputs)
    with pytest.raises(
        ModelInputError, match=r"fields has shape \(1, 69, 56, 112\); expected \(1, 70, 56, 112\)"
    ):
        network.encode_global(dataclasses.replace(inputs, fields=inputs.fields[:, :69]))
    with pytest.raises(ModelInputError, match=r"latitude has shape \(55,\)"):
        network.encode_global(dataclasses.replace(inputs, latitude=inputs.latitude[:55]))
    with pytest.raises(ModelInputError, match=r"wind has shape \(1, 2, 7, 8\); expected \(1, 2, 8, 8\)"):
        network.forecast_delta(dataclasses.replace(batch, wind=batch.wind[:, :, 1:]), context)
    with pytest.raises(ModelInputError, match="tiles of 120 cells; expected a multiple of 128"):
        network.forecast_delta(dataclasses.replace(batch, fields=batch.fields[..., :120, :120]), context)
    with pytest.raises(ModelInputError, match=r"expected torch\.bool"):
        network.encode_global(dataclasses.replace(inputs, valid=torch.ones(1, 56, 112)))


@pytest.mark.parametrize("lead", [0, 4])
def test_a_lead_time_without_embedding_is_refused(build, coarse, tiles, lead):
    network = build()
    with pytest.raises(ModelInputError, match=f"lead holds {lead}; expected lead times from 1 to 3 days"):
        network.forecast_delta(
            dataclasses.replace(tiles(), lead=torch.tensor([lead])), network.encode_global(coarse())
        )


def test_tiles_must_say_which_day_they_belong_to(build, coarse, tiles):
    network = build()
    context = network.encode_global(coarse(days=2))
    with pytest.raises(ModelInputError, match="3 tiles and a context of 2 days"):
        network.forecast_delta(tiles(3), context)
    with pytest.raises(ModelInputError, match=r"day_index has shape \(2,\); expected \(3,\)"):
        network.forecast_delta(tiles(3), context, day_index=torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scan": "sideways"}, "scan is 'sideways'; expected one of wind, raster, random"),
        ({"local_heads": 5}, r"local_width is 64; expected a multiple of local_heads \(5\)"),
        ({"decoder_channels": (32, 16)}, "decoder_channels has 2 entries"),
        ({"coarse_channels": 71}, "coarse_channels is 71; expected an even number"),
        ({"decoder": "convt"}, "fine_skip needs decoder"),
        ({"elevation_sign": 0}, "elevation_sign is 0; expected one of 1, -1"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny(), **changes)


def test_configurations_survive_json_and_unknown_fields_do_not():
    assert ModelConfig.from_dict(tiny().to_dict()) == tiny()
    with pytest.raises(ValueError, match=r"Unknown ModelConfig field\(s\) depth"):
        ModelConfig.from_dict({"depth": 3})
    with pytest.raises(
        ValueError, match="Unknown model preset 'huge'; expected one of paper, paper-small, small"
    ):
        get_preset("huge")


def test_another_scale_of_the_residual_is_refused_instead_of_ignored():
    with pytest.raises(ValueError, match="residual_scale is 10.0; expected 20: .* would go unheeded"):
        dataclasses.replace(tiny(), residual_scale=10.0)
