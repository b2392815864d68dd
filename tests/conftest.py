"""What is the same whoever reads it is read once for all tests of a process: it took longer than what they test."""

from functools import cache

import pytest
from botocore.loaders import JSONFileLoader

# boto3 forgets what it has read when moto starts, so each test read the models of DynamoDB anew. Nobody changes them.
pytest.MonkeyPatch().setattr(JSONFileLoader, "load_file", staticmethod(cache(JSONFileLoader().load_file)))
