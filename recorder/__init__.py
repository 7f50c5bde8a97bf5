"""A recorder node: fetch, keep, show, erase."""
