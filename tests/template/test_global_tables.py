"""Tables with a replica in another region are those of one region, property by property, and one thing more."""

import copy
from typing import Any

import pytest

from tests.template.nested import nested_source, nested_stack
from tools.template.stack import Deploy, of_type, properties

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"
REPLICA_KEY = "arn:aws:kms:eu-west-1:123456789012:key/2222-3333"
HERE, THERE = "eu-central-1", "eu-west-1"
TWINS = {"GlobalProfiles": "JwtProfiles", "GlobalSecrets": "JwtSecrets", "GlobalRevocations": "JwtRevocations"}

CHOICES = [
    pytest.param({}, id="defaults"),
    pytest.param({"KmsKeyArn": KEY}, id="customer-key"),
    pytest.param({"MaxReadUnits": "500"}, id="bounded"),
    pytest.param({"ExpireSecrets": "true"}, id="secrets-expire"),
    pytest.param({"TagColumn": "t", "SecretTagColumn": "ct", "EndTsColumn": "till"}, id="other-columns"),
    pytest.param({"ProfilesTable": "p-table", "SecretsTable": "s-table"}, id="other-names"),
    pytest.param({"UsernameIndex": "true"}, id="indexed"),
    pytest.param(
        {"UsernameIndex": "true", "MaxReadUnits": "500", "UsernameColumn": "user", "DomainColumn": "realm"},
        id="indexed-and-bounded",
    ),
]
USUAL = {
    "ProfilesTable": "jwt_profiles",
    "SecretsTable": "jwt_secrets",
    "RevocationsTable": "jwt_revocations",
    "TagColumn": "tag",
    "SecretTagColumn": "corresponding_tag",
    "UsernameColumn": "sip_username",
    "DomainColumn": "sip_domain",
    "UsernameIndex": "false",
    "EndTsColumn": "end_ts",
    "ExpireSecrets": "false",
    "MaxReadUnits": "",
    "KmsKeyArn": "",
    "ReplicaRegion": THERE,
    "ReplicaKmsKeyArn": "",
}


def as_tables_of_one_region(table: dict[str, Any], region: str) -> dict[str, Any]:
    """Return the properties of a global table as those of `AWS::DynamoDB::Table` would say it, for one replica."""
    left = {name: value for name, value in table.items() if name not in ("Replicas", "StreamSpecification")}
    (replica,) = (dict(replica) for replica in table["Replicas"] if replica["Region"] == region)
    del replica["Region"]
    bound = replica.pop("ReadOnDemandThroughputSettings", None)
    if bound is not None:
        left["OnDemandThroughput"] = bound
    bounds = {index.pop("IndexName"): index for index in copy.deepcopy(replica.pop("GlobalSecondaryIndexes", []))}
    if bounds:
        left["GlobalSecondaryIndexes"] = [
            {**index, **renamed(bounds[index["IndexName"]])} for index in left["GlobalSecondaryIndexes"]
        ]
    left["SSESpecification"] = {**left["SSESpecification"], **replica.pop("SSESpecification", {})}
    return {**left, **replica}


def renamed(index: dict[str, Any]) -> dict[str, Any]:
    """Return what a replica says of an index, as `AWS::DynamoDB::Table` would say it."""
    return {
        name.replace("ReadOnDemandThroughputSettings", "OnDemandThroughput"): value for name, value in index.items()
    }


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("twin", TWINS)
def test_a_replicated_table_has_every_property_of_its_twin(deploy: Deploy, choice: dict[str, str], twin: str) -> None:
    root = deploy(**{"RevocationsTable": "jwt_revocations", **choice})
    own = {**choice, "ReplicaKmsKeyArn": REPLICA_KEY} if "KmsKeyArn" in choice else choice
    stack = nested_stack("global_tables", **{**USUAL, **own})

    found = as_tables_of_one_region(properties(stack, twin), HERE)

    assert found == properties(root, TWINS[twin])


