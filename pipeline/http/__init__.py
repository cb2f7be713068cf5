"""HTTP/1.1 for a handler of requests, within limits of time and memory (decision 0019).

httptools (llhttp) parses. Nothing here knows of beacons.
"""
