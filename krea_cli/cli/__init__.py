"""
The command line: options, the composition root, hints, and reports of errors.
"""
