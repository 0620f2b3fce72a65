"""What a person may ask for himself: his data and who processed them, and to be erased."""
