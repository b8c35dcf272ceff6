"""
Command-line client for the Krea API.
"""

__version__ = "1.0.0b1"
