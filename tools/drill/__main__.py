"""Drills of recovery: `python -m tools.drill restore` and `python -m tools.drill failover`.

Without `--real` nothing leaves this machine: DynamoDB and S3 are moto's. Exit code 0: all of it is as it should be; 1:
something is not, or was not shown at all; 2: the drill could not begin.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from tools.drill import account, emulated, failover, restore, times
from tools.drill.report import DrillReport, Step, as_text
from tools.events.stage import lambda_environment, template
from tools.serve.processes import CannotStart, WorkersDie

_BUCKET = "auth-jwt-drill"


def main(arguments: list[str] | None = None) -> int:
    """Drill, and return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command == "times":
        print(times.table(times.Installation()))
        return 0

    def tell(step: Step) -> None:
        if not chosen.json:
            print(as_text(step), flush=True)

    report = DrillReport(chosen.command, tell)
    try:
        _drill(chosen, report)
    except account.NotDrilled as problem:
        print(problem, file=sys.stderr)
        return 2
    if chosen.json:
        print(report.to_json())
    else:
        measured = ", ".join(f"{name} {value:.1f} s" for name, value in report.figures.items())
        print(f"{'good' if report.is_good else 'NOT GOOD'}; measured: {measured or 'nothing'}")
    return 0 if report.is_good else 1


def _drill(chosen: Any, report: DrillReport) -> None:  # noqa: ANN401 - argparse's
    """Drill. What AWS refuses and what does not answer is a step that failed."""
    from botocore.exceptions import BotoCoreError, ClientError

    from auth_jwt.errors import Fault, Rejected

    try:
        if chosen.command == "failover":
            failover.drill(report)
        elif chosen.real:
            restore.drill(_real_target(chosen), report)
        else:
            _restore_in_moto(report)
    except (BotoCoreError, ClientError, Fault, Rejected, OSError, CannotStart, WorkersDie) as error:
        report.check("the drill came to its end", False, str(error))  # which names tables and actions, no values
    except KeyboardInterrupt:
        report.check("the drill came to its end", False, "interrupted")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.drill", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    restoring = commands.add_parser(
        "restore",
        help="restore the tables to a point in time into new ones, and log in with them",
        description="Against moto: export, restore, wipe, compare, log in. With --real: the same without a wipe; the"
        " tables of the stack are only read, and the drill's own ones are deleted in the end.",
    )
    restoring.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    restoring.add_argument("--real", action="store_true", help="against an account, by the AWS credentials here")
    restoring.add_argument("--stack", help="with --real: the name of the stack")
    restoring.add_argument("--tag", help="with --real: the tag of a user with an HMAC secret, who logs in")
    restoring.add_argument("--bucket", help="with --real: export to this bucket as well, and compare exactly with that")
    restoring.add_argument("--keep", action="store_true", help="with --real: keep the restored tables")
    restoring.add_argument("--yes", action="store_true", help="with --real: do not ask")
    moving = commands.add_parser(
        "failover",
        help="lose the tables of a region, and follow the health check to another, against moto",
        description="Two regions on this machine, each with tables of moto and the real handler.",
    )
    moving.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    commands.add_parser("times", help="compute how long a region's loss lasts, as docs/regions.md has it")
    return parser


def _restore_in_moto(report: DrillReport) -> None:
    with emulated.running(failover.PRIMARY) as (emulator,):
        client, s3 = emulator.client("dynamodb"), emulator.client("s3")
        names = emulated.make_stack(client)
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": emulator.region})
        settings = {restore.SETTINGS[parameter]: name for parameter, name in names.items()}
        url = {"DB_URL": f"dynamodb+{emulator.endpoint}/{emulator.region}"}
        variables: Mapping[str, str] = lambda_environment(template(), {**settings, **url})
        target = restore.Target(client, s3, _BUCKET, variables, "alice-web", emulated=True)
        restore.drill(target, report)


def _real_target(chosen: Any) -> restore.Target:  # noqa: ANN401 - argparse's
    missing = [f"--{name}" for name in ("stack", "tag") if not getattr(chosen, name)]
    if missing:
        raise account.NotDrilled(f"--real needs {' and '.join(missing)}")
    target = account.target_of(chosen.stack, chosen.tag, bucket=chosen.bucket, keep=chosen.keep)
    if not chosen.yes:
        account.confirm(target)
    return target


if __name__ == "__main__":
    sys.exit(main())
