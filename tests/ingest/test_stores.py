from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.ingest.stores import StoreEntry, Stores, StoresError, new_token, write_stores


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    (old, old_digest), (new, new_digest) = new_token(), new_token()
    origins = ["https://a.example", 'https://"odd".example']
    path = tmp_path / "home" / "stores.toml"
    write_stores(
        path,
        {
            'a "b"': StoreEntry(tokens_sha256=[old_digest, new_digest], origins=origins),
            "past": {"tokens_sha256": [sha256(b"t").hexdigest()], "backfill": True},
        },
    )
    stores = Stores.load(path)
    for token in (old, new):
        store = stores.by_token(token)
        assert store is not None
        assert (store.sender.store_id, store.sender.may_backfill) == ('a "b"', False)
        assert store.origins == frozenset(origins)
    past = stores.by_token("t")
    assert past is not None
    assert past.sender.may_backfill
    assert stores.by_token("") is stores.by_token("unknown") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert old not in path.read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[stores.a", "is not a stores file"),
        ("[stores.a]\ntokens_sha256 = 3", "is not a stores file"),
        ("[stores.a]\ntokens = ['x']", "is not a stores file"),
        ("[stores.a]\ntokens_sha256 = ['plain']", "64 hex digits"),
        (f"[stores.a]\ntokens_sha256 = ['{'0' * 64}', '{'0' * 64}']", "used twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "stores.toml"
    path.write_text(text)
    with pytest.raises(StoresError, match=says) as error:
        Stores.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StoresError, match="pipeline demo"):
        Stores.load(tmp_path / "stores.toml")
