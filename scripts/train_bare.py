"""Train on a machine that has only torch, NumPy, lightning, safetensors and this repository's `cranpm` folder.

The days are simulated there, from one geography file (made elsewhere with `cranpm testbed export-geography`).

python scripts/train_bare.py --out runs/demo --world data/days --geography geography.npz --recipe small
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # not installed there

from cranpm.training.command import TrainCommand
from cranpm.training.state.options import TrainerOptions


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--ablation")
    parser.add_argument("--world", type=Path, required=True, help="folder of day files")
    parser.add_argument("--geography", type=Path, required=True)
    parser.add_argument("--simulate", action="append", default=[], metavar="START:DAYS")
    parser.add_argument("--start-from", type=Path, help="checkpoint folder to begin with")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--validate-every", type=int, default=200)
    parser.add_argument("--validation-days", type=int, default=24)
    given = parser.parse_args()
    options = TrainerOptions(
        devices=given.devices,
        nodes=given.nodes,
        workers=given.workers,
        save_every=given.save_every,
        validate_every=given.validate_every,
        validation_days=given.validation_days,
        max_minutes=given.max_minutes,
    )
    command = TrainCommand(
        out=given.out,
        recipe=given.recipe,
        settings=tuple(given.settings),
        ablation=given.ablation,
        world=given.world,
        geography=given.geography,
        simulate=tuple(given.simulate),
        start_from=given.start_from,
        resume=given.resume,
        export_only=given.export,
        threads=given.threads,
        options=options,
    )
    if given.dry_run:
        print(json.dumps(command.estimate_cost().to_dict(), indent=2))
        return 0
    return command.run(report=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
