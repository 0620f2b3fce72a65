"""Two ids of one human, joined and parted again by records; two people each time."""
