"""`pipeline stores`: its changes, and the tokens that it never shows."""

from __future__ import annotations

import re
import subprocess
import time
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
from no_room import SAID, no_room
from processes import Pipeline

from pipeline.devstack.first_store import make_first_store
from pipeline.ingest.stores import Stores

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "stores.toml"


def token_of(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_half_a_first_file_is_not_left_where_the_disk_is_full(path: Path) -> None:
    with no_room(50), pytest.raises(OSError, match=SAID) as raised:
        make_first_store(path)
    assert raised.value.filename == str(path)
    assert not path.exists()
    assert make_first_store(path) is not None


def test_a_rotated_token_works_through_the_overlap(pipeline: Pipeline, path: Path) -> None:
    old = token_of(pipeline("stores", "add", "kiosk", "--origin", "https://kiosk.example"))
    began = time.time()
    new = token_of(pipeline("stores", "rotate", "kiosk", "--overlap", "2d"))
    newest = token_of(pipeline("stores", "rotate", "kiosk", "--overlap", "7d"))
    stores = Stores.load(path)
    assert stores.by_token(old, at=began + 2 * DAY - 1) is not None
    # A second rotation does not extend the first token.
    assert stores.by_token(old, at=time.time() + 2 * DAY) is None
    assert stores.by_token(new, at=began + 7 * DAY - 1) is not None
    assert stores.by_token(new, at=time.time() + 7 * DAY) is None
    assert stores.by_token(newest, at=time.time() + 1000 * DAY) is not None
    without = token_of(pipeline("stores", "rotate", "kiosk", "--overlap", "0s"))
    stores = Stores.load(path)
    assert stores.by_token(newest, at=time.time()) is None
    found = stores.by_token(without, at=time.time())
    assert found is not None
    assert found.origins == {"https://kiosk.example"}
    assert old not in path.read_text()


def test_the_list_shows_rights_and_ends_but_no_token(pipeline: Pipeline, path: Path) -> None:
    options = ("--backfill", "--requests-per-second", "5", "--origin", "http://past.example")
    tokens = [token_of(pipeline("stores", "add", "past", *options))]
    tokens.append(token_of(pipeline("stores", "add", "shop")))
    tokens.append(token_of(pipeline("stores", "rotate", "shop", "--overlap", "12h")))
    shown = pipeline("stores", "list").stdout
    for word in ("past", "shop", "backfill", "5/s", "http://past.example", "any"):
        assert word in shown
    assert len(re.findall(r"until \d{4}-\d\d-\d\d \d\d:\d\d", shown)) == 1
    for token in tokens:
        digest = sha256(token.encode()).hexdigest()
        assert digest[:8] in shown
        assert digest[:16] not in shown
        assert token not in shown
        assert digest in path.read_text()


def test_a_servers_token_confirms_orders_and_a_pages_does_not(
    pipeline: Pipeline, path: Path
) -> None:
    page = token_of(pipeline("stores", "add", "shop", "--timezone", "Europe/Berlin"))
    server = token_of(pipeline("stores", "add", "shop", "--orders"))
    assert rights(path, page, server) == [False, True]
    stores = Stores.load(path)
    for token in (page, server):
        found = stores.by_token(token, at=0)
        assert found is not None
        assert (found.sender.store_id, found.sender.timezone) == ("shop", "Europe/Berlin")
    shown = pipeline("stores", "list").stdout
    assert "Europe/Berlin" in shown
    assert f"{sha256(server.encode()).hexdigest()[:8]} orders" in " ".join(shown.split())
    new_page = token_of(pipeline("stores", "rotate", "shop", "--overlap", "0s"))
    assert rights(path, page, server, new_page) == [None, True, False]
    new_server = token_of(pipeline("stores", "rotate", "shop", "--orders", "--overlap", "0s"))
    assert rights(path, server, new_page, new_server) == [None, False, True]
    digest = sha256(new_server.encode()).hexdigest()
    assert pipeline("stores", "revoke", "shop", digest[:8]).returncode == 0
    assert rights(path, new_server, new_page) == [None, False]


def test_the_first_token_of_a_store_may_confirm_orders(pipeline: Pipeline, path: Path) -> None:
    first = token_of(pipeline("stores", "add", "shop", "--orders"))
    second = token_of(pipeline("stores", "add", "kiosk", "--orders"))
    assert rights(path, first, second) == [True, True]


def rights(path: Path, *tokens: str) -> list[bool | None]:
    """Whether each token confirms orders; None where it is no token."""
    stores = Stores.load(path)
    found = [stores.by_token(token, at=time.time()) for token in tokens]
    return [store and store.sender.is_trusted for store in found]


def test_a_revoked_token_is_refused_at_once(pipeline: Pipeline, path: Path) -> None:
    old = token_of(pipeline("stores", "add", "shop"))
    new = token_of(pipeline("stores", "rotate", "shop"))
    digest = sha256(old.encode()).hexdigest()
    assert pipeline("stores", "revoke", "shop", digest[:8]).returncode == 0
    stores = Stores.load(path)
    assert stores.by_token(old, at=0) is None
    assert stores.by_token(new, at=0) is not None
    assert pipeline("stores", "revoke", "shop", "--all").returncode == 0
    assert Stores.load(path).by_token(new, at=0) is None
    assert token_of(pipeline("stores", "rotate", "shop"))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "shop"), 1, "rotate"),
        (("rotate", "none"), 1, "no store none"),
        (("revoke", "shop", "zz"), 1, "0 tokens"),
        (("revoke", "shop"), 2, "--all"),
        (("revoke", "shop", "ab", "--all"), 2, "--all"),
        (("rotate", "shop", "--overlap", "week"), 2, "7d"),
        (("rotate", "shop", "--overlap", "99999w"), 2, "7d"),
        (("add", "b", "--origin", "https://shop.example/"), 2, "without a path"),
        (("add", "b", "--origin", "shop.example"), 2, "without a path"),
        (("add", "b", "--timezone", "Berlin"), 2, "Europe/Berlin"),
        (("add", "b", "--timezone", "localtime"), 2, "Europe/Berlin"),
        (("add", "shop", "--orders", "--backfill"), 2, "--orders alone"),
        (("add", "b", "--origin", "Capacitor://localhost"), 2, "without a path"),
    ],
)
def test_an_error_is_one_line_and_changes_nothing(
    pipeline: Pipeline, path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    pipeline("stores", "add", "shop")
    before = path.read_text()
    done = pipeline("stores", *arguments)
    assert done.returncode == code, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_text() == before


def test_a_comment_in_the_file_stays(pipeline: Pipeline, path: Path) -> None:
    pipeline("stores", "add", "shop")
    before = [line for line in path.read_text().splitlines() if line.startswith("#")]
    pipeline("stores", "rotate", "shop")
    pipeline("stores", "add", "kiosk")
    after = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert before
    assert after == before


def test_origins_of_apps_and_null_are_accepted(pipeline: Pipeline, path: Path) -> None:
    wanted = ["null", "capacitor://localhost", "ionic://localhost", "http://[::1]:3000"]
    token_of(pipeline("stores", "add", "app", *(f"--origin={origin}" for origin in wanted)))
    assert tomllib.loads(path.read_text())["stores"]["app"]["origins"] == wanted
    assert Stores.load(path).count == 1


@pytest.mark.parametrize("name", ["x\x1b[31m", "", " ", "a\nb", "\u202egnp"])
def test_an_unprintable_name_is_refused(pipeline: Pipeline, name: str) -> None:
    done = pipeline("stores", "add", name)
    assert done.returncode == 2
    assert "not printable" in done.stderr
    assert "\x1b" not in done.stderr


def test_only_the_first_store_needs_no_name(pipeline: Pipeline) -> None:
    done = pipeline("stores", "add")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: name the store")
    assert pipeline("stores", "add", "--first").stdout.startswith("token of shop ")
