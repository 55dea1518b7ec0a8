"""The published JSON schemas: made from the types of `ebpftop.export.shapes`.

    python -m tests.schemas

writes them to ebpftop/schemas/; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path

import ebpftop
from ebpftop.export.shapes import SHAPES, schema

FOLDER = Path(ebpftop.__file__).parent / "schemas"


def files() -> dict[Path, str]:
    """What each file holds."""
    return {FOLDER / f"{name}.json": json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n" for name in SHAPES}


if __name__ == "__main__":
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for path, text in files().items():
        path.write_text(text)
