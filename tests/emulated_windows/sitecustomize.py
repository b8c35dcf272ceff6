"""
With this folder on PYTHONPATH, pytest and all that it starts run krea as on Windows:

    PYTHONPATH=tests/emulated_windows pytest
"""

import emulation

emulation.install()
