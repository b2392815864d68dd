"""Provisioning: what operators do to profiles, secrets, tokens, revocations and issuers.

The admin API, the command line and rotation call the same five classes. The rules of verification judge each write. A
write happens completely or not at all, and leaves one audit line. Start reading at `auth_jwt.provisioning.secrets`.
"""

from auth_jwt.provisioning.issuers import Issuers
from auth_jwt.provisioning.profiles import Profiles
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.revocations import Revocations
from auth_jwt.provisioning.secrets import Secrets
from auth_jwt.provisioning.tokens import Tokens

__all__ = ["Provisioning"]


class Provisioning:
    """The operations of an operator, grouped by what they change.

    Attributes:
        registry: the tables, the rules, the clock and the audit log; all operations share it.
        profiles: operations on profiles: which user a tag stands for.
        secrets: operations on secrets: the keys of a tag.
        tokens: operations that sign tokens with those keys.
        revocations: operations that revoke such tokens.
        issuers: operations on issuers, whose published keys verify tokens.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.profiles = Profiles(registry)
        self.secrets = Secrets(registry)
        self.tokens = Tokens(registry)
        self.revocations = Revocations(registry)
        self.issuers = Issuers(registry)
