"""Pages for people: Indonesian first, English beside it. Who may see what is said at each page's guard."""
