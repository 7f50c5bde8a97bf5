"""Who may see what, and the order of entry, receipt, ticket."""
