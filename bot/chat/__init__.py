"""The edge to people on Telegram - sender, limiter, handlers, access."""
