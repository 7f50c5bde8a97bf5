"""What the video usability information of H.264 and H.265 has in common (Annex E of both)."""

from __future__ import annotations

from vms.media.bits import BitReader

EXTENDED_SAR = 255

ASPECT_RATIOS = {
    1: (1, 1), 2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11),
    9: (80, 33), 10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2), 16: (2, 1),
}  # fmt: skip
"""Sample aspect ratio by aspect_ratio_idc (Table E-1)."""


def skip_video_signal(bits: BitReader) -> None:
    """Leaves out video_signal_type and chroma_loc_info, with the flags before them."""
    if bits.flag():
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():
        bits.ue(5)
        bits.ue(5)
