"""A headless Chromium, and report pages for it to open.

The browser is Debian's: nothing is downloaded for these tests. Every page is watched: it may load
itself and nothing else, and may not complain.
"""

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from theory_checks.report.page import write_report

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# Longer than any pause of a busy machine; nothing here waits for time to pass.
PATIENCE_MS = 120_000
RESULTS = Path(__file__).parent / "results.json"


@pytest.fixture(scope="session")
def browser():
    """One browser for the session; its profile is a new empty folder."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SWITCHES), timeout=PATIENCE_MS
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def results():
    """The results of eight claims of two papers, and of methods side by side."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def report(results, tmp_path_factory):
    """The address of their report."""
    return _report(results, tmp_path_factory)


@pytest.fixture(scope="session")
def large_report(results, tmp_path_factory):
    """The address of a report on 240 claims."""
    copies = [
        claim
        | {"id": f"{claim['id']}-{copy}", "checkpoints": None, "pairs_with": []}
        | dict.fromkeys(("mean", "lower", "upper", "bound"))
        for copy in range(30)
        for claim in results["claims"]
    ]
    return _report(results | {"claims": copies}, tmp_path_factory)


def _report(results, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    (directory / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return write_report(directory).as_uri()


@pytest.fixture
def open_page(browser):
    """Opens pages in contexts of their own, and finds out whether they kept to themselves."""
    contexts, requests, complaints, addresses = [], [], [], set()

    def visit(address: str, **options) -> Page:
        context = options.pop("context", None)
        if context is None:
            context = browser.new_context(**options)
            context.set_default_timeout(PATIENCE_MS)
            contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        addresses.add(address.split("?")[0].split("#")[0])
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url.split("?")[0].split("#")[0] for url in requests} <= addresses
