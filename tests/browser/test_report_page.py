"""The report in a real browser: filtered, linked, recoloured, narrow, printed, scriptless."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import matplotlib.image
import pytest

PHONE = {"viewport": {"width": 390, "height": 844}}
VISIBLE = "(all) => all.filter((one) => one.checkVisibility()).map((one) => one.%s)"


def rows(page):
    """The ids in the table of verdicts that can be seen."""
    return page.locator("tr.claim").evaluate_all(VISIBLE % "dataset.id")


def sections(page):
    """The ids of the claims and methods side by side whose sections can be seen."""
    return page.locator("section.claim").evaluate_all(VISIBLE % "id")


def bright_marks(page):
    """The ids of the claims that stand out in the overview."""
    links = page.locator("#overview svg a").evaluate_all(
        "(all) => all.filter((one) => getComputedStyle(one).opacity === '1')"
        ".map((one) => one.getAttribute('href'))"
    )
    return [link.removeprefix("#") for link in links]


def shown(page):
    return page.locator("#shown").inner_text()


def headings(page):
    return page.locator("h2.paper").evaluate_all(VISIBLE % "textContent")


def address(page):
    """What the address bar says now; the driver's own copy may lag behind."""
    return page.evaluate("location.href")


def choose(page, **values):
    for name, value in values.items():
        if name == "q":
            page.locator("[name=q]").fill(value)
        else:
            page.locator(f"[name={name}]").select_option(value)


def ids(results, keep=lambda claim: True):
    """Claims in the order of the page: papers, and in them theorems, as they first appear."""
    kept = [claim for claim in results["claims"] if keep(claim)]
    papers = list(dict.fromkeys(claim["paper"] for claim in kept))
    theorems = list(dict.fromkeys(claim["theorem"] for claim in results["claims"]))
    kept.sort(key=lambda c: (papers.index(c["paper"]), theorems.index(c["theorem"])))
    return [claim["id"] for claim in kept]


def is_in_view(page, identifier):
    return page.evaluate(
        "(id) => { const box = document.getElementById(id).getBoundingClientRect();"
        " return box.top >= 0 && box.top < innerHeight / 2; }",
        identifier,
    )


# --- finding -------------------------------------------------------------------------------------


def test_at_first_everything_is_shown(open_page, report, results):
    page = open_page(report)
    assert rows(page) == ids(results)
    assert set(sections(page)) == {*ids(results), "rivers/compare/all"}
    assert bright_marks(page) == ids(results)
    assert shown(page) == "8 claims"
    assert page.locator("#filter").is_visible()
    assert not page.locator("#nothing").is_visible()
    assert page.locator("[name=clear]").is_disabled()


def test_every_row_of_every_table_is_shown(open_page, report):
    page = open_page(report)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    heights = page.evaluate(
        "[...document.querySelectorAll('td')].map((cell) => cell.getBoundingClientRect().height)"
    )
    inside = page.locator("section.claim tbody tr").count()
    assert inside > 20, "constants, controls and numbers are rows inside the claims"
    assert len(heights) > inside
    assert min(heights) > 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("survivor", ["birds/wren/survivor"]),
        ("EXACTLY", ["birds/finch/identity"]),
        ("b10", ["birds/wren/broken"]),
        ("bound false", ["birds/wren/broken"]),
        ("  room   birds ", ["birds/wren/vacuous"]),
        ("rivers/f", ["rivers/finch/floor"]),
        (r"\lambda", ["birds/finch/convex-rate"]),
    ],
)
def test_search_is_for_all_words_in_id_title_and_theorem(open_page, report, words, found):
    page = open_page(report)
    choose(page, q=words)
    assert rows(page) == sections(page) == bright_marks(page) == found
    assert shown(page) == "1 of 8 claims"
    assert len(headings(page)) == 1, "a chapter without a claim in it is left out"


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("paper", "birds", lambda claim: claim["id"].split("/")[0]),
        ("paper", "rivers", lambda claim: claim["id"].split("/")[0]),
        *(("verdict", word, lambda claim: claim["verdict"])
          for word in ("CONSISTENT", "REFUTED", "INCONCLUSIVE")),
        *(("algorithm", word, lambda claim: claim["algorithm"])
          for word in ("finch", "wren", "otter")),
    ],
)  # fmt: skip
def test_each_filter(open_page, report, results, name, value, key):
    page = open_page(report)
    expected = ids(results, lambda claim: key(claim) == value)
    choose(page, **{name: value})
    assert rows(page) == bright_marks(page) == expected
    beside = ["rivers/compare/all"] if value == "rivers" else []
    assert sections(page) == [*expected, *beside], "side by side: no verdict, no algorithm"
    assert shown(page) == f"{len(expected)} of 8 claims"


