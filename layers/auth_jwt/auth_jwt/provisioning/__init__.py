"""Provisioning: what operators do to profiles, secrets, tokens and revocations. One set of operations, three callers.

The admin API, the command line and rotation call the same four classes. Each write is judged by the rules that
verification follows, happens all at once or not at all, and leaves a line of audit. `auth_jwt.provisioning.secrets` is
where to start reading.
"""

from auth_jwt.provisioning.profiles import Profiles
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.revocations import Revocations
from auth_jwt.provisioning.secrets import Secrets
from auth_jwt.provisioning.tokens import Tokens

__all__ = ["Provisioning"]


class Provisioning:
    """All that an operator may do, by what it is done to.

    Attributes:
        registry: the tables, the rules, the clock and the audit that they share.
        profiles: who a tag speaks for.
        secrets: the keys of a tag.
        tokens: what those keys sign.
        revocations: what they no longer sign.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.profiles = Profiles(registry)
        self.secrets = Secrets(registry)
        self.tokens = Tokens(registry)
        self.revocations = Revocations(registry)
