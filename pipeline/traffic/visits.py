"""The events of one visit of a shopper (lists, clicks, views, a cart) or of a crawler."""

from __future__ import annotations

from random import Random

from pipeline.traffic import shares
from pipeline.traffic.devices import CartLine, SentEvent, Shopper, identifier
from pipeline.traffic.stores import Block, Product, token

DAY_MS = 24 * 3_600_000
GAP_MS = 30 * 60_000
# Around the gap of 30 minutes (S2): just below it, equal to it, and just above it.
_PAUSES = (GAP_MS - 20_000, GAP_MS - 1, GAP_MS, GAP_MS + 1, GAP_MS + 20_000)
_CAMPAIGNS = (
    ("google", "cpc", "brand"),
    ("instagram", "social", "été 2025"),
    ("newsletter", "email", "weekly"),
    ("partner", "affiliate", None),
)
_ROW = 4  # products that become visible together


class Visit:
    """A visit in progress: `now` is its clock; `events` are those sent, with their true times."""

    def __init__(self, rng: Random, device: Shopper, *, start: int) -> None:
        self.rng = rng
        self.device = device
        self.now = start
        self.events: list[tuple[int, SentEvent]] = []
        self.always: SentEvent = {"session_id": device.session_id or identifier(rng)}
        if rng.random() < shares.CAMPAIGNS:
            source, medium, campaign = rng.choice(_CAMPAIGNS)
            self.always |= {"marketing_source": source, "marketing_medium": medium}
            if campaign is not None:
                self.always["marketing_campaign"] = campaign

    def send(self, event_type: str, fields: SentEvent) -> None:
        """Send an event now."""
        event = self.device.event(self.rng, self.now, event_type, self.always | fields)
        self.events.append((self.now, event))

    def wait(self, least: int, most: int) -> None:
        """Advance the clock by a random number of milliseconds."""
        self.now += self.rng.randint(least, most)

    def chance(self, share: float) -> bool:
        """True with probability `share`."""
        return self.rng.random() < share


def shop_around(visit: Visit) -> None:
    """A shopper's visit up to the cart, which the device keeps."""
    rng, store = visit.rng, visit.device.store
    if visit.chance(shares.DIRECT_VIEWS):
        _view(visit, rng.choice(store.catalogue), None)
    pause = rng.choice(_PAUSES) if visit.chance(shares.PAUSES) else 0
    for _ in range(_at_least_one(rng, shares.LISTS)):
        _browse(visit, _open_list(visit))
        # The silence lasts exactly from the last event to the next one.
        visit.now = visit.now + pause if pause else visit.now + rng.randint(3_000, 60_000)
        pause = 0


def crawl(visit: Visit) -> None:
    """A crawler's visit: page after page at a steady pace, and no cart."""
    rng, device = visit.rng, visit.device
    for _ in range(rng.randint(4, 25)):
        if visit.chance(0.2):
            visit.send("collection_view", {"collection_handle": rng.choice(_handles(device))})
        else:
            product = rng.choice(device.store.catalogue)
            visit.send("product_view", {"product_id": device.id(product.product_id)})
        visit.wait(900, 1_100)


def _open_list(visit: Visit) -> Block:
    rng, store = visit.rng, visit.device.store
    if visit.chance(shares.SEARCHES):
        query = rng.choice(store.profile.queries)
        if visit.chance(shares.AUTOCOMPLETES):
            visit.send("autocomplete", {"query": query[: max(1, len(query) // 2)]})
            visit.wait(400, 2_500)
        block = store.search(rng, query, day=visit.now // DAY_MS)
        visit.send(
            "search",
            {"query": query, "search_id": block.block_id, "attribution_token": block.token},
        )
    elif visit.chance(0.5):
        handle = rng.choice(_handles(visit.device))
        block = store.collections[handle]
        visit.send(
            "collection_view", {"collection_handle": handle, "attribution_token": block.token}
        )
    else:
        block = rng.choice(store.blocks)
        fields = {"block_id": block.block_id, "attribution_token": block.token}
        visit.send("block_view", fields | {"contextual_data": {"page": "home", "slot": 1}})
    visit.wait(150, 900)
    return block


def _browse(visit: Visit, block: Block) -> None:
    rng, device = visit.rng, visit.device
    seen = rng.randint(4, len(block.products))
    for position, product in enumerate(block.products[:seen], start=1):
        fields: SentEvent = {
            "product_id": device.id(product.product_id),
            "position": position,
            "attribution_token": block.token,
        }
        visit.send("product_impression", fields)
        if visit.chance(shares.HOVERS):
            visit.wait(200, 900)
            visit.send("product_touch" if device.is_phone else "product_hover", fields)
        # The first positions get most of the clicks; 1.9 keeps the mean over a list at the share.
        if visit.chance(shares.CLICKS * 1.9 / (1 + position / 5)):
            visit.wait(300, 2_000)
            visit.send("product_click", fields)
            if not visit.chance(shares.CLICK_AND_VIEW_AT_ONCE):
                visit.wait(300, 1_500)
            _view(visit, product, block.token)
        elif position % _ROW == 0:
            visit.wait(700, 4_000)


def _view(visit: Visit, product: Product, source: str | None) -> None:
    device = visit.device
    visit.send("product_view", {"product_id": device.id(product.product_id)})
    visit.wait(2_000, 40_000)
    if visit.chance(shares.ADDS_TO_CART):
        _add(visit, product, source)
        while visit.chance(shares.ADDS_MORE):
            _add(visit, visit.rng.choice(device.store.catalogue), None)


def _add(visit: Visit, product: Product, source: str | None) -> None:
    rng, device = visit.rng, visit.device
    if visit.chance(shares.ORPHAN_TOKENS):
        source = token(rng)
    variant = rng.choice(product.variants) if product.variants else None
    line = CartLine(product, variant, rng.choice((1, 1, 1, 2, 3)), source)
    fields: SentEvent = {"product_id": device.id(product.product_id), "quantity": line.quantity}
    if variant is not None:
        fields["variant_id"] = device.id(variant)
    if source is not None and not visit.chance(shares.CART_WITHOUT_TOKEN):
        fields["attribution_token"] = source
    visit.send("add_to_cart", fields)
    device.cart.append(line)
    visit.wait(2_000, 20_000)


def _handles(device: Shopper) -> tuple[str, ...]:
    return device.store.profile.collections


def _at_least_one(rng: Random, mean: float) -> int:
    """A random count of at least one, geometrically distributed with the mean `mean`."""
    count = 1
    while rng.random() < 1 - 1 / mean:
        count += 1
    return count
