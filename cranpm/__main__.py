from __future__ import annotations

from cranpm.cli.app import app

app()