def test_filters_together_and_none_again(open_page, report, results):
    page = open_page(report)
    choose(page, paper="birds", verdict="CONSISTENT", algorithm="wren")
    assert rows(page) == ["birds/wren/vacuous", "birds/wren/survivor"]
    choose(page, q="room")
    assert rows(page) == ["birds/wren/vacuous"]
    page.locator("[name=clear]").click()
    assert rows(page) == ids(results)
    assert shown(page) == "8 claims"
    assert page.evaluate("document.activeElement.name") == "q"


def test_nothing_found_says_so_and_offers_a_way_out(open_page, report, results):
    page = open_page(report)
    choose(page, q="albatross")
    assert rows(page) == sections(page) == bright_marks(page) == headings(page) == []
    assert shown(page) == "0 of 8 claims"
    assert not page.locator("table.verdicts").is_visible()
    assert "No claim matches." in page.locator("#nothing").inner_text()
    page.locator("#nothing button").click()
    assert rows(page) == ids(results)
    assert not page.locator("#nothing").is_visible()


def test_two_hundred_claims(open_page, large_report):
    page = open_page(large_report)
    assert shown(page) == "240 claims"
    assert len(bright_marks(page)) == 240
    choose(page, q="-17", verdict="REFUTED")
    assert rows(page) == ["birds/wren/broken-17"]


# --- the address ---------------------------------------------------------------------------------


def test_the_address_holds_the_filter(open_page, report):
    page = open_page(report)
    choose(page, q="a & b=c #1 %", paper="birds", verdict="REFUTED", algorithm="wren")
    assert parse_qs(urlsplit(address(page)).query) == {
        "q": ["a & b=c #1 %"], "paper": ["birds"], "verdict": ["REFUTED"], "algorithm": ["wren"],
    }  # fmt: skip
    choose(page, q="bound")
    again = open_page(address(page))
    values = "[...document.getElementById('filter').elements].map((one) => one.value)"
    assert again.evaluate(values) == page.evaluate(values)
    assert rows(again) == rows(page) == ["birds/wren/broken"]
    again.locator("[name=clear]").click()
    assert address(again) == report


def test_choices_that_the_page_does_not_offer_are_none(open_page, report):
    page = open_page(f"{report}?paper=fishes&verdict=FINE&algorithm=<b>&q=wren&more=1")
    assert rows(page) == ["birds/wren/vacuous", "birds/wren/broken", "birds/wren/survivor"]
    for name in ("paper", "verdict", "algorithm"):
        assert page.locator(f"[name={name}]").evaluate("(one) => one.selectedIndex") == 0, "any"
    choose(page, q="wren broken")
    assert parse_qs(urlsplit(address(page)).query) == {"q": ["wren broken"], "more": ["1"]}


def test_a_link_to_a_claim_that_the_filter_leaves_out(open_page, report):
    page = open_page(f"{report}?verdict=REFUTED#rivers/otter/open")
    assert sections(page) == ["birds/wren/broken", "rivers/otter/open"]
    assert rows(page) == ["birds/wren/broken"]
    assert is_in_view(page, "rivers/otter/open")
    assert shown(page) == "1 of 8 claims, and the one in the address"
    choose(page, verdict="INCONCLUSIVE")
    choose(page, verdict="REFUTED")
    assert sections(page) == ["birds/wren/broken"], "another choice, another page"
    assert not urlsplit(address(page)).fragment


