"""The edge to the web: a feed's address goes in, entries as plain text come out. Knows no SQL and no config files.

fetcher (address_guard, body, http_headers) -> parser (markup, entries, text, urls) -> values in types
schedule decides when to come back, opml reads and writes lists of feeds; both are pure.
"""
