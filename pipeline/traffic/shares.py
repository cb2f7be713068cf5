"""How much of each thing there is; of what, and why so much, stands beside it.

The funnel is that of an ordinary shop. What goes wrong is more frequent than in most shops, so that
a demo of a few hundred devices shows each of it, and rare enough that no total looks odd.
"""

from __future__ import annotations

# --- Who comes (shares of devices)
BOTS = 0.04  # less than the web's third: most crawlers run no JavaScript
NO_USER_AGENT = 0.005  # a script of somebody's own
WITHOUT_DEVICE_ID = 0.08  # storage refused; the session stands for the device
SIGNED_IN = 0.25
APP = 0.15  # told by `x-requested-with`, the rest of the web by nothing
SAYS_CHANNEL = 0.10  # told by the event's own `shopping_channel`
FOREIGN_CURRENCY = 0.06  # a shop with two currencies must never show one sum
KEEPS_SESSION_ID = 0.05  # an integration that never renews it: only the gap parts the visits
UNDEFINED_SESSION = 0.004  # a broken integration: one session id on several devices
CLOCK_AN_HOUR_AHEAD = 0.01  # daylight saving set by hand
CLOCK_A_YEAR_AHEAD = 0.004  # a dead battery
WITHOUT_EVENT_IDS = 0.20  # the first SDK sent none: fingerprints take their place
COUNTED_EVENT_IDS = 0.05  # "1", "2", "3": unique on the device only
IDS_AS_TEXT = 0.15  # product ids as strings of digits: they exceed JavaScript's integers
EPOCH_MILLISECONDS = 0.10  # the other forms of a timestamp; the rest is ISO 8601 with Z
WITH_OFFSET = 0.06
NAIVE = 0.03

# --- What they do
VISITS = 2.6  # mean per device
LISTS = 1.9  # mean result lists per visit
SEARCHES = 0.40  # of lists; the rest is half collections, half blocks
AUTOCOMPLETES = 0.5  # of searches
CLICKS = 0.052  # of impressions, falling with the position
HOVERS = 0.06  # of impressions; on phones touches
DIRECT_VIEWS = 0.20  # of visits: a product page from a mail or an ad
ADDS_TO_CART = 0.10  # of product views
ADDS_MORE = 0.35  # of adds: the next product at once, so that orders have several lines
CHECKS_OUT = 0.34  # of visits that end with something in the cart
CAMPAIGNS = 0.35  # of visits
PAUSES = 0.03  # of visits: a silence within a second of the gap, so both sides of it are met
BEFORE_MIDNIGHT = 0.02  # of visits: begun minutes before, so that a session spans two days
CLICK_AND_VIEW_AT_ONCE = 0.05  # of clicks: one millisecond, so the order needs its ranks

# --- Tokens
CART_WITHOUT_TOKEN = 0.30  # of adds: found again by its product
ORDER_LINE_TOKENS = 0.50  # of orders: each line has its own
ORDER_EVENT_TOKEN = 0.20  # of orders: one for all; the rest has none
ORPHAN_TOKENS = 0.04  # of adds: a token that nobody clicked

# --- Orders
WITHOUT_ORDER_ID = 0.03
LINE_BY_LINE = 0.08  # one event per line under one order id
WITHOUT_PRICE = 0.02  # of lines: counted, but worth nothing known
WEBHOOKS = 0.25  # of orders, told again by the shop's server under an id of its own
REFUNDS = 0.16  # of orders; these four are shares of refunds
REFUND_OF_ALL = 0.35
REFUND_IN_PARTS = 0.30  # one unit, and later the rest
REFUND_FIRST = 0.15  # arrives before its order
REFUND_OF_UNKNOWN = 0.10  # an order from before the shop's first beacon; the rest is one unit

# --- On the way
DELAYED_REQUESTS = 0.012  # retried seconds to minutes later: out of order within the session
DELAYED_VISITS = 0.02  # a train without network: hours
LATE_VISITS = 0.006  # a phone switched off: over 72 hours, past what the stream remembers (T7)
POSTED_AGAIN = 0.010  # of requests: the answer was lost
RESENT_EVENTS = 0.006  # of requests: one of its events again, in another
CONFLICTS = 0.003  # of requests: one of its events again, stamped anew under the old id
INVALID_EVENTS = 0.008  # of requests: one event in it is refused
PREFETCHES = 0.003  # of requests
