"""The bundled month in, what a phone shows of it as SVG files for docs/ out. For those who write Tocsin, not run it."""
