from __future__ import annotations

import logging
import multiprocessing
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import available_timezones

import duckdb
import pytest
from logged import records

from pipeline.ingest.sender import Sender, checked_zone
from pipeline.ingest.stores import StoreEntry, Stores, StoresError, new_token, read_entries
from pipeline.ingest.stores_file import changing, write_stores

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    (old, old_digest), (new, new_digest) = new_token(), new_token()
    origins = ["https://a.example", 'https://"odd".example']
    path = tmp_path / "home" / "stores.toml"
    write_stores(
        path,
        {
            'a "b"': StoreEntry(tokens_sha256=[old_digest, new_digest], origins=origins),
            "past": {
                "tokens_sha256": [sha256(b"t").hexdigest()],
                "token_rights": {sha256(b"t").hexdigest(): ["orders"]},
                "backfill": True,
                "timezone": "Asia/Kathmandu",
            },
        },
    )
    stores = Stores.load(path)
    for token in (old, new):
        store = stores.by_token(token, at=0)
        assert store is not None
        assert store.sender == Sender('a "b"')
        assert store.origins == frozenset(origins)
    past = stores.by_token("t", at=0)
    assert past is not None
    assert past.sender == Sender(
        "past", may_backfill=True, timezone="Asia/Kathmandu", is_trusted=True
    )
    assert stores.by_token("", at=0) is stores.by_token("unknown", at=0) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert old not in path.read_text()


def test_the_zones_of_stores_are_those_that_duckdb_knows() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT name FROM pg_timezone_names()").fetchall()
    known = {name for (name,) in rows}
    for name in available_timezones() - {"localtime"}:
        assert checked_zone(name) in known
    for name in ("", "Mars", "Europe", "europe/berlin", "localtime", "posix/UTC", "../UTC", "a\0b"):
        with pytest.raises(ValueError, match="no IANA time zone"):
            checked_zone(name)


def test_a_token_works_until_its_end_and_not_at_it(tmp_path: Path) -> None:
    token, digest = new_token()
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[digest], token_ends={digest: NOON})})
    stores = Stores.load(path)
    assert stores.by_token(token, at=NOON.timestamp() - 0.001) is not None
    assert stores.by_token(token, at=NOON.timestamp()) is None


def test_a11_other_tokens_need_confirmation_while_a_servers_token_works(tmp_path: Path) -> None:
    (page, page_digest), (server, server_digest) = new_token(), new_token()
    path = tmp_path / "stores.toml"
    entry = StoreEntry(
        tokens_sha256=[page_digest, server_digest],
        token_rights={server_digest: ["orders"]},
        token_ends={server_digest: NOON},
    )
    write_stores(path, {"a": entry})
    stores = Stores.load(path)

    def sender(token: str, at: float) -> Sender:
        store = stores.by_token(token, at=at)
        assert store is not None
        return store.sender

    before, noon = NOON.timestamp() - 0.001, NOON.timestamp()
    assert sender(server, before) == Sender("a", is_trusted=True)
    assert sender(page, before) == Sender("a", needs_confirmation=True)
    assert sender(page, noon) == Sender("a")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[stores.a", "is not a stores file"),
        ("[stores.a]\ntokens_sha256 = 3", "is not a stores file"),
        ("[stores.a]\ntokens = ['x']", "is not a stores file"),
        ("[stores.a]\ntokens_sha256 = []\ntimezone = 'Mars'", "no IANA time zone"),
        ("[stores.a]\ntokens_sha256 = []\ntoken_rights = { a = ['orders'] }", "none of its tokens"),
        ("[stores.a]\ntokens_sha256 = []\ntoken_rights = { a = ['all'] }", "is not a stores file"),
        ("[stores.a]\ntokens_sha256 = ['plain']", "64 hex digits"),
        (f"[stores.a]\ntokens_sha256 = ['{'0' * 64}', '{'0' * 64}']", "used twice"),
        ("[stores.a]\ntokens_sha256=[]\ntoken_ends={x=2026-01-01T00:00:00Z}", "none of its tokens"),
        ("[stores.a]\ntokens_sha256=[]\ntoken_ends={x=2026-01-01T00:00:00}", "is not a stores"),
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
    assert "plain" not in str(error.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StoresError, match="pipeline stores add"):
        Stores.load(tmp_path / "stores.toml")


def test_a_changed_file_holds_at_the_next_look(tmp_path: Path) -> None:
    (old, old_digest), (new, new_digest) = new_token(), new_token()
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[old_digest])})
    stores = Stores.load(path)
    write_stores(path, {"b": StoreEntry(tokens_sha256=[new_digest], origins=["https://b"])})
    stores.refresh()
    assert stores.by_token(old, at=0) is None
    found = stores.by_token(new, at=0)
    assert found is not None
    assert found.sender.store_id == "b"
    assert not stores.any_allows("https://a")


