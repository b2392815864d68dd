"""The steps of the recipes that fetch the API key, run as their pages show them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.page_commands import FRONTENDS, Ended, blocks_of, run

KEY = "sample-api-key-never-use-it"
AWS = {
    "missing": None,
    "without credentials": "echo 'Unable to locate credentials' >&2; exit 253",
    "with half an answer": "echo half; exit 255",
    "with nothing to say": "exit 0",
}
"""The AWS CLI, in the ways in which it gives no key."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where a recipe keeps its API key.

    Attributes:
        name: of its folder.
        file: below ``/etc``.
        line: of that file, with the key, with which it begins.
        starts: the command that puts it to use.
        stand_ins: for what it runs besides ``aws``.
    """

    name: str
    file: str
    line: str
    starts: str
    stand_ins: dict[str, str]

    def follow(self, shell: str, folder: Path, aws: str | None) -> Ended:
        """Do what the page says, from the block with the key on; *aws* is a script, None for none."""
        blocks = blocks_of(FRONTENDS / self.name / "README.md")
        first = next(at for at, block in enumerate(blocks) if "get-api-key" in block)
        steps = "\n".join(blocks[first : first + 2])
        return run(shell, steps, folder, self.stand_ins | ({} if aws is None else {"aws": aws}))

    def kept(self, ended: Ended) -> Path:
        return ended.etc / self.file


RECIPES = [
    Recipe(
        "kamailio",
        "default/kamailio.d/auth-jwt",
        f"AUTH_JWT_API_KEY={KEY}\n",
        "systemctl restart kamailio",
        {"kamailio": "", "systemctl": "", "openssl": "echo 0123"},
    ),
    Recipe(
        "opensips",
        "opensips/auth-jwt.env",
        f"AUTH_JWT_API_KEY={KEY}\n",
        "systemctl restart opensips",
        dict.fromkeys(("opensips", "systemctl", "auth-jwt", "nc", "opensips-cli"), ""),
    ),
    Recipe(
        "jambonz",
        "nginx/jambonz-auth-key.conf",
        f'proxy_set_header x-api-key "{KEY}";\n',
        "systemctl enable --now jambonz-auth",
        # nginx refuses a configuration that includes a file which is not there.
        {"apt-get": "", "systemctl": "", "nginx": "test -e $ETC/nginx/jambonz-auth-key.conf"},
    ),
]

every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
both_shells = pytest.mark.parametrize("shell", ["bash", "sh"])


@both_shells
@every_recipe
def test_the_key_is_written_for_root_alone_and_put_to_use(recipe: Recipe, shell: str, tmp_path: Path) -> None:
    ended = recipe.follow(shell, tmp_path, f"echo {KEY}")

    assert recipe.kept(ended).read_text(encoding="utf-8").startswith(recipe.line)
    assert recipe.kept(ended).stat().st_mode & 0o777 == 0o600
    assert recipe.starts in ended.called
    assert not [call for call in ended.called if KEY in call], "`ps` shows arguments to everybody"


@pytest.mark.matrix
@pytest.mark.parametrize("aws", AWS.values(), ids=AWS)
@both_shells
@every_recipe
def test_without_a_key_nothing_is_written_and_nothing_started(
    recipe: Recipe, shell: str, aws: str | None, tmp_path: Path
) -> None:
    """An empty key would be 503 to every user, with nothing to show why."""
    ended = recipe.follow(shell, tmp_path, aws)

    assert not recipe.kept(ended).exists()
    assert recipe.starts not in ended.called


@every_recipe
def test_a_key_that_cannot_be_had_anew_leaves_the_old_one(recipe: Recipe, tmp_path: Path) -> None:
    recipe.follow("sh", tmp_path, f"echo {KEY}")

    ended = recipe.follow("sh", tmp_path, "exit 255")

    assert recipe.kept(ended).read_text(encoding="utf-8").startswith(recipe.line)


def test_every_recipe_that_fetches_the_key_says_what_that_needs() -> None:
    for recipe in RECIPES:
        page = (FRONTENDS / recipe.name / "README.md").read_text(encoding="utf-8")

        assert "the AWS CLI (`awscli`)" in page
        assert "`read -r KEY`" in page
