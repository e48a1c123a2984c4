"""A month of an invented crisis, served over loopback and played through the real pipeline."""
