"""What happens before and after Lambda's SnapStart takes a snapshot of a process.

Many processes start from one snapshot and its memory. Before the snapshot, the process loads what its first answer
needs, so that no restored process spends time on it. After the snapshot, each process renews what must differ between
processes. docs/decisions/0017 says what a snapshot holds.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from auth_jwt.errors import Fault

_SEED_BYTES: Final = 48  # of OpenSSL's generator: 256 bits of entropy, and 128 of a nonce


def prepare_for_snapshots(env: Mapping[str, str], prepare: Callable[[], object]) -> None:
    """Register *prepare* to run before a snapshot, when *env* says that Lambda will take one of this process.

    When *prepare* raises a `Fault`, the snapshot goes ahead: each request meets the same fault and reports it. Any
    other error fails the snapshot, and with it the deployment. Each process that starts from the snapshot seeds its
    random numbers anew.

    Args:
        env: the process's environment.
        prepare: loads what any first answer needs. It must make nothing that is unique or that expires.
    """
    if env.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    import random
    import ssl

    # Only Lambda's runtime has this package.
    from snapshot_restore_py import (  # type: ignore[import-not-found]
        register_after_restore,
        register_before_snapshot,
    )

    def before_snapshot() -> None:
        with suppress(Fault):
            prepare()

    def after_restore() -> None:
        # Otherwise OpenSSL continues from the state in the snapshot, and every process has the same TLS keys.
        ssl.RAND_add(random.SystemRandom().randbytes(_SEED_BYTES), _SEED_BYTES)
        random.seed()

    register_before_snapshot(before_snapshot)
    register_after_restore(after_restore)
