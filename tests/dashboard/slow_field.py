"""``panel``, with a first field that is read at the worst moment: while a browser gets and mounts the page.

CRANPM_TEST_MOMENT is ``copied``, where the field arrives between the copy of the document and its way to the browser,
or ``sent``, where it arrives when the document has left the server and the browser mounts it.
"""

import asyncio
import os
import sys
import threading

from panel.command import main


def make_slow() -> None:
    """Put the delay into the program; imports it, as a server does."""
    from cranpm.dashboard.page import explorer
    from cranpm.dashboard.server.socket_handler import SocketHandler

    moment, arrives = os.environ["CRANPM_TEST_MOMENT"], threading.Event()
    handle, make_picture = SocketHandler._handle, explorer.make_picture

    async def handle_slowly(self, message):
        work = await handle(self, message)
        if message.msgtype == "PULL-DOC-REQ":
            if moment == "sent":
                asyncio.get_running_loop().call_later(0.05, arrives.set)
            else:
                arrives.set()
                await asyncio.sleep(2.0)  # time enough for the picture to be made and put into the document
        return work

    def make_late(*args):
        assert arrives.wait(120)
        return make_picture(*args)

    SocketHandler._handle, explorer.make_picture = handle_slowly, make_late


if __name__ == "__main__":
    make_slow()
    sys.exit(main(["panel", *sys.argv[1:]]))
