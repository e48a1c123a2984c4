"""`python -m bot`: see bot/cli.py."""

# The guard matters: the parser's process imports this file again when it starts.
if __name__ == "__main__":
    from bot.cli import main

    main()
