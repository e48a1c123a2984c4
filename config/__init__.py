"""What an admin may change: TOML files in this folder, and the schema that checks them."""
