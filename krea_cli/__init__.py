"""
Command-line client for the Krea API.
"""

__version__ = "0.1.0"
