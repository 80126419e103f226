"""How much a page has moved under its reader: Chromium's own measure (Layout Instability API)."""

from playwright.sync_api import Page

SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) shifts.push(one.value);
}).observe({ type: "layout-shift", buffered: true });"""


def shifted(tab: Page) -> float:
    """Return the sum of all shifts of a page so far, once it has been painted anew."""
    tab.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(go))))")
    total: float = tab.evaluate("shifts.reduce((sum, one) => sum + one, 0)")
    return total
