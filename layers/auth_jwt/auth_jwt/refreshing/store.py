"""The rows of issuers, as refreshing reads and writes them: only the attributes that it needs.

The usual fetch changes no key. It writes one row, without a transaction: that costs a quarter, every minute. Whether a
write may happen is decided by the status row as it was read, since every write of a refresh or an operator changes it.
"""

from auth_jwt.errors import Invalid
from auth_jwt.issuers.models import (
    CONFIGURATION,
    KEYS,
    KEYS_ROW,
    KEYS_URL,
    REGISTRY_TAG,
    STATUS_ROW,
    VERSION,
    Issuer,
    KeySet,
)
from auth_jwt.issuers.status import STATUS_ATTRIBUTES, FetchStatus
from auth_jwt.models import SECRET_ID, Columns
from auth_jwt.provisioning.changes import (
    ANYTHING,
    MISSING,
    Check,
    Expected,
    Key,
    Overtaken,
    ProvisioningStore,
    Table,
    Update,
)
from auth_jwt.refreshing.models import RefreshRows


class IssuerTables:
    """The rows of issuers.

    Every method raises `Unreachable` when the tables do not answer: a write may then have happened or not. It raises
    `Fault` when a retry cannot help.

    Args:
        store: the tables.
        columns: the names of their columns.
    """

    def __init__(self, store: ProvisioningStore, columns: Columns) -> None:
        self._store = store
        self._columns = columns
        self._of_issuers = (columns.tag, columns.disabled, columns.valid_after, CONFIGURATION, VERSION)
        self._of_keys = (columns.secret_tag, SECRET_ID, KEYS, KEYS_URL, *STATUS_ATTRIBUTES)

    def identifiers(self) -> list[str]:
        """Return the identifiers of all issuers, as the registry lists them."""
        rows = self._store.secrets(REGISTRY_TAG, only=(self._columns.secret_tag, SECRET_ID))
        return [str(row[SECRET_ID]) for row in rows]

    def read(self, identifier: str) -> RefreshRows:
        """Return the rows of an issuer."""
        rows = {str(row[SECRET_ID]): row for row in self._store.secrets(identifier, only=self._of_keys)}
        keys, status = rows.get(KEYS_ROW, {}), rows.get(STATUS_ROW)
        text, url = keys.get(KEYS), keys.get(KEYS_URL)
        return RefreshRows(
            self._read_issuer(identifier),
            KeySet(text, url) if isinstance(text, str) and isinstance(url, str) else None,
            None if status is None else FetchStatus.from_row(status),
        )

    def write_status(self, identifier: str, status: FetchStatus, *, before: FetchStatus) -> bool:
        """Write the status, and return True; or return False when the row is not as it was *before* any more."""
        try:
            self._store.update(_update_of(identifier, status, before))
        except Overtaken:
            return False
        return True

    def write_keys(self, identifier: str, key_set: KeySet, status: FetchStatus, *, before: FetchStatus) -> bool:
        """Replace the keys and write the status, both or neither, and return True.

        Return False when the status is not as it was *before*, or the configuration has another version than that.
        """
        keys = {KEYS: key_set.text, KEYS_URL: key_set.url}
        try:
            self._store.write(
                _update_of(identifier, status, before),
                Update(Key(Table.SECRETS, identifier, KEYS_ROW), keys, ANYTHING),
                Check(Key(Table.PROFILES, identifier), Expected(True, {VERSION: before.version})),
            )
        except Overtaken:
            return False
        return True

    def _read_issuer(self, identifier: str) -> Issuer | Invalid | None:
        row = self._store.profile(identifier, only=self._of_issuers)
        try:
            return None if row is None else Issuer.from_row(row, self._columns)
        except Invalid as problem:
            return problem


def _update_of(identifier: str, status: FetchStatus, before: FetchStatus) -> Update:
    """Return the change of the status row from *before* to *status*.

    The row is expected as it was read, not as it was understood: else a damaged one could never be written again.
    """
    new = {name: MISSING if value is None else value for name, value in status.to_columns().items()}
    old = {name: (before.stored or {}).get(name, MISSING) for name in STATUS_ATTRIBUTES}
    return Update(Key(Table.SECRETS, identifier, STATUS_ROW), new, Expected(True, old))
