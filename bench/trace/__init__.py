"""`jejak bench trace`: traces online, many at once and all pairs of a week, beside what others would pick."""
