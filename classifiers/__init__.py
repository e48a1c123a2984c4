"""Text in, reading out - knows no Telegram, no SQL, no feeds."""
