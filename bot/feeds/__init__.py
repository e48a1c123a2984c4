"""The edge to the web - fetcher, address guard, parser, OPML."""
