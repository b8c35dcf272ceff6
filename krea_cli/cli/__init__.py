"""
What the shell sees: the words of hints, and how an error is reported.
"""
