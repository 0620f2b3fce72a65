"""Cases and what follows from them: episodes, candidates, alerts, the graph of a trace. Pure but for store."""