@pytest.mark.parametrize("broken", ["[stores.", "[stores.a]\ntokens_sha256 = ['x']", None])
def test_a_broken_file_changes_nothing_and_is_said_once(
    tmp_path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    token, digest = new_token()
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[digest])})
    right = path.read_text()
    stores = Stores.load(path)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            stores.refresh()
            assert stores.by_token(token, at=0) is not None
            assert stores.problem
        assert [record.levelname for record in records(caplog, "pipeline.ingest")] == ["ERROR"]
        assert str(path) in caplog.text
        path.write_text(right)
        stores.refresh()
    assert not stores.problem
    assert [record.levelname for record in records(caplog, "pipeline.ingest")] == ["ERROR", "INFO"]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """No file can be opened, as when connections have used up all descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_revoked_token_ends_although_the_file_could_not_be_read_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, digest = new_token()
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[digest])})
    stores = Stores.load(path)
    write_stores(path, {})
    with no_descriptors():
        for _ in range(3):
            stores.refresh()
    assert stores.problem
    assert [record.levelname for record in records(caplog, "pipeline.ingest")] == ["ERROR"]
    stores.refresh()
    assert not stores.problem
    assert stores.by_token(token, at=0) is None


def test_a_file_that_comes_back_as_it_was_is_right_again(tmp_path: Path) -> None:
    path, away = tmp_path / "stores.toml", tmp_path / "away"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[new_token()[1]])})
    stores = Stores.load(path)
    path.rename(away)
    stores.refresh()
    assert stores.problem
    away.rename(path)
    stores.refresh()
    assert not stores.problem


WRITTEN_BY_HAND = """\
# Ours.

[stores.a]
# of the shop in Paris
tokens_sha256 = [ "{a}" ]
origins = [
  "https://a.example",  # the shop
]

# the old one
[stores."b c"]
tokens_sha256 = ["{b}"]
backfill = true  # until May
"""


def test_a_change_keeps_what_people_wrote_and_what_other_stores_have(tmp_path: Path) -> None:
    digests = {name: sha256(name.encode()).hexdigest() for name in "abx"}
    path = tmp_path / "stores.toml"
    path.write_text(WRITTEN_BY_HAND.format(**digests))
    with changing(path) as entries:
        entries["b c"].tokens_sha256.append(digests["x"])
        entries["b c"].token_ends = {digests["b"]: NOON}
    text = path.read_text()
    for kept in ("# Ours.", "# of the shop in Paris", "# the shop", '# the old one\n[stores."b c'):
        assert kept in text
    found = read_entries(path)
    assert found["a"].origins == ["https://a.example"]
    assert found["b c"].token_ends == {digests["b"]: NOON}
    assert found["b c"].backfill
    with changing(path) as entries:
        del entries["b c"]
    assert list(read_entries(path)) == ["a"]
    assert "# the shop" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "stores.a = { tokens_sha256 = [] }\n",
        "[stores]\n[stores.a]\ntokens_sha256 = [\n'" + "1" * 64 + "',\n]\norigins=['http://o']\n",
        "[ stores . a ]\ntokens_sha256 = []\n[stores.a.token_ends]\n",
        "",
    ],
)
def test_a_change_is_right_however_the_file_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stores.toml"
    path.write_text(text)
    wanted = read_entries(path)
    added = StoreEntry(tokens_sha256=["2" * 64], requests_per_second=2.5, burst=4)
    wanted["new"] = added
    if "a" in wanted:
        wanted["a"].backfill = True
    with changing(path) as entries:
        entries["new"] = added
        if "a" in entries:
            entries["a"].backfill = True
    assert read_entries(path) == wanted


def test_a_change_that_could_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=["1" * 64])})
    before = path.read_text()
    with pytest.raises(StoresError, match="used twice"), changing(path) as entries:
        entries["b"] = StoreEntry(tokens_sha256=["1" * 64])
    assert path.read_text() == before
    assert {found.name for found in tmp_path.iterdir()} == {"stores.toml", "stores.toml.lock"}


def add_some(path: Path, who: int) -> None:
    for number in range(10):
        with changing(path) as entries:
            digest = sha256(f"{who} {number}".encode()).hexdigest()
            entries[f"{who}-{number}"] = StoreEntry(tokens_sha256=[digest])


def test_writers_at_the_same_time_lose_none_of_their_changes(tmp_path: Path) -> None:
    path = tmp_path / "stores.toml"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_some, args=(path, who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(read_entries(path)) == 40


def test_a_name_like_that_of_the_new_file_leads_nowhere(tmp_path: Path) -> None:
    """What stands under the passing name is not written through."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path = tmp_path / "stores.toml"
    (tmp_path / "stores.toml.new").symlink_to(victim)
    write_stores(path, {"a": StoreEntry(tokens_sha256=["1" * 64], token_ends={"1" * 64: NOON})})
    assert victim.read_text() == "mine"
    assert read_entries(path)["a"].token_ends["1" * 64] - NOON == timedelta(0)
