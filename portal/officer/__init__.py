"""The officer's desk: people without a phone come in and go out; a look-up says what to do, and nothing else."""
