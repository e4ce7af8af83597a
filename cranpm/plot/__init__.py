"""Arrays in, HoloViews elements out; nothing here opens a file."""

from __future__ import annotations

from cranpm import extras

extras.require("dashboard", "Drawing with cranpm.plot")
