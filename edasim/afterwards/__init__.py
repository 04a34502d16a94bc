"""What follows from a run once it is over, whichever engine made it: the journal's tables from what an engine found."""
