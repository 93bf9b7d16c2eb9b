"""What must hold of the built site: `python docs/check_site.py build/site` says what does not.

Sphinx checks the links that it makes; this reads the pages as a browser does. Links inside lead to
a file and to a place in it, nothing is loaded from elsewhere, every picture has words, every
formula is drawn, and every public symbol has its place.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
ELSEWHERE = re.compile(r"^\s*(https?:)?//")
IN_A_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.complaints: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at one element."""
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if values.get("rel") not in ("canonical", "prev", "next", "index", "search"):
            self.loads += [values[name] for name in LOADED.get(tag, ()) if name in values]
        if tag == "img" and not values.get("alt"):
            self.complaints.append(f"a picture without words: {values.get('src')}")
        if tag == "svg" and "plot" in values.get("class", "") and not values.get("aria-label"):
            self.complaints.append("a drawing without words")
        if tag == "merror":
            self.complaints.append("a formula that is not drawn")


def complaints(site: Path, symbols: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the pages of a folder, one line each."""
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if path != site / "report.html"  # it is tested by itself
    }
    found = [f"no pages in {site}"] if not pages else []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name}: {one}" for one in page.complaints]
        found += [f"{name}: loads {one}" for one in page.loads if ELSEWHERE.match(one)]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name}: leads nowhere: {link}")
            elif target in pages and unquote(parts.fragment) not in pages[target].places | {""}:
                found.append(f"{name}: leads to no such place: {link}")
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(site)}: loads {one}" for one in IN_A_STYLE.findall(text)]
    places = {place for page in pages.values() for place in page.places}
    found += [f"{name} is not in the reference" for name in symbols if name not in places]
    return found


def main() -> int:
    """For the command line."""
    sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
    import public_names

    site = Path(sys.argv[1]).resolve()
    found = complaints(site, tuple(public_names.public()))
    for one in found:
        print(one)
    if not found:
        count = len(list(site.rglob("*.html")))
        print(f"{site / 'index.html'}: {count} pages, nothing to complain of")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
