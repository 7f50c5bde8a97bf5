"""What every route shares: errors, sessions, headers, declarations."""
