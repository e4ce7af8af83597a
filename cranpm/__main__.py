"""``python -m cranpm`` is the command ``cranpm``."""

from __future__ import annotations

from cranpm.cli.app import app

if __name__ == "__main__":
    app()
