"""What the command line advises for each fault of AWS: the advice depends on the fault, never on the command."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from auth_jwt.aws.failures import configuration_errors, remedy_of, sdk_errors, translated_errors
from auth_jwt.errors import Fault


def answer_of(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Query")  # type: ignore[typeddict-item]


def fault_of(error: Exception) -> Fault:
    with pytest.raises(Fault) as caught, translated_errors("dynamodb:Query on table 'x'"), sdk_errors():
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError(), "Log in to AWS"),
        (UnauthorizedSSOTokenError(), "aws sso login"),
        (SSOTokenLoadError(error_msg="none"), "aws sso login"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), "aws sso login"),
        (NoRegionError(), "AWS_DEFAULT_REGION"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "Check the network"),
        (answer_of("ResourceNotFoundException"), "Check the name in the settings"),
        (answer_of("AccessDeniedException"), "lacks this permission"),
        (answer_of("ExpiredTokenException"), "Log in to AWS again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_fault_says_what_was_asked_and_its_remedy_what_to_do(error: Exception, advice: str) -> None:
    fault = fault_of(error)

    assert "dynamodb:Query on table 'x'" in str(fault)
    assert advice in (remedy_of(fault) or "")


@pytest.mark.parametrize("error", [answer_of("ValidationException"), answer_of("InternalServerError", 500)])
def test_of_other_faults_nothing_is_advised(error: Exception) -> None:
    assert remedy_of(fault_of(error)) is None


def test_a_configuration_that_the_sdk_rejects_keeps_the_sdks_message() -> None:
    with pytest.raises(Fault) as caught, configuration_errors("no session"):
        raise ProfileNotFound(profile="nope")

    assert str(caught.value) == "no session: The config profile (nope) could not be found"
    assert "--profile" in (remedy_of(caught.value) or "")
