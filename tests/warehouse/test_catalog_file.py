"""A catalog's CSV file: what is read of it, and what is said of a row that cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.warehouse.catalog import reading
from pipeline.warehouse.catalog.entries import CatalogError, Entry
from pipeline.warehouse.catalog.reading import read_catalog

HEAD = "id,title"


def entries(path: Path, content: str | bytes) -> list[Entry]:
    file = path / "products.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_catalog(file).entries


def product(number: int | str, title: str | None = None, **more: str) -> Entry:
    return Entry("product", str(number), title, **more)


READ: dict[str, tuple[str | bytes, list[Entry]]] = {
    "a row": ("id,title\n1,Linen dress\n", [product(1, "Linen dress")]),
    "no line end at the end": ("id,title\n1,Dress", [product(1, "Dress")]),
    "no rows": ("id,title\n", []),
    "lines of Windows": ("id,title\r\n1,Dress\r\n", [product(1, "Dress")]),
    "lines of an old Mac": ("id,title\r1,Dress\r2,Hat\r", [product(1, "Dress"), product(2, "Hat")]),
    "a byte order mark": (b"\xef\xbb\xbfid,title\n1,Dress\n", [product(1, "Dress")]),
    "semicolons": ("id;title\n1;Dress, long\n", [product(1, "Dress, long")]),
    "tabs": ("id\ttitle\n1\tDress\n", [product(1, "Dress")]),
    "bars": ("id|title\n1|Dress\n", [product(1, "Dress")]),
    "names in other letters, and a quoted one": (' ID ,"Title"\n1,Dress\n', [product(1, "Dress")]),
    "another order, and more columns": (
        "vendor,title,tags,id\nAcme,Dress,a b,1\n",
        [product(1, "Dress")],
    ),
    "a line end, a quote and the delimiter in a cell": (
        'id,title\n1,"Dress,\n""long"""\n2,Hat\n',
        [product(1, 'Dress, "long"'), product(2, "Hat")],
    ),
    "empty rows": ("id,title\n\n1,Dress\n,\n", [product(1, "Dress")]),
    "no title": ("id,title\n1,\n2, \n", [product(1), product(2)]),
    "all columns": (
        f"{HEAD},url,image,category\n1,Dress,https://a.example/d,HTTP://a.example/d,A > B\n",
        [
            product(
                1,
                "Dress",
                url="https://a.example/d",
                image="HTTP://a.example/d",
                category="A > B",
            )
        ],
    ),
    "ids as events spell them": (
        f"{HEAD}\n007,a\n7003338965178.0,b\n9223372036854775807,c\n",
        [product(7, "a"), product(7003338965178, "b"), product(2**63 - 1, "c")],
    ),
    "kinds": (
        "kind,id,title\nblock,home,Home\nCollection,sale,Sale\ntoken,t,T\nvariant,1,S\n,1,Dress\n",
        [
            Entry("block", "home", "Home"),
            Entry("collection", "sale", "Sale"),
            Entry("token", "t", "T"),
            Entry("variant", "1", "S"),
            product(1, "Dress"),
        ],
    ),
    "what a spreadsheet or a page would obey, as it is": (
        f"{HEAD}\n1,=1+1\n2,<b>x</b>\n3,عطر \u202eعود\n",
        [product(1, "=1+1"), product(2, "<b>x</b>"), product(3, "عطر \u202eعود")],
    ),
    "a long cell that is not read": (
        f"id,title,body\n1,Dress,{'x' * 200_000}\n",
        [product(1, "Dress")],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_a_file_is_read(tmp_path: Path, case: str) -> None:
    content, expected = READ[case]
    assert entries(tmp_path, content) == expected


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", "1: the header must name the columns id and title; it is ''"),
    "no header": ("1,Dress\n", "1: the header must name the columns id and title; it is '1,Dress'"),
    "no title": ("id,name\n1,Dress\n", "1: the header must name the columns id and title"),
    "two titles": ("id,title,title\n1,a,b\n", "1: there are two columns title"),
    "latin-1": (f"{HEAD}\n1,a\n2,B\xe4r\n".encode("latin-1"), "3: not UTF-8"),
    "UTF-16": (f"{HEAD}\n1,a\n".encode("utf-16"), "1: not UTF-8"),
    "no id": (f"{HEAD}\n1,a\n,b\n", "3: id '': not a whole number"),
    "a global id": (
        f"{HEAD}\ngid://shopify/Product/1,a\n",
        "2: id 'gid://shopify/Product/1': not a w",
    ),
    "digits that are lost": (f"{HEAD}\n7.00334E+12,a\n", "2: id '7.00334E+12': not a whole number"),
    "too great an id": (f"{HEAD}\n{2**63},a\n", f"2: id '{2**63}': not between 1 and {2**63 - 1}"),
    "zero": (f"{HEAD}\n0,a\n", "2: id '0': not between 1 and"),
    "an id twice": (f"{HEAD}\n7,a\n8,b\n007,c\n", "4: id '7': this product is in line 2 already"),
    "a row that is short": (f"{HEAD},url\n1,a\n", "2: 2 cells, but the header has 3"),
    "a row that is long": (f"{HEAD}\n1,a,b\n", "2: 3 cells, but the header has 2"),
    "an open quote": (f'{HEAD}\n1,"a"\n2,"b\n3,c\n', '3: a " is not closed'),
    "a stray quote": (f'{HEAD}\n1,"a" b\n', "2: ',' expected after '\"'"),
    "the line after one with a line end": (f'{HEAD}\n1,"a\nb"\nx,c\n', "4: id 'x': not a whole"),
    "a script": (f"{HEAD},url\n1,a,javascript:x\n", "2: url 'javascript:x': not an address that"),
    "a picture in the file": (f"{HEAD},image\n1,a,data:x\n", "2: image 'data:x': not an address"),
    "a long title": (f"{HEAD}\n1,{'x' * 1025}\n", f"2: title '{'x' * 40}…': over 1024 characters"),
    "an unknown kind": ("kind,id,title\nshop,1,a\n", "2: kind 'shop': none of product, variant"),
    "an empty handle": ("kind,id,title\ncollection, ,a\n", "2: id ' ': empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_with_a_wrong_row_is_refused(tmp_path: Path, case: str) -> None:
    content, said = REFUSED[case]
    with pytest.raises(CatalogError, match=re.escape(f"products.csv:{said}")):
        entries(tmp_path, content)


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("id,title,Vendor,kind\n")
    assert read_catalog(file).unread == ["vendor"]


def test_there_is_a_bound_on_the_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 2)
    assert len(entries(tmp_path, f"{HEAD}\n1,a\n2,b\n")) == 2
    with pytest.raises(CatalogError, match=r":4: more than 2 entries"):
        entries(tmp_path, f"{HEAD}\n1,a\n2,b\n3,c\n")
