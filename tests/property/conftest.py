"""The same examples at every run, as many as fit into seconds."""

from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, max_examples=100, deadline=None, database=None)
settings.load_profile("same-every-time")
