"""Decision records: a choice written down with its evidence, and held to account by what is observed since."""
