"""`make screenshots`: pictures of the real dashboard, playing the bundled tape of a real incident.

python -m tests.screenshots [NAME…]     screenshots/*.svg again, and *.png of those the README shows
python -m tests.screenshots --demo      first record ebpftop/demo.tape again, on the running kernel; needs root
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

from tests.screenshots import incident
from tests.screenshots.scenes import SCENES, shoot

ROOT = Path(__file__).resolve().parents[2]
TAPE = ROOT / "ebpftop" / "demo.tape"
FOLDER = ROOT / "screenshots"
ZOOM = "1.5"


def main() -> int:
    """Draw the scenes; 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots")
    parser.add_argument("names", metavar="NAME", nargs="*", help="draw only scenes whose names begin so")
    parser.add_argument("--demo", action="store_true", help="record the demo tape first; needs root")
    parser.add_argument("--tape", type=Path, default=TAPE)
    arguments = parser.parse_args()
    if arguments.demo:
        incident.record(arguments.tape)
    for scene in SCENES:
        if arguments.names and not scene.name.startswith(tuple(arguments.names)):
            continue
        svg = FOLDER / f"{scene.name}.svg"
        svg.write_text(asyncio.run(shoot(arguments.tape, scene)))
        if scene.png:
            subprocess.run(["rsvg-convert", "--zoom", ZOOM, "-o", svg.with_suffix(".png"), svg], check=True)
        print(svg.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
