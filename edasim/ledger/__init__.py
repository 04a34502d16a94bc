"""The complexity ledger: what an option makes a team build and run under its scenario, and why."""
