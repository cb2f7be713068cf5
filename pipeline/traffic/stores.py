"""The sample stores: their catalogues, currencies, and the tokens of their lists."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from random import Random

# The ids of real catalogues exceed 32 bits.
FIRST_PRODUCT = 7_003_338_965_178
FIRST_VARIANT = 40_123_456_789_001
PRODUCTS = 120

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


@dataclass(frozen=True)
class Profile:
    """A kind of store. Prices are in minor units of `currency`."""

    currency: str
    foreign: str
    cheapest: int
    dearest: int
    places: tuple[tuple[str, str, str], ...]
    queries: tuple[str, ...]
    collections: tuple[str, ...]


# Real queries contain other scripts, emoji, markup and quotes.
PROFILES = (
    Profile(
        "USD", "EUR", 1200, 24000,
        (("US", "CA", "Oakland"), ("US", "NY", "Brooklyn"), ("CA", "QC", "Montreal")),
        ("linen dress", "wool coat", "crème silk scarf", "sneaker 👟", "size 38", "o'neill",
         "<b>sale</b>", "gift under 50"),
        ("new-arrivals", "dresses", "sale"),
    ),
    Profile(
        "JPY", "USD", 300, 18000,
        (("JP", "13", "Tokyo"), ("JP", "27", "Osaka")),
        ("ワイヤレス イヤホン", "弁当箱", "傘", "ノート a5", "抹茶 🍵", "usb-c cable",
         "100% cotton"),
        ("bunbougu", "kitchen", "limited"),
    ),
    Profile(
        "EUR", "USD", 490, 89900,
        (("DE", "BE", "Berlin"), ("FR", "75", "Paris"), ("NL", "NH", "Amsterdam")),
        ("Schlafsack", "größe 44", "tente 2 places", "kocher", "rope; 60m", "⛺️",
         'zelt "ultralight"'),
        ("camping", "kletterschuhe", "outlet"),
    ),
    Profile(
        "KWD", "USD", 1250, 95500,
        (("KW", "KU", "Kuwait City"), ("AE", "DU", "Dubai")),
        ("عطر عود", "oud", "قهوة", "incense burner", "هدية 🎁", "saffron 5g"),
        ("perfume", "coffee", "ramadan"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Product:
    """`price` is in minor units; `variants` may be empty."""

    product_id: int
    price: int
    variants: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """A product list on a page; its token is the same for all visitors."""

    block_id: str
    token: str
    products: tuple[Product, ...]


@dataclass
class SampleStore:
    """A store with its catalogue and its cached search results."""

    store_id: str
    profile: Profile
    catalogue: tuple[Product, ...]
    blocks: tuple[Block, ...]
    collections: dict[str, Block]
    # The number of the latest order.
    orders: int
    # Cached for a day, so that the token of a popular query appears in many sessions.
    results: dict[tuple[str, int], Block] = field(default_factory=dict)

    def search(self, rng: Random, query: str, *, day: int) -> Block:
        """The result list for `query` on that day."""
        found = self.results.get((query, day))
        if found is None:
            found = Block(f"search-{rng.getrandbits(48):012x}", token(rng), self.shelf(rng))
            self.results[query, day] = found
        return found

    def shelf(self, rng: Random) -> tuple[Product, ...]:
        """Products for a list, popular ones more often than others."""
        return _shelf(rng, self.catalogue)

    def next_order(self) -> str:
        """An order number as stores assign them: small, and not unique across stores."""
        self.orders += 1
        return f"#{self.orders}"


def random_store(
    rng: Random, store_id: str, profile: Profile, *, number: int, orders: int
) -> SampleStore:
    """A store with a random catalogue; `number` keeps the product ids of stores apart.

    `orders` is the number before its first order's.
    """
    first = FIRST_PRODUCT + number * 1_000_000
    catalogue = tuple(
        Product(
            first + index * 7,
            _price(rng, profile),
            tuple(
                FIRST_VARIANT + first + index * 7 + size for size in range(rng.choice((0, 2, 4)))
            ),
        )
        for index in range(PRODUCTS)
    )
    blocks = tuple(
        Block(f"block-{name}", token(rng), _shelf(rng, catalogue))
        for name in ("home-hero", "bestsellers", "you-may-also-like", "cart-upsell")
    )
    collections = {
        handle: Block(f"collection-{handle}", token(rng), _shelf(rng, catalogue))
        for handle in profile.collections
    }
    return SampleStore(store_id, profile, catalogue, blocks, collections, orders)


def token(rng: Random) -> str:
    """An attribution token: opaque, of varying length."""
    return base64.urlsafe_b64encode(rng.randbytes(rng.choice((12, 24, 45, 64)))).decode()


def _price(rng: Random, profile: Profile) -> int:
    # Squared: most of a catalogue is cheap.
    return round(profile.cheapest + (profile.dearest - profile.cheapest) * rng.random() ** 2)


def _shelf(rng: Random, catalogue: tuple[Product, ...]) -> tuple[Product, ...]:
    wanted = rng.choice((8, 12, 16, 24))
    picked = {int(len(catalogue) * rng.random() ** 1.6): None for _ in range(wanted * 2)}
    return tuple(catalogue[index] for index in list(picked)[:wanted])
