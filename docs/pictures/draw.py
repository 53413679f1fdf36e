#!/usr/bin/env python3
"""Draws the pictures of the documentation: FILE.txt beside this script becomes FILE.svg, light and dark.

A line is one thing; a text in quotes may have several lines, parted by |.

    size WIDTH HEIGHT            in units of the grid, 10 pixels each
    box NAME X Y W H "text" [KIND]
    arrow FROM TO "text" [SIDE]  from box to box; SIDE: right, left, down, up (default: the nearer one)
    bar X Y W "text" [KIND]      a span of time
    mark X Y H "text"            a moment
    text X Y "text" [KIND]

Kinds: plain, strong, good, warn, off, quiet.
"""

import shlex
import sys
from html import escape
from pathlib import Path

UNIT = 10
LINE = 16
STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .small { font-size: 12px; } .quiet { fill: #59636e; } .bold { font-weight: 600; }
  rect { stroke: #59636e; stroke-width: 1.2; fill: #ffffff; }
  .strong { fill: #ddf4ff; stroke: #0969da; } .good { fill: #dafbe1; stroke: #1a7f37; }
  .warn { fill: #fff8c5; stroke: #9a6700; } .off { fill: #f6f8fa; stroke: #818b98; }
  path, line { stroke: #59636e; stroke-width: 1.2; fill: none; } .head { fill: #59636e; stroke: none; }
  .dashed { stroke-dasharray: 4 3; } .back { fill: #ffffff; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .quiet { fill: #9198a1; } rect { fill: #0d1117; stroke: #9198a1; }
    .strong { fill: #0c2d6b; stroke: #4493f8; } .good { fill: #033a16; stroke: #3fb950; }
    .warn { fill: #341a00; stroke: #d29922; } .off { fill: #151b23; stroke: #656c76; }
    path, line { stroke: #9198a1; } .head { fill: #9198a1; } .back { fill: #0d1117; stroke: none; }
  }
"""


class Picture:
    """A picture that grows by lines."""

    def __init__(self):
        self.size = (0, 0)
        self.boxes = {}
        self.parts = []

    def add(self, words):
        """One line of the text."""
        draw = getattr(self, "draw_" + words[0], None)
        if draw is None:
            raise ValueError(f"there is no {words[0]!r}")
        draw(*words[1:])

    def draw_size(self, width, height):
        self.size = (int(width) * UNIT, int(height) * UNIT)

    def draw_box(self, name, x, y, w, h, text, kind="plain"):
        x, y, w, h = (float(number) * UNIT for number in (x, y, w, h))
        self.boxes[name] = (x, y, w, h)
        self.parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6"/>')
        self.lines(x + w / 2, y + h / 2, text, first="bold")

    def draw_bar(self, x, y, w, text, kind="good"):
        x, y, w = (float(number) * UNIT for number in (x, y, w))
        self.parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{w:g}" height="30" rx="3"/>')
        self.lines(x + w / 2, y + 15, text)

    def draw_mark(self, x, y, h, text):
        x, y, h = (float(number) * UNIT for number in (x, y, h))
        self.parts.append(f'<line class="dashed" x1="{x:g}" y1="{y:g}" x2="{x:g}" y2="{y + h:g}"/>')
        self.lines(x, y - 8 - LINE / 2 * (text.count("|") + 1) + LINE / 2, text, kind="small quiet")

    def draw_text(self, x, y, text, kind="quiet"):
        for number, line in enumerate(text.split("|")):
            place = float(y) * UNIT + number * LINE
            self.parts.append(f'<text class="small {kind}" x="{float(x) * UNIT:g}" y="{place:g}">{escape(line)}</text>')

    def draw_arrow(self, start, end, text="", side=""):
        (x1, y1, w1, h1), (x2, y2, w2, h2) = self.boxes[start], self.boxes[end]
        across, along = (x2 + w2 / 2) - (x1 + w1 / 2), (y2 + h2 / 2) - (y1 + h1 / 2)
        if not side:
            flat = abs(across) - (w1 + w2) / 2 > abs(along) - (h1 + h2) / 2
            side = ("right" if across > 0 else "left") if flat else ("down" if along > 0 else "up")
        overlap = lambda a, la, b, lb: (max(a, b) + min(a + la, b + lb)) / 2
        if side in ("right", "left"):
            begin = (x1 + (w1 if side == "right" else 0), overlap(y1, h1, y2, h2))
            stop = (x2 + (0 if side == "right" else w2), begin[1])
            if not max(y1, y2) < begin[1] < min(y1 + h1, y2 + h2):
                begin, stop = (begin[0], y1 + h1 / 2), (stop[0], y2 + h2 / 2)
        else:
            begin = (overlap(x1, w1, x2, w2), y1 + (h1 if side == "down" else 0))
            stop = (begin[0], y2 + (0 if side == "down" else h2))
            if not max(x1, x2) < begin[0] < min(x1 + w1, x2 + w2):
                begin, stop = (x1 + w1 / 2, begin[1]), (x2 + w2 / 2, stop[1])
        self.parts.append(f'<path d="M{begin[0]:g} {begin[1]:g} L{stop[0]:g} {stop[1]:g}" marker-end="url(#head)"/>')
        if text:
            self.lines((begin[0] + stop[0]) / 2, (begin[1] + stop[1]) / 2, text, kind="small quiet", back=True)

    def lines(self, x, y, text, kind="", first="", back=False):
        """A text of some lines around a point."""
        lines = text.split("|")
        top = y - LINE * (len(lines) - 1) / 2
        if back:
            width, height = 6.4 * max(map(len, lines)) + 6, LINE * len(lines)
            self.parts.append(
                f'<rect class="back" x="{x - width / 2:g}" y="{top - LINE / 2:g}" width="{width:g}" height="{height:g}"/>'
            )
        for number, line in enumerate(lines):
            of_line = " ".join(filter(None, [kind or ("" if number == 0 else "small quiet"), first if number == 0 else ""]))
            self.parts.append(
                f'<text class="{of_line}" x="{x:g}" y="{top + number * LINE + 4.5:g}" text-anchor="middle">{escape(line)}</text>'
            )

    def svg(self, title):
        width, height = self.size
        head = '<marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path class="head" d="M0 0 L9 4 L0 8 Z"/></marker>'
        inner = "\n".join(f"  {part}" for part in self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
            f"  <title>{escape(title)}</title>\n  <style>{STYLE}  </style>\n  <defs>{head}</defs>\n{inner}\n</svg>\n"
        )


def drawn(source):
    """The picture of a text whose first line is its title."""
    picture, title = Picture(), ""
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            title = title or line.lstrip("# ")
            continue
        try:
            words = shlex.split(line)
            if words:
                picture.add(words)
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f"{source}:{number}: {error}")
    return picture.svg(title)


def main():
    folder = Path(__file__).parent
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
    for source in sorted(folder.glob("*.txt")):
        (target / source.with_suffix(".svg").name).write_text(drawn(source), encoding="utf-8")


if __name__ == "__main__":
    main()
