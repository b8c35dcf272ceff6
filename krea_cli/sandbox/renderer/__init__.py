"""
The pictures of the sandbox.  Pillow is imported in this package only.
"""
