"""The page that `kvpager report --html` writes, opened in a browser: no script fails, nothing is loaded from anywhere,
its figures are those of `kvpager stats --json`, and it can be used by mouse, by keyboard and without scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import browser

REPOSITORY = Path(__file__).resolve().parents[4]
KVPAGER = os.environ.get("KVPAGER") or str(REPOSITORY / ".build/debug/kvpager")
GOLDEN = REPOSITORY / "data/golden/inspected-v1/data.mdb"
SAMPLE = REPOSITORY / "data/samples/smollm2-135m_48tok_q8_0_fa.v4.ggsq"
#: Names that would do harm as markup, as a script's text, in an attribute, or by how they are written.
HOSTILE = [
    "</script><script>window.harmed = 1</script>",
    "\"><img src=x onerror='window.harmed = 2'>",
    "' onfocus='window.harmed = 3' autofocus='",
    "<!--", "]]>", "&lt;b&gt;", "`${window.harmed = 4}`",
    "line\u2028separator", "right\u202eto left", "{{7*7}}", "é 漢字 😀",
]


def kvpager(*arguments: str | Path, expecting: int = 0) -> str:
    done = subprocess.run(
        [KVPAGER, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != expecting:
        raise AssertionError(f"kvpager {arguments} ends with {done.returncode}: {done.stderr}")
    return done.stdout


class PageCase(unittest.TestCase):
    chromium: browser.Browser

    @classmethod
    def setUpClass(cls) -> None:
        path = browser.find()
        if path is None:
            message = "no chromium, and it may not be installed here: the page is not opened"
            if os.environ.get("KVPAGER_REQUIRE_MODEL") == "1":
                raise AssertionError(message)
            raise unittest.SkipTest(message)
        cls._folder = tempfile.TemporaryDirectory(prefix="kvpager-report-")
        cls.addClassCleanup(cls._folder.cleanup)
        cls.folder = Path(cls._folder.name)
        cls.make()
        cls.chromium = browser.Browser(path)
        cls.addClassCleanup(cls.chromium.close)

    @classmethod
    def make(cls) -> None:
        """Makes the store and its page."""

    @classmethod
    def golden(cls) -> Path:
        store = cls.folder / "store"
        store.mkdir()
        shutil.copy(GOLDEN, store)
        return store

    def show(self, page: Path, width: int = 1280, scheme: str = "light", scripts: bool = True) -> None:
        self.chromium.complaints.clear()
        self.chromium.requests.clear()
        self.chromium.set_scripts(scripts)
        self.chromium.resize(width, 900, scheme)
        self.chromium.open(page)

    def tearDown(self) -> None:
        if self.chromium.complaints:
            self.fail(f"the page complains: {self.chromium.complaints}")
        loaded = [url for url in self.chromium.requests if not url.startswith(("file:", "data:"))]
        self.assertEqual(loaded, [], "the page loads something")
        self.assertLessEqual(sum(url.startswith("file:") for url in self.chromium.requests), 1, "more than itself")

    def value(self, expression: str) -> Any:
        return self.chromium.value(expression)


class TheGoldenStore(PageCase):
    @classmethod
    def make(cls) -> None:
        cls.store = cls.golden()
        cls.page = cls.folder / "page.html"
        kvpager("report", "--html", cls.page, "--store", cls.store)

    def test_the_figures_are_those_of_stats(self) -> None:
        self.show(self.page)
        stats = json.loads(kvpager("stats", "--json", "--store", self.store))
        figures = self.value(
            "[...document.querySelectorAll('[data-figure]')].map((node) => [node.dataset.figure, Number(node.value)])")
        self.assertGreaterEqual(
            {name for name, _ in figures},
            {"sessions", "tokens", "blocks.unique", "blocks.references", "bytes.logical", "bytes.unique",
             "bytes.compressed", "bytes.disk", "bytes.file"})
        for name, shown in figures:
            wanted = stats
            for part in name.split("."):
                wanted = wanted[part]
            self.assertEqual(shown, wanted, name)

    def test_the_parts_of_the_file_add_up_to_it(self) -> None:
        self.show(self.page)
        parts = self.value(
            "[...document.querySelectorAll('#bytes .keys data')].reduce((sum, node) => sum + Number(node.value), 0)")
        self.assertEqual(parts, (self.store / "data.mdb").stat().st_size)

    def test_no_width_makes_the_page_scroll_sideways(self) -> None:
        for width in (320, 400, 700, 1024, 1280, 1920):
            for scheme in ("light", "dark"):
                self.show(self.page, width, scheme)
                self.assertLessEqual(self.value("document.documentElement.scrollWidth"), width)

    # The prefix tree.

    def place(self, index: int) -> list[float]:
        return self.value(
            f"(() => {{ const box = document.querySelectorAll('.node')[{index}].getBoundingClientRect();"
            " const all = document.querySelector('.icicle > svg').getBoundingClientRect();"
            " return [(box.x - all.x) / all.width, box.width / all.width]; })()")

    def shown(self) -> int:
        return self.value("[...document.querySelectorAll('.node')].filter((n) => n.style.display !== 'none').length")

    def test_a_click_zooms_into_the_tree_and_escape_out_again(self) -> None:
        self.show(self.page)
        all_nodes, before = self.shown(), self.place(2)
        self.assertLess(before[1], 0.9)
        self.chromium.click(".node", 2)
        self.assertAlmostEqual(self.place(2)[0], 0, places=3)
        self.assertAlmostEqual(self.place(2)[1], 1, places=3)
        self.assertLess(self.shown(), all_nodes)
        self.assertEqual(self.value("document.querySelectorAll('[data-trail] button').length"), 3)
        self.chromium.press("Escape")
        self.chromium.press("Escape")
        self.assertEqual(self.shown(), all_nodes)
        self.assertAlmostEqual(self.place(2)[1], before[1], places=3)

    def test_the_path_above_the_tree_zooms_out(self) -> None:
        self.show(self.page)
        all_nodes = self.shown()
        self.chromium.click(".node", 2)
        self.chromium.click("[data-trail] button", 0)
        self.assertEqual(self.shown(), all_nodes)
        self.assertEqual(self.value("document.activeElement.getAttribute('aria-current')"), "location")

    def test_the_keyboard_walks_the_tree_and_zooms(self) -> None:
        self.show(self.page)
        self.value("document.querySelector('.node').focus()")
        index = "[...document.querySelectorAll('.node')].indexOf(document.activeElement)"
        walked = []
        for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft"):
            self.chromium.press(key)
            walked.append(self.value(index))
        self.assertEqual(walked[:2], [1, 2])
        self.assertNotIn(walked[2], walked[:2])
        self.assertEqual(walked[3], 2)
        self.assertIn("64 tokens", self.value("document.querySelector('[data-readout]').textContent"))
        self.chromium.press("Enter")
        self.assertAlmostEqual(self.place(2)[1], 1, places=3)
        self.assertEqual(self.value(index), 2)
        self.chromium.press("Home")
        self.assertEqual(self.value(index), 0)
        # One box of all is a stop of the Tab key.
        self.assertEqual(self.value("document.querySelectorAll('.node[tabindex=\"0\"]').length"), 1)

    def test_children_lie_below_their_parent_and_fit_it(self) -> None:
        self.show(self.page)
        boxes = self.value(
            "[...document.querySelectorAll('.node')].map((node) => { const box = node.getBoundingClientRect();"
            " return [Number(node.getAttribute('aria-level')), box.left, box.right, Number(node.dataset.weight)]; })")
        path: list[list[float]] = []
        for level, left, right, weight in boxes:
            path = path[: level - 1]
            if path:
                parent = path[-1]
                self.assertGreaterEqual(left, parent[1] - 0.5)
                self.assertLessEqual(right, parent[2] + 0.5)
                self.assertAlmostEqual(
                    (right - left) / (parent[2] - parent[1]), weight / parent[3], delta=0.01)
            path.append([level, left, right, weight])
        self.assertEqual(
            boxes[0][3], json.loads(kvpager("stats", "--json", "--store", self.store))["bytes"]["compressed"])

    # The tables.

    def column(self, number: int) -> list[Any]:
        return self.value(
            "[...document.querySelectorAll('#sessions tbody tr')].map((row) => { const cell ="
            f" row.cells[{number}]; const data = cell.querySelector('data');"
            " return data ? Number(data.value) : cell.querySelector('bdi, time')?.textContent ?? cell.textContent; })")

    def test_a_click_on_a_title_sorts_the_table(self) -> None:
        self.show(self.page)
        for number in (2, 4, 5):
            self.chromium.click("#sessions thead button", number)
            self.assertEqual(self.column(number), sorted(self.column(number), reverse=True))
            self.assertEqual(self.sorted_by(), [[number, "descending"]])
            self.chromium.click("#sessions thead button", number)
            self.assertEqual(self.column(number), sorted(self.column(number)))
        self.chromium.click("#sessions thead button", 0)
        names = self.column(0)
        self.assertEqual(names, sorted(names))
        listed = json.loads(kvpager("sessions", "--json", "--store", self.store))["sessions"]
        self.assertEqual(sorted(names), sorted(session["name"] for session in listed))

    def sorted_by(self) -> list[Any]:
        return self.value(
            "[...document.querySelectorAll('#sessions th[aria-sort]')].map((head, index) =>"
            " [index, head.getAttribute('aria-sort')]).filter((entry) => entry[1] !== 'none')")

    def test_enter_sorts_as_a_click_does(self) -> None:
        self.show(self.page)
        self.value("document.querySelectorAll('#sessions thead button')[2].focus()")
        self.chromium.press("Enter")
        self.assertEqual(self.sorted_by(), [[2, "descending"]])

    # Who reads it, and how.

    def test_it_says_everything_without_scripts(self) -> None:
        self.show(self.page, scripts=False)
        visible = "(node) => node.checkVisibility()"
        self.assertEqual(self.value(f"[...document.querySelectorAll('.scripted')].filter({visible}).length"), 0)
        self.assertGreater(self.value(f"[...document.querySelectorAll('.node text')].filter({visible}).length"), 5)
        self.assertIn("64 tokens, 4 sessions", self.value("document.querySelector('.icicle svg').textContent"))
        for section in ("health", "bytes", "tree", "sharing", "compression", "use", "sessions", "spaces"):
            self.assertTrue(self.value(f"document.querySelector('#{section}').checkVisibility()"), section)

    def test_headings_landmarks_and_names_are_in_order(self) -> None:
        self.show(self.page)
        levels = self.value("[...document.querySelectorAll('h1, h2, h3, h4')].map((node) => Number(node.tagName[1]))")
        self.assertEqual((levels[0], levels.count(1)), (1, 1))
        self.assertTrue(all(after <= before + 1 for before, after in zip(levels, levels[1:])), levels)
        self.assertEqual(
            self.value("['header', 'nav', 'main', 'footer'].map((n) => document.querySelectorAll(n).length)"), [1] * 4)
        unnamed = self.value(
            "[...document.querySelectorAll('svg[role=img], svg[role=tree], [role=region], nav, section')].filter((n) =>"
            " !n.getAttribute('aria-label') && !document.getElementById(n.getAttribute('aria-labelledby'))).length")
        self.assertEqual(unnamed, 0)
        self.assertEqual(self.value("[...document.querySelectorAll('button')].filter((b) => !b.textContent).length"), 0)
        self.assertEqual(
            self.value("new Set([...document.querySelectorAll('[id]')].map((n) => n.id)).size"),
            self.value("document.querySelectorAll('[id]').length"))
        self.chromium.press("Tab")
        self.assertEqual(self.value("document.activeElement.className"), "skip")
        self.chromium.press("Enter")
        self.assertEqual(self.value("document.activeElement.id"), "content")

    def test_every_figure_has_its_table(self) -> None:
        self.show(self.page)
        bare = self.value(
            "[...document.querySelectorAll('figure')].filter((n) => !n.querySelector('table, .keys')).length")
        self.assertEqual(bare, 0)
        self.assertGreaterEqual(self.value("document.querySelectorAll('figure').length"), 8)

    def test_text_can_be_read_on_what_it_stands_on(self) -> None:
        for scheme in ("light", "dark"):
            self.show(self.page, 1280, scheme)
            self.value("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
            poor = self.value(CONTRAST)
            self.assertEqual(poor, [], scheme)

    def test_the_switch_changes_the_theme(self) -> None:
        self.show(self.page, 1280, "light")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = self.value(ground)
        self.chromium.click("[data-theme-switch]")
        self.assertEqual(self.value(ground), light)
        self.chromium.click("[data-theme-switch]")
        self.assertEqual(self.value("document.documentElement.dataset.theme"), "dark")
        self.assertNotEqual(self.value(ground), light)
        self.chromium.click("[data-theme-switch]")
        self.assertEqual(self.value(ground), light)

    def test_on_paper_it_is_light_and_all_tables_are_open(self) -> None:
        self.show(self.page, 1280, "dark")
        self.chromium.resize(794, 1100, "dark", media="print")
        closed = self.value(
            "[...document.querySelectorAll('details table')].filter((node) =>"
            " node.getBoundingClientRect().height < 20).length")
        self.assertEqual(closed, 0)
        self.assertEqual(self.value("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        self.assertEqual(self.value("getComputedStyle(document.querySelector('nav')).display"), "none")
        self.assertEqual(
            self.value("[...document.querySelectorAll('.scripted')].filter((n) => n.checkVisibility()).length"), 0)
        self.assertTrue(self.chromium.paper().startswith(b"%PDF"))

    def test_its_policy_forbids_what_it_does_not_bring(self) -> None:
        self.show(self.page)
        self.value(
            "new Promise((done) => { const node = document.createElement('script');"
            " node.textContent = 'window.harmed = 1'; document.body.append(node); setTimeout(done, 50); })")
        self.assertIsNone(self.value("window.harmed ?? null"))
        self.assertTrue(self.chromium.complaints, "the policy does not even complain")
        self.chromium.complaints.clear()


class NamesThatDoHarm(PageCase):
    @classmethod
    def make(cls) -> None:
        cls.store, cls.page = cls.folder / "<b>store", cls.folder / "page.html"
        for index, name in enumerate(HOSTILE):
            kvpager(
                "import", SAMPLE, "--store", cls.store, "--session", name, "--model", "<i>model</i>" + HOSTILE[0],
                "--metadata", f"title={HOSTILE[-1 - index]}")
        kvpager("report", "--html", cls.page, "--store", cls.store)

    def test_they_are_text_and_nothing_else(self) -> None:
        self.show(self.page)
        for _ in range(2):
            self.chromium.press("Tab")
        self.chromium.click(".node", 2)
        self.assertIsNone(self.value("window.harmed ?? null"))
        self.assertEqual(self.value("document.querySelectorAll('img, i, b, main script').length"), 0)
        self.assertEqual(self.value("document.querySelectorAll('script').length"), 2)
        names = self.value("[...document.querySelectorAll('#sessions tbody th > bdi')].map((n) => n.textContent)")
        wanted = [
            name.replace("\u2028", "\\u{2028}").replace("\u202e", "\\u{202e}") for name in HOSTILE
        ]
        self.assertEqual(sorted(names), sorted(wanted))
        self.assertEqual(self.value("document.querySelector('h1').textContent"), "<b>store")


class ADamagedStore(PageCase):
    @classmethod
    def make(cls) -> None:
        store = cls.golden()
        path = store / "data.mdb"
        size = path.stat().st_size
        os.truncate(path, size - size // 3 // 4096 * 4096)
        cls.page = cls.folder / "page.html"
        kvpager("report", "--html", cls.page, "--store", store, expecting=1)

    def test_its_page_says_what_can_be_told(self) -> None:
        self.show(self.page)
        text = self.value("document.body.innerText")
        self.assertIn("Damaged", text)
        self.assertIn("kvpager salvage", text)
        self.assertIn("Whole blocks", text)
        self.assertEqual(self.value("document.querySelectorAll('section').length"), 1)


#: HTML text whose contrast with the ground below it is under 4.5, in the page as it is shown.
CONTRAST = """
(() => {
  const part = (value) => { const x = value / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || node.closest('svg, script, style')) continue;
    if (!node.checkVisibility()) continue;
    let ground = null;
    for (let outer = node; outer && !ground; outer = outer.parentElement) {
      const color = numbers(getComputedStyle(outer).backgroundColor);
      if (color.length === 3 || color[3] === 1) ground = color;
    }
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(ground ?? [255, 255, 255])];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.push(contrast.toFixed(2) + ' ' + node.textContent.slice(0, 40));
  }
  return poor;
})()
"""

if __name__ == "__main__":
    unittest.main()
