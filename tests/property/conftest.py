"""The same examples at every run, as many as fit into seconds."""

from hypothesis import settings

from tests.sampling import examples

settings.register_profile("same-every-time", derandomize=True, max_examples=examples(), deadline=None, database=None)
settings.load_profile("same-every-time")
