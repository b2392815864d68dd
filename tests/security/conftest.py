"""The account in which attacks happen."""

from collections.abc import Iterator

import pytest

from tests.security.place import Place, a_place


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with a_place(tmp_path_factory.mktemp("place")) as place:
        yield place
