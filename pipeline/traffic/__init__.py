"""Realistic traffic from a seed, for the demo, the tests and the benches.

Shoppers of several stores search, look, click, fill carts, buy and send back, over a week; their
phones lose the network, their clocks are wrong, and crawlers come along. How much of each is in
`shares`. The same arguments give the same bytes: no clock is read, and nothing else is random.
"""

from pipeline.traffic.generate import STORES, lines, requests

__all__ = ["STORES", "lines", "requests"]
