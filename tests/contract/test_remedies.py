"""What the command line advises for each fault of AWS: the advice depends on the fault, never on the command."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    LoginRefreshRequired,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from auth_jwt.aws.failures import Caller, configuration_errors, remedy_of, sdk_errors, translated_errors
from auth_jwt.aws.whole_answers import NoWholeAnswer
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
        (UnauthorizedSSOTokenError(), "The SSO login of the default profile has expired. Run `aws sso login`, then"),
        (SSOTokenLoadError(error_msg="none"), "Nobody has logged in by SSO for the default profile"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), "aws sso login"),
        (LoginRefreshRequired(), "Log in to AWS (`aws sso login`, for example)"),
        (NoRegionError(), "AWS_DEFAULT_REGION"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "Check the network"),
        (answer_of("ResourceNotFoundException"), "It does not exist in this account and region. Check its name"),
        (answer_of("AccessDeniedException"), "The permission is missing"),
        (answer_of("ExpiredTokenException"), "Log in to AWS again"),
        (answer_of("ExpiredToken"), "The AWS session of the default profile has expired"),
        (answer_of("SignatureDoesNotMatch"), "The secret access key of the default profile is not that of"),
        (answer_of("UnrecognizedClientException"), "AWS does not know the access key of the default profile"),
        (answer_of("MissingAuthenticationToken"), "AWS does not know the access key"),
        (answer_of("UnauthorizedOperation"), "The permission is missing: your AWS identity may not do this"),
        (answer_of("KMSAccessDeniedException"), "get kms:Decrypt for that key"),
        (answer_of("RequestExpired"), "The clock of this machine is wrong. AWS takes"),
        (answer_of("InternalServerError", 500), "AWS Health"),
        (answer_of("InternalFailure", 500), "AWS Health"),
        (answer_of("ThrottlingException"), "Try again in a minute"),
        (answer_of("TooManyRequestsException"), "Try again in a minute"),
        (NoWholeAnswer("half of it"), "cuts its answers. Check the endpoint in DB_URL if it is set, and any proxy."),
        (SSLError(endpoint_url="-", error=OSError()), "AWS_CA_BUNDLE"),
        (ProxyConnectionError(proxy_url="-"), "Check the network, the region, and the endpoint in DB_URL"),
        (ConnectTimeoutError(endpoint_url="-"), "Check the network"),
        (InvalidRegionError(region_name="-"), "is not a valid name"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_fault_says_what_was_asked_and_its_remedy_what_to_do(error: Exception, advice: str) -> None:
    fault = fault_of(error)

    assert "dynamodb:Query on table 'x'" in str(fault)
    assert advice in (remedy_of(fault) or "")


def told(code: str, message: str, **headers: str) -> ClientError:
    about = {"HTTPStatusCode": 400, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, "Query")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (told("InvalidSignatureException", "The request signature we calculated does not match"), "secret access key"),
        (told("InvalidSignatureException", "Signature expired: 1 is now earlier than 2"), "The clock of this machine"),
        (told("InvalidSignatureException", "Signature not yet current: 2 is still later"), "The clock of this machine"),
        (told("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"), "The clock of this machine"),
        (told("RequestTimeTooSkewed", ""), "The clock of this machine"),
        (told("AccessDeniedException", "not authorized to perform: dynamodb:Query"), "permission is missing"),
        (told("AccessDeniedException", "not authorized to perform: kms:Decrypt"), "get kms:Decrypt"),
        (told("ValidationException", "The provided key element does not match the schema"), "has another key"),
        (told("ValidationException", "Query condition missed key schema element: tag"), "has another key"),
        (told("ValidationException", "Missing the key tag in the item"), "has another key"),
    ],
)
def test_what_aws_says_in_its_text_alone_is_told_apart(error: ClientError, advice: str) -> None:
    assert advice in (remedy_of(fault_of(error)) or "")


def test_aws_text_is_told_nowhere() -> None:
    """It may quote the request."""
    fault = fault_of(told("AccessDeniedException", "a secret"))

    assert "a secret" not in f"{fault} {remedy_of(fault)}"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(20, "wrong by 20 minutes: it is ahead."), (-20, "wrong by 20 minutes: it is behind."), (0.5, "is wrong. AWS")],
)
def test_the_clock_is_told_by_the_date_of_the_answer(minutes: float, said: str) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)

    assert said in (remedy_of(fault_of(told("RequestTimeTooSkewed", "", date=date))) or "")


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"], ids=str)
def test_a_date_that_is_none_says_nothing_of_the_clock(date: str) -> None:
    """Something in between may have written it: the error that came with it is told all the same."""
    advice = remedy_of(fault_of(told("RequestTimeTooSkewed", "", date=date))) or ""

    assert advice.startswith("The clock of this machine is wrong. AWS takes")


CALLER = Caller(
    profile="ops", region="eu-central-1", identity=lambda: ("arn:aws:iam::123456789012:user/olivia", "123456789012")
)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (TokenRetrievalError(provider="sso", error_msg="expired"), "Run `aws sso login --profile ops`"),
        (NoCredentialsError(), "the profile 'ops' has none"),
        (answer_of("ResourceNotFoundException"), "does not exist in region eu-central-1 of account 123456789012"),
        (
            answer_of("AccessDeniedException"),
            "arn:aws:iam::123456789012:user/olivia may not do this in region eu-central-1 of account 123456789012",
        ),
        (EndpointConnectionError(endpoint_url="-"), "the region (eu-central-1)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_advice_names_who_asked_and_where(error: Exception, advice: str) -> None:
    assert advice in (remedy_of(fault_of(error), CALLER) or "")


def test_credentials_of_the_environment_are_named_as_such_whatever_the_profile() -> None:
    """The SDK prefers them."""
    caller = Caller(profile="ops", has_keys=True)

    advice = remedy_of(fault_of(answer_of("ExpiredTokenException")), caller) or ""
    assert advice.startswith("The AWS session of this environment (AWS_ACCESS_KEY_ID) has expired.")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (answer_of("ResourceNotFoundException"), "It does not exist at http://localhost:8000. Check"),
        (EndpointConnectionError(endpoint_url="-"), "and the endpoint http://localhost:8000. Then try again."),
    ],
    ids=["no table", "no answer"],
)
def test_an_endpoint_of_ones_own_is_named_in_place_of_region_and_account(error: Exception, advice: str) -> None:
    caller = Caller(region="eu-central-1", endpoint="http://localhost:8000", identity=pytest.fail)

    assert advice in (remedy_of(fault_of(error), caller) or "")


@pytest.mark.parametrize(
    ("caller", "place"),
    [
        (Caller(region="eu-central-1"), "in region eu-central-1 of this account"),
        (Caller(identity=lambda: ("arn", "123456789012")), "in account 123456789012 and region"),
    ],
    ids=["no account", "no region"],
)
def test_what_is_not_known_of_the_place_is_left_out(caller: Caller, place: str) -> None:
    advice = remedy_of(fault_of(answer_of("ResourceNotFoundException")), caller) or ""

    assert advice.startswith(f"It does not exist {place}. Check")


def test_who_asked_is_looked_up_only_where_the_advice_names_it() -> None:
    """It takes a request, and up to two seconds."""

    def identity() -> None:
        raise AssertionError("asked")

    assert remedy_of(fault_of(NoCredentialsError()), Caller(identity=identity))


@pytest.mark.parametrize("error", [answer_of("ValidationException"), answer_of("ItemCollectionSizeLimit")])
def test_of_other_faults_nothing_is_advised(error: Exception) -> None:
    assert remedy_of(fault_of(error)) is None


def test_a_configuration_that_the_sdk_rejects_keeps_the_sdks_message() -> None:
    with pytest.raises(Fault) as caught, configuration_errors("no session"):
        raise ProfileNotFound(profile="nope")

    assert str(caught.value) == "no session: The config profile (nope) could not be found"
    assert "--profile" in (remedy_of(caught.value) or "")
