from __future__ import annotations

from cranpm.cli import app

app()
