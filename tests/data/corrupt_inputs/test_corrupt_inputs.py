"""No corrupt input passes in silence."""

from __future__ import annotations

from pathlib import Path

import corrupt_inputs
import pytest

ENTRIES = corrupt_inputs.all_entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.group}: {entry.name}")
def test_a_corruption_is_refused_by_name_or_repaired_with_a_word(
    entry: corrupt_inputs.Entry, tmp_path: Path
) -> None:
    verdict = corrupt_inputs.verdict_of(entry, tmp_path)
    assert verdict.outcome in ("refused", "repaired"), verdict
    assert len(verdict.said) > 20


def test_the_list_is_long_and_its_table_is_current() -> None:
    names = [(entry.group, entry.name) for entry in ENTRIES]
    assert len(names) == len(set(names)) >= 40
    table = (corrupt_inputs.ROOT / "docs" / "results" / "corrupt_inputs.md").read_text()
    assert f"**{len(ENTRIES)} entries" in table and " 0 silent" in table
    assert all(f"| {group} | {name} |" in table for group, name in names), (
        "run python tests/data/corrupt_inputs/corrupt_inputs.py"
    )
