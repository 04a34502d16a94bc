"""The decision: what is required held against each option, what would change it, what it takes, and the record of it."""
