"""Run every sample event through the real handlers, DynamoDB in memory, and show what went in and came out.

``python -m tools.events.demo`` (or ``make demo``) needs no AWS account and no network: moto plays DynamoDB inside
this process, with the tables and settings of template.yaml and the rows of rows.json. What an event should be
answered is in the files of outcomes; an answer that differs is shown with the difference, and the exit code is 1.
"""

import argparse
import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby

from tools.events.outcomes import differences
from tools.events.stage import OUTCOMES, SAMPLES, Answer, Json, read_json, stage
from tools.events.words import what_came_out, what_was_logged, what_went_in, without_tokens


@dataclass(frozen=True, slots=True)
class Screen:
    """Prints the demo for people."""

    coloured: bool
    logs: bool
    marks: tuple[str, str]
    """Before an answer that is as expected, and before one that is not."""
    width: int
    """Of the column of titles."""
    decoded_before: set[str] = field(default_factory=set)
    headed: set[str] = field(default_factory=set)

    def paint(self, text: str, code: str) -> str:
        """Return *text* in an ANSI colour, where there are colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def opening(self, settings: Mapping[str, str], events: int) -> None:
        """Say what is about to happen."""
        rows = read_json(SAMPLES / "rows.json")
        tables = ", ".join(f"{name} {len(items)} rows" for name, items in rows.items())
        print(self.paint("auth_jwt: whose token is it?", "1"))
        print(f"Sample events ({events}) through the real handlers. DynamoDB in memory: {tables}.")
        print("\n".join(f"{name}={value}" for name, value in settings.items()), flush=True)

    def heading(self, form: str) -> None:
        """Begin a form's events, if they have not begun."""
        if form in self.headed:
            return
        self.headed.add(form)
        print(f"\n{self.paint(form, '1;36')}")

    def event(self, name: str, expected: Json, event: Json, answer: Answer, wrong: Sequence[str]) -> None:
        """Show one event."""
        mark = self.paint(self.marks[1], "1;31") if wrong else self.paint(self.marks[0], "32")
        print(f"{mark} {self.paint(expected['title'].ljust(self.width), '1')}  {self.paint(name, '2')}")
        self.line("in", what_went_in(event))
        for variable, value in expected.get("settings", {}).items():
            self.line("set", f"{variable}={value}")
        self.line("out", what_came_out(answer), "32" if answer.is_good else "33")
        decoded = answer.member("decoded_token")
        if decoded and decoded not in self.decoded_before:
            self.decoded_before.add(decoded)
            self.line("", decoded)
        if answer.record:
            self.line("log", what_was_logged(answer))
        for line in wrong:
            self.line("!!", line, "31")
        for line in answer.lines if self.logs else ():
            self.line("", line, "2")
        sys.stdout.flush()

    def line(self, label: str, text: str, colour: str = "") -> None:
        """Print a line below a title."""
        text = without_tokens(text)
        print(f"    {self.paint(label.ljust(3), '2')}  {self.paint(text, colour) if colour else text}")

    def closing(self, results: Sequence[Json], seconds: float) -> None:
        """Sum up: by form, by status, and what is not as expected."""
        good = Counter(result["form"] for result in results if not result["differences"])
        print()
        for form, count in Counter(result["form"] for result in results).items():
            mark = self.paint(self.marks[0], "32") if good[form] == count else self.paint(self.marks[1], "1;31")
            print(f"{mark} {form.ljust(self.width)}  {good[form]} of {count} as expected")
        statuses = Counter(result["status"] for result in results if result["status"])
        print(
            ", ".join(f"{count} x {status} {HTTPStatus(status).phrase}" for status, count in sorted(statuses.items()))
        )
        wrong = [result["name"] for result in results if result["differences"]]
        for name in wrong:
            print(self.paint(f"not as expected: {name}", "31"))
        total = f"{len(results)} event{'' if len(results) == 1 else 's'}"
        summary = f"{total}: {len(results) - len(wrong)} as expected, in {seconds:.1f} s"
        print(self.paint(summary, "1;31" if wrong else "1;32"))


