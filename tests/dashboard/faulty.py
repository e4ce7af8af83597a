"""``panel``, with a dashboard in which everything fails that a link asks to fail, each time naming a file.

``region`` of the link names the door: ``paris`` breaks the page, ``balkans`` its way into the document, ``london`` the
first picture in a foreseen way, ``po_valley`` in an unforeseen one, ``iberia`` what happens when the page is open,
``silesia`` the click on a place. Tiles always fail.
"""

import sys
from pathlib import Path

from panel.command import main

SECRET = f"{Path(__file__).parent}/secret/weights.zarr"
DOORS = {
    "page": "paris",
    "document": "balkans",
    "foreseen": "london",
    "unforeseen": "po_valley",
    "opening": "iberia",
    "click": "silesia",
}


def break_everything() -> None:
    from cranpm.dashboard import pages
    from cranpm.dashboard.data.pictures import UnreadableError
    from cranpm.dashboard.page import explorer
    from cranpm.dashboard.page.map import PageMap
    from cranpm.dashboard.page.run import PageRun
    from cranpm.dashboard.server import routes

    build, settle, make = pages.build, explorer.settle_state, explorer.make_picture

    class Unservable:
        def servable(self, **_):
            raise RuntimeError(f"cannot render {SECRET}")

    def build_or_not():
        page = build()
        query = (pages.pn.state.session_args or {}).get("region", [b""])[0].decode()
        return Unservable() if query == DOORS["document"] else page

    def settle_or_not(state, store, notices):
        settle(state, store, notices)
        if state.region == DOORS["page"]:
            raise RuntimeError(f"cannot read '{SECRET}'")

    def make_or_not(store, state, *others):
        if state.region == DOORS["foreseen"]:
            raise UnreadableError(f"{SECRET} is damaged (see file://{SECRET})")
        if state.region == DOORS["unforeseen"]:
            raise ZeroDivisionError(SECRET)
        return make(store, state, *others)

    def open_or_not(self):
        if self._state.region == DOORS["opening"]:
            raise RuntimeError(f"no such file: {SECRET!r}")

    def pick(self, lat, lon):
        raise RuntimeError(f"no such file: {SECRET!r}")

    def draw(*_, **__):
        raise RuntimeError(f"cannot draw {SECRET}")

    pages.build, explorer.settle_state = build_or_not, settle_or_not
    explorer.make_picture, PageMap.pick = make_or_not, pick
    PageRun.open, routes.render_tile = open_or_not, draw


if __name__ == "__main__":
    break_everything()
    sys.exit(main(["panel", *sys.argv[1:]]))
