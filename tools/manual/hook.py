"""What hatchling runs when it builds the wheel: it writes the manual page and the completions, and adds them."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualHook(BuildHookInterface[Any]):
    """Adds the files below `share/` to a wheel, which puts them below the folder of the environment."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files into `build/share`, and name them as data of the wheel."""
        if version == "editable":  # a checkout's commands change under it
            return
        root = Path(self.root)
        sys.path[:0] = [str(root), str(root / "layers" / "auth_jwt"), str(root / "cli")]
        from tools.manual import completions, page

        version = self.metadata.version
        released = re.search(
            rf"^## \[{re.escape(version)}\] - (\S+)$", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
        )
        text = page.manual_page(version, released[1] if released else "")
        files = {"share/man/man1/auth-jwt.1": text, **completions.FILES}
        for name, text in files.items():
            path = root / "build" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}")
            part.write_text(text, encoding="utf-8")
            part.replace(path)  # at once: another build may read it
            build_data["shared_data"][str(path)] = name
