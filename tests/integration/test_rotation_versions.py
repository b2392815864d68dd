"""The port `VersionsStore`: what the versions in memory do, Secrets Manager does, as far as moto can tell."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.provisioning.secrets_manager import SecretsManager
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS, VersionsStore
from tests.contract.servers import a_dynamodb as a_server
from tests.contract.servers import an_error
from tests.integration.managed_secrets import a_begun_rotation, a_function, a_secret, an_account, manager
from tests.rotations import ARN, MemoryVersions


@dataclass(frozen=True)
class Begun:
    """A secret of one version, and a rotation of it that has just begun."""

    store: VersionsStore
    arn: str
    first: str
    second: str


def in_memory() -> Begun:
    versions = MemoryVersions()
    versions.has("first", CURRENT)
    versions.begin("second")
    return Begun(versions, ARN, "first", "second")


def in_aws() -> Begun:
    arn = a_secret()
    store = SecretsManager(manager())
    first = store.describe(arn).version_at(CURRENT)
    assert first is not None
    return Begun(store, arn, first, a_begun_rotation(arn, a_function()))


@pytest.fixture(name="begun", params=[pytest.param(in_memory, id="memory"), pytest.param(in_aws, id="moto")])
def _begun(request: pytest.FixtureRequest) -> Iterator[Begun]:
    begin: Callable[[], Begun] = request.param
    with an_account():
        yield begin()


def test_a_begun_rotation_has_a_version_without_a_value(begun: Begun) -> None:
    described = begun.store.describe(begun.arn)

    assert (described.arn, described.is_rotated, described.rotation_days) == (begun.arn, True, 30)
    assert described.stages == {begun.first: {CURRENT}, begun.second: {PENDING}}
    assert begun.store.value_of(begun.arn, begun.second) is None
    assert begun.store.value_of(begun.arn, begun.first) is not None


def test_a_version_without_any_stage_is_not_to_be_found(begun: Begun) -> None:
    described = begun.store.describe(begun.arn)

    assert described.version_at(PREVIOUS) is None
    assert begun.store.value_of(begun.arn, "00000000-0000-4000-8000-000000000000") is None


def test_a_value_is_kept_once_it_is_there(begun: Begun) -> None:
    assert begun.store.put_pending(begun.arn, begun.second, "value")
    assert begun.store.put_pending(begun.arn, begun.second, "value")

    assert begun.store.value_of(begun.arn, begun.second) == "value"
    assert begun.store.describe(begun.arn).version_at(PENDING) == begun.second


def test_what_becomes_current_makes_the_other_the_previous_one(begun: Begun) -> None:
    begun.store.put_pending(begun.arn, begun.second, "value")

    begun.store.make_current(begun.arn, begun.second, instead_of=begun.first)

    described = begun.store.describe(begun.arn)
    assert described.version_at(CURRENT) == begun.second
    assert described.stages[begun.first] == {PREVIOUS}


def test_the_current_version_keeps_its_value(begun: Begun) -> None:
    """In memory a pending one does, too; moto lets it have another, which AWS does not."""
    before = begun.store.value_of(begun.arn, begun.first)

    assert begun.store.put_pending(begun.arn, begun.first, "another") is False
    assert begun.store.value_of(begun.arn, begun.first) == before


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        pytest.param(500, "InternalServiceError", Unreachable, id="a failure of AWS's"),
        pytest.param(400, "ThrottlingException", Throttled, id="too many calls"),
        pytest.param(400, "AccessDeniedException", Fault, id="no permission"),
        pytest.param(400, "InvalidRequestException", Fault, id="a secret that is being deleted"),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(status: int, code: str, kind: type[Fault]) -> None:
    """And the call is named; nothing that was sent is."""
    import boto3
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1})
    with a_server(an_error(status, code)) as endpoint:
        client = boto3.client(
            "secretsmanager",
            "eu-central-1",
            endpoint_url=endpoint,
            config=once,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        with pytest.raises(Fault, match="secretsmanager:PutSecretValue") as caught:
            SecretsManager(client).put_pending(ARN, "0" * 32, "a value")

    assert type(caught.value) is kind
    assert code in str(caught.value)
    assert "a value" not in str(caught.value)


def test_no_answer_at_all_may_pass() -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "secretsmanager",
        "eu-central-1",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

    with pytest.raises(Unreachable, match="DescribeSecret: no answer"):
        SecretsManager(client).describe(ARN)
