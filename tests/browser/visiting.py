"""Open pages, and what is asked of every one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page

WORD: Final = "W" * 10_000
SCRIPT: Final = "<script>window.hacked = true; alert('hacked')</script><img src=x onerror=\"window.hacked = true\">"

# Where the focus is: which of the page's links, folds and controls, and whether a ring shows it.
FOCUS: Final = """() => {
    const all = [...document.querySelectorAll("a[href], summary, button, input, select, textarea")]
    const seen = all.filter(each => each.checkVisibility({visibilityProperty: true}))
    const here = document.activeElement
    const style = getComputedStyle(here)
    const ring = here.matches(":focus-visible") &&
        (style.outlineStyle !== "none" && style.outlineWidth !== "0px" || style.boxShadow !== "none")
    return {count: seen.length, place: seen.indexOf(here), ring, left: here === document.body}
}"""


@dataclass
class Visit:
    """An open page, and what happened on it that should not."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)

    def unfold(self) -> None:
        """Open everything that is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")

    def overhang(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def brightness(self, name: str) -> float:
        """Return how bright the body's colour of that name is, from 0, black, to 1, white."""
        text = self.page.evaluate(f"getComputedStyle(document.body)[{name!r}]")
        red, green, blue = (float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3])
        return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255

    def findings(self) -> list[str]:
        """Return what axe-core calls serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    def tabbed(self) -> tuple[int, list[int], list[int]]:
        """Walk through the page by the tab key.

        Returns
        -------
        int
            How many links, folds and controls there are.
        list of int
            Those that were reached, in turn, as places in the document.
        list of int
            Those on which no ring was seen.
        """
        count: int = self.page.evaluate(FOCUS)["count"]
        places: list[int] = []
        hidden: list[int] = []
        for _ in range(3 * count + 20):
            self.page.keyboard.press("Tab")
            focus = self.page.evaluate(FOCUS)
            if focus["left"] or (places and focus["place"] == places[0]):
                break
            # What scrolls takes the focus as well, and is no link.
            if focus["place"] >= 0:
                places.append(focus["place"])
                hidden += [] if focus["ring"] else [focus["place"]]
        return count, places, hidden


@dataclass(frozen=True)
class Visitor:
    """Opens files, each in a context of its own, with the network off."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, path: Path, width: int = 1280, scheme: Any = "light", **options: Any) -> Visit:
        """Open a file in a window of that width."""
        viewport: Any = {"width": width, "height": 900}
        context = self.browser.new_context(viewport=viewport, color_scheme=scheme, offline=True, **options)
        self.contexts.append(context)
        visit = Visit(context.new_page())

        def dismiss(dialog: Dialog) -> None:
            visit.said.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        visit.page.on("console", lambda message: visit.said.append(f"console {message.type}: {message.text}"))
        visit.page.on("pageerror", lambda error: visit.said.append(f"error: {error}"))
        visit.page.on("dialog", dismiss)
        visit.page.on("request", lambda request: visit.asked_for.append(request.url))
        visit.page.goto(path.as_uri())
        return visit
