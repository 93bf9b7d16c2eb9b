"""How much of a theorem a run has tested: which mistakes in its statement would have been caught."""
