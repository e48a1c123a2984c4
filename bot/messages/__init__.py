"""Pure: alert, digest, chart -> what is sent; the only place that escapes HTML."""
