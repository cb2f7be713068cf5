"""HTTP/1.1 for a handler of requests, within bounds of time and memory (decision 0019).

llhttp, by way of httptools, reads the wire. Nothing here knows of beacons.
"""
