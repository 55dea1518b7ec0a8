"""An event loop whose files can't be opened is one error, and nothing on stderr."""

import subprocess
import sys

import pytest

from ebpftop.base import loop

CODE = """
import asyncio, contextlib, os, resource, sys
from ebpftop.base import loop
async def work(): return "done"
next_one = os.dup(0)
os.close(next_one)
limit = next_one + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
try: print(loop.run(work))
except OSError as error: print(error.strerror)
"""


async def three() -> int:
    return 3


def test_the_result_is_the_coroutines() -> None:
    assert loop.run(three) == 3


@pytest.mark.parametrize("files", range(5))
def test_without_its_files_it_raises_and_says_nothing_itself(files: int) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, str(files)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() == ("Too many open files" if files < 3 else "done")
