"""Made-up titles for what the sample stores sell and show, the same for every seed."""

from __future__ import annotations

from pipeline.traffic.stores import FIRST_PRODUCT, PRODUCTS
from pipeline.warehouse.catalog.entries import Entry

# By store, in the order of their profiles.
_MAKES = {
    "atelier": "Ivory, Indigo, Olive, Rust, Charcoal, Sand, Plum, Sky, Forest, Blush, Crème, Ink",
    "kiosk": "青い, 赤い, 白い, 黒い, 木の, 小さな, 大きな, 丸い, 軽い, 厚い, 薄い, 春の",
    "northwind": (
        "Ultralight, Alpin, Trek, Fjord, Basis, Expedition, Sommer, Winter, Duo, Solo, Wald, Höhen"
    ),
    "souk": "ملكي, شرقي, فاخر, خفيف, عتيق, ذهبي, ليلي, صباحي, أصيل, نادر, صحراوي, بحري",
}
# With their categories.
_THINGS = {
    "atelier": (
        "linen dress: Dresses, wool coat: Coats, silk scarf: Accessories, cotton shirt: Shirts,"
        " pleated skirt: Skirts, leather belt: Accessories, knit cardigan: Knitwear,"
        " denim jacket: Coats, canvas tote: Accessories, ribbed socks: Accessories"
    ),
    "kiosk": (
        "弁当箱: 台所, 傘: 雑貨, ノート A5: 文房具, 万年筆: 文房具, 湯のみ: 台所, 扇子: 雑貨,"
        " 抹茶: 台所, 風呂敷: 雑貨, 消しゴム: 文房具, イヤホン: 家電"
    ),
    "northwind": (
        "Schlafsack: Schlafen, Zelt: Zelte, Kocher: Küche, Rucksack 40 l: Rucksäcke, Seil 60 m:"
        " Klettern, Stirnlampe: Licht, Isomatte: Schlafen, Trinkflasche: Küche, Steigeisen:"
        " Klettern, Regenjacke: Kleidung"
    ),
    "souk": (
        "عطر عود: عطور, بخور: عطور, قهوة: مشروبات, زعفران: توابل, تمر: حلويات, شاي: مشروبات,"
        " مسك: عطور, هيل: توابل, عسل: حلويات, ماء ورد: عطور"
    ),
}
# What stands between a make and its thing; an adjective of Arabic follows.
_TITLES = {"kiosk": "{make}{thing}", "souk": "{thing} {make}"}
_LISTS = {
    "block-home-hero": "Home page, top",
    "block-bestsellers": "Bestsellers",
    "block-you-may-also-like": "You may also like",
    "block-cart-upsell": "Beside the cart",
}


def sample_catalog(store: str) -> list[Entry]:
    """The catalog of one of `STORES`: its products, and its blocks."""
    makes, things = _MAKES[store].split(", "), _THINGS[store].split(", ")
    first = FIRST_PRODUCT + list(_MAKES).index(store) * 1_000_000
    title = _TITLES.get(store, "{make} {thing}")
    site = f"https://{store}.example"
    found = []
    for index in range(PRODUCTS):
        thing, category = things[index % len(things)].split(": ")
        make = makes[index // len(things)]
        number = str(first + index * 7)
        found.append(
            Entry(
                "product",
                number,
                title.format(make=make, thing=thing),
                f"{site}/products/{number}",
                f"{site}/images/{number}.jpg",
                category,
            )
        )
    return found + [Entry("block", name, called) for name, called in _LISTS.items()]
