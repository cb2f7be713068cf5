"""What a shopper does in one visit: lists, looks, clicks, a cart; and how a crawler walks."""

from __future__ import annotations

from random import Random

from pipeline.traffic import shares
from pipeline.traffic.devices import CartLine, Event, Shopper, identifier
from pipeline.traffic.shops import Block, Product, token

DAY_MS = 24 * 3_600_000
GAP_MS = 30 * 60_000
# Around the gap of 30 minutes (S2): within it, on it, and past it by one millisecond.
_PAUSES = (GAP_MS - 20_000, GAP_MS - 1, GAP_MS, GAP_MS + 1, GAP_MS + 20_000)
_CAMPAIGNS = (
    ("google", "cpc", "brand"),
    ("instagram", "social", "été 2025"),
    ("newsletter", "email", "weekly"),
    ("partner", "affiliate", None),
)
_ROW = 4  # products that come into sight together


class Visit:
    """One visit as it goes on: `now` is its clock, `events` what it has sent, by true time."""

    def __init__(self, rng: Random, device: Shopper, *, start: int) -> None:
        self.rng = rng
        self.device = device
        self.now = start
        self.events: list[tuple[int, Event]] = []
        self.always: Event = {"session_id": device.session_id or identifier(rng)}
        if rng.random() < shares.CAMPAIGNS:
            source, medium, campaign = rng.choice(_CAMPAIGNS)
            self.always |= {"marketing_source": source, "marketing_medium": medium}
            if campaign is not None:
                self.always["marketing_campaign"] = campaign

    def send(self, event_type: str, fields: Event) -> None:
        """One event, now."""
        event = self.device.event(self.rng, self.now, event_type, self.always | fields)
        self.events.append((self.now, event))

    def wait(self, least: int, most: int) -> None:
        """Let so many milliseconds pass."""
        self.now += self.rng.randint(least, most)

    def chance(self, share: float) -> bool:
        """Whether a thing of that share happens."""
        return self.rng.random() < share


def shop_around(visit: Visit) -> None:
    """A shopper's visit, up to the cart; what is in it stays in the device's memory."""
    rng, shop = visit.rng, visit.device.shop
    if visit.chance(shares.DIRECT_VIEWS):
        _look_at(visit, rng.choice(shop.catalogue), None)
    pause = rng.choice(_PAUSES) if visit.chance(shares.PAUSES) else 0
    for _ in range(_at_least_one(rng, shares.LISTS)):
        _look_through(visit, _open_list(visit))
        # The silence runs from the last event to the next one, exactly.
        visit.now = visit.now + pause if pause else visit.now + rng.randint(3_000, 60_000)
        pause = 0


def crawl(visit: Visit) -> None:
    """A crawler's visit: page after page, steadily, and no basket."""
    rng, device = visit.rng, visit.device
    for _ in range(rng.randint(4, 25)):
        if visit.chance(0.2):
            visit.send("collection_view", {"collection_handle": rng.choice(_handles(device))})
        else:
            product = rng.choice(device.shop.catalogue)
            visit.send("product_view", {"product_id": device.id(product.product_id)})
        visit.wait(900, 1_100)


def _open_list(visit: Visit) -> Block:
    rng, shop = visit.rng, visit.device.shop
    if visit.chance(shares.SEARCHES):
        query = rng.choice(shop.profile.queries)
        if visit.chance(shares.AUTOCOMPLETES):
            visit.send("autocomplete", {"query": query[: max(1, len(query) // 2)]})
            visit.wait(400, 2_500)
        block = shop.answer(rng, query, day=visit.now // DAY_MS)
        visit.send(
            "search",
            {"query": query, "search_id": block.block_id, "attribution_token": block.token},
        )
    elif visit.chance(0.5):
        handle = rng.choice(_handles(visit.device))
        block = shop.collections[handle]
        visit.send(
            "collection_view", {"collection_handle": handle, "attribution_token": block.token}
        )
    else:
        block = rng.choice(shop.blocks)
        fields = {"block_id": block.block_id, "attribution_token": block.token}
        visit.send("block_view", fields | {"contextual_data": {"page": "home", "slot": 1}})
    visit.wait(150, 900)
    return block


def _look_through(visit: Visit, block: Block) -> None:
    rng, device = visit.rng, visit.device
    seen = rng.randint(4, len(block.products))
    for position, product in enumerate(block.products[:seen], start=1):
        fields: Event = {
            "product_id": device.id(product.product_id),
            "position": position,
            "attribution_token": block.token,
        }
        visit.send("product_impression", fields)
        if visit.chance(shares.HOVERS):
            visit.wait(200, 900)
            visit.send("product_touch" if device.is_phone else "product_hover", fields)
        # The first places get most of the clicks; 1.9 keeps the mean over a list at the share.
        if visit.chance(shares.CLICKS * 1.9 / (1 + position / 5)):
            visit.wait(300, 2_000)
            visit.send("product_click", fields)
            if not visit.chance(shares.CLICK_AND_VIEW_AT_ONCE):
                visit.wait(300, 1_500)
            _look_at(visit, product, block.token)
        elif position % _ROW == 0:
            visit.wait(700, 4_000)


def _look_at(visit: Visit, product: Product, source: str | None) -> None:
    device = visit.device
    visit.send("product_view", {"product_id": device.id(product.product_id)})
    visit.wait(2_000, 40_000)
    if visit.chance(shares.ADDS_TO_CART):
        _add(visit, product, source)
        while visit.chance(shares.ADDS_MORE):
            _add(visit, visit.rng.choice(device.shop.catalogue), None)


def _add(visit: Visit, product: Product, source: str | None) -> None:
    rng, device = visit.rng, visit.device
    if visit.chance(shares.ORPHAN_TOKENS):
        source = token(rng)
    variant = rng.choice(product.variants) if product.variants else None
    line = CartLine(product, variant, rng.choice((1, 1, 1, 2, 3)), source)
    fields: Event = {"product_id": device.id(product.product_id), "quantity": line.quantity}
    if variant is not None:
        fields["variant_id"] = device.id(variant)
    if source is not None and not visit.chance(shares.CART_WITHOUT_TOKEN):
        fields["attribution_token"] = source
    visit.send("add_to_cart", fields)
    device.cart.append(line)
    visit.wait(2_000, 20_000)


def _handles(device: Shopper) -> tuple[str, ...]:
    return device.shop.profile.collections


def _at_least_one(rng: Random, mean: float) -> int:
    """One, and as many more as a fair share of coins says, so that the mean is `mean`."""
    count = 1
    while rng.random() < 1 - 1 / mean:
        count += 1
    return count
