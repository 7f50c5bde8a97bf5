"""Documents to keep: PDF/A made in a process of its own, from values that hold no layout."""
