"""Speed and scale, measured on this machine: `python -m benchmarks --list`."""
