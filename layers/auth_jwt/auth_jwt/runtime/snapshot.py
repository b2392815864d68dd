"""What comes before and after Lambda's SnapStart takes a snapshot of a process.

Many processes go on from one snapshot, with its memory. What a first answer needs is loaded before, so that none of
them spends time on it; what must not be alike in any two of them is made anew after. docs/decisions/0017 tells what
a snapshot holds.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from auth_jwt.errors import Fault

_SEED_BYTES: Final = 48  # of OpenSSL's generator: 256 bits of entropy, and 128 of a nonce


def prepare_for_snapshots(env: Mapping[str, str], prepare: Callable[[], object]) -> None:
    """Have *prepare* called before a snapshot of this process is taken, where *env* says that one will be.

    A `Fault` of it is left to the requests, which report it each; any other error makes the snapshot fail, and with it
    the deployment. In every process that goes on from the snapshot, random numbers begin anew.

    Args:
        env: the process's variables.
        prepare: does what any first answer would; makes nothing that is unique, or true for a while only.
    """
    if env.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    import random
    import ssl

    # Lambda's runtime has it, nobody else.
    from snapshot_restore_py import (  # type: ignore[import-not-found]
        register_after_restore,
        register_before_snapshot,
    )

    def before_snapshot() -> None:
        with suppress(Fault):
            prepare()

    def after_restore() -> None:
        # OpenSSL would go on from the state in the snapshot: the same keys for TLS in every process.
        ssl.RAND_add(random.SystemRandom().randbytes(_SEED_BYTES), _SEED_BYTES)
        random.seed()

    register_before_snapshot(before_snapshot)
    register_after_restore(after_restore)
