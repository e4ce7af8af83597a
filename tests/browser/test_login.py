"""A server with Panel's own login: nothing without it, everything with it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page


@pytest.fixture
def guarded(load_file: Callable[[str], ModuleType], machine: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Address of a dashboard with a password."""
    options = ("--basic-auth", "open sesame", "--cookie-secret", "a secret of these tests")
    with load_file("tests/dashboard/serving.py").served(machine, tmp_path / "log.txt", *options) as address:
        yield address


def log_in(tab: Page, password: str) -> None:
    tab.get_by_label("Name").fill("ada")
    tab.get_by_label("Password").fill(password)
    tab.keyboard.press("Enter")


def test_after_the_login_the_page_and_all_beside_it_are_there(
    tab: Page, guarded: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{guarded}/land/testbed/4/8/5.png")
    link = f"{guarded}/dashboard?layer=today&region=po_valley&init_time=2022-01-11"
    tab.goto(link)
    log_in(tab, "close sesame")
    page_tests.wait_for_text(tab, "That did not match.")
    screenshot("login")
    tab.goto(link)
    log_in(tab, "open sesame")
    page_tests.wait_for_url(tab, "/dashboard?", "layer=today")
    page_tests.wait_for_picture(tab, "_today_2022-01-11_")
    assert "µg/m³" in page_tests.read_off(tab, 45.2, 9.9)
    assert tab.problems == []  # type: ignore[attr-defined]
