"""Everything that calls AWS, and everything that reads its errors."""
