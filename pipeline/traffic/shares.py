"""How frequent everything is; the comments say of what, and why.

The funnel is that of an ordinary store. Faults are more frequent than in most stores, so that a
demo of a few hundred devices shows each of them, but rare enough that no total looks odd.
"""

from __future__ import annotations

# --- Devices (shares of devices)
BOTS = 0.04  # below the third that is usual on the web: most crawlers run no JavaScript
NO_USER_AGENT = 0.005  # a custom script
WITHOUT_DEVICE_ID = 0.08  # storage is blocked; the session stands for the device
SIGNED_IN = 0.25
APP = 0.15  # identified by `x-requested-with`; the web sends nothing
SAYS_CHANNEL = 0.10  # identified by the event's own `shopping_channel`
FOREIGN_CURRENCY = 0.06  # a store with two currencies must never show one sum
KEEPS_SESSION_ID = 0.05  # an integration that never renews it: only the gap separates visits
UNDEFINED_SESSION = 0.004  # a broken integration: one session id on several devices
CLOCK_AN_HOUR_AHEAD = 0.01  # daylight saving set by hand
CLOCK_A_YEAR_AHEAD = 0.004  # a dead battery
WITHOUT_EVENT_IDS = 0.20  # the first SDK sent none: fingerprints replace them
COUNTED_EVENT_IDS = 0.05  # "1", "2", "3": unique on the device only
IDS_AS_TEXT = 0.15  # product ids as strings of digits: they exceed JavaScript's integers
EPOCH_MILLISECONDS = 0.10  # the other forms of a timestamp; the rest is ISO 8601 with Z
WITH_OFFSET = 0.06
NAIVE = 0.03

# --- Visits
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
CART_WITHOUT_TOKEN = 0.30  # of adds: attributed by its product
ORDER_LINE_TOKENS = 0.50  # of orders: each line has its own
ORDER_EVENT_TOKEN = 0.20  # of orders: one for all; the rest has none
ORPHAN_TOKENS = 0.04  # of adds: a token that was never clicked

# --- Orders
WITHOUT_ORDER_ID = 0.03
LINE_BY_LINE = 0.08  # one event per line under one order id
WITHOUT_PRICE = 0.02  # of lines: counted, but without revenue
WEBHOOKS = 0.25  # of orders, sent again by the store's server with another event id
REFUNDS = 0.16  # of orders; these four are shares of refunds
REFUND_OF_ALL = 0.35
REFUND_IN_PARTS = 0.30  # one unit, and later the rest
REFUND_FIRST = 0.15  # arrives before its order
REFUND_OF_UNKNOWN = 0.10  # an order from before the store's first beacon; the rest is one unit

# --- Delivery
DELAYED_REQUESTS = 0.012  # retried seconds to minutes later: out of order within the session
DELAYED_VISITS = 0.02  # a train without network: hours
LATE_VISITS = 0.006  # a phone switched off for over 72 hours: longer than the lateness (T7)
POSTED_AGAIN = 0.010  # of requests: the response was lost
RESENT_EVENTS = 0.006  # of requests: one of its events again, in another
CONFLICTS = 0.003  # of requests: one of its events again, with a new timestamp under the old id
INVALID_EVENTS = 0.008  # of requests: one event in it is refused
PREFETCHES = 0.003  # of requests
