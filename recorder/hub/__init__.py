"""One hub per stream: what ingest reads is handed, as the same objects, to every reader.

Rules: the writer never waits for a reader. A reader that is too slow loses frames from its own bounded queue, counted,
and goes on at a key frame. A new reader first gets the group of pictures that is under way.
"""
