"""THE FLOW: Faust as a pump, one transaction per batch, the relay. Adapters only."""