def test_links_on_the_page_find_what_is_left_out(open_page, report):
    page = open_page(f"{report}?q=vacuous")
    page.locator("section.claim .words a", has_text="convex-rate").first.click()
    page.wait_for_function(
        "() => document.getElementById('birds/finch/convex-rate').checkVisibility()"
    )
    assert is_in_view(page, "birds/finch/convex-rate")
    page.go_back()
    page.wait_for_function(
        "() => !document.getElementById('birds/finch/convex-rate').checkVisibility()"
    )
    assert sections(page) == rows(page) == ["birds/wren/vacuous"]


def test_every_column_of_the_overview_leads_to_its_claim(open_page, report, results):
    page = open_page(report)
    for number in (0, 3, 7):
        column = page.locator("#overview svg a").nth(number)
        column.scroll_into_view_if_needed()
        # In the column, away from its mark and its bar.
        box = column.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 0.7 * box["height"])
        identifier = ids(results)[number]
        page.wait_for_url(re.compile(re.escape("#" + identifier) + "$"))
        assert is_in_view(page, identifier)
        assert identifier in column.locator("title").text_content()
        page.evaluate("scrollTo(0, 0)")


# --- the keyboard --------------------------------------------------------------------------------


def test_the_keyboard_is_enough(open_page, report):
    page = open_page(report)
    focused = (
        "document.activeElement.name || document.activeElement.id"
        " || document.activeElement.className"
    )
    order = []
    while "algorithm" not in order and len(order) < 60:
        page.keyboard.press("Tab")
        order.append(page.evaluate(focused))
    boxes = ["id"] * 3  # the links to what is not as expected, and to what is undecided
    assert order[:5] == ["skip", "theme", *boxes]
    # Between them and the filter stand the links of the theorems' tables.
    controls = [one for one in order[5:] if one not in ("", "id")]
    assert controls == ["q", "paper", "verdict", "algorithm"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("#birds/finch/convex-rate$"))
    page.keyboard.press("/")
    page.keyboard.type("slope")
    assert page.evaluate(focused) == "q"
    assert rows(page) == ["rivers/otter/slope"]
    page.keyboard.press("Enter")
    page.keyboard.type("/")
    assert page.locator("[name=q]").input_value() == "slope/"
    page.keyboard.press("Tab")
    page.keyboard.press("R")
    assert page.locator("[name=paper]").input_value() == "rivers"


# --- light and dark ------------------------------------------------------------------------------

COLOURS = """() => {
  const style = (query) => getComputedStyle(document.querySelector(query));
  return [style("body").backgroundColor, style("body").color,
          style("#overview svg a use").fill, style("#filter input").backgroundColor];
}"""


def test_the_theme_button_turns_the_page_and_is_remembered(open_page, report):
    page = open_page(report, color_scheme="light")
    button = page.locator("#theme")
    light = page.evaluate(COLOURS)
    assert light[0] == "rgb(255, 255, 255)"
    assert button.inner_text() == "Dark page"
    button.click()
    dark = page.evaluate(COLOURS)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert button.inner_text() == "Light page"
    page.reload()
    assert page.evaluate(COLOURS) == dark
    assert open_page(report, context=page.context).evaluate(COLOURS) == dark
    button.click()
    page.reload()
    assert page.evaluate(COLOURS) == light

    by_system = open_page(report, color_scheme="dark")
    assert by_system.evaluate(COLOURS) == dark
    by_system.locator("#theme").click()
    by_system.reload()
    assert by_system.evaluate(COLOURS) == light
    by_system.emulate_media(color_scheme="light")
    assert by_system.evaluate(COLOURS) == light


