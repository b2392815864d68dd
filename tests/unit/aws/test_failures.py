"""What AWS's errors mean: the advice for operators costs logins nothing."""

import subprocess
import sys
from pathlib import Path

LAYER = Path(__file__).parents[3] / "layers" / "auth_jwt"
PROGRAM = """
import re
made, compiled = [], re.compile
re.compile = lambda pattern, flags=0: (made.append(pattern), compiled(pattern, flags))[1]
from auth_jwt.aws import failures
advice = {getattr(names, "pattern", names) for names, _ in failures._REMEDIES} - {failures._THROTTLED.pattern}
print(len(advice), len(advice.intersection(made)))
"""


def test_a_login_compiles_no_pattern_of_the_advice() -> None:
    """It would take longer to start, for what only the command line asks."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=LAYER, capture_output=True, text=True, check=True)

    known, compiled = map(int, done.stdout.split())
    assert known > 10
    assert compiled == 0
