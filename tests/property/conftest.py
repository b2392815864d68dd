"""The same examples at every run, as many as fit into seconds; with `ANEW=10` others, and ten times as many."""

from hypothesis import settings

from tests.sampling import ANEW, examples

settings.register_profile(
    "ours", derandomize=not ANEW, max_examples=examples(), deadline=None, database=None, print_blob=bool(ANEW)
)
settings.load_profile("ours")
