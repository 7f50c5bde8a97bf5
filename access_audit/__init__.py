"""The access log: entries that cannot be removed unnoticed."""
