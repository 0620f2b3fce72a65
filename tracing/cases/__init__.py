"""Cases and what follows: episodes, candidates, alerts, the graph of a trace. Pure but where it takes a cursor."""
