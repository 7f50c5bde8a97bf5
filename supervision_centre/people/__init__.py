"""Named persons, their accounts, roles and sessions."""
