"""axe-core in a page of the real browser: what of it keeps people out who see, hear, point or read otherwise.

Every rule of axe-core counts, those that are only good practice and the size of targets (WCAG 2.2, 2.5.8) included;
none is left out. It finds perhaps half of what can be wrong, and no wrong of what it finds: keyboards and widths are
looked at beside it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.browser import Page

PACKAGE: Final = Path(__file__).parent / "axe-core" / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES: Final = ("light", "dark")
WIDTHS: Final = (1100, 320)
"""In pixels. The narrow one is that of WCAG 2.2, 1.4.10: a page of 1280 at 400 %."""

_RUN: Final = """
axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })
  .then(({ violations }) => violations.map(({ id, impact, help, nodes }) => ({
    rule: id, impact, help, where: nodes.map(({ target, failureSummary }) => [target.flat(3).join(' '), failureSummary])
  })))
"""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of axe-core that a page breaks.

    Attributes:
        rule: its id, as in https://dequeuniversity.com/rules/axe.
        impact: minor, moderate, serious or critical.
        help: what the rule wants.
        where: by selector of the element, what is wrong there.
    """

    rule: str
    impact: str
    help: str
    where: Mapping[str, str]

    def __str__(self) -> str:
        """What a failed test shows."""
        places = "".join(f"\n  {selector}\n    {why}" for selector, why in self.where.items())
        return f"{self.rule} ({self.impact}): {self.help}{places}"


def axe(page: Page) -> list[Violation]:
    """Return what axe-core finds in a page as it is now; skip the test where it is not installed, in CI fail."""
    if not page.run("'axe' in window"):
        page.run(f"{_source()}; true")  # by the browser's own door: the page's policy stays as it is
    return [_violation(found) for found in page.run(_RUN)]


def barriers(page: Page) -> list[str]:
    """Return all that is wrong with a page as it is now, in each colour scheme and width; leave it as it was.

    That is what axe-core finds, and that it must be scrolled sideways.
    """
    return list(_barriers(page))


def _barriers(page: Page) -> Iterator[str]:
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.looks(width=width, scheme=scheme, still=True)
            yield from (f"{scheme}, {width} pixels: {violation}" for violation in axe(page))
            wide = page.run("document.documentElement.scrollWidth")
            if wide > width:
                yield f"{scheme}, {width} pixels: it is {wide} wide, so it scrolls sideways"
    page.looks()


def _violation(found: Mapping[str, Any]) -> Violation:
    return Violation(found["rule"], found["impact"] or "", found["help"], dict(found["where"]))


@cache
def _source() -> str:
    """Return axe-core's own script."""
    if not PACKAGE.exists():
        lacks = "no axe-core here: `tools/node-packages tests/e2e/axe-core` installs it"
        if os.environ.get("CI"):
            pytest.fail(lacks, pytrace=False)
        pytest.skip(lacks)
    return PACKAGE.read_text("utf-8")
