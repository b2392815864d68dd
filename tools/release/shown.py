"""A change set for people: what is added, changed, removed and replaced, and a loud part for what would be lost."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tools.release.change_set import Change, Fate
from tools.release.judgement import Loss

_TITLES: Final = {
    Fate.ADDED: "Added",
    Fate.IMPORTED: "Imported",
    Fate.CHANGED: "Changed",
    Fate.REMOVED: "Removed",
    Fate.MAYBE_REPLACED: "Perhaps replaced; CloudFormation decides while it does it",
    Fate.REPLACED: "REPLACED: a new one is made, and the old one ends",
}
_MARKS: Final = {
    Fate.ADDED: "+",
    Fate.IMPORTED: ">",
    Fate.CHANGED: "~",
    Fate.REMOVED: "-",
    Fate.MAYBE_REPLACED: "?",
    Fate.REPLACED: "!",
}
_VERSIONS: Final = "AWS::Lambda::Version"


def lines_of(changes: Sequence[Change], losses: Sequence[Loss]) -> Iterator[str]:
    """Return the lines that show *changes*, by what happens, and then the *losses*."""
    for fate in Fate:
        chosen = sorted((change for change in changes if change.fate is fate), key=lambda change: change.path)
        if chosen:
            yield ""
            yield f"{_TITLES[fate]} ({len(chosen)}):"
            yield from map(_line, chosen)
    unseen = [change.path for change in changes if change.is_unseen]
    if unseen:
        yield ""
        yield f"NOT SHOWN: what changes within {', '.join(sorted(unseen))}: nobody asked (--root-only),"
        yield "or CloudFormation did not say. What would be lost there is neither shown nor refused."
    if losses:
        yield ""
        yield "#" * 78
        yield "# THIS HOLDS SOMETHING, AND WOULD END OR LEAVE THE STACK:"
        for loss in losses:
            yield from _loss(loss)
        yield "#" * 78


def _line(change: Change) -> str:
    about = f"  {_MARKS[change.fate]} {change.path}  {change.kind}"
    if change.kind == _VERSIONS and change.fate is Fate.REMOVED and change.is_kept:
        return f"{about}  (stays for a rollback, until it is pruned)"
    if change.fate is Fate.REMOVED and change.is_kept:
        return f"{about}  (leaves the stack, stays in the account)"
    if change.causes:
        about = f"{about}  [{', '.join(change.causes)}]"
    if change.fate is Fate.CHANGED and change.hangs_on:
        return f"{about}  (stays: the ARN of {', '.join(sorted(change.hangs_on))} does not change)"
    return about


def _loss(loss: Loss) -> Iterator[str]:
    change = loss.change
    name = f" ({change.physical_id})" if change.physical_id else ""
    yield f"#   {change.fate.value}: {change.path}{name}, {change.kind}"
    yield f"#     it holds {loss.what}"
    if change.causes and change.fate is not Fate.REMOVED:
        yield f"#     because of {', '.join(change.causes)}"
    if change.is_kept:
        yield "#     the old one stays in the account, outside of the stack"
    elif change.is_kept is None:
        yield "#     CloudFormation does not say whether the old one is deleted: take it that it is"
    else:
        yield "#     the old one is DELETED"
    if loss.is_refused:
        yield f"#     refused; if you mean it: --allow {change.path}"


def summary_of(changes: Iterable[Change]) -> str:
    """Return how many resources there are for each fate, in one line."""
    counts = dict.fromkeys(Fate, 0)
    for change in changes:
        counts[change.fate] += 1
    return ", ".join(f"{count} {fate.value}" for fate, count in counts.items() if count) or "nothing changes"
