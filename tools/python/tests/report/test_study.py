"""The page that `kvpager study paging --html` writes, opened in a browser: no script fails, nothing is loaded from
anywhere, its figures are those of --json, and it can be read on a phone, on paper, in the dark and without scripts."""

from __future__ import annotations

import json
import unittest

import test_page


class TheStudy(test_page.PageCase):
    @classmethod
    def make(cls) -> None:
        cls.page = cls.folder / "study.html"
        trace = test_page.REPOSITORY / "data/traces/azure2023_conv.csv.zst"
        # A trace whose name would do harm as markup.
        cls.trace = cls.folder / "<img src=x onerror='window.harmed = 1'>.csv.zst"
        cls.trace.write_bytes(trace.read_bytes())
        answer = test_page.kvpager(
            "study", "paging", "--trace", cls.trace, "--token-time", "500", "--html", cls.page, "--json")
        cls.answer = json.loads(answer)

    def test_every_drawing_has_its_figures_as_a_table(self) -> None:
        self.show(self.page)
        bare = self.value(
            "[...document.querySelectorAll('main figure')].filter((figure) => !figure.querySelector('table')"
            " && !figure.closest('section').querySelector('table')).length")
        self.assertEqual(bare, 0)
        self.assertEqual(self.value("document.querySelectorAll('svg:not([aria-hidden])').length"), 0)

    def test_the_recommended_size_and_the_requests_are_those_of_the_answer(self) -> None:
        self.show(self.page)
        self.assertEqual(
            self.value("Number(document.querySelector('.tiles data').value)"),
            self.answer["recommendation"]["blockTokens"])
        admitted = self.value(
            "[...document.querySelectorAll('#requests tbody tr')].map((row) =>"
            " [row.cells[0].textContent, Number(row.cells[1].querySelector('data').value)])")
        wanted = [[p["policy"]["name"], p["requests"]["admitted"]] for p in self.answer["policies"]]
        self.assertEqual(admitted, wanted)

    def test_stacks_fill_their_width_and_no_more(self) -> None:
        self.show(self.page)
        widths = self.value(
            "[...document.querySelectorAll('#memory figure:first-of-type .bar')].map((bar) =>"
            " [...bar.querySelectorAll('rect')].reduce((sum, rect) => sum + parseFloat(rect.getAttribute('width')), 0))")
        self.assertGreaterEqual(len(widths), 14)
        for width in widths:
            self.assertAlmostEqual(width, 100, delta=0.05)

    def test_no_width_makes_the_page_scroll_sideways(self) -> None:
        for width in (320, 400, 700, 1024, 1280, 1920):
            for scheme in ("light", "dark"):
                self.show(self.page, width, scheme)
                self.assertLessEqual(self.value("document.documentElement.scrollWidth"), width)

    def test_a_traces_name_is_text(self) -> None:
        self.show(self.page)
        self.assertEqual(self.value("document.querySelector('h1').textContent"), self.trace.name)
        self.assertIsNone(self.value("window.harmed ?? null"))

    def test_it_says_the_same_without_scripts(self) -> None:
        self.show(self.page, scripts=False)
        self.assertGreater(self.value("document.querySelector('main').textContent.length"), 5_000)

    def test_columns_sort_by_keyboard(self) -> None:
        self.show(self.page)
        self.value("document.querySelector('#requests details').open = true")
        self.value("document.querySelectorAll('#requests thead button')[1].focus()")
        self.chromium.press("Enter")
        values = self.value(
            "[...document.querySelectorAll('#requests tbody tr')].map((row) =>"
            " Number(row.cells[1].querySelector('data').value))")
        self.assertEqual(values, sorted(values, reverse=True))


if __name__ == "__main__":
    unittest.main()
