"""How likely it is that two persons who met were truly close: from the shape of their co-visits."""
