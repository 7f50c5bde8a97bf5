"""What needs a decoder library, in processes of their own: the reader of foreign streams, and stills.

Nothing else of the recorder imports this package: recording and the gateway reach it through Unix sockets, and go on
without it.
"""
