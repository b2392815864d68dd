"""What the decision about issuers' tokens needs from outside: the stores of their rows."""

from typing import Protocol

from auth_jwt.issuers.models import IssuerRows
from auth_jwt.models import Profile
from auth_jwt.ports import Deadline


class IssuersStore(Protocol):
    """Reads issuers."""

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline) -> IssuerRows:
        """Return the configuration and the keys of an issuer.

        Raises:
            HalfRead: one of the tables was read, and the other was not.
            Unreachable: neither table could be reached before the deadline.
            Fault: the tables cannot be used at all: they are missing, or access is not permitted.
        """
        ...


class ProfilesStore(Protocol):
    """Reads the profiles of issuers' users."""

    def read_profile(self, tag: str, *, consistent: bool, deadline: Deadline) -> Profile | None:
        """Return the profile with *tag*, or None when there is none.

        Raises:
            Unreachable: the table could not be reached before the deadline.
            Fault: the table cannot be used at all: it is missing, or access is not permitted.
        """
        ...
