"""Who infected whom: the figures, the graph files and the report of a line list and its table of contacts.

Plain tables in, plain files out, by the words of docs/guides/chains.md. `reading` and `writing` do the I/O;
everything between is values in, values out.
"""
