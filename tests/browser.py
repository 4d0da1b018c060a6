"""A real browser for the tests of pages: the system's headless Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TABLET = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@contextmanager
def browser() -> Iterator:
    """Chromium, closed with the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def tab(chromium, url: str, **options):
    """A fresh page of its own session. Patient: the machine may be busy."""
    context = chromium.new_context(base_url=url, **options)
    context.set_default_timeout(300_000)
    return context.new_page()


def serious_faults(page) -> list[str]:
    """What axe-core finds serious or critical on a page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
