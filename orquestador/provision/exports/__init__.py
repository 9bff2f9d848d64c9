"""A topology in other forms: what brokers, their administrators, editors and readers take."""
