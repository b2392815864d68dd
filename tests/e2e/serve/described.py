"""`make e2e-api`: schemathesis makes requests from our documents, sends them to `make serve`, and checks every answer.

Three runs, each bounded and with a fixed seed: everybody may call, with an API key, and operators, of whom
openapi-admin.json tells. Exit code 0 if it finds nothing.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.e2e.serve.serving import ROOT, Serving, environment, serving

SCHEMATHESIS: Final = ROOT / ".venv-api" / "bin" / "schemathesis"
SEED: Final = 20250615
RUN_SECONDS: Final = 100
ITS_OWN: Final = {"NO_COLOR": "1", "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.e2e.serve.hooks"}
API_KEY: Final = "sample-api-key-never-use-it"

NOT_LOCALLY: Final = ("ignored_auth", "missing_required_header", "negative_data_rejection")
"""Who serves the admin API locally, looks at no signature, and these count on it."""
NOT_OF_FORM: Final = ("positive_data_acceptance",)
"""A request may be described and yet refused: a window that has ended, a secret that is too short."""

WITHOUT_NUL: Final = "--generation-allow-x00=false"
"""A text that holds U+0000 is refused there, and the document does not say so."""

RUNS: Final[Sequence[tuple[str, str, dict[str, str], list[str]]]] = (
    ("everybody may call", "openapi.yaml", {}, ["--max-examples=500"]),
    ("with an API key", "openapi.yaml", {"API_KEY": API_KEY}, [f"--header=x-api-key:{API_KEY}", "--max-examples=100"]),
    (
        "operators",
        "openapi-admin.json",
        {"ADMIN": "1", "REVOCATIONS_TABLE": "jwt_revocations"},
        ["--max-examples=15", f"--exclude-checks={','.join((*NOT_LOCALLY, *NOT_OF_FORM))}", WITHOUT_NUL],
    ),
)


def findings_of(service: Serving, document: str, options: Sequence[str], folder: Path) -> int:
    """Run schemathesis against *service*, as *document* describes it; returns its exit code, 0 for no findings."""
    command = [
        *(str(SCHEMATHESIS), "--no-color", "run", str(ROOT / document), "--url", service.url),
        *("--checks=all", "--continue-on-failure", f"--seed={SEED}", "--generation-database=none"),
        *options,
    ]
    print(f"$ {' '.join(command)}", flush=True)
    return subprocess.run(command, cwd=folder, env=environment(**ITS_OWN), check=False, timeout=RUN_SECONDS).returncode


def main() -> int:
    """Make all runs; returns the exit code."""
    begun, findings = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for title, document, settings, options in RUNS:
            print(f"\n=== {title}\n", flush=True)
            log = Path(folder) / "log"
            with serving(log, **settings) as service:
                findings += findings_of(service, document, options, Path(folder)) != 0
            faults = log.read_text(encoding="utf-8").count('"outcome":"fault"')
            print(f"\n{faults} faults in the function's log")
            findings += faults
    print(f"{'Nothing' if not findings else 'Something'} found, {time.monotonic() - begun:.0f} seconds")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
