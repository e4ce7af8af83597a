from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch

from cranpm.forecasting import engine
from cranpm.forecasting.engine import NonFiniteForecastError, run_forecast
from cranpm.forecasting.resources import precision
from cranpm.forecasting.resources.precision import bfloat16_is_native, choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("features", "native"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True}, False),
    ],
)
def test_auto_follows_what_the_processor_multiplies_itself(monkeypatch, features, native):
    monkeypatch.setattr(precision, "_cpu_features", lambda: features)
    assert bfloat16_is_native(CPU) is native
    assert choose_precision("auto", CPU) is (torch.bfloat16 if native else torch.float32)
    assert choose_precision("float32", CPU) is torch.float32
    assert choose_precision("bfloat16", CPU) is torch.bfloat16


def test_another_precision_is_refused_with_those_there_are(untrained, day):
    with pytest.raises(ValueError, match="one of auto, float32, bfloat16, got 'half'"):
        run_forecast(untrained, day, (1,), precision="half")


def test_bfloat16_changes_a_map_by_little(drawn, day):
    exact = run_forecast(drawn, day, (1, 3))
    fast = run_forecast(drawn, day, (1, 3), precision="bfloat16")
    assert (exact.precision, fast.precision) == ("float32", "bfloat16")
    for lead in (1, 3):
        change = np.nanstd(exact.fields[lead] - day.pm2p5.numpy())
        difference = np.abs(fast.fields[lead] - exact.fields[lead])
        assert np.array_equal(np.isnan(fast.fields[lead]), np.isnan(exact.fields[lead]))
        assert 0 < np.nanmean(difference) < 0.02 * change  # eight bits of mantissa: half a per cent a product


def test_persistence_stays_bit_for_bit(untrained, day):
    today = day.pm2p5.numpy()
    for field in run_forecast(untrained, day, (1, 2), precision="bfloat16").fields.values():
        assert np.array_equal(field, today, equal_nan=True)


class Overflowing(torch.nn.Module):
    """A head whose values are infinite in bfloat16 autocast, or in any precision."""

    def __init__(self, head: torch.nn.Module, always: bool) -> None:
        super().__init__()
        self.head, self.always = head, always

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        values = self.head(*inputs)
        return values + float("inf") if self.always or torch.is_autocast_enabled("cpu") else values


@pytest.fixture
def overflowing(drawn):
    def build(always: bool) -> torch.nn.Module:
        network = copy.deepcopy(drawn)
        network.decoder.head = Overflowing(network.decoder.head, always)
        return network

    return build


def test_what_overflows_in_bfloat16_is_computed_again_in_float32(drawn, overflowing, day):
    expected = run_forecast(drawn, day, (1,)).fields[1]
    network = overflowing(always=False)
    with pytest.warns(UserWarning, match=r"not finite .* begins again in float32"):
        result = run_forecast(network, day, (1,), precision="bfloat16")
    assert result.precision == "float32"
    assert np.array_equal(result.fields[1], expected, equal_nan=True)


def test_a_network_that_is_never_finite_is_refused(overflowing, day):
    with pytest.raises(NonFiniteForecastError, match=r"not finite .* tile\(s\) 0"):
        run_forecast(overflowing(always=True), day, (1,))


def test_a_batch_that_does_not_fit_is_halved_until_it_does(drawn, day, monkeypatch):
    expected = run_forecast(drawn, day, (1, 2)).fields
    network, sizes = copy.deepcopy(drawn), []
    whole = network.forecast_delta

    def small_memory(inputs, *rest, **options):
        sizes.append(len(inputs.fields))
        if len(inputs.fields) > 2:
            raise torch.OutOfMemoryError("as if")
        return whole(inputs, *rest, **options)

    monkeypatch.setattr(engine, "_batch_limit", lambda device: 8)
    network.forecast_delta = small_memory
    with pytest.warns(UserWarning, match="do not fit into the memory of cpu; going on with"):
        fields = run_forecast(network, day, (1, 2), memory_budget=1 << 40).fields
    assert sizes[0] > 2 and max(sizes[2:]) <= 4
    for lead in (1, 2):
        assert np.nanmax(np.abs(fields[lead] - expected[lead])) < 2e-3  # sums in another order


def test_a_device_that_holds_no_tile_says_so(drawn, day):
    def none(*arguments, **options):
        raise torch.OutOfMemoryError("not one")

    network = copy.deepcopy(drawn)
    network.forecast_delta = none
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(torch.OutOfMemoryError, match="not one"):
            run_forecast(network, day, (1,))


def test_a_budget_that_holds_no_tile_is_refused_with_what_one_takes(drawn, day):
    one = engine.bytes_per_tile(drawn.config)
    with pytest.raises(
        ValueError, match=r"budget of 0\.0098 GB holds no tile .* takes about 0\.094 GB .* --memory"
    ):
        run_forecast(drawn, day, (1,), memory_budget=10 * 2**20)
    assert one / 2**30 == pytest.approx(0.094, abs=0.001)
    just_enough = engine.TileSelection(only=[0])
    assert run_forecast(drawn, day, (1,), tiles=just_enough, memory_budget=one).num_tiles == 1
