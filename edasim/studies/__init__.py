"""Studies: each runs what one question needs, and says in computed words what came out; `edasim.figures` draws it.

`combinations`: what does each combination of answers ask for, by arithmetic? `requirements`: who meets what is required? `decision`: what
would change that? `short_runs`: to ask often. `tipping`, by `bracketing`: where does the better of two options change? `sensitivity`: which
input matters, alone, and `screening`: together with others?
`outages`: what does one lose, by its length (`usual_outages`: how long is it usually; `outage_bends`: how far can one extrapolate;
`outage_findings`: in words)? `ways_out`: how does a change become a message? `source_load`: do notifications turn into load on the source?
`outcome`: when does the source know what came of a change?
`answers`: how fresh is what readers get, calm and in an incident? `spectrum`: from everything in the event to nothing. `healing`: what does
a lost message do? `resolutions`: what do conflicting writes cost?
`years`: what does storage grow to, and `growth`: what is said of that? `snapshots`: how often to take one? `streams`: what is keeping every
event like from day to day, and what was in a cart last week? `rebuilding`: how long until what is replayed serves, and `replay_findings`:
what is said of that?
`split`: share one pool of servers or split reads from writes, and `crossover`: from which load on? `sizing`: how many servers does each
side need? `projection`: how late is the read model, and what does it cost to read what one wrote?
`incidents`: what does each rare thing cost in a year, and `incident_course`: what is it like minute by minute?
`trust`: does the simulation agree with theory, `queueing`: with the queue that everybody knows, and `reality`: with real brokers and
stores? `warm_up`: is it long enough?
"""
