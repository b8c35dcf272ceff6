"""
A Krea API on this machine, without a token, without cost and without a network.
"""

# Results are made smaller than asked for, in proportion, rather than larger than this.
MAX_RESULT_SIDE = 4096
