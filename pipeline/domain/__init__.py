"""The rules of `docs/semantics.md` as pure functions over values: no I/O, no clock."""
