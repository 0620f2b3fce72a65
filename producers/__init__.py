"""THE WAY IN: kafka-python, the one sender and the one follower; replay of files; the synthetic town."""
