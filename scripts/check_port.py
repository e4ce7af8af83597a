"""Say clearly that a port is taken, before a server trips over it."""

from __future__ import annotations

import socket
import sys


def main(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            print(
                f"Port {port} cannot be used ({error.strerror}). "
                f"Stop what runs there, or choose another: make dashboard PORT={port + 1}",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
