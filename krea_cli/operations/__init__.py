"""
The work that commands share. Everything here takes its collaborators as arguments.
"""
