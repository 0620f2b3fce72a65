"""One tiny script per SQL file of schemas, in their order."""
