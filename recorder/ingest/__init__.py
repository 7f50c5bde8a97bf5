"""Fetching streams from cameras: session, connection, pace, timeline, reconnection.

Batch first: a socket that nobody watches is read about once a second, in one call. Sound is never set up (LAW-12).
"""
