"""The network: torch only; coordinates, elevation and wind arrive as tensors.

Letters in shapes
-----------------
B   batch: days in the global branch, tiles in the local one
C   channels (70 coarse, 5 local)
Hc Wc   coarse cells (168, 280);  S   fine cells along the side of a tile (512)
Ng Nl   global tokens (21 x 35 = 735), local tokens of a tile (32 x 32 = 1024), row-major from the north-west
Dg Dl   features of a token;  h   heads;  dh   features of a head;  L   bridge layers
G n     windows or groups, and tokens in one
In every attention tensor the last two axes are (query i, key j).
"""

from .config import ModelConfig
from .inputs import GlobalContext, GlobalInputs, LocalInputs, ModelInputError
from .layers.bias import elevation_bias
from .layers.bridge import bridge_attention
from .layers.trace import Trace
from .network import CranPM, add_residual, set_plain_attention
from .parameters import count_flops, describe_parameters, parameter_groups
from .presets import PRESETS, get_preset, paper, paper_small, small, tiny

__all__ = [
    "PRESETS",
    "CranPM",
    "GlobalContext",
    "GlobalInputs",
    "LocalInputs",
    "ModelConfig",
    "ModelInputError",
    "Trace",
    "add_residual",
    "bridge_attention",
    "count_flops",
    "describe_parameters",
    "elevation_bias",
    "get_preset",
    "paper",
    "paper_small",
    "parameter_groups",
    "set_plain_attention",
    "small",
    "tiny",
]
