from __future__ import annotations

import pytest
from mutants.mutation import Mutation, book

BOOK = book()


@pytest.mark.parametrize("mutation", BOOK.mutations, ids=lambda mutation: mutation.name)
def test_a_mutation_still_applies(mutation: Mutation) -> None:
    assert mutation.problem() is None


def test_names_are_unique() -> None:
    names = [mutation.name for mutation in BOOK.mutations]
    assert len(names) == len(set(names))
