"""`make report-check`: the HTML report in a real Chromium, from the bundled tape and from hostile frames.

python -m tests.report_check              check, and say what failed
python -m tests.report_check --pictures   also draw screenshots/report*.png
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from ebpftop.export.compared import Part, compare_parts, compare_tapes
from ebpftop.export.gathered import gather
from ebpftop.export.page.page import Page, html
from ebpftop.export.reporting import compared_page
from ebpftop.export.taped import Chapter, read
from ebpftop.frames.tape import TapeReader
from ebpftop.model.past.span import Span
from tests.support.chromium import Chromium
from tests.support.hostile import hostile

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "ebpftop" / "demo.tape"
FOLDER = ROOT / "screenshots"
TAB, ENTER = ("Tab", 9), ("Enter", 13)
PHONES = (320, 390)
SPANS = ((1.0, 17.0), (24.0, 54.0))  # of the bundled tape, compared

# The page's own colour behind an element, and how far two colours are apart (WCAG 2.1, contrast ratio).
_CONTRAST = """
(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parts(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const worst = {};
  const shown = "p, li, td, th, a, summary, dt, dd, h1, h2, h3, figcaption, pre, svg.chart text";
  for (const e of document.querySelectorAll(shown)) {
    const style = getComputedStyle(e);
    const front = light(parts(e instanceof SVGElement ? style.fill : style.color)), back = light(behind(e));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const name = e.tagName + "." + (e.getAttribute("class") || "");
    worst[name] = Math.min(worst[name] ?? 99, ratio);
  }
  return worst;
})()
"""

# Remembers what the page makes; `saved` presses the button of a picture and looks at the PNG: its size, its background,
# the picture's colours that it lacks, and how many pixels above the picture aren't background.
_WATCHED = """
window.blobs = [];
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => { blobs.push(blob); return make.call(URL, blob); };
window.saved = async (kind) => {
  const svg = document.querySelector(kind);
  blobs.length = 0;
  svg.parentElement.querySelector("button.save").click();
  while (!blobs.some((each) => each.type === "image/png")) await new Promise((done) => setTimeout(done, 20));
  const image = await createImageBitmap(blobs.find((each) => each.type === "image/png"));
  const canvas = new OffscreenCanvas(image.width, image.height), on = canvas.getContext("2d");
  on.drawImage(image, 0, 0);
  const pixels = on.getImageData(0, 0, image.width, image.height).data;
  const colours = new Set(), back = [...pixels.slice(0, 3)];
  let words = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const here = pixels[at] + "," + pixels[at + 1] + "," + pixels[at + 2];
    colours.add(here);
    if (at < pixels.length / image.height * 70 && here !== back.join()) words++;
  }
  const wanted = [...svg.querySelectorAll("path:not(.line), rect")].filter((e) => e.getBoundingClientRect().width > 4)
    .map((e) => getComputedStyle(e)).filter((s) => s.fillOpacity === "1").map((s) => s.fill.match(/\\d+/g)?.join());
  const missing = [...new Set(wanted)].filter((each) => each && !colours.has(each));
  return { back, words, missing, width: image.width, height: image.height };
};
"""


class Check:
    """One page in one browser; each method that begins with `check_` is one check."""

    def __init__(self, page: Path, trap: Path) -> None:
        self.page, self.trap = page, trap

    def run(self) -> int:
        """How many failed."""
        failed = 0
        checks: list[Callable[[], None]] = [getattr(self, name) for name in dir(self) if name.startswith("check_")]
        for check in checks:
            name = check.__name__.removeprefix("check_").replace("_", " ")
            try:
                check()
            except AssertionError:
                failed += 1
                traceback.print_exc()
                print(f"FAIL  {name}")
            else:
                print(f"pass  {name}")
        return failed

    def opened(self, *, scripts: bool = True, page: Path | None = None) -> Chromium:
        browser = Chromium(scripts=scripts)
        browser.size(1200, 900)
        browser.open(page or self.page)
        return browser

    def check_console_and_network_are_silent(self) -> None:
        with self.opened() as browser:
            browser.js("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            assert browser.problems == [], browser.problems
            assert browser.requests == [self.page.as_uri()], browser.requests

    def check_hostile_text_runs_nothing(self) -> None:
        with self.opened(page=self.trap) as browser:
            assert browser.js("document.querySelectorAll('img, iframe, object').length") == 0
            assert browser.js("document.scripts.length") == 1
            assert browser.problems == [], browser.problems
            assert browser.requests == [self.trap.as_uri()], browser.requests
            assert "onerror=alert(1)" in browser.js("document.body.innerText"), "it is shown as text"

    def check_the_policy_is_in_force(self) -> None:
        with self.opened() as browser:
            ran = browser.js("""
                new Promise((done) => {
                  const violated = [];
                  addEventListener("securitypolicyviolation", (e) => violated.push(e.effectiveDirective));
                  const script = document.createElement("script");
                  script.textContent = "window.ran = true";
                  const image = document.createElement("img");
                  image.src = "http://127.0.0.1:9/x";
                  document.body.append(script, image);
                  document.body.setAttribute("style", "color: red");
                  setTimeout(() => done([window.ran === true, violated.sort().join()]), 500);
                })""")
            assert ran == [False, "img-src,script-src-elem,style-src-attr"], ran

    def check_charts_are_drawn(self) -> None:
        with self.opened() as browser:
            charts = browser.js("""
                [...document.querySelectorAll("svg.chart")].map((svg) => {
                  const box = svg.getBoundingClientRect();
                  const paths = [...svg.querySelectorAll("path")].map((path) => {
                    const drawn = path.getBoundingClientRect(), style = getComputedStyle(path);
                    const seen = (style.fill !== "none" ? style.fill : style.stroke) !== "none";
                    return seen && drawn.width > 0 && drawn.left >= box.left - 2 && drawn.right <= box.right + 2;
                  });
                  return [box.width, box.height, paths.length, paths.every(Boolean), svg.getAttribute("aria-label")];
                })""")
            assert len(charts) >= 8, charts
            assert all(
                width > 600 and height > 80 and paths and good and label for width, height, paths, good, label in charts
            )
            heat = browser.js("""
                [...document.querySelectorAll("figure.heat svg.chart")].map((svg) =>
                  [...svg.querySelectorAll("path:not(.line)")].map((path) => getComputedStyle(path).fill))""")
            assert len(heat) == 2
            assert all(len(colours) >= 5 and len({*colours}) == len(colours) for colours in heat), heat
            frames = browser.js("""
                [...document.querySelectorAll("svg.flame > svg")].map((frame) => {
                  const rect = frame.querySelector("rect"), box = rect.getBoundingClientRect();
                  return [box.width, box.height, getComputedStyle(rect).fill, !!frame.querySelector("title")];
                })""")
            assert len(frames) > 100
            assert all(
                width > 0 and height == 17 and fill != "rgb(0, 0, 0)" and title for width, height, fill, title in frames
            )
            bars = browser.js(
                "[...document.querySelectorAll('rect.bar')].map((bar) => bar.getBoundingClientRect().width)"
            )
            assert max(bars) > 100
            assert len({*bars}) > 5

    def check_two_spans_stand_over_each_other(self) -> None:
        with self.opened() as browser:
            over = browser.js("""
                [...document.querySelectorAll("#compared figure.over svg.chart")].map((svg) => {
                  const of = (look) => svg.querySelector(look), box = (e) => e.getBoundingClientRect();
                  const a = of("path.before"), b = of("path.area"), style = (e) => getComputedStyle(e);
                  return [box(a).width > 600 && box(b).width > 600, style(a).stroke !== style(b).stroke,
                    style(a).strokeDasharray !== "none" && style(a).fill === "none", style(b).fill !== "none"];
                })""")
            assert len(over) >= 2
            assert all(each == [True] * 4 for each in over), over
            flames = browser.js("""
                [...document.querySelectorAll("#compared svg.flame > svg")].map((frame) => {
                  const fill = getComputedStyle(frame.querySelector("rect")).fill.match(/\\d+/g).map(Number);
                  return [fill[0] - fill[2], frame.querySelector("text")?.textContent ?? ""];
                })""")
            named = [(warmth, name) for warmth, name in flames if name]
            assert any(name.startswith("+ ") for _, name in named)
            assert any(name.startswith("− ") for _, name in named)
            for warmth, name in named:
                assert not name.startswith("+") or warmth > 20, (warmth, name)
                assert not name.startswith("−") or warmth < -20, (warmth, name)

    def check_sorting_by_every_column(self) -> None:
        with self.opened() as browser:
            found = browser.js("""
                const heads = (table) => [...table.tHead.rows[0].cells];
                [...document.querySelectorAll("table")].flatMap((table) => heads(table).map((head, at) => {
                  const button = head.querySelector("button");
                  if (!button) return null;
                  const read = () => [...table.tBodies[0].rows].map((row) => row.cells[at])
                    .filter((cell) => cell.dataset.v !== undefined).map((cell) => Number(cell.dataset.v));
                  const before = table.tBodies[0].rows.length;
                  button.click();
                  const down = read(), said = head.getAttribute("aria-sort");
                  button.click();
                  const up = read(), then = head.getAttribute("aria-sort");
                  const falls = down.every((v, n) => !n || down[n - 1] >= v);
                  const rises = up.every((v, n) => !n || up[n - 1] <= v);
                  const marks = table.querySelectorAll("[aria-sort]").length;
                  return [falls, rises, said, then, marks, before === table.tBodies[0].rows.length];
                }))""")
            sortable = [each for each in found if each is not None]
            assert len(sortable) > 60
            assert all(each == [True, True, "descending", "ascending", 1, True] for each in sortable), sortable

    def check_the_keyboard_reaches_everything(self) -> None:
        """Tab from the first to the last, opening what is folded with Enter."""
        with self.opened() as browser:
            browser.js("window.focused = new Set()")
            first = browser.key(*TAB) or browser.js("document.activeElement.textContent")
            assert first == "Skip to the numbers"
            for _ in range(2000):
                state = browser.js("""
                    (() => {
                      const e = document.activeElement;
                      if (e === document.body || focused.has(e)) return null;
                      focused.add(e);
                      const style = getComputedStyle(e), box = e.getBoundingClientRect();
                      const seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
                      const folded = e.tagName === "SUMMARY" && !e.parentElement.open;
                      return [e.tagName, style.outlineStyle !== "none" && seen, folded];
                    })()""")
                if state is None:
                    break
                assert state[1], f"the focus on {state[0]} can be seen"
                if state[2]:
                    browser.key(*ENTER, text="\r")
                browser.key(*TAB)
            missed = browser.js("""
                [...document.querySelectorAll("a, button, summary, [tabindex]")].filter((e) => !focused.has(e))
                  .map((e) => e.outerHTML.slice(0, 80))""")
            assert missed == [], missed
            assert browser.js("focused.size") > 80
            browser.js("document.querySelector('th button').focus()")
            browser.key(*ENTER, text="\r")
            assert browser.js("document.activeElement.parentElement.getAttribute('aria-sort')") == "descending"

    def check_a_phone_needs_no_sideways_scrolling(self) -> None:
        with self.opened() as browser:
            browser.js("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            for width in PHONES:
                browser.size(width, 800, phone=True)
                assert browser.js("document.documentElement.scrollWidth") <= width
                beyond = browser.js("""
                    [...document.querySelectorAll("main > *, h1, h2, h3, p, figure, .scroll, pre")]
                      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
                      .map((e) => e.outerHTML.slice(0, 80))""")
                assert beyond == [], beyond
                small = browser.js("""
                    Math.min(...[...document.querySelectorAll("p, td, th, text")]
                      .map((e) => parseFloat(getComputedStyle(e).fontSize)))""")
                assert small >= 11

    def check_print(self) -> None:
        with self.opened() as browser:
            assert browser.js("[...document.querySelectorAll('details')].every((each) => each.open)") is False
            printed = browser.pdf()
            assert printed.startswith(b"%PDF-")
            assert len(printed) > 50_000
            assert browser.js("[...document.querySelectorAll('details')].every((each) => each.open)") is True
            browser.media(media="print", prefers_color_scheme="dark")
            tall = browser.js("""
                [...document.querySelectorAll("svg.flame")].map((e) => {
                  e.setAttribute("height", 9000);
                  e.classList.add("tall");
                  return e.getBoundingClientRect().height;
                })""")
            assert tall
            assert max(tall) < 950, "no flame graph is longer than a page"
            assert browser.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            assert browser.js("getComputedStyle(document.querySelector('nav')).display") == "none"

    def check_every_picture_is_saved_as_a_png(self) -> None:
        """By keys, with its title and its own colours, in light and in dark; nothing is loaded from elsewhere."""
        with self.opened() as browser, tempfile.TemporaryDirectory() as folder:
            browser.js(_WATCHED)
            browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
            pictures = browser.js("document.querySelectorAll('figure > svg').length")
            buttons = browser.js("document.querySelectorAll('figure > button.save').length")
            assert buttons == pictures >= 8
            browser.js("document.querySelector('button.save').focus()")
            browser.key(*ENTER, text="\r")
            for _ in range(100):
                if [*Path(folder).glob("*.png")]:
                    break
                browser.js("new Promise((done) => setTimeout(done, 100))")
            (saved,) = Path(folder).glob("*.png")
            assert saved.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
            for scheme, back in (("light", [255, 255, 255]), ("dark", [15, 20, 27])):
                browser.media(prefers_color_scheme=scheme)
                for kind in ("figure.heat svg.chart", "svg.flame", "svg.chart"):
                    found = browser.js(f"saved({kind!r})")
                    assert found["back"] == back, (scheme, kind)
                    assert found["missing"] == [], (scheme, kind, found["missing"])
                    assert found["width"] > 1000
                    assert found["words"] > 200, "its title is above it"
            assert browser.problems == [], browser.problems
            assert all(each.startswith("blob:") for each in browser.requests[1:]), browser.requests

    def check_without_scripts_all_but_sorting_is_there(self) -> None:
        with self.opened() as browser:
            browser.js("document.querySelectorAll('button.save').forEach((each) => each.remove())")
            whole = browser.js("document.body.innerText.replace(/\\s+/g, ' ')")
        with self.opened(scripts=False) as browser:
            bare = browser.js("document.body.innerText.replace(/\\s+/g, ' ')")
            assert bare == whole
            assert browser.js("document.querySelectorAll('button').length") == 0, "no control that does nothing"

    def check_contrast_in_the_light_and_in_the_dark(self) -> None:
        with self.opened() as browser:
            backs = []
            for scheme in ("light", "dark"):
                browser.media(prefers_color_scheme=scheme)
                worst = browser.js(_CONTRAST)
                assert min(worst.values()) >= 4.5, (scheme, worst)
                backs.append(browser.js("getComputedStyle(document.body).backgroundColor"))
            assert backs == ["rgb(255, 255, 255)", "rgb(15, 20, 27)"]


def pictures(page: Path) -> None:
    """screenshots/report*.png: on a desktop, in the dark, and on a phone."""
    with Chromium() as browser:
        browser.open(page)
        browser.size(1200, 1500)
        browser.js("document.getElementById('run-0-1').scrollIntoView()")
        (FOLDER / "report.png").write_bytes(browser.picture())
        browser.js("document.querySelector('#compared [data-view=latency]').scrollIntoView()")
        (FOLDER / "report-compared.png").write_bytes(browser.picture())
        browser.media(prefers_color_scheme="dark")
        browser.js("document.getElementById('run-0-6').scrollIntoView()")
        (FOLDER / "report-dark.png").write_bytes(browser.picture())
        browser.media()
        browser.size(390, 844, phone=True)
        browser.js("document.getElementById('run-0-3').scrollIntoView()")
        (FOLDER / "report-phone.png").write_bytes(browser.picture())


def _halves(chapter: Chapter) -> tuple[Span, Span]:
    sampled = chapter.sampled
    assert sampled is not None
    middle = (sampled.start + sampled.end) // 2
    return Span(0, middle), Span(middle, sampled.end)


def main() -> int:
    """0 if all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.report_check")
    parser.add_argument("--pictures", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page, trap = Path(folder, "report.html"), Path(folder, "trap.html")
        tape = read(TapeReader(DEMO))
        compared = compare_tapes([tape], SPANS)
        page.write_bytes(compared_page([tape], compared, title="What ebpftop recorded: demo"))
        chapter = Chapter()
        for at, frame in enumerate(hostile()):
            chapter.take(at * 1_000_000_000, frame)
        halves = (Part("trap", chapter, span) for span in _halves(chapter))
        trap.write_text(html(Page("trap", "trap", [gather(chapter)], compared=compare_parts(*halves))), "utf-8")
        failed = Check(page, trap).run()
        if arguments.pictures:
            pictures(page)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
