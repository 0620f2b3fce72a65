"""Kills everything by seed while a witness outside writes down what was promised, then lets an oracle compare.

`load` and `witness` send and remember, `schedule` and `faults` disturb, `oracle` and `compare` judge, `report` tells.
Nothing here is imported by the product. `oracle` and `compare` import nothing of it either: they are a second
opinion, by the words of the design alone.
"""