@pytest.mark.parametrize("twin", TWINS)
def test_the_replica_is_as_well_protected_as_the_table(twin: str) -> None:
    bounded = {
        **USUAL,
        "UsernameIndex": "true",
        "MaxReadUnits": "500",
        "KmsKeyArn": KEY,
        "ReplicaKmsKeyArn": REPLICA_KEY,
    }
    table = properties(nested_stack("global_tables", **bounded), twin)

    here, there = (as_tables_of_one_region(table, region) for region in (HERE, THERE))

    assert there.pop("SSESpecification") == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": REPLICA_KEY}
    assert here.pop("SSESpecification") == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    assert there == here
    assert there["DeletionProtectionEnabled"] is True
    assert there["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("twin", TWINS)
def test_it_outlives_the_stack_and_replicates_by_a_stream(twin: str) -> None:
    resource = nested_stack("global_tables", **USUAL)["Resources"][twin]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert resource["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert [replica["Region"] for replica in resource["Properties"]["Replicas"]] == [HERE, THERE]


def test_there_are_revocations_only_where_a_table_of_them_is_named() -> None:
    named, unnamed = (nested_stack("global_tables", **{**USUAL, "RevocationsTable": name}) for name in ("revoked", ""))

    assert of_type(named, "AWS::DynamoDB::GlobalTable").keys() == TWINS.keys()
    assert of_type(unnamed, "AWS::DynamoDB::GlobalTable").keys() == TWINS.keys() - {"GlobalRevocations"}


def test_the_tables_have_other_logical_ids_than_those_of_one_region(template: dict[str, Any]) -> None:
    """CloudFormation might delete a table whose type changes under its id."""
    assert not nested_source("global_tables")["Resources"].keys() & template["Resources"].keys()


def test_the_tables_are_eventually_consistent() -> None:
    """Every write of an operator is a transaction, which DynamoDB refuses on a table of strong consistency."""
    resources = nested_stack("global_tables", **USUAL)["Resources"]

    assert all("MultiRegionConsistency" not in resource["Properties"] for resource in resources.values())


# -- in the root ------------------------------------------------------------------------------------------------------


def test_a_replica_region_makes_these_tables_instead_of_those_of_one_region(deploy: Deploy) -> None:
    stack = deploy(ReplicaRegion=THERE, RevocationsTable="jwt_revocations")

    assert of_type(stack, "AWS::DynamoDB::GlobalTable").keys() == TWINS.keys()
    assert not of_type(stack, "AWS::DynamoDB::Table")


@pytest.mark.parametrize("region", ["", THERE])
def test_a_stack_that_makes_no_tables_makes_none_of_these(deploy: Deploy, region: str) -> None:
    stack = deploy(CreateTables="false", ReplicaRegion=region, RevocationsTable="jwt_revocations")

    assert not of_type(stack, "AWS::DynamoDB::GlobalTable")
    assert not of_type(stack, "AWS::DynamoDB::Table")


def test_all_but_the_tables_is_as_without_a_replica(deploy: Deploy) -> None:
    """So functions, roles and alarms name the same tables."""
    one, two = (dict(deploy(**choice)["Resources"]) for choice in ({}, {"ReplicaRegion": THERE}))
    for name in ("JwtProfiles", "JwtSecrets"):
        del one[name]
    for name in ("GlobalProfiles", "GlobalSecrets"):
        del two[name]

    assert two.keys() == one.keys()
    assert {name: two[name] for name in two if two[name] != one[name]} == {}


def test_the_root_gives_the_tables_its_own_names(deploy: Deploy) -> None:
    named = {"ProfilesTable": "p-table", "TagColumn": "t", "MaxReadUnits": "7", "ExpireSecrets": "true"}
    named |= {"UsernameIndex": "true", "UsernameColumn": "user", "DomainColumn": "realm"}
    keys = {"KmsKeyArn": KEY, "ReplicaKmsKeyArn": REPLICA_KEY, "RevocationsTable": "revoked"}
    root = deploy(ReplicaRegion=THERE, **named, **keys)
    own = nested_stack("global_tables", **{**USUAL, **named, **keys})

    assert {name: root["Resources"][name] for name in TWINS} == own["Resources"]


def test_a_replica_of_a_table_with_a_key_needs_a_key_there(deploy: Deploy) -> None:
    with pytest.raises(ValueError, match="ReplicaKmsKeyArn"):
        deploy(ReplicaRegion=THERE, KmsKeyArn=KEY)


def test_where_another_region_writes_nothing_fetches_keys_and_logins_accept_the_issuers(deploy: Deploy) -> None:
    issuers = {
        "Issuers": "https://login.example.com/*",
        "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:on-call",
    }
    here, elsewhere = (deploy(Writers=where, **issuers) for where in ("here", "elsewhere"))
    gone = here["Resources"].keys() - elsewhere["Resources"].keys()

    assert {"RefreshKeysFunction", "EndingSecretsFunction"} <= gone
    assert "RefreshStoppedAlarm" in gone  # or it would sound for ever
    assert not elsewhere["Resources"].keys() - here["Resources"].keys()
    variables = properties(elsewhere, "AuthorizeFunction")["Environment"]["Variables"]
    assert variables["ISSUERS"] == issuers["Issuers"]


def test_two_regions_cannot_both_rotate(deploy: Deploy) -> None:
    with pytest.raises(ValueError, match="RotatedTag must be empty"):
        deploy(Writers="elsewhere", RotatedTag="alice-web")
