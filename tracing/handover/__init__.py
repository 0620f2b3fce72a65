"""What a stored trace hands over: the package an epidemiologist takes away, its pictures, its reasons in words.

The same files as a trace of files writes, from what is stored; persons have the names epidemiologists know them by.
"""
