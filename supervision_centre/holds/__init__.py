"""Judicial holds: the only prolongation of images, placed on a requisition and let go of by two persons (LAW-10)."""
