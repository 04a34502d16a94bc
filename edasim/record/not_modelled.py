"""What no number of a decision record speaks of: what the model leaves out, and what only people can answer."""

NOT_MODELLED = (
    "Orchestration, compensation, stream joins, and commands that wait for a reply.",
    "Incidents that overlap: each is simulated on its own, from a quiet system, and weighted by how often it happens.",
    "Replicas in storage: one copy of everything is counted, and no index unless `event_store.overhead_bytes` names a store.",
    "Regions whose tables differ: all regions hold all entities and learn of every change in the end; consumers live in the first.",
    "Row locks, sessions and transactions over several entities. A rebalance is noticed at once, and replicas lose power one at a time.",
    "Queues that are replicated, or that share a broker unevenly: all queues share one line of appends.",
    "Rebuilds cost no server of the source anything. A relay goes on while the source is down, and reads while handlers are.",
    "A year as such: one window and each incident are simulated, and what the years bring follows from them in closed form.",
)
"""A sentence in Markdown for each thing that the model leaves out and a decision may hang on; docs/semantics.md has all simplifications."""

QUESTIONS = (
    ("Skills", "Who has run such a system before, and who is called at night when it stops?"),
    (
        "Erasing personal data",
        "How is a person's data erased from the log, from stored events, from copies and from backups, and who checks it?",
    ),
    ("Compliance", "What must be kept, for how long and where, and who may read it? Does that hold for every copy and every message?"),
    ("Vendor", "What becomes of us if the product's licence, price or maker changes, and what would leaving it take?"),
    ("Cost of running", "What do upgrades, monitoring, security patches and training take of people's time in a year?"),
    ("Contracts", "Who owns the schema of an event, how is it changed, and how does a consumer learn of that?"),
    ("Way back", "If this turns out to be wrong, how do we return, and until when?"),
)
"""Topics that decide as much as any number here, each with a question for people."""
