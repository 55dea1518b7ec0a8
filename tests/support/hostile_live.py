"""`python -m tests.support.hostile_live`: a dashboard whose collector sends nothing but hostile text."""

from __future__ import annotations

import sys
from functools import partial

from ebpftop.ui.app.run import run_dashboard
from tests.support.hostile_doors import DOORS, came_in
from tests.support.hostile_story import answers, story
from tests.support.script import Script


def main() -> int:
    came = {door: came_in(door) for door in DOORS}
    return run_dashboard(Script(story(came), answer=partial(answers, came)))


if __name__ == "__main__":
    sys.exit(main())
