"""An independent witness: a process on somebody else's machine that has seen a log only grow, and signs that it has.

`state` decides and remembers, `server` speaks HTTP. Neither needs anything of the log but its public key.
"""
