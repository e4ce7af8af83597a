"""CRAN-PM Explorer: tomorrow's PM2.5 over Europe at 1 km, and why.

Importing this package stays light: sub-packages that need torch or plotting libraries are imported where they are used.
"""

from __future__ import annotations

__version__ = "0.1.0"
