"""The faces: mx.io (dataiter), PyTorch (torch), plain NumPy (numpy). Import the one you
use.
"""
