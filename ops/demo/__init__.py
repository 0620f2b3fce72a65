"""The demonstration: real stays and a synthetic town through the real gate, a positive, a notice at the office.

Everything in it is the product; only the people are invented or, in the presence data, unnamed. It has a home of
its own, emptied at every start, and its keys are random and marked as demo keys.
"""
