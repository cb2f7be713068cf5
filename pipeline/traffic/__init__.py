"""Generates realistic traffic from a seed, for the demo, the tests and the benches.

Shoppers of several stores search, view, click, fill carts, buy and return goods, over a week;
phones lose the network, clocks are wrong, and crawlers visit. `shares` says how much of each.
The same arguments give the same bytes: no clock is read, and the seed is the only randomness.
"""

from pipeline.traffic.generate import STORES, lines, requests

__all__ = ["STORES", "lines", "requests"]