@dataclass(frozen=True, slots=True)
class Act:
    """A sample event, and what its function must answer."""

    function: str
    name: str
    settings: Mapping[str, str]
    expected: Json

    def event(self) -> Json:
        """Read the event."""
        return read_json(SAMPLES / self.function / f"{self.name}.json")


def acts() -> list[Act]:
    """Return all events of all functions, and make sure that files and outcomes are the same set."""
    found = []
    for function, file in OUTCOMES.items():
        outcomes = read_json(SAMPLES / file)
        files = {path.stem for path in (SAMPLES / function).glob("*.json")}
        if files != outcomes["events"].keys():
            odd = ", ".join(sorted(files ^ outcomes["events"].keys()))
            sys.exit(f"{file} and the files of {function}/ do not agree on: {odd}")
        for name, expected in outcomes["events"].items():
            found.append(Act(function, name, {**outcomes["settings"], **expected.get("settings", {})}, expected))
    return found


def shared_settings(chosen: Sequence[Act]) -> dict[str, str]:
    """Return the settings that all *chosen* events run with."""
    return dict(set.intersection(*(set(act.settings.items()) for act in chosen)))


def result_of(act: Act, event: Json, answer: Answer, wrong: Sequence[str]) -> Json:
    """Return what ``--json`` says of an event; the token is cut short here, too."""
    return {
        "function": act.function,
        "name": act.name,
        "title": act.expected["title"],
        "form": act.expected["form"],
        "settings": act.expected.get("settings", {}),
        "in": what_went_in(event),
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "raised": answer.raised,
        "log": answer.record,
        "milliseconds": round(answer.seconds * 1000, 1),
        "differences": list(wrong),
    }


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead, for machines")
    parser.add_argument("--only", metavar="NAME", default="", help="only events with NAME in their name")
    parser.add_argument("--logs", action="store_true", help="show the handler's log lines and metrics, too")
    return parser.parse_args(arguments)


def _screen(chosen: Sequence[Act], *, logs: bool) -> Screen:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    try:
        "✓✗…".encode(sys.stdout.encoding or "ascii")
        marks = ("✓", "✗")
    except UnicodeEncodeError:
        marks = ("ok", "XX")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    width = max(len(act.expected[member]) for act in chosen for member in ("title", "form"))
    return Screen(coloured, logs, marks, width)


def _needs(act: Act) -> tuple[str, Mapping[str, str]]:
    return act.function, act.settings


def play(company: Sequence[Act], screen: Screen | None) -> Iterator[Json]:
    """Run events that need the same stage; yield what came of each."""
    function, settings = _needs(company[0])
    with stage(settings, function) as ready:
        for act in company:
            event = act.event()
            answer = ready.ask(event)
            wrong = differences(event, act.expected, answer)
            if screen:
                screen.heading(act.expected["form"])
                screen.event(act.name, act.expected, event, answer, wrong)
            yield result_of(act, event, answer, wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 when every answer is as expected."""
    chosen = options(arguments)
    played = [act for act in acts() if chosen.only in act.name]
    if not played:
        sys.exit(f"no event has {chosen.only!r} in its name")
    settings = shared_settings(played)
    screen = None if chosen.json else _screen(played, logs=chosen.logs)
    if screen:
        screen.opening(settings, len(played))
    begun = time.perf_counter()
    results = [result for _, company in groupby(played, _needs) for result in play(list(company), screen)]
    seconds = time.perf_counter() - begun
    as_expected = sum(not result["differences"] for result in results)
    if screen:
        screen.closing(results, seconds)
    else:
        summary = {"events": len(results), "as_expected": as_expected}
        document = {"settings": settings, "summary": summary, "events": results}
        print(without_tokens(json.dumps(document, indent=2, default=str)))
    return 0 if as_expected == len(results) else 1


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
