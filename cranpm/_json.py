"""Plain values for JSON files that any reader takes."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
"""An object of a JSON file: what a ``to_dict`` makes for it, and what ``json.load`` returns of it."""


def finite(value: Any) -> Any:
    """Plain values with NaN and infinity as null, which JSON knows.

    Examples
    --------
    >>> finite({"skill": [float("nan"), 0.5]})
    {'skill': [None, 0.5]}
    """
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value
