"""What moves the forecast, by intervention: physics battery, inserted puffs, and how far attention can be trusted."""

from __future__ import annotations
