import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["messages", "codec", "source", "local", "tape", "tape_source", "recording"])
def test_frames_travel_without_numpy(module: str) -> None:
    code = f"import sys, ebpftop.frames.{module}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
