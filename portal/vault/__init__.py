"""What is around the vault of `portal/identity.py`: its SQL, key files, rotation, joined ids, a person's own data."""
