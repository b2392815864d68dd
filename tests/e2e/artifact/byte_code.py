"""Says what the byte code in a folder is, as JSON; run by the Python that it is for, since no other can read it."""

import importlib.util
import json
import marshal
import sys
from pathlib import Path
from typing import Any


def described(compiled: Path) -> dict[str, Any]:
    """Return what *compiled* says of itself, and whether it was made of the source that lies beside its folder.

    Its first sixteen bytes are the magic number of the Python it is for, flags, and the hash of its source (PEP 552).
    """
    data = compiled.read_bytes()
    source = Path(importlib.util.source_from_cache(str(compiled)))
    return {
        "source": str(source),
        "is_of_this_python": data[:4] == importlib.util.MAGIC_NUMBER,
        "flags": int.from_bytes(data[4:8], "little"),
        "is_of_its_source": source.exists() and data[8:16] == importlib.util.source_hash(source.read_bytes()),
        "filename": marshal.loads(data[16:]).co_filename,
    }


if __name__ == "__main__":
    json.dump([described(path) for path in sorted(Path(sys.argv[1]).rglob("*.pyc"))], sys.stdout)
