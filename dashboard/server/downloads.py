"""Files of a view: ``take/KIND?QUERY`` with the query of the page's own link; nothing is forecast for them.

They are made one after the other in a thread of their own: a crop of all Europe takes seconds and some 250 MB.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tornado.web import RequestHandler

from cranpm.data.errors import DataFileError, StoreError
from cranpm.extras import MissingExtraError

from ..data.fields import FieldUnavailableError
from ..data.forecasts import Forecasts
from ..data.pictures import UnreadableError
from ..data.store import get_store
from ..markup import without_paths
from ..takeaway.view import View
from .handler import Handler

log = logging.getLogger(__name__)

_WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="files")


def _netcdf(view: View) -> bytes:
    from ..takeaway.crop import netcdf_bytes

    return netcdf_bytes(view)


def _geotiff(view: View) -> bytes:
    from ..takeaway.crop import geotiff_bytes

    return geotiff_bytes(view)


def _png(view: View) -> bytes:
    from ..takeaway.picture import map_png

    return map_png(view)


def _series(view: View) -> bytes:
    from ..takeaway.tables import series_csv

    return series_csv(view).encode()


def _stations(view: View) -> bytes:
    from ..takeaway.tables import stations_csv

    return stations_csv(view).encode()


def _report(view: View) -> bytes:
    from ..takeaway.report import report_html

    return report_html(view, Forecasts(view.store, watcher="report")).encode()


KINDS: dict[str, tuple[Callable[[View], bytes], str]] = {
    "map.nc": (_netcdf, "application/x-netcdf"),
    "map.tif": (_geotiff, "image/tiff"),
    "map.png": (_png, "image/png"),
    "series.csv": (_series, "text/csv; charset=utf-8"),
    "stations.csv": (_stations, "text/csv; charset=utf-8"),
    "report.html": (_report, "text/html; charset=utf-8"),
}
"""Files by name: who makes them, and their type."""


class DownloadHandler(Handler):
    """``take/{kind}?{query of a link}``"""

    async def get(self, kind: str) -> None:
        make, content_type = KINDS.get(kind, (None, ""))
        if make is None:
            self._refuse(404, f"There is no file {kind!r}; known: {', '.join(KINDS)}.")
            return
        query = {name: values[-1] for name, values in self.request.query_arguments.items()}

        def work() -> tuple[str, bytes]:
            view = View.of_query(get_store(), query)
            return view.name, make(view)

        try:
            name, content = await asyncio.get_running_loop().run_in_executor(_WRITER, work)
        except (FieldUnavailableError, UnreadableError, MissingExtraError) as error:
            self._refuse(404, str(error))
            return
        except (StoreError, DataFileError, OSError) as error:
            log.warning("No file: %s", error)
            self._refuse(503, f"This view cannot be read: {error}")
            return
        except Exception:
            log.exception("The file could not be made")
            self._refuse(500, "The file could not be made: an error of this program.")
            return
        self.set_header("Content-Type", content_type)
        self.set_header("Cache-Control", "no-store")
        stem, ending = kind.split(".")
        said = "" if stem == "map" else f"_{stem}"
        self.set_header("Content-Disposition", f'attachment; filename="{name}{said}.{ending}"')
        self.finish(content)

    def _refuse(self, status: int, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(without_paths(text) + "\n")

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self._refuse(status_code, self._reason)


DOWNLOADS: list[tuple[str, type[RequestHandler]]] = [(r"/take/([a-z.]{1,20})", DownloadHandler)]
