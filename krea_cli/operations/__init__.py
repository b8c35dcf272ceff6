"""
Work that several commands share. Everything here takes its collaborators as arguments.
"""
