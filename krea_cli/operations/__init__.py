"""
What commands do beyond asking and telling: for several of them, or too long for one.
"""
