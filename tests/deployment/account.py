"""An AWS account in memory, to which template.yaml is deployed as far as moto can make what it asks for.

moto makes tables, roles, policies, log groups, layers and functions. It makes no version, no alias and no REST API out
of a body: `tests/template` looks at those on paper, and at what refers to them.
"""

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import boto3
from moto import mock_aws

from tools.events.stage import RESOURCES, environment
from tools.template.stack import Resolver, sources, translated_by_sam, values_of

Json = dict[str, Any]

REGION: Final = "eu-west-3"  # nothing here has it as its default
MADE: Final = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Logs::LogGroup",
    }
)
LEFT_OUT: Final = frozenset(
    {
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::ApiGateway::UsagePlan",
        "AWS::ApiGateway::UsagePlanKey",
        "AWS::CloudWatch::Dashboard",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::QueryDefinition",
        "AWS::Scheduler::Schedule",
    }
)
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@cache
def client(service: Any) -> Any:
    """Return a client of the account's owner, made once: making one takes longer than most of what it is asked."""
    return boto3.client(service, REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


@dataclass(frozen=True)
class Deployment:
    """A stack that was made, and what AWS says of it.

    Attributes:
        resources: name that AWS gave, by logical id.
        outputs: of the stack.
        kinds: types of what the stack was asked for.
    """

    resources: dict[str, str]
    outputs: dict[str, str]
    kinds: frozenset[str]

    def function(self, function: str) -> Json:
        """Return the configuration of a function, as Lambda has it."""
        name = self.resources[RESOURCES[function]]
        return dict(client("lambda").get_function_configuration(FunctionName=name))

    def environment(self, function: str) -> dict[str, str]:
        """Return the variables that Lambda starts a function with."""
        made = self.function(function)
        region = made["FunctionArn"].split(":")[3]
        return {**made["Environment"]["Variables"], **CREDENTIALS, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def permissions(self, function: str) -> set[tuple[str, str]]:
        """Return what the role of a function allows, as actions and their resources."""
        iam = client("iam")
        role = self.function(function)["Role"].rpartition("/")[2]
        documents: list[Any] = [
            ast.literal_eval(str(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]))  # moto's text
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]
            documents.append(found["Document"])
        return {pair for document in documents for pair in _pairs(document)}


def _pairs(document: Any) -> Iterator[tuple[str, str]]:
    for statement in document["Statement"]:
        assert statement.keys() - {"Sid"} == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert isinstance(statement["Resource"], str)
            yield action, statement["Resource"]


@contextmanager
def account() -> Iterator[None]:
    """Be in an account where nothing is yet but the code, in a bucket."""
    shell = {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION}
    with environment(shell), mock_aws(config={"lambda": {"use_docker": False}}):
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        for resource in _template()["Resources"].values():
            for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
                key = resource["Properties"][uri].removeprefix("s3://bucket/")
                s3.put_object(Bucket="bucket", Key=key, Body=_some_zip())
        yield


@cache
def _template() -> Json:
    return sources()


def _some_zip() -> bytes:
    """Return a file that Lambda takes for code; the code that runs is this checkout's."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", "")
    return file.getvalue()


def deploy(name: str, **overrides: str) -> Deployment:
    """Make the stack *name* with *overrides* of its parameters.

    What moto does not know is left out, and so is what refers to it.
    """
    template = _template()
    values = values_of(template, overrides)
    plain = translated_by_sam(template, values)
    kinds = frozenset(resource["Type"] for resource in _wanted(plain, values).values())
    made = {key: resource for key, resource in _wanted(plain, values).items() if resource["Type"] in MADE}
    for key in [key for key, resource in made.items() if _names(resource, plain["Resources"].keys() - made.keys())]:
        del made[key]
    for key, resource in made.items():
        if resource["Type"] == "AWS::Logs::LogGroup":  # moto makes up no name, as CloudFormation does
            resource["Properties"].setdefault("LogGroupName", f"{name}-{key}-1A2B3C4D5E6F")
    left_out = plain["Resources"].keys() - made.keys()
    made = dict(sorted(made.items(), key=lambda item: item[1]["Type"]))  # tables first, so that who fails has made them
    plain["Resources"] = made
    plain["Parameters"] = {name: {"Type": parameter["Type"]} for name, parameter in plain["Parameters"].items()}
    plain["Outputs"] = {key: output for key, output in plain["Outputs"].items() if not _names(output, left_out)}
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({key: plain[key] for key in ("Parameters", "Conditions", "Resources", "Outputs")}),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    deployment = Deployment(
        resources={
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
            if "PhysicalResourceId" in resource
        },
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        kinds=kinds,
    )
    _attach_policies(made, deployment.resources)
    return deployment


def _names(part: Json, logical_ids: Set[str]) -> bool:
    """Return whether *part* of a template refers to one of *logical_ids*, by a name alone or within a text."""
    return not logical_ids.isdisjoint(re.findall(r'(?:"|\$\{)(\w+)(?:"|\}|\.)', json.dumps(part)))


def _wanted(plain: Json, values: dict[str, str]) -> Json:
    """Return the resources whose condition holds, without the items of lists that no condition wants.

    moto would leave a null where AWS leaves nothing.
    """
    resolver = Resolver(values, plain["Conditions"], plain["Resources"])

    def decided(node: Any) -> Any:
        if isinstance(node, list):
            return [decided(item) for item in map(chosen, node) if item is not None]
        return {key: decided(value) for key, value in node.items()} if isinstance(node, dict) else node

    def chosen(item: Any) -> Any:
        if not (isinstance(item, dict) and item.keys() == {"Fn::If"}):
            return item
        condition, yes, no = item["Fn::If"]
        choice = yes if resolver.holds(condition) else no
        return None if choice == {"Ref": "AWS::NoValue"} else choice

    return {
        name: decided(resource)
        for name, resource in plain["Resources"].items()
        if "Condition" not in resource or resolver.holds(resource["Condition"])
    }


def _attach_policies(made: Json, names: dict[str, str]) -> None:
    """Attach to the roles the policies that the template says; moto forgets to."""
    for name, resource in made.items():
        for policy in resource["Properties"].get("ManagedPolicyArns", []):
            client("iam").attach_role_policy(RoleName=names[name], PolicyArn=names[policy["Ref"]])
