from __future__ import annotations

from mutants.mutation import Mutation, book

BOOK = book()


def test_every_mutation_still_applies() -> None:
    problems = [f"{one.name}: {problem}" for one in BOOK.mutations if (problem := one.problem())]
    assert problems == []


def test_names_are_unique() -> None:
    names = [mutation.name for mutation in BOOK.mutations]
    assert len(names) == len(set(names))


def example(**given: str) -> Mutation:
    return Mutation(
        name="example",
        rule="none",
        **{"file": "tests/mutants/functions.py", "old": "first", "new": "last", **given},
    )


def test_what_no_longer_applies_is_said() -> None:
    assert example(file="tests/none.py").problem() == "there is no tests/none.py"
    assert "no function places.none in" in str(example(function="places.none").problem())
    assert "places of tests/mutants/functions.py has its text 2 times" in str(
        example(function="places").problem()
    )
    assert example(function="places", old="keepends=True").problem() is None
    assert example(old="keepends=True", new="keepends=True").problem() == "it changes nothing"


def test_of_a_function_only_its_own_text_is_changed() -> None:
    whole = example().applied()
    part = example(function="_definitions").applied()
    assert "name, last, last in _definitions(" in whole
    assert "name, first, last in _definitions(" in part
    assert "last = min(" in part
