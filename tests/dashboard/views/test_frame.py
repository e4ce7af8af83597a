"""Who arrives with a phone."""

from __future__ import annotations

import pytest
from cranpm.dashboard.views.frame import on_phone

ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("headers", "phone"),
    [
        ({"Sec-CH-UA-Mobile": "?1"}, True),
        ({"sec-ch-ua-mobile": "?0", "user-agent": LINUX}, False),
        ({"User-Agent": ANDROID}, True),
        ({"User-Agent": IPHONE}, True),
        ({"User-Agent": LINUX}, False),
        ({}, False),
        ({"User-Agent": [ANDROID]}, True),
    ],
)
def test_a_browser_says_whether_it_is_a_phones(headers: dict[str, str | list[str]], phone: bool):
    assert on_phone(headers) is phone
