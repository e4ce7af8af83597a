"""Read ahead, in a thread, what the first page needs."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)


def warm_up() -> threading.Thread:
    """Start reading ahead; errors are left to the page, which can explain them."""
    thread = threading.Thread(target=_warm, name="warm-up", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    try:
        from cranpm.plot.overlays.outlines import KINDS

        from ..data import outlines
        from ..data.forecasts import service
        from ..data.store import get_store

        outlines.town_labels()
        for kind in KINDS:
            outlines.outline_json(kind, 0)
        store = get_store()
        for name in list(store.dataset_folders())[:1]:
            store.land(name)
            store.elevation(name, 0, 0)
        from ..views import inspector

        checkpoints = store.checkpoints()
        if checkpoints and store.dataset_folders():
            service().warm(checkpoints.get("demo", next(iter(checkpoints.values()))))
        log.info("Read ahead, up to %s", inspector.__name__)
    except Exception as error:  # the page meets the same error and says it to the user
        log.warning("Reading ahead stopped: %s", error)
