"""``cranpm dashboard``: serve the page, from a checkout or from an installed package."""

from __future__ import annotations

import os
import runpy
import socket
import sys
import webbrowser
from importlib.util import find_spec
from typing import Annotated

import typer

from cranpm import extras, paths
from cranpm.cli.console import console, plain_errors


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the server listens.")] = 5006,
    address: Annotated[
        str, typer.Option(help="Network address to listen at; another than this lets others see the page.")
    ] = "127.0.0.1",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="HOST:PORT in the address that people open, where a proxy stands before the server."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show/--no-show", help="Open a browser.")] = True,
) -> None:
    """Serve the dashboard until Ctrl-C: ``panel serve`` with this project's page."""
    with plain_errors():
        extras.require("dashboard", "The dashboard")
        refuse_unusable(address, port)
        page = _page()
    if show and not _has_browser():
        console.print(
            f"No browser was found on this machine. Open http://{_host(address)}:{port}/dashboard in one.",
            highlight=False,
            soft_wrap=True,
        )
        show = False
    sys.argv = [
        *("panel", "serve", page, "--address", address, "--port", str(port)),
        *(f"--allow-websocket-origin={allowed}" for allowed in _origins(address, port, origin or [])),
        *(["--show"] if show else []),
    ]
    runpy.run_module("panel", run_name="__main__", alter_sys=True)


def refuse_unusable(address: str, port: int) -> None:
    """Say clearly that the server could not listen there, before it trips over it.

    Raises
    ------
    OSError
        With what to do instead.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise OSError(
            f"{address!r} is no address of this machine ({error.strerror}); try 127.0.0.1."
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        if os.name != "nt":  # as the server will; on Windows it would take a port away from its owner
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            another = port + 1 if port < 65535 else port - 1
            make = f" (make dashboard PORT={another})" if paths.checkout() else ""
            raise OSError(
                f"Port {port} of {address} cannot be used ({error.strerror}). Stop what runs there, or choose another: "
                f"cranpm dashboard --port {another}{make}"
            ) from error


def _page() -> str:
    """Folder of the page: ``dashboard`` of the checkout, ``cranpm/dashboard`` where it is installed."""
    spec = find_spec("cranpm.dashboard")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("The page is not installed. In a checkout run 'make install'.")
    return spec.submodule_search_locations[0]


def _host(address: str) -> str:
    """How a browser on this machine reaches a listening address."""
    if address in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address


def _origins(address: str, port: int, others: list[str]) -> list[str]:
    """Hosts that a page may name as its own when it asks for a connection; all others are refused."""
    hosts = dict.fromkeys(["127.0.0.1", "localhost", _host(address)])
    if address in ("0.0.0.0", "::"):
        hosts[socket.gethostname()] = None
    return [*(f"{host}:{port}" for host in hosts), *others]


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