# --- narrow, printed, scriptless -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["report", "large_report"])
def test_a_phone_does_not_scroll_sideways(open_page, request, name):
    page = open_page(request.getfixturevalue(name), **PHONE)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = page.locator("body *").evaluate_all(
        "(all) => all.filter((one) => one.checkVisibility()"
        " && one.getBoundingClientRect().right > 390.5"
        " && !one.closest('.scroll, blockquote, math, .hidden, svg'))"
        ".map((one) => one.outerHTML.slice(0, 99))"
    )
    assert outside == []
    wide = page.locator(".scroll").evaluate_all(
        "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    assert wide > 0, "what is wide scrolls inside its own box"
    choose(page, q="broken", verdict="REFUTED")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_desktop_does_not_scroll_sideways(open_page, report):
    page = open_page(report, viewport={"width": 1280, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_paper_shows_everything_in_black_on_white(open_page, report, results):
    page = open_page(f"{report}?verdict=REFUTED", color_scheme="dark")
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert rows(page) == ["birds/wren/broken"]
    page.emulate_media(media="print")
    assert rows(page) == bright_marks(page) == ids(results)
    assert len(sections(page)) == 9
    assert len(headings(page)) == 2
    assert page.evaluate(COLOURS)[0] == "rgb(255, 255, 255)"
    for query in ("#filter", "#theme", "#nothing", ".skip"):
        assert not page.locator(query).is_visible()
    numbers = page.locator("details table.numbers")
    assert numbers.count() > 0
    assert all(
        numbers.evaluate_all(
            "(all) => all.map((one) => one.checkVisibility({contentVisibilityAuto: true}))"
        )
    )
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_paper_cuts_nothing_off(open_page, large_report):
    page = open_page(large_report, viewport={"width": 718, "height": 1000})  # A4 but for margins
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    outside = page.locator("table").evaluate_all(
        "(all) => all.filter((one) => one.getBoundingClientRect().right > 719)"
        ".map((one) => one.className)"
    )
    assert outside == []


def test_without_scripts_everything_is_there(open_page, report, results):
    page = open_page(f"{report}?verdict=REFUTED#rivers/otter/open", java_script_enabled=False)
    for query, count in (("tr.claim", 8), ("section.claim", 9), ("h2.paper", 2)):
        found = page.locator(query)
        assert found.count() == count
        assert all(found.nth(index).is_visible() for index in range(count))
    assert not page.locator("#filter").is_visible()
    assert not page.locator("#theme").is_visible()
    assert not page.locator("#nothing").is_visible()
    links = page.locator("#overview svg a")
    assert [links.nth(i).get_attribute("href") for i in range(8)] == [f"#{i}" for i in ids(results)]


def test_the_page_is_not_allowed_to_load_anything(browser, report):
    context = browser.new_context()
    page = context.new_page()
    finished, failed = [], []
    page.on("requestfinished", lambda request: finished.append(request.url))
    page.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    page.goto(report)
    image = "https://elsewhere.invalid/pixel.png"
    page.evaluate(
        """(image) => new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", resolve);
          new Image().src = image;
        }).then(() => null)""",
        image,
    )
    context.close()
    assert finished == [report]
    assert failed == [(image, "csp")]


def test_the_screenshot_shows_the_first_screen(report, tmp_path):
    script = Path(__file__).parents[2] / "docs" / "screenshot.py"
    picture = tmp_path / "report.png"
    page = urlsplit(report).path
    subprocess.run([sys.executable, script, page, picture], check=True)
    assert matplotlib.image.imread(picture).shape[:2] == (1200, 1440)


def test_a_claim_quotes_the_statement_that_the_page_holds_once(open_page, report):
    page = open_page(report)
    quoting = page.locator("[data-quotes]")
    for number in range(quoting.count()):
        one = quoting.nth(number)
        there = page.locator(f'[id="{one.get_attribute("data-quotes")}"] blockquote')
        words = one.text_content()
        assert len(words) > 20
        assert not words.startswith("As ")
        assert there.text_content().startswith(words.rstrip())
