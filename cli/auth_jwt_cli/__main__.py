"""The entry point of `auth-jwt` and `python -m auth_jwt_cli`. Without the extra `cli`, it says what to install."""

import shlex
import sys
from importlib.util import find_spec
from typing import Final

NOT_INSTALLED: Final = 4  # the value of output.FAULT: that module cannot be imported without the extra


def main() -> None:
    """Run the command line, or say what to install."""
    try:
        from auth_jwt_cli.main import main as run

        run()
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name.startswith("auth_jwt"):  # a module of this project: installing the extra does not help
            raise
        if find_spec("pip"):
            python = shlex.quote(sys.executable)
            advice = f"Install what the command line needs: {python} -m pip install 'auth-jwt-serverless[cli]'"
        else:
            advice = "Install the wheel again with its extra: uv tool install --force 'WHEEL[cli]'"
        print(f"auth-jwt needs {name}, which is not installed here. {advice}", file=sys.stderr)  # noqa: T201
        sys.exit(NOT_INSTALLED)


if __name__ == "__main__":
    main()
