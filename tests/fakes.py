"""Stand-ins for the world, shared by the suites: rows in memory, clocks that stand where they are put, a context."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault
from auth_jwt.models import Columns, Profile, Row, Secret, TagRows
from auth_jwt.ports import Deadline


@dataclass
class Clock:
    """A clock that stands still until it is moved. Good for UNIX seconds and for timers alike."""

    now: float = 1_800_000_000

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class MemoryStore:
    """The port `RowsStore` over plain rows: the reference that the DynamoDB store may not differ from."""

    profiles: list[dict[str, object]] = field(default_factory=list)
    secrets: list[dict[str, object]] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    credentials: tuple[Credential, ...] = ()
    failure: Fault | None = None
    reads: list[tuple[str, bool]] = field(default_factory=list)

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        self.reads.append((tag, consistent))
        if self.failure is not None:
            raise self.failure
        profiles = [row for row in self.profiles if row[self.columns.tag] == tag]
        secrets = [row for row in self.secrets if row[self.columns.secret_tag] == tag]
        return TagRows(
            Profile.from_row(natural(profiles[-1]), self.columns, self.credentials) if profiles else None,
            tuple(
                Secret.from_row(natural(row), self.columns) for row in sorted(secrets, key=lambda row: str(row["id"]))
            ),
        )


@dataclass
class LambdaContext:
    """What the handlers read of a Lambda context."""

    aws_request_id: str = "8f5c1a3e-0000-4000-8000-00000000abcd"
    function_name: str = "authorize"
    function_version: str = "1"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:authorize"
    log_group_name: str = "/aws/lambda/authorize"
    log_stream_name: str = "stream"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def natural(row: Mapping[str, object]) -> Row:
    """Numbers as a store gives them."""
    return {
        column: Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for column, value in row.items()
    }
