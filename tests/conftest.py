"""What all tests of a process have in common."""

import signal
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# boto3 forgets what it has read when moto starts, so each test read the models of DynamoDB anew. Nobody changes them.
pytest.MonkeyPatch().setattr(JSONFileLoader, "load_file", staticmethod(cache(JSONFileLoader().load_file)))
