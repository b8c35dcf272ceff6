"""
A local imitation of the Krea API: no token, no cost, no network.
"""

# Larger results are scaled down in proportion to this maximum side in pixels.
MAX_RESULT_SIDE = 4096
